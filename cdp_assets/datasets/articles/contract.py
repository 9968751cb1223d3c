"""Columns and rules of `datasets.articles_content`, `articles_tfidf` and `articles_image_vectors`."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.articles.prices import STOCK_BUCKETS
from cdp_assets.datasets.reviews.language import LANGUAGES

_SHA256 = r"^[0-9a-f]{64}$"


class Articles(dy.Schema):
    """One row per article."""

    article_id = dy.String(primary_key=True, min_length=1)
    sku = dy.String(nullable=True)
    prod_name = dy.String(nullable=True)
    product_group_name = dy.String(nullable=True)
    brand = dy.String(nullable=True)
    detail_desc = dy.String(nullable=True)
    desc_lang = dy.String()
    desc_len = dy.Int64(min=0)
    price = dy.Decimal(38, 4, nullable=True, min=0)
    currency = dy.String(nullable=True)
    price_log = dy.Float64(nullable=True, min=0)
    normalized_price = dy.Float64(nullable=True, min=0, max=1)
    price_pct_in_category = dy.Float64(nullable=True, min=0, max=1)
    price_robust_z = dy.Float64(nullable=True)
    stock = dy.Int64(nullable=True)
    normalized_stock = dy.Float64(nullable=True, min=0, max=1)
    stock_bucket = dy.String(nullable=True)
    category_id = dy.Int64(nullable=True)
    category_name = dy.String(nullable=True)
    parent_category_id = dy.Int64(nullable=True)
    root_category_id = dy.Int64(nullable=True)
    category_depth = dy.Int64(nullable=True, min=0)
    category_path = dy.String(nullable=True)
    lifecycle_days = dy.Int64(nullable=True, min=0)
    created_at = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC")
    last_updated = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC")
    content_hash = dy.String(regex=_SHA256)
    attr_hash = dy.String(regex=_SHA256)
    price_hash = dy.String(regex=_SHA256)
    bert_embedding_ref = dy.String(nullable=True)

    @dy.rule()
    def language_is_known(cls) -> pl.Expr:
        return pl.col("desc_lang").is_in(list(LANGUAGES))

    @dy.rule()
    def bucket_is_known(cls) -> pl.Expr:
        return pl.col("stock_bucket").is_in(list(STOCK_BUCKETS))

    @dy.rule()
    def depth_goes_with_root(cls) -> pl.Expr:
        return pl.col("category_depth").is_null() == pl.col("root_category_id").is_null()


class ArticlesTfidf(dy.Schema):
    """One row per article, and row of the matrix."""

    article_id = dy.String(primary_key=True, min_length=1)
    tfidf_vector_ref = dy.Int64(min=0)
    n_terms = dy.Int64(min=0)
    norm = dy.Float64(min=0)
    content_hash = dy.String(regex=_SHA256)


class ArticlesImageVectors(dy.Schema):
    """One row per article with an image, and model. What a vector must be is checked as a whole (`image_checks`)."""

    article_id = dy.String(primary_key=True, min_length=1)
    model_id = dy.String(primary_key=True, min_length=1)
    model_revision = dy.String()
    modality = dy.String(regex="^image$")
    dim = dy.Int64(min=1)
    vector = dy.List(dy.Float32())
    vector_norm = dy.Float64()
    image_sha256 = dy.String(regex=_SHA256)
