"""Dataset A as the graph knows it."""

from __future__ import annotations

from cdp_assets.datasets.interactions import index
from cdp_assets.datasets.interactions.build import NAME, build
from cdp_assets.datasets.interactions.checks import CHECKS
from cdp_assets.datasets.interactions.contract import Interactions
from cdp_assets.datasets.interactions.pictures import pictures
from cdp_assets.datasets.model import Dataset

INTERACTIONS = Dataset(
    name=NAME,
    letter="A",
    description=(
        "One row per customer and article with any signal: how often bought and for how much, how lately, and how much "
        "views, carts, wishes and ratings say. The version's files hold the split in time, matrices with lasting "
        "integer ids, and RecBole's files."
    ),
    contract=Interactions,
    reads=("purchases", "events", "reviews", "articles"),
    build=build,
    checks=CHECKS,
    pictures=pictures,
    shows=(
        "customer_id",
        "article_id",
        "purchase_count",
        "total_spent",
        "recency_days",
        "n_view",
        "n_cart",
        "implicit_weight",
    ),
    continues=index.FILES,
)
