"""What a run of the pipeline built, as its last screen shows it.

Belongs here: events of a run -> lines, lines -> screen. Does not belong here: running (`pipeline`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cdp_assets.cli.terminal import fail, out, table

if TYPE_CHECKING:
    import dagster as dg

TOGETHER = ("staging", "intermediate")
"""Schemas of views: one line each, since a view holds no rows of its own."""

FIGURES = ("rows", "changed", "quarantined", "passed", "warned", "failed", "seconds")


@dataclass(frozen=True)
class Finding:
    """A check that did not pass: how many rows it names, what it says, and what to do about it."""

    check: str
    failing: int
    says: str
    remedy: str


@dataclass
class Line:
    """One line of the long table: an asset of a tenant, `schema.table`, or a schema of views.

    Attributes:
        failed: blocking checks that found rows missing or wrong; they decide the exit code.
        warned: all other checks that did not pass.
        missing: assets of the line that were not built.
    """

    asset: str
    rows: int | None = 0
    changed: int | None = 0
    quarantined: int | None = None
    passed: int = 0
    failed: list[Finding] = field(default_factory=list)
    warned: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    missing: int = 0


@dataclass
class Stage:
    """One line of the screen: what became of a stage of a tenant.

    Attributes:
        note: why nothing ran, or empty.
        errors: why steps failed, one text each; checks speak for themselves.
    """

    tenant_id: str
    title: str
    lines: list[Line] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every asset was built and no blocking check failed."""
        return not self.errors and not any(line.missing or line.failed for line in self.lines)


def name_of(key: dg.AssetKey) -> str:
    """The line that an asset belongs to."""
    schema = key.path[0]
    return f"{schema} (views)" if schema in TOGETHER else ".".join(key.path)


def lines_of(result: dg.ExecuteInProcessResult, keys: Sequence[dg.AssetKey]) -> list[Line]:
    """What became of these assets in a run."""
    lines: dict[str, Line] = {}
    for key in keys:
        lines.setdefault(name_of(key), Line(name_of(key))).missing += 1
    times: dict[str, float] = {
        event.step_key or "": event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success
    }
    for event in result.get_asset_materialization_events():
        assert event.asset_key is not None
        line = lines[name_of(event.asset_key)]
        metadata = event.materialization.metadata
        line.missing -= 1
        # several tables of one step say themselves how long each took
        own: Any = value(metadata, "seconds") or value(metadata, "Execution Duration")
        is_alone = event.step_key == "__".join(event.asset_key.path)
        line.seconds += times.get(event.step_key or "", 0.0) if is_alone else float(own)
        if event.asset_key.path[0] in TOGETHER:
            line.rows = line.changed = None
        else:
            line.rows = int(value(metadata, "dagster/row_count"))
            line.changed = int(value(metadata, "rows_written")) if "rows_written" in metadata else None
    for evaluation in result.get_asset_check_evaluations():
        name = name_of(evaluation.asset_key)
        # dbt's test of a source, which is another stage's asset, counts where the source is staged
        line = lines.get(name) or lines["staging (views)"]
        if evaluation.passed:
            line.passed += 1
        elif evaluation.blocking and evaluation.severity.value == "ERROR":
            line.failed.append(_finding(evaluation))
        else:
            line.warned.append(_finding(evaluation))
    for line in lines.values():
        line.seconds += times.get(f"check_{line.asset.rpartition('.')[2]}", 0.0)
    return list(lines.values())


def _finding(evaluation: dg.AssetCheckEvaluation) -> Finding:
    found = evaluation.metadata
    failing = value(found, "failing") or value(found, "dagster_dbt/failed_row_count")
    return Finding(
        evaluation.check_name, int(failing), evaluation.description or "", str(value(found, "remedy") or "")
    )


def errors_of(result: dg.ExecuteInProcessResult) -> list[str]:
    """Why steps of a run failed, as a person can act on it; a step that failed for its checks only adds nothing."""
    errors = []
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is None:
            errors.append(f"{event.step_key}: failed without a reason; `cdp dev` shows its log")
        elif error.cls_name != "DagsterAssetCheckFailedError":
            # Python puts the class with its module before what a person can read
            said = re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message)
            errors.append(f"{event.step_key}: {said.strip()}")
    if not result.success and not result.get_step_failure_events():
        errors.append(f"run {result.run_id} failed before its first step; `cdp dev` shows why")
    return errors


def merged(parts: Sequence[Sequence[Line]]) -> list[Line]:
    """Lines of several runs over the same assets as one: the table's rows, and the sum of all else; views have none."""
    lines: dict[str, Line] = {}
    for part in parts:
        for line in part:
            whole = lines.setdefault(line.asset, Line(line.asset))
            whole.rows = line.rows
            whole.changed = None if line.changed is None else (whole.changed or 0) + line.changed
            whole.passed += line.passed
            whole.failed += line.failed
            whole.warned += line.warned
            whole.seconds += line.seconds
            whole.missing += line.missing
    return list(lines.values())


def value(metadata: Mapping[str, Any], name: str) -> Any:
    """A value of an asset's metadata, 0 when it is not there."""
    return metadata[name].value if name in metadata else 0


def said_of_provider(result: dg.ExecuteInProcessResult) -> str:
    """What the provider of vectors did; nothing to say of a stage without one."""
    found = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if "provider_calls" in event.materialization.metadata
    ]
    texts, calls, seconds = (
        sum(value(metadata, name) for metadata in found)
        for name in ("texts_embedded", "provider_calls", "provider_seconds")
    )
    if not calls:
        return ", 0 provider calls" if found else ""
    return f", {texts:,} texts in {calls:,} provider calls, {texts / seconds:,.0f} texts per second"


def report(stages: Sequence[Stage], seconds: float, *, demo: Sequence[str], verbose: bool = False) -> None:
    """Print the screen: a line per stage, the warnings once per check, what failed, and what to do next.

    Args:
        stages: in the order in which they ran.
        seconds: that the whole command took.
        demo: which of the tenants are the demo world's.
        verbose: a line per asset instead of one per stage.
    """
    rows = _long(stages) if verbose else _short(stages)
    table("", ("tenant", "asset" if verbose else "stage", *FIGURES), rows, numeric=FIGURES)
    if warnings := list(_warnings(stages)):
        table("Warnings, with what each check counted", ("check", "of", "tenants"), warnings)
    if failures := list(_failures(stages)):
        fail("\n".join(failures))
    changed = sum(line.changed or 0 for stage in stages for line in stage.lines)
    out.print(f"\n{f'{changed:,} rows written' if changed else 'Nothing changed'} in {seconds:.0f} s.")
    out.print("\nNext:")
    for command, says in _next(stages, demo, verbose):
        out.print(f"  {command:60} {says}", markup=False)


def _long(stages: Sequence[Stage]) -> Iterable[tuple[Any, ...]]:
    for stage in stages:
        for line in stage.lines:
            name = line.asset + ("  NOT BUILT" if line.missing else "")
            yield (stage.tenant_id, name, line.rows, line.changed, line.quarantined, line.passed, len(line.warned),
                   len(line.failed), line.seconds)  # fmt: skip


def _short(stages: Sequence[Stage]) -> Iterable[tuple[Any, ...]]:
    for stage in stages:
        if stage.note:
            yield (stage.tenant_id, f"{stage.title} ({stage.note})", *[None] * len(FIGURES))
            continue
        lines = stage.lines
        missing = sum(line.missing for line in lines)
        yield (
            stage.tenant_id,
            stage.title + (f"  {missing} NOT BUILT" if missing else ""),
            *(_sum(getattr(line, name) for line in lines) for name in ("rows", "changed", "quarantined")),
            sum(line.passed for line in lines),
            sum(len(line.warned) for line in lines),
            sum(len(line.failed) for line in lines),
            stage.seconds,
        )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [each for each in values if each is not None]
    return sum(known) if known else None


def _warnings(stages: Sequence[Stage]) -> Iterable[tuple[str, str, str]]:
    """Each check that warned: its name, its tables, its count per tenant."""
    tables: dict[str, dict[str, None]] = {}
    counts: dict[str, dict[str, int]] = {}
    for stage in stages:
        for line in stage.lines:
            for finding in line.warned:
                tables.setdefault(finding.check, {})[line.asset] = None
                by_tenant = counts.setdefault(finding.check, {})
                by_tenant[stage.tenant_id] = by_tenant.get(stage.tenant_id, 0) + finding.failing
    for check, names in tables.items():
        yield (
            check,
            ", ".join(names),
            ", ".join(f"{tenant} {count:,}" if count else tenant for tenant, count in counts[check].items()),
        )


def _failures(stages: Sequence[Stage]) -> Iterable[str]:
    """What failed, one paragraph each: checks with their remedy, then steps."""
    for stage in stages:
        for line in stage.lines:
            for finding in line.failed:
                says = f"{stage.tenant_id}, {line.asset}: {finding.check} failed: {finding.says}"
                yield f"{says}\n  {finding.remedy}" if finding.remedy else says
        for error in stage.errors:
            yield f"{stage.tenant_id}, {error}"


def _next(stages: Sequence[Stage], demo: Sequence[str], verbose: bool) -> Iterable[tuple[str, str]]:
    tenant = stages[0].tenant_id if stages else "TENANT"
    yield "cdp dev", "the assets, checks and runs in the Dagster UI (make dev)"
    if not verbose:
        yield "cdp pipeline --verbose", "the same with a line per asset"
    yield "cdp status", "sweeps, watermarks, lag and quarantine per tenant"
    yield f'cdp search "nồi chiên màu đỏ" --tenant {tenant} --entity product', "what is like it"
    yield "cdp lookalike --help", "profiles like these, or like a segment"
    if any(line.quarantined for stage in stages for line in stage.lines):
        yield "cdp quarantine list", "documents and rows that broke the contract, with the reason"
    if demo:
        yield "cdp demo advance", "a day passes in the demo world; then run the pipeline again"
    yield "make dbt-docs", "models, columns and lineage of the marts"
    yield "cdp down", "stop the embedded PostgreSQL"
