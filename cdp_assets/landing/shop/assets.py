"""Dagster assets of the shop's landing tables: `raw.*`, partitioned by tenant, loaded together from one snapshot.

Belongs here: keys, lineage, run configuration, metadata. How a shop is read is in `extract` and below. Annotations are
not postponed: Dagster reads them.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from cdp_assets import policies
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.asset_runs import recorded, table_metadata
from cdp_assets.landing.shop.checks import CHECKS, evaluate, scope_of
from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.model import ABSENT, SKIPPED, ShopOptions, TableResult
from cdp_assets.landing.shop.specs import SPECS, TableSpec
from cdp_assets.opening import Sources
from cdp_assets.partitions import tenants
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import SourceRejected
from cdp_assets.warehouse.check_results import version_of
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.registry import Summary
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import Tenant, TenantError, active_tenant

GROUP = "raw"

PERMANENT = (SourceRejected, TenantError, WarehouseError)
"""Faults that a retry meets again."""


DESCRIPTIONS = {
    "customers": "One row per customer account of the shop. A person may have several; `intermediate.int_customers` "
    "tells who is one.",
    "products": "One row per product of the shop.",
    "orders": "One row per order. `order_number` is LEO's `transaction_id`; the status is the shop's own word.",
    "order_items": "One row per line of an order.",
    "categories": "One row per product category; `parent_id` names the category above.",
    "reviews": "One row per product review written in the shop.",
    "promotions": "One row per promotion; orders name the one that they used.",
    "events": "One row per event of the shop's own pages.",
}


class ShopMode(Enum):
    """How changes are found: WINDOW by `updated_at`, SWEEP compares every key too, FULL reads every row."""

    WINDOW = "window"
    SWEEP = "sweep"
    FULL = "full"


class ShopConfig(dg.Config):
    """How a shop is loaded."""

    mode: ShopMode = Field(
        ShopMode.SWEEP,
        description="WINDOW reads new times; SWEEP finds deletes and late commits too; FULL reads every row again",
    )
    allow_mass_delete: bool = Field(
        False,
        description="Tombstone vanished rows whatever their share: after a person has checked the shop",
    )


def _shop_spec(spec: TableSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["shop", spec.table],
        description=f"One row per row of the table `{spec.table}` in the tenant's shop database.",
        group_name="shop",
        kinds={"postgres"},
        owners=policies.OWNERS,
    )


def _raw_spec(spec: TableSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["raw", spec.table],
        deps=[["shop", spec.table]],
        description=f"{DESCRIPTIONS[spec.table]} `_deleted_at` is set once the shop no longer has the row.",
        group_name=GROUP,
        kinds={"postgres"},
        owners=policies.OWNERS,
        tags={"cdp/stage": "landing"},
        metadata={"dagster/table_name": f"raw.{spec.table}"},
        freshness_policy=policies.LANDING_FRESHNESS,
    )


NO_SHOP = "the tenant has no shop"


def _key(table: str) -> dg.AssetKey:
    return dg.AssetKey(["raw", table])


check_keys = [
    spec.key
    for table, checks in CHECKS.items()
    for spec in check_specs(_key(table), checks, {"table": table})
]
"""Checks that the step measures; dbt has tests of these tables beside them."""


@dg.multi_asset(
    name="shop",
    specs=[_raw_spec(spec) for spec in SPECS.values()],
    check_specs=[
        spec
        for table, checks in CHECKS.items()
        for spec in check_specs(_key(table), checks, {"table": table})
    ],
    partitions_def=tenants,
    can_subset=True,
    retry_policy=policies.RETRY,
    pool=policies.SHOP_POOL,
)
def raw_tables(
    context: dg.AssetExecutionContext,
    config: ShopConfig,
    warehouse: dg.ResourceParam[Warehouse],
    sources: dg.ResourceParam[Sources],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Load every selected table, then check it; one that fails does not stop the others, and fails the step in the end.

    Tables and checks are one step, so that a table that was loaded is checked whatever became of those beside it.
    """
    tenant_id = context.partition_key
    wanted = sorted(key.path[-1] for key in context.selected_asset_keys)
    checked = [table for table in SPECS if _names_of_checks(context, table)]
    try:
        tenant = active_tenant(warehouse, tenant_id)
        if not wanted:
            told = NO_SHOP if tenant.shop is None else None
            for table in checked:
                yield from _checked(context, warehouse, tenant_id, table, told)
            return
        with recorded(context, warehouse, "raw") as summary:
            results, source = _loaded(context, config, warehouse, sources, tenant, wanted)
            _sum_up(summary, results)
            for table, result in results.items():
                if result.error is None:
                    metadata = _metadata(warehouse, tenant_id, result, source)
                    yield dg.MaterializeResult(asset_key=_key(table), metadata=metadata)
            for table in checked:
                found = results.get(table)
                if found is None or found.mode == SKIPPED:
                    # in the middle of another run's load: that run's result is the one to keep
                    yield from _checked(context, warehouse, tenant_id, table, None, is_kept=found is None)
                elif found.error is None:
                    yield from _checked(context, warehouse, tenant_id, table, found.absent)
            _require_all(tenant_id, results)
    except PERMANENT as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error


def _loaded(
    context: dg.AssetExecutionContext,
    config: ShopConfig,
    warehouse: Warehouse,
    sources: Sources,
    tenant: Tenant,
    wanted: list[str],
) -> tuple[dict[str, TableResult], str]:
    """What was done with each table, and the name of the shop; a tenant without a shop lacks every table."""
    if tenant.shop is None:
        return {table: TableResult(table, ABSENT, absent=NO_SHOP) for table in wanted}, "-"
    shop = sources.shop(tenant)
    results = extract(
        warehouse,
        tenant.tenant_id,
        shop,
        mode=config.mode.value,
        tables=wanted,
        options=_options(tenant, config),
        run_id=context.run.run_id,
        progress=context.log.info,
    )
    return results, shop.name


def _names_of_checks(context: dg.AssetExecutionContext, table: str) -> set[str]:
    return {key.name for key in context.selected_asset_check_keys if key.asset_key == _key(table)}


def _checked(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    tenant_id: str,
    table: str,
    told_absent: str | None,
    *,
    is_kept: bool = True,
) -> Iterator[dg.AssetCheckResult]:
    """The selected checks of a table; `told_absent` as in `ShopTable`."""
    with warehouse.tenant(tenant_id) as conn:
        scope, version = scope_of(conn, tenant_id, SPECS[table]), version_of(conn, tenant_id, f"raw.{table}")
    of = Measured(tenant_id, context.run.run_id, scope, version)
    found = evaluate(
        warehouse,
        tenant_id,
        SPECS[table],
        quarantine_share=get_settings().quarantine_share,
        told_absent=told_absent,
        names=_names_of_checks(context, table),
    )
    yield from report(warehouse, _key(table), of, found, {"table": table}, is_kept=is_kept)


def _require_all(tenant_id: str, results: dict[str, TableResult]) -> None:
    """Fail for the tables that were not finished; a retry is worth it if it may help one of them."""
    failed = [result for result in results.values() if result.error is not None]
    if failed:
        raise dg.Failure(
            f"{tenant_id}: " + "; ".join(f"raw.{result.table}: {result.error}" for result in failed),
            allow_retries=not all(isinstance(result.error, PERMANENT) for result in failed),
        )


def _options(tenant: Tenant, config: ShopConfig) -> ShopOptions:
    settings, own = get_settings(), tenant.options.max_delete_share
    return ShopOptions(
        overlap=timedelta(seconds=settings.shop_overlap_s),
        safety_lag=timedelta(seconds=settings.shop_safety_lag_s),
        max_workers=settings.pool_size,
        max_delete_share=settings.max_delete_share if own is None else own,
        allow_mass_delete=config.allow_mass_delete,
        default_region=tenant.options.default_region,
    )


def _sum_up(summary: Summary, results: dict[str, TableResult]) -> None:
    summary.rows_in = sum(result.read for result in results.values())
    summary.rows_out = sum(result.rows for result in results.values())
    summary.rows_rejected = sum(result.rejected for result in results.values())
    summary.metrics = {
        table: {
            "mode": result.mode,
            "read": result.read,
            "written": result.rows,
            "rejected": result.rejected,
            **({"absent": result.absent} if result.absent else {}),
        }
        for table, result in results.items()
    }
    if summary.rows_rejected:
        summary.status = "quarantined"
    if results and all(result.mode == SKIPPED for result in results.values()):
        summary.status = "skipped"


def _metadata(warehouse: Warehouse, tenant_id: str, result: TableResult, source: str) -> dict[str, Any]:
    """Counts under names that stay the same over time, so that the UI can plot them, and the table."""
    with warehouse.tenant(tenant_id) as conn:
        report = table_report(
            conn, tenant_id, "raw", result.table, newest_by="_etl_loaded_at", tombstone="_deleted_at"
        )
    return {
        "mode": result.mode,
        "absent": result.mode == ABSENT,
        "source": source,
        "note": "; ".join(filter(None, [result.absent, *result.notes])) or "-",
        "drift": "; ".join(result.drift) or "-",
        "rows_read": result.read,
        "rows_added": result.added,
        "rows_changed": result.changed,
        "rows_unchanged": result.unchanged,
        "rows_tombstoned": result.tombstoned,
        "rows_written": result.rows,
        "rows_quarantined": result.rejected,
        "quarantine_recovered": result.recovered,
        "deletes_withheld": result.withheld,
        "seconds": round(result.seconds, 3),
        **table_metadata(report),
    }


assets: list[dg.AssetsDefinition | dg.AssetSpec] = [*map(_shop_spec, SPECS.values()), raw_tables]
