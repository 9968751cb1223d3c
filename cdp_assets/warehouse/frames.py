"""Frames from and to the warehouse: one COPY either way, and only rows that differ are written.

Belongs here: how a polars frame travels. Does not belong here: what its columns mean. CSV rather than binary: polars
reads and writes it on all cores, where a binary row costs Python a call per value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass
from psycopg import sql

from cdp_assets.warehouse.connection import Connection

Schema = Mapping[str, pl.DataType | DataTypeClass]
"""Column -> polars type."""

_WITHIN = "case when {0} < {1} then {1} when {0} > {2} then {2} else {0} end"
"""Not `least` and `greatest`, which pass over null."""

FIRST_DAY, LAST_DAY = date(1, 1, 2), date(9999, 12, 31)
LARGEST_AMOUNT = 10**30
"""What an amount beyond it is read as: `pl.Decimal(38, 4)` holds it, and the sum of thousands of them."""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of a table that a frame changed."""

    inserted: int
    updated: int
    deleted: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.inserted + self.updated + self.deleted


def read_frame(
    connection: Connection, query: sql.Composable, schema: Schema, parameters: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """What a query gives, in the order of `schema`, whose columns it must have.

    Times become UTC, `numeric` becomes what the schema says: `pl.Decimal` exactly, `pl.Float64` rounded to a double.
    Lists and objects are read as their JSON text (`pl.String`). PostgreSQL holds more than a frame does: times before
    `FIRST_DAY` and after `LAST_DAY` (infinity among them) are read as these, amounts beyond `LARGEST_AMOUNT` (NaN among
    them) as that. One of them stops nothing; whether it can be true is for the reader to say.
    """
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(_sent(name, type_), sql.Identifier(name)) for name, type_ in schema.items()
    )
    statement = sql.SQL("copy (select {} from ({}) as q) to stdout (format csv)").format(columns, query)
    with connection.cursor() as cur, cur.copy(statement, parameters) as copy:
        sent = b"".join(copy)
    if not sent:
        return pl.DataFrame(schema=schema)
    read = {name: _read_as(type_) for name, type_ in schema.items()}
    found = pl.read_csv(sent, has_header=False, schema=read)
    return found.with_columns(
        pl.col(name).cast(type_) for name, type_ in schema.items() if read[name] != type_
    )


def _sent(name: str, type_: pl.DataType | DataTypeClass) -> sql.Composable:
    column = sql.Identifier(name)
    days = [sql.Literal(str(day)) for day in (FIRST_DAY, LAST_DAY)]
    if type_ == pl.Datetime:
        return sql.SQL("(extract(epoch from {}) * 1000000)::bigint").format(
            sql.SQL(_WITHIN).format(column, *days)
        )
    if type_ == pl.Date:
        return sql.SQL(_WITHIN).format(column, *days)
    if type_ == pl.Decimal:
        return sql.SQL(_WITHIN).format(column, sql.Literal(-LARGEST_AMOUNT), sql.Literal(LARGEST_AMOUNT))
    if type_ == pl.Boolean:
        return sql.SQL("{}::int").format(column)
    return column


def _read_as(type_: pl.DataType | DataTypeClass) -> pl.DataType | DataTypeClass:
    if type_ == pl.Datetime:
        return pl.Int64
    if type_ == pl.Boolean:
        return pl.Int8
    if type_ == pl.Decimal:
        return pl.String
    return type_


def replace_rows(
    connection: Connection,
    tenant_id: str,
    relation: sql.Identifier,
    key: Sequence[str],
    frame: pl.DataFrame,
    *,
    within: Mapping[str, str] | None = None,
) -> Written:
    """Make a tenant's rows of a table those of the frame, inside the caller's transaction.

    The table has `tenant_id`, the frame's columns under their names, and the primary key (tenant_id, *key). Rows that
    are as they were are not written. `within` narrows it to the rows that have these values (columns of the key that
    the frame has not).

    Raises:
        psycopg.Error: the table refuses a row; the transaction is spoilt.
    """
    stage = _staged(connection, relation, frame)
    fixed = {"tenant_id": tenant_id, **(within or {})}
    names = {
        "table": relation,
        "stage": stage,
        "columns": sql.SQL(", ").join(map(sql.Identifier, frame.columns)),
        "fixed": sql.SQL(", ").join(map(sql.Identifier, fixed)),
        "fixed_values": sql.SQL(", ").join(map(sql.Placeholder, fixed)),
        "ours": sql.SQL(" and ").join(
            sql.SQL("t.{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in fixed
        ),
        "same_key": _same([name for name in key if name not in fixed]),
    }
    deleted = connection.execute(
        sql.SQL(
            "delete from {table} as t where {ours} and not exists (select from {stage} as s where {same_key})"
        ).format(**names),
        fixed,
    ).rowcount
    values = [name for name in frame.columns if name not in key]
    updated = 0
    if values:
        updated = connection.execute(
            sql.SQL(
                "update {table} as t set ({values}) = row({new}) from {stage} as s "
                "where {ours} and {same_key} and ({old}) is distinct from ({new})"
            ).format(
                values=sql.SQL(", ").join(map(sql.Identifier, values)),
                new=_of("s", values),
                old=_of("t", values),
                **names,
            ),
            fixed,
        ).rowcount
    inserted = connection.execute(
        sql.SQL(
            "insert into {table} ({fixed}, {columns}) select {fixed_values}, {columns} from {stage} as s "
            "where not exists (select from {table} as t where {ours} and {same_key})"
        ).format(**names),
        fixed,
    ).rowcount
    connection.execute(sql.SQL("drop table {}").format(stage))
    return Written(inserted, updated, deleted)


def merge_rows(
    connection: Connection,
    tenant_id: str,
    relation: sql.Identifier,
    key: Sequence[str],
    frame: pl.DataFrame,
    gone: pl.DataFrame,
) -> Written:
    """Write the frame's rows into a tenant's table and delete those whose keys are in `gone`.

    All else stays: the cost is in proportion to the two frames, not to the table. Inside the caller's transaction.

    Raises:
        psycopg.Error: the table refuses a row; the transaction is spoilt.
    """
    deleted = inserted = updated = 0
    if gone.height:
        stage = _staged(connection, relation, gone.select(key))
        # few keys in a large table: loops over its index, whatever the planner believes of a table it cannot see into
        connection.execute(
            "select set_config('enable_nestloop', 'on', true), set_config('enable_hashjoin', 'off', true), "
            "set_config('enable_mergejoin', 'off', true)"
        )
        deleted = connection.execute(
            sql.SQL("delete from {} as t using {} as s where t.tenant_id = %s and {}").format(
                relation, stage, _same(key)
            ),
            (tenant_id,),
        ).rowcount
        connection.execute(
            "select set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true)"
        )
        connection.execute(sql.SQL("drop table {}").format(stage))
    if frame.height:
        stage = _staged(connection, relation, frame)
        values = [name for name in frame.columns if name not in key]
        (inserted, updated) = connection.execute(
            sql.SQL(
                "with written as (insert into {table} as t (tenant_id, {columns}) select %s, {columns} from {stage} "
                "on conflict (tenant_id, {key}) do update set ({values}) = row({new}) "
                "where ({old}) is distinct from ({new}) returning xmax = 0 as is_new) "
                "select count(*) filter (where is_new), count(*) filter (where not is_new) from written"
            ).format(
                table=relation,
                stage=stage,
                columns=sql.SQL(", ").join(map(sql.Identifier, frame.columns)),
                key=sql.SQL(", ").join(map(sql.Identifier, key)),
                values=sql.SQL(", ").join(map(sql.Identifier, values)),
                new=_of("excluded", values),
                old=_of("t", values),
            ),
            (tenant_id,),
        ).fetchone() or (0, 0)
        connection.execute(sql.SQL("drop table {}").format(stage))
    return Written(inserted, updated, deleted)


def _staged(connection: Connection, relation: sql.Identifier, frame: pl.DataFrame) -> sql.Identifier:
    """A temporary table with the frame's rows, its columns typed as those of the relation."""
    stage = sql.Identifier("stage_of_frame")
    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    # the server's own row estimate of a fresh temporary table is 1,000 at best: `analyze` spares nested loops
    connection.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            stage, columns, relation
        )
    )
    with (
        connection.cursor() as cur,
        cur.copy(sql.SQL("copy {} ({}) from stdin (format csv)").format(stage, columns)) as copy,
    ):
        for part in frame.iter_slices(100_000):
            copy.write(as_text(part).write_csv(include_header=False))
    connection.execute(sql.SQL("analyze {}").format(stage))
    # Row level security hides the table's statistics: the planner expects a row or two and takes loops
    connection.execute("set local enable_nestloop = off")
    return stage


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists and structs as JSON text: what CSV and `jsonb` take."""
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(
            # only structs know how to become JSON: {"v":[...]} without its first 5 characters and the last
            pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1)
        )
        .alias(name)
        for name, type_ in frame.schema.items()
        if type_.is_nested()
    )


def _same(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(" and ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in key)


def _of(alias: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)
