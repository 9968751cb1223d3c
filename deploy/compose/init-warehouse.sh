#!/usr/bin/env bash
# Run once by the warehouse container, on its empty data folder, as the server's superuser: the two databases, the two
# roles that own them, and the extension (which only a superuser may create where it is not marked as trusted).
# The product's own roles and tables come from `cdp migrate`, run as cdp_migrator. Passwords are read by psql itself
# from the secret files, so that none shows in a process list.
set -euo pipefail

: "${MIGRATOR_PASSWORD_FILE:?}" "${DAGSTER_PASSWORD_FILE:?}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set migrator_password `cat "$MIGRATOR_PASSWORD_FILE"`
\set dagster_password `cat "$DAGSTER_PASSWORD_FILE"`

create role cdp_owner nologin;
create role cdp_migrator login createrole password :'migrator_password';
grant cdp_owner to cdp_migrator;
create database warehouse owner cdp_migrator;

create role dagster login password :'dagster_password';
create database dagster owner dagster;
revoke connect, temporary on database dagster from public;

\connect warehouse
create extension vector;
SQL
