"""Orders with their lines: who bought what, when, for how much.

Belongs here: drawing purchases from people and products. Does not belong here: the visits around them (`behaviour`),
conversion edges and tracking events (`leo`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from cdp_assets.demo.calendar_vn import shopping_time
from cdp_assets.demo.dice import Dice, Weighted
from cdp_assets.demo.keys import hexadecimal
from cdp_assets.demo.model import WORLD_END, Line, Product, Profile, Purchase
from cdp_assets.demo.sizes import TenantSpec

_CHANNELS = Weighted([("web", 66.0), ("store", 20.0), ("phone", 6.0), ("marketplace", 8.0)])
_PAYMENTS = Weighted([("cod", 40.0), ("momo", 25.0), ("card", 22.0), ("bank", 13.0)])
_METRICS = Weighted(
    [("purchase", 89.0), ("made-payment", 5.0), ("subscribe", 3.0), ("enroll", 2.0), ("approve-loan", 1.0)]
)
"""Of an order's edges and of its event; first and further purchases are told apart for some."""
_LATE_STATES = Weighted([("completed", 88.0), ("refunded", 5.0), ("cancelled", 7.0)])
_EARLY_STATES = Weighted([("pending", 30.0), ("processing", 30.0), ("shipped", 40.0)])
_SETTLED_AFTER = timedelta(days=5)


class Shelf:
    """The products of one tenant by currency, drawn by popularity."""

    def __init__(self, products: Sequence[Product]) -> None:
        self.all = Weighted([(product, product.popularity) for product in products])
        self._by_currency = {
            currency: Weighted([(p, p.popularity) for p in products if p.currency == currency])
            for currency in {product.currency for product in products}
        }

    def basket(self, size: int, dice: Dice) -> list[Product]:
        """Up to `size` different products of one currency."""
        first = dice.weighted(self.all)
        basket = [first]
        for _ in range(size - 1):
            other = dice.weighted(self._by_currency[first.currency])
            if other not in basket:
                basket.append(other)
        return basket


def draw_purchases(
    spec: TenantSpec, profiles: Sequence[Profile], shelf: Shelf, dice: Dice
) -> dict[str, list[Purchase]]:
    """Purchases by profile key, each list in order of time; numbers follow the order of profiles."""
    by_profile: dict[str, list[Purchase]] = {}
    number = 0
    for profile in profiles:
        times = _buying_times(profile, dice)
        for position, at in enumerate(times):
            purchase = draw_purchase(spec, number, profile, at, shelf, dice, first=position == 0)
            by_profile.setdefault(profile.key, []).append(purchase)
            number += 1
    return by_profile


def _buying_times(profile: Profile, dice: Dice) -> list[datetime]:
    person = profile.person
    last = min(person.quits, profile.merged_at or WORLD_END)
    if profile.kind == 0 or (profile.status < 0 and person.number % 2):
        return []
    years = (last - profile.created).days / 365.25
    if years <= 0:
        return []
    count = int(dice.rng.poisson(person.orders_per_year * years))
    if profile.status == 0:
        count = max(count, 2)  # A merge without edges would show nothing.
    drawn = (shopping_time(profile.created, last, dice) for _ in range(count))
    return sorted(at for at in drawn if at is not None)


def draw_purchase(
    spec: TenantSpec, number: int, profile: Profile, at: datetime, shelf: Shelf, dice: Dice, *, first: bool
) -> Purchase:
    """One order. `number` must be unique within the tenant; the order number follows from it."""
    basket = shelf.basket(1 + int(dice.rng.poisson(0.8)), dice)
    channel = dice.weighted(_CHANNELS)
    if profile.person.untracked:
        channel = "store"
    currency = basket[0].currency
    settled = WORLD_END - at > _SETTLED_AFTER
    metric = dice.weighted(_METRICS)
    if metric == "purchase":
        metric = (
            "first-purchase" if first and dice.chance(0.3) else "repurchase" if dice.chance(0.1) else metric
        )
    return Purchase(
        number=number,
        order_id=_order_id(spec, number, at, channel),
        profile=profile,
        at=at,
        channel=channel,
        metric=metric,
        currency=currency,
        status=dice.weighted(_LATE_STATES if settled else _EARLY_STATES),
        payment=dice.weighted(_PAYMENTS),
        shipping=_shipping(currency) if channel != "store" and dice.chance(0.5) else Decimal(0),
        lines=tuple(_line(product, position, dice) for position, product in enumerate(basket)),
        tracked=channel != "store" or (not profile.person.untracked and number % 3 != 0),
    )


def _line(product: Product, position: int, dice: Dice) -> Line:
    """Mostly the price of the shelf; a tenth is marked down, and one in twenty further lines is a gift."""
    if position and dice.chance(0.05):
        return Line(product, 1, Decimal(0))
    price = product.price
    if dice.chance(0.1):
        step = Decimal(1000) if product.currency == "VND" else Decimal("0.01")
        price = (price * Decimal("0.85") / step).quantize(Decimal(1)) * step
    return Line(product, dice.whole(1, 3) if dice.chance(0.3) else 1, price)


def _shipping(currency: str) -> Decimal:
    return Decimal(30_000) if currency == "VND" else Decimal("4.50")


def _order_id(spec: TenantSpec, number: int, at: datetime, channel: str) -> str:
    """Marketplaces send ids longer than 50 characters."""
    if channel == "marketplace":
        return f"MARKETPLACE-{at:%Y%m%d}-{hexadecimal('market', spec.name, number)}-{number:08d}"
    return f"ORD-{at:%Y-%m%d}-{number:06d}"
