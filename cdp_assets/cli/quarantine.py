"""`cdp quarantine`: documents that broke the contract."""

from __future__ import annotations

import json
import re

import click

from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import out, table
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.replay import replay as replay_entries
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.opening import Sources, open_warehouse
from cdp_assets.warehouse import locks
from cdp_assets.warehouse import quarantine as store
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.tenants import TenantError


class Collection(click.Choice[str]):
    """A collection of LEO, a table of the shop, or `datasets.NAME`: listing those would load every dataset first."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as the quarantine has it."""
        if re.fullmatch(r"datasets\.[a-z_]+", value):
            return value
        return super().convert(value, param, ctx)


COLLECTION = Collection([*CONTRACTS, *(spec.collection for spec in SPECS.values())])
REPLAYED = click.Choice(list(CONTRACTS))


@click.group()
def quarantine() -> None:
    """List, show and replay documents that broke the contract."""


@quarantine.command("list")
@click.option("--tenant", "tenant_id", type=TENANT, help="One tenant only.")
@click.option("--collection", type=COLLECTION, help="One collection only, or datasets.NAME.")
@click.option("--limit", default=50, show_default=True, help="Entries shown per tenant.")
def list_(tenant_id: str | None, collection: str | None, limit: int) -> None:
    """List open entries, oldest first.

    "landed" entries are in their table with the named fields null; the others were rejected whole.
    """
    with open_warehouse() as warehouse:
        chosen = (
            [registry.get_tenant(warehouse, tenant_id)] if tenant_id else registry.list_tenants(warehouse)
        )
        for tenant in chosen:
            with warehouse.tenant(tenant.tenant_id) as conn:
                entries = store.open_entries(conn, tenant.tenant_id, collection=collection, limit=limit)
                rejected, landed = store.open_counts(conn, tenant.tenant_id, collection=collection)
            shown = "" if rejected + landed == len(entries) else f"; the oldest {len(entries)}"
            table(
                f"{tenant.tenant_id}: {rejected:,} rejected, {landed:,} landed with fields left null{shown}",
                ("collection", "key", "landed", "since", "reason"),
                [(e.collection, e.key, e.landed, e.first_seen_at, e.reason) for e in entries],
            )


@quarantine.command()
@click.argument("tenant_id", type=TENANT)
@click.argument("key")
def show(tenant_id: str, key: str) -> None:
    """Show the entries of one document KEY with the document itself, secrets removed.

    The document holds personal data; mind where you paste it.
    """
    with open_warehouse() as warehouse, warehouse.tenant(tenant_id) as conn:
        entries = store.open_entries(conn, tenant_id, key=key)
    if not entries:
        raise TenantError(
            f"tenant {tenant_id!r} has no open entry {key!r}; `cdp quarantine list` shows what there is"
        )
    for entry in entries:
        out.print(f"{entry.collection}/{entry.key}  {entry.rev}", style="bold")
        out.print(entry.reason)
        try:
            out.print_json(entry.document or "{}")
        except json.JSONDecodeError:
            out.print(entry.document)


@quarantine.command()
@click.argument("tenant_id", type=TENANT)
@click.option("--collection", type=REPLAYED, help="One collection only.")
@click.option("--key", help="One document only.")
def replay(tenant_id: str, collection: str | None, key: str | None) -> None:
    """Read quarantined documents of TENANT_ID again from the source and land those that were mended.

    A sync does the same for documents that changed in the source; replay is for contracts that changed. Rows of the
    shop need none: every load lands what was mended there.
    """
    with (
        open_warehouse() as warehouse,
        locks.writing(warehouse, tenant_id, "cdp quarantine replay", wait_s=10),
        Sources().of(warehouse, tenant_id) as (tenant, source),
    ):
        done = replay_entries(
            warehouse,
            tenant_id,
            source,
            tenant_options=tenant.options,
            collection=collection,
            key=key,
        )
    out.print(
        f"{done.tried} tried, {done.recovered} landed, {done.vanished} gone from the source, "
        f"{done.remaining} still open"
    )
