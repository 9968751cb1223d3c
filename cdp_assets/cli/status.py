"""`cdp status`: how far each collection and shop table of each tenant has come."""

from __future__ import annotations

import click
from psycopg import sql

from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import ago, table
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.opening import open_warehouse
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.connection import Warehouse

LANDED = [
    *((collection, contract.target.relation, "deleted_at") for collection, contract in CONTRACTS.items()),
    *((spec.collection, spec.relation, "_deleted_at") for spec in SPECS.values()),
]
"""What is landed: name in the ledger, table, column that marks a row as gone."""


@click.command()
@click.option("--tenant", "tenant_id", type=TENANT, help="One tenant only.")
def status(tenant_id: str | None) -> None:
    """Show per tenant and collection: sweep, watermark, lag, rows, tombstones, quarantine.

    lag is the time since a sweep or window last succeeded; the watermark is the newest source time that was read.
    """
    with open_warehouse() as warehouse:
        chosen = (
            [registry.get_tenant(warehouse, tenant_id)] if tenant_id else registry.list_tenants(warehouse)
        )
        for tenant in chosen:
            table(
                f"{tenant.tenant_id} ({tenant.status})",
                ("collection", "last sweep", "last window", "watermark", "lag", "rows", "tombstones",
                 "quarantine", "deletes withheld"),
                _rows(warehouse, tenant.tenant_id),
                numeric=("rows", "tombstones", "quarantine", "deletes withheld"),
            )  # fmt: skip
    if not chosen:
        table("no tenant is registered: `cdp tenants add`, or `cdp pipeline` for the demo", ("tenant",), [])


def _rows(warehouse: Warehouse, tenant_id: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    with warehouse.tenant(tenant_id) as conn:
        state = {
            row[0]: row[1:]
            for row in conn.execute(
                "select w.collection, w.sweep_at, w.window_at, w.watermark, "
                "greatest(w.sweep_at, w.window_at), w.withheld_deletes from ops.watermark as w where w.tenant_id = %s",
                (tenant_id,),
            )
        }
        rejected = dict(
            conn.execute(
                "select collection, count(*) from ops.quarantine where tenant_id = %s and resolved_at is null "
                "group by collection",
                (tenant_id,),
            ).fetchall()
        )
        for collection, relation, tombstone in LANDED:
            count = conn.execute(
                sql.SQL(
                    "select count(*) filter (where {0} is null), count(*) filter (where {0} is not null) "
                    "from {1} where tenant_id = %s"
                ).format(sql.Identifier(tombstone), relation),
                (tenant_id,),
            ).fetchone()
            live, dead = count if count else (0, 0)
            sweep_at, window_at, watermark, last, withheld = state.get(
                collection, (None, None, None, None, 0)
            )
            rows.append((collection, ago(sweep_at), ago(window_at), watermark, ago(last), live,
                         dead, rejected.get(collection, 0), withheld))  # fmt: skip
    return rows
