#!/bin/sh
# backup.sh FOLDER: databases, models and figures, secrets. Without the secrets (the Fernet key) the
# Connections in Airflow's database cannot be read again: keep the folder as you keep a key.
# Not in it: the clusters' workspaces, which hold the records, and task logs.
set -eu
umask 077
target=${1:?usage: docker/backup.sh FOLDER}
cd "$(dirname "$0")"
case $target in /*) ;; *) target=$OLDPWD/$target ;; esac
[ ! -e "$target" ] || { echo "backup.sh: $target is there already; name a new folder" >&2; exit 2; }
secrets=${SECRETS:-$(sed -n 's/^SECRETS=//p' .env 2>/dev/null | tail -n 1)}  # as compose finds it
secrets=${secrets:-secrets}
draft=$target.part
rm -rf "$draft"; mkdir -p "$draft"
for database in airflow mlflow mlflow_auth; do
    docker compose exec --no-TTY postgres pg_dump --username=postgres --format=custom "$database" \
        > "$draft/$database.dump"
done
# after the database: what it names is there, what came since is a harmless surplus
docker compose exec --no-TTY mlflow tar -C /mlflow -cf - . > "$draft/artifacts.tar"
cp -Rp "$secrets" "$draft/secrets"  # modes, too: a container's user must be able to read them
mv "$draft" "$target"
echo "backed up into $target"
