"""Dataset A: who bought what, how often, how lately, and how much the other signals say."""

from cdp_assets.datasets.interactions.dataset import INTERACTIONS

DATASETS = (INTERACTIONS,)
