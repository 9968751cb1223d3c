"""The registry of tenants, `ops.tenant`.

Belongs here: reading and changing registrations. A registration holds addresses and the *names* of secrets; the
values stay in the environment or in secret files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cdp_assets import keys
from cdp_assets.warehouse import options as option_rules
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.options import OptionError, TenantOptions
from cdp_assets.zones import ZoneError, zone_name

SELECT = (
    "select tenant_id, name, status, source_kind, source, options as given, shop, is_demo from ops.tenant "
)

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
    """A tenant is unknown, suspended, registered twice or wrongly. The message names it and the remedy."""


@dataclass(frozen=True)
class Tenant:
    """One registration as it is stored: what it says is checked where it is asked for.

    So a registration with a fault can be listed, shown, mended and removed, and is no other tenant's concern.

    Attributes:
        source: for `arango`: hosts (list), database, username, password_secret (name of the secret), auth
            (`basic` or `jwt`), ca (path of a CA file, optional). For `dump`: folder, database (optional).
        given: the options as JSON; read them as `options`.
        shop: the shop database: dsn (without password), password_secret (name of the secret, optional), timezone (of
            its naive times, optional); None when the tenant has none.
        is_demo: whether `cdp pipeline` made it for the demo world, and may write it anew; never changed afterwards.
    """

    tenant_id: str
    name: str
    status: Literal["active", "suspended"]
    source_kind: Literal["arango", "dump"]
    source: dict[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    shop: dict[str, Any] | None = None
    is_demo: bool = False

    @cached_property
    def options(self) -> TenantOptions:
        """The options, checked; `timezone` is that of the shop where the tenant has not said.

        Raises:
            TenantError: one of them, or the shop's time zone, cannot be used.
        """
        try:
            options = TenantOptions.of(self.given)
            is_said = "timezone" in options.model_fields_set
            zone = options.timezone if is_said else shop_zone(self.shop)
        except OptionError as error:
            mend = f"`cdp tenants add {self.tenant_id} --replace --option NAME=VALUE`"
            raise TenantError(
                f"tenant {self.tenant_id!r}: {error}. {mend} mends it; NAME=null takes the option back"
            ) from None
        except ZoneError as error:
            raise TenantError(
                f"tenant {self.tenant_id!r}: the time zone of its shop: {error}. "
                f"`cdp tenants add {self.tenant_id} --replace --shop-timezone ZONE` mends it"
            ) from None
        return options.model_copy(update={"timezone": zone})

    @property
    def timezone(self) -> str:
        """IANA name of the zone in which the tenant's days begin."""
        return self.options.timezone

    def now(self) -> datetime:
        """The tenant's clock, UTC: its option `as_of`, else the time."""
        return self.options.as_of or datetime.now(UTC)

    def today(self) -> date:
        """The day of the tenant's clock, in the zone where its days begin."""
        return self.now().astimezone(ZoneInfo(self.timezone)).date()


def shop_zone(shop: Mapping[str, Any] | None) -> str:
    """IANA name of the zone of a shop's naive times; UTC where none is named.

    Raises:
        ZoneError: what is named is none.
    """
    return zone_name((shop or {}).get("timezone") or "UTC")


def instant(as_of: str) -> datetime:
    """A time in ISO-8601, with its zone, as UTC.

    Raises:
        TenantError: it is no time.
    """
    try:
        return option_rules.instant(as_of)
    except ValueError as error:
        raise TenantError(f"as_of {error}") from None


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
        TenantError: no such tenant, it is suspended, or an option of it cannot be used.
    """
    tenant = get_tenant(warehouse, tenant_id)
    if tenant.status != "active":
        raise TenantError(
            f"tenant {tenant_id!r} is suspended; `cdp tenants resume {tenant_id}` makes it active"
        )
    tenant.options  # noqa: B018 - a fault in them is found here, before anything is read or written
    return tenant


def require_resumed(connection: Connection, tenant_id: str) -> None:
    """Stop the work of a tenant that was suspended meanwhile, inside a transaction of the tenant.

    Asked before each batch of a long run; who begins one asks `active_tenant`.

    Raises:
        TenantError: the tenant is suspended.
    """
    row = connection.execute("select status from ops.tenant where tenant_id = %s", (tenant_id,)).fetchone()
    if row == ("suspended",):
        raise TenantError(
            f"tenant {tenant_id!r} was suspended: the run stops here, what was committed stays; "
            f"`cdp tenants resume {tenant_id}` makes it active"
        )


def checked(tenant: Tenant) -> Tenant:
    """A registration as it may be stored: options and zones as the rules spell them.

    Raises:
        TenantError: one of them cannot be used. The message names it and what is allowed.
    """
    try:
        given = TenantOptions.of(tenant.given).stored()
        shop = None if tenant.shop is None else {**tenant.shop, "timezone": shop_zone(tenant.shop)}
    except OptionError as error:
        raise TenantError(f"tenant {tenant.tenant_id!r}: {error}") from None
    except ZoneError as error:
        raise TenantError(f"tenant {tenant.tenant_id!r}: the time zone of its shop: {error}") from None
    return changed(tenant, given=given, shop=shop)


def put_tenant(warehouse: Warehouse, tenant: Tenant, *, replace: bool = False) -> bool:
    """Register a tenant; with `replace` also change an existing registration.

    Returns:
        Whether anything was written.

    Raises:
        TenantError: an option cannot be used, or it is registered already and `replace` is false.
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
    tenant = checked(tenant)
    return {
        "tenant_id": tenant.tenant_id,
        "name": tenant.name,
        "status": tenant.status,
        "source_kind": tenant.source_kind,
        "source": Jsonb(tenant.source),
        "options": Jsonb(dict(tenant.given)),
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
    """Delete all rows of a tenant in every table, also of one that is not registered any more.

    Whoever calls it has the tenant alone (`locks.alone`), so that no run writes rows behind it.
    """
    with warehouse.tenant(tenant_id) as conn:
        conn.execute("call ops.remove_tenant(%s)", (tenant_id,))
