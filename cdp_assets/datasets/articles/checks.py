"""What is checked of articles before they are published.

Belongs here: ids, prices, the tree of categories, size of the change. Does not belong here: what every dataset is
checked for (`common_checks`).
"""

from __future__ import annotations

from io import BytesIO

import polars as pl

from cdp_assets.datasets.articles import changes
from cdp_assets.datasets.categories import tree
from cdp_assets.datasets.model import Audit
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MAX_ROW_CHANGE, MAX_NEW = 0.05, 0.02
"""Seed 001's idea of a change that somebody should hear of: rows by more than 5 %, or more than 2 % new."""

MIN_CHANGED = 5
"""Articles below which a change is none in a small catalogue, where each is a per cent."""


def articles_have_ids(audit: Audit) -> Measure:
    """Rows of the source without an id."""
    missing = audit.inputs["articles"].filter(pl.col("article_id").is_null() | (pl.col("article_id") == ""))
    return Measure(
        missing.height,
        f"{missing.height} articles have no id",
        {"without_id": missing.height},
        ("sku",),
        missing.select("sku").sort("sku").head(SAMPLE_ROWS).rows(),
    )


def prices_are_possible(audit: Audit) -> Measure:
    """Prices below 0, which fail, and of 0 or none, which warn."""
    source = audit.inputs["articles"].select("article_id", "unit_price", "currency").sort("article_id")
    below = source.filter(pl.col("unit_price") < 0)
    nothing = source.filter(pl.col("unit_price").is_null() | (pl.col("unit_price") == 0))
    wrong = pl.concat([below, nothing])
    return Measure(
        wrong.height,
        f"{below.height} articles have a price below 0, {nothing.height} one of 0 or none",
        {"below_zero": below.height, "zero_or_none": nothing.height},
        ("article_id", "price", "currency"),
        wrong.head(SAMPLE_ROWS).rows(),
        Severity.ERROR if below.height else Severity.WARN,
    )


def skus_are_distinct(audit: Audit) -> Measure:
    """Articles that share a stock code, whatever its case."""
    shared = audit.table.filter(pl.col("sku").is_not_null() & pl.col("sku").is_duplicated()).sort(
        "sku", "article_id"
    )
    return Measure(
        shared.height,
        f"{shared.height} articles share a stock code with another",
        {"shared": shared.height},
        ("sku", "article_id"),
        shared.select("sku", "article_id").head(SAMPLE_ROWS).rows(),
        Severity.WARN,
    )


def categories_are_a_tree(audit: Audit) -> Measure:
    """Categories in a cycle, which fail; categories and articles whose category does not exist, which warn."""
    found = tree(audit.inputs["categories"])
    stray = audit.table.filter(
        pl.col("category_id").is_not_null(), ~pl.col("category_id").is_in(found.rows["category_id"].implode())
    )
    wrong = [
        *(("category in a cycle", str(key)) for key in found.cyclic),
        *(("category without its parent", str(key)) for key in found.orphans),
        *(("article without its category", key) for key in stray["article_id"]),
    ]
    return Measure(
        len(wrong),
        f"{len(found.roots)} trees; {len(found.cyclic)} categories in cycles, {len(found.orphans)} without their "
        f"parent, {stray.height} articles without their category",
        {
            "roots": len(found.roots),
            "cyclic": len(found.cyclic),
            "orphans": len(found.orphans),
            "articles_without_category": stray.height,
        },
        ("what", "id"),
        wrong[:SAMPLE_ROWS],
        Severity.ERROR if found.cyclic else Severity.WARN,
    )


def change_is_usual(audit: Audit) -> Measure:
    """Rows and new articles against the last version of an earlier day."""
    numbers = audit.built.numbers
    before = int(numbers["articles_before"])
    if not before:
        return Measure(0, "nothing to compare with: no version of an earlier day")
    rows, added = audit.table.height - before, int(numbers["added"])
    changed = pl.read_parquet(BytesIO(audit.built.files[changes.CHANGES]))
    is_much = abs(rows) > max(MAX_ROW_CHANGE * before, MIN_CHANGED) or added > max(
        MAX_NEW * before, MIN_CHANGED
    )
    sample = changed.filter(pl.col("change").is_in(["added", "removed"])).head(SAMPLE_ROWS).rows()
    return Measure(
        int(is_much),
        f"{rows:+d} articles ({rows / before:+.1%}), {added} of them new ({added / before:.1%}); 5 % and 2 % are usual",
        {
            "rows_changed": rows / before,
            "new": added / before,
            "max_rows": MAX_ROW_CHANGE,
            "max_new": MAX_NEW,
        },
        ("article_id", "change"),
        sample if is_much else (),
        Severity.WARN,
    )


CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "articles_have_ids",
        "Articles without an id; there must be none.",
        "look at int_products: an article of neither source has no key",
        articles_have_ids,
        blocking=True,
    ),
    Check(
        "prices_are_possible",
        "Prices below 0 fail; prices of 0, or none, warn.",
        "correct the price at its source: a price of 0 counts as a gift in every sum",
        prices_are_possible,
    ),
    Check(
        "skus_are_distinct",
        "Articles with the stock code of another.",
        "merge the articles at the source, or give one a code of its own",
        skus_are_distinct,
    ),
    Check(
        "categories_are_a_tree",
        "Categories in a cycle fail; categories and articles whose category does not exist warn.",
        "give the category another parent, or the article a category, in the shop of {tenant}",
        categories_are_a_tree,
    ),
    Check(
        "change_is_usual",
        "Rows against the last version of an earlier day (5 %) and new articles (2 %), five articles or more.",
        "read changes.parquet of the version with `cdp artifacts show`; vectors of new texts are made by themselves",
        change_is_usual,
    ),
)
