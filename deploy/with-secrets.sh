#!/bin/sh
# Entry point of the image, and the prefix of every command typed into a running container
# (`docker compose exec code with-secrets cdp status`). cdp_assets reads secret files by itself; Dagster reads the
# address of its storage from the environment only, so that one secret is exported here.
set -eu

file="${CDP_SECRETS_DIR:-/run/secrets}/dagster_postgres_url"
if [ -z "${DAGSTER_POSTGRES_URL:-}" ] && [ -r "$file" ]; then
    DAGSTER_POSTGRES_URL="$(cat "$file")"
    export DAGSTER_POSTGRES_URL
fi
exec "$@"
