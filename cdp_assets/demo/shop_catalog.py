"""What the shop sells: categories in two levels, products, promotions.

Belongs here: the rows of the catalogue and how they change. Does not belong here: who buys (`shop_orders`), which day
brings which change (`shop_days`). Nearly all products are those of LEO, met by SKU; a few only the shop has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.model import WORLD_END, WORLD_START, Product, Purchase
from cdp_assets.demo.shop_schema import CategoryRow, ProductRow, PromotionRow
from cdp_assets.demo.shop_state import Planted, Shop

NO_CATEGORY = 9_999
"""A category id that no category has."""

_PROMOTIONS = (
    ("SALE1111", "Sale 11.11", "15.00", "2025-11-09", "2025-11-13"),
    ("TET2026", "Tết Bính Ngọ", "10.00", "2026-01-20", "2026-02-16"),
    ("SUMMER26", "Summer sale", "12.50", "2026-06-01", "2026-07-15"),
    ("OUTLET", "Outlet", "30.00", "2026-07-01", "2026-08-01"),
)
"""Code, name, discount in per cent, first day, day after the last."""
_ODD_PROMOTIONS = {
    "discount_over_100": ("TYPO150", "Free and money back", "150.00", "2026-05-04", "2026-05-08"),
    "promotion_since_1900": ("SINCE1900", "Staff discount", "5.00", "1900-01-01", "2100-01-01"),
}
"""Fault -> promotion."""
_OPENED = timedelta(hours=9)


def open_catalogue(shop: Shop, products: Sequence[Product], purchases: Sequence[Purchase]) -> None:
    """Categories, promotions and products of step 0."""
    opened = shop.local(WORLD_START) + _OPENED
    _categories(shop, opened)
    for promotion in _PROMOTIONS:
        _promote(shop, *promotion)
    if not shop.clean and not shop.spec.small_shop:
        for fault, promotion in _ODD_PROMOTIONS.items():
            row_id = _promote(shop, *promotion)
            shop.planted.append(Planted("promotions", row_id, fault, "inputs_are_usable"))
    _products(shop, products, purchases)


def _promote(shop: Shop, code: str, name: str, discount: str, first: str, end: str) -> int:
    starts = datetime.fromisoformat(first)
    created = min(starts - timedelta(days=14), shop.local(WORLD_END) - timedelta(hours=30))
    row_id = shop.promotions.new_id()
    shop.promotions.add(
        PromotionRow(
            id=row_id,
            created_at=created,
            updated_at=created,
            code=code,
            name=name,
            discount_percent=Decimal(discount),
            starts_at=starts,
            ends_at=datetime.fromisoformat(end),
        )
    )
    return row_id


def _categories(shop: Shop, opened: datetime) -> None:
    def add(name: str, parent: int | None) -> int:
        row_id = shop.categories.new_id()
        shop.categories.add(
            CategoryRow(id=row_id, created_at=opened, updated_at=opened, name=name, parent_id=parent)
        )
        return row_id

    root = add("All products", None)
    for category, _ in words.GOODS[shop.spec.range]:
        add(category.english, root)
    add("Outlet", add("Sale", None))


def _products(shop: Shop, products: Sequence[Product], purchases: Sequence[Purchase]) -> None:
    by_time = sorted(purchases, key=lambda purchase: purchase.at)
    last = {line.product.key: purchase.at for purchase in by_time for line in purchase.lines}
    unsold = [product.key for product in products if product.key not in last]
    for product in products:
        # One product that nobody bought stays with LEO alone, until somebody does.
        if product.key not in unsold[:1]:
            sold = last.get(product.key, product.launched)
            list_product(shop, product, shop.local(product.launched), shop.local(sold))
    for _ in range(2):
        list_own_product(shop, shop.local(WORLD_END) - timedelta(hours=40))
    if shop.clean or shop.spec.small_shop:
        return
    *_, orphan = shop.shuffled(shop.product_of.values(), "orphan category")
    row = shop.products.rows[orphan]
    shop.products.change(orphan, row.updated_at, category_id=NO_CATEGORY)
    shop.planted.append(Planted("products", orphan, "category_missing", "category_exists"))


def list_product(shop: Shop, product: Product, created: datetime, updated: datetime) -> int:
    """A product of LEO appears in the shop; its SKU is typed carelessly now and then."""
    category = product.category
    typed = {5: product.sku.lower(), 11: f" {product.sku} "}
    row_id = shop.product_of[product.key] = shop.products.new_id()
    shop.products.add(
        ProductRow(
            id=row_id,
            created_at=created,
            updated_at=max(created, updated),
            sku=typed.get(product.number % 37, product.sku),
            name=product.title,
            description=product.description or None,
            price=product.price,
            currency=product.currency,
            category=category.vietnamese if product.language == "vi" else category.english,
            category_id=next(row.id for row in shop.categories.rows.values() if row.name == category.english),
            brand=product.brand,
            stock_quantity=product.stock,
        )
    )
    return row_id


def list_own_product(shop: Shop, at: datetime) -> int:
    """A product that LEO does not know."""
    row_id = shop.products.new_id()
    shop.products.add(
        ProductRow(
            id=row_id,
            created_at=at,
            updated_at=at,
            sku=f"SHOP-{row_id:05d}",
            name=f"Gift card {row_id}",
            description=None,
            price=Decimal(500_000) if shop.spec.currency == "VND" else Decimal("20.00"),
            currency=shop.spec.currency,
            category=None,
            category_id=None,
            brand=None,
            stock_quantity=100,
        )
    )
    return row_id


def product_id(shop: Shop, product: Product, at: datetime) -> int:
    """The product's id; it is listed at its first sale if it was not before."""
    known = shop.product_of.get(product.key)
    return list_product(shop, product, at, at) if known is None else known


def promotion_at(shop: Shop, at: datetime, number: str) -> int | None:
    """The promotion that an order of a local time used, if any."""
    odd = shop.faulty("promotions")
    running = [
        row.id
        for row in shop.promotions.rows.values()
        if row.starts_at <= at < row.ends_at and row.id not in odd
    ]
    return running[0] if running and shop.chance(0.3, "promotion", number) else None


def spruce_up(shop: Shop, at: datetime) -> None:
    """The sale gets another name, and its promotion lasts three days longer."""
    sale = next(row for row in shop.categories.rows.values() if row.name.startswith("Sale"))
    shop.categories.change(sale.id, at, name="Sale" if sale.name == "Sale %" else "Sale %")
    summer = next(row for row in shop.promotions.rows.values() if row.code == "SUMMER26")
    shop.promotions.change(summer.id, at, ends_at=summer.ends_at + timedelta(days=3))
