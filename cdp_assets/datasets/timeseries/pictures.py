"""Pictures of dataset D: the total by day and by week, and the largest series with what is expected of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.datasets.timeseries import build, levels
from cdp_assets.datasets.timeseries.calendar import public_holidays, region_of
from cdp_assets.datasets.timeseries.forecast import HORIZON
from cdp_assets.pictures import COLOURS, OTHER_COLOUR, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cdp_assets.datasets.model import Audit

DAYS = 180
FORECAST_DAYS = 84
SHOWN = (levels.TOTAL, levels.CATEGORY, levels.ARTICLE)
TITLE = 26
"""Letters of a name that fit above a small picture."""


def of_daily(audit: Audit) -> dict[str, Figure]:
    """Lines sold per day of the last half year, with promotions and holidays."""
    days = audit.table.filter(
        pl.col("level") == levels.TOTAL, pl.col("date") > audit.scope.as_of - timedelta(days=DAYS)
    ).sort("date")
    if days.is_empty():
        return {}
    figure, (axes,) = panel()
    axes.bar(days["date"].to_list(), days["daily_sales"].to_list(), color=OTHER_COLOUR, width=1.0)
    axes.plot(days["date"].to_list(), days["rolling_30"].to_list(), color=COLOURS[0], label="mean of 30 days")
    promoted = days.filter("promo_flag")
    axes.plot(
        promoted["date"].to_list(), [0] * promoted.height, "s", ms=2, color=COLOURS[4], label="promotion"
    )
    free = days.filter("holiday_flag")
    axes.plot(
        free["date"].to_list(), free["daily_sales"].to_list(), "v", ms=4, color=COLOURS[1], label="holiday"
    )
    axes.set_title("Lines sold per day", fontsize=9)
    _finish(axes)
    return {"sales_per_day": figure}


def of_weekly(audit: Audit) -> dict[str, Figure]:
    """Revenue per week of this year and the years before, over the weeks of the year."""
    weeks = audit.table.filter(pl.col("level") == levels.TOTAL).sort("week_start")
    if weeks.is_empty():
        return {}
    figure, (axes,) = panel()
    years = weeks["iso_year"].unique().sort(descending=True).to_list()
    for year, colour in zip(years, (COLOURS[0], COLOURS[4], OTHER_COLOUR), strict=False):
        of_year = weeks.filter(pl.col("iso_year") == year)
        money = of_year["weekly_revenue"].cast(pl.Float64).to_list()
        axes.plot(of_year["iso_week"].to_list(), money, color=colour, label=str(year), linewidth=1.3)
    axes.set_title(f"Revenue per ISO week, {audit.scope.currency}", fontsize=9)
    axes.set_xlim(1, 53)
    _finish(axes, is_dated=False)
    return {"revenue_per_week": figure}


def of_forecast(audit: Audit) -> dict[str, Figure]:
    """The total, and the category and article of which most is expected: twelve weeks back, four ahead."""
    scope, first = audit.scope, audit.scope.as_of - timedelta(days=FORECAST_DAYS - 1)
    top = (
        audit.table.filter(pl.col("level").is_in(SHOWN))
        .group_by("level", "series_id")
        .agg(pl.col("forecast").sum())
        .sort(["forecast", "series_id"], descending=[True, False])
        .unique("level", keep="first", maintain_order=True)
        .sort(pl.col("level").cast(pl.Enum(SHOWN)))
    )
    if top.is_empty():
        return {}
    past = build.history(scope, *(audit.inputs[name] for name in ("purchases", "articles", "categories")))
    sold = levels.sums(past.lines.filter(pl.col("date") >= first))
    names = _names(audit)
    days = pl.select(pl.date_range(first, scope.as_of).alias("date"))
    last = scope.as_of + timedelta(days=HORIZON)
    free = public_holidays(region_of(scope), first, last).filter(pl.col("date").is_between(first, last))
    figure, axes = panel(top.height, width=3.0 * top.height)
    for plot, (level, series_id) in zip(axes, top.select("level", "series_id").iter_rows(), strict=False):
        is_series = (pl.col("level") == level) & (pl.col("series_id") == series_id)
        seen = days.join(sold.filter(is_series), on="date", how="left").sort("date")["sales"].fill_null(0)
        coming = audit.table.filter(is_series).sort("date")
        plot.plot(days["date"].to_list(), seen.to_list(), color=OTHER_COLOUR, linewidth=1.0)
        plot.plot(coming["date"].to_list(), coming["forecast"].to_list(), color=COLOURS[0], linewidth=1.3)
        if not coming["forecast_q10"].has_nulls():
            low, high = (coming[f"forecast_{name}"].to_list() for name in ("q10", "q90"))
            plot.fill_between(coming["date"].to_list(), low, high, color=COLOURS[0], alpha=0.2)
        for day in free["date"]:
            plot.axvline(day, color=COLOURS[1], linewidth=0.7, linestyle=":")
        title = names.get((level, series_id)) or str(series_id)
        plot.set_title(f"{title[:TITLE]} ({coming.item(0, 'method')})", fontsize=8)
        _finish(plot, has_legend=False)
    return {"forecast": figure}


def _names(audit: Audit) -> dict[tuple[str, str], str]:
    """Names of series, by level and series_id."""
    articles = audit.inputs["articles"].select(pl.lit(levels.ARTICLE), "article_id", "product_name")
    categories = audit.inputs["categories"].select(
        pl.lit(levels.CATEGORY), pl.format("shop:{}", "category_id"), "category_name"
    )
    rows = [*articles.iter_rows(), *categories.iter_rows()]
    return {(levels.TOTAL, levels.ALL): "all articles", **{(level, key): name for level, key, name in rows}}


def _finish(axes: Axes, *, is_dated: bool = True, has_legend: bool = True) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import EngFormatter

    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    if is_dated:
        locator = AutoDateLocator(maxticks=5)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        dates = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates)
    if has_legend:
        axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper left")
