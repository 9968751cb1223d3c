"""The check op of the shop's landing tables: one for all, since each check is a query or two.

Belongs here: the op. What is measured, and what it means, is in `raw_tables`, how it is shown in `asset_checks`.
Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator

import dagster as dg

from cdp_assets import policies
from cdp_assets.asset_checks import check_result, check_specs
from cdp_assets.checks.raw_tables import SHOP_CHECKS, ShopTable
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import TenantError, active_tenant

PERMANENT = (TenantError, WarehouseError)
"""Faults that a retry meets again."""


def _specs() -> list[dg.AssetCheckSpec]:
    return [
        spec
        for table in SPECS.values()
        for spec in check_specs(dg.AssetKey(["raw", table.table]), SHOP_CHECKS, {"table": table.table})
    ]


@dg.multi_asset_check(name="check_shop", specs=_specs(), can_subset=True, retry_policy=policies.RETRY)
def check_shop(
    context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """All selected checks of all tables."""
    tenant_id = context.partition_key
    wanted = {(key.asset_key.path[-1], key.name) for key in context.selected_asset_check_keys}
    try:
        active_tenant(warehouse, tenant_id)
    except PERMANENT as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
    share = get_settings().quarantine_share
    for spec in SPECS.values():
        with warehouse.tenant(tenant_id) as conn:
            table = ShopTable(conn, tenant_id, spec, share)
            for check in SHOP_CHECKS:
                if (spec.table, check.name) in wanted:
                    yield check_result(
                        dg.AssetKey(["raw", spec.table]),
                        tenant_id,
                        check,
                        check.measure(table),
                        {"table": spec.table},
                    )


shop_checks = [check_shop]
