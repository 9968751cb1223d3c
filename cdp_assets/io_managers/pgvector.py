"""Vectors between assets and pgvector: takes batches or a frame, writes them by binary COPY, hands a frame on.

Belongs here: which tenant, entity and model an output is for, and what its storage says of itself. How vectors travel
is `embedding.store`; where they come from is the asset.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, closing
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import dagster as dg
import polars as pl

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.embedding.vectors import VectorBatch, VectorError
from cdp_assets.warehouse.connection import Warehouse


@runtime_checkable
class VectorStream(AbstractContextManager[Any], Protocol):
    """Vectors that are made while they are written: each batch is stored before the next is asked for."""

    def __iter__(self) -> Generator[VectorBatch]: ...

    def conclude(self, stored: Stored) -> Mapping[str, Any]:
        """Called once all is written; returns metadata for the asset's page."""
        ...


class PgVectorIOManager(dg.IOManager):
    """Stores the output of assets `embedding/<entity>_embedding`, partitioned by tenant.

    Takes a `VectorStream`, or a polars frame with entity_key, text_hash and embedding (Array of Float32) of the
    tenant's active model, or of the one that the asset's metadata names as `model_id`. Gives downstream assets the
    frame of the tenant's active model.

    Raises:
        VectorError: wrong dimension, not finite, zero or not of unit length, a key twice, rows of another tenant.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def handle_output(self, context: dg.OutputContext, obj: VectorStream | pl.DataFrame) -> None:
        """Write and say how many rows, how long, and what became of them."""
        tenant_id, entity = context.partition_key, _entity(context.asset_key)
        began = perf_counter()
        with self._warehouse.session(tenant_id) as session:
            store = VectorStore(session)
            if isinstance(obj, pl.DataFrame):
                model_id = self._model(tenant_id, (context.definition_metadata or {}).get("model_id"))
                stored = store.write(
                    VectorBatch.of_frame(obj, tenant_id=tenant_id, entity=entity, model_id=model_id)
                )
                store.index(entity, model_id)
                written_s, metadata = perf_counter() - began, {}
            else:
                stored, written_s, filled = Stored(), 0.0, set()
                # closed at once when a write fails: the stream holds leases
                with obj, closing(iter(obj)) as batches:
                    for batch in batches:
                        start = perf_counter()
                        stored += store.write(batch)
                        written_s += perf_counter() - start
                        filled.add(batch.model_id)
                    for model_id in sorted(filled):
                        store.index(entity, model_id)
                    metadata = dict(obj.conclude(stored))
        context.add_output_metadata(
            {
                "rows_written": stored.written,
                "rows_unchanged": stored.unchanged,
                "rows_superseded": stored.superseded,
                "write_seconds": round(written_s, 3),
                "seconds": round(perf_counter() - began, 3),
                **metadata,
            }
        )

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """entity_key, text_hash, embedding of the tenant's active model, by key."""
        tenant_id, entity = context.partition_key, _entity(context.asset_key)
        model_id = self._model(tenant_id, (context.definition_metadata or {}).get("model_id"))
        with self._warehouse.session(tenant_id) as session:
            return VectorStore(session).read(entity, model_id)

    def _model(self, tenant_id: str, named: str | None) -> str:
        with self._warehouse.tenant(tenant_id) as conn:
            if named is not None:
                return models.model_of(conn, tenant_id, named).model_id
            serving = models.active(conn, tenant_id)
        if serving is None:
            raise VectorError(
                f"tenant {tenant_id!r} has no model yet; materialize group:embedding for it, which registers one"
            )
        return serving.model_id


def _entity(key: dg.AssetKey) -> str:
    name = key.path[-1].removesuffix("_embedding")
    if name not in ENTITIES or key.path[-1] == name:
        raise VectorError(
            f"asset {key.to_user_string()} is no vector table; known are "
            + ", ".join(f"embedding/{entity.table}" for entity in ENTITIES.values())
        )
    return name


@dg.io_manager(
    required_resource_keys={"warehouse"}, description="Vectors <-> pgvector, per tenant and model."
)
def pgvector_io_manager(context: dg.InitResourceContext) -> PgVectorIOManager:
    """On the warehouse of the run."""
    return PgVectorIOManager(context.resources.warehouse)
