"""Faults around a sync: cut lines, lost cursors, a server that goes away, two runs at once, a memory that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event

import psycopg
import pytest

from cdp_assets.landing import sync as sync_module
from cdp_assets.landing.contract import Contract
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync, Mode, SyncResult
from cdp_assets.sources.model import CONVERSION, PROFILE, CursorLost, SourceUnavailable
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.locks import Busy
from tests.conftest import Server
from tests.databases import shared_database
from tests.landing_support import (
    KEYS,
    MemorySource,
    assert_same,
    land,
    land_one,
    open_rejects,
    rows_written,
    snapshot,
    snapshots,
    versions,
    watermark,
)
from tests.leo_documents import at, edge, members_of, profile, some

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[str]:
    """One database for all tests of this module: each has a tenant of its own."""
    with shared_database(postgres, "test_sync_faults") as name:
        yield name


@pytest.fixture(scope="module")
def warehouse(postgres: Server, shared: str) -> Iterator[Warehouse]:
    with Warehouse(postgres.dsn(shared, user="cdp_pipeline")) as opened:
        yield opened


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.nodeid)):x}"


def profiles(warehouse: Warehouse, tenant: str) -> int:
    with warehouse.tenant(tenant) as conn:
        return len(snapshot(conn, "customer_profile"))


def assert_equals_fresh_load(warehouse: Warehouse, tenant: str, source: MemorySource) -> None:
    """In the tables that are read from the source; those derived from them were not asked for in most tests here."""
    source.between = lambda *_: None
    land(warehouse, f"{tenant}-fresh", source)
    derived = KEYS.keys() - {contract.table for contract in CONTRACTS.values()}
    assert_same(snapshots(warehouse, tenant), snapshots(warehouse, f"{tenant}-fresh"), but=derived)


def failing(reading: str, page: int, error: Exception, *, times: int = 99) -> Callable[[str, str, int], None]:
    """For `MemorySource.between`: raise at this page, so many times."""
    left = [times]

    def between(what: str, collection: str, number: int) -> None:
        if (what, number) == (reading, page) and left[0]:
            left[0] -= 1
            raise error

    return between


# -- the source fails ----------------------------------------------------------------------------------------


def test_a_cut_scan_leaves_what_it_committed_and_the_next_run_reads_the_rest(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 2_000)}, page=200)
    source.between = failing("scan", 8, SourceUnavailable("the line is cut"))
    with pytest.raises(SourceUnavailable, match="the line is cut"):
        land_one(warehouse, tenant, source, PROFILE)
    committed = profiles(warehouse, tenant)
    assert committed == 8 * 200  # every page that came is committed
    assert watermark(warehouse, tenant, PROFILE).sweep_at is None

    source.given.clear()
    result = land_one(warehouse, tenant, source, PROFILE, "window")  # not swept yet: it sweeps
    assert (result.mode, result.written.added) == ("sweep", 2_000 - committed)
    assert source.given == {"keys": 2_000, "fetch": 2_000 - committed}
    assert_equals_fresh_load(warehouse, tenant, source)


@pytest.mark.parametrize(("reading", "page"), [("scan", 0), ("scan", 3), ("keys", 0), ("keys", 3)])
def test_a_read_starts_again_when_the_server_has_lost_its_cursor(
    warehouse: Warehouse, tenant: str, reading: str, page: int
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 1_000)}, page=200)
    if reading == "keys":
        land_one(warehouse, tenant, source, PROFILE)
        source.remove(PROFILE, "k00001")
        source.put(PROFILE, *some(PROFILE, 10, prefix="new"))
    source.between = failing(reading, page, CursorLost("404 1600"), times=sync_module.RESTARTS)
    result = land_one(warehouse, tenant, source, PROFILE)
    if reading == "keys":
        assert (result.source_documents, result.written.added, result.written.tombstoned) == (1_009, 10, 1)
    assert not open_rejects(warehouse, tenant)
    assert_equals_fresh_load(warehouse, tenant, source)


def test_a_document_that_changes_while_the_read_starts_again_is_no_duplicate(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 1_000)}, page=200)

    def between(reading: str, collection: str, number: int) -> None:
        if reading == "scan" and number == 4 and not changed.is_set():
            changed.set()
            source.patch(PROFILE, "k00000", firstName="changed")
            raise CursorLost("404 1600")

    changed = Event()
    source.between = between
    land_one(warehouse, tenant, source, PROFILE)
    assert not open_rejects(warehouse, tenant)
    assert_equals_fresh_load(warehouse, tenant, source)


def test_a_source_that_loses_its_cursor_for_ever_ends_the_run(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 1_000)}, page=200)
    source.between = failing("scan", 3, CursorLost("404 1600"))
    with pytest.raises(CursorLost):
        land_one(warehouse, tenant, source, PROFILE)
    assert source.given["scan"] == 3 * 200 * (1 + sync_module.RESTARTS)
    source.between = lambda *_: None
    land_one(warehouse, tenant, source, PROFILE)
    assert_equals_fresh_load(warehouse, tenant, source)


# -- the warehouse fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sweep", "window"])
def test_a_server_that_drops_the_connection_ends_the_run_and_the_next_completes_it(
    postgres: Server,
    warehouse: Warehouse,
    shared: str,
    tenant: str,
    mode: Mode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdp_assets.landing.batch.MAX_DOCUMENTS", 200)  # a batch for each page
    source = MemorySource({PROFILE: some(PROFILE, 100, prefix="old")}, page=200)
    land_one(warehouse, tenant, source, PROFILE)
    source.put(PROFILE, *some(PROFILE, 2_000, updatedAt=at(hours=1)))

    def terminate(reading: str, collection: str, number: int) -> None:
        if reading in {"scan", "since"} and number == 5:
            with psycopg.connect(postgres.dsn(shared, user="postgres"), autocommit=True) as conn:
                ended = conn.execute(
                    "select pg_terminate_backend(l.pid) from pg_locks as l where l.locktype = 'advisory' "
                    "and l.granted and l.database = (select oid from pg_database where datname = current_database())"
                ).fetchall()
            assert ended == [(True,)]

    source.between = terminate
    with pytest.raises(psycopg.OperationalError):
        land_one(warehouse, tenant, source, PROFILE, mode)
    assert 100 < profiles(warehouse, tenant) < 2_100
    source.between = lambda *_: None
    land_one(warehouse, tenant, source, PROFILE, mode)
    assert_equals_fresh_load(warehouse, tenant, source)


# -- runs at once --------------------------------------------------------------------------------------------


def test_of_two_runs_of_one_tenant_one_loads_and_the_other_is_told_so(
    warehouse: Warehouse, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(locks.take.__kwdefaults__, "wait_s", 1)
    source, other = (
        MemorySource({PROFILE: some(PROFILE, 1_000)}, page=200),
        MemorySource({PROFILE: some(PROFILE, 9)}),
    )
    is_in, is_refused = Event(), Event()

    def between(reading: str, collection: str, number: int) -> None:
        if number == 2:
            is_in.set()
            assert is_refused.wait(30)

    source.between = between
    with ThreadPoolExecutor() as pool:
        winner: Future[SyncResult] = pool.submit(land_one, warehouse, tenant, source, PROFILE)
        assert is_in.wait(30)
        with pytest.raises(Busy, match=f"another run is at work on cdp_profile of tenant {tenant}"):
            land_one(warehouse, tenant, other, PROFILE)
        assert not other.given
        assert land_one(warehouse, tenant, source, CONVERSION).written.read == 0  # another collection is free
        is_refused.set()
        assert winner.result(60).written.added == 1_000
    assert_equals_fresh_load(warehouse, tenant, source)


def test_two_tenants_load_at_once_and_do_not_meet(warehouse: Warehouse, tenant: str) -> None:
    sources = {
        f"{tenant}-{name}": MemorySource(
            {
                PROFILE: some(PROFILE, 600, firstName=name, inSegments=members_of(name)),
                CONVERSION: [edge(f"k{n:05}", f"k{n:05}", transactionValue=value) for n in range(600)],
            },
            page=100,
        )
        for name, value in (("one", 1.0), ("two", 2.0))
    }
    barrier = Barrier(2, timeout=30)
    for source in sources.values():
        source.between = lambda reading, collection, number: barrier.wait()  # page by page, side by side
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(land, warehouse, name, source) for name, source in sources.items()]
        for run in runs:
            run.result(120)
    for name, source in sources.items():
        assert_equals_fresh_load(warehouse, name, source)
        found = snapshots(warehouse, name)
        assert {row["first_name"] for row in found["customer_profile"].values()} == {
            name.removeprefix(f"{tenant}-")
        }


# -- the memory fails ----------------------------------------------------------------------------------------


def land_by(
    warehouse: Warehouse, tenant: str, source: MemorySource, version: str, mode: Mode = "window"
) -> SyncResult:
    """Load profiles by the contract as another release had it."""
    contract: Contract = replace(CONTRACTS[PROFILE], version=version)
    with warehouse.session(tenant) as session:
        return CollectionSync(session, source, contract).run(mode)


def test_a_new_contract_lands_every_row_anew_even_in_a_window(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 500)})
    land_by(warehouse, tenant, source, "profile/0")
    result = land_by(warehouse, tenant, source, "profile/2")
    reason = "swept: the contract or the tenant's options changed"
    assert (result.mode, result.note, result.written.changed) == ("sweep", reason, 500)
    assert land_by(warehouse, tenant, source, "profile/2").written.rows == 0
    assert_equals_fresh_load(warehouse, tenant, source)


@pytest.mark.parametrize(
    "releases", [["profile/0"], ["profile/2", "profile/0"]], ids=["first load", "relanding"]
)
def test_no_row_of_another_release_is_left_when_its_load_was_cut(
    warehouse: Warehouse, tenant: str, releases: list[str]
) -> None:
    """A load that another release began and did not end: an upgrade after a first load, a rollback after an upgrade."""
    # times so far apart that no window would land the rows anew by the way
    profiles = [profile(f"k{number:05}", updatedAt=at(hours=number)) for number in range(1_000)]
    source = MemorySource({PROFILE: profiles}, page=100)
    *before, cut = releases
    for version in before:
        land_by(warehouse, tenant, source, version)
    source.between = failing("scan", 9, SourceUnavailable("the line is cut"))
    with pytest.raises(SourceUnavailable):
        land_by(warehouse, tenant, source, cut)
    source.between = lambda *_: None
    land_by(warehouse, tenant, source, "profile/2")
    assert_equals_fresh_load(warehouse, tenant, source)


def test_a_lost_ledger_is_read_anew_and_not_one_row_is_rewritten(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource(
        {
            PROFILE: [
                profile("loser", status=0, rootProfileId="winner"),
                profile("winner"),
                *some(PROFILE, 300),
            ],
            CONVERSION: [edge("e", "loser"), *some(CONVERSION, 300)],
        }
    )
    land(warehouse, tenant, source)
    before = {table: versions(warehouse, tenant, table) for table in KEYS}
    with warehouse.tenant(tenant) as conn:
        conn.execute("delete from ops.ledger")
    results = land(warehouse, tenant, source)
    assert {name: rows_written(result) for name, result in results.items()} == dict.fromkeys(results, 0)
    assert source.given["scan"] == 2 * 603
    assert {table: versions(warehouse, tenant, table) for table in KEYS} == before
    source.given.clear()
    land(warehouse, tenant, source)
    assert source.given == {"keys": 603}
