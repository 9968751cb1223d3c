"""All datasets, in the order in which they are built: one may read the tables of those above it."""

from __future__ import annotations

from cdp_assets.datasets import interactions
from cdp_assets.datasets.model import Dataset

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in interactions.DATASETS}
"""Name of the table -> dataset."""
