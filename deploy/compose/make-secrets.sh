#!/usr/bin/env bash
# Writes the secret files that docker-compose.yml mounts. Safe to repeat: a password that exists is kept, the
# connection strings are written anew from the passwords.
#
# The folder is closed to everyone else (0700); the files are readable (0444), because a container that does not run
# as root reads them under its own user id, and Compose mounts files as they are.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." # relative folders mean the same here as in docker-compose.yml
folder="${CDP_COMPOSE_SECRETS:-deploy/compose/secrets}"
mkdir -p "$folder"
chmod 0700 "$folder"

put() { # name, value
    rm -f "$folder/$1"
    printf '%s' "$2" >"$folder/$1"
    chmod 0444 "$folder/$1"
}

password() { # name: 40 hexadecimal digits, safe in a URL
    [ -s "$folder/$1" ] || put "$1" "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')"
}

for name in warehouse_superuser_password warehouse_migrator_password dagster_db_password \
    cdp_pipeline_password cdp_transform_password cdp_reader_password arango_root_password shop_password; do
    password "$name"
done

read_secret() { cat "$folder/$1"; }
put cdp_warehouse_owner_dsn "postgresql://cdp_migrator:$(read_secret warehouse_migrator_password)@warehouse:5432/warehouse"
put cdp_warehouse_dsn "postgresql://cdp_pipeline:$(read_secret cdp_pipeline_password)@warehouse:5432/warehouse"
put dagster_postgres_url "postgresql+psycopg2://dagster:$(read_secret dagster_db_password)@warehouse:5432/dagster"

echo "secrets are in $(cd "$folder" && pwd)"
