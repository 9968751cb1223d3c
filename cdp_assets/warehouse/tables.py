"""Tables as the catalog describes them.

Belongs here: what an asset's page says of a table's columns, whatever its schema. Does not belong here: rows.
"""

from __future__ import annotations

from cdp_assets.warehouse.connection import Connection

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
