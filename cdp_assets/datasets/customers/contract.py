"""Columns and rules of `datasets.customer_features`."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.customers.rfm import PROSPECT, SEGMENTS
from cdp_assets.datasets.event_types import EVENT_TYPES


def _count() -> dy.Int64:
    return dy.Int64(min=0)


def _money() -> dy.Decimal:
    return dy.Decimal(38, 4)


def _share() -> dy.Float64:
    return dy.Float64(nullable=True, min=0, max=1)


def _amount() -> dy.Float64:
    return dy.Float64(nullable=True, min=0)


def _score() -> dy.Int8:
    return dy.Int8(nullable=True, min=1, max=5)


class CustomerFeatures(dy.Schema):
    """One row per customer, with or without a purchase; as known at the end of `as_of`."""

    customer_id = dy.String(primary_key=True, min_length=1)
    age = dy.Int16(nullable=True, min=0, max=120)
    country = dy.String(nullable=True)
    language = dy.String(nullable=True)
    is_in_shop = dy.Bool()
    is_in_leo = dy.Bool()
    signup_date = dy.Date(nullable=True)
    signup_age_days = dy.Int64(nullable=True, min=0)
    active = dy.Bool()

    total_transactions = _count()
    transactions_in_currency = _count()
    total_amount_spent = _money()
    avg_transaction_value = dy.Float64(nullable=True)
    first_purchase_date = dy.Date(nullable=True)
    last_purchase_date = dy.Date(nullable=True)
    recency_days = dy.Int64(nullable=True, min=0)
    tenure_days = dy.Int64(nullable=True, min=0)
    total_orders = _count()
    orders_in_currency = _count()
    order_days = _count()
    total_items_bought = _count()
    total_revenue = _money()
    avg_order_value = _amount()
    avg_basket_size = _amount()
    returned_lines = _count()
    return_rate = _share()
    cancelled_orders = _count()
    days_between_orders_mean = _amount()
    days_between_orders_std = _amount()
    days_to_next_expected = dy.Float64(nullable=True)

    frequency_6m = _count()
    frequency_12m = _count()
    monetary_6m = _money()
    monetary_12m = _money()
    orders_7d = _count()
    orders_30d = _count()
    orders_90d = _count()
    orders_180d = _count()
    orders_365d = _count()
    items_7d = _count()
    items_30d = _count()
    items_90d = _count()
    items_180d = _count()
    items_365d = _count()
    spend_7d = _money()
    spend_30d = _money()
    spend_90d = _money()
    spend_180d = _money()
    spend_365d = _money()
    sessions_7d = _count()
    sessions_30d = _count()
    sessions_90d = _count()
    sessions_180d = _count()
    sessions_365d = _count()
    views_7d = _count()
    views_30d = _count()
    views_90d = _count()
    views_180d = _count()
    views_365d = _count()
    carts_7d = _count()
    carts_30d = _count()
    carts_90d = _count()
    carts_180d = _count()
    carts_365d = _count()
    orders_trend_30d = dy.Float64(min=0)
    sessions_trend_30d = dy.Float64(min=0)

    session_events = _count()
    total_sessions = _count()
    views = _count()
    clicks = _count()
    wishlist_events = _count()
    carts = _count()
    cart_removals = _count()
    checkouts = _count()
    buys = _count()
    searches = _count()
    wishlist_size = _count()
    cart_additions = _count()
    conversion_rate = _share()
    click_through_rate = _share()
    add_to_cart_rate = _share()
    view_to_buy_rate = _share()
    cart_abandon_rate = _share()
    conversion_rate_smoothed = _share()
    cart_abandon_rate_smoothed = _share()
    dominant_event_type = dy.String(nullable=True, check=lambda name: name.is_in(EVENT_TYPES))
    active_days = _count()
    days_since_last_event = dy.Int64(nullable=True, min=0)

    most_used_sales_channel = dy.String(nullable=True)
    most_used_channel_share = _share()
    categories_bought = _count()
    top_category = dy.String(nullable=True)
    top_category_share = _share()
    top_categories = dy.List(
        dy.Struct({"category": dy.String(), "share": dy.Float64(min=0, max=1)}), nullable=True
    )
    category_entropy = _amount()
    top_brand = dy.String(nullable=True)
    top_brand_share = _share()
    price_level = _share()
    preferred_weekday = dy.Int8(nullable=True, min=1, max=7)
    preferred_hour = dy.Int8(nullable=True, min=0, max=23)
    weekend_share = _share()
    promotion_share = _share()
    reviews_written = _count()
    rating_mean = dy.Float64(nullable=True, min=1, max=5)

    r_score = _score()
    f_score = _score()
    m_score = _score()
    rfm_score = dy.Int8(nullable=True, min=3, max=15)
    rfm_cell = dy.String(nullable=True, regex=r"^[1-5]{3}$")
    rfm_segment = dy.String(check=lambda name: name.is_in([*SEGMENTS, PROSPECT]))

    p_alive = _share()
    expected_purchases_30 = _amount()
    expected_purchases_90 = _amount()
    expected_purchases_180 = _amount()
    expected_spend = _amount()
    clv_180 = _amount()
    lifetime_value_estimate = dy.Float64(nullable=True)
    model_version = dy.String(nullable=True)

    @dy.rule()
    def first_is_not_after_last(cls) -> pl.Expr:
        return pl.col("first_purchase_date") <= pl.col("last_purchase_date")

    @dy.rule()
    def scores_are_of_buyers(cls) -> pl.Expr:
        bought = pl.col("total_orders") > 0
        return (bought == pl.col("rfm_score").is_not_null()) & (bought == (pl.col("rfm_segment") != PROSPECT))

    @dy.rule()
    def windows_are_nested(cls) -> pl.Expr:
        return pl.all_horizontal(
            (pl.col(f"{name}_7d") <= pl.col(f"{name}_30d"))
            & (pl.col(f"{name}_30d") <= pl.col(f"{name}_90d"))
            & (pl.col(f"{name}_90d") <= pl.col(f"{name}_180d"))
            & (pl.col(f"{name}_180d") <= pl.col(f"{name}_365d"))
            & (pl.col(f"{name}_365d") <= pl.col(whole))
            for name, whole in {
                "orders": "total_orders",
                "items": "total_items_bought",
                "sessions": "total_sessions",
                "views": "views",
                "carts": "carts",
            }.items()
        )
