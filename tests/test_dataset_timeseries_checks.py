"""Dataset D, checks: each finds what it is there to find, and the pictures can be drawn."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest

from cdp_assets.datasets.model import Audit, Dataset
from cdp_assets.datasets.timeseries import DAILY, DATASETS, FORECAST, WEEKLY
from cdp_assets.pictures import markdown
from cdp_assets.quality import Severity
from cdp_assets.warehouse.options import TenantOptions
from tests.timeseries_support import AS_OF, SCOPE, audit, daily_lines, failed, inputs, line, table

SHOP = inputs(
    [
        *daily_lines([1, 2, 0, 3] * 40, article="shop:1"),
        *daily_lines([0, 1, 0, 0] * 30, article="shop:3"),
        line(AS_OF - timedelta(days=500), "shop:2"),
    ]
)
BLOCKING = {
    "series_are_complete", "levels_agree", "sums_match_purchases", "forecasts_are_complete", "money_in_main_currency",
}  # fmt: skip


def column(dataset: Dataset) -> str:
    return dataset.key[-1]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_a_sound_table_passes(dataset: Dataset) -> None:
    assert failed(dataset, audit(dataset, SHOP)) == {}
    assert {check.name for check in dataset.checks if check.blocking} <= BLOCKING


@pytest.mark.parametrize("dataset", [DAILY, WEEKLY], ids=["daily", "weekly"])
def test_a_missing_day_is_found(dataset: Dataset) -> None:
    rows = table(dataset, SHOP)
    days = rows[column(dataset)].unique().sort()
    holed = rows.filter((pl.col("level") != "total") | (pl.col(column(dataset)) != days[-5]))
    assert failed(dataset, audit(dataset, SHOP, holed))["series_are_complete"] == 1
    ended = rows.filter(pl.col(column(dataset)) != days[-1])
    assert failed(dataset, audit(dataset, SHOP, ended))["series_are_complete"] == len(
        rows.select("level", "series_id").unique()
    )


@pytest.mark.parametrize("prefix", ["daily", "weekly"])
@pytest.mark.parametrize("level", ["article", "rest", "category", "root_category", "total"])
def test_the_smallest_difference_between_levels_is_found(prefix: str, level: str) -> None:
    dataset = DAILY if prefix == "daily" else WEEKLY
    one = pl.struct("level", "series_id", column(dataset))
    rows = table(dataset, SHOP)
    where = one == rows.filter(pl.col("level") == level).select(one.last()).item()
    money = pl.col(f"{prefix}_revenue")
    wrong = rows.with_columns(
        pl.when(where).then(money + Decimal("0.0001")).otherwise(money).alias(money.meta.output_name())
    )
    assert failed(dataset, audit(dataset, SHOP, wrong))["levels_agree"] >= 1


@pytest.mark.parametrize("dataset", [DAILY, WEEKLY], ids=["daily", "weekly"])
def test_a_line_that_is_in_no_series_is_found(dataset: Dataset) -> None:
    more = SHOP | {"purchases": pl.concat([SHOP["purchases"], SHOP["purchases"].head(1)])}
    looked = audit(dataset, SHOP)
    beside = Audit(SCOPE, looked.table, looked.refused, more, looked.built, (), lambda: None)
    assert failed(dataset, beside)["sums_match_purchases"] == 2


def test_a_price_of_another_unit_is_found() -> None:
    frames = inputs([*daily_lines([1] * 20), line(AS_OF, line_total=Decimal(9000))])
    assert failed(DAILY, audit(DAILY, frames)) == {}, "the day's mean is 5 times the median at most"
    frames = inputs([*daily_lines([1] * 20), line(AS_OF, line_total=Decimal(9100))])
    assert failed(DAILY, audit(DAILY, frames)) == {"price_in_range": 1}


def test_sales_without_money_are_asked_about_only_when_they_are_many() -> None:
    free = {"line_total": Decimal(0)}
    days = [AS_OF - timedelta(days=day) for day in range(20)]
    gifts = [line(days[0], **free), *(line(day) for day in days[1:])]
    assert failed(DAILY, audit(DAILY, inputs(gifts))) == {}
    found = audit(DAILY, inputs([line(days[1], **free), *gifts[:1], *gifts[2:]]))
    assert failed(DAILY, found) == {"sales_bring_revenue": 2}
    in_dollars = [{**row, "currency": "USD"} for row in gifts]
    found = failed(DAILY, audit(DAILY, inputs(in_dollars)))
    assert found == {"money_in_main_currency": len(gifts) - 1}, "their money is not in the table"


def test_an_article_that_fell_silent_is_found() -> None:
    frames = inputs([*daily_lines([1] * 91 + [0] * 28), *daily_lines([1] * 119, article="shop:2")])
    assert failed(DAILY, audit(DAILY, frames)) == {"top_sellers_sell": 1}
    slow = inputs(daily_lines([1, 0, 0] * 30 + [0] * 28))
    assert failed(DAILY, audit(DAILY, slow)) == {}


def test_a_region_without_holidays_is_asked_about() -> None:
    looked = audit(DAILY, SHOP)
    scope = SCOPE.__class__("acme", AS_OF, SCOPE.timezone, "VND", TenantOptions(default_region="AC"))
    elsewhere = Audit(scope, looked.table, looked.refused, looked.inputs, looked.built, (), lambda: None)
    assert failed(DAILY, elsewhere) == {"holidays_known": 1}


def test_forecasts_that_miss_a_day_or_do_not_add_up_are_found() -> None:
    rows = table(FORECAST, SHOP)
    short = rows.filter((pl.col("level") != "total") | (pl.col("horizon") != 28))
    assert failed(FORECAST, audit(FORECAST, SHOP, short))["forecasts_are_complete"] == 1
    y = pl.col("forecast")
    tripled = rows.with_columns(
        pl.when(pl.col("level") == "article").then(y * 3).otherwise(y).alias("forecast")
    )
    assert failed(FORECAST, audit(FORECAST, SHOP, tripled)) == {"forecasts_add_up": 1}


def test_what_asks_for_a_look_only_warns() -> None:
    frames = inputs([*daily_lines([1] * 91 + [0] * 28), line(AS_OF, "shop:3", line_total=Decimal(0))])
    for check in DAILY.checks:
        found = check.measure(audit(DAILY, frames))
        if not check.blocking:
            assert found.severity is Severity.WARN, check.name


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
@pytest.mark.parametrize(
    "frames", [SHOP, inputs([line(AS_OF)]), inputs([])], ids=["shop", "one line", "nothing"]
)
def test_pictures_can_be_drawn(dataset: Dataset, frames: dict[str, pl.DataFrame]) -> None:
    assert dataset.pictures is not None
    drawn = dataset.pictures(audit(dataset, frames))
    assert all(len(markdown(figure, title)) < 120_000 for title, figure in drawn.items())
    assert len(drawn) == (0 if frames["purchases"].is_empty() else 1)


def test_series_of_the_forecast_are_those_of_the_table() -> None:
    keys = [set(table(dataset, SHOP).select("level", "series_id").unique().rows()) for dataset in DATASETS]
    assert all(one == other for one, other in pairwise(keys))
