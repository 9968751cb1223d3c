"""A process whose syncs kill themselves with SIGKILL: driven by `test_sync_kill` through standard input and output.

Belongs here: the points at which a sync may die, as wrappers around the product's functions. Does not belong here: what
must be true afterwards, and the process itself (`killing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from cdp_assets.landing import batch, writer
from cdp_assets.landing.writer import Writer
from cdp_assets.sources.model import CONVERSION, PROFILE
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.bulk import BulkLoader
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.ledger import Ledger, Sweep
from tests.killing import Point, Trap, after, before, serve
from tests.landing_support import MemorySource, land_one
from tests.leo_documents import at, edge, profile, some

BATCH = 200
PROFILES = 3_000


def world(day: int) -> MemorySource:
    """The source at day 0, or at day 1 after every kind of change."""
    source = MemorySource(page=BATCH)
    source.put(PROFILE, *[profile(f"p{n:04}", updatedAt=at(minutes=n)) for n in range(PROFILES)])
    for n in range(0, PROFILES, 100):
        source.patch(PROFILE, f"p{n:04}", status=5)  # no such status: quarantined
        source.patch(PROFILE, f"p{n + 1:04}", status=0, rootProfileId=f"p{n + 2:04}")
    source.put(CONVERSION, *[edge(f"e{n:04}", f"p{n:04}", updatedAt=at(minutes=n)) for n in range(1_000)])
    if day:
        for n in range(0, PROFILES, 7):
            source.patch(PROFILE, f"p{n:04}", firstName="changed", updatedAt=at(days=5, minutes=n))
        for n in range(4, PROFILES, 50):
            source.patch(PROFILE, f"p{n:04}", inSegments=[{"id": "silent"}])
        for n in range(0, PROFILES, 200):
            source.patch(PROFILE, f"p{n:04}", status=1)
        source.put(PROFILE, *some(PROFILE, 300, prefix="new", updatedAt=at(days=6)))
        source.put(PROFILE, *some(PROFILE, 9, prefix="bad", updatedAt=at(days=6), status=5))
        source.remove(PROFILE, *[f"p{n:04}" for n in range(5, PROFILES, 60)])
        for n in range(0, 1_000, 9):
            source.patch(CONVERSION, f"e{n:04}", _from="cdp_profile/p0101", updatedAt=at(days=5, minutes=n))
        source.remove(CONVERSION, *[f"e{n:04}" for n in range(10, 1_000, 45)])
    return source


def page(reading: str, number: int) -> Point:
    def install(trap: Trap, source: MemorySource) -> None:
        def between(what: str, collection: str, nth: int) -> None:
            if (what, nth) == (reading, number):
                trap.spring()

        source.between = between

    return install


def amid_copy(trap: Trap, source: MemorySource) -> None:
    merge = BulkLoader.merge

    def wrapped(self: BulkLoader, connection: Connection, tenant: str, rows: Iterator[Sequence[Any]]) -> int:
        def watched() -> Iterator[Sequence[Any]]:
            for number, row in enumerate(rows):
                yield row
                if number == BATCH // 2:
                    trap.spring()

        return merge(self, connection, tenant, watched())

    BulkLoader.merge = wrapped  # type: ignore[method-assign]


def staged(trap: Trap, source: MemorySource) -> None:
    """Between COPY into the stage and the statement that merges it."""
    execute = psycopg.Cursor.execute

    def wrapped(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(query, psycopg.sql.Composed) and "on conflict" in query.as_string(None):
            trap.spring()
        return execute(self, query, *args, **kwargs)

    psycopg.Cursor.execute = wrapped  # type: ignore[method-assign]


POINTS: dict[str, Point] = {
    "amid COPY": amid_copy,
    "before COPY": before(BulkLoader, "merge"),
    "staged": staged,
    "merged": after(BulkLoader, "merge"),
    "ledger written": after(Ledger, "record"),
    "quarantine written": after(quarantine, "store"),
    "quarantine closed": after(quarantine, "resolve"),
    "watermark moved": after(Ledger, "advance"),
    "batch committed": after(Writer, "write"),
    "page 5 of a scan": page("scan", 5),
    "page 2 of the window": page("since", 2),
    "page 2 of a fetch": page("fetch", 2),
    "keys staged": after(Sweep, "add"),
    "keys compared": after(Sweep, "compare"),
    "tombstones written": after(writer, "tombstone"),
    "tombstones committed": after(Writer, "bury"),
    "owners resolved": after(Writer, "_resolve"),
    "before the end is recorded": before(Ledger, "finish"),
    "before the end is committed": after(Ledger, "finish"),
}


def run(job: dict[str, Any]) -> None:
    source = world(job["day"])
    POINTS[job["point"]](Trap(job["nth"]), source)
    batch.MAX_DOCUMENTS = BATCH
    with Warehouse(job["dsn"]) as warehouse:
        for collection in (PROFILE, CONVERSION):
            land_one(warehouse, job["tenant"], source, collection, job["mode"])


if __name__ == "__main__":
    serve(run)
