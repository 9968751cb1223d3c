"""A later day of the shop: what it deletes, brings back, adds and changes, in that order.

Belongs here: which rows a day touches. Does not belong here: what the rows say (`shop_people`, `shop_orders`,
`shop_catalog`, `shop_pages`), what happens without a new time (`shop_hidden`), LEO's rendering of the day (`advance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.model import Product, end_of_step
from cdp_assets.demo.purchases import Shelf
from cdp_assets.demo.shop_catalog import list_own_product, spruce_up
from cdp_assets.demo.shop_hidden import delete_rows, hold_back, restore_order
from cdp_assets.demo.shop_orders import (
    MISSING_SHARE,
    NEXT_STATUS,
    UNKNOWN,
    clean_status,
    phone_order,
    place,
    sale_of,
    set_status,
)
from cdp_assets.demo.shop_pages import log_events, write_reviews
from cdp_assets.demo.shop_people import STRANGERS, new_stranger, open_account
from cdp_assets.demo.shop_schema import R, Table
from cdp_assets.demo.shop_state import Shop
from cdp_assets.demo.tenant import DayRecord

_COUNTRY = ", VN"


def advance_shop(shop: Shop, record: DayRecord, products: Sequence[Product]) -> None:
    """Moves the shop on by the day that `record` describes, in place."""
    shop.step += 1
    for table in shop.tables.values():
        table.begin_day()
    if shop.step % 2 == 0:
        restore_order(shop)
    delete_rows(shop)
    shelf = Shelf(products)
    _people(shop, record)
    _orders(shop, record, shelf)
    _statuses(shop, record)
    _products(shop, record)
    _accounts(shop)
    write_reviews(shop, record.reviews)
    start = end_of_step(shop.step) - timedelta(days=1)
    # The page log knows nothing of old orders that are imported today.
    log_events(shop, [event for event in record.events if event.at >= start])
    hold_back(shop)


def _settled(table: Table[R], exclude: set[int]) -> set[int]:
    """Rows that an edit of today may touch: visible, older than today, not just committed late."""
    return table.rows.keys() - table.added - table.late - exclude


def _people(shop: Shop, record: DayRecord) -> None:
    """Half of LEO's newcomers register, and two people of whom LEO knows nothing."""
    for profile in record.profiles:
        person = profile.person
        if profile.kind and not shop.accounts.get(person.number) and shop.chance(0.5, "join", person.number):
            open_account(shop, person, shop.moment("join", person.number), [profile])
    for position in range(2):
        new_stranger(shop, shop.moment("stranger", position))


def _orders(shop: Shop, record: DayRecord, shelf: Shelf) -> None:
    """LEO's tracked orders of today, old ones that are imported today, and every third day one by telephone."""
    tracked = [purchase for purchase in record.purchases if purchase.tracked]
    share = 0.0 if shop.clean else MISSING_SHARE
    lost = {p.order_id for p in tracked if shop.chance(share, "lost", p.order_id)}
    shop.missing |= lost
    start = end_of_step(shop.step) - timedelta(days=1)
    for purchase in tracked:
        number, person = purchase.order_id, purchase.profile.person
        if number in lost:
            continue
        created = shop.local(purchase.at) if purchase.at >= start else shop.moment("import", number)
        if not shop.accounts.get(person.number):
            open_account(shop, person, created, [purchase.profile])
        place(shop, sale_of(shop, purchase, purchase.status), created, created)
    if shop.step % 3 == 1:
        dice = Dice(shop.seed, shop.spec.number, Purpose.SHOP, 1 + shop.step)
        strangers = [c for c in shop.customers.rows if shop.person_of[c] >= STRANGERS]
        at = shop.moment("telephone")
        old = [c for c in strangers if shop.customers.rows[c].created_at < at]
        sale = phone_order(shop.orders.last_id + 1, dice.pick(old), at, "pending", shelf, dice)
        place(shop, sale, at, at)


def _statuses(shop: Shop, record: DayRecord) -> None:
    """What LEO restates; half of the other open orders take their next step, completion by the nightly batch."""
    odd = {order for order, status in shop.status_of.items() if status == UNKNOWN}
    open_orders = _settled(shop.orders, odd)
    for number, status in record.restated:
        order = shop.order_of.get(number)
        if order in open_orders | shop.orders.added:
            set_status(shop, order, clean_status(status), shop.moment("restated", number))
            open_orders.discard(order)
    for order in sorted(open_orders):
        following = NEXT_STATUS.get(shop.status_of[order])
        if following and shop.chance(0.5, "next", order, shop.step):
            at = shop.batch if following == "completed" else shop.moment("next", order)
            set_status(shop, order, following, at)


def _products(shop: Shop, record: DayRecord) -> None:
    """Stock that was sold, LEO's new prices, a nightly delivery; every fifth day something new."""
    products = shop.products
    for item in list(shop.order_items.rows.values()):
        if item.id in shop.order_items.added and item.product_id not in products.added:
            left = max(0, products.rows[item.product_id].stock_quantity - item.quantity)
            products.change(item.product_id, item.created_at, stock_quantity=left)
    for key, price in record.repriced:
        if key in shop.product_of:
            products.change(shop.product_of[key], shop.moment("price", key), price=price)
    delivered = shop.shuffled(_settled(products, shop.faulty("products")), "delivery", shop.step)
    for product in delivered[: 2 + len(delivered) // 50]:
        stock = products.rows[product].stock_quantity
        products.change(product, shop.batch, stock_quantity=stock + 50)
    if shop.step % 5 == 0:
        list_own_product(shop, shop.moment("new product"))
    if shop.step % 7 == 3:
        spruce_up(shop, shop.moment("sale"))


def _accounts(shop: Shop) -> None:
    """People who move house; addresses that the nightly batch completes, all at one instant."""
    faulty = shop.faulty("customers")
    able = shop.shuffled(_settled(shop.customers, faulty), "edit", shop.step)
    able = [customer for customer in able if shop.customers.rows[customer].address]
    few = 2 + len(able) // 200
    for customer in able[:few]:
        at = shop.moment("moved", customer)
        house = 1 + int(shop.mark("new house", customer, shop.step) * 240)
        old = shop.customers.rows[customer].address or ""
        shop.customers.change(customer, at, address=f"{house} {old.partition(' ')[2]}")
    for customer in able[few : 2 * few + 1]:
        old = shop.customers.rows[customer].address or ""
        new = old.removesuffix(_COUNTRY) if old.endswith(_COUNTRY) else old + _COUNTRY
        shop.customers.change(customer, shop.batch, address=new)
