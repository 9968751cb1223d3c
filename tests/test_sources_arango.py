"""Reading ArangoDB: the contract that every source keeps, and what becomes of a server's faults."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import pytest
from arango.client import ArangoClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import (
    COLLECTIONS,
    CONVERSION,
    PROFILE,
    SEGMENT,
    CursorLost,
    Source,
    SourceRejected,
    SourceUnavailable,
    Total,
)
from cdp_assets.sources.server import Patience
from tests.arango import ArangoServer, Faults
from tests.arango.faults import Match
from tests.test_sources_dump import CDNOW, ODD, line, write_dump, write_lines

SECRET = "s3cret-word"
AT_ONCE = Patience(attempts=3, first_wait=0.0, longest_wait=0.0)


def keys_of(pages: Iterator[list[bytes]]) -> list[str]:
    return [json.loads(document)["_key"] for page in pages for document in page]


class ArangoWorld:
    """A database of an ArangoDB server, ours or a real one, filled over HTTP."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._login = (username, password)
        self._url = url
        self._name = f"leo_{uuid.uuid4().hex[:12]}"
        self._client = ArangoClient(hosts=url)
        self._system = self._client.db("_system", username, password)
        self._system.create_database(self._name)
        self._db = self._client.db(self._name, username, password)
        for collection in COLLECTIONS:
            self._db.create_collection(collection, edge=collection == CONVERSION)
        self._sources: list[ArangoSource] = []

    def insert(self, collection: str, *documents: dict[str, Any]) -> None:
        for document in documents:
            self._db.collection(collection).insert(document)

    def remove(self, collection: str, key: str) -> None:
        self._db.collection(collection).delete(key)

    def drop(self, collection: str) -> None:
        self._db.delete_collection(collection)

    def source(self) -> ArangoSource:
        source = ArangoSource([self._url], self._name, *self._login, page_size=2, key_page_size=3)
        self._sources.append(source)
        return source

    def close(self) -> None:
        for source in self._sources:
            source.close()
        self._system.delete_database(self._name)
        self._client.close()


class FolderWorld:
    """The same documents in a folder, written anew at each change."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._documents: dict[str, dict[str, bytes]] = {collection: {} for collection in COLLECTIONS}
        self._writes = 0
        self._write()

    def insert(self, collection: str, *documents: dict[str, Any]) -> None:
        for document in documents:
            self._writes += 1
            stored = {**document, "_id": f"{collection}/{document['_key']}", "_rev": f"_rev{self._writes}"}
            self._documents[collection][document["_key"]] = json.dumps(stored).encode()
        self._write()

    def remove(self, collection: str, key: str) -> None:
        del self._documents[collection][key]
        self._write()

    def drop(self, collection: str) -> None:
        del self._documents[collection]
        for file in self._folder.iterdir():
            file.unlink()
        self._write()

    def source(self) -> DumpSource:
        return DumpSource(self._folder)

    def close(self) -> None:
        pass

    def _write(self) -> None:
        if self._kind == "dump":
            write_dump(self._folder, {name: docs.values() for name, docs in self._documents.items()})
        for name, docs in self._documents.items():
            if self._kind == "jsonl":
                write_lines(self._folder / f"{name}.jsonl", docs.values())
            elif self._kind == "json":
                elements = b",".join(b"\n  " + document for document in docs.values())
                (self._folder / f"{name}.json").write_bytes(b"[" + elements + b"\n]")


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


HANG = 0.2
"""Seconds of silence after which a request is given up, where a test makes the server silent."""

KEYS = [f"p{n}" for n in range(7)]


@dataclass
class Leo:
    """A server of its own with seven profiles, read in pages of two."""

    server: ArangoServer
    opened: list[ArangoSource]

    def source(self, hosts: list[str] | None = None, **options: Any) -> ArangoSource:
        login = {"username": "root", "password": SECRET, "database": "leo_cdp"}
        usual = {"page_size": 2, "key_page_size": 2, "patience": AT_ONCE, "request_timeout": 20.0}
        source = ArangoSource(hosts or [self.server.url], **{**login, **usual, **options})
        self.opened.append(source)
        return source

    def sent(self, path: str = "/_api/", method: str | None = None) -> list[str]:
        return [request.route for request in self.server.requests_to(path, method)]


@pytest.fixture
def leo() -> Iterator[Leo]:
    with ArangoServer(username="root", password=SECRET) as server:
        database = server.create_database("leo_cdp")
        for collection in COLLECTIONS:
            database.create_collection(collection, edge=collection == CONVERSION)
        database.collection(PROFILE).insert_many({"_key": key} for key in KEYS)
        leo = Leo(server, [])
        yield leo
        for source in leo.opened:
            source.close()


TRANSIENT: dict[str, Callable[[Faults, Match], None]] = {
    "429": lambda faults, match: faults.status(429, 21004, **match),
    "500": lambda faults, match: faults.status(500, 4, **match),
    "busy": lambda faults, match: faults.status(409, 1601, **match),
    "starting": lambda faults, match: faults.status(503, 38, **match),
    "503/503": lambda faults, match: faults.status(503, 503, **match),
    "not the leader": lambda faults, match: faults.status(503, 1496, **match),
    "proxy": lambda faults, match: faults.html(502, **match),
    "proxy says 200": lambda faults, match: faults.html(200, **match),
    "cut before": lambda faults, match: faults.cut(**match),
    "cut after": lambda faults, match: faults.cut(processed=True, **match),
    "reset after": lambda faults, match: faults.cut(processed=True, reset=True, **match),
    "body cut": lambda faults, match: faults.cut_body(**match),
    "body truncated": lambda faults, match: faults.truncate(**match),
    "hang before": lambda faults, match: faults.hang(**match),
    "hang after": lambda faults, match: faults.hang(processed=True, **match),
}

FINAL: dict[str, tuple[Callable[[Faults, Match], None], str]] = {
    "no right": (lambda faults, match: faults.status(403, 11, "forbidden", **match), "Grant 'root' read"),
    "read only": (lambda faults, match: faults.status(403, 1004, **match), "errorNum 1004"),
    "password": (lambda faults, match: faults.status(401, 11, **match), "Check user name and password"),
    "syntax": (lambda faults, match: faults.status(400, 1501, "near 'x'", **match), "1501, near 'x'"),
    "memory": (lambda faults, match: faults.status(500, 32, **match), "--query.memory-limit"),
    "not there": (lambda faults, match: faults.status(501, 9, **match), "HTTP 501"),
    "redirect": (lambda faults, match: faults.html(301, **match), "The address redirects"),
    "other JSON": (
        lambda faults, match: faults.json({"hello": "world"}, **match),
        "the address of an Arango",
    ),
    "other rows": (lambda faults, match: faults.json(ROWS, **match), "not what was asked for"),
    "old server": (lambda faults, match: faults.json(OLD, **match), r"3\.11 or later is needed"),
}

ROWS = {"result": 5, "hasMore": False}
OLD = {"result": [["p0", "r"]], "hasMore": True, "id": "1"}


def seconds_for(fault: str) -> float:
    return HANG if "hang" in fault else 20.0


def pairs_of(source: ArangoSource) -> list[str]:
    return [key for page in source.keys(PROFILE) for key, _ in page]


class TestTransientFaults:
    @pytest.mark.parametrize("after", [0, 1, 3], ids=["first page", "second page", "last page"])
    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_no_page_is_lost_or_doubled(self, leo: Leo, fault: str, after: int) -> None:
        TRANSIENT[fault](leo.server.faults, {"path": "/_api/cursor", "method": "POST", "after": after})
        source = leo.source(request_timeout=seconds_for(fault))
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS
        assert leo.server.faults.fired == 1

    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_the_signature_is_asked_for_again(self, leo: Leo, fault: str) -> None:
        TRANSIENT[fault](leo.server.faults, {"path": "/_api/collection"})
        source = leo.source(request_timeout=seconds_for(fault))
        assert source.signature(PROFILE).count == 7
        assert leo.server.faults.fired == 1

    @pytest.mark.parametrize("fault", TRANSIENT)
    def test_what_does_not_pass_is_reported_after_as_many_attempts_as_asked_for(
        self, leo: Leo, fault: str
    ) -> None:
        TRANSIENT[fault](leo.server.faults, {"times": None})
        started = time.monotonic()
        with pytest.raises(
            SourceUnavailable, match=f"ArangoDB http.*database 'leo_cdp', collection '{PROFILE}'"
        ):
            leo.source(request_timeout=seconds_for(fault)).signature(PROFILE)
        assert len(leo.server.requests) == AT_ONCE.attempts
        assert time.monotonic() - started < AT_ONCE.attempts * HANG + 2

    def test_a_server_that_hangs_within_its_answer_is_given_up(self, leo: Leo) -> None:
        leo.server.faults.drip(5.0, size=100)
        assert leo.source(request_timeout=HANG).signature(PROFILE).count == 7

    def test_a_closed_port_and_an_unknown_host_are_named(self, leo: Leo) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            host = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(SourceUnavailable, match=f"{host}: connection refused"):
                leo.source([host]).signature(PROFILE)
        with pytest.raises(SourceUnavailable, match=r"http://leo\.invalid:8529: .*name"):
            leo.source(["http://leo.invalid:8529"]).signature(PROFILE)

    def test_connections_that_the_server_closed_meanwhile_are_opened_again(self, leo: Leo) -> None:
        pages = leo.source().scan(PROFILE)
        read = next(pages)
        leo.server.drop_connections()
        assert sorted(keys_of(iter([read, *pages]))) == KEYS

    def test_waits_grow_with_jitter_up_to_their_bound(
        self, leo: Leo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leo.server.faults.status(503, 38, times=None)
        source = leo.source(patience=Patience(attempts=6, first_wait=1.0, longest_wait=5.0))
        waits: list[float] = []
        monkeypatch.setattr(source._server._patiently, "sleep", waits.append)
        with pytest.raises(SourceUnavailable):
            source.signature(PROFILE)
        assert [int(wait) for wait in waits] == [1, 2, 4, 5, 5]
        assert waits[:3] != [1, 2, 4]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_few_faults_leave_the_result_exact(self, leo: Leo, data: st.DataObject) -> None:
        leo.server.faults.clear()
        quick = sorted(TRANSIENT.keys() - {"hang before", "hang after"})
        for _ in range(data.draw(st.integers(1, 4))):
            fault = data.draw(st.sampled_from(quick))
            match: Match = {"after": data.draw(st.integers(0, 6)), "method": "POST"}
            TRANSIENT[fault](leo.server.faults, match)
        source = leo.source(patience=Patience(attempts=10, first_wait=0.0, longest_wait=0.0))
        assert sorted(pairs_of(source)) == KEYS


class TestFinalFaults:
    @pytest.mark.parametrize("fault", FINAL)
    def test_what_will_not_pass_is_asked_once_and_explained(self, leo: Leo, fault: str) -> None:
        switch, remedy = FINAL[fault]
        switch(leo.server.faults, {"path": "/_api/cursor", "method": "POST", "times": None})
        with pytest.raises(SourceRejected, match=remedy) as refusal:
            pairs_of(leo.source())
        assert len(leo.sent(method="POST")) == 1
        for part in (leo.server.url, "'leo_cdp'", f"'{PROFILE}'"):
            assert part in str(refusal.value)

    def test_an_unknown_database_and_collection_are_told_apart(self, leo: Leo) -> None:
        leo.server.database("leo_cdp").drop_collection(SEGMENT)
        with pytest.raises(SourceRejected, match=r"errorNum 1203.* No such collection"):
            leo.source().signature(SEGMENT)
        with pytest.raises(SourceRejected, match=r"errorNum 1228.* No such database"):
            leo.source(database="leo_other").signature(PROFILE)

    @pytest.mark.parametrize(
        ("hosts", "message"),
        [
            ([], "give a list"),
            ("http://a:8529", "give a list"),
            (["a:8529"], "is no address"),
            (["http://a:8529/_db/leo"], "is no address"),
            (["arangodb+ssl://a:8529"], "is no address"),
            (["http://a:8529", "http://root:pass-w0rd@b:8529"], "'http://b:8529': credentials"),
        ],
    )
    def test_hosts_that_cannot_be_right_are_refused_at_once(self, leo: Leo, hosts: Any, message: str) -> None:
        with pytest.raises(SourceRejected, match=message) as refusal:
            ArangoSource(hosts, "leo_cdp", "root", SECRET)
        assert "pass-w0rd" not in str(refusal.value)

    def test_other_arguments_that_cannot_be_right_are_refused_at_once(self, leo: Leo) -> None:
        with pytest.raises(SourceRejected, match="'kerberos' is unknown"):
            leo.source(auth_method="kerberos")
        with pytest.raises(SourceRejected, match=r"no file or folder 'no/ca\.pem'"):
            leo.source(verify="no/ca.pem")


class TestCursors:
    @pytest.mark.parametrize("method", ["scan", "keys"])
    def test_a_lost_cursor_is_reported_as_such(self, leo: Leo, method: str) -> None:
        pages = getattr(leo.source(), method)(PROFILE)
        read = [next(pages), next(pages)]
        leo.server.lose_cursors()
        with pytest.raises(CursorLost, match="read again from the beginning"):
            next(pages)
        assert [len(page) for page in read] == [2, 2]
        assert len(leo.sent("/_api/cursor/", "POST")) == 2

    @pytest.mark.parametrize("number", [21, 1500])
    def test_a_query_that_the_server_ended_is_a_lost_cursor(self, leo: Leo, number: int) -> None:
        leo.server.faults.status(410, number, path="/_api/cursor", after=1)
        with pytest.raises(CursorLost, match="ended the query"):
            list(leo.source().scan(PROFILE))

    def test_an_empty_last_page_is_no_page(self, leo: Leo) -> None:
        leo.server.cursors.empty_last_batches = 2
        assert [len(page) for page in leo.source().scan(PROFILE)] == [2, 2, 2, 1]
        assert [len(page) for page in leo.source(page_size=7).scan(PROFILE)] == [7]

    def test_every_cursor_is_closed_however_its_reading_ends(self, leo: Leo) -> None:
        source = leo.source()
        list(source.scan(PROFILE))
        given_up = source.scan(PROFILE)
        next(given_up)
        assert len(leo.server.cursors) == 1
        given_up.close()  # type: ignore[attr-defined]
        leo.server.faults.status(403, 11, path="/_api/cursor", after=2)
        with pytest.raises(SourceRejected):
            list(source.scan(PROFILE))
        assert len(leo.server.cursors) == 0

    def test_a_cursor_that_cannot_be_closed_spoils_nothing(
        self, leo: Leo, caplog: pytest.LogCaptureFixture
    ) -> None:
        leo.server.faults.status(500, 4, method="DELETE")
        with caplog.at_level(logging.WARNING):
            assert sorted(keys_of(leo.source().scan(PROFILE))) == KEYS
        assert "a cursor stays open for up to 600 s" in caplog.text
        assert len(leo.server.requests_to("/_api/cursor", "DELETE")) == 1

    def test_scans_stream_are_numbered_and_spare_the_servers_cache(self, leo: Leo) -> None:
        source = leo.source()
        list(source.scan(PROFILE))
        list(source.fetch(PROFILE, ["p1"]))
        scan, fetch = (request.body for request in leo.server.requests_to("/_api/cursor") if request.body)
        assert scan["options"] == {"stream": True, "allowRetry": True, "fillBlockCache": False}
        assert fetch["options"] == {"stream": True, "allowRetry": True, "fillBlockCache": True}
        assert (scan["batchSize"], scan["ttl"], "memoryLimit" in scan) == (2, 600, False)
        assert [path.rsplit("/", 1)[1] for path in leo.sent("/_api/cursor/", "POST")] == ["2", "3", "4"]

    def test_nothing_is_sent_before_the_first_read(self, leo: Leo) -> None:
        leo.source(auth_method="jwt").scan(PROFILE)
        assert leo.server.requests == []

    def test_the_revision_is_read_before_the_count(self, leo: Leo) -> None:
        leo.source().signature(PROFILE)
        assert [path.rsplit("/", 1)[1] for path in leo.sent()] == ["revision", "count"]


class TestDocuments:
    def test_a_page_with_odd_documents_comes_through_to_the_byte(self, leo: Leo) -> None:
        leo.server.database("leo_cdp").drop_collection(PROFILE)
        collection = leo.server.database("leo_cdp").create_collection(PROFILE)
        plain = [line(PROFILE, f"p{n}", name="Trần Thị Ánh") for n in range(3)]
        for n, document in enumerate([plain[0], *ODD, *plain[1:]]):
            collection.insert_raw(f"k{n}", document)
        read = list(leo.source(page_size=100).scan(PROFILE))
        assert read == [[plain[0], *ODD, *plain[1:]]]

    def test_the_cdnow_sample_is_complete(self, leo: Leo) -> None:
        leo.server.load_dump(leo.server.create_database("leo_cdnow"), CDNOW)
        source = leo.source(database="leo_cdnow", page_size=2000, key_page_size=20_000)
        assert sum(map(len, source.keys(PROFILE))) == source.signature(PROFILE).count == 2357
        assert sum(map(len, source.scan(CONVERSION))) == 6919
        (total,) = source.totals()
        assert (total.currency, total.documents) == ("USD", 6919)
        assert round(total.amount, 2) == Decimal("244091.94")
        read = [document for page in source.scan(PROFILE) for document in page]
        assert len(read) == 2357


class TestLogin:
    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    def test_a_wrong_password_is_asked_once_and_never_shown(self, leo: Leo, auth_method: str) -> None:
        source = leo.source(password="wrong-pass-w0rd", auth_method=auth_method)
        with pytest.raises(SourceRejected, match="Check user name and password of 'root'") as refusal:
            source.signature(PROFILE)
        assert len(leo.server.requests) == 1
        assert "pass-w0rd" not in f"{refusal.value} {source!r} {source.name}"

    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    def test_a_password_in_vietnamese_works(self, auth_method: str) -> None:
        with ArangoServer(username="đức", password="mật-khẩu") as server:
            server.create_database("leo_cdp").create_collection(PROFILE)
            source = ArangoSource([server.url], "leo_cdp", "đức", "mật-khẩu", auth_method=auth_method)
            assert source.signature(PROFILE).count == 0
            source.close()

    def test_a_token_that_ran_out_in_mid_read_is_renewed(self, leo: Leo) -> None:
        source = leo.source(auth_method="jwt")
        pages = source.scan(PROFILE)
        read = [next(pages)]
        leo.server.revoke_tokens()
        # Run out by this machine's clock as well: the case in which python-arango by itself gives up for good.
        source._server._connected().conn._token_exp = int(time.time()) - 3600  # type: ignore[union-attr]
        assert sorted(keys_of(iter([*read, *pages]))) == KEYS
        assert len(leo.sent("/_open/auth")) == 2

    def test_a_token_that_is_refused_again_after_a_new_login_is_final(self, leo: Leo) -> None:
        leo.server.faults.status(401, 11, path="/_api/collection", times=None)
        with pytest.raises(SourceRejected, match="HTTP 401"):
            leo.source(auth_method="jwt").signature(PROFILE)
        assert len(leo.sent("/_open/auth")) == 2

    def test_a_login_that_fails_in_passing_is_repeated(self, leo: Leo) -> None:
        leo.server.faults.status(503, 38, path="/_open/auth")
        assert leo.source(auth_method="jwt").signature(PROFILE).count == 7

    def test_a_login_where_there_is_none_says_so(self, leo: Leo) -> None:
        leo.server.faults.status(404, 404, path="/_open/auth")
        with pytest.raises(SourceRejected, match="without authentication: use basic"):
            leo.source(auth_method="jwt").signature(PROFILE)

    @pytest.mark.parametrize("skew", [-7200, 7200], ids=["behind", "ahead"])
    def test_a_server_whose_clock_is_wrong_is_explained(self, leo: Leo, skew: int) -> None:
        now = time.time() + skew
        token = jwt.encode({"iss": "arangodb", "iat": now, "exp": int(now) + 3600}, "k" * 32)
        leo.server.faults.json({"jwt": token}, path="/_open/auth", times=None)
        with pytest.raises(SourceRejected, match="Set the clocks of both machines"):
            leo.source(auth_method="jwt").signature(PROFILE)


class TestHosts:
    @pytest.fixture
    def dead(self) -> Iterator[str]:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{unused.getsockname()[1]}"

    @pytest.fixture
    def silent(self) -> Iterator[str]:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"

    @pytest.mark.parametrize("auth_method", ["basic", "jwt"])
    @pytest.mark.parametrize("down", ["dead", "silent"])
    def test_the_next_coordinator_is_asked_in_the_same_attempt(
        self, leo: Leo, down: str, auth_method: str, request: pytest.FixtureRequest
    ) -> None:
        hosts = [request.getfixturevalue(down), leo.server.url]
        source = leo.source(
            hosts, patience=Patience(1, 0.0, 0.0), request_timeout=HANG, auth_method=auth_method
        )
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS

    def test_a_coordinator_that_falls_silent_in_mid_read_is_left(self, leo: Leo) -> None:
        other = leo.server.url.replace("127.0.0.1", "localhost")
        leo.server.faults.hang(processed=True, path="/_api/cursor", after=1)
        source = leo.source([other, leo.server.url], patience=Patience(1, 0.0, 0.0), request_timeout=HANG)
        assert sorted(keys_of(source.scan(PROFILE))) == KEYS
        hosts = [request.headers["host"].split(":")[0] for request in leo.server.requests]
        assert hosts[:3] == ["localhost", "localhost", "127.0.0.1"]

    def test_all_coordinators_down_is_one_attempt_each(self, leo: Leo, dead: str) -> None:
        leo.server.faults.status(503, 503, times=None)
        with pytest.raises(SourceUnavailable, match=f"{dead}, {leo.server.url}, database"):
            leo.source([dead, leo.server.url]).signature(PROFILE)
        assert len(leo.server.requests) == AT_ONCE.attempts

    def test_the_environment_has_no_say(
        self, leo: Leo, dead: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HTTP_PROXY", dead)
        monkeypatch.setenv("NO_PROXY", "")
        assert leo.source(auth_method="jwt").signature(PROFILE).count == 7


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    into = ["-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *into],
        check=True,
        capture_output=True,
    )
    return made


class TestTls:
    @pytest.fixture
    def host(self, leo: Leo, certificate: tuple[Path, Path]) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        listener = leo.server._listener
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        return leo.server.url.replace("http://127.0.0.1", "https://localhost")

    def test_an_unknown_certificate_is_final_and_explained(self, leo: Leo, host: str) -> None:
        with pytest.raises(
            SourceRejected, match=r"certificate that does not verify\. Give the path of the CA"
        ):
            leo.source([host]).signature(PROFILE)
        assert leo.server.requests == []

    def test_the_authoritys_certificate_makes_it_known(
        self, leo: Leo, host: str, certificate: tuple[Path, Path]
    ) -> None:
        assert leo.source([host], verify=str(certificate[0])).signature(PROFILE).count == 7

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_verification_can_be_left_out(
        self, leo: Leo, host: str, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
        assert leo.source([host], verify=False).signature(PROFILE).count == 7
