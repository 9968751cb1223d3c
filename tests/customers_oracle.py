"""What the features of one customer at one moment should be, by going through all rows in plain Python.

Belongs here: the definitions once more, written down as slowly as they are said. Nothing of the product is used but the
names of the event types.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import mean, stdev
from typing import Any
from zoneinfo import ZoneInfo

from tests.customers_support import ZONE, Rows

KINDS = {
    "page-view": "view", "item-view": "view", "product_view": "view", "add-to-cart": "add_to_cart",
    "cart": "add_to_cart", "remove_from_cart": "remove_from_cart", "add-wishlist": "wishlist",
    "order-checkout": "checkout_start", "purchase": "purchase", "search": "search", "click": "click",
}  # fmt: skip
ORDER = (
    "view", "click", "wishlist", "add_to_cart", "remove_from_cart", "checkout_start", "purchase", "search",
)  # fmt: skip
DAYS = (7, 30, 90, 180, 365)


def day_of(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(ZONE)).date()


def months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = 31
    while True:
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            last -= 1


def oracle(rows: Rows, customer: str, as_of: date) -> dict[str, Any]:
    """Column -> value, of everything that concerns one customer alone."""

    def mine(name: str, time: str) -> list[dict[str, Any]]:
        return [row for row in rows[name] if row["customer_id"] == customer and day_of(row[time]) <= as_of]

    lines = [row for row in mine("purchases", "purchased_at") if row["is_revenue"]]
    bought = [row for row in lines if row["line_total"] >= 0 and row["quantity"] >= 0]
    found = _of_lines(lines, bought, as_of)
    found |= _of_orders(bought, as_of, rows)
    found |= _of_tastes(bought, rows)
    cancelled = {
        row["order_key"] for row in mine("purchases", "purchased_at") if row["order_status"] == "cancelled"
    }
    events = mine("events", "event_at")
    days = {day_of(row["event_at"]) for row in events}
    for order in {row["order_key"] for row in bought}:
        days.add(min(day_of(row["purchased_at"]) for row in bought if row["order_key"] == order))
    found |= _of_events(events, as_of) | {"cancelled_orders": len(cancelled), "active_days": len(days)}
    came = days | {day_of(row["purchased_at"]) for row in bought}
    found["active"] = any((as_of - day).days < 90 for day in came)
    ratings = [row["rating"] for row in mine("reviews", "created_at") if row["rating"] is not None]
    found |= {
        "reviews_written": len(mine("reviews", "created_at")),
        "rating_mean": mean(ratings) if ratings else None,
    }
    person = next((row for row in rows["customers"] if row["customer_id"] == customer), None)
    if person and day_of(person["customer_since"]) <= as_of:
        since = day_of(person["customer_since"])
        born = person["birth_date"]
        age = born and as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
        found |= {"signup_date": since, "signup_age_days": (as_of - since).days, "is_in_shop": True}
        found["age"] = age if age is not None and 0 <= age <= 120 else None
    else:
        found |= {"signup_date": None, "signup_age_days": None, "age": None, "is_in_shop": False}
    return found


def _total(rows: Iterable[dict[str, Any]], name: str) -> Any:
    return sum((row[name] for row in rows), Decimal(0) if name == "line_total" else 0)


def _ratio(part: int, whole: int) -> float | None:
    return min(part, whole) / whole if whole else None


def _of_lines(lines: list[dict[str, Any]], bought: list[dict[str, Any]], as_of: date) -> dict[str, Any]:
    main = [row for row in lines if row["currency"] == "VND"]
    main_bought = [row for row in bought if row["currency"] == "VND"]
    spent, revenue = _total(main, "line_total"), _total(main_bought, "line_total")
    days = [day_of(row["purchased_at"]) for row in bought]
    returned = len(lines) - len(bought)
    found: dict[str, Any] = {
        "total_transactions": len(bought),
        "transactions_in_currency": len(main_bought),
        "total_amount_spent": spent,
        "total_revenue": revenue,
        "avg_transaction_value": float(spent) / len(main_bought) if main_bought else None,
        "total_items_bought": _total(bought, "quantity"),
        "returned_lines": returned,
        "return_rate": _ratio(returned, len(bought)),
        "first_purchase_date": min(days, default=None),
        "last_purchase_date": max(days, default=None),
        "recency_days": (as_of - max(days)).days if days else None,
        "tenure_days": (as_of - min(days)).days if days else None,
    }
    for size in DAYS:
        start = as_of - timedelta(days=size)
        found[f"items_{size}d"] = _total((r for r in bought if day_of(r["purchased_at"]) > start), "quantity")
        found[f"spend_{size}d"] = _total((r for r in main if day_of(r["purchased_at"]) > start), "line_total")
    for months in (6, 12):
        start = months_before(as_of, months)
        found[f"monetary_{months}m"] = _total(
            (r for r in main if day_of(r["purchased_at"]) > start), "line_total"
        )
    return found


def _of_orders(bought: list[dict[str, Any]], as_of: date, rows: Rows) -> dict[str, Any]:
    orders: dict[str, list[dict[str, Any]]] = {}
    for row in bought:
        orders.setdefault(row["order_key"], []).append(row)
    times = [min(row["purchased_at"] for row in order) for order in orders.values()]
    ages = [(as_of - day_of(moment)).days for moment in times]
    days = sorted({day_of(moment) for moment in times})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    recency = min(((as_of - day_of(row["purchased_at"])).days for row in bought), default=0)
    main = sum(any(row["currency"] == "VND" for row in order) for order in orders.values())
    revenue = _total((row for row in bought if row["currency"] == "VND"), "line_total")
    channels = Counter(order[0]["channel"] for order in orders.values() if order[0]["channel"] != "unknown")
    local = [moment.astimezone(ZoneInfo(ZONE)) for moment in times]
    promoted = sum(
        any(offer["starts_at"] <= moment < offer["ends_at"] for offer in rows["promotions"])
        for moment in times
    )
    last, before = sum(age < 30 for age in ages), sum(30 <= age < 60 for age in ages)
    return {
        "total_orders": len(orders),
        "orders_in_currency": main,
        "order_days": len(days),
        "avg_order_value": float(revenue) / main if main else None,
        "avg_basket_size": _total(bought, "quantity") / len(orders) if orders else None,
        "days_between_orders_mean": mean(gaps) if gaps else None,
        "days_between_orders_std": stdev(gaps) if len(gaps) > 1 else None,
        "days_to_next_expected": mean(gaps) - recency if gaps else None,
        "orders_trend_30d": (last + 1) / (before + 1),
        "most_used_sales_channel": _favourite(channels),
        "most_used_channel_share": max(channels.values()) / channels.total() if channels else None,
        "preferred_weekday": _favourite(Counter(moment.isoweekday() for moment in local)),
        "preferred_hour": _favourite(Counter(moment.hour for moment in local)),
        "weekend_share": mean(moment.isoweekday() > 5 for moment in local) if local else None,
        "promotion_share": promoted / len(orders) if orders else None,
        **{f"orders_{size}d": sum(age < size for age in ages) for size in DAYS},
        **{
            f"frequency_{months}m": sum(day_of(at) > months_before(as_of, months) for at in times)
            for months in (6, 12)
        },
    }


def _of_tastes(bought: list[dict[str, Any]], rows: Rows) -> dict[str, Any]:
    articles = {row["article_id"]: row for row in rows["articles"]}
    tastes: dict[str, Counter[str]] = {"category": Counter(), "brand": Counter()}
    for row in bought:
        article = articles.get(row["article_id"])
        if article:
            tastes["category"][article["category_path"].split(" > ")[-1]] += row["quantity"]
            tastes["brand"][article["brand"]] += row["quantity"]
    categories, brands = tastes["category"], tastes["brand"]
    shares = {name: count / categories.total() for name, count in categories.items()}
    ranked = sorted(shares, key=lambda name: (-shares[name], name))
    return {
        "categories_bought": len(categories),
        "top_category": _favourite(categories),
        "top_category_share": max(shares.values(), default=None),
        "top_categories": [{"category": name, "share": shares[name]} for name in ranked[:3]] or None,
        "category_entropy": -sum(share * math.log2(share) for share in shares.values()) if shares else None,
        "top_brand": _favourite(brands),
        "top_brand_share": max(brands.values()) / brands.total() if brands else None,
    }


def _of_events(events: list[dict[str, Any]], as_of: date) -> dict[str, Any]:
    kinds = Counter(KINDS[row["event_type"]] for row in events if row["event_type"] in KINDS)
    ages = [(as_of - day_of(row["event_at"])).days for row in events]
    sessions: dict[str, int] = {}
    for row, age in zip(events, ages, strict=True):
        if row["session_id"] is not None:
            sessions[row["session_id"]] = min(age, sessions.get(row["session_id"], age))

    def within(size: int, kind: str) -> int:
        return sum(
            age < size and KINDS.get(row["event_type"]) == kind for row, age in zip(events, ages, strict=True)
        )

    def articles(kind: str) -> int:
        return len({r["article_id"] for r in events if KINDS.get(r["event_type"]) == kind} - {None})

    last, before = (
        sum(age < 30 for age in sessions.values()),
        sum(30 <= age < 60 for age in sessions.values()),
    )
    carts, buys, views, clicks = (kinds[name] for name in ("add_to_cart", "purchase", "view", "click"))
    return {
        "session_events": len(events), "views": views, "clicks": clicks, "wishlist_events": kinds["wishlist"],
        "carts": carts, "cart_removals": kinds["remove_from_cart"], "checkouts": kinds["checkout_start"], "buys": buys,
        "searches": kinds["search"], "wishlist_size": articles("wishlist"), "cart_additions": articles("add_to_cart"),
        "conversion_rate": _ratio(buys, views), "view_to_buy_rate": _ratio(buys, views),
        "click_through_rate": _ratio(clicks, views), "add_to_cart_rate": _ratio(carts, clicks),
        "cart_abandon_rate": _ratio(max(carts - buys, 0), carts),
        "dominant_event_type": max(ORDER, key=lambda kind: kinds[kind]) if kinds else None,
        "days_since_last_event": min(ages, default=None), "total_sessions": len(sessions),
        "sessions_trend_30d": (last + 1) / (before + 1),
        **{f"sessions_{size}d": sum(age < size for age in sessions.values()) for size in DAYS},
        **{f"views_{size}d": within(size, "view") for size in DAYS},
        **{f"carts_{size}d": within(size, "add_to_cart") for size in DAYS},
    }  # fmt: skip


def _favourite(counts: Counter[Any]) -> Any:
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None
