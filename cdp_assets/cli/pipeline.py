"""`cdp pipeline`: from nothing to a filled warehouse, on one command."""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from cdp_assets.cli.demo import demo_folder
from cdp_assets.cli.terminal import err, fail, out, table
from cdp_assets.environment import dagster_environment, migrate_warehouse
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.resources import open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.quarantine import open_keys
from cdp_assets.warehouse.tenants import Tenant

if TYPE_CHECKING:
    import dagster as dg

DEMO_OPTIONS: dict[str, dict[str, Any]] = {
    "acme": {"default_currency": "VND", "default_region": "VN"},
    "lotus": {"default_currency": "VND", "default_region": "VN"},
    "nova": {"default_currency": "USD", "default_region": "US"},
}


PROCESS_TAG = "cdp/process"
"""Run tag: host and process that execute the run."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's log is in the UI; here it would bury the table."""


@dataclass
class Line:
    """One line of the closing table: an asset of a tenant, `schema.table`."""

    asset: str
    rows: int = 0
    changed: int = 0
    quarantined: int | None = None
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    seconds: float = 0.0
    is_materialized: bool = False


@click.command()
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of a LEO dump of your own, loaded as a tenant of its own; the demo world when left out.",
)
@click.option(
    "--tenant", "tenant_id", help="Id for --source's tenant; made from the folder's name when left out."
)
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "medium"]),
    default="small",
    show_default=True,
    help="Size of the demo world when it is generated.",
)
def pipeline(source: Path | None, tenant_id: str | None, size: str) -> None:
    """Build everything and print what was built.

    Starts the embedded PostgreSQL (unless CDP_WAREHOUSE_DSN names a server), migrates it, generates the demo world
    if there is none, registers the tenants, and materializes every asset with its checks for every tenant. Run it
    again and it finds what changed since.

    Exit code 1 when an asset or a blocking check failed.
    """  # fmt: skip
    began = perf_counter()
    settings = get_settings()
    with err.status("preparing the warehouse"):
        migrate_warehouse(settings)
        os.environ.update(dagster_environment(settings))
    chosen = [_own_tenant(source, tenant_id)] if source else _demo_tenants(size)
    lines = _materialize(chosen)
    _report(lines, perf_counter() - began)
    if any(not line.is_materialized or line.failed for found in lines.values() for line in found):
        sys.exit(1)


def _own_tenant(folder: Path, tenant_id: str | None) -> Tenant:
    name = (
        tenant_id or re.sub(r"[^a-z0-9_-]+", "-", folder.absolute().name.lower()).strip("-_")[:63] or "dump"
    )
    with open_warehouse() as warehouse:
        tenant = Tenant(name, name, "active", "dump", {"folder": str(folder.absolute())}, {})
        registry.put_tenant(warehouse, tenant, replace=True)
    return tenant


def _demo_tenants(size: str) -> list[Tenant]:
    from cdp_assets.activation.marketing_events import put_marketing_events
    from cdp_assets.demo import end_of_step, generate, step_of
    from cdp_assets.demo.marketing import marketing_events

    folder = demo_folder()
    step = step_of(folder)
    if step is None:
        with err.status(f"generating the demo world ({size})"):
            generate(folder, size=size)
        step = 0
    found = []
    with open_warehouse() as warehouse:
        for tenant_id, options in DEMO_OPTIONS.items():
            # the world has a clock of its own: metrics are computed as of its last day, not of today
            fixed = {**options, "as_of": end_of_step(step).isoformat()}
            tenant = Tenant(
                tenant_id, f"Demo {tenant_id}", "active", "dump", {"folder": str(folder / tenant_id)}, fixed
            )
            registry.put_tenant(warehouse, tenant, replace=True)
            put_marketing_events(warehouse, tenant_id, marketing_events(tenant_id, step=step))
            found.append(tenant)
    return found


def _materialize(chosen: list[Tenant]) -> dict[str, list[Line]]:
    import dagster as dg

    from cdp_assets.definitions import build_definitions
    from cdp_assets.embedding.assets import assets as embedding_assets
    from cdp_assets.landing.assets import assets as landing_assets
    from cdp_assets.partitions import TENANT_DIMENSION
    from cdp_assets.policies import TENANT_TAG

    definitions = build_definitions()
    stages = [
        ("syncing and checking", definitions.resolve_job_def("leo_cdp_sweep"), landing_assets),
        ("embedding and checking", definitions.resolve_job_def("embedding_refresh"), embedding_assets),
    ]
    lines: dict[str, list[Line]] = {}
    with dg.DagsterInstance.get() as instance:
        _close_killed(instance)
        instance.add_dynamic_partitions(TENANT_DIMENSION, [tenant.tenant_id for tenant in chosen])
        for tenant in chosen:
            lines[tenant.tenant_id] = []
            for doing, job, assets in stages:
                order = [".".join(a.key.path) for a in assets if isinstance(a, dg.AssetsDefinition)]
                with err.status(f"{tenant.tenant_id}: {doing}"):
                    result = job.execute_in_process(
                        instance=instance,
                        partition_key=tenant.tenant_id,
                        tags={
                            TENANT_TAG: tenant.tenant_id,
                            PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}",
                        },
                        run_config=QUIET,
                        raise_on_error=False,
                    )
                found = _lines(result, order)
                lines[tenant.tenant_id] += found
                err.print(
                    f"{tenant.tenant_id}: {doing} took {sum(line.seconds for line in found):.0f} s{_speed(result)}"
                )
                for event in result.get_step_failure_events():
                    error = event.step_failure_data.error
                    fail(f"{tenant.tenant_id}, {event.step_key}: {_cause(error)}")
            _count_quarantine(tenant.tenant_id, lines[tenant.tenant_id])
    return lines


def _speed(result: dg.ExecuteInProcessResult) -> str:
    """What the provider of vectors did; nothing to say of a stage without one."""
    found = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if "provider_calls" in event.materialization.metadata
    ]
    texts, calls, seconds = (
        sum(_value(metadata, name) for metadata in found)
        for name in ("texts_embedded", "provider_calls", "provider_seconds")
    )
    if not calls:
        return ", 0 provider calls" if found else ""
    return f", {texts:,} texts in {calls:,} provider calls, {texts / seconds:,.0f} texts per second"


def _close_killed(instance: dg.DagsterInstance) -> None:
    """Fail runs of earlier `cdp pipeline` processes of this host that died; sensors would wait six hours for them."""
    import dagster as dg

    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and not _is_alive(int(process)):
            instance.report_run_failed(run, "the process of this run is gone")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lines(result: dg.ExecuteInProcessResult, order: list[str]) -> list[Line]:
    lines = {name: Line(name) for name in order}
    for event in result.get_asset_materialization_events():
        if event.asset_key is None:
            continue
        line = lines[".".join(event.asset_key.path)]
        metadata = event.materialization.metadata
        line.is_materialized = True
        line.rows = int(_value(metadata, "dagster/row_count"))
        line.changed = int(_value(metadata, "rows_written"))
    for evaluation in result.get_asset_check_evaluations():
        line = lines[".".join(evaluation.asset_key.path)]
        if evaluation.passed:
            line.passed += 1
        elif evaluation.severity.value == "ERROR":
            line.failed.append(evaluation.check_name)
        else:
            line.warned.append(evaluation.check_name)
    times: dict[str, float] = {}
    for event in result.all_events:
        if event.is_step_success:
            times[event.step_key or ""] = event.step_success_data.duration_ms / 1000
    for name, line in lines.items():
        schema, _, relation = name.partition(".")
        line.seconds = times.get(f"{schema}__{relation}", 0.0) + times.get(f"check_{relation}", 0.0)
    return list(lines.values())


def _value(metadata: Any, name: str) -> Any:
    return metadata[name].value if name in metadata else 0


def _cause(error: Any) -> str:
    """The innermost error in one line: what a person can act on."""
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip()


def _count_quarantine(tenant_id: str, lines: list[Line]) -> None:
    with open_warehouse() as warehouse, warehouse.tenant(tenant_id) as conn:
        entries = open_keys(conn, tenant_id)
    tables = {f"cdp.{contract.table}": collection for collection, contract in CONTRACTS.items()}
    for line in lines:
        if line.asset in tables:
            line.quarantined = len(entries.get(tables[line.asset], ()))


def _report(lines: dict[str, list[Line]], seconds: float) -> None:
    table(
        "",
        ("tenant", "asset", "rows", "changed", "quarantined", "checks passed", "warned", "failed", "seconds"),
        [
            (tenant_id, line.asset + ("" if line.is_materialized else "  NOT BUILT"), line.rows, line.changed,
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
    every = [line for found in lines.values() for line in found]
    changed = sum(line.changed for line in every)
    out.print(f"\n{f'{changed:,} rows written' if changed else 'Nothing changed'} in {seconds:.0f} s.")
    out.print(
        "\nNext:\n"
        "  cdp dev                  the assets, checks and runs in the Dagster UI (make dev)\n"
        "  cdp status               sweeps, watermarks, lag and quarantine per tenant\n"
        '  cdp search "nồi chiên màu đỏ" --tenant acme --entity product     what is like it\n'
        "  cdp lookalike --help     profiles like these, or like a segment\n"
        "  cdp quarantine list      documents that broke the contract, with the reason\n"
        "  cdp demo advance         a day passes in the demo world; then run the pipeline again\n"
        "  cdp down                 stop the embedded PostgreSQL"
    )
