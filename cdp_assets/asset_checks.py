"""Dagster's side of every stage's checks: the specs of a table, and how a `Measure` is shown.

Belongs here: what the check ops of all stages share. Which checks there are is in the catalogues, what an op reads in
the stage's own module. One op per table and not per check: a run has nine check steps instead of sixty.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from cdp_assets.partitions import tenants
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.warehouse.preview import markdown

_SEVERITY = {Severity.WARN: dg.AssetCheckSeverity.WARN, Severity.ERROR: dg.AssetCheckSeverity.ERROR}


def check_specs(
    key: dg.AssetKey,
    checks: Sequence[Check[Any]],
    names: Mapping[str, str],
    partitions_def: dg.PartitionsDefinition[Any] = tenants,
) -> list[dg.AssetCheckSpec]:
    """One spec per check, partitioned as its asset is; `names` fills the texts of the catalogue."""
    filled = {"tenant": "the tenant", **names}
    with warnings.catch_warnings():
        # `partitions_def` of a check is in preview. Without it the last tenant's result would release another tenant's
        # bad rows, so it is used on purpose; tests/test_checks_dagster.py holds it to what is needed.
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                description=f"{check.description.format(**filled)} If it fails: {check.remedy.format(**filled)}",
                blocking=check.blocking,
                # Without partitions the last tenant's result would stand for all of them.
                partitions_def=partitions_def,
            )
            for check in checks
        ]


def check_result(
    key: dg.AssetKey, tenant_id: str, check: Check[Any], measure: Measure, names: Mapping[str, str]
) -> dg.AssetCheckResult:
    """A measure as Dagster stores it: numbers under stable names; what failed with a sample and the remedy."""
    metadata: dict[str, Any] = {"failing": measure.failing, "found": measure.says, **measure.numbers}
    if not measure.passed:
        metadata["remedy"] = check.remedy.format(tenant=tenant_id, **names)
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
