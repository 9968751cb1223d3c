"""What a contract is: how documents of one collection become rows of one table.

Belongs here: the `Contract` type and the translation of a dataframely schema to PostgreSQL types. The contracts
themselves are in `profile`, `segment`, `conversion`, `product`, `event` and `feedback`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dataframely as dy
import polars as pl

from cdp_assets.cleaning.personal import personal_columns
from cdp_assets.landing.values import Document
from cdp_assets.warehouse.bulk import Target
from cdp_assets.warehouse.options import TenantOptions


@dataclass(slots=True)
class Mapped:
    """One document as a row: values by column, and the attributes that had to be left null, with the reason."""

    values: dict[str, Any]
    nulled: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """How documents of one collection become rows.

    Attributes:
        collection: LEO collection.
        table: table in schema `cdp`.
        schema: the typed columns in order, with their rules; rows that break one go to quarantine.
        map: document -> row; raises `FieldError` when an attribute cannot be read.
        document_column: JSONB column that keeps the source document.
        window_field: attribute by which a window is read.
        version: enters every content hash; raise it when the mapping changes, and the next sweep lands all anew.
        drop: attributes that are not kept: copies of others, counters, times that move without meaning.
        ordered: top-level arrays whose order means something (all others are sets).
        insert_only: columns that derivations maintain after the first landing.
        resolve: SQL function (tenant, keys) that derives columns from other tables, run for each batch and at the end.
    """

    collection: str
    table: str
    schema: type[dy.Schema]
    map: Callable[[Document, TenantOptions], Mapped]
    document_column: str
    window_field: str
    version: str
    drop: frozenset[str] = frozenset()
    ordered: frozenset[str] = frozenset()
    insert_only: frozenset[str] = frozenset()
    resolve: str | None = None

    def version_for(self, options: TenantOptions) -> str:
        """What rows are made by: the contract, and the options that its map may ask."""
        return f"{self.version} {options.default_currency} {options.default_region} {options.timezone}"

    @cached_property
    def key(self) -> str:
        """Column that holds `_key`."""
        return self.schema.primary_key()[0]

    @cached_property
    def polars_schema(self) -> pl.Schema:
        """Types of the columns in polars."""
        return self.schema.create_empty().schema

    @cached_property
    def target(self) -> Target:
        """The table as bulk load sees it."""
        columns = {name: _postgres_type(column) for name, column in self.schema.columns().items()}
        return Target(
            schema="cdp",
            table=self.table,
            key=self.key,
            columns={**columns, self.document_column: "jsonb", "content_hash": "bytea"},
            insert_only=self.insert_only,
            scrub=((self.document_column, "'{}'::jsonb"), *self._scrub),
        )

    @property
    def _scrub(self) -> list[tuple[str, str]]:
        """Personal columns beside the document, each with the value that a tombstone leaves."""
        types = self.schema.columns()
        return [
            (name, "'{}'" if isinstance(types[name], dy.List) else "null")
            for name in personal_columns(f"cdp.{self.table}")
            if name != self.document_column
        ]


def _postgres_type(column: dy.Column) -> str:
    if isinstance(column, dy.List):
        return f"{_postgres_type(column.inner)}[]"
    for kind, name in (
        (dy.Enum, "text"),
        (dy.String, "text"),
        (dy.Int16, "int2"),
        (dy.Int32, "int4"),
        (dy.Int64, "int8"),
        (dy.Decimal, "numeric"),
        (dy.Datetime, "timestamptz"),
        (dy.Date, "date"),
        (dy.Bool, "bool"),
    ):
        if isinstance(column, kind):
            return name
    raise TypeError(f"no PostgreSQL type for {column!r}; add it here")


def key_column() -> dy.String:
    """The column of a document's `_key`."""
    return dy.String(primary_key=True, max_length=254)


def amount_column(*, nullable: bool = True) -> dy.Decimal:
    """An amount of money as numeric(18, 4)."""
    return dy.Decimal(18, 4, nullable=nullable)


def time_column(*, nullable: bool = True) -> dy.Datetime:
    """A point in time, UTC."""
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable)


def words_column() -> dy.List:
    """A set of texts, never null."""
    return dy.List(dy.String(nullable=False), nullable=False)


def code_column(mapping: Mapping[int, str | None], *, nullable: bool = False) -> dy.Enum:
    """The meanings of a code."""
    return dy.Enum(
        sorted({meaning for meaning in mapping.values() if meaning is not None}), nullable=nullable
    )
