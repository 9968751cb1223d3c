"""The tables of a tenant's shop: a row class each, whose fields are the columns of `sql/shop_schema.sql`.

Belongs here: columns, and what a table keeps beside its rows. Does not belong here: what the rows say (`shop_people`,
`shop_catalog`, `shop_orders`, `shop_pages`), databases (`shop_database`). Times are naive, in the zone of the shop.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every table has."""

    id: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow(Row):
    """A category of goods; the upper ones have no parent."""

    name: str
    parent_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRow(Row):
    """A sale with a code."""

    code: str
    name: str
    discount_percent: Decimal
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow(Row):
    """An account. A person may have two."""

    name: str
    email: str
    phone: str | None
    address: str | None
    crm_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow(Row):
    """Something for sale."""

    sku: str
    name: str
    description: str | None
    price: Decimal
    currency: str
    category: str | None
    category_id: int | None
    brand: str | None
    stock_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow(Row):
    """An order; `total_amount` is the sum of its items, save planted defects."""

    order_number: str
    customer_id: int
    order_date: datetime
    status: str
    channel: str | None
    currency: str
    total_amount: Decimal
    promotion_id: int | None
    shipping_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItemRow(Row):
    """A line of an order."""

    order_id: int
    product_id: int
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow(Row):
    """A customer's rating of a product, 1 to 5."""

    product_id: int
    customer_id: int
    rating: int
    title: str | None
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow(Row):
    """Something that happened on the shop's pages."""

    customer_id: int | None
    visitor_id: str | None
    session_id: str | None
    event_type: str
    product_id: int | None
    order_id: int | None
    event_time: datetime
    url: str | None


ROWS: dict[str, type[Row]] = {
    "categories": CategoryRow,
    "promotions": PromotionRow,
    "customers": CustomerRow,
    "products": ProductRow,
    "orders": OrderRow,
    "order_items": OrderItemRow,
    "reviews": ReviewRow,
    "events": EventRow,
}
"""Table -> its row; a table comes after those that it refers to."""


def _columns(row: type[Row]) -> tuple[str, ...]:
    common = tuple(entry.name for entry in fields(Row))
    return ("id", *(entry.name for entry in fields(row) if entry.name not in common), *common[1:])


COLUMNS: dict[str, tuple[str, ...]] = {table: _columns(row) for table, row in ROWS.items()}
"""Table -> its columns in the order of the database."""

_SMALL = ("customers", "products", "orders", "order_items")
_NOT_SMALL = {"currency", "category_id", "promotion_id"}


def columns_of(small: bool) -> dict[str, tuple[str, ...]]:
    """`COLUMNS` of a shop; a small one has the needed tables only, and no currencies."""
    if not small:
        return COLUMNS
    return {table: tuple(name for name in COLUMNS[table] if name not in _NOT_SMALL) for table in _SMALL}


R = TypeVar("R", bound=Row)


@dataclass(slots=True)
class Table(Generic[R]):
    """The rows that can be seen, by id, and what happened to them today."""

    rows: dict[int, R] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    """Ids created today."""
    held: list[R] = field(default_factory=list)
    """Created today in a transaction that commits tomorrow."""
    late: set[int] = field(default_factory=set)
    """Ids that appeared today with a time of an earlier day; nothing else happens to them today."""
    last_id: int = 0

    def new_id(self) -> int:
        """The next number of the sequence. Numbers are never used again."""
        self.last_id += 1
        return self.last_id

    def add(self, row: R) -> None:
        """A new row."""
        self.rows[row.id] = row
        self.added.add(row.id)

    def change(self, row_id: int, updated_at: datetime, **values: Any) -> None:
        """Sets columns; `updated_at` moves, never back, and only if a value is another one."""
        row = self.rows[row_id]
        if any(getattr(row, name) != value for name, value in values.items()):
            self.rows[row_id] = replace(row, updated_at=max(updated_at, row.updated_at), **values)

    def remove(self, row_id: int) -> R:
        """Takes the row away, without a trace in the table."""
        return self.rows.pop(row_id)

    def restore(self, row: R) -> None:
        """Brings a removed row back exactly as it was."""
        self.rows[row.id] = row
        self.late.add(row.id)

    def hold(self, row_id: int) -> None:
        """Makes a row of today invisible until `begin_day`: its transaction is still open."""
        self.held.append(self.rows.pop(row_id))

    def begin_day(self) -> None:
        """Yesterday's open transactions commit."""
        self.added.clear()
        self.late = {row.id for row in self.held}
        self.rows.update((row.id, row) for row in self.held)
        self.held.clear()
