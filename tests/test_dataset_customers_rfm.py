"""RFM of dataset C: golden scores, ties, directions, segments, and what must not move a score."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.customers.build import build
from cdp_assets.datasets.customers.contract import CustomerFeatures
from cdp_assets.datasets.customers.rfm import PROSPECT, SEGMENTS, score, segment, thresholds, with_rfm
from tests.customers_support import SCOPE, ago, features_of, frames, line, person

CELLS = list(product(range(1, 6), repeat=3))


def scores(values: list[Any], *, smallest_is_best: bool = False) -> list[int | None]:
    column = pl.DataFrame({"value": values})
    return column.select(score(pl.col("value"), smallest_is_best=smallest_is_best)).to_series().to_list()


def segments(cells: list[tuple[int, int, int]]) -> list[str]:
    frame = pl.DataFrame(cells, schema=["r", "f", "m"], orient="row")
    return frame.select(segment(pl.col("r"), pl.col("f"), pl.col("m"))).to_series().to_list()


def expected_segment(r: int, f: int, m: int) -> str:
    """The list of the definition, in its words."""
    fm = (f + m) / 2
    rules = [
        ("cant_lose", r == 1 and fm >= 4), ("champions", r >= 4 and fm >= 4), ("loyal", r == 3 and fm >= 4),
        ("at_risk", r <= 2 and fm >= 3), ("new", r == 5 and (f == 1 or fm < 2)),
        ("promising", r == 4 and (f == 1 or fm < 2)), ("potential_loyalist", r >= 4),
        ("needs_attention", r == 3 and fm >= 2), ("about_to_sleep", r == 3), ("hibernating", r == 2),
        ("lost", r == 1),
    ]  # fmt: skip
    return next(name for name, holds in rules if holds)


# -- scores ------------------------------------------------------------------------------------------------------------


def test_five_distinct_values_get_one_to_five() -> None:
    assert scores([10, 30, 20, 50, 40]) == [1, 3, 2, 5, 4]
    assert scores([10, 30, 20, 50, 40], smallest_is_best=True) == [5, 3, 4, 1, 2]


def test_ten_equal_values_get_three_where_ntile_gives_all_five() -> None:
    assert scores([7] * 10) == [3] * 10


def test_one_customer_alone_gets_three() -> None:
    assert scores([123]) == [3]


def test_missing_values_get_no_score_and_move_nobody() -> None:
    assert scores([10, None, 30, 20, None, 50, 40]) == [1, None, 3, 2, None, 5, 4]
    assert scores([None, None]) == [None, None]


def test_money_is_ranked_exactly() -> None:
    """Two amounts that are one double."""
    assert scores([Decimal("9007199254740993.0001"), Decimal("9007199254740993.0002")]) == [2, 4]


@given(st.lists(st.integers(-5, 30), min_size=1, max_size=60), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_scores_follow_the_values_and_the_order_of_rows_moves_nothing(values: list[int], dice: Any) -> None:
    found = scores(values)
    by_value = dict(zip(values, found, strict=True))
    assert [by_value[value] for value in values] == found, "equal values, different scores"
    ranked = [by_value[value] for value in sorted(by_value)]
    assert ranked == sorted(ranked)
    place = list(range(len(values)))
    dice.shuffle(place)
    assert scores([values[at] for at in place]) == [found[at] for at in place]
    # the same ladder from its other end
    assert scores([-value for value in values], smallest_is_best=True) == found


@given(st.lists(st.integers(0, 10_000), min_size=25, max_size=120, unique=True))
@settings(max_examples=40, deadline=None)
def test_distinct_values_fill_five_scores_evenly(values: list[int]) -> None:
    found = scores(values)
    sizes = [found.count(quintile) for quintile in range(1, 6)]
    assert max(sizes) - min(sizes) <= 1


# -- segments ----------------------------------------------------------------------------------------------------------


def test_each_of_the_125_cells_has_the_segment_of_the_definition() -> None:
    found = segments(CELLS)
    assert found == [expected_segment(*cell) for cell in CELLS]
    assert set(found) == set(SEGMENTS)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ((5, 5, 5), "champions"), ((4, 4, 4), "champions"), ((3, 5, 4), "loyal"), ((1, 4, 4), "cant_lose"),
        ((2, 5, 5), "at_risk"), ((1, 3, 3), "at_risk"), ((5, 1, 5), "new"), ((5, 2, 1), "new"),
        ((4, 1, 3), "promising"), ((5, 3, 3), "potential_loyalist"), ((3, 2, 2), "needs_attention"),
        ((3, 1, 2), "about_to_sleep"), ((2, 2, 2), "hibernating"), ((1, 1, 1), "lost"),
    ],
)  # fmt: skip
def test_named_segments_of_well_known_cells(cell: tuple[int, int, int], name: str) -> None:
    assert segments([cell]) == [name]


def test_thresholds_tell_which_raw_values_made_a_score() -> None:
    table = with_rfm(
        pl.DataFrame(
            {
                "total_orders": [0, 1, 1, 2, 3, 9],
                "recency_days": [None, 400, 90, 30, 7, 0],
                "total_amount_spent": [Decimal(n) for n in (0, 10, 20, 30, 40, 50)],
            }
        )
    )
    found = thresholds(table)
    assert found["f_score"] == {"2": ["1", "1"], "3": ["2", "2"], "4": ["3", "3"], "5": ["9", "9"]}
    assert found["r_score"]["5"] == ["0", "0"]
    assert found["r_score"]["1"] == ["400", "400"]


# -- of customers ------------------------------------------------------------------------------------------------------


def test_scores_of_five_customers() -> None:
    """The n-th customer bought n times, the last time 5 - n weeks ago, for n times 100."""
    rows = [line(f"c{n}", ago(7 * (5 - n) + 100 * turn)) for n in range(1, 6) for turn in range(n)]
    found = features_of(purchases=rows)
    assert [found[f"c{n}"]["rfm_cell"] for n in range(1, 6)] == ["111", "222", "333", "444", "555"]
    assert [found[f"c{n}"]["rfm_score"] for n in range(1, 6)] == [3, 6, 9, 12, 15]
    assert [found[f"c{n}"]["rfm_segment"] for n in range(1, 6)] == [
        "lost", "hibernating", "needs_attention", "champions", "champions",
    ]  # fmt: skip


def test_who_has_not_bought_is_a_prospect_without_scores() -> None:
    found = features_of(
        purchases=[
            line("buyer", ago(3)),
            line("cancelled", ago(3), status="cancelled"),
            line("returned", ago(3), -5),
        ],
        customers=[person(name) for name in ("buyer", "cancelled", "returned", "visitor")],
    )
    assert found["buyer"]["rfm_cell"] == "333"
    for name in ("cancelled", "returned", "visitor"):
        assert found[name]["rfm_segment"] == PROSPECT
        assert [
            found[name][score] for score in ("r_score", "f_score", "m_score", "rfm_score", "rfm_cell")
        ] == [None] * 5
    assert found["returned"]["total_amount_spent"] == -5


def test_an_order_of_many_lines_is_one_order() -> None:
    many = [line("many", ago(1), 10, order="one") for _ in range(9)]
    twice = [line("twice", ago(1), 45), line("twice", ago(1, 13), 45)]
    found = features_of(purchases=many + twice)
    assert (found["many"]["total_orders"], found["twice"]["total_orders"]) == (1, 2)
    assert found["many"]["f_score"] < found["twice"]["f_score"]
    assert found["many"]["m_score"] == found["twice"]["m_score"]


def moves(
    rows: list[dict[str, Any]], more: list[dict[str, Any]], customer: str
) -> dict[str, tuple[Any, Any]]:
    """Raw values and scores of a customer that further rows move."""
    before, after = features_of(purchases=rows)[customer], features_of(purchases=rows + more)[customer]
    names = ("recency_days", "total_orders", "total_amount_spent", "rfm_cell")
    return {name: (before[name], after[name]) for name in names if before[name] != after[name]}


def five() -> list[dict[str, Any]]:
    return [line(f"c{n}", ago(10 * n), 100 * n) for n in range(1, 6)]


def test_a_refund_lowers_money_and_nothing_else() -> None:
    assert moves(five(), [line("c5", ago(1), -450)], "c5") == {
        "total_amount_spent": (500, 50),
        "rfm_cell": ("135", "131"),
    }


def test_a_cancelled_or_pending_order_moves_nothing() -> None:
    for status in ("cancelled", "pending", "unknown"):
        assert moves(five(), [line("c5", ago(0), 10**6, status=status)], "c5") == {}


def test_a_free_order_is_an_order() -> None:
    found = moves(five(), [line("c5", ago(0), 0)], "c5")
    assert found == {"recency_days": (50, 0), "total_orders": (1, 2), "rfm_cell": ("135", "555")}


def test_another_currency_is_counted_and_never_added() -> None:
    found = moves(five(), [line("c1", ago(0), 10**6, currency="USD")], "c1")
    assert found == {"recency_days": (10, 0), "total_orders": (1, 2), "rfm_cell": ("531", "551")}


def test_an_order_of_the_future_moves_nothing() -> None:
    future = [line("c5", SCOPE.until + timedelta(days=days), 10**6) for days in (0, 1, 27_000)]
    assert moves(five(), future, "c5") == {}


def test_purchases_of_nobody_move_no_score() -> None:
    assert moves(five(), [line("unknown", ago(0), 10**6)], "c5") == {}


def test_a_single_customer_and_an_empty_tenant() -> None:
    assert features_of(purchases=[line("only", ago(5))])["only"]["rfm_cell"] == "333"
    empty = build(replace(SCOPE, tenant_id="empty"), **frames())
    assert CustomerFeatures.validate(empty.table).height == 0
    assert empty.numbers["buyers"] == 0
