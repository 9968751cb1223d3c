"""Pictures of audiences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.pictures import COLOURS, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BARS = 12


def most_different(features: pl.DataFrame) -> Figure | None:
    """The features (rows as `audience.segment_features`) in which members differ most from all customers.

    None when nothing is known of any member.
    """
    known = features.filter(pl.col("difference").is_not_null())
    if known.is_empty():
        return None
    top = (
        known.sort(pl.col("difference").abs(), "feature", "level", descending=[True, False, False])
        .head(BARS)
        .reverse()
    )
    labels = [
        f"{feature} = {level}" if level else feature
        for feature, level in top.select("feature", "level").iter_rows()
    ]
    figure, (axes,) = panel(height=0.24 * top.height + 0.9)
    differences = top["difference"].to_list()
    axes.barh(labels, differences, color=[COLOURS[0] if value > 0 else COLOURS[1] for value in differences])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("standard deviations above (right) or below all customers", fontsize=8)
    return figure
