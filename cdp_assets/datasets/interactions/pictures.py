"""Pictures of dataset A: how unevenly interactions fall on articles.

Belongs here: what is drawn. No key of a customer is in it.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cdp_assets.datasets.interactions.card import SHARES, gini, top_share
from cdp_assets.datasets.model import Audit
from cdp_assets.pictures import COLOURS, OTHER_COLOUR, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Long tail of interactions"


def pictures(audit: Audit) -> dict[str, Figure]:
    """The long tail; nothing where there are no interactions."""
    parts = pl.read_parquet(BytesIO(audit.built.files["splits.parquet"]), columns=["item", "strength"])
    counts = parts.filter(pl.col("strength") > 0).group_by("item").len()["len"].sort(descending=True)
    return {TITLE: long_tail(counts.to_numpy())} if counts.len() else {}


def long_tail(counts: np.ndarray) -> Figure:
    """Interactions of each article by its rank, and the share of all that the first so many articles have."""
    figure, (ranked, summed) = panel(2)
    ranks = np.arange(1, counts.size + 1)
    ranked.loglog(ranks, counts, color=COLOURS[0], linewidth=1.6)
    ranked.set_xlabel("rank of article", fontsize=8)
    ranked.set_title("Interactions per article", fontsize=9, loc="left")
    shares = np.concatenate([[0.0], counts.cumsum() / counts.sum()])
    summed.plot([0, 100], [0, 100], color=OTHER_COLOUR, linewidth=1, linestyle="--")
    summed.plot(np.linspace(0, 100, shares.size), shares * 100, color=COLOURS[0], linewidth=1.6)
    for share in SHARES:
        height = top_share(counts, share) * 100
        summed.plot(share * 100, height, "o", color=COLOURS[1], markersize=4)
        summed.annotate(
            f"{share:.0%}: {height:.0f}%",
            (share * 100, height),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=7,
        )
    summed.set_xlabel("% of articles, most popular first", fontsize=8)
    summed.set_title(f"% of interactions (Gini {gini(counts):.2f})", fontsize=9, loc="left")
    return figure
