"""What AQL means, on the test server and on a real one (see `conftest`)."""

from __future__ import annotations

from typing import Any

import pytest
from arango.collection import StandardCollection
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import (
    AQLQueryExecuteError,
)

from tests.arango.cases import ERRORS, EXPRESSIONS, QUERIES
from tests.arango.client import batches, refused, rows_of, stream


class TestAqlContract:
    """What AQL means, on this server and on a real one."""

    def test_expressions_have_the_values_of_the_reference(self, sample: StandardDatabase) -> None:
        # One query each would be a second of round trips; a wrong one is named all the same.
        wrong = []
        for expression, expected in EXPRESSIONS:
            found = rows_of(sample, f"RETURN {expression}\n")
            if found != [expected] or type(found[0]) is not type(expected):
                wrong.append((expression, found, expected))
        assert wrong == []

    @pytest.mark.parametrize(
        ("query", "binds", "expected"), QUERIES, ids=[query[:60] for query, _, _ in QUERIES]
    )
    def test_a_query_gives_the_rows_of_the_reference(
        self, sample: StandardDatabase, query: str, binds: dict[str, Any], expected: list[Any]
    ) -> None:
        assert rows_of(sample, query, bind_vars=binds) == expected
        assert [
            row for batch in batches(stream(sample, query, 1, bind_vars=binds)) for row in batch
        ] == expected

    @pytest.mark.parametrize(
        ("query", "binds", "status", "number"), ERRORS, ids=[case[0][:60] for case in ERRORS]
    )
    def test_a_wrong_query_is_an_error(
        self, sample: StandardDatabase, query: str, binds: dict[str, Any], status: int, number: int
    ) -> None:
        assert refused(sample, query, binds) == (status, number)

    def test_a_syntax_error_names_the_place(self, sample: StandardDatabase) -> None:
        with pytest.raises(AQLQueryExecuteError, match="position 2:10"):
            rows_of(sample, "FOR d IN profiles\n  RETURN = d")

    def test_division_by_zero_is_null_with_a_warning(self, sample: StandardDatabase) -> None:
        cursor = sample.aql.execute("RETURN 1 / 0")
        assert isinstance(cursor, Cursor)
        assert list(cursor) == [None]
        assert [warning["code"] for warning in cursor.warnings() or []] == [1562]
        with pytest.raises(AQLQueryExecuteError) as caught:
            sample.aql.execute("RETURN 1 / 0", fail_on_warning=True)
        assert caught.value.error_code == 1562

    def test_a_query_may_update_merge_and_drop_nulls(
        self, db: StandardDatabase, things: StandardCollection
    ) -> None:
        things.import_bulk(
            [{"_key": f"k{n}", "status": n - 1, "inSegments": [1], "note": 2} for n in range(3)]
        )
        query = (
            "FOR d IN @@c FILTER d.status < 0 UPDATE d WITH { inSegments: [], note: null } IN @@c"
            " OPTIONS { keepNull: false } RETURN NEW._key"
        )
        cursor = db.aql.execute(query, bind_vars={"@c": "things"})
        assert isinstance(cursor, Cursor)
        assert list(cursor) == ["k0"]
        statistics = cursor.statistics()
        assert statistics is not None
        assert statistics["modified"] == 1
        document = things.get("k0")
        assert isinstance(document, dict)
        assert (document["inSegments"], "note" in document) == ([], False)

    def test_insert_replace_remove_and_upsert_return_old_and_new(self, db: StandardDatabase) -> None:
        db.create_collection("c")
        assert rows_of(db, "INSERT {_key: 'k', a: {x: 1}} INTO c RETURN NEW.a") == [{"x": 1}]
        assert rows_of(db, "UPDATE 'k' WITH {a: {y: 2}} IN c RETURN [OLD.a, NEW.a]") == [
            [{"x": 1}, {"x": 1, "y": 2}]
        ]
        merged = "UPDATE {_key: 'k'} WITH {a: {z: 3}} IN c OPTIONS {mergeObjects: false} RETURN NEW.a"
        assert rows_of(db, merged) == [{"z": 3}]
        assert rows_of(db, "REPLACE 'k' WITH {b: 1} IN c RETURN UNSET(NEW, '_id', '_rev')") == [
            {"_key": "k", "b": 1}
        ]
        upsert = "UPSERT {b: 1} INSERT {n: 1} UPDATE {n: OLD.n + 5} IN c RETURN [OLD._key, NEW.n]"
        assert rows_of(db, upsert) == [["k", 5]]
        upsert = "UPSERT {b: 2} INSERT {_key: 'new', b: 2} REPLACE {b: 3} IN c RETURN [OLD.b, NEW.b]"
        assert rows_of(db, upsert) == [[None, 2]]
        assert rows_of(db, upsert) == [[2, 3]]
        assert rows_of(db, "REMOVE 'k' IN c RETURN OLD.b") == [1]
        assert (
            rows_of(
                db, "REMOVE @key IN @@c OPTIONS { ignoreErrors: true }", bind_vars={"key": "k", "@c": "c"}
            )
            == []
        )
        assert rows_of(db, "FOR i IN 1..3 INSERT {_key: CONCAT('i', i)} INTO c LIMIT 1 RETURN NEW._key") == [
            "i1"
        ]
        assert db.collection("c").count() == 4

    def test_a_query_that_fails_has_written_nothing(
        self, db: StandardDatabase, things: StandardCollection
    ) -> None:
        things.insert({"_key": "k3"})
        assert refused(db, "FOR i IN 1..5 INSERT {_key: CONCAT('k', i)} INTO things", {}) == (409, 1210)
        assert things.count() == 1

    def test_every_write_of_a_query_gives_a_new_revision(
        self, db: StandardDatabase, things: StandardCollection
    ) -> None:
        things.insert({"_key": "k", "a": 1})
        assert rows_of(db, "UPDATE 'k' WITH {a: 1} IN things RETURN OLD._rev == NEW._rev") == [False]
