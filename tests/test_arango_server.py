"""The ArangoDB test server itself: changing it in process, watching it, logging in. Driven by python-arango.

Breaking it is tested in `test_arango_server_faults`. What it has in common with a real ArangoDB is tested in
`tests/arango`, and there against a real one too.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from arango.database import StandardDatabase

from tests.arango import ApiError, ArangoServer, Collection, Request, load_dump
from tests.arango.aql_query import Query
from tests.arango.client import PASSWORD, batches, connect, rows_of, stream
from tests.arango.wire import encode
from tests.arango_server_support import numbers, ten_things
from tests.conftest import CDNOW


@pytest.fixture
def server() -> Iterator[ArangoServer]:
    with ArangoServer(username="root", password=PASSWORD) as server:
        yield server


@pytest.fixture
def ours(server: ArangoServer) -> Collection:
    return ten_things(server)


@pytest.fixture
def leo(server: ArangoServer, ours: Collection) -> StandardDatabase:
    return connect(server.url, "leo")


class TestInProcess:
    def test_documents_are_changed_without_http(self, ours: Collection, leo: StandardDatabase) -> None:
        first = ours.get("k1")
        written = ours.rewrite("k1")
        assert written.rev != first["_rev"]
        assert ours.get("k1") == {**first, "_rev": written.rev}
        assert ours.update("k2", {"a": {"b": 1}}, keep_rev=True).rev == ours.get("k2")["_rev"]
        before = ours.revision
        kept = ours.update("k2", {"a": {"c": 2}}, keep_rev=True)
        assert kept.old is not None
        assert (kept.old.rev, kept.old.raw) != (None, kept.document.raw)
        assert kept.rev == kept.old.rev
        assert ours.revision != before
        assert ours.get("k2")["a"] == {"b": 1, "c": 2}
        ours.remove("k3")
        ours.replace("k4", {"only": 1})
        assert (ours.count, len(ours.keys())) == (9, 9)
        with pytest.raises(ApiError, match="document not found"):
            ours.remove("k3")
        found = leo.collection("things").get("k4")
        assert isinstance(found, dict)
        assert found.keys() == {"_key", "_id", "_rev", "only"}

    def test_what_comes_in_and_goes_out_is_a_copy(self, ours: Collection) -> None:
        given = {"_key": "mine", "list": [1]}
        ours.insert(given)
        given["list"].append(2)
        ours.get("mine")["list"].append(3)
        assert ours.get("mine")["list"] == [1]

    @pytest.mark.parametrize(
        "value",
        [
            rb'"a\u0000b"',
            rb'"\ud800"',
            b"1e400",
            b"0.123456789012345678901234567890",
            b'"\xff\xfe"',
            b"[" * 5000 + b"]" * 5000,
            b"123456789012345678901234567890",
        ],
        ids=["nul", "surrogate", "infinite", "decimals", "utf8", "deep", "integer"],
    )
    def test_planted_bytes_are_sent_as_they_are(
        self, server: ArangoServer, ours: Collection, value: bytes
    ) -> None:
        raw = b'{"_key":"odd","_rev":"_r","n":50, "value":' + value + b"}"
        ours.insert_raw("odd", raw, rev="_r")
        for query in (
            "FOR d IN things RETURN d",
            "RETURN DOCUMENT('things/odd')",
            "FOR d IN things FILTER d._key == 'odd' AND d._rev == '_r' RETURN d",
            "FOR d IN things COLLECT WITH COUNT INTO n RETURN {n, d: DOCUMENT('things/odd')}",
        ):
            response = requests.post(
                f"{server.url}/_db/leo/_api/cursor",
                json={"query": query, "options": {"stream": True}},
                auth=("root", PASSWORD),
                timeout=5,
            )
            assert response.status_code == 201
            assert raw in response.content
        if value.startswith(b"["):
            return  # nested too deep to look inside
        assert encode(next(iter(Query(server.database("leo"), "RETURN DOCUMENT('things/odd').n")))) == b"50"

    def test_planted_bytes_that_are_no_json_have_key_and_revision(
        self, ours: Collection, server: ArangoServer
    ) -> None:
        ours.insert_raw("odd", b"{not json", rev="_mine")
        query = "FOR d IN things FILTER d.n == null RETURN [d._key, d._rev, d._id, d.x]"
        assert list(Query(server.database("leo"), query)) == [["odd", "_mine", "things/odd", None]]
        with pytest.raises(ValueError, match="planted bytes"):
            ours.rewrite("odd")
        ours.replace("odd", {"n": 1})
        assert ours.get("odd")["n"] == 1

    def test_a_dump_is_loaded_with_its_revisions(self, server: ArangoServer) -> None:
        counts = load_dump(server.create_database("cdnow"), CDNOW)
        assert counts == {
            "cdp_feedbackdata": 0,
            "cdp_productitem": 1,
            "cdp_profile": 2357,
            "cdp_profile2conversion": 6919,
            "cdp_segment": 3,
            "cdp_trackingevent": 0,
        }
        database = connect(server.url, "cdnow")
        totals = rows_of(
            database,
            "FOR e IN cdp_profile2conversion COLLECT currency = e.currencyCode"
            " AGGREGATE documents = COUNT(1), amount = SUM(e.transactionValue) RETURN { currency, documents, amount }",
        )
        assert [(total["currency"], total["documents"], round(total["amount"], 2)) for total in totals] == [
            ("USD", 6919, 244091.94)
        ]
        profile = rows_of(database, "FOR p IN cdp_profile FILTER p.crmRefId == 'CDNOW-0001' RETURN p")[0]
        assert profile["_rev"] == "_78IYk2Z---"

    def test_a_folder_that_is_no_dump_is_refused(self, server: ArangoServer, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no dump\.json"):
            server.load_dump(server.create_database("x"), tmp_path)
        (tmp_path / "dump.json").write_text("{}")
        (tmp_path / "c.structure.json").write_text(json.dumps({"parameters": {"name": "c", "type": 2}}))
        (tmp_path / "c.data.json").write_text('{"_key":"k","_rev":"_a"}\n{"broken\n')
        with pytest.raises(ValueError, match=r"c\.data\.json, line 2"):
            server.load_dump(server.create_database("y"), tmp_path)

    def test_an_envelope_is_opened(self, server: ArangoServer, tmp_path: Path) -> None:
        (tmp_path / "dump.json").write_text("{}")
        (tmp_path / "c.structure.json").write_text(json.dumps({"parameters": {"name": "c", "type": 2}}))
        (tmp_path / "c.data.json").write_text('{"type":2300,"data":{"_key":"k","_rev":"_a","n":1.0}}\n')
        database = server.create_database("x")
        assert server.load_dump(database, tmp_path) == {"c": 1}
        assert database.collection("c").get("k") == {"_key": "k", "_id": "c/k", "_rev": "_a", "n": 1}

    def test_ten_thousand_documents_stream_in_no_time(self, ours: Collection, leo: StandardDatabase) -> None:
        ours.insert_many({"_key": f"m{n}", "n": n, "text": "x" * 500} for n in range(10_000))
        start = time.perf_counter()
        count = sum(len(batch) for batch in batches(stream(leo, "FOR d IN things RETURN d", 1000)))
        pairs = sum(
            len(batch) for batch in batches(stream(leo, "FOR d IN things RETURN [d._key, d._rev]", 5000))
        )
        assert (count, pairs) == (10_010, 10_010)
        assert time.perf_counter() - start < 5  # a quarter of a second on a quiet machine

    def test_the_log_tells_what_was_asked(self, server: ArangoServer, leo: StandardDatabase) -> None:
        rows_of(leo, "RETURN @x", bind_vars={"x": 1})
        asked = server.requests_to("/_api/cursor", "POST")[-1]
        assert (asked.method, asked.path, asked.database) == ("POST", "/_db/leo/_api/cursor", "leo")
        assert (asked.body["query"], asked.body["bindVars"], asked.status) == ("RETURN @x", {"x": 1}, 201)

    def test_a_hook_changes_the_data_between_two_pages(
        self, server: ArangoServer, ours: Collection, leo: StandardDatabase
    ) -> None:
        def insert_between(request: Request) -> None:
            if request.route.endswith("/2"):
                ours.insert({"n": 100})

        server.on_request(insert_between)
        assert sum(len(batch) for batch in batches(numbers(leo))) == 10
        server.clear_hooks()
        assert sum(len(batch) for batch in batches(numbers(leo))) == 11

    def test_a_defect_in_a_hook_comes_out_at_the_end(self) -> None:
        def broken(request: Request) -> None:
            raise LookupError("hook")

        def use() -> None:
            with ArangoServer(password=PASSWORD) as server:
                server.on_request(broken)
                assert connect(server.url, "_system").version()

        with pytest.raises(LookupError, match="hook"):
            use()

    def test_a_closed_server_frees_its_port_and_threads(self) -> None:
        before = set(threading.enumerate())
        with ArangoServer(password=PASSWORD) as server:
            connect(server.url, "_system").version()
            server.faults.hang()
            port = int(server.url.rpartition(":")[2])
            hanging = socket.create_connection(("127.0.0.1", port), timeout=5)
            hanging.sendall(b"GET /_api/version HTTP/1.1\r\n\r\n")
            while server.faults.fired == 0:
                time.sleep(0.01)
        with hanging:
            assert hanging.recv(100) == b""
        server.close()
        assert set(threading.enumerate()) <= before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


class TestLogin:
    def test_a_token_that_has_run_out_is_refused(self, server: ArangoServer, leo: StandardDatabase) -> None:
        server.token_seconds = -10
        login = {"username": "root", "password": PASSWORD}
        token = requests.post(f"{server.url}/_open/auth", json=login, timeout=5).json()["jwt"]
        response = requests.get(
            f"{server.url}/_api/version", headers={"authorization": f"bearer {token}"}, timeout=5
        )
        assert (response.status_code, response.json()["errorNum"]) == (401, 11)
        assert "www-authenticate" in response.headers

    def test_the_client_logs_in_again_when_tokens_are_revoked(
        self, server: ArangoServer, ours: Collection
    ) -> None:
        database = connect(server.url, "leo", auth_method="jwt")
        assert database.collection("things").count() == 10
        server.revoke_tokens()
        assert database.collection("things").count() == 10
        assert len(server.requests_to("/_open/auth")) == 2

    def test_nothing_is_told_without_a_login(self, server: ArangoServer, ours: Collection) -> None:
        for path in ("/_api/version", "/_db/leo/_api/document/things/k1", "/_db/absent/_api/collection"):
            assert requests.get(server.url + path, timeout=5).status_code == 401
        assert requests.post(f"{server.url}/_open/auth", data="no json", timeout=5).status_code == 400
