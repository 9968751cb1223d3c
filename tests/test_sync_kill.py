"""kill -9 at any point of a sync: the memory is never ahead of the data, and the next run loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import Mode
from cdp_assets.sources.model import CONVERSION, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.killing import Kill, worker
from tests.landing_support import (
    MemorySource,
    Table,
    assert_same,
    land_one,
    open_rejects,
    rows_written,
    snapshot,
    watermark,
)
from tests.leo_documents import iso
from tests.sync_kill import BATCH, POINTS, world

pytestmark = pytest.mark.fault

BOTH = (PROFILE, CONVERSION)
TENANT = "acme"
Tables = dict[str, Table]

FIRST_LOAD = [("page 5 of a scan", 1), ("before COPY", 4), ("amid COPY", 4), ("staged", 4), ("merged", 4),
              ("ledger written", 4), ("quarantine written", 4), ("batch committed", 4), ("batch committed", 16),
              ("before the end is recorded", 1)]  # fmt: skip
SWEEP = [("keys staged", 8), ("keys compared", 1), ("page 2 of a fetch", 1), ("amid COPY", 2),
         ("quarantine closed", 1), ("tombstones written", 1), ("tombstones committed", 1),
         ("owners resolved", 1), ("before the end is recorded", 2), ("before the end is committed", 1)]  # fmt: skip
WINDOW = [("page 2 of the window", 1), ("merged", 3), ("watermark moved", 2), ("batch committed", 2)]


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Runs a sync in a process of its own that dies at a point; gives its exit code."""
    with worker("tests.sync_kill") as run:
        yield run


@contextmanager
def copy_of(postgres: Server, template: str, name: str) -> Iterator[str]:
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} template {template} strategy file_copy")
        try:
            yield name
        finally:
            conn.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def loaded(postgres: Server) -> Iterator[tuple[str, dict[int, Tables]]]:
    """A database that has landed day 0, and the tables of fresh loads of both days."""
    fresh: dict[int, Tables] = {}
    with copy_of(postgres, "template_cdp", "kill_loaded") as name:
        with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
            for day in (0, 1):
                land_both(warehouse, f"day-{day}", world(day))
                fresh[day] = tables(warehouse, f"day-{day}")
            land_both(warehouse, TENANT, world(0))
        yield name, fresh


def land_both(warehouse: Warehouse, tenant: str, source: MemorySource, mode: Mode = "sweep") -> int:
    return sum(rows_written(land_one(warehouse, tenant, source, name, mode)) for name in BOTH)


def tables(warehouse: Warehouse, tenant: str) -> Tables:
    with warehouse.tenant(tenant) as conn:
        return {table: snapshot(conn, table) for table in ("customer_profile", "transactional_context")}


def assert_memory_is_not_ahead(warehouse: Warehouse, source: MemorySource, since: dict[str, str]) -> None:
    """What the ledger knows is in the table, and all that lies behind the watermark is in the ledger.

    Args:
        since: collection -> watermark before the run that died; what lies behind it is for the sweep.
    """
    for collection in BOTH:
        contract = CONTRACTS[collection]
        with warehouse.tenant(TENANT) as conn:
            ahead = conn.execute(  # type: ignore[call-overload]
                f"select count(*) from ops.ledger as l full join cdp.{contract.table} as t on t.{contract.key} = l.key "
                "and l.content_hash = t.content_hash and t.deleted_at is null where l.collection = %s "
                "and l.content_hash is not null and t.tenant_id is null",
                (collection,),
            ).fetchone()
            assert ahead == (0,), f"{collection}: the ledger is ahead of the table"
            known = dict(
                conn.execute(
                    "select key, rev from ops.ledger where collection = %s", (collection,)
                ).fetchall()
            )
        stands_at = watermark(warehouse, TENANT, collection).watermark
        if stands_at is not None:
            # of the very instant some may be missing: the window begins at the watermark, not behind it
            missing = [
                key
                for key, document in source.documents[collection].items()
                if since[collection] < document["updatedAt"] < iso(stands_at)
                and known.get(key) != document["_rev"]
            ]
            assert not missing, f"{collection}: the watermark is ahead of the data"


def assert_is_whole(warehouse: Warehouse, source: MemorySource, expected: Tables) -> None:
    assert_same(tables(warehouse, TENANT), expected)
    bad = {(PROFILE, key) for key, document in source.documents[PROFILE].items() if document["status"] == 5}
    assert open_rejects(warehouse, TENANT).keys() == bad
    assert land_both(warehouse, TENANT, source) == 0


@pytest.mark.parametrize(("point", "nth"), FIRST_LOAD)
def test_a_first_load_that_was_killed(
    postgres: Server, loaded: tuple[str, dict[int, Tables]], kill: Kill, point: str, nth: int
) -> None:
    with (
        copy_of(postgres, "template_cdp", "kill_first") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
    ):
        dsn = postgres.dsn(name, user="cdp_pipeline")
        assert kill(dsn=dsn, tenant=TENANT, day=0, mode="sweep", point=point, nth=nth) == -9
        source = world(0)
        assert_memory_is_not_ahead(warehouse, source, dict.fromkeys(BOTH, ""))
        profiles, edges = map(len, tables(warehouse, TENANT).values())
        assert (profiles % (BATCH - 2), edges % BATCH) == (
            0,
            0,
        )  # whole batches, each with two quarantined profiles
        committed = profiles + edges
        assert land_both(warehouse, TENANT, source) >= sum(map(len, loaded[1][0].values())) - committed
        assert_is_whole(warehouse, source, loaded[1][0])


@pytest.mark.parametrize(
    ("mode", "point", "nth"),
    [*(("sweep", *place) for place in SWEEP), *(("window", *place) for place in WINDOW)],
)
def test_a_later_load_that_was_killed(
    postgres: Server, loaded: tuple[str, dict[int, Tables]], kill: Kill, mode: Mode, point: str, nth: int
) -> None:
    with (
        copy_of(postgres, loaded[0], "kill_later") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
    ):
        before = {name: iso(watermark(warehouse, TENANT, name).watermark) for name in BOTH}  # type: ignore[arg-type]
        dsn = postgres.dsn(name, user="cdp_pipeline")
        assert kill(dsn=dsn, tenant=TENANT, day=1, mode=mode, point=point, nth=nth) == -9
        source = world(1)
        assert_memory_is_not_ahead(warehouse, source, before)
        land_both(warehouse, TENANT, source, mode)
        assert_memory_is_not_ahead(warehouse, source, before)
        if mode == "window":
            land_both(warehouse, TENANT, source)
        assert_is_whole(warehouse, source, loaded[1][1])


def test_every_point_is_tried() -> None:
    assert {point for point, _ in (*FIRST_LOAD, *SWEEP, *WINDOW)} == POINTS.keys()
    assert len(world(0).documents[PROFILE]) > BATCH
