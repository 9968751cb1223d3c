"""Dagster's side of the landing checks: one op per table, each check a partitioned spec of the table's asset.

Belongs here: specs, the op, and how a `Measure` is shown. What is measured is in the other modules, what it means in
`catalog`. One op per table and not per check: a run has nine check steps instead of sixty. Annotations are not
postponed: Dagster reads them.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from cdp_assets import policies
from cdp_assets.checks.catalog import CHECKS, evaluate
from cdp_assets.checks.measures import Check, Measure, Severity, SourceFacts, Table, read_source
from cdp_assets.landing.contract import TenantOptions
from cdp_assets.landing.preview import markdown
from cdp_assets.partitions import tenants
from cdp_assets.resources import Sources
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import SourceRejected
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import TenantError, active_tenant

PERMANENT = (SourceRejected, TenantError, WarehouseError)
"""Faults that a retry meets again."""

_SEVERITY = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.ERROR: dg.AssetCheckSeverity.ERROR}


def _check_op(table: Table, checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(["cdp", table.name])
    reads_source = {check.name for check in checks if check.reads_source}

    @dg.multi_asset_check(
        name=f"check_{table.name}",
        specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                description=f"{_filled(check.description, table)} If it fails: {_filled(check.remedy, table)}",
                blocking=check.blocking,
                # Without partitions the last tenant's result would stand for all of them.
                partitions_def=tenants,
            )
            for check in checks
        ],
        can_subset=True,
        retry_policy=policies.RETRY,
        pool=policies.SOURCE_POOL if reads_source else None,
    )
    def check_table(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        sources: dg.ResourceParam[Sources],
    ) -> Iterator[dg.AssetCheckResult]:
        names = {selected.name for selected in context.selected_asset_check_keys}
        tenant_id = context.partition_key
        try:
            measured = _measured(warehouse, sources, tenant_id, table, names, bool(names & reads_source))
        except PERMANENT as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        for check, measure in measured:
            yield _result(key, table, tenant_id, check, measure)

    return check_table


def _measured(
    warehouse: Warehouse,
    sources: Sources,
    tenant_id: str,
    table: Table,
    names: set[str],
    is_source_read: bool,
) -> list[tuple[Check, Measure]]:
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


def _result(
    key: dg.AssetKey, table: Table, tenant_id: str, check: Check, measure: Measure
) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"failing": measure.failing, "found": measure.says, **measure.numbers}
    if not measure.passed:
        metadata["remedy"] = _filled(check.remedy, table, tenant_id)
        rows = [["" if cell is None else str(cell) for cell in row] for row in measure.sample]
        metadata["sample"] = dg.MetadataValue.md(markdown(measure.columns, rows))
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=measure.passed,
        severity=_SEVERITY[measure.severity],
        description=measure.says,
        metadata=metadata,
    )


def _filled(text: str, table: Table, tenant_id: str = "the tenant") -> str:
    collection = table.collection if table.contract else ""
    return text.format(tenant=tenant_id, table=table.name, collection=collection)


def _check_ops() -> list[dg.AssetChecksDefinition]:
    with warnings.catch_warnings():
        # `partitions_def` of a check is in preview. Without it the last tenant's result would release another tenant's
        # bad rows, so it is used on purpose; tests/test_checks_dagster.py holds it to what is needed.
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        return [_check_op(table, checks) for table, checks in CHECKS.items()]


landing_checks: list[dg.AssetChecksDefinition] = _check_ops()
"""The check ops of the landing stage, in the order of the flow."""
