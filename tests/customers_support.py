"""Frames for dataset C: rows in short words, and a random world with everything that may go wrong in it.

Belongs here: what several of its tests share. Does not belong here: what the features should be (`customers_oracle`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from cdp_assets.datasets.customers.build import build, features, snapshot
from cdp_assets.datasets.customers.contract import CustomerFeatures
from cdp_assets.datasets.customers.dataset import CUSTOMER_FEATURES
from cdp_assets.datasets.customers.people import TIME_OF, numbered
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Scope

ZONE = "Asia/Ho_Chi_Minh"
AS_OF = date(2026, 6, 29)
SCOPE = Scope("acme", AS_OF, ZONE, "VND")

Rows = dict[str, list[dict[str, Any]]]


def at(day: date, hour: int = 12) -> datetime:
    """That hour of that day, on the tenant's clock."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def ago(days: int, hour: int = 12) -> datetime:
    """So many days before `AS_OF`."""
    return at(AS_OF - timedelta(days=days), hour)


def line(
    customer: str,
    when: datetime,
    amount: float | str = 100,
    *,
    order: str = "",
    quantity: int = 1,
    currency: str = "VND",
    status: str = "completed",
    article: str = "shop:1",
    channel: str = "web",
) -> dict[str, Any]:
    """A purchased line; without an order's name it is an order of its own."""
    money = Decimal(str(amount))
    return {
        "order_key": order or f"order of {customer} at {when.isoformat()}",
        "customer_id": customer,
        "article_id": article,
        "channel": channel,
        "order_status": status,
        "is_revenue": status in {"completed", "shipped", "processing"},
        "purchased_at": when,
        "quantity": quantity,
        "unit_price": money / (quantity or 1),
        "line_total": money,
        "currency": currency,
    }


def event(customer: str, when: datetime, kind: str = "page-view", **more: Any) -> dict[str, Any]:
    """An event."""
    return {"event_type": kind, "event_at": when, "customer_id": customer, **more}


def person(customer: str, since: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A customer, known from the start of the world unless said otherwise."""
    known = since or datetime(2024, 1, 1, tzinfo=UTC)
    return {"customer_id": customer, "customer_since": known, "is_in_shop": True, "is_in_leo": True, **more}


def frames(**rows: Iterable[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """The inputs of the dataset, typed as they are read; days follow from times, keys from places."""
    days = {"purchased_on": "purchased_at", "event_on": "event_at"}
    keys = {"purchases": "purchase_key", "reviews": "review_id"}
    found = {}
    for name in CUSTOMER_FEATURES.reads:
        schema = FRAMES[name].schema
        frame = pl.DataFrame(list(rows.get(name, ())), schema={**schema}, orient="row")
        for day, time in days.items():
            if day in schema:
                local = pl.col(time).dt.convert_time_zone(ZONE).dt.date()
                frame = frame.with_columns(local.alias(day))
        if name in keys:
            number = pl.int_range(pl.len()).cast(pl.String)
            frame = frame.with_columns(pl.coalesce(keys[name], number).alias(keys[name]))
        found[name] = frame
    return found


def features_of(scope: Scope = SCOPE, **rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Customer id -> features. Whoever bought or came is a customer unless `customers` are given."""
    seen = {row["customer_id"] for name in ("purchases", "events", "reviews") for row in rows.get(name, ())}
    rows.setdefault("customers", [person(customer) for customer in sorted(seen - {"unknown"})])
    table = build(scope, **frames(**rows)).table
    return {row["customer_id"]: row for row in CustomerFeatures.validate(table).iter_rows(named=True)}


def features_at(inputs: dict[str, pl.DataFrame], scope: Scope) -> pl.DataFrame:
    """The features alone, without training rows and files."""
    world = numbered(inputs)
    return features(snapshot(world, scope)).join(world.ids, "customer").sort("customer_id")


def audit_of(inputs: dict[str, pl.DataFrame], scope: Scope = SCOPE) -> Audit:
    """What the checks look at after a build of the inputs, cut at the end of `as_of` as they are when they are read."""
    inputs = {
        name: frame.filter(pl.col(time).is_null() | (pl.col(time) < scope.until))
        if (time := TIME_OF.get(name))
        else frame
        for name, frame in inputs.items()
    }
    built = build(scope, **inputs)
    kept, failures = CustomerFeatures.filter(built.table)
    return Audit(scope, kept.sort("customer_id"), failures.details(), inputs, built, (), lambda: None)


EVENT_NAMES = (
    "page-view", "item-view", "product_view", "add-to-cart", "cart", "remove_from_cart", "add-wishlist",
    "order-checkout", "purchase", "search", "click", "mystery",
)  # fmt: skip


def random_rows(seed: int, customers: int = 50, days: int = 400) -> Rows:
    """A world of its own: rare and frequent buyers, returns, free items, other currencies, cancelled orders, unlinked
    rows, events without session, sign-ups after the first purchase, and times at midnight to the microsecond."""
    rng = np.random.default_rng(seed)
    ids = [f"leo:{number:03d}" for number in range(customers)]
    first = AS_OF - timedelta(days=days)

    def moment() -> datetime:
        day = first + timedelta(days=int(rng.integers(0, days + 30)))
        if rng.random() < 0.2:
            return at(day, 0) - timedelta(microseconds=int(rng.integers(0, 2)))
        return at(day, 0) + timedelta(seconds=int(rng.integers(0, 86_400)))

    weights = rng.gamma(0.6, 1.0, customers + 1)
    weights /= weights.sum()

    def somebody() -> str:
        return [*ids, "unknown"][int(rng.choice(customers + 1, p=weights))]

    purchases = []
    for number in range(12 * customers):
        who, when = somebody(), moment()
        status = str(rng.choice(["completed", "shipped", "cancelled", "pending"], p=[0.7, 0.1, 0.12, 0.08]))
        currency = str(rng.choice(["VND", "USD"], p=[0.8, 0.2]))
        channel = str(rng.choice(["web", "store", "unknown"]))
        for _ in range(int(rng.integers(1, 4))):
            amount = int(rng.choice([-250, 0, 99, 150, 4_000], p=[0.08, 0.08, 0.4, 0.34, 0.1]))
            article = f"shop:{int(rng.integers(1, 9))}"
            later = timedelta(hours=30) if rng.random() < 0.1 else timedelta()
            purchases.append(
                line(
                    who, when + later, amount, order=f"shop:{number}", quantity=int(rng.integers(1, 4)),
                    currency=currency, status=status, article=article, channel=channel,
                )
            )  # fmt: skip
    events = [
        event(
            somebody(),
            moment(),
            str(rng.choice(EVENT_NAMES)),
            session_id=None if rng.random() < 0.1 else f"s{int(rng.integers(0, 15 * customers))}",
            article_id=None if rng.random() < 0.3 else f"shop:{int(rng.integers(1, 9))}",
        )
        for _ in range(30 * customers)
    ]
    reviews = [
        {
            "customer_id": somebody(),
            "rating": None if rng.random() < 0.1 else float(rng.integers(2, 11)) / 2,
            "created_at": moment(),
        }
        for _ in range(2 * customers)
    ]
    people = [
        person(
            customer, None if rng.random() < 0.1 else moment(),
            birth_date=None if rng.random() < 0.2 else date(1950 + int(rng.integers(0, 80)), 6, 29),
        )
        for customer in ids
    ]  # fmt: skip
    articles = [
        {
            "article_id": f"shop:{number}",
            "category_path": f"All > {'ABC'[number % 3]}",
            "brand": "XY"[number % 2],
        }
        for number in range(1, 8)
    ]
    promotions = [
        {"starts_at": start, "ends_at": start + timedelta(days=length)}
        for start, length in ((at(first), 10), (at(first + timedelta(days=5)), 2), (ago(50), 20))
    ]
    return {
        "purchases": purchases, "events": events, "reviews": reviews, "customers": people, "articles": articles,
        "promotions": promotions,
    }  # fmt: skip
