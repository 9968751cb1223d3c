"""Dataset B: one row per article, its place in the tree, comparable prices, and what changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.articles import ARTICLES
from cdp_assets.datasets.categories import tree
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Built, Scope
from cdp_assets.quality import Measure, Severity

DAY = date(2026, 6, 29)
T0 = datetime(2026, 6, 1, 3, tzinfo=UTC)
TREE = ((1, "Tất cả", None), (2, "Thời trang", 1), (3, "Nam", 2), (4, "Áo", 3), (9, "Sale", None))
"""Four levels, and a tree of its own."""


def scope(day: date = DAY) -> Scope:
    """The tenant on one day."""
    return Scope("acme", day, "Asia/Ho_Chi_Minh", "VND")


def article(key: str, **values: Any) -> dict[str, Any]:
    """A shirt of category 4 for 100,000 VND, five in stock."""
    return {
        "article_id": key, "product_name": "Áo thun", "product_description": "Áo thun cotton màu đỏ, rất mát",
        "product_category": "Áo", "brand": "Lụa", "sku": f"SKU-{key}", "unit_price": Decimal(100_000),
        "currency": "VND", "stock_quantity": 5, "category_id": 4, "leo_product_key": f"k{key}", "product_since": T0,
        "last_updated": T0, **values,
    }  # fmt: skip


def inputs(
    *articles: dict[str, Any], categories: tuple[tuple[int, str, int | None], ...] = TREE
) -> dict[str, pl.DataFrame]:
    """The frames that dataset B reads."""
    schema = FRAMES["articles"].schema
    return {
        "articles": pl.DataFrame([{**dict.fromkeys(schema), **row} for row in articles], schema=dict(schema)),
        "categories": pl.DataFrame(categories, schema=dict(FRAMES["categories"].schema), orient="row"),
    }


def build(*articles: dict[str, Any], day: date = DAY, previous: Built | None = None, **others: Any) -> Built:
    """One version; `previous` is the one published before."""
    files = {name: previous.files[name] for name in ARTICLES.continues} if previous else {}
    return ARTICLES.build(scope(day), **inputs(*articles, **others), previous=files)


def rows(*articles: dict[str, Any], **others: Any) -> pl.DataFrame:
    """Rows that keep the contract; all must."""
    return ARTICLES.contract.validate(build(*articles, **others).table).sort("article_id")


def row(**values: Any) -> dict[str, Any]:
    """The row of one article."""
    return rows(article("a", **values)).row(0, named=True)


def changes(version: Built) -> list[tuple[str, str]]:
    """What changed: (article_id, change)."""
    return pl.read_parquet(BytesIO(version.files["changes.parquet"])).rows()


def measured(name: str, *articles: dict[str, Any], previous: Built | None = None, **others: Any) -> Measure:
    """What one check says of a version."""
    version = build(*articles, previous=previous, **others)
    looked = Audit(
        scope(), version.table, version.table.head(0), inputs(*articles, **others), version, (), lambda: None
    )
    return next(check for check in ARTICLES.checks if check.name == name).measure(looked)


def test_a_place_in_the_tree_is_known_at_any_depth() -> None:
    found = row()
    assert found["category_path"] == "Tất cả > Thời trang > Nam > Áo"
    assert (found["category_depth"], found["root_category_id"], found["parent_category_id"]) == (3, 1, 3)
    assert found["category_name"] == "Áo"


def test_a_category_that_does_not_exist_leaves_the_groups_name() -> None:
    found = row(category_id=9_999)
    assert (found["category_path"], found["category_depth"], found["category_name"]) == ("Áo", None, None)


def test_cycles_and_orphans_are_named_and_stop_nothing() -> None:
    found = tree(
        inputs(categories=((1, "a", 2), (2, "b", 1), (3, "c", 1), (4, "d", 77), (5, "e", 4), (6, "f", 6)))[
            "categories"
        ]
    )
    assert (found.roots, found.orphans, found.cyclic) == ((), (4,), (1, 2, 3, 6))
    assert found.rows.filter(pl.col("category_id") == 5)["category_path"].item() == "d > e"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 11)), min_size=1, max_size=10))
def test_the_tree_agrees_with_a_walk_up_from_each_category(parents: list[int | None]) -> None:
    found = tree(
        inputs(categories=tuple((n, f"c{n}", parent) for n, parent in enumerate(parents)))["categories"]
    )
    depths = dict(found.rows.select("category_id", "category_depth").iter_rows())
    for start in range(len(parents)):
        seen, at = [start], parents[start]
        while at is not None and at < len(parents) and at not in seen:
            seen.append(at)
            at = parents[at]
        is_cyclic = at is not None and at < len(parents)
        assert depths[start] == (None if is_cyclic else len(seen) - 1)
        assert (start in found.cyclic) == is_cyclic


def test_prices_are_compared_within_category_and_currency() -> None:
    prices = {"a": 100, "b": 200, "c": 200, "d": 400}
    table = rows(
        *(article(key, unit_price=Decimal(price)) for key, price in prices.items()),
        article("e", unit_price=Decimal(3), currency="USD"),
    )
    assert table["price_pct_in_category"].to_list() == pytest.approx([0, 0.5, 0.5, 1, None])
    # median 200, quartiles 175 and 250
    assert table["price_robust_z"].to_list() == pytest.approx([-100 / 75, 0, 0, 200 / 75, None])
    assert table["normalized_price"].to_list() == pytest.approx([0, 1 / 3, 1 / 3, 1, 0], abs=1e-5)
    assert table["price_log"][0] == pytest.approx(4.61512, abs=1e-5)


@pytest.mark.parametrize(
    ("pieces", "bucket"), [(0, "out"), (-1, "out"), (1, "low"), (4, "low"), (5, "in"), (None, None)]
)
def test_stock_falls_into_the_seeds_buckets(pieces: int | None, bucket: str | None) -> None:
    assert row(stock_quantity=pieces)["stock_bucket"] == bucket


def test_texts_are_cleaned_and_their_language_is_told() -> None:
    found = row(product_name=" <b>Áo</b>  thun ", product_description="Áo thun".encode().decode("latin-1"))
    assert (found["prod_name"], found["detail_desc"], found["desc_lang"], found["desc_len"]) == (
        "Áo thun",
        "Áo thun",
        "vi",
        7,
    )
    assert row(product_description="A soft shirt, made of cotton")["desc_lang"] == "en"
    assert row(product_description=None, product_name="Ground coffee")["desc_lang"] == "en"


def test_days_of_life_are_days_of_the_tenant() -> None:
    # 17:30 UTC is half past midnight of the next day in Vietnam
    assert row(product_since=datetime(2026, 6, 28, 17, 30, tzinfo=UTC))["lifecycle_days"] == 0


def test_a_change_after_the_last_day_is_not_told() -> None:
    assert row(last_updated=scope().until)["last_updated"] is None
    assert row(last_updated=scope().until - timedelta(microseconds=1))["last_updated"] is not None


def test_the_content_hash_is_of_the_cleaned_text_alone() -> None:
    expected = sha256("Áo thun\x1fÁo thun cotton màu đỏ, rất mát\x1fÁo\x1fLụa".encode()).hexdigest()
    assert row()["content_hash"] == expected
    assert (
        row(product_name="  Áo   thun", unit_price=Decimal(1), stock_quantity=0)["content_hash"] == expected
    )
    assert row(brand=None)["content_hash"] != row(brand="")["content_hash"] or row(brand="")["brand"] is None


def test_the_first_version_adds_everything() -> None:
    assert changes(build(article("a"), article("b"))) == [("a", "added"), ("b", "added")]


def test_exactly_what_was_edited_is_in_the_change_set() -> None:
    kept, gone = article("kept"), article("gone")
    before = build(
        kept, gone, article("text"), article("attr"), article("price"), article("stock", stock_quantity=0),
        article("less", stock_quantity=9), day=DAY - timedelta(days=1),
    )  # fmt: skip
    now = build(
        kept,
        article("new"),
        article("text", product_description="Áo khác"),
        article("attr", category_id=3),
        article("price", unit_price=Decimal(90_000)),
        article("stock", stock_quantity=3),
        article("less", stock_quantity=1),
        previous=before,
    )
    assert changes(now) == [
        ("attr", "attr_changed"), ("gone", "removed"), ("new", "added"), ("price", "price_changed"),
        ("stock", "restocked"), ("text", "text_changed"),
    ]  # fmt: skip
    assert {kind: now.numbers[kind] for kind in ("added", "removed", "text_changed", "articles_before")} == {
        "added": 1, "removed": 1, "text_changed": 1, "articles_before": 7,
    }  # fmt: skip


def test_a_second_run_on_the_same_day_finds_the_same_changes() -> None:
    before = build(article("a"), day=DAY - timedelta(days=1))
    first = build(article("a"), article("b"), previous=before)
    again = build(article("a"), article("b"), previous=first)
    assert again.files == first.files
    assert changes(again) == [("b", "added")]


def test_the_next_day_is_compared_with_this_one() -> None:
    first = build(article("a"), article("b"), previous=build(article("a"), day=DAY - timedelta(days=1)))
    assert changes(build(article("a"), article("b"), day=DAY + timedelta(days=1), previous=first)) == []


def test_the_order_of_the_rows_changes_nothing() -> None:
    some = [article(key, unit_price=Decimal(price)) for key, price in (("a", 5), ("b", 7), ("c", 7))]
    one, other = build(*some), build(*some[::-1])
    assert one.files == other.files
    assert one.table.equals(other.table)


def test_nothing_sold_is_no_rows() -> None:
    assert rows(categories=()).height == 0


def test_no_check_fails_on_what_is_right() -> None:
    names = [check.name for check in ARTICLES.checks]
    assert [name for name in names if not measured(name, article("a"), article("b")).passed] == []


def test_a_price_of_nothing_warns_and_one_below_fails() -> None:
    free = measured("prices_are_possible", article("a", unit_price=Decimal(0)), article("b"))
    owed = measured("prices_are_possible", article("a", unit_price=Decimal(-1)))
    assert (free.failing, free.severity) == (1, Severity.WARN)
    assert (owed.failing, owed.severity) == (1, Severity.ERROR)


def test_a_price_below_zero_breaks_the_contract_and_only_its_row() -> None:
    table = build(article("a", unit_price=Decimal(-1)), article("b")).table
    kept, _ = ARTICLES.contract.filter(table)
    assert kept["article_id"].to_list() == ["b"]


def test_stray_categories_warn_and_cycles_fail() -> None:
    stray = measured("categories_are_a_tree", article("a", category_id=9_999))
    cycle = measured("categories_are_a_tree", article("a"), categories=((4, "Áo", 3), (3, "Nam", 4)))
    assert (stray.failing, stray.severity, stray.sample) == (
        1,
        Severity.WARN,
        [("article without its category", "a")],
    )
    assert (cycle.failing, cycle.severity) == (2, Severity.ERROR)


def test_two_trees_are_no_fault() -> None:
    found = measured("categories_are_a_tree", article("a"))
    assert (found.passed, found.numbers["roots"]) == (True, 2)


def test_a_shared_stock_code_warns() -> None:
    found = measured(
        "skus_are_distinct", article("a", sku="x1"), article("b", sku=" X1 "), article("c", sku=None)
    )
    assert (found.failing, found.severity) == (2, Severity.WARN)


def test_an_article_without_an_id_is_found() -> None:
    assert measured("articles_have_ids", article("a"), article("", sku="s")).failing == 1


def test_a_large_change_is_told_and_a_small_one_is_not() -> None:
    shop = [article(f"{n:04}") for n in range(400)]
    before = build(*shop, day=DAY - timedelta(days=1))
    assert measured("change_is_usual", *shop[:390], previous=before).passed
    assert not measured("change_is_usual", *shop[:370], previous=before).passed
    assert not measured(
        "change_is_usual", *shop, *(article(f"n{n}") for n in range(9)), previous=before
    ).passed


def test_the_picture_shows_prices_and_changes() -> None:
    version = build(article("a"), article("b", category_id=None))
    looked = Audit(
        scope(), version.table, version.table.head(0), inputs(article("a")), version, (), lambda: None
    )
    assert ARTICLES.pictures is not None
    assert list(ARTICLES.pictures(looked)) == ["Prices and changes"]
