"""Bulk load: COPY BINARY into a temporary table, then one statement that writes only rows which differ.

Belongs here: the way rows travel. Does not belong here: what the rows mean, or how it is found out that they
changed (`ledger`). COPY straight into the target is refused by PostgreSQL under row level security, so the stage
is not a detour but the only bulk path for a role that isolation binds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps

from cdp_assets.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class Target:
    """A table with `tenant_id`, a key, typed columns, `content_hash`, `changed_at` and `deleted_at`.

    Attributes:
        schema, table: the relation.
        key: second column of the primary key, after tenant_id.
        columns: name -> PostgreSQL type, in the order of the rows' values; the key is one of them.
        insert_only: columns that a later version of the row does not overwrite.
        scrub: column -> SQL value that a tombstone leaves in it (personal data).
    """

    schema: str
    table: str
    key: str
    columns: dict[str, str]
    insert_only: frozenset[str] = frozenset()
    scrub: tuple[tuple[str, str], ...] = ()

    @property
    def relation(self) -> sql.Identifier:
        """The relation as an SQL identifier."""
        return sql.Identifier(self.schema, self.table)


class BulkLoader:
    """Writes rows of one tenant into one target, on one connection.

    Rows are tuples in the order of `target.columns`; `jsonb` values are JSON text as `bytes`, passed on as they are.
    """

    def __init__(self, connection: Connection, target: Target) -> None:
        self._target = target
        self._stage = sql.Identifier("pg_temp", f"stage_{target.table}")
        self._types = list(target.columns.values())
        names = [sql.Identifier(name) for name in target.columns]
        self._copy = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            self._stage, sql.SQL(", ").join(names)
        )
        updated = [
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
            for name in target.columns
            if name != target.key and name not in target.insert_only
        ]
        self._merge = sql.SQL(
            "insert into {relation} as t (tenant_id, {names}) select %s, {names} from {stage} "
            "on conflict (tenant_id, {key}) do update set {updated}, deleted_at = null, changed_at = now() "
            "where t.content_hash is distinct from excluded.content_hash or t.deleted_at is not null"
        ).format(
            relation=target.relation,
            names=sql.SQL(", ").join(names),
            stage=self._stage,
            key=sql.Identifier(target.key),
            updated=sql.SQL(", ").join(updated),
        )
        # Documents are JSON text already. Without this, psycopg would store each as a JSON string inside JSONB.
        set_json_dumps(_as_is, connection)
        self._create_stage(connection)

    def _create_stage(self, connection: Connection) -> None:
        # toast_tuple_target 8160: what fits a page stays inline and uncompressed in the stage, so that it is
        # compressed once, on its way into the target (half of a first load is compression). Larger documents are
        # compressed here and move on as they are.
        definitions = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
            for name, type_ in self._target.columns.items()
        )
        connection.execute(
            sql.SQL(
                "create temporary table if not exists {} ({}) with (toast_tuple_target = 8160) on commit delete rows"
            ).format(sql.Identifier(f"stage_{self._target.table}"), definitions)
        )

    def merge(self, connection: Connection, tenant_id: str, rows: Iterable[Sequence[Any]]) -> int:
        """Insert new rows, update those whose content hash differs; inside the caller's transaction.

        Returns:
            Rows written.

        Raises:
            psycopg.DataError: a value that PostgreSQL refuses; the transaction (or savepoint) is spoilt.
        """
        with connection.cursor() as cur:
            with cur.copy(self._copy) as copy:
                copy.set_types(self._types)
                for row in rows:
                    copy.write_row(row)
            cur.execute(self._merge, (tenant_id,))
            written = cur.rowcount
            cur.execute(sql.SQL("truncate {}").format(self._stage))
        return written


def tombstone(connection: Connection, tenant_id: str, target: Target, keys: Sequence[str]) -> int:
    """Mark rows as gone from the source and clear the personal data in them.

    Returns:
        Rows marked now (rows that were marked before are left alone).
    """
    scrubbed = sql.SQL("").join(
        sql.SQL(", {} = {}").format(sql.Identifier(column), sql.SQL(value)) for column, value in target.scrub
    )
    statement = sql.SQL(
        "update {} set deleted_at = now(), changed_at = now(){} "
        "where tenant_id = %s and {} = any(%s) and deleted_at is null"
    ).format(target.relation, scrubbed, sql.Identifier(target.key))
    return connection.execute(statement, (tenant_id, list(keys))).rowcount


def is_bad_value(error: psycopg.Error) -> bool:
    """Whether PostgreSQL refused a value (class 22, 23 or 54), so that the same rows would fail again."""
    return (error.sqlstate or "")[:2] in {"22", "23", "54"}


def _as_is(document: bytes) -> bytes:
    return document
