"""`cdp pipeline`: from nothing to a filled warehouse, on one command."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from cdp_assets.cli.pipeline_report import Line, Stage, errors_of, lines_of, merged, report, said_of_provider
from cdp_assets.cli.pipeline_tenants import demo_tenants, own_tenant, refuse_unknown
from cdp_assets.cli.terminal import err
from cdp_assets.environment import dagster_environment, migrate_warehouse
from cdp_assets.opening import open_artifacts, open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.quarantine import open_keys
from cdp_assets.warehouse.tenants import Tenant

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

STAGES = (
    ("LEO CDP", "syncing LEO CDP and checking", "leo_cdp_sweep"),
    ("shop", "loading the shop and checking", "shop_sweep"),
    ("embeddings", "embedding and checking", "embedding_refresh"),
    ("marts", "modeling and testing", "marts_refresh"),
    ("datasets", "building datasets and checking", "datasets_refresh"),
    ("audiences", "looking at segments", "audience_refresh"),
)
"""What is done for each tenant (the last for each of its segments): title, words, and the job that does it."""
QUARANTINING = ("cdp.", "raw.", "datasets.")
"""Schemas whose rows may be kept back with a reason."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's log is in the UI; here it would bury the table."""


@click.command()
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of a LEO dump of your own, loaded as a tenant of its own; the demo world when left out.",
)
@click.option(
    "--tenant",
    "tenant_id",
    help="Only this tenant of the demo world. With --source the id of its tenant, by default the folder's name.",
)
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "medium"]),
    default="small",
    show_default=True,
    help="Size of the demo world when it is generated.",
)
@click.option("--verbose", is_flag=True, help="End with a line per asset instead of one per stage.")
def pipeline(source: Path | None, tenant_id: str | None, size: str, verbose: bool) -> None:
    """Build everything and print what was built.

    Starts the embedded PostgreSQL (unless CDP_WAREHOUSE_DSN names a server), migrates it, generates the demo world
    if there is none, registers the tenants, and materializes every asset with its checks for every tenant. Run it
    again and it finds what changed since: sources are read, and a stage runs only where what it is made of changed.

    Exit code 1 when an asset or a blocking check failed. A check that does not block warns, whatever it found.
    """  # fmt: skip
    if source is None:
        refuse_unknown(tenant_id)
    began = perf_counter()
    settings = get_settings()
    with err.status("preparing the warehouse"):
        migrate_warehouse(settings)
        os.environ.update(dagster_environment(settings))
    chosen = [own_tenant(source, tenant_id)] if source else demo_tenants(size, tenant_id)
    stages = _materialize(chosen)
    demo = [tenant.tenant_id for tenant in chosen if tenant.is_demo]
    report(stages, perf_counter() - began, demo=demo, verbose=verbose)
    if not all(stage.is_whole for stage in stages):
        sys.exit(1)


def _materialize(chosen: list[Tenant]) -> list[Stage]:
    import dagster as dg

    from cdp_assets.automation.runs import end_gone_runs
    from cdp_assets.definitions import build_definitions
    from cdp_assets.partitions import TENANT_DIMENSION

    definitions = build_definitions()
    graph = definitions.resolve_asset_graph()
    order = graph.toposorted_asset_keys
    jobs = {name: definitions.resolve_job_def(name) for _, _, name in STAGES}
    stages: list[Stage] = []
    with dg.DagsterInstance.get() as instance:
        end_gone_runs(instance)  # of an earlier `cdp pipeline`: sensors wait for them
        instance.add_dynamic_partitions(TENANT_DIMENSION, [tenant.tenant_id for tenant in chosen])
        for tenant in chosen:
            for title, doing, name in STAGES:
                stage = Stage(tenant.tenant_id, title)
                stages.append(stage)
                if name == "shop_sweep" and tenant.shop is None:
                    stage.note = "none is registered"
                    continue
                made = [key for key in order if key in jobs[name].asset_layer.executable_asset_keys]
                if not (partition_keys := _due(instance, graph, tenant, name, made)):
                    stage.note = "nothing changed"
                    continue
                if held := _held(graph, tenant.tenant_id, made):
                    stage.errors = [held]
                    err.print(f"{tenant.tenant_id}: {title} not built: the reason follows at the end")
                    continue
                _run(instance, jobs[name], stage, doing, made, partition_keys)
            mine = [stage for stage in stages if stage.tenant_id == tenant.tenant_id]
            _count_quarantine(tenant.tenant_id, [line for stage in mine for line in stage.lines])
    return stages


def _held(graph: AssetGraph, tenant_id: str, made: list[dg.AssetKey]) -> str:
    """Why nothing of a stage may be built, said once and not by each of its assets; blank where nothing holds it."""
    from cdp_assets import asset_gates

    with open_warehouse() as warehouse:
        return asset_gates.reason(graph, warehouse, tenant_id, made)


def _run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    stage: Stage,
    doing: str,
    made: list[dg.AssetKey],
    partition_keys: list[str],
) -> None:
    """A run of the job for each partition of the stage's tenant, told when it ends."""
    from cdp_assets.policies import TENANT_TAG

    began = perf_counter()
    tags = {TENANT_TAG: stage.tenant_id}
    # dbt says a line per test, which would bury the table; the run's events have them all
    with (
        err.status(f"{stage.tenant_id}: {doing}"),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        results = [
            job.execute_in_process(
                instance=instance, partition_key=key, tags=tags, run_config=QUIET, raise_on_error=False
            )
            for key in partition_keys
        ]
    stage.lines = merged([lines_of(result, made) for result in results])
    stage.errors = [error for result in results for error in errors_of(result)]
    stage.seconds = perf_counter() - began
    said = "".join(said_of_provider(result) for result in results)
    failed = "" if stage.is_whole else ", FAILED: the reason follows at the end"
    err.print(f"{stage.tenant_id}: {doing} took {stage.seconds:.0f} s{said}{failed}")


def _due(
    instance: dg.DagsterInstance, graph: AssetGraph, tenant: Tenant, job: str, made: list[dg.AssetKey]
) -> list[str]:
    """Partitions for which a run of the job may change something, or has checks to measure.

    A source is always looked at.
    """
    from cdp_assets import current
    from cdp_assets.asset_gates import has_passed

    with open_warehouse() as warehouse:
        if job == "audience_refresh":
            return _segments(instance, graph, warehouse, tenant, made)
        is_current = {
            "embedding_refresh": lambda: current.vectors_are_current(warehouse, tenant),
            "marts_refresh": lambda: current.marts_are_current(warehouse, tenant),
            "datasets_refresh": lambda: current.datasets_are_current(warehouse, open_artifacts(), tenant),
        }.get(job)
        if is_current is not None and is_current() and has_passed(graph, warehouse, tenant.tenant_id, made):
            return []
        return [tenant.tenant_id]


def _segments(
    instance: dg.DagsterInstance,
    graph: AssetGraph,
    warehouse: Warehouse,
    tenant: Tenant,
    made: list[dg.AssetKey],
) -> list[str]:
    """Partitions `segment|tenant` of the tenant's segments that are due; all are registered."""
    import dagster as dg

    from cdp_assets import current
    from cdp_assets.asset_gates import has_passed
    from cdp_assets.automation.state import segment_ids
    from cdp_assets.partitions import SEGMENT_DIMENSION, TENANT_DIMENSION

    found, _ = segment_ids(warehouse, [tenant])
    instance.add_dynamic_partitions(SEGMENT_DIMENSION, sorted(found))
    return [
        dg.MultiPartitionKey({SEGMENT_DIMENSION: segment_id, TENANT_DIMENSION: tenant.tenant_id})
        for segment_id in sorted(found)
        if not current.segment_is_current(warehouse, tenant, segment_id)
        or not has_passed(graph, warehouse, tenant.tenant_id, made, segment_id=segment_id)
    ]


def _count_quarantine(tenant_id: str, lines: list[Line]) -> None:
    from cdp_assets.landing.contracts import CONTRACTS

    with open_warehouse() as warehouse, warehouse.tenant(tenant_id) as conn:
        entries = open_keys(conn, tenant_id)
    collections = {f"cdp.{contract.table}": collection for collection, contract in CONTRACTS.items()}
    for line in lines:
        if line.asset.startswith(QUARANTINING):
            line.quarantined = len(entries.get(collections.get(line.asset, line.asset), ()))
