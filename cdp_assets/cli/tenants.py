"""`cdp tenants`: who is synced, and from where."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cdp_assets import keys
from cdp_assets.cli.terminal import err, out, table
from cdp_assets.opening import Sources, open_artifacts, open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import locks
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.locks import Busy
from cdp_assets.warehouse.tenants import Tenant, TenantError
from cdp_assets.zones import westward

if TYPE_CHECKING:
    from cdp_assets.landing.identity import Likeness

PATIENCE_S = 10
"""How long a command waits for runs in progress; a server needs seconds to notice that a killed one is gone."""


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


OPTION_HELP = (
    "Option of the tenant; NAME=null takes it back; repeat for several: default_currency=VND, default_region=VN, "
    'timezone=Asia/Ho_Chi_Minh, max_delete_share=0.2, segments=["key"], image_root=FOLDER, '
    "as_of=2026-06-30T00:00:00+07:00, funnels=[{...}]."
)
ZONE_HELP = (
    "Zone of the shop's times without zone, a name of the IANA list such as Asia/Ho_Chi_Minh; UTC if unset."
)


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
    help=OPTION_HELP,
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
    help=ZONE_HELP,
)
@click.option("--replace", is_flag=True, help="Change what is named of the registration; all else stays.")
def add(
    tenant_id: str, name: str | None, dump: Path | None, hosts: tuple[str, ...], database: str | None,
    username: str | None, password_secret: str | None, auth: str, ca: str | None, options: tuple[str, ...],
    shop_dsn: str | None, shop_password_secret: str | None, shop_timezone: str | None, replace: bool,
) -> None:  # fmt: skip
    """Register TENANT_ID with its LEO CDP (a dump folder, or one ArangoDB database) and, if it has one, its shop.

    Both are read once to see that they answer. Passwords themselves are never stored: only their names are.

    With --replace a source or shop may move to another address, but not be another database: rows of two would mix.
    """
    given = _source(dump, hosts, database, username, password_secret, auth, ca)
    if given is None and not replace:
        raise click.UsageError("give either --dump or --arango")
    with open_warehouse() as warehouse:
        known = registry.find_tenant(warehouse, tenant_id)
        if known is not None and not replace:
            raise TenantError(f"tenant {tenant_id!r} is registered already; add --replace to change it")
        if known is not None and known.is_demo and (given or shop_dsn):
            raise TenantError(
                f"source and shop of {tenant_id!r} follow the demo world; register yours under another id"
            )
        if known is None and given is None:
            raise TenantError(f"no tenant {tenant_id!r} is registered: give its source, --dump or --arango")
        kind, source = given or (known.source_kind, known.source)  # type: ignore[union-attr]
        tenant = registry.checked(
            Tenant(
                tenant_id,
                name or (known.name if known else tenant_id),
                known.status if known else "active",
                kind,
                source,
                {**_kept(known), **dict(map(_option, options))},
                _shop(known.shop if known else None, shop_dsn, shop_password_secret, shop_timezone),
            )
        )
        for zone in {tenant.timezone, (tenant.shop or {}).get("timezone", "UTC")}:
            if note := westward(zone):
                err.print(f"{tenant_id}: {note}")
        counts = _read(warehouse, tenant, known)
        registry.put_tenant(warehouse, tenant, replace=replace)
    _with_partitions(lambda instance, dimension: instance.add_dynamic_partitions(dimension, [tenant_id]))
    table(f"{tenant_id} is registered", ("collection", "documents"), counts.items(), numeric=("documents",))


def _source(
    dump: Path | None, hosts: tuple[str, ...], database: str | None, username: str | None,
    password_secret: str | None, auth: str, ca: str | None,
) -> tuple[Literal["arango", "dump"], dict[str, Any]] | None:  # fmt: skip
    """Kind and address of the source that the options name; None when they name none."""
    if dump is not None and hosts:
        raise click.UsageError("give either --dump or --arango")
    if dump is not None:
        return "dump", {"folder": str(dump.absolute()), **({"database": database} if database else {})}
    if not hosts:
        return None
    if not (database and username and password_secret):
        raise click.UsageError("--arango needs --database, --username and --password-secret")
    return "arango", {"hosts": list(hosts), "database": database, "username": username,
                      "password_secret": password_secret, "auth": auth, **({"ca": ca} if ca else {})}  # fmt: skip


def _shop(
    known: dict[str, Any] | None, dsn: str | None, password_secret: str | None, timezone: str | None
) -> dict[str, Any] | None:
    """The shop with what is named changed; another dsn has another secret."""
    given = {"dsn": dsn, "timezone": timezone, "password_secret": password_secret}
    kept = {"timezone": "UTC", **(known or {})}
    if dsn is not None and known is not None and dsn != known["dsn"]:
        kept.pop("password_secret", None)
    found = {**kept, **{name: value for name, value in given.items() if value is not None}}
    if "dsn" in found:
        return found
    if timezone is not None or password_secret is not None:
        raise click.UsageError("--shop-timezone and --shop-password-secret go with --shop-dsn")
    return None


def _kept(known: Tenant | None) -> dict[str, Any]:
    """The options that are registered; none where what is stored is no object."""
    return dict(known.given) if known is not None and isinstance(known.given, dict) else {}


def _read(warehouse: Warehouse, tenant: Tenant, known: Tenant | None) -> dict[str, int]:
    """Documents by collection, once source and shop have answered.

    Raises:
        TenantError: an address that differs from the known one leads to another database.
        SourceError: source or shop cannot be read.
    """
    from cdp_assets.landing.contracts import CONTRACTS
    from cdp_assets.landing.identity import leo_likeness, shop_likeness

    with Sources().open(tenant) as opened:
        counts = {collection: opened.signature(collection).count for collection in CONTRACTS}
        if known is not None and _address(known) != _address(tenant):
            _refuse_another(tenant, leo_likeness(warehouse, tenant.tenant_id, opened), opened.name)
    if tenant.shop is not None:
        shop = Sources().shop(tenant)
        if note := shop.bound(timedelta(0)).note:
            err.print(f"{tenant.tenant_id}: {note}")
        if known is not None and (known.shop or {}).get("dsn") != tenant.shop["dsn"]:
            # times are read as they were when they were landed: the zone may be changed with the address
            as_landed = {**tenant.shop, "timezone": (known.shop or {}).get("timezone")}
            shop = Sources().shop(dataclasses.replace(tenant, shop=as_landed))
            _refuse_another(tenant, shop_likeness(warehouse, tenant.tenant_id, shop), shop.name)
    return counts


def _address(tenant: Tenant) -> tuple[Any, ...]:
    """Where the source is, without how it is opened."""
    return (tenant.source_kind, *map(tenant.source.get, ("folder", "hosts", "database")))


def _refuse_another(tenant: Tenant, likeness: Likeness, address: str) -> None:
    if not likeness.is_same:
        raise TenantError(
            f"{address} is another database than the one that tenant {tenant.tenant_id!r} is made of: it has "
            f"{likeness.found:,} of the {likeness.landed:,} rows of {likeness.name} that were landed. Nothing was "
            f"changed. Register it under another id, or first delete what was landed: "
            f"`cdp tenants remove {tenant.tenant_id}`"
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
    for tenant in found:
        _warn_of_faults(tenant)


@tenants.command()
@click.argument("tenant_id", type=TENANT)
def show(tenant_id: str) -> None:
    """Show one registration."""
    with open_warehouse() as warehouse:
        tenant = registry.get_tenant(warehouse, tenant_id)
    out.print_json(json.dumps({"tenant": tenant.tenant_id, "name": tenant.name, "status": tenant.status,
                               tenant.source_kind: tenant.source, "shop": tenant.shop,
                               "options": tenant.given, "is_demo": tenant.is_demo}))  # fmt: skip
    _warn_of_faults(tenant)


def _warn_of_faults(tenant: Tenant) -> None:
    try:
        registry.checked(tenant)
    except TenantError as error:
        err.print(str(error), markup=False)


@tenants.command()
@click.argument("tenant_id", type=TENANT)
def suspend(tenant_id: str) -> None:
    """Stop all runs of a tenant; its data stays. Runs in progress stop at their next batch or step."""
    with open_warehouse() as warehouse:
        registry.set_status(warehouse, tenant_id, "suspended")
        try:
            with locks.alone(warehouse, tenant_id, wait_s=PATIENCE_S):
                out.print(f"{tenant_id} is suspended; no run is in progress")
        except Busy as busy:
            out.print(f"{tenant_id} is suspended; at its next batch or step stops what goes on: {busy}")


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
    """Delete a tenant, every row of it and every version of its datasets. The source is not touched.

    It waits some seconds for runs in progress, and refuses while one goes on. It can be given again, also when the
    tenant is not registered any more: what is left is deleted then.
    """
    if not yes:
        click.confirm(f"Delete {tenant_id} with all its rows and versions of datasets?", abort=True)
    with open_warehouse() as warehouse:
        try:
            with locks.alone(warehouse, tenant_id, wait_s=PATIENCE_S):
                # the registration goes last: should this be cut off, the tenant is still listed
                open_artifacts().remove_tenant(tenant_id)
                registry.remove_tenant(warehouse, tenant_id)
        except Busy as busy:
            raise TenantError(
                f"{tenant_id} is not removed: {busy}. `cdp tenants suspend {tenant_id}` stops its runs at their next "
                "batch or step; then give this command again"
            ) from busy
    _with_partitions(lambda instance, dimension: instance.delete_dynamic_partition(dimension, tenant_id))
    out.print(f"{tenant_id} is removed")


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--option takes NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):  # no JSON, or a number of thousands of digits
        return name, value


def _with_partitions(change: Any) -> None:
    import os

    import dagster as dg

    from cdp_assets.environment import dagster_environment
    from cdp_assets.partitions import TENANT_DIMENSION

    os.environ.update(dagster_environment(get_settings()))
    with dg.DagsterInstance.get() as instance:
        change(instance, TENANT_DIMENSION)
