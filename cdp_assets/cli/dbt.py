"""`cdp dbt`: dbt with the connection and the tenant set, for people who work on models."""

from __future__ import annotations

import subprocess
import sys

import click

from cdp_assets.cli.tenants import PATIENCE_S, TENANT
from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.current import WHOLE
from cdp_assets.modeling.project import EXECUTABLE, PROJECT
from cdp_assets.opening import open_warehouse, warehouse_dsn
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import locks
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
    place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    place += ["--log-path", str(settings.dbt_target)]
    with open_warehouse() as warehouse:
        tenant = get_tenant(warehouse, tenant_id)
        with (
            # most commands write: two builds of a tenant at once would insert the same rows
            locks.writing(warehouse, tenant_id, "cdp dbt", thing=WHOLE, wait_s=PATIENCE_S),
            dbt_environment(settings, warehouse_dsn(), tenant),
        ):
            done = subprocess.run([EXECUTABLE, *args, *place], check=False)
    sys.exit(done.returncode)
