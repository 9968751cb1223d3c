"""`_extra` freed of secrets: columns that the spec does not know may hold JSON, or text of any kind.

Belongs here: finding the staged rows whose `_extra` may hold a secret, and cleaning it as LEO's documents are cleaned.
Columns whose own name is that of a secret are never read (`shape`). Does not belong here: what a secret is
(`cleaning.secrets`).
"""

from __future__ import annotations

from psycopg import sql

from cdp_assets.cleaning.secrets import show_signs, without_secrets
from cdp_assets.landing.shop.shape import PLAIN_TYPES, Shape
from cdp_assets.warehouse.connection import Connection

AT_ONCE = 5_000

_CLEANED = sql.Identifier("pg_temp", "shop_cleaned")


class Payloads:
    """Cleans `_extra` in one table's stage, inside the caller's transaction."""

    def __init__(self, shape: Shape, stage: sql.Identifier) -> None:
        self._stage = stage
        self._may_hold_secrets = any(column.type not in PLAIN_TYPES for column in shape.extra)

    def clean(self, connection: Connection) -> None:
        """Take secrets out of every staged row's `_extra`."""
        if not self._may_hold_secrets:
            return
        connection.execute("drop table if exists pg_temp.shop_cleaned")
        connection.execute("create temporary table shop_cleaned (place tid, extra jsonb) on commit drop")
        copied = sql.SQL("copy {} from stdin").format(_CLEANED)
        found = False
        with connection.cursor(name="payloads") as payloads:
            payloads.execute(
                # JSON within JSON, parameters of an address, a government id: plain words need no second look
                sql.SQL(
                    "select ctid::text, _extra::text from {} where substr(_extra::text, 2) "
                    "~* '[{{[]|[?&;#]|(citizen|passport|national|tax|ssn)\\s*:'"
                ).format(self._stage)
            )
            while rows := payloads.fetchmany(AT_ONCE):
                documents = [extra.encode() for _, extra in rows]
                cleaned = [
                    (place, without_secrets(document).decode())
                    for (place, _), document, has_sign in zip(
                        rows, documents, show_signs(documents), strict=True
                    )
                    if has_sign
                ]
                found = found or bool(cleaned)
                with connection.cursor() as cur, cur.copy(copied) as copy:
                    for row in cleaned:
                        copy.write_row(row)
        if found:
            connection.execute(
                sql.SQL("update {} as s set _extra = c.extra from {} as c where s.ctid = c.place").format(
                    self._stage, _CLEANED
                )
            )
