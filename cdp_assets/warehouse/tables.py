"""A table as its asset's page shows it, whatever its schema: rows, columns, a few masked rows.

Belongs here: plain values. How Dagster shows them is decided where the assets are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from cdp_assets.warehouse.connection import Connection, without_loops
from cdp_assets.warehouse.preview import preview

MOST_SHOWN = 10
"""Columns of a preview whose columns nobody chose: what fits a page."""

Column = tuple[str, str, bool, str | None]
"""Name, PostgreSQL type, whether it may be null, what it means or None."""


def columns_of(connection: Connection, relation: str) -> list[Column]:
    """The columns of `schema.table` in order."""
    return connection.execute(
        "select attname, format_type(atttypid, atttypmod), not attnotnull, col_description(attrelid, attnum) "
        "from pg_attribute "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        (relation,),
    ).fetchall()


@dataclass(frozen=True, slots=True)
class TableReport:
    """A table or view as one tenant sees it.

    Attributes:
        rows: live rows.
        columns: in order.
        preview: some rows as Markdown, masked.
    """

    rows: int
    columns: list[Column]
    preview: str


def table_report(
    connection: Connection,
    tenant_id: str,
    schema: str,
    table: str,
    *,
    shows: Sequence[str] = (),
    newest_by: str | None = None,
    tombstone: str | None = None,
) -> TableReport:
    """Look at `schema.table` inside a transaction of the tenant; a calendar, say, is the same for all of them.

    `shows` are the columns of the preview (the first ones when left out), `newest_by` the column that orders it,
    `tombstone` the column that is set once a row is gone: such rows do not count.
    """
    columns = columns_of(connection, f"{schema}.{table}")
    names = [name for name, *_ in columns]
    conditions = [
        *([sql.SQL("tenant_id = {}").format(sql.Literal(tenant_id))] if "tenant_id" in names else []),
        *([sql.SQL("{} is null").format(sql.Identifier(tombstone))] if tombstone is not None else []),
        sql.SQL("true"),
    ]
    live = sql.SQL("{} where {}").format(sql.Identifier(schema, table), sql.SQL(" and ").join(conditions))
    chosen = shows or [name for name in names if name != "tenant_id"][:MOST_SHOWN]
    with without_loops(connection):
        count = connection.execute(sql.SQL("select count(*) from {}").format(live)).fetchone()
        shown = preview(connection, live, f"{schema}.{table}", chosen, newest_by)
    return TableReport(count[0] if count else 0, columns, shown)
