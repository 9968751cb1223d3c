"""Dataset A: what each column of a customer and article says.

Belongs here: the table. The split is in `test_dataset_interactions_split`, files in `test_dataset_interactions_files`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.interactions import INTERACTIONS
from cdp_assets.datasets.interactions.pairs import OUTLIER_QUANTILE
from cdp_assets.datasets.model import Frames
from tests.interactions_support import AS_OF, SCOPE, build, event, frames, line, local_day, noon, review, row


def test_three_purchases_the_last_thirty_days_ago_score_as_the_seed_says() -> None:
    built = build(frames([line("a", "x", noon(30, minutes)) for minutes in (0, 1, 2)]))
    found = row(built, "a", "x")
    assert found["time_weighted_score"] == pytest.approx(1.103638, abs=1e-6)
    assert found["hyperbolic_score"] == 0.75
    assert found["decayed_purchase_score"] == pytest.approx(3 * math.exp(-1), abs=1e-9)
    assert (found["purchase_count"], found["recency_days"]) == (3, 30)


def test_each_purchase_decays_by_its_own_age() -> None:
    found = row(build(frames([line("a", "x", noon(60)), line("a", "x", noon(0))])), "a", "x")
    assert found["decayed_purchase_score"] == pytest.approx(1 + math.exp(-2), abs=1e-9)
    assert found["time_weighted_score"] == 2.0, (
        "the seed's score takes all of them to be as young as the last"
    )
    assert (found["first_purchase_date"], found["last_purchase_date"]) == (date(2026, 5, 1), AS_OF)


def test_days_are_those_of_the_tenant() -> None:
    late = noon(0) - timedelta(hours=11, minutes=30)
    assert late.date() == AS_OF - timedelta(days=1), "in UTC it is still the day before"
    assert row(build(frames([line("a", "x", late)])), "a", "x")["recency_days"] == 0


def test_signals_count_by_their_weights_and_age() -> None:
    kinds = ("item-view", "product_view", "click", "add-wishlist", "AddToCart", "remove-from-cart")
    built = build(
        frames([line("a", "x", noon(1))], [event("a", "x", kind, noon(1)) for kind in kinds],
               [review("a", "x", 5.0, noon(1))])
    )  # fmt: skip
    found = row(built, "a", "x")
    counts = {name: found[name] for name in ("n_view", "n_click", "n_wishlist", "n_cart", "n_remove")}
    assert counts == {"n_view": 2, "n_click": 1, "n_wishlist": 1, "n_cart": 1, "n_remove": 1}
    weight = (1 + 1 + 2 + 3 + 4 - 2 + 6 + (5 - 3)) * 0.95
    assert found["implicit_weight"] == pytest.approx(weight, abs=1e-9)
    assert found["confidence"] == pytest.approx(1 + 40 * math.log1p(weight), abs=1e-7)


def test_a_pair_that_was_only_looked_at_has_a_row_without_purchases() -> None:
    found = row(build(frames(events=[event("a", "x", "view", noon(3))])), "a", "x")
    nothing = {"purchase_count": 0, "total_spent": 0, "avg_price_paid": None, "last_purchase_date": None,
               "recency_days": None, "time_weighted_score": 0.0, "hyperbolic_score": 0.0,
               "last_sales_channel": None}  # fmt: skip
    assert {name: found[name] for name in nothing} == nothing
    assert found["last_interaction_date"] == AS_OF - timedelta(days=3)


def test_a_purchase_is_counted_by_its_line_and_not_by_its_event_too() -> None:
    built = build(frames([line("a", "x", noon(0))], [event("a", "x", "purchase", noon(0))]))
    assert row(built, "a", "x")["implicit_weight"] == 6.0


def test_returns_are_taken_off_money_and_strength_and_counted_apart() -> None:
    built = build(
        frames(
            [line("a", "x", noon(5), "300"), line("a", "x", noon(4), "100"), line("a", "x", noon(4), "-100")]
        )
    )
    found = row(built, "a", "x")
    assert (found["purchase_count"], found["return_count"]) == (2, 1)
    assert found["total_spent"] == 300
    assert found["avg_price_paid"] == 200, "what was paid, before anything went back"
    assert found["implicit_weight"] == pytest.approx(6 * 0.95**5, abs=1e-9)


def test_a_return_without_its_purchase_is_a_row_with_negative_money() -> None:
    built = build(frames([line("a", "x", noon(4), "-100"), line("a", "y", noon(4), "50", quantity=-1)]))
    found = row(built, "a", "x")
    assert (found["purchase_count"], found["return_count"], found["total_spent"]) == (0, 1, -100)
    assert found["confidence"] == 1.0
    assert row(built, "a", "y")["return_count"] == 1, "a negative quantity is a return, too"
    assert INTERACTIONS.contract.filter(built.table)[1].counts() == {}


def test_money_of_another_currency_is_counted_and_never_added() -> None:
    built = build(
        frames([line("a", "x", noon(5), "300"), line("a", "x", noon(4), "9.99", currency="USD"),
                line("b", "x", noon(4), "9.99", currency="USD")])
    )  # fmt: skip
    both, foreign = row(built, "a", "x"), row(built, "b", "x")
    assert (both["purchase_count"], both["other_currency_count"], both["total_spent"]) == (2, 1, 300)
    assert both["avg_price_paid"] == 300
    assert (foreign["purchase_count"], foreign["total_spent"], foreign["avg_price_paid"]) == (1, 0, None)


def test_sums_of_money_are_exact() -> None:
    built = build(frames([line("a", "x", noon(i), "0.1") for i in range(3)]))
    assert row(built, "a", "x")["total_spent"] == Decimal("0.3000")
    assert row(built, "a", "x")["avg_price_paid"] == Decimal("0.1000")


def test_the_latest_line_tells_the_channel_and_of_equal_times_the_highest_key() -> None:
    built = build(
        frames([line("a", "x", noon(9), key="shop:9", channel="phone"), line("a", "x", noon(2), key="shop:1"),
                line("a", "x", noon(2), key="shop:2", channel="store")])
    )  # fmt: skip
    assert row(built, "a", "x")["last_sales_channel"] == "store"


def test_the_latest_rating_counts_and_reviews_without_one_say_nothing() -> None:
    built = build(
        frames(reviews=[review("a", "x", 2.0, noon(9)), review("a", "x", 4.5, noon(2)),
                        review("a", "x", None, noon(1)), review("b", "x", None, noon(1))])
    )  # fmt: skip
    assert row(built, "a", "x")["rating"] == 4.5
    assert built.table.height == 1


def test_what_is_no_sale_or_of_nobody_or_nothing_known_is_no_row_but_a_number() -> None:
    built = build(
        frames(
            [line("a", "x", noon(1), is_revenue=False), line("unknown", "x", noon(1)),
             line("a", "unknown", noon(1)), line("a", "y", noon(1))],
            [event("unknown", "x", "view", noon(1)), event("a", None, "view", noon(1)),
             event("a", "z", "no-such-thing", noon(1))],
        )
    )  # fmt: skip
    assert built.table.select("customer_id", "article_id").rows() == [("a", "y")]
    assert (built.numbers["lines_not_sales"], built.numbers["sale_lines_unlinked"]) == (1, 2)


def test_a_reseller_and_a_robot_are_flagged_and_stay() -> None:
    people = [f"p{i:04d}" for i in range(1_100)]
    built = build(
        frames(
            [line(person, "x", noon(1)) for person in people]
            + [line("reseller", "x", noon(1, i), str(i + 1)) for i in range(40)],
            [event(person, "x", "view", noon(2, i)) for person in people for i in range(3)]
            + [event("robot", "x", "view", noon(2, i)) for i in range(300)],
        )
    )
    flagged = built.table.filter("is_outlier")["customer_id"].to_list()
    assert flagged == ["reseller", "robot"]
    assert built.numbers["outlier_customers"] == 2


def test_below_a_thousand_customers_nobody_is_an_outlier() -> None:
    few = int(1 / (1 - OUTLIER_QUANTILE)) - 1
    lines = [line(f"p{i}", "x", noon(1, minute)) for i in range(few) for minute in range(1 + i % 7)]
    assert not build(frames(lines)).table["is_outlier"].any()


@pytest.mark.parametrize("missing", ["purchases", "events", "reviews", "articles"])
def test_an_empty_input_is_no_fault(missing: str) -> None:
    inputs = frames(
        [line("a", "x", noon(1))], [event("a", "x", "view", noon(1))], [review("a", "x", 4.0, noon(1))],
        [{"article_id": "x"}],
    )  # fmt: skip
    built = build({**inputs, missing: inputs[missing].clear()})
    assert built.table.height == 1


def test_no_input_at_all_gives_an_empty_table() -> None:
    built = build(frames())
    assert built.table.is_empty()
    assert INTERACTIONS.contract.filter(built.table)[0].is_empty()


CUSTOMERS = st.sampled_from(["a", "b", "c", "unknown"])
ARTICLES = st.sampled_from(["x", "y", "unknown"])
MOMENTS = st.builds(noon, st.integers(0, 40), st.integers(-700, 700))
LINES = st.builds(
    lambda who, what, at, total, currency, sale: line(
        who, what, at, str(total), currency=currency, is_revenue=sale, key=f"shop:{total}"
    ),
    CUSTOMERS, ARTICLES, MOMENTS, st.integers(-500, 5_000), st.sampled_from(["VND", "USD"]),
    st.sampled_from([True, True, False]),
)  # fmt: skip
EVENTS = st.builds(
    event,
    CUSTOMERS,
    ARTICLES,
    st.sampled_from(["view", "page-view", "add-to-cart", "search", "wishlist"]),
    MOMENTS,
)
REVIEWS = st.builds(review, CUSTOMERS, ARTICLES, st.sampled_from([None, 1.0, 2.5, 5.0]), MOMENTS)
INPUTS = st.builds(
    frames, st.lists(LINES, max_size=25, unique_by=lambda each: each["purchase_key"]), st.lists(EVENTS, max_size=25),
    st.lists(REVIEWS, max_size=8),
)  # fmt: skip


def by_hand(inputs: Frames) -> dict[tuple[str, str], dict[str, Any]]:
    """The same figures with loops, for what can still be seen at the end of `AS_OF`."""
    weights = {"view": 1, "page-view": 1, "add-to-cart": 4, "wishlist": 3}
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: defaultdict(float))
    for each in inputs["purchases"].iter_rows(named=True):
        pair, age = (each["customer_id"], each["article_id"]), (AS_OF - each["purchased_on"]).days
        if "unknown" in pair or not each["is_revenue"] or age < 0:
            continue
        is_return = each["line_total"] < 0
        found[pair]["return_count" if is_return else "purchase_count"] += 1
        found[pair]["implicit_weight"] += (-6 if is_return else 6) * 0.95**age
        found[pair]["decayed_purchase_score"] += 0 if is_return else math.exp(-age / 30)
        if each["currency"] == "VND":
            found[pair]["total_spent"] += float(each["line_total"])
    for each in inputs["events"].iter_rows(named=True):
        pair, age = (each["customer_id"], each["article_id"]), (AS_OF - each["event_on"]).days
        if "unknown" not in pair and each["event_type"] in weights and age >= 0:
            found[pair]["implicit_weight"] += weights[each["event_type"]] * 0.95**age
    for each in inputs["reviews"].iter_rows(named=True):
        pair, age = (each["customer_id"], each["article_id"]), (AS_OF - local_day(each["created_at"])).days
        if "unknown" not in pair and each["rating"] is not None and age >= 0:
            found[pair]["implicit_weight"] += (each["rating"] - 3) * 0.95**age
    return found


@settings(max_examples=40)
@given(INPUTS)
def test_every_sum_is_what_loops_find(inputs: Frames) -> None:
    built, expected = build(inputs), by_hand(inputs)
    assert {tuple(pair) for pair in built.table.select("customer_id", "article_id").rows()} == set(expected)
    for pair, sums in expected.items():
        found = row(built, *pair)
        for name in (
            "purchase_count",
            "return_count",
            "total_spent",
            "decayed_purchase_score",
            "implicit_weight",
        ):
            assert float(found[name]) == pytest.approx(sums[name], abs=1e-8)
    assert INTERACTIONS.contract.filter(built.table)[1].counts() == {}


@settings(max_examples=20)
@given(INPUTS, st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_bytes(inputs: Frames, random: Any) -> None:
    shuffled = {
        name: frame[random.sample(range(frame.height), frame.height)] if frame.height else frame
        for name, frame in inputs.items()
    }
    one, other = build(inputs), build(shuffled)
    assert one.table.equals(other.table)
    assert one.files == other.files


@settings(max_examples=20)
@given(INPUTS, st.integers(1, 30))
def test_nothing_after_as_of_moves_a_value(inputs: Frames, days: int) -> None:
    scope = replace(SCOPE, as_of=AS_OF - timedelta(days=days))
    known = {
        "purchases": inputs["purchases"].filter(pl.col("purchased_at") < scope.until),
        "events": inputs["events"].filter(pl.col("event_at") < scope.until),
        "reviews": inputs["reviews"].filter(pl.col("created_at") < scope.until),
        "articles": inputs["articles"],
    }
    with_future, without = build(inputs, scope=scope), build(known, scope=scope)
    assert with_future.table.equals(without.table)
    assert with_future.files == without.files
