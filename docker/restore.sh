#!/bin/sh
# restore.sh FOLDER: what backup.sh has saved, into volumes that are empty; then start all services.
set -eu
source=${1:?usage: docker/restore.sh FOLDER}
cd "$(dirname "$0")"
case $source in /*) ;; *) source=$OLDPWD/$source ;; esac
for file in airflow.dump mlflow.dump mlflow_auth.dump artifacts.tar secrets/fernet_key; do
    [ -r "$source/$file" ] || { echo "restore.sh: $source/$file is missing; was it made by backup.sh?" >&2; exit 2; }
done
# as compose finds it; a machine that starts anew has no .env yet
secrets=${SECRETS:-$(sed -n 's/^SECRETS=//p' .env 2>/dev/null | tail -n 1)}
secrets=${secrets:-secrets}
if [ -d "$secrets" ] && ! diff -r "$secrets" "$source/secrets" >/dev/null; then
    echo "restore.sh: $secrets in docker/ holds other secrets than the backup; move it away first" >&2
    exit 2
fi
[ -d "$secrets" ] || cp -Rp "$source/secrets" "$secrets"
python3 secrets.py
docker compose up --detach --wait postgres
tables=$(docker compose exec --no-TTY postgres psql --username=postgres --tuples-only --no-align \
    --command="select count(*) from information_schema.tables where table_schema = 'public'" airflow)
[ "$tables" = 0 ] || { echo "restore.sh: the database holds $tables tables; restore into empty volumes (docker compose down --volumes)" >&2; exit 2; }
for database in airflow mlflow mlflow_auth; do
    docker compose exec --no-TTY postgres pg_restore --username=postgres --dbname="$database" \
        --exit-on-error < "$source/$database.dump"
done
docker compose run --rm --no-deps --no-TTY mlflow tar -C /mlflow -xf - < "$source/artifacts.tar"
echo "restored from $source; start with: docker compose up --detach"
