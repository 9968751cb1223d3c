"""Pictures of the catalogue: where its prices lie, and what has changed.

Belongs here: drawing. What is drawn was published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.datasets.articles.changes import KINDS
from cdp_assets.datasets.model import Audit
from cdp_assets.pictures import COLOURS, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 8


def pictures(audit: Audit) -> dict[str, Figure]:
    """Prices of the largest categories in the tenant's currency, and changes by kind; none without a price."""
    priced = audit.table.filter(
        pl.col("currency") == audit.scope.currency, pl.col("price").is_not_null()
    ).with_columns(pl.coalesce("category_path", pl.lit("none")).alias("category"))
    if priced.is_empty():
        return {}
    largest = (
        priced["category"].value_counts().sort("count", "category", descending=[True, False]).head(_MOST)
    )
    names = largest["category"].to_list()[::-1]
    figure, (left, right) = panel(2, width=8.4, height=3.2)
    left.boxplot(
        [priced.filter(pl.col("category") == name)["price"].cast(pl.Float64).to_list() for name in names],
        orientation="horizontal",
        tick_labels=names,
        flierprops={"markersize": 2},
        medianprops={"color": COLOURS[1]},
    )
    left.set_title(f"price by category, {audit.scope.currency}", fontsize=9)
    right.barh(KINDS[::-1], [int(audit.built.numbers[kind]) for kind in KINDS[::-1]], color=COLOURS[0])
    right.set_title("articles changed since the day before", fontsize=9)
    return {"Prices and changes": figure}
