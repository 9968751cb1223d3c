"""What changes in a source, however it hides: late, silent, in the future, gone, returned, in one segment only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync, SyncResult
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PROFILE, SourceUnavailable
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.databases import shared_database
from tests.landing_support import MemorySource, assert_same, land, land_one, snapshot, snapshots, watermark
from tests.leo_documents import BEGIN, at, edge, feedback, iso, members_of, profile, some


@pytest.fixture(scope="module")
def warehouse(postgres: Server) -> Iterator[Warehouse]:
    """One for all tests of this module: each has a tenant of its own."""
    with (
        shared_database(postgres, "test_sync_changes") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.nodeid)):x}"


def live(warehouse: Warehouse, tenant: str, collection: str = PROFILE) -> dict[str, dict[str, Any]]:
    """Live rows of the collection's table by key."""
    with warehouse.tenant(tenant) as conn:
        return {key: row for (key,), row in snapshot(conn, CONTRACTS[collection].table).items()}


# -- time ----------------------------------------------------------------------------------------------------


@pytest.mark.fault
def test_five_thousand_documents_of_one_instant_survive_a_cut_window(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 50, prefix="old")}, page=500)
    land_one(warehouse, tenant, source, PROFILE)
    source.put(PROFILE, *some(PROFILE, 5_000, updatedAt=at(hours=1)))

    def cut(reading: str, collection: str, number: int) -> None:
        if number == 4:
            raise SourceUnavailable("the line is cut")

    source.between = cut
    with pytest.raises(SourceUnavailable):
        land_one(warehouse, tenant, source, PROFILE, "window")
    committed = len(live(warehouse, tenant)) - 50
    assert 0 < committed < 5_000
    assert watermark(warehouse, tenant, PROFILE).watermark == BEGIN + timedelta(hours=1)
    source.between = lambda *_: None
    again = land_one(warehouse, tenant, source, PROFILE, "window")
    assert (again.written.added, again.written.unchanged) == (5_000 - committed, committed)
    assert live(warehouse, tenant).keys() == source.documents[PROFILE].keys()


@pytest.mark.parametrize(
    ("behind", "is_caught"),
    [(timedelta(seconds=1), True), (timedelta(minutes=14), True), (timedelta(hours=2), False)],
)
def test_a_late_document_is_caught_by_the_overlap_or_else_by_the_sweep(
    warehouse: Warehouse, tenant: str, behind: timedelta, is_caught: bool
) -> None:
    source = MemorySource({PROFILE: [profile("first", updatedAt=at(days=1))]})
    land_one(warehouse, tenant, source, PROFILE)
    source.put(PROFILE, profile("late", updatedAt=iso(BEGIN + timedelta(days=1) - behind)))
    land_one(warehouse, tenant, source, PROFILE, "window")
    assert ("late" in live(warehouse, tenant)) is is_caught
    land_one(warehouse, tenant, source, PROFILE)
    assert "late" in live(warehouse, tenant)
    assert watermark(warehouse, tenant, PROFILE).watermark == BEGIN + timedelta(days=1)


def test_one_sweep_finds_every_silent_update_and_reads_nothing_else(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 1_000, inSegments=members_of("a"))})
    land_one(warehouse, tenant, source, PROFILE)
    keys = list(source.documents[PROFILE])
    for key in keys[:100]:
        source.patch(PROFILE, key, status=-4, inSegments=[])
    for key in keys[100:200]:
        source.patch(PROFILE, key, inSegments=members_of("a", "b"))
    assert (
        land_one(warehouse, tenant, source, PROFILE, "window").written.changed == 200
    )  # all stand in the overlap
    for key in keys[200:300]:
        source.patch(PROFILE, key, updatedAt=at(days=3))
    land_one(warehouse, tenant, source, PROFILE, "window")

    for key in keys[300:400]:
        source.patch(PROFILE, key, status=-4, inSegments=[])
    assert land_one(warehouse, tenant, source, PROFILE, "window").written.changed == 0
    source.given.clear()
    assert land_one(warehouse, tenant, source, PROFILE).written.changed == 100
    assert source.given == {"keys": 1_000, "fetch": 100}
    rows = live(warehouse, tenant)
    assert {key for key, row in rows.items() if row["status"] == "removed"} == {*keys[:100], *keys[300:400]}
    assert {key for key, row in rows.items() if row["segment_ids"] == ["a", "b"]} == set(keys[100:200])


def test_a_time_in_the_future_does_not_stop_the_window(warehouse: Warehouse, tenant: str) -> None:
    now = datetime.now(UTC)
    source = MemorySource(
        {PROFILE: [profile("first"), profile("ahead", updatedAt=iso(now + timedelta(days=1)))]}
    )
    for mode in ("sweep", "window"):
        land_one(warehouse, tenant, source, PROFILE, mode)  # type: ignore[arg-type]
        stands_at = watermark(warehouse, tenant, PROFILE).watermark
        assert stands_at is not None
        assert stands_at <= datetime.now(UTC)
    source.put(PROFILE, profile("next", updatedAt=iso(datetime.now(UTC))))
    assert land_one(warehouse, tenant, source, PROFILE, "window").written.added == 1


# -- deletes -------------------------------------------------------------------------------------------------


def tombstones(warehouse: Warehouse, tenant: str, collection: str = PROFILE) -> int:
    with warehouse.tenant(tenant) as conn:
        table = CONTRACTS[collection].table
        row = conn.execute(f"select count(*) from cdp.{table} where deleted_at is not null").fetchone()  # type: ignore[call-overload]
    assert row is not None
    return int(row[0])


@pytest.mark.fault
def test_deletes_are_followed_until_they_look_like_a_broken_source(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 10_000)}, page=5_000)
    land_one(warehouse, tenant, source, PROFILE)
    keys = list(source.documents[PROFILE])

    def sweep(**options: Any) -> SyncResult:
        return land_one(warehouse, tenant, source, PROFILE, **options)

    source.remove(PROFILE, keys[0])
    assert (sweep().written.tombstoned, tombstones(warehouse, tenant)) == (1, 1)
    source.remove(PROFILE, *keys[1:101])
    assert (sweep().written.tombstoned, tombstones(warehouse, tenant)) == (100, 101)

    for gone in (keys[101:3_071], keys[3_071:]):  # 30 %, then all
        source.remove(PROFILE, *gone)
        result = sweep()
        withheld = 9_899 - len(source.documents[PROFILE])
        assert (result.written.rows, result.withheld) == (0, withheld)
        assert watermark(warehouse, tenant, PROFILE).withheld_deletes == withheld
        assert tombstones(warehouse, tenant) == 101
    assert land_one(warehouse, tenant, source, PROFILE, "window").written.tombstoned == 0
    assert (
        watermark(warehouse, tenant, PROFILE).withheld_deletes == 9_899
    )  # a window knows nothing of deletes

    result = sweep(allow_mass_delete=True)
    assert (result.written.tombstoned, result.withheld) == (9_899, 0)
    assert watermark(warehouse, tenant, PROFILE).withheld_deletes == 0
    assert tombstones(warehouse, tenant) == 10_000


@pytest.mark.parametrize("count", [1, 5, 200])
def test_an_empty_source_deletes_nothing_however_small_it_was(
    warehouse: Warehouse, tenant: str, count: int
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, count)})
    land_one(warehouse, tenant, source, PROFILE)
    result = land_one(warehouse, tenant, MemorySource(), PROFILE)
    assert (result.withheld, tombstones(warehouse, tenant)) == (count, 0)
    result = land_one(warehouse, tenant, source, PROFILE)  # it was a mistake: everything is still there
    assert (result.withheld, result.written.rows, source.given["fetch"]) == (0, 0, 0)


def test_a_tombstone_keeps_no_personal_data(warehouse: Warehouse, tenant: str) -> None:
    person = {
        "firstName": "Bình", "lastName": "Nguyễn", "primaryEmail": "binh@example.com", "primaryPhone": "+84901234567",
        "dateOfBirth": "1990-05-01T00:00:00.000Z", "livingProvince": "Thừa Thiên", "livingCity": "Huế",
        "crmRefId": "crm-77", "visitorId": "visitor-88",
    }  # fmt: skip
    lists = {
        "identities": ["zalo:0901"],
        "jobTitles": ["nurse"],
        "dataLabels": ["vip"],
        "productKeywords": ["cup"],
    }
    numbers = {"age": 35, "gender": 0, "primaryNationality": "VN", "livingCountry": "VN"}
    source = MemorySource(
        {
            PROFILE: [profile("one", **person, **lists, **numbers), profile("two")],
            FEEDBACK: [feedback("f1", "one", comment="I am Bình"), feedback("f2", "two")],
        }
    )
    land(warehouse, tenant, source)
    before = live(warehouse, tenant)["one"]
    assert before["birth_date"].isoformat() in person["dateOfBirth"]
    assert set(person.values()) - {person["dateOfBirth"]} <= {
        v for v in before.values() if isinstance(v, str)
    }
    source.remove(PROFILE, "one")
    source.remove(FEEDBACK, "f1")
    land(warehouse, tenant, source)
    with warehouse.tenant(tenant) as conn:
        for collection, key in ((PROFILE, "one"), (FEEDBACK, "f1")):
            contract = CONTRACTS[collection]
            columns = ", ".join(column for column, _ in contract.target.scrub)
            row = conn.execute(  # type: ignore[call-overload]
                f"select {columns}, t::text from cdp.{contract.table} as t "
                f"where {contract.key} = %s and deleted_at is not null",
                (key,),
            ).fetchone()
            assert row is not None
            *scrubbed, text = row
            assert not any(scrubbed)
            said = [*person.values(), *(value for values in lists.values() for value in values), "1990-05-01"]
            assert not [value for value in said if value in text]


def test_a_document_that_returns_is_live_again_with_all_its_content(
    warehouse: Warehouse, tenant: str
) -> None:
    documents = {
        PROFILE: [profile("one", firstName="An"), *some(PROFILE, 3)],
        CONVERSION: [edge("e1", "one"), edge("e2", "k00000")],
        FEEDBACK: [feedback("f1", "one"), feedback("f2", "k00000")],
    }
    source = MemorySource(documents)
    land(warehouse, tenant, source)
    before = snapshots(warehouse, tenant)
    taken = {PROFILE: "one", CONVERSION: "e1", FEEDBACK: "f1"}
    for collection, key in taken.items():
        source.remove(collection, key)
    land(warehouse, tenant, source)
    assert {c: tombstones(warehouse, tenant, c) for c in taken} == dict.fromkeys(taken, 1)
    source = MemorySource(documents)
    land(warehouse, tenant, source)
    assert_same(snapshots(warehouse, tenant), before)
    assert {c: tombstones(warehouse, tenant, c) for c in taken} == dict.fromkeys(taken, 0)


# -- one segment ---------------------------------------------------------------------------------------------


def sync_segment(
    warehouse: Warehouse, tenant: str, source: MemorySource, collection: str, segment: str
) -> SyncResult:
    with warehouse.session(tenant) as session:
        return CollectionSync(session, source, CONTRACTS[collection]).run_segment(segment)


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
@pytest.mark.parametrize("collection", [PROFILE, CONVERSION])
def test_a_blank_segment_processes_nothing_and_says_so(
    warehouse: Warehouse, tenant: str, collection: str, blank: str
) -> None:
    source = MemorySource({PROFILE: some(PROFILE, 2, inSegments=members_of("", " "))})
    result = sync_segment(warehouse, tenant, source, collection, blank)
    assert (result.written.read, result.note) == (0, "segment_id is blank: nothing was processed")
    assert not source.given
    assert not live(warehouse, tenant)


def test_a_segment_sync_follows_members_and_leavers_and_their_transactions_only(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource(
        {
            PROFILE: [
                profile("stays", inSegments=members_of("vip", "other")),
                profile("leaves", inSegments=members_of("vip")),
                profile("dies", inSegments=members_of("vip")),
                profile("vanishes", inSegments=members_of("vip")),
                profile("stranger", inSegments=members_of("other")),
                profile("dormant", inSegments=members_of("vip"), status=-1),
            ],
            CONVERSION: [
                edge(f"e-{key}", key) for key in ("stays", "leaves", "joins", "stranger", "dormant")
            ],
        }
    )
    for collection in (PROFILE, CONVERSION):
        sync_segment(warehouse, tenant, source, collection, "vip")
    assert live(warehouse, tenant).keys() == {"stays", "leaves", "dies", "vanishes"}
    assert live(warehouse, tenant, CONVERSION).keys() == {"e-stays", "e-leaves"}

    source.put(PROFILE, profile("joins", inSegments=members_of("vip")))
    source.patch(PROFILE, "leaves", inSegments=[], updatedAt=at(days=1))
    source.patch(PROFILE, "dies", inSegments=[], status=-4)
    source.remove(PROFILE, "vanishes")
    source.patch(PROFILE, "stranger", firstName="changed")
    for collection in (PROFILE, CONVERSION):
        sync_segment(warehouse, tenant, source, collection, "vip")
    rows = live(warehouse, tenant)
    assert rows.keys() == {"stays", "leaves", "dies", "vanishes", "joins"}  # to bury is for the sweep
    assert (rows["leaves"]["segment_ids"], rows["dies"]["status"]) == ([], "removed")
    assert live(warehouse, tenant, CONVERSION).keys() == {"e-stays", "e-leaves", "e-joins"}
    assert watermark(warehouse, tenant, PROFILE) == replace(
        watermark(warehouse, tenant, PROFILE), watermark=None
    )

    land(warehouse, tenant, source)
    land(warehouse, f"{tenant}-fresh", source)
    assert_same(snapshots(warehouse, tenant), snapshots(warehouse, f"{tenant}-fresh"))
