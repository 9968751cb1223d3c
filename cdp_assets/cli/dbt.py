"""`cdp dbt`: dbt with the connection and the tenant set, for people who work on models."""

from __future__ import annotations

import subprocess
import sys

import click

from cdp_assets.cli.tenants import TENANT
from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.project import EXECUTABLE, PROJECT
from cdp_assets.opening import open_warehouse, warehouse_dsn
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.tenants import get_tenant


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose rows dbt sees and writes.")
@click.argument("args", nargs=-1, required=True, type=click.UNPROCESSED)
def dbt(tenant_id: str, args: tuple[str, ...]) -> None:
    """Run a dbt command for one tenant, as role cdp_transform.

    \b
    cdp dbt --tenant acme-demo build --select fct_sales+
    cdp dbt --tenant acme-demo test --select test_type:unit
    cdp dbt --tenant acme-demo docs generate --static
    """  # noqa: D301 - click wants the character \b itself
    settings = get_settings()
    with open_warehouse() as warehouse:
        tenant = get_tenant(warehouse, tenant_id)
    with dbt_environment(settings, warehouse_dsn(), tenant):
        place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        place += ["--log-path", str(settings.dbt_target)]
        sys.exit(subprocess.run([EXECUTABLE, *args, *place], check=False).returncode)
