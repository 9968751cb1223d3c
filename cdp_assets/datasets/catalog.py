"""All datasets, in the order in which they are built: one may read the tables of those above it."""

from __future__ import annotations

from cdp_assets.datasets import articles, customers, interactions, reviews, timeseries
from cdp_assets.datasets.model import Dataset

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for part in (
        articles,
        reviews,
        interactions,
        customers,
        timeseries,
    )
    for dataset in part.DATASETS
}
"""Name of the table -> dataset."""


def tables_of(letter: str) -> list[str]:
    """Tables of the datasets that the seeds call by this letter."""
    return [name for name, dataset in DATASETS.items() if dataset.letter == letter]
