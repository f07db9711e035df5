#!/bin/sh
# As the official image does: an empty folder becomes a database, the scripts run once, then it serves.
# It is made beside its place: one that was interrupted is made anew.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    final=$PGDATA PGDATA=$PGDATA.draft
    export PGDATA
    rm -rf "$PGDATA"
    initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --silent --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
    pg_ctl --silent --wait --mode=fast stop
    mv "$PGDATA" "$final"
    export PGDATA="$final"
fi
exec "$@" -c listen_addresses='*'
