"""Short words for the inputs of dataset A, and building it.

Belongs here: rows of frames from the little that a test says of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.interactions import INTERACTIONS
from cdp_assets.datasets.model import Audit, Built, Frames, Scope

ZONE = "Asia/Ho_Chi_Minh"
AS_OF = date(2026, 6, 30)
SCOPE = Scope("acme", AS_OF, ZONE, "VND")


def noon(days_ago: int, minutes: int = 0) -> datetime:
    """Noon of the tenant's day so many days before `AS_OF`, UTC."""
    local = datetime.combine(AS_OF - timedelta(days=days_ago), time(12), ZoneInfo(ZONE))
    return (local + timedelta(minutes=minutes)).astimezone(UTC)


def local_day(at: datetime) -> date:
    """The tenant's day."""
    return at.astimezone(ZoneInfo(ZONE)).date()


def line(
    customer: str, article: str, at: datetime, total: str = "100", *, key: str = "", **values: Any
) -> dict[str, Any]:
    """A sale line in the main currency."""
    return {
        "purchase_key": key or f"shop:{customer}-{article}-{at:%Y%m%d%H%M%S}-{total}",
        "customer_id": customer, "article_id": article, "is_revenue": True, "purchased_at": at,
        "purchased_on": local_day(at), "quantity": 1, "line_total": Decimal(total), "currency": "VND",
        "channel": "web", **values,
    }  # fmt: skip


def event(customer: str, article: str | None, kind: str, at: datetime) -> dict[str, Any]:
    """An event."""
    return {
        "customer_id": customer, "article_id": article, "event_type": kind, "event_at": at,
        "event_on": local_day(at),
    }  # fmt: skip


def review(customer: str, article: str, rating: float | None, at: datetime) -> dict[str, Any]:
    """A review."""
    return {"customer_id": customer, "article_id": article, "rating": rating, "created_at": at}


def frames(
    lines: Iterable[Mapping[str, Any]] = (),
    events: Iterable[Mapping[str, Any]] = (),
    reviews: Iterable[Mapping[str, Any]] = (),
    articles: Iterable[Mapping[str, Any]] = (),
) -> dict[str, pl.DataFrame]:
    """The inputs, what a row does not say being null."""
    given = {"purchases": lines, "events": events, "reviews": reviews, "articles": articles}
    return {
        name: pl.DataFrame([dict(row) for row in rows], schema=dict(FRAMES[name].schema))
        for name, rows in given.items()
    }


def build(inputs: Frames, *, scope: Scope = SCOPE, previous: Mapping[str, bytes] | None = None) -> Built:
    """The dataset, its rows in the order of the key."""
    built: Built = INTERACTIONS.build(scope, **inputs, previous=previous or {})
    return Built(built.table.sort(INTERACTIONS.key), built.files, built.time_column, built.numbers)


def row(built: Built, customer: str, article: str) -> dict[str, Any]:
    """The one row of a pair."""
    return built.table.row(
        by_predicate=(pl.col("customer_id") == customer) & (pl.col("article_id") == article), named=True
    )


def table_of(built: Built, file: str) -> pl.DataFrame:
    """A Parquet file of the version."""
    return pl.read_parquet(BytesIO(built.files[file]))


def splits(built: Built) -> pl.DataFrame:
    """splits.parquet with keys in the place of ids."""
    return (
        table_of(built, "splits.parquet")
        .join(table_of(built, "user_index.parquet"), on="user")
        .join(table_of(built, "item_index.parquet"), on="item")
    )


def audit(inputs: Frames, built: Built) -> Audit:
    """What the checks look at."""
    kept, failures = INTERACTIONS.contract.filter(built.table)
    return Audit(SCOPE, kept.sort(INTERACTIONS.key), failures.details(), inputs, built, (), lambda: None)
