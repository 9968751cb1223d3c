"""Dataset D, levels and panels: which line belongs to which series, no gaps, sums that agree."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.timeseries import DAILY, DATASETS, FORECAST, WEEKLY, levels
from tests.timeseries_support import (
    AS_OF,
    CATEGORIES,
    SCOPE,
    audit,
    built,
    daily_lines,
    failed,
    frame,
    inputs,
    line,
    series,
    table,
)

DAY = timedelta(days=1)


def test_a_line_belongs_to_one_series_of_each_level() -> None:
    rows = table(DAILY, inputs([line(AS_OF, "shop:1"), line(AS_OF, "shop:3"), line(AS_OF, "leo:5")]))
    found = {(row["level"], row["series_id"]): row["daily_sales"] for row in rows.iter_rows(named=True)}
    assert found == {
        ("total", "all"): 3,
        ("root_category", "shop:1"): 2,
        ("root_category", "leo:Sách"): 1,
        ("category", "shop:2"): 1,
        ("category", "shop:3"): 1,
        ("category", "leo:Sách"): 1,
        ("article", "shop:1"): 1,
        ("article", "shop:3"): 1,
        ("article", "leo:5"): 1,
    }


def test_article_and_category_stand_beside_the_series() -> None:
    rows = table(DAILY, inputs([line(AS_OF, "shop:3"), line(AS_OF, "unknown")]))
    found = rows.select("level", "series_id", "article_id", "category_id").rows()
    assert set(found) == {
        ("article", "shop:3", "shop:3", "shop:3"),
        ("category", "shop:3", None, "shop:3"),
        ("category", "unknown", None, "unknown"),
        ("rest", "unknown", None, "unknown"),
        ("root_category", "shop:1", None, None),
        ("root_category", "unknown", None, None),
        ("total", "all", None, None),
    }


def test_roots_of_orphans_and_circles_are_themselves_told() -> None:
    circle = frame("categories", [{"category_id": 5, "parent_id": 6}, {"category_id": 6, "parent_id": 5}])
    articles = frame(
        "articles", [{"article_id": f"a{key}", "category_id": key} for key in (1, 2, 3, 4, 5, 6)]
    )
    placed = levels.article_categories(articles, pl.concat([CATEGORIES, circle]))
    found = dict(placed.select("category_id", "root_category_id").iter_rows())
    assert found == {
        "shop:1": "shop:1", "shop:2": "shop:1", "shop:3": "shop:1", "shop:4": "shop:4", "shop:5": "shop:5",
        "shop:6": "shop:6",
    }  # fmt: skip
    assert table(DAILY, inputs([line(AS_OF, "shop:4")]))["series_id"].to_list() == [
        "shop:4", "shop:9", "shop:9", "all",
    ]  # fmt: skip


def test_an_article_without_a_sale_in_364_days_is_the_rest_of_its_category() -> None:
    old = AS_OF - timedelta(days=364)
    rows = table(DAILY, inputs([line(old, "shop:1"), line(old + DAY, "shop:2")]))
    assert set(rows.filter(pl.col("level") == "article")["series_id"]) == {"shop:2"}
    rest = series(rows, "rest", "shop:2")
    assert (rest["daily_sales"].sum(), rest["date"].min(), rest["date"].max()) == (1, old, AS_OF)


def test_only_the_most_sold_articles_have_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "MAX_ARTICLES", 2)
    rows = [line(AS_OF, "shop:1"), line(AS_OF, "shop:2"), line(AS_OF, "shop:3"), line(AS_OF, "shop:3")]
    found = table(DAILY, inputs(rows))
    assert set(found.filter(pl.col("level") == "article")["series_id"]) == {"shop:1", "shop:3"}
    assert failed(DAILY, audit(DAILY, inputs(rows))) == {}


def test_days_without_a_sale_are_rows_with_zeros_up_to_as_of() -> None:
    first = AS_OF - timedelta(days=9)
    found = series(table(DAILY, inputs([line(first), line(first + 3 * DAY)])), "article", "shop:1")
    assert found["date"].to_list() == [first + day * DAY for day in range(10)]
    assert found["daily_sales"].to_list() == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert found["is_observed"].to_list() == [True, False, False, True, *[False] * 6]


def test_the_price_is_per_piece_and_holds_until_the_next_sale() -> None:
    first = AS_OF - timedelta(days=4)
    rows = [
        line(first, quantity=4, line_total=Decimal(2000)),
        line(first + 2 * DAY, quantity=1, line_total=Decimal("700.50")),
        line(first + 2 * DAY, quantity=5, line_total=Decimal(50), currency="USD"),
    ]
    found = table(DAILY, inputs(rows))
    assert series(found, "article", "shop:1")["avg_price"].to_list() == [500, 500, 700.5, 700.5, 700.5]
    assert series(found, "category", "shop:2")["avg_price"].null_count() == 5


def test_returns_and_other_currencies_are_counted_apart() -> None:
    rows = [
        line(AS_OF, line_total=Decimal("0.0001"), customer_id="shop:1"),
        line(AS_OF, line_total=Decimal(-300), customer_id="shop:2"),
        line(AS_OF, line_total=Decimal(9), currency="USD", customer_id="unknown"),
        line(AS_OF, line_total=Decimal(-9), currency="USD"),
        line(AS_OF, is_revenue=False, order_status="cancelled"),
    ]
    found = series(table(DAILY, inputs(rows)), "total", "all").row(0, named=True)
    assert {key: found[key] for key in found if key.startswith("daily") or key == "unique_customers"} == {
        "daily_sales": 2,
        "daily_sales_other_currency": 1,
        "daily_units": 2,
        "daily_revenue": Decimal("0.0001"),
        "daily_returns": 2,
        "daily_refunds": Decimal(300),
        "unique_customers": 1,
    }


def test_weeks_are_whole_iso_weeks_from_monday() -> None:
    sunday, monday = date(2026, 6, 21), date(2026, 6, 22)
    found = series(table(WEEKLY, inputs([line(sunday), line(monday), line(AS_OF)])), "total", "all")
    assert found.select("week_start", "iso_week", "weekly_sales", "unique_customers").rows() == [
        (date(2026, 6, 15), 25, 1, 1),
        (monday, 26, 2, 1),
    ]
    open_week = SCOPE.__class__("acme", AS_OF + DAY, "Asia/Ho_Chi_Minh", "VND")
    later = table(WEEKLY, inputs([line(monday), line(AS_OF + DAY)]), open_week)
    assert later["week_start"].max() == monday, "the week that has just begun is not told"


def test_history_is_the_current_year_and_two_before() -> None:
    rows = daily_lines([1] * 1300)
    found = table(DAILY, inputs(rows))
    assert found["date"].min() == date(2024, 1, 1)
    oldest = series(found, "total", "all").row(0, named=True)
    assert (oldest["lag_364"], oldest["rolling_364_lag1"]) == (1, 1.0), (
        "windows look further back than is shown"
    )
    assert failed(DAILY, audit(DAILY, inputs(rows))) == {}
    assert failed(WEEKLY, audit(WEEKLY, inputs(rows))) == {}


def test_a_tenant_that_has_sold_nothing_has_no_rows() -> None:
    for dataset in DATASETS:
        assert table(dataset, inputs([])).is_empty()
        assert failed(dataset, audit(dataset, inputs([]))) == {}


def _purchases() -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.builds(
        line,
        st.integers(0, 420).map(lambda back: AS_OF - timedelta(days=back)),
        st.sampled_from(["shop:1", "shop:2", "shop:3", "shop:4", "leo:5", "shop:6", "gone:7", "unknown"]),
        customer_id=st.sampled_from(["shop:1", "leo:2", "unknown"]),
        is_revenue=st.booleans(),
        quantity=st.integers(1, 5),
        line_total=st.decimals(-1000, 10_000_000, places=4),
        currency=st.sampled_from(["VND", "VND", "USD"]),
    )
    return st.lists(one, min_size=1, max_size=15)


@given(_purchases(), st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_levels_agree_exactly_and_order_changes_no_byte(rows: list[dict[str, Any]], random: Any) -> None:
    frames = inputs(rows)
    for dataset in (DAILY, WEEKLY):
        # random lines may be odd in price, or all sold in another currency
        odd = {"price_in_range", "sales_bring_revenue", "money_in_main_currency"}
        assert set(failed(dataset, audit(dataset, frames))) <= odd
    shuffled = list(rows)
    random.shuffle(shuffled)
    for dataset in DATASETS:
        once, again = built(dataset, frames), built(dataset, inputs(shuffled))
        assert parquet(once.table.sort(dataset.key)) == parquet(again.table.sort(dataset.key))
        assert once.files == again.files


@given(_purchases())
@settings(max_examples=10)
def test_a_later_day_changes_no_row_of_the_past(rows: list[dict[str, Any]]) -> None:
    """But for membership: an article may leave the `article` level when a year has passed without a sale."""
    cut = AS_OF - timedelta(days=30)
    earlier = SCOPE.__class__("acme", cut, SCOPE.timezone, "VND", SCOPE.options)
    before = table(DAILY, inputs([row for row in rows if row["purchased_on"] <= cut]), earlier)
    after = table(DAILY, inputs(rows)).filter(pl.col("date") <= cut)
    stable = pl.col("level").is_in(["total", "root_category", "category"])
    assert_frame_equal(before.filter(stable), after.filter(stable))


def test_the_long_format_names_each_series_once_a_day() -> None:
    made = built(DAILY, inputs([line(AS_OF - DAY), line(AS_OF)]))
    found = pl.read_parquet(made.files["nixtla.parquet"])
    assert found.schema == {"unique_id": pl.String, "ds": pl.Date, "y": pl.Float64}
    assert found.filter(pl.col("unique_id") == "article/shop:1")["y"].to_list() == [1.0, 1.0]
    assert not found.select("unique_id", "ds").is_duplicated().any()
    assert pl.read_parquet(made.files["calendar.parquet"])["date"].max() == AS_OF + timedelta(days=28)
    assert FORECAST.key == ["level", "series_id", "date"]
