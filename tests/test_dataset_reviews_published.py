"""Datasets B and E in the warehouse: what was published is read back, and adds up per article."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets import frames
from cdp_assets.datasets.articles import ARTICLES
from cdp_assets.datasets.publish import build
from cdp_assets.datasets.reviews import REVIEW_PRODUCTS, REVIEWS
from cdp_assets.warehouse.connection import Warehouse
from tests import test_dataset_articles as articles
from tests import test_dataset_reviews as reviews


def test_reviews_are_published_and_add_up(warehouse: Warehouse, tmp_path: Path) -> None:
    store, scope = ArtifactStore(tmp_path), reviews.SCOPE
    inputs = reviews.inputs(
        reviews.review(1, "Hàng đẹp, giao quá chậm 😍"),
        reviews.review(2, None, rating=2.0),
        reviews.review(3, "a"),
    )
    first = build(warehouse, store, REVIEWS, scope, inputs, "run-1")
    assert (first.blocked_by, first.written and first.written.inserted) == ([], 3)
    with warehouse.tenant("acme") as conn:
        read = frames.read(conn, scope, "reviews_nlp")
    found = build(warehouse, store, REVIEW_PRODUCTS, scope, {"reviews_nlp": read}, "run-2").audit.table
    (row,) = found.rows(named=True)
    assert (row["n_reviews"], row["rating_mean"]) == (2, 3.5)
    assert [each["aspect"] for each in row["aspects"]] == ["delivery", "quality"]
    with warehouse.tenant("acme") as conn:
        stored = conn.execute("select aspects -> 0 ->> 'aspect' from datasets.review_products").fetchone()
    assert stored == ("delivery",)


def test_publishing_again_writes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    store, inputs = (
        ArtifactStore(tmp_path),
        reviews.inputs(reviews.review(1), reviews.review(2, "Poor quality")),
    )
    first = build(warehouse, store, REVIEWS, reviews.SCOPE, inputs, "run-1")
    again = build(warehouse, store, REVIEWS, reviews.SCOPE, inputs, "run-2")
    assert again.manifest.version == first.manifest.version
    assert again.written is not None
    assert again.written.rows == 0


def test_a_catalogue_remembers_the_day_before(warehouse: Warehouse, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def publish(run: str, *rows: dict[str, object]) -> pl.DataFrame:
        day = articles.DAY.replace(day=28 if run == "run-1" else 29)
        found = build(warehouse, store, ARTICLES, articles.scope(day), articles.inputs(*rows), run)
        assert found.blocked_by == []
        return pl.read_parquet(store.read(found.manifest, "changes.parquet"))

    publish("run-1", articles.article("a"), articles.article("b"))
    later = [articles.article("a", product_name="Áo khoác"), articles.article("c")]
    expected = [("a", "text_changed"), ("b", "removed"), ("c", "added")]
    assert publish("run-2", *later).rows() == expected
    assert publish("run-3", *later).rows() == expected
