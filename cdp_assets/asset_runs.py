"""What the assets of every stage share: common arguments, one registry entry per run, how a table is shown.

Belongs here: Dagster's context and metadata on one side, `warehouse.registry` on the other. Does not belong here: what
an asset does (its stage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg

from cdp_assets import asset_gates, policies
from cdp_assets.partitions import TENANT_DIMENSION, tenants
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.freshness import Recipe
from cdp_assets.warehouse.registry import Summary, Trigger, record_run
from cdp_assets.warehouse.tables import TableReport
from cdp_assets.warehouse.tenants import TenantError, active_tenant


def tenant_table(
    schema: str,
    table: str,
    *,
    group: str,
    kinds: Iterable[str],
    partitions_def: dg.PartitionsDefinition[Any] = tenants,
    **more: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorator of an asset that is one table of the warehouse, made for one tenant (or one segment of one) at a time.

    `more` is what differs between tables: description, deps, pool, freshness.
    """
    decorate: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        key=[schema, table],
        partitions_def=partitions_def,
        group_name=group,
        kinds={"postgres", *kinds},
        owners=policies.OWNERS,
        tags={"cdp/stage": group},
        retry_policy=policies.RETRY,
        metadata={"dagster/table_name": f"{schema}.{table}"},
        **more,
    )
    return decorate


def tenant_of(context: dg.AssetExecutionContext) -> str:
    """The tenant of the run's partition, which is one or `segment|tenant`."""
    key = context.partition_key
    return key.keys_by_dimension[TENANT_DIMENSION] if isinstance(key, dg.MultiPartitionKey) else key


@contextmanager
def recorded(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    dataset: str,
    as_of: datetime | None = None,
    *,
    recipe: Recipe | None = None,
    alone: str | None = None,
) -> Iterator[Summary]:
    """An entry of `ops.etl_runs` around the run of one asset for one partition; `dataset` is `schema.table`.

    The run is a writer of its tenant as long as it lasts: the tenant is not removed meanwhile. What it has `alone` no
    other run writes; it waits for the one that does. Its first act is to ask whether what the asset is
    built on has passed its checks (`asset_gates`).
    """
    tenant_id = tenant_of(context)
    with locks.writing(warehouse, tenant_id, dataset, thing=alone) as require_held:
        try:
            active_tenant(warehouse, tenant_id)  # it may have been removed or suspended while this run waited
        except TenantError as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        with record_run(
            warehouse,
            tenant_id,
            dataset,
            partition_key=context.partition_key,
            trigger=_trigger(context.run.tags),
            orchestrator_run_id=context.run.run_id,
            attempt=context.retry_number + 1,
            as_of=as_of,
            recipe=recipe,
        ) as summary:
            summary.ignored_gates = asset_gates.require(context, warehouse)
            yield summary
            require_held()


def _trigger(tags: Mapping[str, str]) -> Trigger:
    if "dagster/backfill" in tags:
        return "backfill"
    if "dagster/schedule_name" in tags:
        return "schedule"
    return "sensor" if "dagster/sensor_name" in tags else "manual"


def column_schema(columns: Iterable[tuple[str, str, bool, str | None]]) -> dg.TableSchema:
    """Columns as Dagster shows them, from (name, PostgreSQL type, whether it may be null, what it means)."""
    return dg.TableSchema(
        [
            dg.TableColumn(name, type_, description, dg.TableColumnConstraints(nullable=nullable))
            for name, type_, nullable, description in columns
        ]
    )


def table_metadata(report: TableReport) -> dict[str, Any]:
    """A table on its asset's page: rows, columns, a few masked rows."""
    return {
        "dagster/row_count": report.rows,
        "dagster/column_schema": column_schema(report.columns),
        "preview": dg.MetadataValue.md(report.preview),
    }
