"""The check ops of the landing stage: one per table.

Belongs here: what an op reads before it measures. What is measured is in the other modules, what it means in
`catalog`, how it is shown in `asset_checks`. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from cdp_assets import policies
from cdp_assets.asset_checks import check_result, check_specs
from cdp_assets.checks.catalog import CHECKS, evaluate
from cdp_assets.checks.subject import SourceFacts, Subject, Table, read_source
from cdp_assets.landing.contract import TenantOptions
from cdp_assets.opening import Sources
from cdp_assets.quality import Check, Measure
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import SourceRejected
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import TenantError, active_tenant

PERMANENT = (SourceRejected, TenantError, WarehouseError)
"""Faults that a retry meets again."""


def _check_op(table: Table, checks: Sequence[Check[Subject]]) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(["cdp", table.name])
    names = {"table": table.name, "collection": table.collection if table.contract else ""}
    reads_source = {check.name for check in checks if check.reads_source}

    @dg.multi_asset_check(
        name=f"check_{table.name}",
        specs=check_specs(key, checks, names),
        can_subset=True,
        retry_policy=policies.RETRY,
        pool=policies.SOURCE_POOL if reads_source else None,
    )
    def check_table(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        sources: dg.ResourceParam[Sources],
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {selected.name for selected in context.selected_asset_check_keys}
        tenant_id = context.partition_key
        try:
            measured = _measured(warehouse, sources, tenant_id, table, wanted, bool(wanted & reads_source))
        except PERMANENT as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        for check, measure in measured:
            yield check_result(key, tenant_id, check, measure, names)

    return check_table


def _measured(
    warehouse: Warehouse,
    sources: Sources,
    tenant_id: str,
    table: Table,
    names: set[str],
    is_source_read: bool,
) -> list[tuple[Check[Subject], Measure]]:
    facts: SourceFacts | None = None
    tenant = active_tenant(warehouse, tenant_id)
    if is_source_read:
        # Before the transaction: a slow source must not hold one open.
        with sources.open(tenant) as source:
            facts = read_source(source, table.collection)
    return list(
        evaluate(
            warehouse,
            tenant_id,
            table,
            quarantine_share=get_settings().quarantine_share,
            options=TenantOptions.of(tenant.options),
            source=facts,
            names=names,
        )
    )


landing_checks: list[dg.AssetChecksDefinition] = [
    _check_op(table, checks) for table, checks in CHECKS.items()
]
"""The check ops of the landing stage, in the order of the flow."""
