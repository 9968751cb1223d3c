"""`cdp checks`: measure what was loaded, without loading."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import err, out, table
from cdp_assets.environment import dagster_environment
from cdp_assets.opening import open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import tenants as registry

if TYPE_CHECKING:
    import dagster as dg


@click.group()
def checks() -> None:
    """Measure what was loaded."""


@checks.command("run")
@click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose rows are measured.")
@click.option(
    "--asset",
    "assets",
    multiple=True,
    help="schema.table; may be repeated. All that was loaded when left out.",
)
def run(tenant_id: str, assets: tuple[str, ...]) -> None:
    """Run checks alone: nothing is loaded or built.

    What is found stands from then on: later runs are built on it, or held by it. For an asset of staging,
    intermediate or marts dbt runs its tests. Datasets and audiences are measured when they are built.

    Exit code 1 when a blocking check failed.
    """
    from cdp_assets.definitions import build_definitions
    from cdp_assets.partitions import TENANT_DIMENSION
    from cdp_assets.policies import TENANT_TAG

    with open_warehouse() as warehouse:
        registry.active_tenant(warehouse, tenant_id)
    import dagster as dg

    os.environ.update(dagster_environment(get_settings()))
    job = build_definitions().resolve_implicit_global_asset_job_def()
    keys = _chosen(assets)
    with (
        dg.DagsterInstance.get() as instance,
        err.status(f"{tenant_id}: measuring {len(keys)} checks"),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        instance.add_dynamic_partitions(TENANT_DIMENSION, [tenant_id])
        result = job.get_subset(asset_check_selection=keys).execute_in_process(
            instance=instance,
            tags={"dagster/partition": tenant_id, TENANT_TAG: tenant_id},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    found = sorted(result.get_asset_check_evaluations(), key=lambda each: (each.asset_key, each.check_name))
    shown = [each for each in found if not each.passed]
    out.print(f"{tenant_id}: {len(found) - len(shown)} of {len(keys)} checks passed")
    table(
        "",
        ("asset", "check", "severity", "blocking", "found"),
        [
            (".".join(each.asset_key.path), each.check_name, each.severity.value.lower(), each.blocking,
             each.description or "")
            for each in shown
        ],
    )  # fmt: skip
    held = any(each.blocking and each.severity is dg.AssetCheckSeverity.ERROR for each in shown)
    if held or not result.success:
        sys.exit(1)


def _chosen(assets: tuple[str, ...]) -> set[dg.AssetCheckKey]:
    from cdp_assets.automation.jobs import LOADED_CHECKS, VECTOR_CHECKS
    from cdp_assets.modeling.assets import BLOCKING

    by_asset: dict[str, set[dg.AssetCheckKey]] = {}
    for key in {*LOADED_CHECKS, *VECTOR_CHECKS, *BLOCKING}:
        by_asset.setdefault(".".join(key.asset_key.path), set()).add(key)
    unknown = [asset for asset in assets if asset not in by_asset]
    if unknown:
        raise click.UsageError(
            f"{', '.join(unknown)} cannot be measured alone: datasets and audiences are measured when they are built. "
            "What can be: tables of cdp, raw and embedding, and what dbt tests in staging, intermediate and marts"
        )
    return {key for asset in assets for key in by_asset[asset]} if assets else set(LOADED_CHECKS)
