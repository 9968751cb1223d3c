"""What must be true of dataset D as a whole: no gaps, levels that add up, sums that are those of the purchases.

Belongs here: measures that hold for any tenant, whatever it sells; they see faults of the build. Does not belong here:
what somebody should look at in the goods themselves, and the lists of checks (`checks`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.sales import sale_lines
from cdp_assets.datasets.timeseries.forecast import HORIZON
from cdp_assets.datasets.timeseries.levels import ARTICLE, CATEGORY, REST, ROOT_CATEGORY, SUMS, TOTAL
from cdp_assets.datasets.timeseries.panel import shown_from
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity

LEAST_SHARE, MOST_SHARE = 0.5, 1.5
"""Sum of a level's forecasts against the total's. Each series is forecast alone, so they need not agree exactly;
less than a line a day is not asked about."""


def as_sample(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    """The first rows of what is wrong, as text."""
    return [tuple(map(str, row)) for row in frame.head(SAMPLE_ROWS).iter_rows()]


def series_are_complete(
    column: str, step: int, last_of: Callable[[date], date]
) -> Callable[[Audit], Measure]:
    """No day (week) is missing between a series' first and `as_of` (the last whole week)."""

    def measure(audit: Audit) -> Measure:
        last = last_of(audit.scope.as_of)
        series = audit.table.group_by("level", "series_id").agg(
            pl.len().alias("rows"),
            pl.col(column).min().alias("first"),
            pl.col(column).max().alias("last"),
        )
        due = (pl.lit(last) - pl.col("first")).dt.total_days() // step + 1
        broken = series.filter((pl.col("last") != last) | (pl.col("rows") != due)).sort("level", "series_id")
        return Measure(
            broken.height,
            f"{broken.height} of {series.height} series have gaps or do not end on {last}",
            {"series": series.height, "broken": broken.height},
            ("level", "series", "rows", "first", "last"),
            as_sample(broken),
        )

    return measure


def levels_agree(column: str, prefix: str) -> Callable[[Audit], Measure]:
    """Articles and rest add up to their category, categories and roots to the total, exactly, on every day."""
    names = [f"{prefix}_{name}" for name in SUMS]

    def measure(audit: Audit) -> Measure:
        table = audit.table
        level = pl.col("level")
        bottom = table.filter(level.is_in([ARTICLE, REST]))
        compared = [
            ("articles and rest, category", bottom, table.filter(level == CATEGORY), [column, "category_id"]),
            ("categories, total", table.filter(level == CATEGORY), table.filter(level == TOTAL), [column]),
            ("roots, total", table.filter(level == ROOT_CATEGORY), table.filter(level == TOTAL), [column]),
        ]
        apart = pl.concat(
            _sums(parts, keys, names)
            .join(_sums(whole, keys, names), on=keys, how="full", coalesce=True, suffix="_of_whole")
            .filter(
                pl.any_horizontal(
                    pl.col(name).fill_null(0) != pl.col(f"{name}_of_whole").fill_null(0) for name in names
                )
            )
            .select(pl.lit(what).alias("levels"), column)
            for what, parts, whole, keys in compared
        ).sort(column, "levels")
        return Measure(
            apart.height,
            f"{apart.height} sums of a level differ from the level above",
            {"differing": apart.height},
            ("levels", column),
            as_sample(apart),
        )

    return measure


def _sums(frame: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame:
    return frame.group_by(keys).agg(pl.col(names).sum())


def sums_match_purchases(
    column: str, prefix: str, days: int, last_of: Callable[[date], date]
) -> Callable[[Audit], Measure]:
    """Lines and money of the total against the purchases themselves."""

    def measure(audit: Audit) -> Measure:
        scope = audit.scope
        last = last_of(scope.as_of) + timedelta(days=days - 1)
        lines = sale_lines(scope, audit.inputs["purchases"]).filter(
            pl.col("purchased_on").is_between(shown_from(scope.as_of), last)
        )
        (money,) = lines.select(pl.col("line_total").filter("is_main").sum()).row(0)
        names = {name: f"{prefix}_{name}" for name in SUMS}
        total = audit.table.filter(pl.col("level") == TOTAL).select(pl.col(names.values()).sum())
        of = dict(zip(names, total.row(0), strict=True))
        compared = {
            "lines": (lines.height, of["sales"] + of["returns"]),
            "net money": (money, of["revenue"] - of["refunds"]),
        }
        apart = [(what, str(here), str(there)) for what, (there, here) in compared.items() if here != there]
        return Measure(
            len(apart),
            f"{compared['lines'][1]} lines worth {compared['net money'][1]} {scope.currency}; the purchases have "
            f"{compared['lines'][0]} worth {compared['net money'][0]}",
            {"lines": float(compared["lines"][1]), "lines_of_purchases": float(compared["lines"][0])},
            ("what", "table", "purchases"),
            apart,
        )

    return measure


def forecasts_are_complete(audit: Audit) -> Measure:
    """Every series has a row for each day of the horizon."""
    as_of = audit.scope.as_of
    series = audit.table.group_by("level", "series_id").agg(
        pl.len().alias("rows"), pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    )
    broken = series.filter(
        (pl.col("rows") != HORIZON)
        | (pl.col("first") != as_of + timedelta(days=1))
        | (pl.col("last") != as_of + timedelta(days=HORIZON))
    ).sort("level", "series_id")
    return Measure(
        broken.height,
        f"{broken.height} of {series.height} series do not have the {HORIZON} days after {as_of}",
        {"series": series.height, "broken": broken.height},
        ("level", "series", "rows", "first", "last"),
        as_sample(broken),
    )


def forecasts_add_up(audit: Audit) -> Measure:
    """Sum of the forecasts of each level against the total's."""
    of = {
        str(level): float(value)
        for level, value in audit.table.group_by("level").agg(pl.col("forecast").sum()).iter_rows()
    }
    total = of.get(TOTAL, 0.0)
    parts = {
        "articles and rest": of.get(ARTICLE, 0.0) + of.get(REST, 0.0),
        "categories": of.get(CATEGORY, 0.0),
        "root categories": of.get(ROOT_CATEGORY, 0.0),
    }
    apart = [
        (name, f"{value:.1f}", f"{total:.1f}")
        for name, value in parts.items()
        if not LEAST_SHARE * total <= value <= MOST_SHARE * total and abs(value - total) > HORIZON
    ]
    return Measure(
        len(apart),
        f"{len(apart)} levels forecast less than {LEAST_SHARE:.0%} or more than {MOST_SHARE:.0%} of the total's "
        f"{total:.1f} lines",
        {"total": total, **{f"of_{name.replace(' ', '_')}": value for name, value in parts.items()}},
        ("level", "lines", "lines of the total"),
        apart,
        Severity.WARN,
    )
