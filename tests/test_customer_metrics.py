"""Customer metrics: the golden cases of LEO's own function, and every departure from it that ours documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from cdp_assets.vocabulary.order_statuses import STATUSES, Status
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.databases import shared_database
from tests.shop import AS_OF, Shop

MOST = Decimal("99999999999999.9999")
"""The largest amount that a line may have."""


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[Warehouse]:
    """A warehouse in which every test has a tenant of its own."""
    with (
        shared_database(postgres, "test_metrics") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.fixture
def shop(shared: Warehouse) -> Shop:
    """A shop with one profile, `a`."""
    shop = Shop(shared)
    shop.profile("a")
    return shop


# case -> lines (amount, days ago, other columns), config, then freq_90d, avg_order_value, monetary_90d, clv_est,
# experience_score and segment
GOLDEN: dict[str, tuple[list[tuple[Any, ...]], dict[str, Any], tuple[Any, ...]]] = {
    "no purchase": ([], {}, (0, 0, 0, "-5.00", -60, "prospective")),
    "one recent": ([(100, 5)], {}, (1, 100, 100, "1211.67", 43, "happy")),
    "one recent and small": ([(10, 5)], {}, (1, 10, 10, "116.67", 43, "first_time")),
    "one of last month": ([(10, 45)], {}, (1, 10, 10, "116.67", 13, "first_time")),
    "one of long ago": ([(100, 200)], {}, (0, 100, 0, "-5.00", -10, "inactive")),
    "three recent": ([(50, 1), (50, 2), (50, 3)], {}, (3, 50, 150, "1820.00", 49, "happy")),
    "one of two within 90 days": ([(40, 100), (40, 60)], {}, (1, 40, 40, "481.67", 13, "first_time")),
    "a refund alone": ([(-100, 5)], {}, (1, 0, 0, "-5.00", 42, "target")),
    "nothing paid": ([(0, 5)], {}, (1, 0, 0, "-5.00", 42, "target")),
    "cancelled": ([(500, 5, {"txn_status": "cancelled"})], {}, (0, 0, 0, "-5.00", -60, "prospective")),
    "dong": ([(1_500_000, 5, {"currency": "VND"})], {}, (1, 1_500_000, 1_500_000, "18249995", 43, "happy")),
    "own config": (
        [(100, 5)],
        {"expected_lifetime_years": 5, "cac": 20, "clv_happy_threshold": 1000},
        (1, 100, 100, "2007.78", 43, "happy"),
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_a_golden_case_holds(shop: Shop, case: str) -> None:
    lines, config, expected = GOLDEN[case]
    for amount, days_ago, *columns in lines:
        shop.line(amount, days_ago, **(columns[0] if columns else {}))
    if config:
        shop.config(**config)
    assert shop.refresh() == 1
    got = shop.metrics()
    found = (
        got.freq_90d,
        got.avg_order_value,
        got.monetary_90d,
        got.clv_est,
        got.experience_score,
        got.segment,
    )
    assert found == (*map(Decimal, expected[:5]), expected[5])
    reason = {"clv_calc", "freq_90d", "monetary_90d", "last_purchase"}
    assert set(got.segment_reason) == reason
    assert Decimal(str(got.segment_reason["clv_calc"])) == got.clv_est


@pytest.mark.parametrize(("days", "score"), [(30, 43), (30.001, 13), (90, 13), (90.001, -10)])
def test_the_last_moment_of_a_period_belongs_to_it(shop: Shop, days: float, score: int) -> None:
    shop.line(100, days)
    shop.refresh()
    assert shop.metrics().experience_score == score


@pytest.mark.parametrize(("orders", "score"), [(1, 43), (15, 85), (20, 90), (40, 100)])
def test_basket_and_frequency_give_thirty_points_at_most(shop: Shop, orders: int, score: int) -> None:
    for _ in range(orders):
        shop.line(10)
    shop.refresh()
    assert shop.metrics().experience_score == score


@pytest.mark.parametrize(
    ("amount", "days", "clv", "segment"),
    [
        ("8.62", 5, "99.88", "target"),
        ("8.6301", 5, "100.00", "first_time"),
        ("41.4247", 5, "499.00", "first_time"),
        ("41.4658", 5, "499.50", "target"),
        ("41.5068", 5, "500.00", "happy"),
        ("41.5068", 45, "500.00", "target"),  # the score is 13
    ],
)
def test_a_segment_ends_where_the_formula_says(
    shop: Shop, amount: str, days: int, clv: str, segment: str
) -> None:
    shop.line(amount, days)
    shop.refresh()
    assert (shop.metrics().clv_est, shop.metrics().segment) == (Decimal(clv), segment)


def test_the_lines_of_an_order_are_one_purchase(shop: Shop) -> None:
    shop.line(70, 5, transaction_id="o1")
    shop.line(30, 5, transaction_id="o1")
    shop.refresh()
    got = shop.metrics()
    assert (got.orders, got.freq_90d, got.avg_order_value, got.monetary_90d) == (1, 1, 100, 100)
    assert (got.clv_est, got.experience_score) == (Decimal("1211.67"), 43)


def test_lines_without_an_order_are_purchases_of_their_own(shop: Shop) -> None:
    shop.line(70)
    shop.line(30)
    shop.refresh()
    got = shop.metrics()
    assert (got.orders, got.freq_90d, got.avg_order_value, got.monetary_90d) == (2, 2, 50, 100)


def test_a_refund_line_lowers_its_order_and_is_no_purchase(shop: Shop) -> None:
    shop.line(100, 60, transaction_id="o1")
    shop.line(-30, 2, transaction_id="o1")
    shop.refresh()
    got = shop.metrics()
    assert (got.orders, got.freq_90d, got.avg_order_value, got.monetary_90d) == (1, 1, 70, 70)
    assert got.last_purchase == AS_OF - timedelta(days=60)


def test_money_given_back_never_makes_the_sum_negative(shop: Shop) -> None:
    shop.line(100, 120, transaction_id="old")
    shop.line(-100, 5)
    shop.refresh()
    got = shop.metrics()
    assert (got.avg_order_value, got.monetary_90d) == (100, 0)


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_an_order_counts_exactly_if_its_state_is_revenue(shop: Shop, status: Status) -> None:
    shop.line(100, 10)
    shop.line(500, 5, txn_status=status.name)
    shop.refresh()
    got = shop.metrics()
    expected = (2, 600, 5) if status.is_revenue else (1, 100, 10)
    assert (got.orders, got.monetary_90d, got.last_purchase) == (
        *expected[:2],
        AS_OF - timedelta(days=expected[2]),
    )


def test_without_a_base_currency_money_is_in_the_one_bought_in_most(shop: Shop) -> None:
    for days_ago in (20, 30):
        shop.line(200_000, days_ago, currency="VND")
    shop.line(100, 5, currency="USD")
    shop.refresh()
    got = shop.metrics()
    assert (got.currency, got.orders, got.freq_90d, got.orders_without_rate) == ("VND", 3, 3, 1)
    assert (got.avg_order_value, got.monetary_90d) == (200_000, 400_000)
    assert got.last_purchase == AS_OF - timedelta(
        days=5
    )  # what cannot be converted is a purchase all the same


def test_of_two_currencies_bought_in_as_often_the_latest_is_taken(shop: Shop) -> None:
    shop.line(200_000, 20, currency="VND")
    shop.line(100, 5, currency="USD")
    shop.refresh()
    assert (shop.metrics().currency, shop.metrics().avg_order_value) == ("USD", 100)


def test_money_is_converted_to_the_base_currency(shop: Shop) -> None:
    shop.profile("b")
    shop.config(base_currency="VND", fx_rates='{"USD": 25000.5}')
    shop.line(100, 5, currency="USD")
    shop.line(400_000, 6, currency="VND")
    shop.line(9, 7, currency="EUR")
    shop.refresh()
    got = shop.metrics()
    assert (got.currency, got.orders, got.freq_90d, got.orders_without_rate) == ("VND", 3, 3, 1)
    assert (got.monetary_90d, got.avg_order_value) == (2_900_050, 1_450_025)
    assert shop.metrics("b").currency == "VND"


def test_a_losers_orders_count_once_and_for_the_winner(shop: Shop) -> None:
    shop.profile("loser", into="a")
    shop.line(70, 5, transaction_id="o1")
    shop.line(30, 5, profile="loser", transaction_id="o1")  # LEO moves only some of an order's edges
    shop.line(50, 9, profile="loser")
    shop.derive("resolve_profiles", "resolve_transactions")
    assert shop.refresh() == 1
    got = shop.metrics()
    assert (got.orders, got.monetary_90d) == (2, 150)
    assert shop.metrics("loser") is None


@pytest.mark.parametrize("status", ["merged", "invalid", "removed", "dead"])
def test_a_profile_that_is_not_active_has_no_row(shop: Shop, status: str) -> None:
    shop.refresh()
    shop.change("customer_profile", "a", status=status)
    assert shop.refresh() == 1
    assert shop.metrics() is None


def test_the_row_of_a_vanished_profile_is_removed(shop: Shop) -> None:
    shop.profile("b")
    assert shop.refresh() == 2
    shop.bury("customer_profile", "a")
    assert shop.refresh() == 1
    assert shop.metrics() is None
    assert shop.metrics("b") is not None


def test_a_vanished_line_no_longer_counts(shop: Shop) -> None:
    shop.line(100)
    gone = shop.line(900)
    shop.refresh()
    shop.bury("transactional_context", gone)
    assert shop.refresh() == 1
    assert (shop.metrics().orders, shop.metrics().monetary_90d) == (1, 100)


def test_a_second_refresh_writes_nothing(shop: Shop) -> None:
    shop.profile("b")
    shop.line(Decimal("33.3333"), 5, transaction_id="o1")
    shop.line(Decimal("0.0001"), 5, currency="VND")
    assert shop.refresh() == 2
    before = shop.metrics()
    assert shop.refresh() == 0
    assert shop.metrics() == before
    shop.line(1, 5, profile="b")
    assert shop.refresh() == 1  # only the row that changed
    assert shop.metrics() == before


def test_two_refreshes_in_one_transaction_do_not_mix(shop: Shop, shared: Warehouse) -> None:
    shop.line(100, 5)
    with shared.tenant(shop.tenant) as conn:
        before = AS_OF - timedelta(days=6)
        for as_of, written in ((AS_OF, 1), (AS_OF, 0), (before, 1), (AS_OF, 1), (before, 1)):
            row = conn.execute("select cdp.refresh_customer_metrics(%s, %s)", (shop.tenant, as_of)).fetchone()
            assert row == (written,)
    assert (shop.metrics().orders, shop.metrics().segment) == (0, "prospective")


def test_what_is_later_than_as_of_is_ignored(shop: Shop) -> None:
    shop.line(100, 5)
    shop.line(900, -1)
    shop.refresh()
    assert (shop.metrics().orders, shop.metrics().monetary_90d) == (1, 100)
    shop.refresh(AS_OF - timedelta(days=6))
    assert (shop.metrics().orders, shop.metrics().segment) == (0, "prospective")
    shop.refresh(AS_OF + timedelta(days=2))
    assert (shop.metrics().orders, shop.metrics().monetary_90d) == (2, 1000)


def test_without_as_of_it_is_now(shop: Shop) -> None:
    shop.line(100, (AS_OF - AS_OF.now(AS_OF.tzinfo)).total_seconds() / 86_400 + 5)
    shop.derive("refresh_customer_metrics")
    assert (shop.metrics().freq_90d, shop.metrics().experience_score) == (1, 43)


def test_a_call_for_another_tenant_is_refused_and_changes_nothing(shop: Shop, shared: Warehouse) -> None:
    other = Shop(shared)
    other.profile("a")
    shop.refresh()
    shop.line(100)
    call = "select cdp.refresh_customer_metrics(%s)"
    with shared.tenant(other.tenant) as conn:
        refusal = f"open for tenant {other.tenant}, the call is for {shop.tenant}"
        with pytest.raises(psycopg.errors.RaiseException, match=refusal):
            conn.execute(call, (shop.tenant,))
        conn.rollback()
    with shared.control() as conn:
        with pytest.raises(psycopg.errors.RaiseException, match="open for tenant none, the call is for"):
            conn.execute(call, (shop.tenant,))
        conn.rollback()
    assert shop.metrics().orders == 0
    assert other.metrics() is None


def test_orders_of_another_tenant_with_equal_keys_do_not_count(shop: Shop, shared: Warehouse) -> None:
    other = Shop(shared)
    other.profile("a")
    other.line(900, 5, transaction_id="o1")
    other.config(cac=999)
    shop.line(100, 5, transaction_id="o1")
    shop.refresh()
    assert (shop.metrics().monetary_90d, shop.metrics().clv_est) == (100, Decimal("1211.67"))


def test_the_largest_amounts_do_not_stop_the_refresh(shop: Shop) -> None:
    shop.profile("b")
    for _ in range(3):
        shop.line(MOST, 5)
    shop.line(100, 5, profile="b")
    assert shop.refresh() == 2
    assert shop.metrics().monetary_90d == 3 * MOST
    assert shop.metrics("b").monetary_90d == 100
