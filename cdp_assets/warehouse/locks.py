"""Who is at work on what of a tenant: two runs never read, decide and write the same thing at once.

Belongs here: advisory locks of PostgreSQL, held by a connection of their own without an open transaction. They end with
it, so a process that was killed leaves none. A writer shares the tenant and has one thing of it alone; who removes the
tenant has all of it alone. Does not belong here: locks within one transaction, which are in its SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

from psycopg import errors

from cdp_assets.warehouse.connection import APPLICATION, Connection, Warehouse

PATIENCE_S = 600
"""How long a build waits for the one before it: longer than most take."""


class Busy(Exception):
    """Another run is at work on the same thing. The message says on what, and who has it."""


@contextmanager
def writing(
    warehouse: Warehouse,
    tenant_id: str,
    purpose: str,
    *,
    thing: str | None = None,
    wait_s: float = PATIENCE_S,
) -> Iterator[Callable[[], None]]:
    """Be a writer of a tenant, with `thing` (a dataset, all marts, a segment's table) alone; None: with nothing alone.

    Others that find the tenant taken are told the `purpose`. What is given raises psycopg.OperationalError when the
    connection was lost, and the locks with it: to be called before the work counts as done.

    Raises:
        Busy: another run has the thing, or somebody the whole tenant, after `wait_s` seconds.
    """
    with warehouse.session(tenant_id, purpose=purpose) as session:
        _take(session.connection, tenant_id, "", wait_s, _SHARED)
        if thing is not None:
            _take(session.connection, tenant_id, thing, wait_s, _ALONE)

        def require_held() -> None:
            session.connection.execute("select")

        yield require_held


@contextmanager
def alone(warehouse: Warehouse, tenant_id: str, *, wait_s: float) -> Iterator[None]:
    """Have a tenant alone: no writer is at work, and none begins.

    Raises:
        Busy: a writer is at work after `wait_s` seconds; the message names all.
    """
    with warehouse.session(tenant_id, purpose="the whole tenant") as session:
        _take(session.connection, tenant_id, "", wait_s, _ALONE)
        yield


def take(connection: Connection, tenant_id: str, thing: str, *, wait_s: float = 10) -> None:
    """Take a thing of the tenant alone for a connection, which is in no transaction, until it closes.

    The wait lets the server notice that a killed run's connection is gone.

    Raises:
        Busy: another run has it after `wait_s` seconds.
    """
    _take(connection, tenant_id, thing, wait_s, _ALONE)


_SHARED: LiteralString = "select pg_advisory_lock_shared(%(key)s)"
_ALONE: LiteralString = "select pg_advisory_lock(%(key)s)"
_HOLDERS: LiteralString = (
    "select a.application_name, to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
    "from pg_locks as l inner join pg_stat_activity as a on a.pid = l.pid "
    "where l.locktype = 'advisory' and l.granted and l.objsubid = 1 "
    "and l.database = (select oid from pg_database where datname = current_database()) "
    "and (l.classid::bigint << 32) | l.objid::bigint = %(key)s order by a.backend_start, a.pid"
)


def _take(
    connection: Connection, tenant_id: str, thing: str, wait_s: float, statement: LiteralString
) -> None:
    try:
        with connection.transaction():
            found = connection.execute(
                "select hashtextextended(%s, 0), set_config('lock_timeout', %s, true), "
                "set_config('statement_timeout', '0', true)",
                (f"cdp.lock/{tenant_id}/{thing}", f"{max(1, round(1000 * wait_s))}ms"),
            ).fetchone()
            assert found is not None
            scope = {"key": found[0]}
            connection.execute(statement, scope)
    except errors.LockNotAvailable as error:
        holders = [
            f"{name.removeprefix(APPLICATION).strip() or name} (since {since} UTC)"
            for name, since in connection.execute(_HOLDERS, scope)
        ]
        raise Busy(
            f"another run is at work on {f'{thing} of ' if thing else ''}tenant {tenant_id}"
            + (f": {', '.join(holders)}" if holders else "")
        ) from error
