"""The IO manager of vectors as an asset's author meets it: frames in, frames out, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.embedding.vectors import VectorError, frame_of
from cdp_assets.io_managers.pgvector import pgvector_io_manager
from cdp_assets.partitions import tenants
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant

SPEC = ModelSpec("placeholder", "io", "", 16)


def vectors(rows: int, dimension: int = 16, seed: int = 1) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def frame(rows: int = 20, **more: Any) -> pl.DataFrame:
    made = frame_of([f"p{n:03}" for n in range(rows)], [bytes([n]) for n in range(rows)], vectors(rows))
    return made.with_columns(**{name: pl.lit(value) for name, value in more.items()})


class Bench:
    """One asset that returns a given frame, and one downstream that keeps what it is handed."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.instance = warehouse, instance
        self.seen: list[pl.DataFrame] = []
        self.instance.add_dynamic_partitions(tenants.name or "", ["acme"])

    def run(self, given: pl.DataFrame, key: str = "product_embedding", **metadata: Any) -> dict[str, Any]:
        """Materialize both; the metadata of the first."""

        @dg.asset(key=["embedding", key], partitions_def=tenants, io_manager_key="vectors", metadata=metadata)
        def made() -> pl.DataFrame:
            return given

        @dg.asset(
            partitions_def=tenants,
            ins={"found": dg.AssetIn(["embedding", key], input_manager_key="vectors")},
        )
        def downstream(found: pl.DataFrame) -> None:
            self.seen.append(found)

        result = dg.materialize(
            [made, downstream],
            partition_key="acme",
            instance=self.instance,
            resources={"warehouse": self.warehouse, "vectors": pgvector_io_manager},
        )
        (event,) = result.asset_materializations_for_node(f"embedding__{key}")
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def bench(warehouse: Warehouse, acme: Tenant, instance: dg.DagsterInstance) -> Bench:
    models.ensure_active(warehouse, "acme", SPEC)
    return Bench(warehouse, instance)


def test_a_frame_is_stored_and_handed_on_as_it_was(bench: Bench) -> None:
    given = frame()
    metadata = bench.run(given)
    assert (metadata["rows_written"], metadata["rows_unchanged"]) == (20, 0)
    (found,) = bench.seen
    assert found.equals(given)
    assert found.schema["embedding"] == pl.Array(pl.Float32, 16)


def test_what_is_stored_already_is_not_written_again(bench: Bench) -> None:
    bench.run(frame())
    metadata = bench.run(frame(25))
    assert (metadata["rows_written"], metadata["rows_unchanged"]) == (5, 20)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (frame(tenant_id="lotus"), "another tenant_id"),
        (frame(model_id="other"), "another model_id"),
        (frame().with_columns(embedding=pl.col("embedding").cast(pl.List(pl.Float32))), "must be an Array"),
        (frame_of(["a"], [b"1"], vectors(1, 8)), "16 dimensions"),
        (frame_of(["a"], [b"1"], np.zeros((1, 16), np.float32)), "not of unit length"),
        (frame_of(["a"], [b"1"], np.full((1, 16), np.nan, np.float32)), "not of unit length"),
        (frame_of(["a", "a"], [b"1", b"2"], vectors(2)), "occurs twice"),
        (frame().drop("text_hash"), "no column text_hash"),
    ],
    ids=["tenant", "model", "list", "dimension", "zero", "nan", "twice", "column"],
)
def test_what_must_not_be_stored_is_refused_whole(bench: Bench, given: pl.DataFrame, says: str) -> None:
    with pytest.raises(VectorError, match=says):
        bench.run(given)
    with bench.warehouse.tenant("acme") as conn:
        assert conn.execute("select count(*) from embedding.product_embedding").fetchone() == (0,)


def test_an_asset_may_name_a_model_that_does_not_serve_yet(bench: Bench) -> None:
    shadow = ModelSpec("placeholder", "shadow", "", 16)
    with bench.warehouse.tenant("acme") as conn:
        models.add(conn, "acme", shadow)
    bench.run(frame(), model_id=shadow.model_id)
    with bench.warehouse.tenant("acme") as conn:
        found = conn.execute(
            "select model_id, count(*) from embedding.product_embedding group by 1"
        ).fetchall()
    assert found == [(shadow.model_id, 20)]
    assert bench.seen[0].is_empty()  # downstream reads the model that serves


def test_an_asset_that_is_no_vector_table_is_told_which_there_are(bench: Bench) -> None:
    with pytest.raises(VectorError, match="embedding/profile_embedding"):
        bench.run(frame(), key="nonsense_embedding")


def test_a_tenant_without_a_model_is_told_what_to_do(
    warehouse: Warehouse, acme: Tenant, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(VectorError, match="materialize group:embedding"):
        Bench(warehouse, instance).run(frame())
