"""Dagster's side of every stage's checks: the specs of a table, and how a `Measure` is shown and kept.

Belongs here: what the check ops of all stages share. Which checks there are is in the catalogues, what an op reads in
the stage's own module. One op per table and not per check: a run has nine check steps instead of sixty. Every result
is a row of `ops.check_result` before Dagster hears of it: later runs ask for it (`asset_gates`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cdp_assets.partitions import tenants
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.warehouse import check_results
from cdp_assets.warehouse.check_results import Result, Scope
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.preview import markdown

REMEDY = "If it fails: "
"""What stands between a check's description and its remedy."""

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
                description=f"{check.description.format(**filled)} {REMEDY}{check.remedy.format(**filled)}",
                blocking=check.blocking,
                # Without partitions the last tenant's result would stand for all of them.
                partitions_def=partitions_def,
            )
            for check in checks
        ]


@dataclass(frozen=True, slots=True)
class Measured:
    """Whose rows a run measures, and which.

    Attributes:
        run_id: of the orchestrator.
        scope: what the run had looked at.
        data_version: of the rows, asked for before they are measured; None where results do not age.
        segment_id: the segment, where it is one of a segment.
    """

    tenant_id: str
    run_id: str
    scope: Scope = "build"
    data_version: str | None = None
    segment_id: str = ""


def report(
    warehouse: Warehouse,
    key: dg.AssetKey,
    of: Measured,
    found: Iterable[tuple[Check[Any], Measure]],
    names: Mapping[str, str],
    *,
    is_kept: bool = True,
) -> Iterator[dg.AssetCheckResult]:
    """Keep what was measured of an asset, all of it at once, then hand it to Dagster.

    `is_kept` is False for rows that nobody reads: a look back at an earlier day.
    """
    found = list(found)
    results = [
        Result(
            ".".join(key.path),
            check.name,
            check.blocking,
            each.passed,
            each.severity,
            each.failing,
            each.says,
        )
        for check, each in found
    ]
    if is_kept:
        keep(warehouse, of, results)
    for check, each in found:
        yield _check_result(key, of.tenant_id, check, each, names)


def keep(warehouse: Warehouse, of: Measured, results: Sequence[Result]) -> None:
    """Keep results as rows."""
    with warehouse.tenant(of.tenant_id) as conn:
        check_results.keep(
            conn,
            of.tenant_id,
            results,
            scope=of.scope,
            run_id=of.run_id,
            data_version=of.data_version,
            segment_id=of.segment_id,
        )


def _check_result(
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
