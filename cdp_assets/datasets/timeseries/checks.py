"""The checks of dataset D, and what somebody should look at in what is sold.

Belongs here: prices, sales without money, articles that fell silent, and the lists of checks per table. Does not belong
here: whether the tables are complete and add up (`coherence`), and rules of a single row (`contract`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl

from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.sales import MONEY
from cdp_assets.datasets.timeseries.calendar import public_holidays, region_of
from cdp_assets.datasets.timeseries.coherence import (
    as_sample,
    forecasts_add_up,
    forecasts_are_complete,
    levels_agree,
    series_are_complete,
    sums_match_purchases,
)
from cdp_assets.datasets.timeseries.levels import ARTICLE
from cdp_assets.datasets.timeseries.panel import last_monday
from cdp_assets.quality import Check, Measure, Severity

LEAST_PRICE, MOST_PRICE = 0.2, 5.0
"""Of an article's median: further off is a typing error or another unit more often than a sale."""

RECENT_DAYS, BASE_DAYS = 28, 91
EXPECTED = 14.0
"""Lines an article should have sold in 28 days before we wonder at none: by chance that happens once in a million."""

MAX_FREE = 0.05
"""Share of days on which an article may be sold for nothing: gifts and samples are part of trade."""


def price_in_range(audit: Audit) -> Measure:
    """Price of an article on a day against the median of its days."""
    sold = audit.table.filter(pl.col("level") == ARTICLE, pl.col("daily_revenue") > 0).with_columns(
        pl.col("avg_price").median().over("series_id").alias("median")
    )
    share = pl.col("avg_price") / pl.col("median")
    odd = sold.filter(~share.is_between(LEAST_PRICE, MOST_PRICE)).sort("series_id", "date")
    return Measure(
        odd.height,
        f"{odd.height} of {sold.height} prices are outside {LEAST_PRICE:g} to {MOST_PRICE:g} times the article's "
        "median",
        {"odd": odd.height, "prices": sold.height},
        ("article", "day", "price", "median"),
        as_sample(odd.select("series_id", "date", "avg_price", "median")),
        Severity.WARN,
    )


def sales_bring_revenue(audit: Audit) -> Measure:
    """Days on which an article that has a price was sold for nothing."""
    priced = audit.inputs["articles"].filter(pl.col("unit_price") > 0).select("article_id")
    in_main = pl.col("daily_sales") > pl.col("daily_sales_other_currency")
    sold = audit.table.filter(pl.col("level") == ARTICLE, in_main)
    free = sold.filter(pl.col("daily_revenue") == 0).join(priced, on="article_id", how="semi")
    free = free.sort("series_id", "date")
    share = free.height / max(sold.height, 1)
    return Measure(
        free.height if share > MAX_FREE else 0,
        f"on {free.height} of {sold.height} days an article with a price was sold for nothing ({share:.1%}, "
        f"{MAX_FREE:.0%} are tolerated)",
        {"free": free.height, "sold": sold.height, "share": share, "max_share": MAX_FREE},
        ("article", "day", "lines"),
        as_sample(free.select("series_id", "date", "daily_sales")),
        Severity.WARN,
    )


def top_sellers_sell(audit: Audit) -> Measure:
    """Articles that sold well for a quarter, and then not at all for four weeks."""
    as_of = audit.scope.as_of
    back = (pl.lit(as_of) - pl.col("date")).dt.total_days()
    recent = back < RECENT_DAYS
    base = back.is_between(RECENT_DAYS, RECENT_DAYS + BASE_DAYS - 1)
    expected = pl.col("base") * RECENT_DAYS / BASE_DAYS
    silent = (
        audit.table.filter(pl.col("level") == ARTICLE)
        .group_by("series_id")
        .agg(
            pl.col("daily_sales").filter(recent).sum().alias("recent"),
            pl.col("daily_sales").filter(base).sum().alias("base"),
        )
        .select("series_id", "recent", expected.round(1).alias("expected"))
        .filter(pl.col("recent") == 0, pl.col("expected") >= EXPECTED)
        .sort(["expected", "series_id"], descending=[True, False])
    )
    return Measure(
        silent.height,
        f"{silent.height} articles stopped selling: none in {RECENT_DAYS} days where at least {EXPECTED:g} lines "
        "were expected",
        {"silent": silent.height, "least_expected": EXPECTED},
        ("article", "lines in 28 days", "expected"),
        as_sample(silent.select("series_id", "recent", "expected")),
        Severity.WARN,
    )


def holidays_known(audit: Audit) -> Measure:
    """Whether the tenant's region has a calendar of holidays at all."""
    region = region_of(audit.scope)
    found = public_holidays(region, audit.scope.as_of, audit.scope.as_of).height
    return Measure(
        int(not found),
        f"region {region}: {found} public holidays in the year of as_of and those beside it",
        {"holidays": found},
        severity=Severity.WARN,
    )


def _as_of(day: date) -> date:
    return day


def _table_checks(
    column: str, prefix: str, days: int, last_of: Callable[[date], date]
) -> tuple[Check[Audit], ...]:
    what = "day" if days == 1 else "week"
    return (
        MONEY,
        Check(
            "series_are_complete",
            f"Rows of each series against the {what}s from its first to the last whole {what}; none may be missing.",
            "a fault of the build: windows over a series with gaps are wrong",
            series_are_complete(column, days, last_of),
            blocking=True,
        ),
        Check(
            "levels_agree",
            f"Lines, pieces and money of each level against the level above, on every {what}, exactly.",
            "a fault of the build: look at the articles of the days in the sample and their categories",
            levels_agree(column, prefix),
            blocking=True,
        ),
        Check(
            "sums_match_purchases",
            "Lines and net money of level total against the purchases that count.",
            "a fault of the build: compare the months of table and purchases to find the lines that are missing",
            sums_match_purchases(column, prefix, days, last_of),
            blocking=True,
        ),
    )


DAILY_CHECKS: tuple[Check[Audit], ...] = (
    *_table_checks("date", "daily", 1, _as_of),
    Check(
        "price_in_range",
        "Price per piece of an article on a day against 0.2 to 5 times its median.",
        "look up the orders of the day in the sample: a wrong price, a quantity of another unit, or another currency",
        price_in_range,
    ),
    Check(
        "sales_bring_revenue",
        "Days on which an article that has a price brought sales but no revenue, against 5 % of all.",
        "look up the lines: gifts are fine, a price that was not entered is not",
        sales_bring_revenue,
    ),
    Check(
        "top_sellers_sell",
        "Articles without a sale in 28 days that should have had 14 by the 91 days before.",
        "ask whether the article is out of stock or was taken off sale; else compare source and warehouse",
        top_sellers_sell,
    ),
    Check(
        "holidays_known",
        "Whether public holidays are known for the tenant's `default_region`.",
        "set the tenant's option default_region to a country code of ISO 3166, such as VN",
        holidays_known,
    ),
)

WEEKLY_CHECKS = _table_checks("week_start", "weekly", 7, last_monday)

FORECAST_CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "forecasts_are_complete",
        "Rows of each series against the 28 days after `as_of`.",
        "a fault of the build",
        forecasts_are_complete,
        blocking=True,
    ),
    Check(
        "forecasts_add_up",
        "Sum of each level's forecasts against 50 to 150 % of the total's.",
        "look at `series.parquet` for series whose back-test is far off, and plan with the level that you need",
        forecasts_add_up,
    ),
)
