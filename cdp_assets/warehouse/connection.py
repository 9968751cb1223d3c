"""Connections to the warehouse, each transaction opened for one tenant.

Belongs here: pooling, tenant scope, time-outs, and the check that a server is fit to be used. Does not belong
here: what is read or written. Without a tenant a transaction sees no row (row level security), so forgetting one
is an empty answer, never another tenant's data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, LiteralString

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from cdp_assets import keys
from cdp_assets.network import PATIENCE

Connection = psycopg.Connection[TupleRow]

MIN_SERVER = 150000
MIN_PGVECTOR = (0, 8, 0)
RUNTIME_ROLES = ("cdp_pipeline", "cdp_transform", "cdp_reader")

APPLICATION = "cdp_assets"
MAX_APPLICATION_NAME = 63

SET_TENANT: LiteralString = "select set_config('app.tenant_id', %s, true)"


class WarehouseError(Exception):
    """The warehouse cannot be used as it is. The message names the thing and the remedy."""


@contextmanager
def without_loops(connection: Connection) -> Iterator[None]:
    """Statements inside, within a transaction, join by hashing; afterwards the planner is as free as before.

    Row level security hides how many rows there are: the planner expects one and loops. A step stood still for 29 s
    where the 800 lines of `intermediate.int_purchases` are counted, on tables that were not analyzed yet.
    """
    before = connection.execute("select current_setting('enable_nestloop')").fetchone()
    connection.execute("set local enable_nestloop = off")
    yield
    connection.execute("select set_config('enable_nestloop', %s, true)", before)


class TenantSession:
    """One connection held for a longer piece of work of one tenant: temporary tables and advisory locks live on it."""

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self.connection = connection
        self.tenant_id = tenant_id

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that sees and writes this tenant's rows only."""
        with self.connection.transaction():
            self.connection.execute(SET_TENANT, (self.tenant_id,))
            yield self.connection


class Warehouse:
    """A PostgreSQL database as seen by one runtime role.

    Args:
        dsn: libpq connection string of a runtime role (not the owner, not a superuser).
        statement_timeout_s: seconds before the server cancels a statement.
        pool_size: connections kept by this process.
    """

    def __init__(self, dsn: str, *, statement_timeout_s: int = 900, pool_size: int = 4) -> None:
        # 60 s for a lock: another run of the same tenant holds row locks for one batch, which takes far less.
        # Five minutes idle inside a transaction is a hung client, and would hold back vacuum for every tenant.
        # A connection that holds a lock is idle for as long as the work takes, and must end with the client's machine.
        options = (
            f"-c statement_timeout={statement_timeout_s}s -c lock_timeout=60s "
            "-c idle_in_transaction_session_timeout=300s -c timezone=UTC -c idle_session_timeout=0 "
            "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6"
        )
        given = conninfo_to_dict(dsn).get("options")
        self._dsn = make_conninfo(
            dsn,
            options=f"{given or ''} {options}".strip(),
            application_name=APPLICATION,
            connect_timeout=10,
            **PATIENCE,
        )
        self._pool_size = pool_size
        self._pool: ConnectionPool[Connection] | None = None
        self._opening = Lock()  # threads that come first together must share one pool

    @property
    def address(self) -> str:
        """Host and database, without user or secret: for messages."""
        parts = conninfo_to_dict(self._dsn)
        return f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"

    def _open_pool(self) -> ConnectionPool[Connection]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._dsn,
                    min_size=0,
                    max_size=self._pool_size,
                    open=True,
                    timeout=30,
                    # the server may have been restarted; firewalls drop idle connections after four minutes or more
                    check=ConnectionPool.check_connection,
                    max_idle=180,
                    name="cdp_warehouse",
                )
            return self._pool

    @contextmanager
    def tenant(self, tenant_id: str) -> Iterator[Connection]:
        """One transaction for one tenant, on a pooled connection; commits at the end, rolls back on an error."""
        keys.tenant_id(tenant_id)
        with self._open_pool().connection() as conn:
            conn.execute(SET_TENANT, (tenant_id,))
            yield conn

    @contextmanager
    def snapshot(self, tenant_id: str) -> Iterator[Connection]:
        """As `tenant`, but every query of the transaction sees the rows of one instant; for reading."""
        keys.tenant_id(tenant_id)
        with self._open_pool().connection() as conn:
            conn.isolation_level = IsolationLevel.REPEATABLE_READ
            try:
                with conn.transaction():
                    conn.execute(SET_TENANT, (tenant_id,))
                    yield conn
            finally:
                conn.isolation_level = None

    @contextmanager
    def control(self) -> Iterator[Connection]:
        """One transaction for no tenant: sees the tenant registry, and not one row of any tenant's data."""
        with self._open_pool().connection() as conn:
            yield conn

    @contextmanager
    def session(self, tenant_id: str, *, purpose: str = "") -> Iterator[TenantSession]:
        """A connection of its own for a longer piece of work; temporary tables and locks end with it.

        The server's list of activity shows the purpose.
        """
        keys.tenant_id(tenant_id)
        name = f"{APPLICATION} {purpose}".strip()[:MAX_APPLICATION_NAME]
        with psycopg.connect(self._dsn, autocommit=True, application_name=name) as conn:
            yield TenantSession(conn, tenant_id)

    @contextmanager
    def listen(self, channel: LiteralString) -> Iterator[Callable[[float], bool]]:
        """Listen on a channel; what is yielded waits up to so many seconds and says whether there was a NOTIFY."""
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            yield lambda seconds: any(True for _ in conn.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def require_ready(self, head: str) -> None:
        """Check that the server can serve: version, pgvector, role, migration `head`.

        Raises:
            WarehouseError: names what is wrong and how to mend it.
        """
        try:
            with psycopg.connect(self._dsn, autocommit=True) as conn:
                _require_ready(conn, self.address, head)
        except psycopg.OperationalError as error:
            raise WarehouseError(
                f"the warehouse at {self.address} does not answer: {_first_line(error)}. "
                "Start it (`cdp up` for the embedded server) or correct CDP_WAREHOUSE_DSN; "
                "where the role does not exist yet, run `cdp migrate`"
            ) from error


def require_server(conn: psycopg.Connection[Any], address: str) -> None:
    """Check version and pgvector availability before migrating.

    Raises:
        WarehouseError: the server is too old or has no pgvector.
    """
    version = conn.info.server_version
    if version < MIN_SERVER:
        raise WarehouseError(
            f"the server at {address} is PostgreSQL {version // 10000}; at least {MIN_SERVER // 10000} is needed "
            "(views with security_invoker). Upgrade it or point CDP_WAREHOUSE_DSN at a newer one"
        )
    row = conn.execute("select default_version from pg_available_extensions where name = 'vector'").fetchone()
    if row is None:
        raise WarehouseError(
            f"the server at {address} has no pgvector: install the package (postgresql-NN-pgvector, or the image "
            "pgvector/pgvector) on the server"
        )


def newer_schema(address: str, found: str, head: str) -> WarehouseError:
    """The error for a schema that a newer release made. Migrations are numbered and never taken back."""
    return WarehouseError(
        f"{address}: the schema is at migration {found}, which is newer than this release ({head}): install the "
        "release that made it, or restore the database from before it"
    )


def _require_ready(conn: psycopg.Connection[Any], address: str, head: str) -> None:
    require_server(conn, address)
    row = conn.execute("select extversion from pg_extension where extname = 'vector'").fetchone()
    if row is None:
        raise WarehouseError(
            f"{address}: the extension vector is not created in this database; run `cdp migrate`"
        )
    if tuple(int(part) for part in row[0].split(".")[:3]) < MIN_PGVECTOR:
        raise WarehouseError(f"{address}: pgvector {row[0]} is too old; 0.8 or newer is needed")
    role = conn.execute(
        "select rolname, rolsuper or rolbypassrls, pg_has_role(rolname, 'cdp_owner', 'member') "
        "from pg_roles where rolname = current_user and exists (select from pg_roles where rolname = 'cdp_owner')"
    ).fetchone()
    if role is None:
        raise WarehouseError(f"{address}: the roles do not exist yet; run `cdp migrate`")
    if role[1] or role[2]:
        raise WarehouseError(
            f"{address}: connected as {role[0]!r}, which row level security does not bind; "
            f"connect as one of {', '.join(RUNTIME_ROLES)}"
        )
    if conn.execute("select to_regclass('ops.alembic_version')").fetchone() == (None,):
        raise WarehouseError(f"{address}: the schema is missing; run `cdp migrate`")
    row = conn.execute("select version_num from ops.alembic_version").fetchone()
    if row is not None and row[0] > head:
        raise newer_schema(address, row[0], head)
    if row is None or row[0] != head:
        raise WarehouseError(
            f"{address}: the schema is at migration {row[0] if row else 'none'}, this release needs {head}; "
            "run `cdp migrate`"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
