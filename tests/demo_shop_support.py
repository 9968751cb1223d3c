"""The shops of the demo world that its tests compare: each tenant at steps 0 to 8, and the largest one, made once.

Shops are shared by the tests: read them, never change them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cdp_assets import demo
from cdp_assets.demo.advance import advance_tenant
from cdp_assets.demo.shop import shop_at
from cdp_assets.demo.shop_schema import columns_of
from cdp_assets.demo.shop_state import Shop
from cdp_assets.demo.tenant import TenantWorld

STEPS = 8
TENANTS = ("acme-demo", "lotus-demo", "nova-demo")
State = dict[str, dict[int, dict[str, Any]]]
"""Table -> id -> column -> value."""


def state_of(shop: Shop) -> State:
    return {
        name: {i: {c: getattr(row, c) for c in columns} for i, row in shop.tables[name].rows.items()}
        for name, columns in columns_of(shop.spec.small_shop).items()
    }


@cache
def history(tenant: str) -> tuple[list[State], list[Shop]]:
    """The shop of a tenant at steps 0 to `STEPS`; read it, never change it."""
    world = demo.tenant_at(tenant, size="tiny")
    shops = [shop_at(world)]
    for _ in range(STEPS):
        advance_tenant(world)
        shops.append(shop_at(world))
    return [state_of(shop) for shop in shops], shops


@cache
def small() -> TenantWorld:
    """The largest tenant with room for every share."""
    return demo.tenant_at("acme-demo", size="small")
