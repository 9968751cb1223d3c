"""The inputs of all datasets: canonical rows of one tenant as frames, up to the end of `as_of`.

Belongs here: which columns are read of which view, and the cut in time: what happened after `as_of` is not read. What
says that it lies ahead of the tenant's today, or has no time, is read, so that it can be named (`limits`). No name,
e-mail, phone or address is read, so no dataset can hold one. Whoever could not be linked is customer (or article)
`unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

import polars as pl
from psycopg import sql

from cdp_assets.datasets.model import Scope
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.frames import Schema, read_frame

TIME = pl.Datetime("us", "UTC")
MONEY = pl.Decimal(38, 4)
UNKNOWN = "unknown"
NO_END = datetime(9999, 12, 31, tzinfo=UTC)
"""End of a promotion without one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An input: what is read, and the assets that it comes from.

    Attributes:
        query: may use %(until)s (first instant after the scope's last day), %(ahead)s (after the tenant's today) and
            %(timezone)s.
        deps: schema.table of the relations that it reads.
        made_by: name in `ops.etl_runs` of the dataset that it is a table of; None for what is no dataset.
    """

    query: LiteralString
    schema: Schema
    deps: tuple[str, ...]
    made_by: str | None = None


FRAMES: dict[str, Frame] = {
    # One row per purchased line. Day in the tenant's zone. `is_revenue`: the order counts as a sale.
    "purchases": Frame(
        "select p.purchase_key, p.source, p.order_key, p.order_number, p.customer_key as customer_id, "
        "p.product_key as article_id, p.channel, p.order_status, coalesce(s.is_revenue, false) as is_revenue, "
        "p.purchased_at, (p.purchased_at at time zone %(timezone)s)::date as purchased_on, p.quantity, p.unit_price, "
        "p.line_total, p.currency from intermediate.int_purchases as p left join marts.dim_order_status as s "
        "on p.order_status = s.order_status "
        "where (p.purchased_at >= %(until)s and p.purchased_at < %(ahead)s) is not true",
        {
            "purchase_key": pl.String, "source": pl.String, "order_key": pl.String, "order_number": pl.String,
            "customer_id": pl.String, "article_id": pl.String, "channel": pl.String, "order_status": pl.String,
            "is_revenue": pl.Boolean, "purchased_at": TIME, "purchased_on": pl.Date, "quantity": pl.Int64,
            "unit_price": MONEY, "line_total": MONEY, "currency": pl.String,
        },
        ("intermediate.int_purchases", "intermediate.int_main_currency", "marts.dim_order_status"),
    ),
    # One row per person, as LEO and the shop know them together.
    "customers": Frame(
        "select customer_key as customer_id, gender, birth_date, city, country, language, customer_since, is_in_shop, "
        "is_in_leo, root_profile_id from intermediate.int_customers "
        "where (customer_since >= %(until)s and customer_since < %(ahead)s) is not true",
        {
            "customer_id": pl.String, "gender": pl.String, "birth_date": pl.Date, "city": pl.String,
            "country": pl.String, "language": pl.String, "customer_since": TIME, "is_in_shop": pl.Boolean,
            "is_in_leo": pl.Boolean, "root_profile_id": pl.String,
        },
        ("intermediate.int_customers",),
    ),
    # One row per article.
    "articles": Frame(
        "select p.product_key as article_id, p.product_name, p.product_description, p.product_category, "
        "p.category_path, p.brand, p.sku, p.unit_price, p.currency, p.stock_quantity, p.is_in_shop, p.is_in_leo, "
        "p.shop_product_id, p.leo_product_key, p.product_since, p.last_updated, s.category_id "
        "from intermediate.int_products as p left join staging.stg_products as s "
        "on p.tenant_id = s.tenant_id and p.shop_product_id = s.product_id "
        "where (p.product_since >= %(until)s and p.product_since < %(ahead)s) is not true",
        {
            "article_id": pl.String, "product_name": pl.String, "product_description": pl.String,
            "product_category": pl.String, "category_path": pl.String, "brand": pl.String, "sku": pl.String,
            "unit_price": MONEY, "currency": pl.String, "stock_quantity": pl.Int64, "is_in_shop": pl.Boolean,
            "is_in_leo": pl.Boolean, "shop_product_id": pl.Int64, "leo_product_key": pl.String,
            "product_since": TIME, "last_updated": TIME, "category_id": pl.Int64,
        },
        ("intermediate.int_products", "staging.stg_products"),
    ),
    # One row per category of the shop, an adjacency list.
    "categories": Frame(
        "select category_id, category_name, parent_id from staging.stg_categories",
        {"category_id": pl.Int64, "category_name": pl.String, "parent_id": pl.Int64},
        ("staging.stg_categories",),
    ),
    # One row per act: events of either source that dataset F counts, each told once and by a person. The customer is
    # the one that the event names: whom a visitor turned out to be later was not known on the day.
    "events": Frame(
        "select event_type, event_at, event_on, customer_id, session_id, article_id from datasets.events_enriched "
        "where (event_at >= %(until)s and event_at < %(ahead)s) is not true "
        "and not is_duplicate and not is_bot and not is_quarantined",
        {
            "event_type": pl.String, "event_at": TIME, "event_on": pl.Date, "customer_id": pl.String,
            "session_id": pl.String, "article_id": pl.String,
        },
        ("datasets.events_enriched",),
        "datasets.events",
    ),
    # One row per review or rating.
    "reviews": Frame(
        "select review_key as review_id, source, customer_key as customer_id, product_key as article_id, rating, "
        "comment, language, created_at from intermediate.int_reviews "
        "where (created_at >= %(until)s and created_at < %(ahead)s) is not true",
        {
            "review_id": pl.String, "source": pl.String, "customer_id": pl.String, "article_id": pl.String,
            "rating": pl.Float64, "comment": pl.String, "language": pl.String, "created_at": TIME,
        },
        ("intermediate.int_reviews",),
    ),
    # One row per article, as dataset B cleaned it.
    "articles_content": Frame(
        "select article_id, sku, prod_name, product_group_name, brand, detail_desc, content_hash "
        "from datasets.articles_content where created_at is null or created_at < %(until)s",
        {
            "article_id": pl.String, "sku": pl.String, "prod_name": pl.String, "product_group_name": pl.String,
            "brand": pl.String, "detail_desc": pl.String, "content_hash": pl.String,
        },
        ("datasets.articles_content",),
        "datasets.articles_content",
    ),
    # One row per review, as dataset E reads it; lists as their JSON text.
    "reviews_nlp": Frame(
        "select review_id, article_id, category_id, rating, review_text, language, created_at, review_age_days, "
        "sentiment_score, rating_sentiment_conflict, aspects, is_spam, duplicate_of, verified_purchase "
        "from datasets.reviews_nlp where created_at < %(until)s",
        {
            "review_id": pl.String, "article_id": pl.String, "category_id": pl.Int64, "rating": pl.Float64,
            "review_text": pl.String, "language": pl.String, "created_at": TIME, "review_age_days": pl.Int64,
            "sentiment_score": pl.Float64, "rating_sentiment_conflict": pl.Boolean, "aspects": pl.String,
            "is_spam": pl.Boolean, "duplicate_of": pl.String, "verified_purchase": pl.Boolean,
        },
        ("datasets.reviews_nlp",),
        "datasets.reviews_nlp",
    ),
    # One row per promotion of the shop; it covers everything it sells.
    "promotions": Frame(
        "select promotion_id, promotion_code, promotion_name, discount_percent, starts_at, ends_at, created_at "
        "from staging.stg_promotions where (created_at >= %(until)s and created_at < %(ahead)s) is not true",
        {
            "promotion_id": pl.Int64, "promotion_code": pl.String, "promotion_name": pl.String,
            "discount_percent": pl.Float64, "starts_at": TIME, "ends_at": TIME, "created_at": TIME,
        },
        ("staging.stg_promotions",),
    ),
}  # fmt: skip


def read(connection: Connection, scope: Scope, name: str) -> pl.DataFrame:
    """One input of one tenant, inside a transaction of the tenant."""
    frame = FRAMES[name]
    return read_frame(
        connection,
        sql.SQL(frame.query),
        frame.schema,
        {"until": scope.until, "ahead": scope.ahead, "timezone": scope.timezone},
    )
