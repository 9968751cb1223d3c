"""Checks of dataset C: each finds what it is for, and is silent on what is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from cdp_assets.datasets.customers import rfm
from cdp_assets.datasets.customers.build import build
from cdp_assets.datasets.customers.checks import CHECKS
from cdp_assets.datasets.customers.dataset import CUSTOMER_FEATURES
from cdp_assets.datasets.customers.pictures import pictures
from cdp_assets.datasets.model import Audit
from cdp_assets.quality import Measure, Severity
from tests.customers_support import SCOPE, audit_of, frames, line, person, random_rows
from tests.test_dataset_customers_btyd import shop

BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audit_of(frames(**random_rows(9, customers=60)))


def measured(name: str, audit: Audit) -> Measure:
    return BY_NAME[name].measure(audit)


def changed(audit: Audit, **columns: pl.Expr) -> Audit:
    return replace(audit, table=audit.table.with_columns(**columns))


def test_all_checks_pass_on_a_right_table(audit: Audit) -> None:
    assert audit.refused.height == 0
    found = {name: measured(name, audit) for name in BY_NAME}
    # purchases at random tell of nobody who left: the chance to leave is as small as the search allows
    assert [name for name, measure in found.items() if not measure.passed] == ["model_is_sane"]
    assert {name for name, _ in found["model_is_sane"].sample} <= {"a", "b"}


def test_an_empty_tenant_passes_every_check() -> None:
    empty = audit_of(frames())
    assert [name for name in BY_NAME if not measured(name, empty).passed] == []
    assert pictures(empty) == {}


BROKEN: dict[str, tuple[str, Callable[[Audit], Audit]]] = {
    "a customer without a row": (
        "everybody_once",
        lambda audit: replace(audit, table=audit.table.slice(1)),
    ),
    "a customer with two rows": (
        "everybody_once",
        lambda audit: replace(audit, table=pl.concat([audit.table, audit.table.head(1)])),
    ),
    "a row of nobody": (
        "everybody_once",
        lambda audit: replace(
            audit, table=pl.concat([audit.table, audit.table.head(1).with_columns(customer_id=pl.lit("ghost"))])
        ),
    ),
    "a ten-thousandth too much": (
        "totals_reconcile",
        lambda audit: changed(
            audit,
            total_amount_spent=pl.when(pl.col("customer_id") == "leo:003")
            .then(pl.col("total_amount_spent") + Decimal("0.0001"))
            .otherwise("total_amount_spent"),
        ),
    ),
    "orders times lines": (
        "totals_reconcile",
        lambda audit: changed(audit, total_orders=pl.col("total_transactions")),
    ),
    "a column of names": (
        "no_personal_data",
        lambda audit: changed(audit, last_name=pl.lit("x")),
    ),
    "an address in a text": (
        "no_personal_data",
        lambda audit: changed(audit, country=pl.lit("someone@example.com")),
    ),
    "recency upside down": (
        "scores_are_monotone",
        lambda audit: changed(audit, r_score=6 - pl.col("r_score")),
    ),
    "equal customers, different scores": (
        "scores_are_monotone",
        lambda audit: changed(
            audit, f_score=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("f_score")).otherwise(1)
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_table_is_blocked(audit: Audit, fault: str) -> None:
    name, breaks = BROKEN[fault]
    found = measured(name, breaks(audit))
    assert found.failing > 0
    assert found.severity is Severity.ERROR
    assert BY_NAME[name].blocking
    assert found.sample


def test_rows_that_the_contract_refused_are_not_missing(audit: Audit) -> None:
    refused = audit.table.head(3).with_columns(pl.lit("invalid").alias("age|max"))
    left = replace(audit, table=audit.table.slice(3), refused=refused)
    assert measured("everybody_once", left).passed
    assert measured("totals_reconcile", left).passed


def scored(raw: list[int]) -> pl.DataFrame:
    """Buyers with these numbers of orders, all else distinct."""
    places = pl.int_range(pl.len())
    return rfm.with_rfm(
        pl.DataFrame({"total_orders": raw}).with_columns(
            recency_days=places, total_amount_spent=places.cast(pl.Decimal(38, 4))
        )
    )


def test_scores_that_ties_make_uneven_are_no_alarm_and_others_are(audit: Audit) -> None:
    most_bought_once = scored([1] * 600 + list(range(2, 402)))
    assert measured("scores_spread", replace(audit, table=most_bought_once)).passed
    piled = most_bought_once.with_columns(
        m_score=pl.when(pl.col("m_score") < 4).then(1).otherwise(pl.col("m_score"))
    )
    found = measured("scores_spread", replace(audit, table=piled))
    assert {row[:2] for row in found.sample} == {("m_score", 1), ("m_score", 2), ("m_score", 3)}
    assert found.severity is Severity.WARN


def with_numbers(audit: Audit, **numbers: Any) -> Audit:
    return replace(audit, built=replace(audit.built, numbers={**audit.built.numbers, **numbers}))


def test_the_model_of_a_plausible_shop_is_sane_and_holds() -> None:
    found = audit_of(frames(purchases=shop()))
    for name in ("model_is_sane", "backtest_holds"):
        measure = measured(name, found)
        assert measure.passed, measure.sample
    assert measured("backtest_holds", found).numbers["predicted_to_actual"] > 0


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("model_is_sane", {"btyd_r": 0.0009}),
        *(
            ("model_is_sane", {f"btyd_{name}": bound})
            for name in ("alpha", "a", "b")
            for bound in (0.000912, 8103.08)
        ),
        ("model_is_sane", {"btyd_q": 1.0005}),
        ("model_is_sane", {"btyd_correlation": -0.4}),
        ("backtest_holds", {"backtest_predicted": 1e6}),
        ("backtest_holds", {"backtest_mae": 9.0}),
    ],
)
def test_a_model_that_does_not_hold_is_warned_of(name: str, numbers: dict[str, float]) -> None:
    found = measured(name, with_numbers(audit_of(frames(purchases=shop())), **numbers))
    assert not found.passed
    assert found.severity is Severity.WARN
    assert not BY_NAME[name].blocking


def test_the_contract_refuses_what_cannot_be() -> None:
    built = build(SCOPE, **frames(purchases=[line("a", SCOPE.until)], customers=[person("a"), person("b")]))
    for broken in (
        pl.lit(float("inf")).alias("category_entropy"),
        pl.lit(float("nan")).alias("p_alive"),
        pl.lit(1.2).alias("conversion_rate"),
        pl.lit(5, pl.Int64).alias("orders_7d"),
        pl.lit("champions").alias("rfm_segment"),
        pl.lit("nobody").alias("dominant_event_type"),
    ):
        kept, failures = CUSTOMER_FEATURES.contract.filter(built.table.with_columns(broken))
        assert (kept.height, len(failures)) == (0, 2), broken


def test_pictures_are_drawn_of_what_there_is(audit: Audit) -> None:
    assert list(pictures(audit)) == ["RFM", "Retention", "Chance to be alive"]
    single = audit_of(frames(purchases=[line("a", SCOPE.until.replace(year=2025))]))
    assert list(pictures(single)) == ["RFM", "Retention"]
    for figure in pictures(audit).values():
        figure.canvas.draw()
