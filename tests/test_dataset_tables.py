"""Every dataset's table is what its contract says, explained, and isolated."""

from __future__ import annotations

import polars as pl
import psycopg
import pytest

from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Dataset
from cdp_assets.warehouse.tables import columns_of

TYPES: dict[type[pl.DataType], str] = {
    pl.String: "text",
    pl.Int64: "bigint",
    pl.Int32: "integer",
    pl.Int16: "smallint",
    pl.Int8: "smallint",
    pl.Float64: "double precision",
    pl.Float32: "real",
    pl.Decimal: "numeric",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp with time zone",
    pl.List: "jsonb",
    pl.Struct: "jsonb",
}
VECTOR = pl.List(pl.Float32)
"""What pgvector holds."""

PERSONAL = ("name", "email", "phone", "address", "birth")
"""Words that name personal data in a column of persons."""

BY_NAME = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)


@BY_NAME
def test_the_table_is_what_the_contract_says(dataset: Dataset, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        found = {
            name: (type_, is_null) for name, type_, is_null, _ in columns_of(conn, f"datasets.{dataset.name}")
        }
    assert found.pop("tenant_id") == ("text", False)
    expected = {
        name: ("vector" if column.dtype == VECTOR else TYPES[type(column.dtype)], column.nullable)
        for name, column in dataset.contract.columns().items()
    }
    assert found == expected


@BY_NAME
def test_the_primary_key_is_the_contracts(dataset: Dataset, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        (key,) = conn.execute(
            "select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) from pg_index as i "
            "join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) "
            "where i.indisprimary and i.indrelid = to_regclass(%s)",
            (f"datasets.{dataset.name}",),
        ).fetchone() or ([],)
    assert key == ["tenant_id", *dataset.key]


@BY_NAME
def test_the_grain_comes_first(dataset: Dataset, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        (comment,) = conn.execute(
            "select obj_description(to_regclass(%s))", (f"datasets.{dataset.name}",)
        ).fetchone() or ("",)
    assert (comment or "").startswith("One row per")
    assert dataset.description.startswith("One row per")


@BY_NAME
def test_what_it_reads_and_shows_is_there(dataset: Dataset) -> None:
    assert set(dataset.reads) <= set(FRAMES)
    assert set(dataset.shows) <= set(dataset.contract.columns())


@BY_NAME
def test_no_column_holds_personal_data(dataset: Dataset) -> None:
    about_persons = "customer_id" in dataset.contract.columns()
    assert not about_persons or not [
        name for name in dataset.contract.columns() if any(word in name.split("_") for word in PERSONAL)
    ]


def test_no_input_holds_personal_data() -> None:
    read = {(frame, name) for frame, spec in FRAMES.items() for name in spec.schema}
    assert {name for frame, name in read if frame in {"customers", "purchases", "events"}}.isdisjoint(
        {"customer_name", "customer_email", "phone_number", "full_address", "email_key", "phone_key"}
    )
