"""The contract that every source keeps: a server, a dump and both kinds of export give the same answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdp_assets.sources.model import CONVERSION, PROFILE, SEGMENT, Source, SourceRejected, Total
from tests.arango import ArangoServer
from tests.arango_support import SECRET
from tests.source_support import ArangoWorld, FolderWorld, keys_of


@pytest.fixture(scope="module")
def server() -> Iterator[ArangoServer]:
    with ArangoServer(username="root", password=SECRET) as server:
        yield server


@pytest.fixture(params=["server", "dump", "jsonl", "json"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoWorld | FolderWorld]:
    made: ArangoWorld | FolderWorld
    if request.param != "server":
        made = FolderWorld(tmp_path, request.param)
    elif url := os.environ.get("CDP_TEST_ARANGO_URL"):
        login = (
            os.environ.get("CDP_TEST_ARANGO_USER", "root"),
            os.environ.get("CDP_TEST_ARANGO_PASSWORD", ""),
        )
        made = ArangoWorld(url, *login)
    else:
        made = ArangoWorld(request.getfixturevalue("server").url, "root", SECRET)
    yield made
    made.close()


@pytest.fixture
def source(world: ArangoWorld | FolderWorld) -> Source:
    return world.source()


def member_of(*segments: Any) -> list[dict[str, Any]]:
    return [{"id": segment, "name": str(segment)} for segment in segments]


class TestContract:
    """What every source does alike; with CDP_TEST_ARANGO_URL set, a real ArangoDB too."""

    def test_a_scan_gives_every_document_whole(self, world: Any, source: Source) -> None:
        written = {
            "p1": {"name": "Trần Thị Ánh 🌸", "nested": {"a": [1, {"b": None}]}, "big": 2**53 - 1},
            "p2": {"amount": 29.33, "small": -0.5, "flag": True, "empty": {}, "text": 'quo"te\\ \n\t'},
            "p3": {"long": "x" * 100_000, "zero": "a\u0000b"},
        }
        world.insert(PROFILE, *({"_key": key, **attributes} for key, attributes in written.items()))
        read = [json.loads(document) for page in source.scan(PROFILE) for document in page]
        assert all(document.pop("_id") == f"{PROFILE}/{document['_key']}" for document in read)
        assert all(document.pop("_rev") for document in read)
        assert {document.pop("_key"): document for document in read} == written

    def test_an_empty_collection_has_no_pages(self, source: Source) -> None:
        assert list(source.scan(PROFILE)) == []
        assert list(source.keys(PROFILE)) == []
        assert source.totals() == []
        assert source.signature(PROFILE).count == 0

    def test_keys_come_with_the_revisions_of_their_documents(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, *({"_key": f"p{n}"} for n in range(7)))
        documents = [json.loads(document) for page in source.scan(PROFILE) for document in page]
        pairs = [pair for page in source.keys(PROFILE) for pair in page]
        assert len(pairs) == 7
        assert dict(pairs) == {document["_key"]: document["_rev"] for document in documents}

    def test_the_signature_moves_with_every_change_and_only_then(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, {"_key": "p1"}, {"_key": "p2"})
        before = source.signature(PROFILE)
        other = source.signature(SEGMENT)
        assert (before.count, other.count) == (2, 0)
        assert source.signature(PROFILE) == before
        world.remove(PROFILE, "p1")
        removed = source.signature(PROFILE)
        assert removed.count == 1
        world.insert(PROFILE, {"_key": "p3"})
        swapped = source.signature(PROFILE)
        assert swapped.count == 2
        assert len({before, removed, swapped}) == 3
        if not isinstance(world, FolderWorld):  # a folder is written whole, so its other files move too
            assert source.signature(SEGMENT) == other

    def test_a_window_is_cut_at_its_start_and_in_order(self, world: Any, source: Source) -> None:
        world.insert(
            PROFILE,
            {"_key": "late", "updatedAt": "2026-01-03T00:00:00.000Z"},
            {"_key": "before", "updatedAt": "2026-01-01T23:59:59.999Z"},
            {"_key": "at", "updatedAt": "2026-01-02T00:00:00.000Z"},
            {"_key": "after", "updatedAt": "2026-01-02T00:00:00.001Z"},
            {"_key": "missing"},
            {"_key": "null", "updatedAt": None},
            {"_key": "number", "updatedAt": 1767312000000},
            {"_key": "object", "updatedAt": {}},
            {"_key": "array", "updatedAt": ["2020"]},
            {"_key": "created", "createdAt": "2026-01-04T00:00:00.000Z"},
        )
        start = datetime(2026, 1, 2, tzinfo=UTC)
        expected = ["at", "after", "late", "array", "object"]
        assert keys_of(source.since(PROFILE, "updatedAt", start)) == expected
        assert keys_of(source.since(PROFILE, "createdAt", start)) == ["created"]

    def test_a_windows_start_is_rounded_down_and_moved_to_utc(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, {"_key": "at", "updatedAt": "2026-01-02T00:00:00.000Z"})
        hanoi = timezone(timedelta(hours=7))
        start = datetime(2026, 1, 2, 7, 0, 0, 999, tzinfo=hanoi)
        assert keys_of(source.since(PROFILE, "updatedAt", start)) == ["at"]
        with pytest.raises(ValueError, match="no time zone"):
            source.since(PROFILE, "updatedAt", datetime(2026, 1, 2))  # noqa: DTZ001

    def test_fetch_gives_what_exists_and_says_nothing_of_the_rest(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, *({"_key": f"p{n}"} for n in range(5)))
        world.remove(PROFILE, "p3")
        wanted = ["p1", "p3", "p4", "p1", "gone", "", "a/b", f"{PROFILE}/p2", "ö", "'; drop"]
        assert sorted(keys_of(source.fetch(PROFILE, wanted))) == ["p1", "p4"]
        assert list(source.fetch(PROFILE, [])) == []

    def test_fetch_takes_more_keys_than_fit_one_query(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, {"_key": "k0"}, {"_key": "k999"}, {"_key": "k1000"}, {"_key": "k2500"})
        found = keys_of(source.fetch(PROFILE, [f"k{n}" for n in range(2501)]))
        assert sorted(found) == ["k0", "k1000", "k2500", "k999"]

    def test_members_are_active_and_carry_the_segment(self, world: Any, source: Source) -> None:
        world.insert(
            PROFILE,
            {"_key": "one", "status": 1, "inSegments": member_of("s1")},
            {"_key": "two", "status": 2.5, "inSegments": member_of("s0", "s1")},
            {"_key": "text", "status": "1", "inSegments": member_of("s1")},
            {"_key": "other", "status": 1, "inSegments": member_of("s10")},
            {"_key": "gone", "status": -4, "inSegments": member_of("s1")},
            {"_key": "zero", "status": 0, "inSegments": member_of("s1")},
            {"_key": "true", "status": True, "inSegments": member_of("s1")},
            {"_key": "null", "status": None, "inSegments": member_of("s1")},
            {"_key": "no-status", "inSegments": member_of("s1")},
            {"_key": "no-segments", "status": 1},
            {"_key": "text-segments", "status": 1, "inSegments": "s1"},
            {"_key": "bare-segments", "status": 1, "inSegments": ["s1", None, {"id": None}, {"name": "s1"}]},
        )
        assert sorted(keys_of(source.segment_members("s1"))) == ["one", "text", "two"]
        assert keys_of(source.segment_members("s2")) == []

    def test_conversions_are_those_that_start_at_the_profiles(self, world: Any, source: Source) -> None:
        for n in range(5):
            edge = {"_from": f"{PROFILE}/p{n % 3}", "_to": "cdp_productitem/i1"}
            world.insert(CONVERSION, {"_key": f"e{n}", **edge})
        assert sorted(keys_of(source.conversions_of(["p0", "p2", "p2", "p9"]))) == ["e0", "e2", "e3"]
        assert list(source.conversions_of([])) == []

    def test_totals_are_per_currency_as_stored(self, world: Any, source: Source) -> None:
        values: list[tuple[str, Any, Any]] = [
            ("u1", "USD", 29.33),
            ("u2", "USD", -0.33),
            ("u3", "USD", None),
            ("v1", "VND", 360000.0),
            ("v2", "VND", 100_000_000.0),
            ("n1", None, 1),
            ("n2", "", 2),
            ("x1", "XXX", 5),
            ("x2", "XXX", "1,234.56"),
            ("7", 7, 1.5),
        ]
        edge = {"_from": f"{PROFILE}/p", "_to": "cdp_productitem/i"}
        for key, currency, value in values:
            world.insert(
                CONVERSION, {"_key": key, **edge, "currencyCode": currency, "transactionValue": value}
            )
        world.insert(CONVERSION, {"_key": "n3", **edge, "transactionValue": 4})
        totals = {total.currency: total for total in source.totals()}
        assert totals.pop("XXX") == Total("XXX", 2, Decimal(5)), (
            "the text counts as a document and adds nothing"
        )
        assert totals == {
            "": Total("", 3, Decimal(7)),
            "7": Total("7", 1, Decimal("1.5")),
            "USD": Total("USD", 3, Decimal(29)),
            "VND": Total("VND", 2, Decimal(100_360_000)),
        }

    @pytest.mark.parametrize("collection", ["cdp_customer", "", "cdp_profile ", "_users"])
    def test_no_collection_beside_the_allow_list_is_read(self, source: Source, collection: str) -> None:
        for read in (
            lambda: source.signature(collection),
            lambda: source.keys(collection),
            lambda: source.scan(collection),
            lambda: source.since(collection, "updatedAt", datetime.now(UTC)),
            lambda: source.fetch(collection, ["k"]),
        ):
            with pytest.raises(SourceRejected, match="is not read: allowed are cdp_"):
                read()

    def test_no_window_by_any_other_field(self, source: Source) -> None:
        with pytest.raises(SourceRejected, match="'password': allowed are createdAt, updatedAt"):
            source.since(PROFILE, "password", datetime.now(UTC))

    def test_a_collection_that_is_not_there_is_named(self, world: Any, source: Source) -> None:
        world.drop(CONVERSION)
        with pytest.raises(SourceRejected, match=CONVERSION):
            source.signature(CONVERSION)
        with pytest.raises(SourceRejected, match=CONVERSION):
            list(source.scan(CONVERSION))
        with pytest.raises(SourceRejected, match=CONVERSION):
            source.totals()

    def test_a_closed_source_reads_again(self, world: Any, source: Source) -> None:
        world.insert(PROFILE, {"_key": "p1"})
        assert keys_of(source.scan(PROFILE)) == ["p1"]
        source.close()
        source.close()
        assert keys_of(source.scan(PROFILE)) == ["p1"]
