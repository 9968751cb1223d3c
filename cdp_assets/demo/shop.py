"""The second rendering of the demo world: the database of each tenant's shop, from the people and purchases of LEO.

Belongs here: the shop at a step, as rows. Does not belong here: what rows say (`shop_*`), real databases
(`shop_database`), what is true of them (`shop_truth`). The same size, seed and step give the same rows; an id means
the same row at every step.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import Any

from cdp_assets.demo.purchases import Shelf
from cdp_assets.demo.shop_catalog import open_catalogue
from cdp_assets.demo.shop_days import advance_shop
from cdp_assets.demo.shop_hidden import hold_back
from cdp_assets.demo.shop_orders import open_orders
from cdp_assets.demo.shop_pages import log_events, write_reviews
from cdp_assets.demo.shop_people import open_accounts
from cdp_assets.demo.shop_schema import columns_of
from cdp_assets.demo.shop_state import Shop
from cdp_assets.demo.tenant import TenantWorld

ShopRows = dict[str, list[tuple[Any, ...]]]
"""Table -> rows in the order of ids; values in the order of `columns_of`. A table comes after those it refers to."""


def shop_at(tenant: TenantWorld) -> Shop:
    """The tenant's shop at the tenant's step."""
    model = tenant.model
    tracked = [purchase for purchase in model.purchases if purchase.tracked]
    shop = Shop(tenant.spec, tenant.seed, tenant.clean)
    open_catalogue(shop, model.products, tracked)
    open_accounts(shop, model, tracked)
    open_orders(shop, tracked, Shelf(model.products))
    write_reviews(shop, model.reviews)
    log_events(shop, model.events)
    hold_back(shop)
    for record in tenant.days:
        advance_shop(shop, record, model.products)
    return shop


def shop_rows(tenant: TenantWorld) -> ShopRows:
    """Every row that the shop's database shows at the tenant's step."""
    return rows_of(shop_at(tenant))


def rows_of(shop: Shop) -> ShopRows:
    """The visible rows of a shop."""
    return {
        name: sorted(map(attrgetter(*columns), shop.tables[name].rows.values()), key=itemgetter(0))
        for name, columns in columns_of(shop.spec.small_shop).items()
    }
