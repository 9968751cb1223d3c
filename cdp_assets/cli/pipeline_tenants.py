"""Whom `cdp pipeline` builds: the tenants of the demo world, or a folder of one's own.

Belongs here: registrations, and what the demo world needs before it is read. What a person registered is never changed
here: it is used as it is, or the command stops and names the way out.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from cdp_assets.cli.demo import demo_folder, move_shops
from cdp_assets.cli.terminal import err
from cdp_assets.opening import open_warehouse
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.tenants import Tenant, TenantError


def own_tenant(folder: Path, tenant_id: str | None) -> Tenant:
    """The tenant of a dump folder: as it is registered, or registered now under the folder's name.

    Raises:
        TenantError: it is suspended, or the id belongs to another source.
    """
    folder = folder.resolve()
    name = tenant_id or re.sub(r"[^a-z0-9_-]+", "-", folder.name.lower()).strip("-_")[:63] or "dump"
    with open_warehouse() as warehouse:
        known = registry.find_tenant(warehouse, name)
        if known is None:
            registry.put_tenant(warehouse, Tenant(name, name, "active", "dump", {"folder": str(folder)}))
        elif known.source_kind != "dump" or Path(known.source["folder"]).resolve() != folder:
            raise TenantError(
                f"tenant {name!r} is registered with another source than {folder}, and stays as it is. "
                f"`--tenant ID` loads the folder under another id; `cdp tenants show {name}` shows the registration, "
                "`cdp tenants add --replace` moves it to another address of the same database"
            )
        return registry.active_tenant(warehouse, name)


def refuse_unknown(tenant_id: str | None) -> None:
    """Stop when the demo world has no such tenant.

    Raises:
        click.UsageError: it has none.
    """
    from cdp_assets.demo import TENANTS

    names = [spec.id for spec in TENANTS]
    if tenant_id not in {None, *names}:
        raise click.UsageError(
            f"the demo world has no tenant {tenant_id!r}, but {', '.join(names)}; --source loads other dumps"
        )


def demo_tenants(size: str, only: str | None) -> list[Tenant]:
    """Tenants to build, of all that the demo world has; all follow the world, those that are suspended are left out.

    Raises:
        TenantError: a person registered an id of the demo's, or the only tenant is suspended.
    """
    from cdp_assets.activation.marketing_events import put_marketing_events
    from cdp_assets.demo import TENANTS, generate, options_of, step_of
    from cdp_assets.demo.marketing import marketing_events

    folder = demo_folder()
    step = step_of(folder)
    if step is None:
        with err.status(f"generating the demo world ({size})"):
            generate(folder, size=size)
        step = 0
    with err.status("bringing the shops' databases to the same day"):
        shops = move_shops()
    found = []
    with open_warehouse() as warehouse:
        for spec in TENANTS:
            tenant = registry.put_demo_tenant(
                warehouse,
                Tenant(
                    spec.id,
                    spec.title,
                    "active",
                    "dump",
                    {"folder": str(folder / spec.id)},
                    options_of(spec.id, step),
                    shops.get(spec.id),
                    is_demo=True,
                ),
            )
            put_marketing_events(warehouse, spec.id, marketing_events(spec.id, step=step))
            if only is None and tenant.status == "suspended":
                err.print(
                    f"{spec.id} is suspended and left out; `cdp tenants resume {spec.id}` makes it active"
                )
            elif only in {None, spec.id}:
                found.append(registry.active_tenant(warehouse, spec.id))
    return found
