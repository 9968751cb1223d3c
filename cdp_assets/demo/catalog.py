"""The products of a tenant, with Vietnamese or English titles and descriptions.

Belongs here: grammar, prices and popularity of products. Does not belong here: who buys them; their LEO documents.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.dice import Dice
from cdp_assets.demo.keys import friendly_id
from cdp_assets.demo.model import HISTORY_DAYS, WORLD_START, Product
from cdp_assets.demo.sizes import TenantSpec

DONG = {"USD": 25_000, "GBP": 32_000}
"""Value of a unit of other currencies."""
SHARED_PRODUCTS = 1
"""So many products have the same `_key` in every tenant."""

_SHIFT = 20
"""Zipf-Mandelbrot shift: the top 10 % of 2,000 items take about half of the demand, as in retail data."""


def draw_catalog(spec: TenantSpec, seed: int, count: int, dice: Dice) -> list[Product]:
    """`count` products, in no order of popularity."""
    ranks = dice.rng.permutation(count).tolist()
    return [draw_product(spec, seed, number, ranks[number], dice) for number in range(count)]


def draw_product(spec: TenantSpec, seed: int, number: int, rank: int, dice: Dice) -> Product:
    """One product; `rank` 0 is the most popular."""
    category, goods = dice.pick(words.GOODS[spec.range])
    name_vi, name_en, thousands = dice.pick(goods)
    used_up = category.key in words.CONSUMABLES
    made_vi, made_en = dice.pick(words.QUALITIES if used_up else words.MATERIALS)
    look_vi, look_en = dice.pick(words.PACKS if used_up else words.COLOURS)
    vietnamese = dice.chance(spec.vietnamese)
    if vietnamese:
        title = f"{name_vi} {made_vi} {'' if used_up else 'màu '}{look_vi}"
        description = f"{title}. Bảo hành 12 tháng, giao hàng toàn quốc."
        keywords = (name_vi.lower(), category.vietnamese.lower(), look_vi)
    else:
        title = f"{name_en}, {made_en}, {look_en}"
        description = f"{title}. One year of warranty, ships worldwide."
        keywords = (name_en.lower(), category.english.lower(), look_en)
    currency = "USD" if dice.chance(spec.dollar_products) else spec.currency
    # Log-normal around the typical price of its kind.
    dong = thousands * 1000 * float(dice.rng.lognormal(0.0, 0.25))
    price = _price(dong / DONG.get(currency, 1), currency)
    reduced = dice.chance(0.4)
    return Product(
        key=friendly_id("product", seed, "shared" if number < SHARED_PRODUCTS else spec.name, number),
        number=number,
        sku=f"SKU-{number + 1:05d}",
        category=category,
        brand=dice.pick(words.BRANDS),
        title=title,
        description="" if dice.chance(0.01) else description,
        keywords=keywords,
        language="vi" if vietnamese else "en",
        currency=currency,
        list_price=_price(float(price) * 1.2, currency) if reduced else price,
        price=price,
        stock=dice.whole(0, 200),
        launched=WORLD_START
        + timedelta(days=int(dice.between(0, HISTORY_DAYS * 0.9)) if dice.chance(0.4) else 0),
        popularity=1.0 / (rank + _SHIFT),
    )


def _price(amount: float, currency: str) -> Decimal:
    """VND in whole thousands, all others with .99 at the end."""
    if currency == "VND":
        return Decimal(max(1, round(amount / 1000)) * 1000)
    return Decimal(max(1, int(amount))) + Decimal("0.99")
