"""Features of dataset C by hand: totals, windows, rates, tastes, people; and what must not be in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from cdp_assets.datasets.customers.build import build
from cdp_assets.datasets.customers.contract import CustomerFeatures
from cdp_assets.datasets.event_types import ALIASES, EVENT_TYPES, canonical
from tests.customers_support import AS_OF, SCOPE, ago, at, event, features_of, frames, line, person


def one(**rows: Any) -> dict[str, Any]:
    """Features of customer `a`."""
    return features_of(**rows)["a"]


# -- purchases ---------------------------------------------------------------------------------------------------------


def test_totals_of_lines_orders_and_items_without_fan_out() -> None:
    found = one(
        purchases=[
            line("a", ago(40), "100.5000", order="first", quantity=2),
            line("a", ago(40), "50.2500", order="first"),
            line("a", ago(40), 0, order="first"),
            line("a", ago(10), 300, order="second", quantity=3),
        ]
    )
    assert {name: found[name] for name in ("total_transactions", "total_orders", "total_items_bought")} == {
        "total_transactions": 4, "total_orders": 2, "total_items_bought": 7,
    }  # fmt: skip
    assert found["total_amount_spent"] == found["total_revenue"] == Decimal("450.7500")
    assert found["avg_order_value"] == pytest.approx(225.375)
    assert found["avg_transaction_value"] == pytest.approx(112.6875)
    assert found["avg_basket_size"] == 3.5
    assert (found["first_purchase_date"], found["last_purchase_date"]) == (
        AS_OF - timedelta(days=40), AS_OF - timedelta(days=10),
    )  # fmt: skip
    assert (found["tenure_days"], found["recency_days"]) == (40, 10)


def test_money_is_summed_to_the_last_digit() -> None:
    found = one(purchases=[line("a", ago(1), "0.1") for _ in range(3)] + [line("a", ago(1), 10**15)])
    assert found["total_amount_spent"] == Decimal("1000000000000000.3000")


def test_a_return_lowers_what_was_spent_and_is_no_purchase() -> None:
    found = one(purchases=[line("a", ago(20), 500), line("a", ago(20), 100), line("a", ago(2), -200)])
    assert (found["total_amount_spent"], found["total_revenue"]) == (400, 600)
    assert (found["total_transactions"], found["returned_lines"], found["return_rate"]) == (2, 1, 0.5)
    assert (found["total_orders"], found["recency_days"]) == (1, 20)
    assert found["spend_7d"] == -200


def test_cancelled_orders_are_counted_apart() -> None:
    cancelled = [line("a", ago(3), 70, order="x", status="cancelled") for _ in range(3)]
    found = one(purchases=[*cancelled, line("a", ago(3), 70), line("a", ago(2), 70, status="pending")])
    assert (found["cancelled_orders"], found["total_orders"], found["total_amount_spent"]) == (1, 1, 70)


def test_other_currencies_are_counted_and_never_mixed() -> None:
    found = one(
        purchases=[
            line("a", ago(9), 100),
            line("a", ago(8), 7, currency="USD", quantity=2),
            line("a", ago(7), -3, currency="USD"),
        ]
    )
    assert (found["total_orders"], found["orders_in_currency"], found["total_items_bought"]) == (2, 1, 3)
    assert (found["total_transactions"], found["transactions_in_currency"]) == (2, 1)
    assert (found["total_amount_spent"], found["avg_order_value"], found["spend_30d"]) == (100, 100, 100)


def test_who_bought_in_another_currency_alone_has_no_mean_value() -> None:
    found = one(purchases=[line("a", ago(9), 7, currency="USD")])
    assert (found["total_orders"], found["total_amount_spent"]) == (1, 0)
    assert (found["avg_order_value"], found["avg_transaction_value"]) == (None, None)


def test_windows_end_with_the_day_and_begin_so_many_days_before() -> None:
    days = [0, 6, 7, 29, 30, 89, 90, 179, 180, 364, 365]
    found = one(purchases=[line("a", ago(day), 10, quantity=2) for day in days])
    assert [found[f"orders_{size}d"] for size in (7, 30, 90, 180, 365)] == [2, 4, 6, 8, 10]
    assert [found[f"items_{size}d"] for size in (7, 30, 90, 180, 365)] == [4, 8, 12, 16, 20]
    assert [found[f"spend_{size}d"] for size in (7, 30, 90, 180, 365)] == [20, 40, 60, 80, 100]


def test_six_and_twelve_months_are_those_of_the_calendar() -> None:
    """Six months before 29 June is 29 December, 182 days; the day itself is outside."""
    inside, outside = at(date(2025, 12, 30)), at(date(2025, 12, 29))
    found = one(
        purchases=[line("a", inside, 10), line("a", outside, 20), line("a", at(date(2025, 6, 29)), 40)]
    )
    assert (found["frequency_6m"], found["monetary_6m"]) == (1, 10)
    assert (found["frequency_12m"], found["monetary_12m"]) == (2, 30)


def test_rhythm_of_days_with_an_order() -> None:
    found = one(purchases=[line("a", ago(day, hour)) for day, hour in ((50, 9), (50, 20), (40, 9), (10, 9))])
    assert (found["total_orders"], found["order_days"]) == (4, 3)
    assert (found["days_between_orders_mean"], found["days_to_next_expected"]) == (20, 10)
    assert found["days_between_orders_std"] == pytest.approx(200**0.5)
    once = one(purchases=[line("a", ago(50))])
    assert (once["days_between_orders_mean"], once["days_between_orders_std"]) == (None, None)
    assert once["days_to_next_expected"] is None


def test_trends_compare_the_last_30_days_with_those_before() -> None:
    found = one(purchases=[line("a", ago(day)) for day in (0, 5, 29, 30, 59, 60)])
    assert found["orders_trend_30d"] == pytest.approx(4 / 3)
    assert one(customers=[person("a")])["orders_trend_30d"] == 1


# -- events ------------------------------------------------------------------------------------------------------------


def test_names_of_all_sources_are_understood() -> None:
    names = [*EVENT_TYPES, *ALIASES, "Page-View", "ADD_TO_CART", "add-to-cart", "mystery", None]
    found = (
        pl.DataFrame({"name": names}).select(canonical(pl.col("name")).cast(pl.String)).to_series().to_list()
    )
    assert found == [*EVENT_TYPES, *ALIASES.values(), "view", "add_to_cart", "add_to_cart", None, None]


def test_events_are_counted_by_kind_and_unknown_ones_in_all() -> None:
    kinds = [
        "page-view",
        "item-view",
        "click",
        "add-to-cart",
        "cart",
        "buy",
        "add-wishlist",
        "search",
        "mystery",
    ]
    found = one(events=[event("a", ago(1), kind) for kind in kinds])
    counted = {
        name: found[name]
        for name in ("session_events", "views", "clicks", "carts", "buys", "wishlist_events")
    }
    assert counted == {
        "session_events": 9,
        "views": 2,
        "clicks": 1,
        "carts": 2,
        "buys": 1,
        "wishlist_events": 1,
    }


def test_rates_are_null_where_there_is_nothing_to_divide_by() -> None:
    rates = (
        "conversion_rate",
        "click_through_rate",
        "add_to_cart_rate",
        "view_to_buy_rate",
        "cart_abandon_rate",
    )
    nothing = one(customers=[person("a")])
    assert [nothing[name] for name in (*rates, "return_rate", "avg_basket_size", "weekend_share")] == [
        None
    ] * 8
    found = one(
        events=[event("a", ago(1), kind) for kind in ("view", "view", "click", "cart", "cart", "buy")]
    )
    assert [found[name] for name in rates] == [0.5, 0.5, 1.0, 0.5, 0.5]


def test_more_purchases_than_carts_or_views_leave_rates_within_0_and_1() -> None:
    found = one(events=[event("a", ago(1), kind) for kind in ("view", "cart", "buy", "buy", "buy")])
    assert (found["conversion_rate"], found["cart_abandon_rate"]) == (1.0, 0.0)


def test_sources_that_tell_no_click_give_no_click_rate() -> None:
    views = [event("a", ago(1), "view"), event("b", ago(1), "view")]
    assert features_of(events=views)["a"]["click_through_rate"] is None
    clicked = features_of(events=[*views, event("b", ago(1), "click")])
    assert (clicked["a"]["click_through_rate"], clicked["b"]["click_through_rate"]) == (0.0, 1.0)


def test_smoothed_rates_lean_on_all_customers_where_one_has_few_trials() -> None:
    rows = [event("many", ago(1), "view") for _ in range(180)] + [
        event("many", ago(1), "buy") for _ in range(18)
    ]
    found = features_of(events=[*rows, event("few", ago(1), "view"), event("few", ago(1), "buy")])
    usual = 19 / 181
    assert found["few"]["conversion_rate"] == 1.0
    assert found["few"]["conversion_rate_smoothed"] == pytest.approx((1 + 20 * usual) / 21)
    assert found["many"]["conversion_rate_smoothed"] == pytest.approx((18 + 20 * usual) / 200)


def test_a_session_counts_once_in_each_window_that_it_reaches() -> None:
    rows = [
        event("a", ago(day), session_id=session)
        for day, session in ((6, "s"), (7, "s"), (8, "t"), (40, None))
    ]
    found = one(events=rows)
    assert (found["total_sessions"], found["sessions_7d"], found["sessions_30d"]) == (2, 1, 2)
    assert (found["days_since_last_event"], found["active_days"]) == (6, 4)


def test_wishes_and_carts_are_distinct_articles() -> None:
    told = [
        ("add-wishlist", "x"),
        ("add-wishlist", "x"),
        ("add-wishlist", "y"),
        ("cart", "x"),
        ("cart", None),
    ]
    found = one(events=[event("a", ago(1), kind, article_id=article) for kind, article in told])
    assert (found["wishlist_events"], found["wishlist_size"], found["carts"], found["cart_additions"]) == (
        3,
        2,
        2,
        1,
    )


def test_the_dominant_type_is_the_most_frequent_and_of_equals_the_earlier_in_a_visit() -> None:
    kinds = ["search", "search", "cart", "cart", "view", "mystery", "mystery", "mystery"]
    assert one(events=[event("a", ago(1), kind) for kind in kinds])["dominant_event_type"] == "add_to_cart"
    assert one(events=[event("a", ago(1), "mystery")])["dominant_event_type"] is None


@pytest.mark.parametrize(("days", "active"), [(0, True), (89, True), (90, False)])
def test_active_is_who_bought_or_came_within_90_days(days: int, active: bool) -> None:
    assert one(events=[event("a", ago(days))])["active"] is active
    assert one(purchases=[line("a", ago(days))], events=[event("a", ago(300))])["active"] is active
    assert one(customers=[person("a")])["active"] is False


# -- tastes ------------------------------------------------------------------------------------------------------------

ARTICLES = [
    {"article_id": "tea", "category_path": "All > Drinks > Tea", "product_category": "Trà", "brand": "Lotus"},
    {"article_id": "cup", "category_path": None, "product_category": "Cups", "brand": "Lotus"},
    {"article_id": "pot", "category_path": "All > Pots", "product_category": "Pots", "brand": None},
    {"article_id": "odd", "category_path": None, "product_category": None, "brand": None},
]


def test_categories_by_items_with_shares_and_entropy() -> None:
    bought = [("tea", 2), ("cup", 1), ("pot", 1), ("odd", 5), ("gone", 9)]
    rows = [line("a", ago(9), 10, article=article, quantity=pieces) for article, pieces in bought]
    found = one(purchases=[*rows, line("a", ago(1), -10, article="pot", quantity=7)], articles=ARTICLES)
    assert (found["top_category"], found["top_category_share"], found["categories_bought"]) == ("Tea", 0.5, 3)
    assert found["top_categories"] == [
        {"category": "Tea", "share": 0.5}, {"category": "Cups", "share": 0.25}, {"category": "Pots", "share": 0.25},
    ]  # fmt: skip
    assert found["category_entropy"] == pytest.approx(1.5)
    assert (found["top_brand"], found["top_brand_share"]) == ("Lotus", 1.0)


def test_one_category_alone_has_no_entropy_and_none_has_null() -> None:
    assert (
        str(one(purchases=[line("a", ago(9), article="tea")], articles=ARTICLES)["category_entropy"]) == "0.0"
    )
    assert one(purchases=[line("a", ago(9), article="odd")], articles=ARTICLES)["top_category"] is None


def test_price_level_is_the_place_among_all_prices_of_the_category() -> None:
    rows = [
        line(name, ago(9), price, article="tea")
        for name, price in (("a", 90), ("b", 10), ("c", 50), ("d", 50))
    ]
    rows.append(line("a", ago(9), 1, article="tea", currency="USD"))
    found = features_of(purchases=rows, articles=ARTICLES)
    assert [found[name]["price_level"] for name in "abcd"] == [0.875, 0.125, 0.5, 0.5]


def test_channel_weekday_hour_and_weekend_are_of_orders() -> None:
    friday, saturday = at(date(2026, 6, 26), 9), at(date(2026, 6, 27), 21)
    rows = [line("a", saturday, order="one", channel="store") for _ in range(5)]
    rows += [line("a", friday, channel="web"), line("a", at(date(2026, 6, 19), 9), channel="web")]
    rows += [line("a", at(date(2026, 6, 12), 9), channel="unknown")]
    found = one(purchases=rows)
    assert (found["most_used_sales_channel"], found["most_used_channel_share"]) == (
        "web",
        pytest.approx(2 / 3),
    )
    assert (found["preferred_weekday"], found["preferred_hour"], found["weekend_share"]) == (5, 9, 0.25)


def test_a_promotion_without_end_runs_on_under_those_that_end() -> None:
    endless = {"starts_at": ago(40), "ends_at": None}
    ended = {"starts_at": ago(30), "ends_at": ago(20)}
    later = {"starts_at": ago(10), "ends_at": ago(9)}
    bought = [line("a", ago(day)) for day in (50, 35, 25, 15, 5)]
    for running, share in (([endless], 4 / 5), ([endless, ended, later], 4 / 5), ([ended, later], 1 / 5)):
        assert one(purchases=bought, promotions=running)["promotion_share"] == share


def test_promotions_that_overlap_count_an_order_once() -> None:
    promotions = [
        {"starts_at": ago(100), "ends_at": ago(50)}, {"starts_at": ago(90), "ends_at": ago(80)},
        {"starts_at": ago(20), "ends_at": ago(10)},
    ]  # fmt: skip
    days = (101, 100, 85, 60, 50, 30, 15, 10)
    found = one(purchases=[line("a", ago(day)) for day in days], promotions=promotions)
    assert found["promotion_share"] == 4 / 8
    assert one(purchases=[line("a", ago(3))])["promotion_share"] == 0


def test_reviews_without_a_rating_count_and_do_not_lower_the_mean() -> None:
    rows = [{"customer_id": "a", "rating": rating, "created_at": ago(3)} for rating in (5.0, 2.35, None)]
    found = one(reviews=rows)
    assert (found["reviews_written"], found["rating_mean"]) == (3, pytest.approx(3.675))


# -- people ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "age"),
    [
        (date(1990, 6, 29), 36), (date(1990, 6, 30), 35), (date(1990, 12, 31), 35), (date(2000, 2, 29), 26),
        (date(2026, 6, 30), None), (date(1890, 1, 1), None), (None, None),
    ],
)  # fmt: skip
def test_age_in_whole_years_where_it_is_possible(born: date | None, age: int | None) -> None:
    assert one(customers=[person("a", birth_date=born)])["age"] == age


def test_sign_up_is_a_day_of_the_tenant() -> None:
    """17:30 UTC is half past midnight of the next day in Ho Chi Minh City."""
    found = one(customers=[person("a", at(date(2026, 6, 20), 0) + timedelta(minutes=30))])
    assert (found["signup_date"], found["signup_age_days"]) == (date(2026, 6, 20), 9)


def test_everybody_known_has_one_row_and_buyers_who_are_no_customers_yet_too() -> None:
    found = features_of(
        purchases=[line("guest", ago(3), 70), line("guest", ago(2), 30), line("unknown", ago(1), 999)],
        events=[event("unknown", ago(1)), event("stranger", ago(1))],
        customers=[person("a"), person("later", SCOPE.until)],
    )
    assert set(found) == {"a", "guest"}
    assert (found["guest"]["signup_date"], found["guest"]["total_amount_spent"]) == (None, 100)


def test_no_column_is_personal_and_seed_columns_keep_their_names() -> None:
    columns = CustomerFeatures.column_names()
    seed = {
        "customer_id", "age", "signup_date", "signup_age_days", "active", "total_transactions", "total_amount_spent",
        "avg_transaction_value", "first_purchase_date", "last_purchase_date", "recency_days", "frequency_6m",
        "frequency_12m", "monetary_6m", "monetary_12m", "r_score", "f_score", "m_score", "rfm_score", "total_orders",
        "avg_order_value", "total_items_bought", "total_revenue", "avg_basket_size", "wishlist_size",
        "cart_additions", "cart_abandon_rate", "most_used_sales_channel", "top_category", "session_events", "views",
        "clicks", "carts", "buys", "wishlist_events", "conversion_rate", "click_through_rate", "add_to_cart_rate",
        "view_to_buy_rate", "dominant_event_type", "lifetime_value_estimate",
    }  # fmt: skip
    assert seed <= set(columns)
    assert not {"first_name", "last_name", "email", "phone", "address", "birth_date", "gender"} & set(columns)


def test_an_empty_tenant_has_an_empty_table_with_every_column() -> None:
    built = build(replace(SCOPE, tenant_id="empty"), **frames())
    assert CustomerFeatures.validate(built.table).columns == CustomerFeatures.column_names()
