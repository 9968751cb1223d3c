"""Pictures of what people think: by language, and by aspect.

Belongs here: drawing. What is drawn was published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.datasets.model import Audit
from cdp_assets.datasets.reviews.contract import LABELS
from cdp_assets.pictures import COLOURS, OTHER_COLOUR, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"negative": COLOURS[1], "neutral": OTHER_COLOUR, "positive": COLOURS[0]}


def pictures(audit: Audit) -> dict[str, Figure]:
    """Sentiment by language and by aspect, as shares with the number of texts; none without a text."""
    read = audit.table.filter(pl.col("sentiment_label").is_not_null())
    if read.is_empty():
        return {}
    aspects = read.select(pl.col("aspects").explode(empty_as_null=True)).drop_nulls().unnest("aspects")
    figure, (left, right) = panel(2, width=8.4, height=3.2)
    _bars(left, read.select("language", "sentiment_label"), "language")
    _bars(right, aspects.drop_nulls("label").select("aspect", "label"), "aspect")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8, frameon=False
    )
    return {"Sentiment by language and by aspect": figure}


def _bars(axes: Axes, rows: pl.DataFrame, title: str) -> None:
    group, label = rows.columns
    counts = (
        rows.group_by(group)
        .agg(pl.len().alias("n"), *((pl.col(label) == each).mean().alias(each) for each in LABELS))
        .sort("n", group)
    )
    names = [f"{name} ({n})" for name, n in counts.select(group, "n").rows()]
    start = [0.0] * counts.height
    for each in LABELS:
        shares = counts[each].to_list()
        axes.barh(names, shares, left=start, color=_COLOURS[each], label=each)
        start = [begin + share for begin, share in zip(start, shares, strict=True)]
    axes.set_title(f"by {title} (texts)", fontsize=9)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
