"""Dataset A as the graph knows it."""

from __future__ import annotations

from cdp_assets.datasets.interactions.build import build
from cdp_assets.datasets.interactions.contract import Interactions
from cdp_assets.datasets.model import Dataset

INTERACTIONS = Dataset(
    name="user_item_interactions",
    letter="A",
    description="One row per customer and article bought: how often, for how much, how lately.",
    contract=Interactions,
    reads=("purchases",),
    build=build,
    shows=(
        "customer_id",
        "article_id",
        "purchase_count",
        "total_spent",
        "recency_days",
        "time_weighted_score",
    ),
)
