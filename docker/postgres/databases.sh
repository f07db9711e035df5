#!/bin/sh
# Runs once, on an empty volume: a role and a database for Airflow, a role and two for MLflow.
# The passwords are those in the clients' own password files.
set -eu

password_of() { cut -d: -f5 "/run/secrets/pgpass_$1"; }

for role in airflow mlflow; do
    psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --set=password="$(password_of $role)" <<SQL
CREATE ROLE $role LOGIN PASSWORD :'password';
SQL
done
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres <<SQL
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE mlflow_auth OWNER mlflow;
SQL
