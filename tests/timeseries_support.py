"""A small shop in frames for the tests of dataset D, and short words for its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Built, Dataset, Scope
from cdp_assets.warehouse.options import TenantOptions

AS_OF = date(2026, 6, 28)
"""A Sunday: the last day of ISO week 26."""

SCOPE = Scope("acme", AS_OF, "Asia/Ho_Chi_Minh", "VND", TenantOptions(default_region="VN"))


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """An input with these rows; columns that they do not name are null."""
    return pl.DataFrame(list(rows), schema=dict(FRAMES[name].schema))


def line(on: date, article: str = "shop:1", **values: Any) -> dict[str, Any]:
    """One piece of an article for 1,000 VND, in a completed order of the day."""
    filled = {
        "article_id": article,
        "customer_id": "shop:7",
        "is_revenue": True,
        "purchased_on": on,
        "purchased_at": datetime(on.year, on.month, on.day, tzinfo=UTC),
        "quantity": 1,
        "line_total": Decimal(1000),
        "currency": "VND",
        "order_status": "completed",
    }
    return filled | values


def daily_lines(counts: Sequence[int], last: date = AS_OF, article: str = "shop:1") -> list[dict[str, Any]]:
    """So many lines on each day, of which the last is `last`."""
    first = last - timedelta(days=len(counts) - 1)
    return [
        line(first + timedelta(days=day), article) for day, count in enumerate(counts) for _ in range(count)
    ]


ARTICLES = frame(
    "articles",
    [
        {"article_id": "shop:1", "category_id": 2, "product_name": "Lamp", "unit_price": Decimal(1000)},
        {"article_id": "shop:2", "category_id": 2, "product_name": "Vase", "unit_price": Decimal(1000)},
        {"article_id": "shop:3", "category_id": 3, "product_name": "Desk", "unit_price": Decimal(1000)},
        {"article_id": "shop:4", "category_id": 9, "product_name": "Orphan", "unit_price": Decimal(1000)},
        {"article_id": "leo:5", "product_category": "Sách", "product_name": "Book", "unit_price": Decimal(1000)},
        {"article_id": "shop:6", "product_name": "Thing", "unit_price": Decimal(1000)},
    ],
)  # fmt: skip
CATEGORIES = frame(
    "categories",
    [
        {"category_id": 1, "category_name": "All", "parent_id": None},
        {"category_id": 2, "category_name": "Home", "parent_id": 1},
        {"category_id": 3, "category_name": "Wood", "parent_id": 2},
        {"category_id": 4, "category_name": "Lost", "parent_id": 77},
    ],
)
PROMOTIONS = frame("promotions", [])


def inputs(
    rows: Sequence[Mapping[str, Any]], *, promotions: pl.DataFrame = PROMOTIONS
) -> dict[str, pl.DataFrame]:
    """All inputs of dataset D, with these purchases."""
    return {
        "purchases": frame("purchases", rows),
        "articles": ARTICLES,
        "categories": CATEGORIES,
        "promotions": promotions,
    }


def built(dataset: Dataset, frames: Mapping[str, pl.DataFrame], scope: Scope = SCOPE) -> Built:
    """What a dataset makes of the inputs that it reads."""
    return dataset.build(scope, **{name: frames[name] for name in dataset.reads})


def table(dataset: Dataset, frames: Mapping[str, pl.DataFrame], scope: Scope = SCOPE) -> pl.DataFrame:
    """The rows, all of which keep the contract, sorted by key."""
    found = built(dataset, frames, scope).table
    kept, refused = dataset.contract.filter(found)
    assert not len(refused), refused.counts()
    return kept.sort(dataset.key)


def audit(dataset: Dataset, frames: Mapping[str, pl.DataFrame], changed: pl.DataFrame | None = None) -> Audit:
    """What the checks look at; `changed` stands for what the build made."""
    made = built(dataset, frames)
    rows = made.table if changed is None else changed
    return Audit(SCOPE, rows, rows.head(0), frames, made, (), lambda: None)


def series(rows: pl.DataFrame, level: str, series_id: str) -> pl.DataFrame:
    """The rows of one series."""
    return rows.filter(pl.col("level") == level, pl.col("series_id") == series_id)


def failed(dataset: Dataset, looked: Audit) -> dict[str, int]:
    """Name of each check that fails -> how much is wrong."""
    found = {check.name: check.measure(looked) for check in dataset.checks}
    return {name: measure.failing for name, measure in found.items() if not measure.passed}
