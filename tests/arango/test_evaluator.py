"""The AQL evaluator without HTTP: what no real server is asked, and its short cuts against its long ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arango import ApiError
from tests.arango.aql_query import Query
from tests.arango.aql_values import english_order
from tests.arango.cases import EDGES, ONLY_HERE, PROFILES
from tests.arango.revisions import decode_revision, encode_revision
from tests.arango.store import Database, Store
from tests.arango.wire import encode, spell_float


@pytest.fixture(scope="module")
def local() -> Database:
    database = Store().create_database("leo")
    database.create_collection("profiles").insert_many(PROFILES)
    database.create_collection("edges", edge=True).insert_many(EDGES)
    database.create_collection("empty")
    return database


class TestEvaluator:
    @pytest.mark.parametrize(
        ("query", "binds", "status", "number"), ONLY_HERE, ids=[case[0] for case in ONLY_HERE]
    )
    def test_what_it_does_not_know_is_an_error(
        self, local: Database, query: str, binds: dict[str, Any], status: int, number: int
    ) -> None:
        with pytest.raises(ApiError) as caught:
            list(Query(local, query, binds))
        assert (caught.value.status, caught.value.number) == (status, number)

    @pytest.mark.parametrize(
        ("locale", "expected"),
        [
            ("en_US", ["_", "-", "0", "9", "A", "a", "á", "B", "b", "z", "Zebra"]),
            ("en_US_POSIX", ["-", "0", "9", "A", "B", "Zebra", "_", "a", "b", "z", "á"]),
        ],
    )
    def test_strings_sort_by_the_locale_and_equal_by_bytes(
        self, local: Database, locale: str, expected: list[str]
    ) -> None:
        binds = {"words": sorted(expected)}
        assert list(Query(local, "FOR w IN @words SORT w RETURN w", binds, locale=locale)) == expected
        ordered = "RETURN ['a' < 'B', 'a' == 'A', 'A' IN ['a'], MAX(['a', 'B'])]"
        top = ["B"] if locale == "en_US" else ["a"]
        assert list(Query(local, ordered, locale=locale)) == [[locale == "en_US", False, False, *top]]

    def test_english_order_of_keys_is_case_last(self) -> None:
        words = ["aB", "Ab", "ab", "AB", "a1", "A1", "b", "B", "a", "A", "5XrC", "5xRc"]
        as_documented = sorted(
            words, key=lambda word: (word.lower(), [not letter.isupper() for letter in word])
        )
        assert sorted(words, key=english_order) == as_documented

    def test_a_constant_list_is_searched_as_any_other(self, local: Database) -> None:
        values = [None, False, 0, 1, 1.0, "1", "", [], [1], {}, {"a": None}, {"a": 1}]
        fast = "FOR v IN @values RETURN [v IN @values2, v NOT IN @values2]"
        slow = "FOR v IN @values LET w = NOOPT(@values2) RETURN [v IN w, v NOT IN w]"
        for chosen in [values[:1], values[1:5], values[5:8], values[8:], values]:
            binds = {"values": values, "values2": chosen}
            assert list(Query(local, fast, binds)) == list(Query(local, slow, binds))

    def test_a_document_sent_whole_equals_one_put_together(self, local: Database) -> None:
        whole = Query(local, "FOR d IN profiles RETURN d")
        rebuilt = Query(local, "FOR d IN profiles RETURN MERGE(d, {})")
        assert [encode(row) for row in whole] == [encode(row) for row in rebuilt]
        pairs = Query(local, "FOR d IN profiles RETURN [d._key, d._rev] == [MERGE(d)._key, MERGE(d)._rev]")
        assert set(pairs) == {True}

    @pytest.mark.parametrize(
        ("number", "spelled"),
        [
            (360000.0, "360000"),
            (1e8, "1e+8"),
            (1.2e8, "120000000"),
            (2.0**53, "9007199254740992.0"),
            (1e-7, "1e-7"),
            (0.00012, "0.00012"),
            (-1.5e300, "-1.5e+300"),
            (0.1, "0.1"),
            (123456.789, "123456.789"),
        ],
    )
    def test_doubles_are_spelled_shortest(self, number: float, spelled: str) -> None:
        assert spell_float(number) == spelled
        assert float(spelled) == number

    def test_sums_without_a_number_are_null(self, local: Database) -> None:
        query = "FOR v IN @v COLLECT AGGREGATE s = SUM(v), a = AVG(v), n = COUNT(v) RETURN [s, a, n]"
        assert list(Query(local, query, {"v": []})) == [[None, None, 0]]
        assert list(Query(local, query, {"v": [None, None]})) == [[0, None, 2]]
        assert list(Query(local, query, {"v": [1, "2"]})) == [[None, None, 2]]

    def test_revisions_are_the_documented_code(self) -> None:
        assert decode_revision("_l6zhUpO---") == 1872607071073992704
        assert encode_revision(1872607071073992704) == "_l6zhUpO---"
        assert decode_revision("no revision!") is None
