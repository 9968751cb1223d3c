"""The registry of tenants, `ops.tenant`.

Belongs here: reading and changing registrations. A registration holds addresses and the *names* of secrets; the
values stay in the environment or in secret files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cdp_assets import keys
from cdp_assets.warehouse.connection import Warehouse

SELECT = "select tenant_id, name, status, source_kind, source, options, shop, is_demo from ops.tenant "

INSERT = (
    "insert into ops.tenant as t (tenant_id, name, status, source_kind, source, options, shop, is_demo) values "
    "(%(tenant_id)s, %(name)s, %(status)s, %(source_kind)s, %(source)s, %(options)s, %(shop)s, %(is_demo)s) "
    "on conflict (tenant_id) do nothing"
)
REPLACE = INSERT.removesuffix("nothing") + (
    "update set name = excluded.name, status = excluded.status, source_kind = excluded.source_kind, "
    "source = excluded.source, options = excluded.options, shop = excluded.shop, updated_at = now() "
    "where (t.name, t.status, t.source_kind, t.source, t.options, t.shop) is distinct from "
    "(excluded.name, excluded.status, excluded.source_kind, excluded.source, excluded.options, excluded.shop)"
)

FOLLOWED = "excluded.options || t.options || jsonb_build_object('as_of', excluded.options -> 'as_of')"
FOLLOW = INSERT.removesuffix("nothing") + (
    f"update set source = excluded.source, shop = excluded.shop, options = {FOLLOWED}, updated_at = now() "
    "where t.is_demo and (t.source, t.shop, t.options) is distinct from "
    f"(excluded.source, excluded.shop, {FOLLOWED})"
)
"""What `put_demo_tenant` writes: all but what a person may have set."""


class TenantError(Exception):
    """A tenant is unknown, suspended or registered twice. The message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One registration.

    Attributes:
        source: for `arango`: hosts (list), database, username, password_secret (name of the secret), auth
            (`basic` or `jwt`), ca (path of a CA file, optional). For `dump`: folder, database (optional).
        options: default_currency (of amounts without one, and of the datasets' totals), default_region (of phone
            numbers), as_of (ISO; fixes "today" for demo data),
            max_delete_share, segments (ids that the hourly segment ETL runs), image_root (folder or s3:// address of
            the images of articles).
        shop: the shop database: dsn (without password), password_secret (name of the secret, optional), timezone (of
            its naive times, optional); None when the tenant has none.
        is_demo: whether `cdp pipeline` made it for the demo world, and may write it anew; never changed afterwards.
    """

    tenant_id: str
    name: str
    status: Literal["active", "suspended"]
    source_kind: Literal["arango", "dump"]
    source: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    shop: dict[str, Any] | None = None
    is_demo: bool = False

    @property
    def timezone(self) -> str:
        """IANA name of the zone in which the tenant's days begin: its shop's, else UTC."""
        return str((self.shop or {}).get("timezone") or "UTC")

    def now(self) -> datetime:
        """The tenant's clock, UTC: its option `as_of`, else the time.

        Raises:
            TenantError: the option is no time.
        """
        fixed = self.options.get("as_of")
        return instant(fixed) if fixed else datetime.now(UTC)


def instant(as_of: str) -> datetime:
    """A time in ISO-8601 as UTC.

    Raises:
        TenantError: it is no time.
    """
    try:
        return datetime.fromisoformat(as_of).astimezone(UTC)
    except ValueError as error:
        raise TenantError(
            f"as_of {as_of!r} is not an ISO-8601 time such as 2026-06-30T00:00:00+00:00"
        ) from error


def list_tenants(warehouse: Warehouse, *, active_only: bool = False) -> list[Tenant]:
    """All registrations in the order of their ids."""
    with warehouse.control() as conn, conn.cursor(row_factory=class_row(Tenant)) as cur:
        cur.execute(
            SELECT + "where status = 'active' or not %s order by tenant_id",
            (active_only,),
        )
        return cur.fetchall()


def find_tenant(warehouse: Warehouse, tenant_id: str) -> Tenant | None:
    """One registration; None when there is none."""
    with warehouse.tenant(tenant_id) as conn, conn.cursor(row_factory=class_row(Tenant)) as cur:
        return cur.execute(SELECT + "where tenant_id = %s", (tenant_id,)).fetchone()


def get_tenant(warehouse: Warehouse, tenant_id: str) -> Tenant:
    """One registration.

    Raises:
        TenantError: no such tenant.
    """
    tenant = find_tenant(warehouse, tenant_id)
    if tenant is None:
        raise TenantError(f"no tenant {tenant_id!r} is registered; `cdp tenants list` shows who is")
    return tenant


def active_tenant(warehouse: Warehouse, tenant_id: str) -> Tenant:
    """One registration that may be worked on.

    Raises:
        TenantError: no such tenant, or it is suspended.
    """
    tenant = get_tenant(warehouse, tenant_id)
    if tenant.status != "active":
        raise TenantError(
            f"tenant {tenant_id!r} is suspended; `cdp tenants resume {tenant_id}` makes it active"
        )
    return tenant


def put_tenant(warehouse: Warehouse, tenant: Tenant, *, replace: bool = False) -> bool:
    """Register a tenant; with `replace` also change an existing registration.

    Returns:
        Whether anything was written.

    Raises:
        TenantError: it is registered already and `replace` is false.
    """
    with warehouse.control() as conn:
        written = conn.execute(REPLACE if replace else INSERT, _values(tenant)).rowcount
    if not written and not replace:
        raise TenantError(f"tenant {tenant.tenant_id!r} is registered already; add --replace to change it")
    return bool(written)


def put_demo_tenant(warehouse: Warehouse, tenant: Tenant) -> Tenant:
    """Register a tenant of the demo world, or let its registration follow the world: source, shop and `as_of`.

    Returns:
        The registration as it is now: options and suspension that a person set stay.

    Raises:
        TenantError: a person registered a tenant of this id.
    """
    with warehouse.control() as conn:
        conn.execute(FOLLOW, _values(tenant))
    found = get_tenant(warehouse, tenant.tenant_id)
    if not found.is_demo:
        raise TenantError(
            f"tenant {tenant.tenant_id!r} of the demo world cannot be registered: there is one of this id that is not "
            f"the demo's. It was left alone; `cdp tenants remove {tenant.tenant_id}` deletes it with all its rows"
        )
    return found


def _values(tenant: Tenant) -> dict[str, Any]:
    keys.tenant_id(tenant.tenant_id)
    return {
        "tenant_id": tenant.tenant_id,
        "name": tenant.name,
        "status": tenant.status,
        "source_kind": tenant.source_kind,
        "source": Jsonb(tenant.source),
        "options": Jsonb(tenant.options),
        "shop": None if tenant.shop is None else Jsonb(tenant.shop),
        "is_demo": tenant.is_demo,
    }


def set_status(warehouse: Warehouse, tenant_id: str, status: Literal["active", "suspended"]) -> None:
    """Suspend or resume a tenant.

    Raises:
        TenantError: no such tenant.
    """
    get_tenant(warehouse, tenant_id)
    with warehouse.tenant(tenant_id) as conn:
        conn.execute(
            "update ops.tenant set status = %s, updated_at = now() where tenant_id = %s", (status, tenant_id)
        )


def remove_tenant(warehouse: Warehouse, tenant_id: str) -> None:
    """Delete a tenant with all its rows in every table.

    Raises:
        TenantError: no such tenant.
    """
    get_tenant(warehouse, tenant_id)
    with warehouse.tenant(tenant_id) as conn:
        conn.execute("call ops.remove_tenant(%s)", (tenant_id,))
