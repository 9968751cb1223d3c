"""Dagster assets of the embedding stage: one vector table per entity, partitioned by tenant.

Belongs here: keys, lineage, the registry entry, what the page shows. What is embedded and how is in the other modules;
the IO manager `vectors` writes. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import dagster as dg
from pydantic import Field

from cdp_assets import policies
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import column_schema, recorded, tenant_table
from cdp_assets.embedding import probes, retention
from cdp_assets.embedding.current import recipe
from cdp_assets.embedding.entities import (
    ENTITIES,
    MARKETING_EVENT,
    PRODUCT,
    PROFILE,
    REVIEW,
    TRANSACTION,
    Entity,
)
from cdp_assets.embedding.fill import Fill
from cdp_assets.embedding.map import profile_map
from cdp_assets.embedding.models import ModelError
from cdp_assets.embedding.providers.model import ProviderMisconfigured
from cdp_assets.embedding.report import vector_table_report
from cdp_assets.embedding.store import Stored
from cdp_assets.embedding.vectors import VectorBatch, VectorError
from cdp_assets.opening import Embedders
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.registry import Summary
from cdp_assets.warehouse.tenants import TenantError, active_tenant

GROUP = "embedding"

PERMANENT = (ModelError, ProviderMisconfigured, TenantError, VectorError, WarehouseError)
"""Faults that a retry meets again."""


class FillConfig(GatedConfig):
    """How vectors are brought in step."""

    compares: bool = Field(
        True,
        description="Compare every text with its vector first; a run that the queue asked for need not",
    )


class RecordedFill:
    """A fill with its registry entry: open while the IO manager writes, closed with what came of it."""

    def __init__(
        self, context: dg.AssetExecutionContext, warehouse: Warehouse, fill: Fill, entity: Entity
    ) -> None:
        self._context = context
        self._warehouse = warehouse
        self._fill = fill
        self._entity = entity
        self._stack = ExitStack()
        self._summary: Summary | None = None

    def __enter__(self) -> "RecordedFill":
        self._summary = self._stack.enter_context(
            recorded(
                self._context,
                self._warehouse,
                f"embedding.{self._entity.table}",
                # a run that the queue asked for compared nothing
                recipe=recipe(self._entity) if self._fill.compares else None,
            )
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if isinstance(error, PERMANENT):
            raise dg.Failure(f"{self._fill.tenant_id}: {error}", allow_retries=False) from error

    def __iter__(self) -> Generator[VectorBatch]:
        active_tenant(self._warehouse, self._fill.tenant_id)
        yield from self._fill

    def conclude(self, stored: Stored) -> Mapping[str, Any]:
        """Close the registry's figures, take a probe if something changed, and describe the table."""
        fill, model = self._fill, self._fill.model
        assert model is not None
        assert self._summary is not None
        tallies = fill.tallies.values()
        texts = sum(tally.texts for tally in tallies)
        provider_s = sum(tally.provider_s for tally in tallies)
        counts: dict[str, Any] = {
            "model": model.model_id,
            "note": fill.note or "-",
            "jobs_claimed": sum(tally.claimed for tally in tallies),
            "jobs_found_by_comparison": fill.enqueued,
            "jobs_copied": sum(tally.settled["copied"] for tally in tallies),
            "jobs_withdrawn": sum(tally.settled["withdrawn"] for tally in tallies),
            "jobs_put_off": sum(tally.failed for tally in tallies),
            "dead_letters": sum(tally.dead for tally in tallies),
            "provider_calls": sum(tally.calls for tally in tallies),
            "texts_embedded": texts,
            "provider_seconds": round(provider_s, 3),
            "texts_per_second": round(texts / provider_s) if provider_s else 0,
        }
        changed = stored.written + counts["jobs_copied"] + counts["jobs_withdrawn"]
        self._summary.rows_in, self._summary.rows_out = counts["jobs_claimed"], changed
        self._summary.rows_rejected = counts["dead_letters"]
        self._summary.metrics = counts
        if counts["dead_letters"]:
            self._summary.status = "quarantined"
        self._context.log.info(
            "%s %s: %d texts embedded in %.1f s of the provider, %d vectors written",
            fill.tenant_id, self._entity.name, texts, provider_s, stored.written,
        )  # fmt: skip
        with self._warehouse.tenant(fill.tenant_id) as conn:
            retention.purge(conn, fill.tenant_id)
            if changed:
                probes.take_probe(conn, fill.tenant_id, model.model_id, self._entity.name)
            report = vector_table_report(conn, fill.tenant_id, self._entity, model)
            picture = profile_map(conn, fill.tenant_id, model.model_id) if self._entity is PROFILE else None
        return {
            **counts,
            "rows_written": changed,
            "dagster/row_count": report.rows,
            "dagster/column_schema": column_schema(report.columns),
            "distinct_texts": report.texts,
            **({"norm_min": report.norm_min, "norm_max": report.norm_max} if report.texts else {}),
            "nearest_neighbours": dg.MetadataValue.md(report.neighbours),
            **({"map": dg.MetadataValue.md(picture)} if picture else {}),
        }


def _embedding_asset(entity: Entity, description: str, *also: str) -> dg.AssetsDefinition:
    @tenant_table(
        "embedding",
        entity.table,
        group=GROUP,
        kinds={"pgvector"},
        description=description,
        deps=[entity.source.split("."), *(source.split(".") for source in also)],
        io_manager_key="vectors",
        pool=policies.EMBEDDING_POOL,
        freshness_policy=policies.EMBEDDING_FRESHNESS,
    )
    def embed(
        context: dg.AssetExecutionContext,
        config: FillConfig,
        warehouse: dg.ResourceParam[Warehouse],
        embedders: dg.ResourceParam[Embedders],
    ) -> RecordedFill:
        fill = Fill(
            warehouse,
            context.partition_key,
            entity.name,
            configured=embedders.configured,
            provider_of=embedders.of,
            compares=config.compares,
            say=context.log.info,
        )
        return RecordedFill(context, warehouse, fill, entity)

    return embed


profile_embedding = _embedding_asset(
    PROFILE,
    "One vector per active, unmerged profile and model: what it is interested in and what it is like. No name, contact "
    "or id enters the text, nor do segments: a lookalike of a segment would find the segment.",
)

transaction_embedding = _embedding_asset(
    TRANSACTION,
    "One vector per transaction whose product is known, and model: what was done with which product. Equal texts share "
    "one call of the provider.",
    PRODUCT.source,
)

product_embedding = _embedding_asset(
    PRODUCT, "One vector per product and model: title, brand, category, keywords, description."
)

review_embedding = _embedding_asset(
    REVIEW, "One vector per review with a comment, and model: the comment without contact data and numbers."
)

marketing_event_embedding = _embedding_asset(
    MARKETING_EVENT,
    "One vector per marketing event that is not cancelled, and model: name, type, channel, text.",
)

marketing_events = dg.AssetSpec(
    MARKETING_EVENT.source.split("."),
    description="One row per marketing event that a tenant plans; written by `activation`, not by this graph.",
    group_name="activation",
    kinds={"postgres"},
    owners=policies.OWNERS,
)

assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    profile_embedding,
    transaction_embedding,
    product_embedding,
    review_embedding,
    marketing_event_embedding,
    marketing_events,
]
assert {entity.table for entity in ENTITIES.values()} == {
    asset.key.path[-1] for asset in assets if isinstance(asset, dg.AssetsDefinition)
}
