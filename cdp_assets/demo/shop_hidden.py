"""What a look at new times of change cannot see: deleted rows, restored rows, transactions that commit a day late.

Belongs here: which rows these are. Does not belong here: changes that move `updated_at` as they should (`shop_days`).
Only a comparison of keys finds what happens here.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdp_assets.demo.model import QUIET_LEAD, end_of_step
from cdp_assets.demo.shop_people import STRANGERS
from cdp_assets.demo.shop_schema import R, Table
from cdp_assets.demo.shop_state import Shop

_DELETED_SHARE = 0.003
_FEW = 20
"""Tables smaller than this lose nothing."""


def hold_back(shop: Shop) -> None:
    """One row of today per table stays in an open transaction: it will appear tomorrow with a time of today.

    An order takes its items along. All were written 50 minutes or more before the nightly batch, so tomorrow they
    lie behind the watermark and out of reach of its overlap.
    """
    _hold_newest(shop, shop.categories, shop.categories.added)
    _hold_newest(shop, shop.promotions, shop.promotions.added - shop.faulty("promotions"))
    _hold_newest(shop, shop.reviews, shop.reviews.added)
    _hold_newest(shop, shop.events, shop.events.added)
    order = _hold_newest(shop, shop.orders, shop.orders.added - shop.faulty("orders"))
    for item in [item.id for item in shop.order_items.rows.values() if item.order_id == order]:
        shop.order_items.hold(item)
    sold = {item.product_id for item in (*shop.order_items.rows.values(), *shop.order_items.held)}
    _hold_newest(shop, shop.products, shop.products.added - sold - set(shop.product_of.values()))
    strangers = {customer for customer in idle(shop) if shop.person_of[customer] >= STRANGERS}
    _hold_newest(shop, shop.customers, (shop.customers.added & strangers) - shop.faulty("customers"))


def _hold_newest(shop: Shop, table: Table[R], candidates: set[int]) -> int | None:
    limit = shop.local(end_of_step(shop.step) - QUIET_LEAD)
    early = [row_id for row_id in candidates if table.rows[row_id].updated_at < limit]
    if not early:
        return None
    table.hold(max(early))
    return max(early)


def idle(shop: Shop) -> set[int]:
    """Visible customers without an order, review or event, and without a second account."""
    orders = [*shop.orders.rows.values(), *shop.orders.held, *(order for order, _ in shop.deleted)]
    active = {order.customer_id for order in orders}
    active |= {review.customer_id for review in (*shop.reviews.rows.values(), *shop.reviews.held)}
    active |= {event.customer_id for event in shop.events.rows.values() if event.customer_id}
    return shop.customers.rows.keys() - active - shop.twins.keys() - set(shop.twins.values())


def delete_rows(shop: Shop) -> None:
    """Rows that vanish without a trace: orders with their items, idle customers, reviews."""
    customers = _victims(shop, "customers", idle(shop))
    shop.deleted = []
    lines: dict[int, list[int]] = {order: [] for order in _victims(shop, "orders", shop.orders.rows)}
    for item in shop.order_items.rows.values():
        if item.order_id in lines:
            lines[item.order_id].append(item.id)
    for order, items in lines.items():
        removed = [shop.order_items.remove(item) for item in items]
        shop.deleted.append((shop.orders.remove(order), removed))
    for customer in customers:
        shop.close_account(customer)
    for review in _victims(shop, "reviews", shop.reviews.rows):
        shop.reviews.remove(review)


def _victims(shop: Shop, table: str, candidates: Iterable[int]) -> list[int]:
    count = len(shop.tables[table].rows)
    wanted = max(1, round(count * _DELETED_SHARE)) if count >= _FEW else 0
    able = set(candidates) - shop.faulty(table) - shop.tables[table].late
    return shop.shuffled(able, "delete", table, shop.step)[:wanted]


def restore_order(shop: Shop) -> None:
    """The first order that was deleted yesterday is back, with its items, exactly as it was."""
    for order, items in shop.deleted[:1]:
        shop.orders.restore(order)
        for item in items:
            shop.order_items.restore(item)
