"""How results come in batches, on the test server and on a real one (see `conftest`)."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from arango.collection import StandardCollection
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import (
    AQLQueryExecuteError,
    CursorCloseError,
    CursorNextError,
)
from arango.request import Request as ClientRequest

from tests.arango.client import batches, rows_of, stream


class TestCursorContract:
    """How results come in batches, on this server and on a real one."""

    @pytest.fixture
    def ten(self, things: StandardCollection) -> StandardCollection:
        things.import_bulk([{"_key": f"k{n}", "n": n} for n in range(10)])
        return things

    @pytest.mark.parametrize("size", [1, 3, 5, 9, 10, 11])
    def test_batches_hold_every_row_once(
        self, db: StandardDatabase, ten: StandardCollection, size: int
    ) -> None:
        cursor = stream(db, "FOR d IN things SORT d.n RETURN d.n", size)
        read = list(batches(cursor))
        assert [row for batch in read for row in batch] == list(range(10))
        assert all(len(batch) == size for batch in read[:-1])
        cursor.close(ignore_missing=True)

    def test_the_latest_batch_may_be_asked_for_again(
        self, db: StandardDatabase, ten: StandardCollection
    ) -> None:
        cursor = stream(db, "FOR d IN things SORT d.n RETURN d.n", 4)
        path = f"/_api/cursor/{cursor.id}"

        def ask(number: int) -> Any:
            return db._execute(ClientRequest("post", f"{path}/{number}"), lambda response: response)

        assert ask(2).body["result"] == [4, 5, 6, 7]
        again = ask(2)
        assert (again.body["result"], again.body["nextBatchId"]) == ([4, 5, 6, 7], "3")
        assert (ask(1).status_code, ask(4).status_code) == (404, 404)
        last = ask(3)
        assert (last.body["result"], last.body["hasMore"]) == ([8, 9], False)
        assert "nextBatchId" not in last.body
        assert ask(3).body["result"] == [8, 9]
        assert cursor.close()
        assert (ask(3).status_code, ask(3).error_code) == (404, 1600)

    def test_without_retries_an_old_batch_is_gone(
        self, db: StandardDatabase, ten: StandardCollection
    ) -> None:
        cursor = db.aql.execute("FOR d IN things SORT d.n RETURN d.n", batch_size=4, stream=True)
        assert isinstance(cursor, Cursor)
        assert [row for batch in batches(cursor) for row in batch] == list(range(10))
        with pytest.raises(CursorNextError) as caught:
            cursor.fetch()
        assert (caught.value.http_code, caught.value.error_code) == (404, 1600)
        with pytest.raises(CursorCloseError):
            cursor.close()

    def test_one_batch_needs_no_cursor(self, db: StandardDatabase, ten: StandardCollection) -> None:
        cursor = stream(db, "FOR d IN things RETURN d.n", 100)
        assert (cursor.id, cursor.has_more(), cursor.close()) == (None, False, None)

    def test_a_count_and_the_rows_before_the_limit(
        self, db: StandardDatabase, ten: StandardCollection
    ) -> None:
        cursor = db.aql.execute("FOR d IN things LIMIT 3 RETURN d", count=True, full_count=True, batch_size=2)
        assert isinstance(cursor, Cursor)
        statistics = cursor.statistics()
        assert statistics is not None
        assert (cursor.count(), statistics["fullCount"]) == (3, 10)

    def test_a_cursor_keeps_the_state_it_began_with(
        self, db: StandardDatabase, ten: StandardCollection
    ) -> None:
        cursor = stream(
            db,
            "FOR d IN things SORT d.n LET now = DOCUMENT(@@c, 'k9') RETURN [d.n, now.n]",
            3,
            bind_vars={"@c": "things"},
        )
        ten.insert({"n": 100})
        ten.delete("k5")
        ten.update({"_key": "k9", "n": 900})
        assert [row for batch in batches(cursor) for row in batch] == [[n, 9] for n in range(10)]
        assert len(rows_of(db, "FOR d IN things RETURN d")) == 10

    def test_a_forgotten_cursor_expires(self, db: StandardDatabase, ten: StandardCollection) -> None:
        cursor = stream(db, "FOR d IN things RETURN d.n", 4, ttl=1)
        cursor.fetch()
        time.sleep(1.1)
        if os.environ.get("CDP_TEST_ARANGO_URL"):
            time.sleep(5)  # a real server looks for expired cursors every few seconds
        with pytest.raises(CursorNextError) as caught:
            cursor.fetch()
        assert (caught.value.http_code, caught.value.error_code) == (404, 1600)

    def test_a_query_that_runs_too_long_is_killed(self, db: StandardDatabase) -> None:
        with pytest.raises(AQLQueryExecuteError) as caught:
            db.aql.execute("FOR i IN 1..1000 RETURN SLEEP(0.05)", max_runtime=0.1)
        assert (caught.value.http_code, caught.value.error_code) == (410, 1500)

    def test_a_batch_of_nothing_is_refused(self, db: StandardDatabase) -> None:
        with pytest.raises(AQLQueryExecuteError) as caught:
            db.aql.execute("RETURN 1", batch_size=0)
        assert caught.value.http_code == 400
