"""Dataset A: what belongs to train, val and test, and that train knows nothing of what came later."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.interactions.split import train_end
from cdp_assets.datasets.model import Frames
from tests.interactions_support import (
    AS_OF,
    build,
    event,
    frames,
    line,
    noon,
    review,
    splits,
    table_of,
)


def parts_of(inputs: Frames, split: str) -> dict[tuple[str, str], str]:
    """(article, signal) -> part, for inputs in which that names a signal."""
    found = splits(build(inputs)).select("article_id", "signal", split).rows()
    return {(article, signal): part for article, signal, part in found}


def test_the_last_seven_days_are_test_and_the_seven_before_are_val() -> None:
    inputs = frames([line("a", f"{days}", noon(days)) for days in (0, 6, 7, 13, 14, 90)])
    parts = {article: part for (article, _), part in parts_of(inputs, "split").items()}
    assert parts == {"0": "test", "6": "test", "7": "val", "13": "val", "14": "train", "90": "train"}


def test_the_last_basket_of_a_customer_is_left_out_with_what_led_to_it() -> None:
    inputs = frames(
        [
            line("a", "1", noon(90)),
            line("a", "2", noon(50)),
            line("a", "3", noon(20)),
            line("a", "4", noon(20)),
        ],
        [
            event("a", "1", "view", noon(60)),
            event("a", "3", "view", noon(50, 1)),
            event("a", "5", "view", noon(3)),
        ],
    )
    assert parts_of(inputs, "leave_last_out") == {
        ("1", "purchase"): "train", ("1", "view"): "train",
        ("2", "purchase"): "val", ("3", "view"): "val",
        ("3", "purchase"): "test", ("4", "purchase"): "test", ("5", "view"): "test",
    }  # fmt: skip


def test_customers_with_fewer_than_three_baskets_are_all_train() -> None:
    inputs = frames([line("a", "1", noon(3)), line("a", "2", noon(3)), line("a", "3", noon(1))])
    assert set(parts_of(inputs, "leave_last_out").values()) == {"train"}


def test_customers_and_articles_that_train_does_not_know_are_counted() -> None:
    built = build(
        frames([line("old", "x", noon(90)), line("old", "y", noon(10)), line("new", "x", noon(9)),
                line("new", "y", noon(2)), line("newer", "z", noon(1))])
    )  # fmt: skip
    names = ("cold_users_val", "cold_items_val", "cold_users_test", "cold_items_test")
    assert [built.numbers[name] for name in names] == [1, 1, 2, 2]


DAYS = st.integers(0, 40)
SIGNALS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), DAYS, st.integers(-600, 600), st.booleans()),
    max_size=40,
)


def inputs_of(signals: list[tuple[str, str, int, int, bool]]) -> Frames:
    return frames(
        [line(who, what, noon(days, at)) for who, what, days, at, is_line in signals if is_line],
        [event(who, what, "view", noon(days, at)) for who, what, days, at, is_line in signals if not is_line],
    )  # fmt: skip


@settings(max_examples=20)
@given(SIGNALS)
def test_no_part_reaches_into_the_one_after_it(signals: list[tuple[str, str, int, int, bool]]) -> None:
    parts = splits(build(inputs_of(signals)))
    assert parts.height == len(signals)
    for split, groups in (("split", [parts]), ("leave_last_out", parts.partition_by("customer_id"))):
        for group in groups:
            times = {part: group.filter(pl.col(split) == part)["at"] for part in ("train", "val", "test")}
            for earlier, later in (("train", "val"), ("val", "test"), ("train", "test")):
                if times[earlier].len() and times[later].len():
                    assert times[earlier].max() < times[later].min()  # type: ignore[operator]


@settings(max_examples=20)
@given(SIGNALS)
def test_what_happens_in_val_and_test_changes_no_file_of_train(
    signals: list[tuple[str, str, int, int, bool]],
) -> None:
    # everybody and everything is known before, since ids are the only thing that train shares with the rest
    known = [(who, what, 39, 0, True) for who in "abc" for what in "xyz"]
    before = [signal for signal in signals if signal[2] >= 14]
    with_later, without = build(inputs_of(known + signals)), build(inputs_of(known + before))
    for file in ("train.parquet", "matrix_train.npz", "user_item_interactions.train.inter"):
        assert with_later.files[file] == without.files[file]


def test_train_is_summed_up_as_of_its_own_end() -> None:
    built = build(
        frames([line("a", "x", noon(20)), line("a", "x", noon(3))], reviews=[review("a", "x", 1, noon(1))])
    )
    found = table_of(built, "train.parquet").row(0, named=True)
    assert train_end(AS_OF) == AS_OF - timedelta(days=14)
    assert (found["purchase_count"], found["recency_days"], found["rating"]) == (1, 6, None)
    assert table_of(built, "train.parquet").columns == built.table.columns


def test_what_became_of_an_order_moves_nothing_that_is_trained_on() -> None:
    """Cancelled or paid for since: on its day it was an order. The table tells what it is today."""
    lines = [line("a", f"{days}", noon(days), order_status="completed") for days in (1, 9, 20, 40)]
    builts = {}
    for status in ("completed", "cancelled", "pending"):
        changed = [
            row | {"order_status": status, "is_revenue": status == "completed"}
            if row["article_id"] == "20"
            else row
            for row in lines
        ]
        builts[status] = build(frames(changed))
    expected = builts["completed"]
    for status in ("cancelled", "pending"):
        found = builts[status]
        assert found.table.height == expected.table.height - 1
        for file in ("splits.parquet", "train.parquet", "matrix_train.npz", "user_item_interactions.inter"):
            assert found.files[file] == expected.files[file], file


def test_an_order_of_an_unknown_status_is_no_signal() -> None:
    row = line("a", "x", noon(20), order_status="unknown", is_revenue=False)
    assert splits(build(frames([row]))).is_empty()
