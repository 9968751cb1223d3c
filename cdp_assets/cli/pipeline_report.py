"""What a run of the pipeline built, as the closing table shows it.

Belongs here: events of a run -> lines, and printing them. Does not belong here: running (`pipeline`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cdp_assets.cli.terminal import out, table

if TYPE_CHECKING:
    import dagster as dg

TOGETHER = ("staging", "intermediate")
"""Schemas of views: one line each, since a view holds no rows of its own."""


@dataclass
class Line:
    """One line of the closing table: an asset of a tenant, `schema.table`, or a schema of views."""

    asset: str
    rows: int | None = 0
    changed: int | None = 0
    quarantined: int | None = None
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    seconds: float = 0.0
    missing: int = 0
    """Assets of the line that were not built."""


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
        elif evaluation.severity.value == "ERROR":
            line.failed.append(evaluation.check_name)
        else:
            line.warned.append(evaluation.check_name)
    for line in lines.values():
        line.seconds += times.get(f"check_{line.asset.rpartition('.')[2]}", 0.0)
    return list(lines.values())


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


def report(lines: Mapping[str, Sequence[Line]], seconds: float) -> None:
    """Print the closing table, the checks that did not pass, and what to do next."""
    table(
        "",
        ("tenant", "asset", "rows", "changed", "quarantined", "checks passed", "warned", "failed", "seconds"),
        [
            (tenant_id, line.asset + ("  NOT BUILT" if line.missing else ""), line.rows, line.changed,
             line.quarantined, line.passed, len(line.warned), len(line.failed), line.seconds)
            for tenant_id, found in lines.items()
            for line in found
        ],
        numeric=("rows", "changed", "quarantined", "checks passed", "warned", "failed", "seconds"),
    )  # fmt: skip
    for tenant_id, found in lines.items():
        for line in found:
            for names, word in ((line.failed, "failed"), (line.warned, "warned")):
                if names:
                    out.print(f"  {tenant_id} {line.asset}: {word}: {', '.join(names)}")
    changed = sum(line.changed or 0 for found in lines.values() for line in found)
    out.print(f"\n{f'{changed:,} rows written' if changed else 'Nothing changed'} in {seconds:.0f} s.")
    out.print(
        "\nNext:\n"
        "  cdp dev                  the assets, checks and runs in the Dagster UI (make dev)\n"
        "  cdp status               sweeps, watermarks, lag and quarantine per tenant\n"
        '  cdp search "nồi chiên màu đỏ" --tenant acme-demo --entity product     what is like it\n'
        "  cdp lookalike --help     profiles like these, or like a segment\n"
        "  cdp quarantine list      documents and rows that broke the contract, with the reason\n"
        "  cdp demo advance         a day passes in the demo world; then run the pipeline again\n"
        "  make dbt-docs            models, columns and lineage of the marts\n"
        "  cdp down                 stop the embedded PostgreSQL"
    )
