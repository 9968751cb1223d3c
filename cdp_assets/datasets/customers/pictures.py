"""Pictures of dataset C: RFM heat map, retention of cohorts, chance to be alive.

Belongs here: what is drawn of a published version. Does not belong here: how a picture reaches a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cdp_assets.datasets.customers.purchases import sales_of
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Audit
from cdp_assets.pictures import COLOURS, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COHORTS = 12
"""Months of first purchases that are shown, and months after them."""


def pictures(audit: Audit) -> dict[str, Figure]:
    """By title; those that have something to show."""
    found: dict[str, Figure] = {}
    buyers = audit.table.filter(pl.col("r_score").is_not_null())
    if buyers.height:
        found["RFM"] = rfm_map(buyers, audit.scope.currency)
        found["Retention"] = retention(audit)
    if buyers["p_alive"].count():
        found["Chance to be alive"] = alive(buyers)
    return found


def rfm_map(buyers: pl.DataFrame, currency: str) -> Figure:
    """Recency against the mean of frequency and monetary score: customers in the cell, and what they have spent."""
    fm = ((pl.col("f_score") + pl.col("m_score")) / 2).floor().cast(pl.Int64)
    cells = buyers.group_by("r_score", fm.alias("fm")).agg(
        pl.len(), pl.col("total_amount_spent").cast(pl.Float64).mean().alias("spent")
    )
    spent, count = np.full((5, 5), np.nan), np.zeros((5, 5), int)
    for r, at, customers, mean in cells.iter_rows():
        spent[r - 1, at - 1], count[r - 1, at - 1] = mean, customers
    figure, (axes,) = panel(height=3.6)
    _heat(figure, axes, spent, [[str(n) if n else "" for n in row] for row in count])
    axes.set_xticks(range(5), [str(n) for n in range(1, 6)])
    axes.set_yticks(range(5), [str(n) for n in range(1, 6)])
    axes.set_xlabel("frequency and value, 5 = most", fontsize=8)
    axes.set_ylabel("recency, 5 = latest", fontsize=8)
    axes.set_title(f"Customers; colour: mean of what they spent, {currency}", fontsize=9)
    return figure


def retention(audit: Audit) -> Figure:
    """Share of each month's new buyers who bought again so many months later."""
    purchases = audit.inputs["purchases"].filter(pl.col("customer_id") != UNKNOWN)
    orders = sales_of(audit.scope, purchases.rename({"customer_id": "customer", "order_key": "order"})).orders
    day = pl.col("ordered_on")
    month = day.dt.year().cast(pl.Int64) * 12 + day.dt.month()
    bought = (
        orders.select("customer", month.alias("month"))
        .unique()
        .with_columns(pl.col("month").min().over("customer").alias("cohort"))
        .group_by("cohort", (pl.col("month") - pl.col("cohort")).alias("later"))
        .len()
    )
    now = audit.scope.as_of.year * 12 + audit.scope.as_of.month
    begun = [now - back for back in range(COHORTS, -1, -1)]
    found = {(cohort, later): customers for cohort, later, customers in bought.iter_rows()}
    share = np.full((len(begun), COHORTS + 1), np.nan)
    for row, cohort in enumerate(begun):
        for later in range(min(now - cohort, COHORTS) + 1):
            if (cohort, 0) in found:
                share[row, later] = found.get((cohort, later), 0) / found[cohort, 0]
    figure, (axes,) = panel(height=3.8)
    texts = [["" if np.isnan(value) else f"{value:.0%}" for value in row] for row in share[:, 1:]]
    _heat(figure, axes, share[:, 1:], texts)
    axes.set_xticks(range(COHORTS), [str(n) for n in range(1, COHORTS + 1)])
    axes.set_yticks(
        range(len(begun)),
        [f"{(m - 1) // 12}-{(m - 1) % 12 + 1:02d} ({found.get((m, 0), 0)})" for m in begun],
        fontsize=7,
    )
    axes.set_xlabel("months after the first purchase", fontsize=8)
    axes.set_title("Share of a month's new buyers who bought again", fontsize=9)
    return figure


def alive(buyers: pl.DataFrame) -> Figure:
    """Histogram of the chance to be alive, of those who bought once and those who bought again."""
    once = pl.col("order_days") == 1
    figure, (axes,) = panel(height=2.4)
    axes.hist(
        [buyers.filter(once)["p_alive"].to_numpy(), buyers.filter(~once)["p_alive"].to_numpy()],
        bins=np.linspace(0, 1, 21).tolist(),
        stacked=True,
        color=[COLOURS[5], COLOURS[0]],
        label=["bought once", "bought again"],
    )
    axes.set_xlabel("chance to be alive", fontsize=8)
    axes.set_ylabel("customers", fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    return figure


def _heat(figure: Figure, axes: Axes, values: np.ndarray, texts: list[list[str]]) -> None:
    shown = axes.imshow(np.ma.masked_invalid(values), cmap="Blues", aspect="auto", origin="lower")
    middle = np.nanmax(values) / 2 if np.isfinite(values).any() else 0
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > middle else "black"
        axes.text(column, row, texts[row][column], ha="center", va="center", fontsize=6.5, color=colour)
    figure.colorbar(shown, ax=axes).ax.tick_params(labelsize=7)
