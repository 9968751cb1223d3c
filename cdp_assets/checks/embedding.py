"""The check ops of the embedding stage: one per vector table.

Belongs here: the ops. What is measured is in the modules `vector*`, what it means in `vector_catalog`, how it is shown
in `asset_checks`. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator

import dagster as dg

from cdp_assets import policies
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.checks.vector_catalog import VECTOR_CHECKS, evaluate_vectors
from cdp_assets.embedding.entities import ENTITIES, Entity
from cdp_assets.embedding.models import ModelError
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import TenantError, active_tenant

PERMANENT = (ModelError, TenantError, WarehouseError)
"""Faults that a retry meets again."""


def _check_op(entity: Entity) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(["embedding", entity.table])
    names = {"table": entity.table, "entity": entity.name, "source": entity.source}

    @dg.multi_asset_check(
        name=f"check_{entity.table}",
        specs=check_specs(key, VECTOR_CHECKS, names),
        can_subset=True,
        retry_policy=policies.RETRY,
    )
    def check_vectors(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {selected.name for selected in context.selected_asset_check_keys}
        tenant_id = context.partition_key
        try:
            active_tenant(warehouse, tenant_id)
            # Results do not age: a worker writes vectors all day, and refuses what would fail these checks.
            of = Measured(tenant_id, context.run.run_id)
            found = evaluate_vectors(warehouse, tenant_id, entity, names=wanted)
            yield from report(warehouse, key, of, found, names)
        except PERMANENT as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error

    return check_vectors


embedding_checks: list[dg.AssetChecksDefinition] = [_check_op(entity) for entity in ENTITIES.values()]
"""The check ops of the embedding stage, in the order of the entities."""
