"""Columns and rules of the tables of dataset F, and of the events that they are made of."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.frames import MONEY, TIME
from cdp_assets.warehouse.frames import Schema

RAW: Schema = {
    "event_id": pl.String, "source": pl.String, "source_event_type": pl.String, "event_at": TIME,
    "received_at": TIME, "customer_id": pl.String, "customer_reference": pl.String, "visitor_id": pl.String,
    "client_session_id": pl.String, "article_id": pl.String, "product_reference": pl.String,
    "category_id": pl.Int64, "order_number": pl.String, "order_reference": pl.String, "order_value": MONEY,
    "currency": pl.String, "page": pl.String, "campaign_id": pl.String, "utm_source": pl.String,
    "device_type": pl.String, "browser": pl.String, "is_imported": pl.Boolean, "source_is_conversion": pl.Boolean,
    "query_hash": pl.Int64,
}  # fmt: skip
"""An event as the sources tell it: what all else is computed from. `customer_id` is `unknown` where it names nobody."""


def _time(*, nullable: bool = False) -> dy.Datetime:
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable)


class Events(dy.Schema):
    """One row per event of either source."""

    event_id = dy.String(primary_key=True, min_length=1)
    source = dy.String()
    source_event_type = dy.String()
    event_at = _time()
    received_at = _time(nullable=True)
    customer_id = dy.String(min_length=1)
    customer_reference = dy.String(nullable=True)
    visitor_id = dy.String(nullable=True)
    client_session_id = dy.String(nullable=True)
    article_id = dy.String(nullable=True)
    product_reference = dy.String(nullable=True)
    category_id = dy.Int64(nullable=True)
    order_number = dy.String(nullable=True)
    order_reference = dy.String(nullable=True)
    order_value = dy.Decimal(38, 4, nullable=True)
    currency = dy.String(nullable=True)
    page = dy.String(nullable=True)
    campaign_id = dy.String(nullable=True)
    utm_source = dy.String(nullable=True)
    device_type = dy.String(nullable=True)
    browser = dy.String(nullable=True)
    is_imported = dy.Bool()
    source_is_conversion = dy.Bool(nullable=True)
    query_hash = dy.Int64(nullable=True)
    event_type = dy.String()
    is_known_type = dy.Bool()
    event_on = dy.Date()
    event_hour = dy.Int8(min=0, max=23)
    event_day = dy.Int8(min=0, max=6)
    is_conversion = dy.Bool()
    lateness_s = dy.Float64(nullable=True)
    stitched_customer_id = dy.String(nullable=True)
    stitch_method = dy.String(check=lambda col: col.is_in(["known", "visitor", "shared", "none"]))
    visitor_key = dy.String(min_length=1)
    is_order_told_before = dy.Bool()
    session_id = dy.String(nullable=True)
    session_start = _time(nullable=True)
    time_since_session_start = dy.Float64(nullable=True, min=0)
    event_index = dy.Int64(nullable=True, min=1)
    gap_s = dy.Float64(nullable=True, min=0)
    is_duplicate = dy.Bool()
    is_bot = dy.Bool()
    bot_reason = dy.String(nullable=True)
    is_quarantined = dy.Bool()

    @dy.rule()
    def tracked_events_have_a_session(cls) -> pl.Expr:
        return pl.col("session_id").is_null() == pl.col("is_imported")


class Sessions(dy.Schema):
    """One row per session."""

    session_id = dy.String(primary_key=True, min_length=1)
    visitor_key = dy.String(min_length=1)
    customer_id = dy.String(min_length=1)
    session_index = dy.Int64(min=1)
    started_on = dy.Date()
    first_event = _time()
    last_event = _time()
    duration_s = dy.Float64(min=0, max=86_400)
    events = dy.Int64(min=1)
    views = dy.Int64(min=0)
    clicks = dy.Int64(min=0)
    wishlist = dy.Int64(min=0)
    searches = dy.Int64(min=0)
    carts = dy.Int64(min=0)
    removes = dy.Int64(min=0)
    checkouts = dy.Int64(min=0)
    buys = dy.Int64(min=0)
    articles = dy.Int64(min=0)
    funnel_stage = dy.String(nullable=True)
    converted = dy.Bool()
    time_to_convert = dy.Float64(nullable=True, min=0)
    orders = dy.Int64(min=0)
    revenue = dy.Decimal(38, 4)
    bounce = dy.Bool()
    engaged = dy.Bool()
    cart_abandoned = dy.Bool()
    landing_page = dy.String(nullable=True)
    exit_page = dy.String(nullable=True)
    utm_source = dy.String(nullable=True)
    campaign_id = dy.String(nullable=True)
    device_type = dy.String(nullable=True)
    is_bot = dy.Bool()
    bot_reason = dy.String(nullable=True)
    is_quarantined = dy.Bool()

    @dy.rule()
    def ends_after_it_begins(cls) -> pl.Expr:
        return pl.col("first_event") <= pl.col("last_event")


class Behavior(dy.Schema):
    """One row per customer who was on the pages up to `as_of`."""

    customer_id = dy.String(primary_key=True, min_length=1)
    total_events = dy.Int64(min=1)
    total_sessions = dy.Int64(min=1)
    avg_session_length_seconds = dy.Float64(min=0)
    views = dy.Int64(min=0)
    clicks = dy.Int64(min=0)
    carts = dy.Int64(min=0)
    buys = dy.Int64(min=0)
    wishlist_events = dy.Int64(min=0)
    conversion_rate = dy.Float64(min=0, max=1)
    click_through_rate = dy.Float64(nullable=True, min=0)
    add_to_cart_rate = dy.Float64(nullable=True, min=0)
    cart_abandon_rate = dy.Float64(nullable=True, min=0, max=1)
    view_to_buy_rate = dy.Float64(nullable=True, min=0)
    dominant_event_type = dy.String()
    events_1d = dy.Int64(min=0)
    events_7d = dy.Int64(min=0)
    events_30d = dy.Int64(min=0)
    views_1d = dy.Int64(min=0)
    views_7d = dy.Int64(min=0)
    views_30d = dy.Int64(min=0)
    carts_1d = dy.Int64(min=0)
    carts_7d = dy.Int64(min=0)
    carts_30d = dy.Int64(min=0)
    buys_1d = dy.Int64(min=0)
    buys_7d = dy.Int64(min=0)
    buys_30d = dy.Int64(min=0)
    active_days_30d = dy.Int64(min=0, max=30)
    first_event_at = _time()
    last_event_at = _time()
    last_purchase_at = _time(nullable=True)
    open_cart_since = _time(nullable=True)
    open_cart_articles = dy.List(dy.String())
    cart_abandoned = dy.Bool()


class FunnelMembers(dy.Schema):
    """One row per funnel, day and session or visitor who entered it that day."""

    funnel_id = dy.String(primary_key=True, min_length=1)
    day = dy.Date(primary_key=True)
    member_id = dy.String(primary_key=True, min_length=1)
    visitor_key = dy.String(min_length=1)
    customer_id = dy.String(min_length=1)
    entry_event_id = dy.String(min_length=1)
    entered_at = _time()
    reached = dy.Int64(min=1)
    state = dy.String(check=lambda col: col.is_in(["completed", "open", "dropped"]))
    open_until = _time(nullable=True)
    step_seconds = dy.List(dy.Float64())


class FunnelDays(dy.Schema):
    """One row per funnel, day of entry and step."""

    funnel_id = dy.String(primary_key=True, min_length=1)
    day = dy.Date(primary_key=True)
    step = dy.Int64(primary_key=True, min=1)
    event_type = dy.String()
    count_by = dy.String(check=lambda col: col.is_in(["session", "visitor"]))
    entered = dy.Int64(min=0)
    completed = dy.Int64(min=0)
    open = dy.Int64(min=0)
    dropped = dy.Int64(min=0)
    rate_prev = dy.Float64(nullable=True, min=0, max=1)
    rate_first = dy.Float64(nullable=True, min=0, max=1)
    median_seconds = dy.Float64(nullable=True, min=0)
    p90_seconds = dy.Float64(nullable=True, min=0)
    median_seconds_from_entry = dy.Float64(nullable=True, min=0)

    @dy.rule()
    def states_sum_to_entered(cls) -> pl.Expr:
        return pl.col("entered") == pl.col("completed") + pl.col("open") + pl.col("dropped")


CONTRACTS: dict[str, type[dy.Schema]] = {
    "events_enriched": Events,
    "session_funnel": Sessions,
    "customer_behavior": Behavior,
    "funnel_member": FunnelMembers,
    "funnel_daily": FunnelDays,
}
"""Table of schema `datasets` -> its contract, in the order in which they are made."""
