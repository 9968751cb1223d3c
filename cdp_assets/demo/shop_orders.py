"""The shop's orders and their items: LEO's tracked purchases, and orders by telephone that LEO never hears of.

Belongs here: how an order becomes rows, planted faults in orders, steps of its life. Does not belong here: which day
brings which order or step (`shop_days`). Store purchases without an order number are in LEO only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cdp_assets.demo.calendar_vn import shopping_time
from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.model import WORLD_END, WORLD_START, Line, Purchase
from cdp_assets.demo.purchases import Shelf
from cdp_assets.demo.shop_catalog import product_id, promotion_at
from cdp_assets.demo.shop_people import STRANGERS, buyer
from cdp_assets.demo.shop_schema import OrderItemRow, OrderRow
from cdp_assets.demo.shop_state import Planted, Shop

MISSING_SHARE = 0.01
UNKNOWN = "unknown"

NEXT_STATUS = {"pending": "processing", "processing": "shipped", "shipped": "completed"}
_PHONE_SHARE = 0.015
_CENTS_SHARE = 0.01
_OFF_SHARE = 0.002
_ODD_STATUS_SHARE = 0.002
_DIRTY_SHARE = 0.04
_DIRTY = {
    "pending": ("PENDING",),
    "processing": ("Processing",),
    "shipped": (" Shipped ", "SHIPPED"),
    "completed": ("done", "Completed"),
    "cancelled": ("canceled", "CANCELLED"),
}
_MANY_WORDS = {
    "pending": ("wc-pending", "chờ xử lý", "Pending Payment", "awaiting payment", "on-hold"),
    "processing": ("wc-processing", "đang xử lý", "Awaiting Fulfillment", "Payment accepted", "đã xác nhận"),
    "shipped": ("đang giao hàng", "In Transit", "partially shipped", "đã gửi hàng", "dispatched"),
    "completed": ("wc-completed", "hoàn thành", "Delivered", "Complete", "đã giao hàng", "Fulfilled"),
    "cancelled": ("wc-cancelled", "đã hủy", "Voided", "payment failed", "khách hủy", "Declined"),
}
"""How WooCommerce, Magento, BigCommerce, PrestaShop and Vietnamese clerks say it."""
_TIME_TO = {
    "pending": timedelta(0),
    "processing": timedelta(hours=3),
    "shipped": timedelta(days=1),
    "completed": timedelta(days=3),
    "cancelled": timedelta(days=2),
    UNKNOWN: timedelta(hours=5),
}
"""From the order to the moment when its status was set."""


@dataclass(frozen=True, slots=True)
class Sale:
    """An order before it has an id, in the shop's time."""

    number: str
    customer_id: int
    at: datetime
    channel: str
    currency: str
    status: str
    """A clean word, or `unknown`."""
    lines: tuple[Line, ...]
    surplus: Decimal = Decimal(0)
    """What the total says beyond the sum of the lines."""


def clean_status(status: str) -> str:
    """The shop's word for a status of the model: it has none for refunds, whose orders are cancelled."""
    return "cancelled" if status == "refunded" else status


def status_text(shop: Shop, number: str, status: str) -> str:
    """How an order spells a status: mostly as it should be."""
    if status == UNKNOWN:
        return "call back"
    mark = shop.mark("status", number, status)
    if shop.spec.many_words:
        return _MANY_WORDS[status][int(mark * len(_MANY_WORDS[status]))]
    texts = _DIRTY[status]
    return texts[int(mark / _DIRTY_SHARE * len(texts))] if mark < _DIRTY_SHARE else status


def open_orders(shop: Shop, purchases: Sequence[Purchase], shelf: Shelf) -> None:
    """The orders of step 0, ids in order of time: tracked purchases but for a few, and telephone orders."""
    numbers = shop.shuffled((purchase.order_id for purchase in purchases), "orders")

    def take(share: float) -> set[str]:
        wanted = 0 if shop.clean else max(1, round(len(purchases) * share))
        taken = set(numbers[:wanted])
        del numbers[:wanted]
        return taken

    shop.missing = take(MISSING_SHARE)
    cents, off, odd = take(_CENTS_SHARE), take(_OFF_SHARE), take(_ODD_STATUS_SHARE)
    sales = _phone_orders(shop, max(1, round(len(purchases) * _PHONE_SHARE)), shelf)
    for purchase in purchases:
        number = purchase.order_id
        if number not in shop.missing:
            surplus = (
                _cents(shop, purchase)
                if number in cents
                else _much(purchase)
                if number in off
                else Decimal(0)
            )
            sales.append(sale_of(shop, purchase, UNKNOWN if number in odd else purchase.status, surplus))
    for sale in sorted(sales, key=lambda sale: (sale.at, sale.number)):
        set_at = sale.at + _TIME_TO[sale.status] * (0.5 + shop.mark("lag", sale.number))
        order_id = place(shop, sale, sale.at, min(set_at, shop.batch))
        if sale.surplus:
            name = "total_off_by_cents" if sale.number in cents else "total_off"
            shop.planted.append(Planted("orders", order_id, name, "order_total_matches_lines"))
        if sale.status == UNKNOWN:
            shop.planted.append(Planted("orders", order_id, "status_unknown", "order_status_known"))
    if not shop.clean:
        _misdate(shop)


def _misdate(shop: Shop) -> None:
    """Two orders whose day somebody typed wrong: one long ago, one far ahead."""
    able = shop.orders.rows.keys() - shop.faulty("orders")
    typed = {
        "order_ahead": ("2062-03-01T09:30", "not_in_future"),
        "order_long_ago": ("1962-03-01T09:30", "inputs_are_usable"),
    }
    for order_id, (fault, (day, check)) in zip(shop.shuffled(able, "misdated"), typed.items(), strict=False):
        shop.orders.change(
            order_id, shop.orders.rows[order_id].updated_at, order_date=datetime.fromisoformat(day)
        )
        shop.planted.append(Planted("orders", order_id, fault, check))


def sale_of(shop: Shop, purchase: Purchase, status: str, surplus: Decimal = Decimal(0)) -> Sale:
    """A tracked purchase as the shop has it. Its person must have an account."""
    at = shop.local(purchase.at)
    customer = buyer(shop, purchase.profile.person.number, at, purchase.order_id)
    assert customer is not None, "everybody with a tracked order has an account"
    return Sale(
        purchase.order_id,
        customer,
        at,
        purchase.channel,
        purchase.currency,
        clean_status(status),
        purchase.lines,
        surplus,
    )


def _cents(shop: Shop, purchase: Purchase) -> Decimal:
    """Two to five of the smallest unit too much or too little."""
    units = 2 + int(shop.mark("cents", purchase.order_id) * 4)
    unit = Decimal(1) if purchase.currency == "VND" else Decimal("0.01")
    return units * unit * (-1 if shop.chance(0.5, "sign", purchase.order_id) else 1)


def _much(purchase: Purchase) -> Decimal:
    much = Decimal(5_000) if purchase.currency == "VND" else Decimal(5)
    return -much if purchase.total > much else much


def _phone_orders(shop: Shop, count: int, shelf: Shelf) -> list[Sale]:
    """Orders of step 0 by telephone: mostly of strangers, every third of somebody whom LEO knows."""
    dice = Dice(shop.seed, shop.spec.number, Purpose.SHOP, 1)
    rows = shop.customers.rows
    strangers = [row_id for row_id, number in shop.person_of.items() if number >= STRANGERS]
    known = [row_id for row_id, number in shop.person_of.items() if number < STRANGERS]
    sales = []
    for position in range(count):
        customer = dice.pick(known if position % 3 == 2 else strangers)
        at = shopping_time(WORLD_START, WORLD_END - timedelta(days=6), dice)
        assert at is not None, "two years hold a whole day"
        local = max(shop.local(at), rows[customer].created_at + timedelta(minutes=20))
        sales.append(phone_order(position, customer, local, "completed", shelf, dice))
    return sales


def phone_order(number: int, customer_id: int, at: datetime, status: str, shelf: Shelf, dice: Dice) -> Sale:
    """An order by telephone at the prices of the shelf; `number` is unique in the shop."""
    basket = shelf.basket(1 + dice.whole(0, 1), dice)
    lines = tuple(Line(product, dice.whole(1, 2), product.price) for product in basket)
    return Sale(f"TEL-{at:%Y%m}-{number:05d}", customer_id, at, "phone", basket[0].currency, status, lines)


def place(shop: Shop, sale: Sale, created: datetime, updated: datetime) -> int:
    """Writes the order and its items; returns the order's id."""
    updated = updated.replace(microsecond=updated.microsecond // 1000 * 1000)
    order_id = shop.order_of[sale.number] = shop.orders.new_id()
    shop.status_of[order_id] = sale.status
    customer = shop.customers.rows[sale.customer_id]
    shop.orders.add(
        OrderRow(
            id=order_id,
            created_at=created,
            updated_at=max(created, updated),
            order_number=sale.number,
            customer_id=sale.customer_id,
            order_date=sale.at,
            status=status_text(shop, sale.number, sale.status),
            channel=sale.channel,
            currency=sale.currency,
            total_amount=sum((line.value for line in sale.lines), sale.surplus),
            promotion_id=promotion_at(shop, sale.at, sale.number),
            shipping_address=None if sale.channel == "store" else customer.address,
        )
    )
    for line in sale.lines:
        shop.order_items.add(
            OrderItemRow(
                id=shop.order_items.new_id(),
                created_at=created,
                updated_at=created,
                order_id=order_id,
                product_id=product_id(shop, line.product, created),
                quantity=line.quantity,
                unit_price=line.price,
            )
        )
    return order_id


def set_status(shop: Shop, order_id: int, status: str, at: datetime) -> None:
    """The order takes a clean status."""
    row = shop.orders.rows[order_id]
    if shop.status_of[order_id] != status:
        shop.status_of[order_id] = status
        shop.orders.change(order_id, at, status=status_text(shop, row.order_number, status))
