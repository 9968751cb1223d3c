"""The ArangoDB test server breaks as it is told, and the real client meets the faults that a real server has."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import requests
from arango.client import ArangoClient
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import (
    AQLQueryExecuteError,
    ArangoServerError,
    CursorEmptyError,
    CursorNextError,
    DocumentGetError,
    DocumentInsertError,
)
from arango.http import DefaultHTTPClient

from tests.arango import ArangoServer, Collection
from tests.arango.client import PASSWORD, batches, connect, stream
from tests.arango_server_support import numbers, ten_things


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


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "number"), [(503, 503), (503, 1478), (500, 4), (401, 11), (429, 429), (503, 1496)]
    )
    def test_any_status_may_be_answered(
        self, server: ArangoServer, leo: StandardDatabase, status: int, number: int
    ) -> None:
        server.faults.status(status, number, path="/_api/cursor", method="POST")
        if number == 503:  # the client goes on to the next host, and has none
            with pytest.raises(ConnectionAbortedError):
                numbers(leo)
        else:
            with pytest.raises(AQLQueryExecuteError) as caught:
                numbers(leo)
            assert (caught.value.http_code, caught.value.error_code) == (status, number)
        assert server.faults.fired == 1
        assert sum(len(batch) for batch in batches(numbers(leo))) == 10

    def test_a_fault_waits_for_its_turn_and_its_path(
        self, server: ArangoServer, leo: StandardDatabase
    ) -> None:
        server.faults.status(500, 4, path="/_api/cursor/", after=1, times=2)
        cursor = numbers(leo, size=3)
        leo.version()
        cursor.fetch()
        for _ in range(2):
            with pytest.raises(CursorNextError):
                cursor.fetch()
        cursor.fetch()
        server.faults.status(500, 4, times=None)
        for _ in range(3):
            with pytest.raises(ArangoServerError):
                leo.aql.execute("RETURN 1")
        server.faults.clear()
        leo.aql.execute("RETURN 1")

    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("processed", [False, True])
    def test_a_cut_connection_loses_no_numbered_batch(
        self, server: ArangoServer, leo: StandardDatabase, processed: bool, reset: bool
    ) -> None:
        server.faults.cut(processed=processed, reset=reset, path="/_api/cursor/", after=1)
        cursor = numbers(leo, size=2)
        read = list(cursor.batch() or ())
        while cursor.has_more():
            (cursor.batch() or []).clear()
            try:
                cursor.fetch()
            except OSError:
                continue
            read += cursor.batch() or ()
        assert read == list(range(10))
        assert server.faults.fired == 1

    def test_a_cut_connection_loses_a_batch_without_numbers(
        self, server: ArangoServer, leo: StandardDatabase
    ) -> None:
        cursor = leo.aql.execute("FOR d IN things SORT d.n RETURN d.n", batch_size=2, stream=True)
        assert isinstance(cursor, Cursor)
        server.faults.cut(processed=True, path="/_api/cursor/")
        with pytest.raises(ConnectionAbortedError):
            cursor.fetch()
        cursor.batch().clear()
        cursor.fetch()
        assert list(cursor.batch() or ()) == [4, 5]  # 2 and 3 are lost: why the product numbers its batches

    def test_a_late_answer_comes_and_a_hung_one_does_not(
        self, server: ArangoServer, leo: StandardDatabase
    ) -> None:
        server.faults.delay(0.2)
        start = time.perf_counter()
        assert leo.version()
        assert time.perf_counter() - start >= 0.2
        impatient = ArangoClient(server.url, http_client=DefaultHTTPClient(request_timeout=0.1)).db(
            "leo", "root", PASSWORD
        )
        for processed in (False, True):
            server.faults.hang(processed=processed, method="POST")
            before = len(server.cursors)
            with pytest.raises(requests.exceptions.ReadTimeout):
                numbers(impatient)
            time.sleep(0.05)
            assert len(server.cursors) - before == processed

    def test_a_truncated_or_foreign_body_is_no_result(
        self, server: ArangoServer, leo: StandardDatabase
    ) -> None:
        server.faults.truncate()
        with pytest.raises(TypeError):
            numbers(leo)
        server.faults.html(502)
        with pytest.raises(AQLQueryExecuteError) as caught:
            numbers(leo)
        assert (caught.value.http_code, caught.value.error_code) == (502, 502)
        server.faults.html(200)
        with pytest.raises(TypeError):
            numbers(leo)
        server.faults.json({"result": [1]}, 201)
        with pytest.raises(KeyError):
            numbers(leo)

    def test_a_body_may_break_off(self, server: ArangoServer, leo: StandardDatabase) -> None:
        server.faults.cut_body()
        response = None
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            response = requests.get(f"{server.url}/_api/version", auth=("root", PASSWORD), timeout=5)
        assert response is None

    def test_a_body_may_drip(self, server: ArangoServer, leo: StandardDatabase) -> None:
        server.faults.drip(0.02, size=16)
        start = time.perf_counter()
        assert leo.version()
        assert time.perf_counter() - start > 0.05

    def test_cursors_may_be_lost(self, server: ArangoServer, leo: StandardDatabase) -> None:
        cursor = numbers(leo)
        server.lose_cursors()
        with pytest.raises(CursorNextError) as caught:
            cursor.fetch()
        assert caught.value.error_code == 1600
        server.faults.lose_cursors(path="/_api/cursor/", after=1)
        cursor = numbers(leo)
        cursor.fetch()
        with pytest.raises(CursorNextError) as caught:
            cursor.fetch()
        assert caught.value.error_code == 1600

    def test_a_last_batch_may_be_empty(self, server: ArangoServer, leo: StandardDatabase) -> None:
        server.faults.empty_last_batch()
        assert [len(batch) for batch in batches(numbers(leo, size=5))] == [5, 5, 0]
        server.faults.empty_last_batch()
        cursor = numbers(leo, size=5)
        with pytest.raises(CursorEmptyError):
            list(cursor)
        assert [len(batch) for batch in batches(numbers(leo, size=5))] == [5, 5]

    def test_dropped_connections_are_made_anew(self, server: ArangoServer, leo: StandardDatabase) -> None:
        assert leo.version()
        server.drop_connections()
        time.sleep(0.05)
        assert leo.version()

    def test_a_missing_document_is_told_from_a_missing_collection(self, leo: StandardDatabase) -> None:
        assert leo.collection("things").get("absent") is None
        with pytest.raises(DocumentGetError) as caught:
            leo.collection("absent").get("k")
        assert caught.value.error_code == 1203

    def test_a_parameter_without_effect_here_is_refused(self, leo: StandardDatabase) -> None:
        with pytest.raises(DocumentInsertError) as caught:
            leo.collection("things").insert({"v": 1}, version_attribute="v")
        assert caught.value.http_code == 501

    def test_a_busy_cursor_says_so(self, server: ArangoServer, leo: StandardDatabase) -> None:
        cursor = stream(leo, "FOR i IN 1..8 LET s = i > 2 ? SLEEP(0.1) : 0 RETURN i", 1)
        results: list[int] = []

        def ask() -> None:
            path = f"{server.url}/_db/leo/_api/cursor/{cursor.id}"
            response = requests.post(path, auth=("root", PASSWORD), timeout=5)
            results.append(response.json().get("errorNum", 0))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [0, 1601]
