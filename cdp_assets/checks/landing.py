"""The check ops of the landing stage: one per table.

Belongs here: what an op reads before it measures. What is measured is in the other modules, what it means in
`catalog`, how it is shown in `asset_checks`. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from cdp_assets import policies
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.checks.catalog import CHECKS, evaluate
from cdp_assets.checks.subject import SourceFacts, Subject, Table, read_source
from cdp_assets.opening import Sources
from cdp_assets.quality import Check, Measure
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import SourceRejected
from cdp_assets.warehouse.check_results import Scope, version_of
from cdp_assets.warehouse.connection import Connection, Warehouse, WarehouseError
from cdp_assets.warehouse.ledger import Ledger
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
        tenant_id, run_id = context.partition_key, context.run.run_id
        try:
            facts = _facts(warehouse, sources, tenant_id, table) if wanted & reads_source else None
            with warehouse.tenant(tenant_id) as conn:
                scope = scope_of(conn, tenant_id, table, run_id, facts)
                of = Measured(tenant_id, run_id, scope, version_of(conn, tenant_id, f"cdp.{table.name}"))
            yield from report(
                warehouse, key, of, _measured(warehouse, tenant_id, table, wanted, facts), names
            )
        except PERMANENT as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error

    return check_table


def _facts(warehouse: Warehouse, sources: Sources, tenant_id: str, table: Table) -> SourceFacts:
    """What the source says, read before any transaction: a slow source must not hold one open."""
    with sources.open(active_tenant(warehouse, tenant_id)) as source:
        return read_source(source, table.collection)


def _measured(
    warehouse: Warehouse, tenant_id: str, table: Table, names: set[str], facts: SourceFacts | None
) -> Iterator[tuple[Check[Subject], Measure]]:
    return evaluate(
        warehouse,
        tenant_id,
        table,
        quarantine_share=get_settings().quarantine_share,
        options=active_tenant(warehouse, tenant_id).options,
        source=facts,
        names=names,
    )


def scope_of(
    connection: Connection, tenant_id: str, table: Table, run_id: str, facts: SourceFacts | None
) -> Scope:
    """What this run had looked at: what its load says; of checks alone, whether the source is as the last sweep saw it.

    What is derived is made from everything.
    """
    if table.contract is None:
        return "build"
    row = connection.execute(
        "select metrics ->> 'mode' from ops.etl_runs where tenant_id = %s and dataset = %s "
        "and orchestrator_run_id = %s and status in ('success', 'quarantined') order by started_at desc limit 1",
        (tenant_id, f"cdp.{table.name}", run_id),
    ).fetchone()
    if row is not None:
        scope: Scope = row[0]
        return scope
    mark = Ledger(tenant_id, table.collection).watermark(connection)
    return "window" if facts is not None and facts.after.revision != mark.signature_revision else "sweep"


landing_checks: list[dg.AssetChecksDefinition] = [
    _check_op(table, checks) for table, checks in CHECKS.items()
]
"""The check ops of the landing stage, in the order of the flow."""
