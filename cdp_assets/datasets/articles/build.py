"""From articles and categories to one cleaned row per article, and the change set of the version.

Belongs here: putting the parts together. Price and stock are those of the run; their history is in marts.dim_products.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import polars as pl

from cdp_assets.datasets.articles import changes, prices
from cdp_assets.datasets.articles.contract import Articles
from cdp_assets.datasets.categories import tree
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Built, Scope
from cdp_assets.datasets.reviews.language import NONE, detect
from cdp_assets.datasets.reviews.normalise import repaired

TEXT = ("prod_name", "detail_desc", "product_group_name", "brand")
ATTRIBUTES = ("sku", "category_id", "category_path")
PRICE = ("price", "currency")
"""Columns of `content_hash`, `attr_hash` and `price_hash`."""


def build(
    scope: Scope, articles: pl.DataFrame, categories: pl.DataFrame, previous: Mapping[str, bytes]
) -> Built:
    """All articles known until the end of `as_of`; a later time of change is not told.

    Files: `changes.parquet` (article_id, change) against the last version of an earlier day, `fingerprints.parquet`.
    """
    found = tree(categories)
    local_day = pl.col("created_at").dt.convert_time_zone(scope.timezone).dt.date()
    table = (
        articles.sort("article_id")
        .filter(pl.col("article_id") != UNKNOWN)
        .select(
            "article_id",
            pl.col("sku").str.strip_chars().str.to_uppercase(),
            _text("product_name").alias("prod_name"),
            _text("product_category").alias("product_group_name"),
            _text("brand"),
            _text("product_description").alias("detail_desc"),
            pl.col("unit_price").alias("price"),
            "currency",
            pl.col("stock_quantity").alias("stock"),
            "category_id",
            pl.col("product_since").alias("created_at"),
            pl.when(pl.col("last_updated") < scope.until).then("last_updated").alias("last_updated"),
            # vectors are made of LEO's products: `embedding.product_embedding.entity_key`
            pl.col("leo_product_key").alias("bert_embedding_ref"),
        )
        .pipe(_mended)
        .join(found.rows, on="category_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("category_path", "product_group_name").alias("category_path"),
            pl.coalesce(pl.col("category_id").cast(pl.String), "product_group_name").alias("group"),
            pl.col("detail_desc").str.len_chars().fill_null(0).cast(pl.Int64).alias("desc_len"),
            (pl.lit(scope.as_of) - local_day).dt.total_days().alias("lifecycle_days"),
        )
        .pipe(prices.scaled)
        .pipe(_languages)
    )
    table = table.with_columns(
        changes.hashed(table, columns).alias(name)
        for name, columns in (("content_hash", TEXT), ("attr_hash", ATTRIBUTES), ("price_hash", PRICE))
    ).select(*Articles.columns())
    now = changes.fingerprints(scope.as_of, table)
    known = previous.get(changes.FINGERPRINTS)
    base = changes.base_of(scope.as_of, pl.read_parquet(BytesIO(known)) if known else None)
    changed = changes.changes(now, base)
    counts = dict(changed["change"].value_counts().iter_rows())
    return Built(
        table,
        files={
            changes.CHANGES: parquet(changed),
            changes.FINGERPRINTS: parquet(now if base is None else pl.concat([base, now])),
        },
        time_column="created_at",
        numbers={
            **{kind: counts.get(kind, 0) for kind in changes.KINDS},
            "articles_before": 0 if base is None else base.height,
            "category_roots": len(found.roots),
            "categories_without_parent": len(found.orphans),
            "categories_in_cycles": len(found.cyclic),
        },
    )


def _text(name: str) -> pl.Expr:
    """One spelling, no markup, single blanks."""
    plain = pl.col(name).str.normalize("NFC").str.replace_all(r"(?i)</?[a-z][^<>]*>", " ")
    # a blank alone stays as it is: to replace each by itself takes three times as long
    return plain.str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars()


def _mended(articles: pl.DataFrame) -> pl.DataFrame:
    """Texts with broken encodings undone; null where nothing is said."""
    filled = articles.with_columns(pl.when(pl.col(name) != "").then(name).alias(name) for name in TEXT)
    return filled.with_columns(repaired(filled[name]).alias(name) for name in TEXT)


def _languages(articles: pl.DataFrame) -> pl.DataFrame:
    """`desc_lang`: of the description, or of the name where there is none."""
    said = articles.select("article_id", pl.coalesce("detail_desc", "prod_name").alias("said")).drop_nulls()
    texts = said.select("said").unique(maintain_order=True).with_row_index("text_id")
    spoken = texts.join(detect(texts), on="text_id").select("said", pl.col("language").alias("desc_lang"))
    return articles.join(
        said.join(spoken, on="said").select("article_id", "desc_lang"),
        on="article_id",
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("desc_lang").fill_null(NONE))
