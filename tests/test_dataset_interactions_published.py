"""Dataset A in the warehouse and the store: its table takes what is built, its ids go on from version to version.

Belongs here: what needs a database. What the columns say is in `test_dataset_interactions`.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.interactions import INTERACTIONS
from cdp_assets.datasets.model import Frames
from cdp_assets.datasets.publish import Outcome, build
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.interactions_support import SCOPE, event, frames, line, noon, review

FIRST = frames(
    [
        line("m", "x", noon(30), "12.5"),
        line("t", "x", noon(3), "-7"),
        line("t", "y", noon(2), currency="USD"),
    ],
    [event("m", "y", "view", noon(1))],
    [review("t", "x", 4.0, noon(1))],
)

_runs = itertools.count(1)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def built(warehouse: Warehouse, store: ArtifactStore, inputs: Frames) -> Outcome:
    return build(warehouse, store, INTERACTIONS, SCOPE, inputs, f"run-{next(_runs)}")


def test_the_table_holds_what_was_built(warehouse: Warehouse, acme: Tenant, store: ArtifactStore) -> None:
    outcome = built(warehouse, store, FIRST)
    assert outcome.written is not None
    assert outcome.written.inserted == 4
    with warehouse.tenant("acme") as conn:
        rows = conn.execute(
            "select customer_id, article_id, purchase_count, return_count, other_currency_count, total_spent, "
            "avg_price_paid, recency_days, rating, is_outlier from datasets.user_item_interactions order by 1, 2"
        ).fetchall()
    assert [tuple(value if value is None else str(value) for value in row) for row in rows] == [
        ("m", "x", "1", "0", "0", "12.5000", "12.5000", "30", None, "False"),
        ("m", "y", "0", "0", "0", "0.0000", None, None, None, "False"),
        ("t", "x", "0", "1", "0", "-7.0000", None, None, "4.0", "False"),
        ("t", "y", "1", "0", "1", "0.0000", None, "2", None, "False"),
    ]


def test_the_same_inputs_give_the_same_version_and_write_no_row(
    warehouse: Warehouse, acme: Tenant, store: ArtifactStore
) -> None:
    first, second = built(warehouse, store, FIRST), built(warehouse, store, FIRST)
    assert second.manifest.version == first.manifest.version
    assert second.written is not None
    assert second.written.rows == 0
    assert first.manifest.key == ("customer_id", "article_id")
    assert first.manifest.max_time is not None
    assert first.manifest.max_time.date() == SCOPE.as_of - timedelta(days=1)


def test_ids_go_on_from_the_published_version(
    warehouse: Warehouse, acme: Tenant, store: ArtifactStore
) -> None:
    built(warehouse, store, FIRST)
    outcome = built(warehouse, store, frames([line("a", "x", noon(1)), line("t", "z", noon(1))]))
    index = pl.read_parquet(BytesIO(store.read(outcome.manifest, "user_index.parquet")))
    assert index.rows() == [(0, "m"), (1, "t"), (2, "a")]
    assert store.latest(INTERACTIONS.name, "acme") == outcome.manifest.version
