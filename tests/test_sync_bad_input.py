"""Bad documents among good ones: each is quarantined with its reason, none blocks, none is lost once it is mended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_assets.landing import batch, codes
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.replay import Replayed, replay
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import (
    CONVERSION,
    FEEDBACK,
    PRODUCT_ITEM,
    PROFILE,
    TRACKING_EVENT,
    SourceUnavailable,
    fingerprint,
)
from cdp_assets.warehouse.connection import Warehouse
from tests.bad_documents import BAD_KEYS, GOOD, MISSING, NULLED, REJECTED, UNREADABLE
from tests.conftest import Server
from tests.databases import shared_database
from tests.landing_support import MemorySource, assert_same, land, land_one, open_rejects, snapshot, snapshots
from tests.leo_documents import MAKE, Document, at, edge, event, profile, some

pytestmark = pytest.mark.fault

OWNED = {CONVERSION, TRACKING_EVENT, FEEDBACK}
COLUMN = {"primaryEmail": "email", "primaryPhone": "phone", "dateOfBirth": "birth_date"}


@pytest.fixture(scope="module")
def warehouse(postgres: Server) -> Iterator[Warehouse]:
    """One for all tests of this module: each has a tenant of its own."""
    with (
        shared_database(postgres, "test_sync_bad_input") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.nodeid)):x}"


def make(collection: str, key: str, **times: str) -> Document:
    given = {name: value for name, value in times.items() if name == "createdAt" or collection != FEEDBACK}
    return MAKE[collection](key, *(["owner"] if collection in OWNED else []), **given)


def resolutions(warehouse: Warehouse, tenant: str) -> Counter[str | None]:
    with warehouse.tenant(tenant) as conn:
        return Counter(row[0] for row in conn.execute("select resolution from ops.quarantine").fetchall())


def live_keys(warehouse: Warehouse, tenant: str, collection: str) -> set[str]:
    with warehouse.tenant(tenant) as conn:
        return {key for (key,) in snapshot(conn, CONTRACTS[collection].table)}


@pytest.mark.parametrize("arrival", ["first load", "window", "sweep"])
def test_every_bad_document_is_quarantined_and_lands_once_it_is_mended(
    warehouse: Warehouse, tenant: str, arrival: str
) -> None:
    """At 1 % in a first load, at 10 % as they arrive later. Mended without a new time, by a sweep alone."""
    source, mended = MemorySource(), MemorySource()
    bad: dict[tuple[str, str], str] = {}
    nulled: dict[tuple[str, str], str] = {}
    late: list[tuple[str, Document]] = []
    for number, kind in enumerate([*REJECTED, *NULLED, *GOOD]):
        key = f"odd{number:03}"
        good = make(kind.collection, key, updatedAt=at(days=1), createdAt=at(days=1))
        document = kind.spoil(good)
        if kind.value == "self":
            document["rootProfileId"] = key
        late.append((kind.collection, document))
        mended.put(kind.collection, good if kind in REJECTED or kind in NULLED else document)
        if kind in REJECTED:
            bad[kind.collection, key] = kind.blamed
        elif kind in NULLED:
            nulled[kind.collection, key] = kind.attribute
    for collection, count in Counter(collection for collection, _ in bad).items():
        plain = some(collection, count * (99 if arrival == "first load" else 9))
        source.put(collection, *plain)
        mended.put(collection, *plain)
    if arrival != "first load":
        land(warehouse, tenant, source)
    for collection, document in late:
        source.put(collection, document)
    # a time that cannot be read stands in no window, and feedback has none; what a window misses is the sweep's
    for mode in ["window", "sweep"] if arrival == "window" else ["sweep"]:
        land(warehouse, tenant, source, mode)  # type: ignore[arg-type]

    rejects = open_rejects(warehouse, tenant)
    assert rejects.keys() == bad.keys() | nulled.keys()
    for place, attribute in {**bad, **nulled}.items():
        entry = rejects[place]
        assert entry.landed is (place in nulled)
        assert entry.document
        assert attribute in f"{entry.fields} {entry.reason}", place
    for collection, found in source.documents.items():
        assert live_keys(warehouse, tenant, collection) == {
            key for key in found if (collection, key) not in bad
        }
    with warehouse.tenant(tenant) as conn:
        rows = snapshot(conn, "customer_profile")
    assert {rows[key,][COLUMN[attribute]] for (_, key), attribute in nulled.items()} == {None}

    source.given.clear()
    land(warehouse, tenant, source)
    assert source.given == {
        "keys": sum(map(len, source.documents.values()))
    }  # what was refused is not read again

    for collection, key in bad.keys() | nulled.keys():
        source.put(collection, {**mended.documents[collection][key], "_rev": None})
    results = land(warehouse, tenant, source)
    assert sum(results[name].written.recovered for name in CONTRACTS) == len(bad) + len(nulled)  # type: ignore[union-attr]
    assert not open_rejects(warehouse, tenant)
    assert resolutions(warehouse, tenant) == {"landed": len(bad) + len(nulled)}
    land(warehouse, f"{tenant}-fresh", mended)
    assert_same(snapshots(warehouse, tenant), snapshots(warehouse, f"{tenant}-fresh"))


def test_a_window_alone_lands_what_was_mended_with_a_new_time(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: [*some(PROFILE, 99), profile("bad", status=5)]})
    land_one(warehouse, tenant, source, PROFILE)
    source.patch(PROFILE, "bad", status=1, updatedAt=at(hours=1))
    assert land_one(warehouse, tenant, source, PROFILE, "window").written.recovered == 1
    assert not open_rejects(warehouse, tenant)


def test_a_document_that_turns_bad_keeps_its_last_good_row(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: [*some(PROFILE, 99), profile("one", firstName="An")]})
    land_one(warehouse, tenant, source, PROFILE)
    with warehouse.tenant(tenant) as conn:
        before = snapshot(conn, "customer_profile")
    source.patch(PROFILE, "one", firstName="Bình", status=5)
    result = land_one(warehouse, tenant, source, PROFILE)
    assert (result.written.rejected, result.written.rows) == (1, 0)
    with warehouse.tenant(tenant) as conn:
        assert snapshot(conn, "customer_profile") == before
    source.remove(PROFILE, "one")
    assert land_one(warehouse, tenant, source, PROFILE).written.tombstoned == 1
    assert resolutions(warehouse, tenant) == {"vanished": 1}


# -- replay --------------------------------------------------------------------------------------------------


def test_replay_lands_what_a_new_mapping_can_read(
    warehouse: Warehouse, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource(
        {
            PROFILE: [
                *some(PROFILE, 198),
                *[profile(key, status=5) for key in ("new1", "new2")],
                profile("odd", age="x"),
            ],
            CONVERSION: [edge("e1", "new1"), edge("gone", "new1", currencyCode="DONG")],
            TRACKING_EVENT: [event("v1", "new1", state=9)],
            PRODUCT_ITEM: [make(PRODUCT_ITEM, "sku") | {"status": 77}],
        }
    )
    land(warehouse, tenant, source)
    assert len(open_rejects(warehouse, tenant)) == 6
    monkeypatch.setitem(codes.PROFILE_STATUS, 5, "invalid")
    monkeypatch.setitem(codes.EVENT_STATE, 9, "archived")
    source.remove(CONVERSION, "gone")
    source.given.clear()

    assert replay(warehouse, tenant, source, collection=PROFILE, key="new1") == Replayed(1, 1, 0, 0)
    assert replay(warehouse, tenant, source, collection=CONVERSION) == Replayed(1, 0, 1, 0)
    assert replay(warehouse, tenant, source) == Replayed(4, 2, 0, 2)
    assert source.given == {"fetch": 5, "keys": 1}
    assert open_rejects(warehouse, tenant).keys() == {(PROFILE, "odd"), (PRODUCT_ITEM, "sku")}
    assert resolutions(warehouse, tenant) == {"landed": 3, "vanished": 1, None: 2}
    land(warehouse, tenant, source)
    land(warehouse, f"{tenant}-fresh", source)
    assert_same(snapshots(warehouse, tenant), snapshots(warehouse, f"{tenant}-fresh"))


@pytest.mark.parametrize("by", ["sweep", "replay"])
def test_quarantined_documents_that_vanish_are_closed_as_vanished(
    warehouse: Warehouse, tenant: str, by: str
) -> None:
    source = MemorySource({PROFILE: [*some(PROFILE, 99), *some(PROFILE, 5, prefix="bad", status=5)]})
    land_one(warehouse, tenant, source, PROFILE)
    source.remove(PROFILE, *[key for key in source.documents[PROFILE] if key.startswith("bad")])
    if by == "sweep":
        assert land_one(warehouse, tenant, source, PROFILE).written.tombstoned == 0
    else:
        assert replay(warehouse, tenant, source) == Replayed(5, 0, 5, 0)
    assert resolutions(warehouse, tenant) == {"vanished": 5}
    assert (
        land_one(warehouse, tenant, source, PROFILE).written
        == land_one(warehouse, tenant, source, PROFILE).written
    )


# -- what only a file holds ----------------------------------------------------------------------------------


def exported(folder: Path, documents: Iterable[Document | bytes]) -> DumpSource:
    """An arangoexport folder with these profiles."""
    lines = [d if isinstance(d, bytes) else json.dumps(d, ensure_ascii=False).encode() for d in documents]
    (folder / f"{PROFILE}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return DumpSource(folder)


def numbered(documents: Iterable[Document], rev: str = "r") -> list[Document]:
    return [{**document, "_rev": f"_{rev}{number}"} for number, document in enumerate(documents)]


def test_bytes_that_are_no_document_are_quarantined_and_close_when_the_file_is_mended(
    warehouse: Warehouse, tenant: str, tmp_path: Path
) -> None:
    unreadable = [raw.replace(b"%s", b"odd%03d" % number) for number, raw in enumerate(UNREADABLE.values())]
    keyless = numbered([profile("k") | {"_key": key} for key in BAD_KEYS], "x")
    keyless = [{name: value for name, value in d.items() if value is not MISSING} for d in keyless]
    keys = [profile("Case"), profile("case"), profile("x" * 254, primaryEmail="x@example.com")]
    good = numbered([*keys, *some(PROFILE, 99 * (len(unreadable) + len(keyless)))])
    mixed: list[Document | bytes] = [*good]
    for number, odd in enumerate([*unreadable, *keyless]):
        mixed.insert(number * 100, odd)
    source = exported(tmp_path, mixed)

    for _ in range(2):  # the second sweep finds nothing new, and closes nothing
        land_one(warehouse, tenant, source, PROFILE)
        rejects = open_rejects(warehouse, tenant)
        assert len(rejects) == len(unreadable) + len(keyless)
        assert not [entry for entry in rejects.values() if entry.landed or not entry.reason]
        assert live_keys(warehouse, tenant, PROFILE) == {document["_key"] for document in good}
    assert replay(warehouse, tenant, source).remaining == len(rejects)

    whole = numbered([profile(f"odd{number:03}") for number in range(len(unreadable) + len(keyless))], "m")
    source = exported(tmp_path, [*good, *whole])
    land_one(warehouse, tenant, source, PROFILE)
    assert not open_rejects(warehouse, tenant)
    assert live_keys(warehouse, tenant, PROFILE) == {document["_key"] for document in [*good, *whole]}


@pytest.mark.parametrize("per_batch", [2_000, 7])
@pytest.mark.parametrize("arrival", ["first load", "cut first load", "later"])
def test_of_two_documents_with_one_key_the_first_is_kept_and_the_second_waits(
    warehouse: Warehouse,
    tenant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    per_batch: int,
    arrival: str,
) -> None:
    monkeypatch.setattr(batch, "MAX_DOCUMENTS", per_batch)
    good = numbered(some(PROFILE, 40))
    again = numbered([document | {"firstName": "second"} for document in good[::10]], "s")
    mixed = [*good, good[3], *again]
    source = exported(tmp_path, good if arrival == "later" else mixed)
    if arrival == "cut first load":
        with pytest.raises(SourceUnavailable):
            land_one(warehouse, tenant, Cut(tmp_path), PROFILE)
    else:
        land_one(warehouse, tenant, source, PROFILE)
    source = exported(tmp_path, mixed)
    waiting = {(PROFILE, fingerprint(json.dumps(document).encode())) for document in again}
    for expected in ("found", "still there"):
        land_one(warehouse, tenant, source, PROFILE)
        assert open_rejects(warehouse, tenant).keys() == waiting, expected
        with warehouse.tenant(tenant) as conn:
            rows = snapshot(conn, "customer_profile")
        assert {row["first_name"] for row in rows.values()} == {None}
        assert len(rows) == 40
    assert replay(warehouse, tenant, source) == Replayed(4, 0, 0, 4)
    assert land_one(warehouse, tenant, source, PROFILE).written.read == 0

    source = exported(tmp_path, [*good[1:], *again])  # one of the second is the first now
    land_one(warehouse, tenant, source, PROFILE)
    assert len(open_rejects(warehouse, tenant)) == 3
    source = exported(tmp_path, [*good[1:], again[0]])
    land_one(warehouse, tenant, source, PROFILE)
    assert not open_rejects(warehouse, tenant)
    with warehouse.tenant(tenant) as conn:
        rows = snapshot(conn, "customer_profile")
    assert {key: row["first_name"] for (key,), row in rows.items() if row["first_name"]} == {
        "k00000": "second"
    }


class Cut(DumpSource):
    """A file that goes away before the end of a scan."""

    def scan(self, collection: str) -> Iterator[list[Any]]:
        for page in super().scan(collection):
            yield page[:21]
            raise SourceUnavailable("the folder is being replaced")
