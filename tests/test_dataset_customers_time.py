"""Dataset C and time: nothing after `as_of` moves a value, and the training rows are those of the earlier day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
import pytest

from cdp_assets.datasets.customers import churn
from cdp_assets.datasets.customers.build import build
from cdp_assets.datasets.customers.contract import CustomerFeatures
from tests.customers_oracle import day_of, oracle
from tests.customers_support import AS_OF, SCOPE, ago, features_at, frames, line, person, random_rows

TIMES = {
    "purchases": "purchased_at",
    "events": "event_at",
    "reviews": "created_at",
    "customers": "customer_since",
}


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (float, int)):
        return abs(found - expected) <= 1e-9 * max(1.0, abs(expected))
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(
            one["category"] == other["category"] and same(one["share"], other["share"])
            for one, other in zip(found, expected, strict=True)
        )
    return bool(found == expected)


@pytest.mark.parametrize("seed", [1, 2])
def test_1_000_customers_at_random_days_are_as_the_oracle_says(seed: int) -> None:
    rows = random_rows(seed)
    inputs = frames(**rows)
    rng = np.random.default_rng(seed)
    leaks: list[tuple[Any, ...]] = []
    compared = 0
    for back in rng.choice(320, 20, replace=False).tolist():
        as_of = AS_OF - timedelta(days=back)
        table = features_at(inputs, replace(SCOPE, as_of=as_of))
        told = {row["customer_id"]: row for row in table.iter_rows(named=True)}
        for customer in sorted({row["customer_id"] for row in rows["customers"]}):
            expected = oracle(rows, customer, as_of)
            is_known = expected["signup_date"] is not None
            if customer not in told:
                # nobody knew the customer then: neither a sign-up nor a purchase of any status
                assert not is_known
                assert not expected["total_transactions"]
                compared += 1
                continue
            leaks += [
                (customer, as_of, name, told[customer][name], value)
                for name, value in expected.items()
                if not same(told[customer][name], value)
            ]
            compared += 1
    assert compared == 1_000
    assert leaks == []


def test_the_oracle_looks_at_every_column_that_concerns_one_customer_alone() -> None:
    rows = random_rows(3, customers=3)
    elsewhere = {
        "customer_id", "country", "language", "is_in_leo",
        # compared with other customers
        "price_level", "conversion_rate_smoothed", "cart_abandon_rate_smoothed",
        "r_score", "f_score", "m_score", "rfm_score", "rfm_cell", "rfm_segment",
        "p_alive", "expected_purchases_30", "expected_purchases_90", "expected_purchases_180", "expected_spend",
        "clv_180", "lifetime_value_estimate", "model_version",
    }  # fmt: skip
    assert set(CustomerFeatures.column_names()) == elsewhere | oracle(rows, "leo:000", AS_OF).keys()


@pytest.mark.parametrize("back", [0, 1, 45, 200])
def test_rows_of_later_days_can_be_changed_added_or_dropped_and_no_byte_moves(back: int) -> None:
    rows = random_rows(4)
    scope = replace(SCOPE, as_of=AS_OF - timedelta(days=back))
    expected = build(scope, **frames(**rows))

    def later(row: dict[str, Any], name: str) -> bool:
        return day_of(row[TIMES[name]]) > scope.as_of

    mutated: dict[str, list[dict[str, Any]]] = {name: list(values) for name, values in rows.items()}
    for name in TIMES:
        mutated[name] = [row for number, row in enumerate(rows[name]) if not later(row, name) or number % 3]
    for row in (row for row in mutated["purchases"] if later(row, "purchases")):
        row |= {
            "line_total": row["line_total"] * 1_000 + 7,
            "customer_id": "leo:001",
            "order_status": "completed",
        }
        row |= {"is_revenue": True, "channel": "phone", "quantity": 99, "order_key": "shop:1"}
    after = scope.until
    mutated["customers"].append(person("leo:new", after, country="Vietnam"))
    mutated["purchases"] += [line("leo:002", after, 10**9), line("leo:new", after), line("leo:new2", after)]
    mutated["reviews"].append({"customer_id": "leo:003", "rating": 1.0, "created_at": after})
    mutated["articles"].append(
        {"article_id": "shop:8", "category_path": "All > Z", "brand": "Z", "product_since": after}
    )
    found = build(scope, **frames(**mutated))
    assert found.table.equals(expected.table)
    assert found.files == expected.files
    assert found.numbers == expected.numbers


def test_the_last_microsecond_of_the_day_counts_and_the_next_does_not() -> None:
    microsecond = timedelta(microseconds=1)
    inputs = frames(purchases=[line("a", SCOPE.until - microsecond), line("a", SCOPE.until, 5)])
    (row,) = build(SCOPE, **inputs).table.iter_rows(named=True)
    assert (row["total_orders"], row["total_amount_spent"], row["recency_days"]) == (1, 100, 0)


def test_rows_in_any_order_give_the_same_bytes() -> None:
    inputs = frames(**random_rows(5))
    expected = build(SCOPE, **inputs)
    for seed in (1, 2):
        shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in inputs.items()}
        found = build(SCOPE, **shuffled)
        assert found.table.equals(expected.table)
        assert found.files == expected.files


def test_training_rows_are_the_features_of_60_days_before_with_what_came_since() -> None:
    rows = random_rows(6)
    then = replace(SCOPE, as_of=AS_OF - timedelta(days=60))
    training = pl.read_parquet(BytesIO(build(SCOPE, **frames(**rows)).files["training.parquet"]))
    placed = [row | {"is_revenue": True} for row in rows["purchases"]]
    before = build(then, **frames(**rows | {"purchases": placed})).table.filter(pl.col("total_orders") > 0)
    assert training.drop("churned_60d").equals(before.drop(churn.LEFT_OUT))
    came = {
        row["customer_id"]
        for row in rows["purchases"]
        if row["is_revenue"] and row["line_total"] >= 0 and then.as_of < day_of(row["purchased_at"]) <= AS_OF
    }
    assert 0 < training["churned_60d"].sum() < training.height
    assert dict(training.select("customer_id", "churned_60d").iter_rows()) == {
        customer: customer not in came for customer in before["customer_id"]
    }


@pytest.mark.parametrize("status", ["cancelled", "pending", "completed"])
def test_what_became_of_an_order_moves_no_training_row(status: str) -> None:
    """Only the answer: who came back is known since."""
    rows = random_rows(6)
    then = SCOPE.until - timedelta(days=60)
    changed = [
        row | {"order_status": status, "is_revenue": status == "completed"}
        if row["purchased_at"] < then and number % 3 == 0
        else row
        for number, row in enumerate(rows["purchases"])
    ]
    found, expected = (
        pl.read_parquet(
            BytesIO(build(SCOPE, **frames(**rows | {"purchases": each})).files["training.parquet"])
        )
        for each in (changed, rows["purchases"])
    )
    assert found.equals(expected)


def test_where_and_as_whom_somebody_is_known_today_moves_no_training_row() -> None:
    rows = random_rows(6)
    moved = [row | {"country": "Chile", "is_in_shop": False, "language": "es"} for row in rows["customers"]]
    found, expected = (
        build(SCOPE, **frames(**rows | {"customers": each})).files["training.parquet"]
        for each in (moved, rows["customers"])
    )
    assert found == expected


def test_an_order_of_an_unknown_status_proves_no_sale_on_its_day_either() -> None:
    bought = [line("a", ago(90), status="unknown"), line("b", ago(90), status="cancelled")]
    built = build(SCOPE, **frames(purchases=bought, customers=[person("a"), person("b")]))
    training = pl.read_parquet(BytesIO(built.files["training.parquet"]))
    assert training["customer_id"].to_list() == ["b"]


def test_who_first_bought_within_60_days_is_no_training_row() -> None:
    rows = [line("old", SCOPE.until - timedelta(days=90)), line("new", SCOPE.until - timedelta(days=10))]
    built = build(SCOPE, **frames(purchases=rows, customers=[person("old"), person("new")]))
    training = pl.read_parquet(BytesIO(built.files["training.parquet"]))
    assert training.select("customer_id", "churned_60d").rows() == [("old", True)]


def test_days_are_those_of_the_tenant() -> None:
    """23:30 UTC of 28 June is the 29th in Ho Chi Minh City and still the 28th in New York."""
    inputs = frames(purchases=[line("a", SCOPE.until - timedelta(hours=17, minutes=30))])
    eastern = replace(SCOPE, timezone="America/New_York")
    assert build(SCOPE, **inputs).table["last_purchase_date"].to_list() == [date(2026, 6, 29)]
    assert build(eastern, **inputs).table["preferred_hour"].to_list() == [19]
