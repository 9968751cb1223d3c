"""Dataset A: each check passes what is right and finds what is wrong; the picture is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.interactions.checks import CHECKS
from cdp_assets.datasets.interactions.pictures import TITLE, pictures
from cdp_assets.datasets.model import Audit, Frames
from cdp_assets.quality import Measure, Severity
from tests.interactions_support import audit, build, event, frames, line, noon, review, table_of

INPUTS = frames(
    [line(f"p{i % 30}", f"x{i % 7}", noon(i % 40), str(i + 1)) for i in range(120)],
    [event(f"p{i % 30}", f"x{i % 5}", "view", noon(i % 50)) for i in range(100)],
    [review("p1", "x1", 5.0, noon(2))],
)


def measured(looked: Audit) -> Mapping[str, Measure]:
    """What each own check of the dataset finds."""
    return {check.name: check.measure(looked) for check in CHECKS}


def of(inputs: Frames) -> Audit:
    return audit(inputs, build(inputs))


def with_file(looked: Audit, name: str, table: pl.DataFrame) -> Audit:
    built = replace(looked.built, files={**looked.built.files, name: parquet(table)})
    return replace(looked, built=built)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert {name: found.failing for name, found in measured(of(INPUTS)).items()} == {
        check.name: 0 for check in CHECKS
    }


def test_nothing_is_found_in_an_empty_dataset() -> None:
    assert not any(found.failing for found in measured(of(frames())).values())


def test_a_lost_pair_is_found_by_its_counts_and_its_money() -> None:
    looked = of(INPUTS)
    lost = measured(replace(looked, table=looked.table[1:]))
    assert lost["counts_reconciled"].failing >= 1
    assert lost["spend_reconciled"].failing == 1


def test_a_line_counted_twice_is_found() -> None:
    looked = of(INPUTS)
    doubled = looked.table.with_columns(
        pl.when(pl.int_range(pl.len()) == 0)
        .then(2)
        .otherwise(1)
        .mul(pl.col("purchase_count"))
        .alias("purchase_count")
    )
    found = measured(replace(looked, table=doubled))["counts_reconciled"]
    assert [line[0] for line in found.sample] == ["purchase_count"]


def test_a_difference_of_the_last_decimal_is_found() -> None:
    looked = of(INPUTS)
    added = (pl.col("total_spent") + pl.lit(Decimal("0.0001"), pl.Decimal(38, 4))).alias("total_spent")
    table = pl.concat([looked.table[:1].with_columns(added), looked.table[1:]])
    assert measured(replace(looked, table=table))["spend_reconciled"].failing == 1


def test_rows_that_break_the_contract_are_not_taken_for_lost() -> None:
    looked = of(INPUTS)
    refused = looked.table[:1].with_columns(pl.lit("invalid").alias("rule"))
    found = measured(replace(looked, table=looked.table[1:], refused=refused))
    assert not found["counts_reconciled"].failing
    assert not found["spend_reconciled"].failing


@pytest.mark.parametrize("split", ["split", "leave_last_out"])
def test_a_signal_of_test_among_train_is_found(split: str) -> None:
    looked = of(INPUTS)
    parts = table_of(looked.built, "splits.parquet").with_row_index("place")
    stray = parts.filter(pl.col(split) == "test")["place"][-1]
    part = (
        pl.when(pl.col("place") == stray).then(pl.lit("train", parts.schema[split])).otherwise(pl.col(split))
    )
    spoilt = with_file(looked, "splits.parquet", parts.with_columns(part.alias(split)).drop("place"))
    assert measured(spoilt)["split_without_leak"].failing >= 1


def test_sums_of_train_that_hold_more_than_train_are_found() -> None:
    looked = of(INPUTS)
    found = measured(with_file(looked, "train.parquet", looked.table))["split_without_leak"]
    assert found.failing >= 1
    assert "train.parquet purchase_count" in {line[0] for line in found.sample}


def test_many_sale_lines_of_nobody_are_asked_about_and_a_few_are_not() -> None:
    few = frames([line(f"p{i}", "x", noon(1)) for i in range(40)] + [line("unknown", "x", noon(1))])
    many = frames([line(f"p{i}", "x", noon(1)) for i in range(8)] + [line("p", "unknown", noon(1))])
    assert measured(of(few))["sales_linked"].failing == 0
    found = measured(of(many))["sales_linked"]
    assert (found.failing, found.severity) == (1, Severity.WARN)


def test_each_pair_with_more_taken_back_than_bought_is_named() -> None:
    inputs = frames(
        [line("a", "x", noon(5), "-7"), line("a", "y", noon(5), "7"), line("a", "y", noon(4), "-7")]
    )
    found = measured(of(inputs))["spend_not_negative"]
    assert (found.failing, found.severity) == (1, Severity.WARN)
    assert [tuple(line[:2]) for line in found.sample] == [("a", "x")]


def test_only_what_would_mislead_a_model_blocks() -> None:
    assert {check.name for check in CHECKS if check.blocking} == {
        "counts_reconciled", "spend_reconciled", "split_without_leak", "money_in_main_currency",
    }  # fmt: skip


def test_the_long_tail_is_drawn_where_there_is_one() -> None:
    (figure,) = (pictures(of(INPUTS))[TITLE],)
    assert len(figure.axes) == 2
    assert pictures(of(frames())) == {}
