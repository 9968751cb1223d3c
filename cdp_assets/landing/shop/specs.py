"""What is landed of a shop, table by table.

Belongs here: tables, columns with kind, whether a shop must have them. Does not belong here: what a given shop has of
it (`shape`), which columns are personal data (`cleaning.personal`). `raw.*` (migration 0003) has the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from psycopg import sql

from cdp_assets.sources.shop_catalog import ENUM

_INTEGERS = frozenset({"int2", "int4", "int8"})
_FLOATS = frozenset({"float4", "float8"})


class Kind(Enum):
    """What a column of `raw.*` holds; the value is its PostgreSQL type."""

    INTEGER = "bigint"
    NUMBER = "numeric"
    TEXT = "text"
    TIME = "timestamptz"

    @property
    def usual(self) -> frozenset[str]:
        """Types that a shop's column is expected to have."""
        return _USUAL[self]

    @property
    def family(self) -> frozenset[str]:
        """Types of which every value can be landed: the cast to the column's type cannot fail."""
        return _USUAL[self] | _ALSO[self]


_USUAL = {
    Kind.INTEGER: _INTEGERS,
    Kind.NUMBER: frozenset({"numeric"}),
    Kind.TEXT: frozenset({"text", "varchar"}),
    Kind.TIME: frozenset({"timestamp"}),
}
_ALSO = {
    Kind.INTEGER: frozenset[str](),
    Kind.NUMBER: _INTEGERS | _FLOATS,
    Kind.TEXT: frozenset({"bpchar", "citext", "name", "uuid", ENUM}) | _INTEGERS,
    Kind.TIME: frozenset({"timestamptz", "date"}),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `raw.<table>`, named as in the shop.

    Attributes:
        required: a shop without it is not landed.
        open_end: the side on which a time beyond all calendars (`infinity`, 9999-12-31) means no end: null.
    """

    name: str
    kind: Kind
    required: bool = False
    open_end: Literal["", "<", ">"] = ""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table of the shop and its landing table `raw.<table>`; key `id`, changes by `updated_at`.

    Attributes:
        required: a shop without it is no shop.
        version: raised when the columns' meaning changes; every tenant is then loaded in full once.
        keys: columns of the landing table by which its people meet others, each with the column that it is read from
            (`keys`).
    """

    table: str
    columns: tuple[Column, ...]
    required: bool = False
    version: int = 1
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def collection(self) -> str:
        """Name in the ledger and the quarantine."""
        return f"raw.{self.table}"

    @property
    def relation(self) -> sql.Identifier:
        """The landing table as an SQL identifier."""
        return sql.Identifier("raw", self.table)


def _integers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.INTEGER) for name in names)


def _numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.NUMBER) for name in names)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT) for name in names)


def _times(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TIME) for name in names)


def _required(*groups: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(replace(column, required=True) for group in groups for column in group)


_KEY = _required(_integers("id"))
_STAMPS = _required(_times("created_at", "updated_at"))
_OPTIONAL_STAMPS = (*_times("created_at"), *_required(_times("updated_at")))

_TABLES = (
    TableSpec(
        "customers",
        (*_KEY, *_required(_texts("name", "email", "phone", "address")), *_texts("crm_id"), *_STAMPS),
        required=True,
        version=2,
        keys=(("_email_key", "email"), ("_phone_key", "phone"), ("_name_key", "name")),
    ),
    TableSpec(
        "products",
        (
            *_KEY,
            *_texts("sku", "currency", "brand"),
            *_required(_texts("name", "description", "category"), _numbers("price")),
            *_integers("category_id"),
            *_required(_integers("stock_quantity")),
            *_STAMPS,
        ),
        required=True,
    ),
    TableSpec(
        "orders",
        (
            *_KEY,
            *_texts("order_number", "channel", "currency"),
            *_required(_integers("customer_id"), _times("order_date"), _texts("status")),
            *_required(_numbers("total_amount"), _texts("shipping_address")),
            *_integers("promotion_id"),
            *_STAMPS,
        ),
        required=True,
    ),
    TableSpec(
        "order_items",
        (
            *_KEY,
            *_required(_integers("order_id", "product_id", "quantity"), _numbers("unit_price")),
            *_STAMPS,
        ),
        required=True,
    ),
    TableSpec("categories", (*_KEY, *_texts("name"), *_integers("parent_id"), *_OPTIONAL_STAMPS)),
    TableSpec(
        "reviews",
        (
            *_KEY,
            *_integers("product_id", "customer_id", "rating"),
            *_texts("title", "comment"),
            *_OPTIONAL_STAMPS,
        ),
    ),
    TableSpec(
        "promotions",
        (
            *_KEY,
            *_texts("code", "name"),
            *_numbers("discount_percent"),
            Column("starts_at", Kind.TIME, open_end="<"),
            Column("ends_at", Kind.TIME, open_end=">"),
            *_OPTIONAL_STAMPS,
        ),
        version=2,
    ),
    TableSpec(
        "events",
        (
            *_KEY,
            *_integers("customer_id", "product_id", "order_id"),
            *_texts("visitor_id", "session_id", "url"),
            *_texts("event_type"),
            *_times("event_time"),
            *_OPTIONAL_STAMPS,
        ),
    ),
)

SPECS: dict[str, TableSpec] = {spec.table: spec for spec in _TABLES}
"""All tables by name, in the order in which a shop fills them."""
