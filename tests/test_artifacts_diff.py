"""What changed between two versions of a dataset."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.artifacts.diff import SAMPLE_LENGTH, SAMPLE_ROWS, diff

BEFORE = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "n": [1, 2, 3, None],
        "share": [0.5, float("nan"), None, 1.0],
        "tags": [["x"], ["x", "y"], [], None],
    }
)


def test_a_table_is_the_same_as_itself_in_any_order() -> None:
    found = diff(BEFORE, BEFORE.reverse(), ["id"])
    assert found.is_empty
    assert (found.same, found.changes, found.sample) == (4, {}, ())


def test_rows_are_told_apart_by_their_key() -> None:
    after = pl.concat([BEFORE.filter(pl.col("id") != "b"), BEFORE[:1].with_columns(id=pl.lit("e"))])
    found = diff(BEFORE, after, ["id"])
    assert (found.added, found.removed, found.changed, found.same) == (1, 1, 0, 3)


def test_columns_that_changed_are_counted_most_first_with_a_sample() -> None:
    after = BEFORE.with_columns(
        n=pl.Series([1, 5, 6, 7]), share=pl.Series([0.5, float("nan"), 0.0, 1.0]),
        tags=pl.Series([["x"], ["x", "y"], [], []]),
    )  # fmt: skip
    found = diff(BEFORE, after, ["id"])
    assert list(found.changes.items()) == [("n", 3), ("share", 1), ("tags", 1)]
    assert (found.changed, found.same) == (3, 1)
    assert found.sample == (
        ("b", "n", "2", "5"), ("c", "n", "3", "6"), ("c", "share", "null", "0.0"), ("d", "n", "null", "7"),
        ("d", "tags", "null", "[]"),
    )  # fmt: skip


def test_columns_that_came_went_or_have_another_type_are_named() -> None:
    after = BEFORE.drop("tags").with_columns(new=pl.lit(1), n=pl.col("n").cast(pl.Float64))
    found = diff(BEFORE, after, ["id"])
    assert (found.columns_added, found.columns_removed) == (("new",), ("tags",))
    assert found.columns_retyped == (("n", "Int64", "Float64"),)
    assert found.changed == 0
    assert not found.is_empty


def test_keys_of_several_columns_and_null_keys_are_keys() -> None:
    table = pl.DataFrame({"id": ["a", "a", None], "day": [1, 2, 3], "n": [1, 2, 3]})
    found = diff(table, table.with_columns(n=pl.Series([1, 9, 8])), ["id", "day"])
    assert (found.added, found.removed, found.changed) == (0, 0, 2)
    assert {key for key, *_ in found.sample} == {"a/2", "None/3"}


def test_the_sample_is_short() -> None:
    many = pl.DataFrame({"id": range(100), "text": ["x" * 200] * 100})
    found = diff(many, many.with_columns(text=pl.lit("y" * 200)), ["id"])
    assert found.changes == {"text": 100}
    assert len(found.sample) == SAMPLE_ROWS
    assert all(len(value) <= SAMPLE_LENGTH for _, _, *values in found.sample for value in values)


def test_tables_of_nothing_but_keys_or_without_rows_compare() -> None:
    assert diff(BEFORE.select("id"), BEFORE.select("id"), ["id"]).is_empty
    assert diff(BEFORE.clear(), BEFORE, ["id"]).added == 4


def test_a_table_without_the_key_is_refused() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        diff(BEFORE, BEFORE.drop("id"), ["id"])


TABLE = st.dictionaries(
    st.integers(0, 9), st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from(["p", "q"])), max_size=8
)


def frame(rows: dict[int, tuple[Any, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, *values) for key, values in rows.items()], schema={"id": pl.Int64, "n": pl.Int64, "s": pl.String},
        orient="row",
    )  # fmt: skip


@settings(max_examples=80)
@given(TABLE, TABLE)
def test_counts_are_those_of_dictionaries(
    before: dict[int, tuple[Any, str]], after: dict[int, tuple[Any, str]]
) -> None:
    found = diff(frame(before), frame(after), ["id"])
    both = before.keys() & after.keys()
    assert found.added == len(after.keys() - before.keys())
    assert found.removed == len(before.keys() - after.keys())
    assert found.changed == sum(before[key] != after[key] for key in both)
    assert found.same == sum(before[key] == after[key] for key in both)
    assert found.changes.get("n", 0) == sum(before[key][0] != after[key][0] for key in both)
