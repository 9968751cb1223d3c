"""Bring a database to this release: roles, extension, then Alembic's numbered SQL migrations.

Belongs here: running migrations as the owner and giving the runtime roles their passwords. The SQL itself lives in
`migrations/sql`. Runtime code never runs with these rights.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cdp_assets.warehouse.connection import RUNTIME_ROLES, WarehouseError, newer_schema, require_server

HEAD = "0005"
"""Newest migration: kept here so that a connection is checked without loading Alembic (0.3 s)."""

LOCK_S, PAUSE_S, TURNS = 5, 5, 12
"""Seconds that a migration waits for a table, then lets others at it, and how often it tries: two minutes in all."""

OTHERS_MIGRATION_S = 3600
"""Seconds that another deployment may take to migrate."""

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(owner_dsn: str, *, passwords: Mapping[str, str] | None = None) -> None:
    """Create roles and extension, upgrade the schema to `HEAD`, set passwords of runtime roles.

    Safe to repeat. Holds an advisory lock, so that two deployments at once wait for each other. A table that is in use
    is waited for in turns of seconds: a migration that waits for a lock keeps everybody else from the table as well.

    Args:
        owner_dsn: a role that may create roles (a superuser on the embedded server), or one that is a member of
            an existing `cdp_owner`.
        passwords: role name -> password for `RUNTIME_ROLES`; sent as SCRAM verifiers, never in clear.

    Raises:
        WarehouseError: the server is unfit, the role may not migrate, the schema is newer than this release, or a table
            is in use for too long.
    """
    parts = conninfo_to_dict(owner_dsn)
    address = f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"
    try:
        with psycopg.connect(owner_dsn, autocommit=True) as conn:
            require_server(conn, address)
            conn.execute("select set_config('lock_timeout', %s, false)", (f"{OTHERS_MIGRATION_S}s",))
            conn.execute("select pg_advisory_lock(hashtextextended('cdp_assets.migrate', 0))")
            _require_known(conn, address)
            conn.execute((MIGRATIONS / "sql" / "roles.sql").read_text(encoding="utf-8"))
            conn.execute("set role cdp_owner")
            _upgrade_in_turns(conn)
            conn.execute("reset role")
            for role, password in (passwords or {}).items():
                _set_password(conn, role, password)
    except psycopg.errors.LockNotAvailable as error:
        raise WarehouseError(
            f"{address}: what the migration changes is in use ({str(error).splitlines()[0]}). Nothing of it was done. "
            "Stop the daemon and wait until the runs have ended, or end sessions that are idle in a transaction; then "
            "run `cdp migrate` again"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseError(
            f"{address}: this role may not migrate ({str(error).splitlines()[0]}); "
            "set CDP_WAREHOUSE_OWNER_DSN to a role that may create roles, or one that is a member of cdp_owner"
        ) from error
    except psycopg.OperationalError as error:
        raise WarehouseError(
            f"{address} does not answer: {str(error).strip().splitlines()[0]}. "
            "Start it, or correct CDP_WAREHOUSE_OWNER_DSN"
        ) from error


def run_files(names: Sequence[str]) -> None:
    """Run numbered SQL files within the migration under way, in the given order."""
    from alembic import op

    # the raw connection: SQLAlchemy would read `%` and `:` in the SQL as parameters
    connection: Any = op.get_bind().connection.dbapi_connection
    for name in names:
        connection.execute((MIGRATIONS / "sql" / name).read_text(encoding="utf-8"))


def _require_known(conn: psycopg.Connection[Any], address: str) -> None:
    if conn.execute("select to_regclass('ops.alembic_version')").fetchone() == (None,):
        return
    row = conn.execute("select version_num from ops.alembic_version").fetchone()
    if row is not None and row[0] > HEAD:
        raise newer_schema(address, row[0], HEAD)


def _upgrade_in_turns(conn: psycopg.Connection[Any]) -> None:
    conn.execute("select set_config('lock_timeout', %s, false)", (f"{LOCK_S}s",))
    for turn in range(1, TURNS + 1):
        conn.autocommit = False  # each migration is one transaction: it is there whole or not at all
        try:
            _upgrade(conn)
            conn.commit()
            return
        except psycopg.errors.LockNotAvailable:
            if turn == TURNS:
                raise
        finally:
            if not conn.closed:
                conn.rollback()  # of nothing, once it is committed
                conn.autocommit = True
        sleep(PAUSE_S)  # who waited behind us goes first


def _upgrade(conn: psycopg.Connection[Any]) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # Alembic warns that no path separator is configured; there is one path
        command.upgrade(config, "head")


def _set_password(conn: psycopg.Connection[Any], role: str, password: str) -> None:
    if role not in RUNTIME_ROLES:
        raise WarehouseError(f"no runtime role {role!r}: known are {', '.join(RUNTIME_ROLES)}")
    verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    conn.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier)))
