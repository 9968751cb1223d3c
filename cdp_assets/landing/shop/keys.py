"""The keys of a page: what people typed is read into Python once each, and its key is kept beside it.

Belongs here: `_email_key` and its like, for the rows in the stage. `raw.*` keeps the shop's own columns as they were
sent; the keys come from the functions that read LEO's contacts too (`cleaning.contacts`), so that one person meets
itself. Does not belong here: how the stage becomes rows of the table (`stage`).
"""

from __future__ import annotations

from psycopg import sql

from cdp_assets.cleaning.contacts import email_key, name_key, phone_key
from cdp_assets.landing.shop.specs import TableSpec
from cdp_assets.warehouse.connection import Connection

AT_ONCE = 10_000
"""Values that are in memory at a time."""

_TYPED = sql.Identifier("pg_temp", "shop_typed")


class Keys:
    """Fills the key columns of one table's stage, inside the caller's transaction.

    Args:
        stage: the stage, which has the spec's columns and its key columns.
        region: country in which telephone numbers without a country code are dialled.
    """

    def __init__(self, spec: TableSpec, stage: sql.Identifier, region: str) -> None:
        self._spec = spec
        self._stage = stage
        self._region = region

    def write(self, connection: Connection) -> None:
        """Give every staged row its keys; null where nothing can be read."""
        for key, column in self._spec.keys:
            self._read(connection, key, column)
            connection.execute(
                sql.SQL("update {} as s set {} = t.key from {} as t where t.typed = s.{}").format(
                    self._stage, sql.Identifier(key), _TYPED, sql.Identifier(column)
                )
            )

    def _read(self, connection: Connection, key: str, column: str) -> None:
        """The distinct values of a column with their keys, in the temporary table."""
        connection.execute("drop table if exists pg_temp.shop_typed")
        connection.execute("create temporary table shop_typed (typed text, key text) on commit drop")
        copied = sql.SQL("copy {} from stdin").format(_TYPED)
        with connection.cursor(name="typed") as typed:
            typed.execute(
                sql.SQL("select distinct {0} from {1} where {0} is not null and _problems is null").format(
                    sql.Identifier(column), self._stage
                )
            )
            while values := typed.fetchmany(AT_ONCE):
                with connection.cursor() as cur, cur.copy(copied) as copy:
                    for (value,) in values:
                        copy.write_row((value, self._key(key, value)))
        connection.execute("analyze pg_temp.shop_typed")

    def _key(self, key: str, value: str) -> str | None:
        match key:
            case "_email_key":
                return email_key(value)
            case "_phone_key":
                return phone_key(value, self._region)
            case "_name_key":
                return name_key(value)
        raise ValueError(f"nobody knows how {key} is read")
