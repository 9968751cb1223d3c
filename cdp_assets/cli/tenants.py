"""`cdp tenants`: who is synced, and from where."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from cdp_assets import keys
from cdp_assets.cli.terminal import err, out, table
from cdp_assets.opening import Sources, open_artifacts, open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.tenants import Tenant


class TenantId(click.ParamType):  # type: ignore[type-arg]
    """A tenant id on the command line."""

    name = "tenant"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate it."""
        try:
            return keys.tenant_id(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


TENANT = TenantId()


@click.group()
def tenants() -> None:
    """Register, list, suspend and remove tenants."""


@tenants.command()
@click.argument("tenant_id", type=TENANT)
@click.option("--name", help="Name for people; the id when left out.")
@click.option(
    "--dump",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of arangodump or arangoexport.",
)
@click.option(
    "--arango", "hosts", multiple=True, metavar="URL", help="ArangoDB coordinator; repeat for several."
)
@click.option("--database", help="Database that holds this tenant's LEO CDP.")
@click.option("--username", help="ArangoDB user with read access.")
@click.option(
    "--password-secret",
    metavar="NAME",
    help="Name of the variable (or file in CDP_SECRETS_DIR) with its password.",
)
@click.option("--auth", type=click.Choice(["basic", "jwt"]), default="basic", show_default=True)
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False), help="CA file, for a certificate of your own."
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help='Option of the tenant, for example default_currency=VND or segments=["key"]; repeat for several.',
)
@click.option(
    "--shop-dsn",
    metavar="DSN",
    help="Shop database (PostgreSQL), without its password: host=... dbname=... user=...",
)
@click.option("--shop-password-secret", metavar="NAME", help="Name of the secret with the shop's password.")
@click.option(
    "--shop-timezone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Zone of the shop's times without zone.",
)
@click.option("--replace", is_flag=True, help="Change the registration if there is one.")
def add(
    tenant_id: str, name: str | None, dump: Path | None, hosts: tuple[str, ...], database: str | None,
    username: str | None, password_secret: str | None, auth: str, ca: str | None, options: tuple[str, ...],
    shop_dsn: str | None, shop_password_secret: str | None, shop_timezone: str, replace: bool,
) -> None:  # fmt: skip
    """Register TENANT_ID with its LEO CDP (a dump folder, or one ArangoDB database) and, if it has one, its shop.

    Both are read once to see that they answer. Passwords themselves are never stored: only their names are.
    """
    if (dump is None) == (not hosts):
        raise click.UsageError("give either --dump or --arango")
    from cdp_assets.landing.contracts import CONTRACTS

    source: dict[str, Any]
    if dump is not None:
        kind: Any = "dump"
        source = {"folder": str(dump.absolute()), **({"database": database} if database else {})}
    else:
        if not (database and username and password_secret):
            raise click.UsageError("--arango needs --database, --username and --password-secret")
        kind = "arango"
        source = {"hosts": list(hosts), "database": database, "username": username,
                  "password_secret": password_secret, "auth": auth, **({"ca": ca} if ca else {})}  # fmt: skip
    shop = None
    if shop_dsn is not None:
        secret = {"password_secret": shop_password_secret} if shop_password_secret else {}
        shop = {"dsn": shop_dsn, "timezone": shop_timezone, **secret}
    tenant = Tenant(tenant_id, name or tenant_id, "active", kind, source, dict(map(_option, options)), shop)
    with Sources().open(tenant) as opened:
        counts = {collection: opened.signature(collection).count for collection in CONTRACTS}
    if shop is not None:
        note = Sources().shop(tenant).bound(timedelta(0)).note
        if note:
            err.print(f"{tenant_id}: {note}")
    register(tenant, replace=replace)
    table(f"{tenant_id} is registered", ("collection", "documents"), counts.items(), numeric=("documents",))


def register(tenant: Tenant, *, replace: bool) -> None:
    """Write the registration and the Dagster partition."""
    with open_warehouse() as warehouse:
        registry.put_tenant(warehouse, tenant, replace=replace)
    _with_partitions(
        lambda instance, dimension: instance.add_dynamic_partitions(dimension, [tenant.tenant_id])
    )


@tenants.command("list")
def list_() -> None:
    """List all tenants."""
    with open_warehouse() as warehouse:
        found = registry.list_tenants(warehouse)
    rows = [
        (
            t.tenant_id,
            t.name,
            t.status,
            "yes" if t.is_demo else "",
            t.source_kind,
            t.source.get("folder") or ", ".join(t.source["hosts"]),
        )
        for t in found
    ]
    table("", ("tenant", "name", "status", "demo", "source", "address"), rows)


@tenants.command()
@click.argument("tenant_id", type=TENANT)
def show(tenant_id: str) -> None:
    """Show one registration."""
    with open_warehouse() as warehouse:
        tenant = registry.get_tenant(warehouse, tenant_id)
    out.print_json(json.dumps({"tenant": tenant.tenant_id, "name": tenant.name, "status": tenant.status,
                               tenant.source_kind: tenant.source, "shop": tenant.shop,
                               "options": tenant.options, "is_demo": tenant.is_demo}))  # fmt: skip


@tenants.command()
@click.argument("tenant_id", type=TENANT)
def suspend(tenant_id: str) -> None:
    """Stop all runs of a tenant; its data stays."""
    with open_warehouse() as warehouse:
        registry.set_status(warehouse, tenant_id, "suspended")
    out.print(f"{tenant_id} is suspended")


@tenants.command()
@click.argument("tenant_id", type=TENANT)
def resume(tenant_id: str) -> None:
    """Make a suspended tenant active again."""
    with open_warehouse() as warehouse:
        registry.set_status(warehouse, tenant_id, "active")
    out.print(f"{tenant_id} is active")


@tenants.command()
@click.argument("tenant_id", type=TENANT)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(tenant_id: str, yes: bool) -> None:
    """Delete a tenant, every row of it and every version of its datasets. The source is not touched."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        if not yes:
            click.confirm(f"Delete {tenant_id} with all its rows and versions of datasets?", abort=True)
        # the registration goes last: should this be cut off, the command can be given again
        open_artifacts().remove_tenant(tenant_id)
        registry.remove_tenant(warehouse, tenant_id)
    _with_partitions(lambda instance, dimension: instance.delete_dynamic_partition(dimension, tenant_id))
    out.print(f"{tenant_id} is removed")


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--option takes NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _with_partitions(change: Any) -> None:
    import os

    import dagster as dg

    from cdp_assets.environment import dagster_environment
    from cdp_assets.partitions import TENANT_DIMENSION

    os.environ.update(dagster_environment(get_settings()))
    with dg.DagsterInstance.get() as instance:
        change(instance, TENANT_DIMENSION)
