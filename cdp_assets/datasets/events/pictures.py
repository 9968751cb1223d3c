"""Pictures of dataset F: how far members of a funnel get, and sessions by day.

Belongs here: drawing rows up to the tenant's today; who calls leaves out what lies ahead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.pictures import COLOURS, OTHER_COLOUR, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAYS = 60
"""Days that a picture shows: two months are as many bars as can be told apart."""


def funnel_charts(daily: pl.DataFrame) -> dict[str, Figure]:
    """Title -> chart of a funnel over its newest days: how many reached each step, which share of the one before."""
    return {
        f"Funnel {name}": _funnel(mine)
        for (name,), mine in daily.group_by("funnel_id", maintain_order=True)
    }  # fmt: skip


def _funnel(daily: pl.DataFrame) -> Figure:
    newest = daily.filter(pl.col("day") > pl.col("day").max() - pl.duration(days=DAYS))
    steps = (
        newest.group_by("step", "event_type")
        .agg(pl.col("entered", "open").sum())
        .sort("step")
        .with_columns((pl.col("entered") / pl.col("entered").shift()).alias("rate"))
    )
    figure, (axes,) = panel(height=0.9 + 0.45 * steps.height)
    places = range(steps.height)
    axes.barh(places, steps["entered"], color=COLOURS[0], height=0.62)
    for place, (entered, rate) in enumerate(steps.select("entered", "rate").iter_rows()):
        label = f" {entered:,}" if rate is None or math.isnan(rate) else f" {entered:,} ({rate:.0%})"
        axes.annotate(label, (entered, place), va="center", fontsize=8)
    axes.set_yticks(list(places), steps["event_type"].to_list())
    axes.invert_yaxis()
    axes.margins(x=0.2)
    first, last = newest["day"].min(), newest["day"].max()
    unit = str(newest.item(0, "count_by"))
    axes.set_title(f"{unit}s by step reached, {first!s} to {last!s}", fontsize=9, loc="left")
    return figure


def sessions_per_day(sessions: pl.DataFrame) -> Figure | None:
    """Sessions of people and of automata by day, and the share of the former that converted; None without any."""
    if sessions.is_empty():
        return None
    days = (
        sessions.filter(pl.col("started_on") > pl.col("started_on").max() - pl.duration(days=DAYS))
        .group_by("started_on")
        .agg(
            (~pl.col("is_bot")).sum().alias("people"),
            pl.col("is_bot").sum().alias("bots"),
            pl.col("converted").filter(~pl.col("is_bot")).mean().alias("rate"),
        )
        .sort("started_on")
    )
    figure, (counts, rates) = panel(2)
    counts.bar(days["started_on"], days["people"], color=COLOURS[0], label="people")
    counts.bar(days["started_on"], days["bots"], bottom=days["people"], color=OTHER_COLOUR, label="bots")
    counts.set_title("Sessions per day", fontsize=9, loc="left")
    counts.legend(fontsize=7, frameon=False)
    rates.plot(days["started_on"], days["rate"] * 100, color=COLOURS[1], linewidth=1.4)
    rates.set_title("of which with a purchase, %", fontsize=9, loc="left")
    for axes in (counts, rates):
        axes.tick_params(axis="x", labelsize=7, rotation=30)
    return figure
