#!/bin/sh
# Puts secrets where programs look for them: in files, never in the container's environment.
set -eu
umask 077

# libpq and asyncpg read passwords from a file, if only its owner can.
if [ -r /run/secrets/pgpass ]; then
    cat /run/secrets/pgpass > /tmp/pgpass
    export PGPASSFILE=/tmp/pgpass
fi
# Airflow opens the file of its users for writing.
if [ -r /run/secrets/airflow_passwords ]; then
    cat /run/secrets/airflow_passwords > /tmp/airflow_passwords
fi
# Flask's key has no file of its own: MLflow reads it from the environment of this one process.
if [ -r /run/secrets/mlflow_flask_key ]; then
    MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat /run/secrets/mlflow_flask_key)
    export MLFLOW_FLASK_SERVER_SECRET_KEY
fi
umask 022
exec "$@"
