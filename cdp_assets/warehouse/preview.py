"""A few rows for people to look at, personal data masked.

Belongs here: what an asset's page in the UI shows of its table. A personal column is masked whatever it holds; every
other text is masked unless its column is known to hold no personal data, so that a new column is hidden until someone
decides otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg import sql

from cdp_assets.cleaning.personal import personal_columns
from cdp_assets.warehouse.connection import Connection

OPEN_COLUMNS = frozenset(
    {
        "segment_id", "segment_type", "status", "cdp_profile_id", "root_profile_id", "profile_type", "data_context",
        "language", "country", "product_key", "item_id", "product_item.title", "category", "brand",
        "currency", "event_id", "event_name", "device_type", "order_status", "state", "txn_id", "txn_type",
        "txn_status", "feedback_id", "feedback_type", "channel", "decision", "segment", "segment.name",
        "categories.name", "sku", "order_number", "order_key", "purchase_key", "product_version_key", "product_name",
        "product_category", "category_path", "source", "event_type", "link_rule", "code",
        "customer_id", "article_id", "review_id", "series_id", "level", "method", "model_id", "model_version",
        "rfm_segment", "rfm_cell", "prod_name", "stock_bucket", "desc_lang", "sentiment_label", "funnel_id",
        "funnel_stage", "feature", "events_enriched.session_id", "session_funnel.session_id", "date", "day",
        "week_start", "first_purchase_date", "last_purchase_date",
    }
)  # fmt: skip
"""Columns of texts and days without personal data: by name wherever they are, or of one table."""

ROWS = 5


def masked(value: Any) -> str:
    """A value of which only the shape is left: `l***` for a text, the number of items for a list."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"{value[:1]}***" if value else ""
    return f"{len(value)} items" if isinstance(value, list) else "***"


def preview(
    connection: Connection,
    rows_of: sql.Composed,
    relation: str,
    columns: Sequence[str],
    newest_by: str | None = None,
) -> str:
    """Rows as a Markdown table of the given columns: the newest, or any.

    `rows_of` is what stands behind `from`, with its condition; `relation` is `schema.table`.
    """
    newest = sql.SQL("order by {} desc").format(sql.Identifier(newest_by)) if newest_by else sql.SQL("")
    rows = connection.execute(
        sql.SQL("select {} from {} {} limit {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), rows_of, newest, sql.Literal(ROWS)
        )
    ).fetchall()
    return markdown(
        columns,
        ([_shown(relation, name, value) for name, value in zip(columns, row, strict=True)] for row in rows),
    )


_MARKUP = re.compile(r"[\\`|\[\]<>&]")
"""Characters by which a cell could become a link, an image that calls its server, HTML, or two cells."""


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Cells are text of others: each is shown as it is, and never read as Markdown."""
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(map(_cell, row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(text: str) -> str:
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def _shown(relation: str, column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in personal_columns(relation):
        return masked(value)
    if isinstance(value, bool | int | float | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if column in OPEN_COLUMNS or f"{relation.rpartition('.')[2]}.{column}" in OPEN_COLUMNS:
        return str(value)[:60]
    return str(value.year) if isinstance(value, date) else masked(value)
