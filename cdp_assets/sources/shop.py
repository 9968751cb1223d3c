"""A tenant's shop database (PostgreSQL): connect to read only, fix how far a read may vouch, read from one snapshot.

Belongs here: address, sessions, the bound, the snapshot that several connections share, bytes and rows of a query.
Does not belong here: which tables and columns there are (`shop_catalog`), what is asked for and where it goes
(`landing.shop`).
"""

from __future__ import annotations

import itertools
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, LiteralString

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import error_from_result

from cdp_assets.network import PATIENCE
from cdp_assets.sources.model import SourceRejected
from cdp_assets.sources.shop_faults import connect_error, shop_error, snapshot_error
from cdp_assets.zones import ZoneError, zone_name

APPLICATION = "cdp_assets shop extract"
BLOCK = 1 << 16
"""PostgreSQL hands out one message per row; passing on 64 KiB at a time halves the time that Python needs."""

SILENCE_S = 60
"""Seconds beyond the statement's limit without a word after which a connection counts as broken."""

BOUND: LiteralString = """
select
    now() - %s,
    (select min(xact_start) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()
         and coalesce(backend_type, '') not in ('autovacuum worker', 'walsender')),
    (select min(prepared) from pg_prepared_xacts where database = current_database()),
    pg_has_role('pg_read_all_stats', 'usage'),
    current_user
"""


@dataclass(frozen=True, slots=True)
class Bound:
    """Up to where a snapshot that is taken from now on vouches for being complete.

    Attributes:
        upper: no transaction can still commit a row whose `updated_at`, set by `now()`, lies before it.
        note: why it may not hold, or empty.
    """

    upper: datetime
    note: str = ""


class Reader:
    """One connection inside the shared snapshot. Not thread-safe; after an error it can only be closed."""

    def __init__(self, connection: psycopg.Connection[Any], name: str, silence_s: float) -> None:
        self._connection = connection
        self._name = name
        self._silence_s = silence_s

    def rows(self, query: sql.Composed) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            SourceError: the shop refuses it or cannot be reached.
        """
        try:
            found: list[tuple[Any, ...]] = self._connection.execute(query).fetchall()
        except psycopg.Error as error:
            raise shop_error(error, self._name) from error
        return found

    def blocks(self, query: sql.Composed) -> Iterator[bytes]:
        """The rows of a query as COPY BINARY, in blocks that may end anywhere.

        By libpq's own calls: psycopg's iterator takes three times the processor time per row (2.0 against 0.7 us).

        Raises:
            SourceError: the shop refuses it or cannot be reached; what came before is no whole table.
        """
        statement = sql.SQL("copy ({}) to stdout (format binary)").format(query)
        try:
            yield from self._copy(statement.as_bytes(self._connection))
        except psycopg.Error as error:
            raise shop_error(error, self._name) from error

    def _copy(self, statement: bytes) -> Iterator[bytes]:
        server = self._connection.pgconn
        server.send_query(statement)
        result = self._result()
        if result is None or result.status != pq.ExecStatus.COPY_OUT:
            raise _failure(server, result)
        block = bytearray()
        while True:
            size, message = server.get_copy_data(1)
            if size < 0:
                break
            if size == 0:
                self._listen()
                continue
            block += message
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
        while (ended := self._result()) is not None:
            if ended.status != pq.ExecStatus.COMMAND_OK:
                raise _failure(server, ended)
        yield bytes(block)

    def _result(self) -> pq.abc.PGresult | None:
        while self._connection.pgconn.is_busy():
            self._listen()
        return self._connection.pgconn.get_result()

    def _listen(self) -> None:
        """Take in what the server sends, looking up every second: libpq's own wait hears no signal and has no end."""
        ready = select.poll()
        ready.register(self._connection.pgconn.socket, select.POLLIN)
        until = monotonic() + self._silence_s
        while not ready.poll(1000):
            if monotonic() > until:
                raise psycopg.OperationalError(f"the server has been silent for {self._silence_s:.0f} s")
        self._connection.pgconn.consume_input()


def begun(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, of which the first has come: what the shop takes to begin is waited for here, not later."""
    first = next(blocks, b"")
    return itertools.chain([first], blocks)


class ShopDatabase:
    """The shop database of one tenant.

    Read the primary: on a standby, transactions that are open on the primary are not to be seen.

    Args:
        address: `ops.tenant.shop`: dsn (without password), password_secret (name of the secret, optional), timezone
            (of the shop's times that name none; default UTC).
        secret: name -> value, or None when it is not set.
        timeout_s: seconds before the shop's server cancels a statement.

    Raises:
        SourceRejected: the registration cannot be used; no connection is made yet.
    """

    def __init__(
        self, address: Mapping[str, Any], *, secret: Callable[[str], str | None], timeout_s: int = 900
    ) -> None:
        dsn = address.get("dsn")
        if not isinstance(dsn, str) or not dsn.strip():
            raise SourceRejected("the shop's registration has no dsn: give a libpq connection string")
        try:
            parts = conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # libpq's own words may quote a piece of a password
            raise SourceRejected(
                "the shop's dsn is no libpq connection string (host=... dbname=...)"
            ) from None
        if parts.get("password"):
            raise SourceRejected(
                "the shop's dsn holds a password: take it out and store the name of the secret as password_secret"
            )
        self._dsn = dsn
        self._password = self._secret(address.get("password_secret"), secret)
        self._timeout_s = timeout_s
        try:
            self.timezone = zone_name(address.get("timezone") or "UTC")
        except ZoneError as error:
            raise SourceRejected(f"the shop's time zone: {error}") from None
        self.name = f"shop {parts.get('host') or 'localhost'}/{parts.get('dbname') or ''}"

    @staticmethod
    def _secret(name: Any, secret: Callable[[str], str | None]) -> str | None:
        if not name:
            return None
        value = secret(name)
        if value is None:
            raise SourceRejected(
                f"the secret {name} is not set: export it, or put it into the file {name.lower()} in CDP_SECRETS_DIR"
            )
        return value

    def bound(self, safety_lag: timedelta) -> Bound:
        """Fix how far a snapshot vouches; to be called before the snapshot is taken.

        A transaction that is open now may commit, after the snapshot, rows that carry the time of its start. So the
        bound is the oldest start of any, and at most `safety_lag` ago: shops that set the time themselves may lag.

        Raises:
            SourceError: the shop cannot be read.
        """
        with self._session() as conn:
            try:
                row = conn.execute(BOUND, (safety_lag,)).fetchone()
            except psycopg.Error as error:
                raise shop_error(error, self.name) from error
        assert row is not None
        *times, sees_all, role = row
        note = "" if sees_all else (
            f"role {role} does not see when others' transactions began, so one that commits late is found only within "
            "the overlap or by a sweep; grant it pg_read_all_stats"
        )  # fmt: skip
        return Bound(min(time for time in times if time is not None), note)

    @contextmanager
    def snapshot(self) -> Iterator[str]:
        """Hold one state of the shop; what is given names it for `reader`.

        Raises:
            SourceError: the shop cannot be read.
        """
        with self._session() as conn:
            try:
                row = conn.execute("select pg_export_snapshot()").fetchone()
            except psycopg.Error as error:
                raise shop_error(error, self.name) from error
            assert row is not None
            yield row[0]

    @contextmanager
    def reader(self, snapshot: str) -> Iterator[Reader]:
        """A connection of its own that sees the snapshot.

        Raises:
            SourceUnavailable: the snapshot is gone, with the connection that held it.
            SourceError: the shop cannot be read.
        """
        with self._session(snapshot) as conn:
            # the server itself ends a statement at its limit; longer silence is the network's
            yield Reader(conn, self.name, self._timeout_s + SILENCE_S)

    @contextmanager
    def _session(self, snapshot: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A connection inside a transaction that cannot write, in the time zone of the shop's times."""
        try:
            conn = psycopg.connect(
                self._dsn,
                password=self._password,
                application_name=APPLICATION,
                client_encoding="UTF8",
                connect_timeout=10,
                **PATIENCE,
            )
        except psycopg.Error as error:
            raise connect_error(error, self.name) from error
        with closing(conn):
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            conn.read_only = True
            try:
                if snapshot is not None:
                    self._join(conn, snapshot)
                # Set for the transaction, so that it also holds behind a pooler. The holder of the snapshot idles
                # for as long as the tables are read.
                conn.execute(
                    "select set_config('statement_timeout', %s, true), set_config('timezone', %s, true), "
                    "set_config('idle_in_transaction_session_timeout', '0', true)",
                    (f"{self._timeout_s}s", self.timezone),
                )
            except psycopg.errors.InvalidParameterValue as error:
                raise SourceRejected(
                    f"{self.name}: the time zone {self.timezone!r} is unknown there; name one of the IANA list, such "
                    "as Asia/Ho_Chi_Minh"
                ) from error
            except psycopg.Error as error:
                raise shop_error(error, self.name) from error
            yield conn

    def _join(self, conn: psycopg.Connection[Any], snapshot: str) -> None:
        try:
            conn.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        except psycopg.Error as error:
            raise snapshot_error(error, self.name) from error


def _failure(server: pq.abc.PGconn, result: pq.abc.PGresult | None) -> psycopg.Error:
    """The exception for a result; libpq's own words for a broken connection carry no SQLSTATE to tell it by."""
    if result is None:
        return psycopg.OperationalError("the server gave no answer")
    error = error_from_result(result, "utf-8")
    if error.sqlstate is None and server.status == pq.ConnStatus.BAD:
        return psycopg.OperationalError(str(error))
    return error
