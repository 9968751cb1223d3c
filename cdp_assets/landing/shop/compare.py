"""Which keys of a landing table differ from the shop's: counts and checksums first, keys only where those differ.

Belongs here: comparing `(id, updated_at)` of both sides. Does not belong here: what is done about the difference
(`load`). 1,000,000 equal rows cost one pass over each side and 1,000 rows on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from psycopg import sql

from cdp_assets.landing.shop.queries import CHECKSUM, Buckets, Queries, micros
from cdp_assets.landing.shop.specs import TableSpec
from cdp_assets.sources.shop import Reader, begun
from cdp_assets.warehouse.connection import Connection, TenantSession

MIN_WIDTH = 1024
"""Ids per bucket, at least: one differing row makes as many pairs travel, 16 bytes each."""

MAX_BUCKETS = 1 << 16
"""At most so many buckets, however sparse the ids are: they are compared in memory."""

VANISHED = sql.Identifier("pg_temp", "shop_vanished")
STALE = sql.Identifier("pg_temp", "shop_stale")

Checksums = dict[int, tuple[Any, ...]]


class Comparison:
    """Difference of one table between the snapshot and the tenant's landed rows that are not marked as gone.

    Attributes:
        total: rows in the shop that go by an id.
        known: landed rows.
        vanished: landed rows whose ids the shop no longer has; they are in the temporary table `VANISHED`.
    """

    def __init__(self, session: TenantSession, spec: TableSpec, queries: Queries, reader: Reader) -> None:
        self._session = session
        self._spec = spec
        self._queries = queries
        self._reader = reader
        self.total = self.known = self.vanished = 0

    def run(self) -> None:
        """Compare. Afterwards the temporary tables hold the ids that differ.

        Raises:
            SourceError: the shop cannot be read.
        """
        # No transaction of ours is open while the shop works: one that idles for five minutes is ended (and should be).
        buckets = _buckets(*self._reader.rows(self._queries.extent())[0])
        theirs, ours = self._checksums(buckets)
        self.total = sum(count for count, *_ in theirs.values())
        self.known = sum(count for count, *_ in ours.values())
        unequal = sorted(
            number for number in theirs.keys() | ours.keys() if theirs.get(number) != ours.get(number)
        )
        pairs = begun(self._reader.blocks(self._queries.pairs(buckets, unequal))) if unequal else ()
        with self._session.transaction() as conn:
            conn.execute("drop table if exists pg_temp.shop_pair, pg_temp.shop_vanished, pg_temp.shop_stale")
            conn.execute("create temporary table shop_pair (id bigint, updated_at timestamptz)")
            if unequal:
                copied = sql.SQL("copy pg_temp.shop_pair from stdin (format binary)")
                with conn.cursor() as cur, cur.copy(copied) as copy:
                    for block in pairs:
                        copy.write(block)
            self._find(conn, buckets, unequal)

    def stale(self, size: int) -> Iterator[list[int]]:
        """Ids that the shop has and that are not landed as they are there, in order."""
        last = -(2**63)
        while True:
            with self._session.transaction() as conn:
                rows = conn.execute(
                    sql.SQL("select id from {} where id > %s order by id limit %s").format(STALE),
                    (last, size),
                ).fetchall()
            if rows:
                yield [row[0] for row in rows]
                last = rows[-1][0]
            if len(rows) < size:
                return

    def _checksums(self, buckets: Buckets) -> tuple[Checksums, Checksums]:
        """Of the shop and of the warehouse, whose servers work at the same time."""
        query = sql.SQL(
            "select {}, {} from {} where tenant_id = {} and _deleted_at is null group by 1"
        ).format(
            buckets.number(sql.SQL("id")),
            CHECKSUM.format(micros=micros(sql.SQL("updated_at")), id=sql.SQL("id")),
            self._spec.relation,
            sql.Literal(self._session.tenant_id),
        )
        with ThreadPoolExecutor(1) as pool:
            theirs = pool.submit(self._reader.rows, self._queries.checksums(buckets))
            with self._session.transaction() as conn:
                ours = {number: tuple(rest) for number, *rest in conn.execute(query)}
            return {number: tuple(rest) for number, *rest in theirs.result()}, ours

    def _find(self, conn: Connection, buckets: Buckets, unequal: list[int]) -> None:
        conn.execute("analyze pg_temp.shop_pair")
        # Row level security makes the planner expect one landed row; a nested loop would compare each with each.
        conn.execute("set local enable_nestloop = off")
        landed = sql.SQL(
            "(select id, updated_at from {} where tenant_id = {} and _deleted_at is null and {} = any({}::bigint[]))"
        ).format(
            self._spec.relation,
            sql.Literal(self._session.tenant_id),
            buckets.number(sql.SQL("id")),
            sql.Literal(unequal),
        )
        conn.execute(
            sql.SQL(
                "create temporary table shop_stale as select p.id from pg_temp.shop_pair as p "
                "left join {} as l on l.id = p.id where l.updated_at is distinct from p.updated_at or l.id is null"
            ).format(landed)
        )
        conn.execute(
            sql.SQL(
                "create temporary table shop_vanished as select l.id from {} as l "
                "left join pg_temp.shop_pair as p on p.id = l.id where p.id is null"
            ).format(landed)
        )
        row = conn.execute("select count(*) from pg_temp.shop_vanished").fetchone()
        assert row is not None
        self.vanished = row[0]


def _buckets(low: int | None, high: int | None) -> Buckets:
    if low is None or high is None:
        return Buckets(0, 0, MIN_WIDTH)
    return Buckets(low, high, max(MIN_WIDTH, max(abs(low), abs(high)) * 2 // MAX_BUCKETS + 1))
