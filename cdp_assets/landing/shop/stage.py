"""The warehouse's end of a page: rows into a temporary table, then one statement that writes what differs.

Belongs here: SQL for the warehouse that lands rows and marks them as gone. Does not belong here: which rows are read
(`load`), which keys differ (`compare`). COPY straight into a landing table is refused by PostgreSQL under row level
security, so the stage is no detour but the only bulk path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import psycopg
from psycopg import sql

from cdp_assets.cleaning.personal import personal_columns
from cdp_assets.landing.document import redacted
from cdp_assets.landing.shop.queries import Position, Queries
from cdp_assets.landing.shop.specs import TableSpec
from cdp_assets.sources.model import SourceRejected, fingerprint
from cdp_assets.warehouse.bulk import is_bad_value
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.quarantine import Reject

REJECTS_AT_ONCE = 500


class Stage:
    """The stage of one table of one tenant, on one connection.

    Every method runs inside the caller's transaction; the stage is empty when that ends.
    """

    def __init__(
        self, connection: Connection, tenant_id: str, spec: TableSpec, queries: Queries, *, run_id: str | None
    ) -> None:
        self._connection = connection
        self._scope = {"tenant": tenant_id, "run": run_id}
        self._spec = spec
        self._stage = sql.Identifier("pg_temp", f"stage_{spec.table}")
        landed = [*(column.name for column in spec.columns), "_extra", *(key for key, _ in spec.keys)]
        names = sql.SQL(", ").join(map(sql.Identifier, landed))
        sent = [*(column.name for column in spec.columns), "_extra", "_position", "_problems", "_document"]
        self._copy = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            self._stage, sql.SQL(", ").join(map(sql.Identifier, sent))
        )
        self._insert = sql.SQL(
            "insert into {} as t (tenant_id, {}, _etl_run_id) select %(tenant)s, {}, %(run)s from {} as s "
            "where s._problems is null"
        ).format(spec.relation, names, names, self._stage)
        compared = [
            sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier(alias, name) for name in landed))
            for alias in ("r", "s")
        ]
        # As a subquery this is one probe of the primary key per staged row, whatever the planner thinks of the table:
        # row level security makes it expect a single row there. Rows that do not differ are not even locked. It is a
        # statement of its own, since one that fills the table as well would be planned for the size before: 80,000 new
        # rows in a table of ten took 75 s.
        self._find_differing = sql.SQL(
            "insert into pg_temp.shop_differing select s.id from {stage} as s where s._problems is null "
            "and (select r._deleted_at is null and ("
            "(%(guarded)s and r.updated_at > s.updated_at) or {old} is not distinct from {new}) "
            "from {relation} as r where r.tenant_id = %(tenant)s and r.id = s.id) is not true"
        ).format(stage=self._stage, old=compared[0], new=compared[1], relation=spec.relation)
        self._merge = sql.SQL(
            "with written as ({insert} and s.id in (select d.id from pg_temp.shop_differing as d) "
            "on conflict (tenant_id, id) do update set {updated}, _etl_run_id = excluded._etl_run_id, "
            "_etl_loaded_at = now(), _deleted_at = null returning xmax = 0 as is_new) "
            "select count(*) filter (where is_new), count(*) filter (where not is_new) from written"
        ).format(
            insert=self._insert,
            updated=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in landed if name != "id"
            ),
        )
        self._create(queries.position_type)

    def _create(self, position_type: sql.SQL) -> None:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.kind.value))
            for column in self._spec.columns
        )
        name = sql.Identifier(f"stage_{self._spec.table}")
        self._connection.execute(sql.SQL("drop table if exists {}").format(self._stage))
        self._connection.execute(
            "create temporary table if not exists shop_differing (id bigint) on commit delete rows"
        )
        self._connection.execute(
            sql.SQL(
                "create temporary table {} ({}, _extra jsonb, _position {}, _problems text[], _document text{}) "
                "on commit delete rows"
            ).format(
                name,
                columns,
                position_type,
                sql.SQL("").join(
                    sql.SQL(", {} text").format(sql.Identifier(key)) for key, _ in self._spec.keys
                ),
            )
        )

    @property
    def relation(self) -> sql.Identifier:
        """The stage as an SQL identifier."""
        return self._stage

    def fill(self, blocks: Iterable[bytes]) -> int:
        """Take over rows as COPY BINARY.

        Returns:
            Rows staged.

        Raises:
            SourceRejected: the warehouse cannot take a value; names the column.
        """
        with self._connection.cursor() as cur:
            try:
                with cur.copy(self._copy) as copy:
                    for block in blocks:
                        copy.write(block)
            except psycopg.DataError as error:
                raise self._refused(error) from error
            return cur.rowcount

    def insert(self) -> int:
        """Land the staged rows in a table that has none of the tenant's rows.

        Returns:
            Rows landed.
        """
        try:
            return self._connection.execute(self._insert, self._scope).rowcount
        except psycopg.Error as error:
            raise self._refused(error) from error

    def merge(self, *, guarded: bool) -> tuple[int, int]:
        """Land the staged rows that differ from the table or are marked as gone in it.

        Args:
            guarded: leave alone what has a later `updated_at` in the table. Where the rows of one snapshot are
                compared with the whole table, the snapshot is right, also when it turned a time back.

        Returns:
            Rows added, rows changed.
        """
        try:
            self._connection.execute(self._find_differing, {**self._scope, "guarded": guarded})
            row = self._connection.execute(self._merge, self._scope).fetchone()
        except psycopg.Error as error:
            raise self._refused(error) from error
        assert row is not None
        return row[0], row[1]

    def last(self) -> tuple[Position, datetime | None]:
        """Position of the last staged row in a window's order, and its `updated_at` where that is usable."""
        row = self._connection.execute(
            sql.SQL(
                "select _position::text, id, updated_at from {} order by _position desc, id desc limit 1"
            ).format(self._stage)
        ).fetchone()
        assert row is not None
        return Position(row[0], row[1]), row[2]

    def last_id(self) -> int:
        """Greatest staged id."""
        row = self._connection.execute(sql.SQL("select max(id) from {}").format(self._stage)).fetchone()
        assert row is not None
        return int(row[0])

    def landed(self, keys: set[str]) -> list[str]:
        """Those of the keys whose rows are staged without a fault."""
        rows = self._connection.execute(
            sql.SQL("select id::text from {} where _problems is null and id::text = any(%s)").format(
                self._stage
            ),
            (list(keys),),
        )
        return [row[0] for row in rows]

    def rejects(self, *, are_strays: bool) -> Iterator[list[Reject]]:
        """Staged rows that must not land, some at a time.

        Args:
            are_strays: the rows do not go by their id: they have none, or another row goes by it.
        """
        with self._connection.cursor(name="rejects") as cur:
            cur.execute(
                sql.SQL("select id::text, _problems, _document from {} where _problems is not null").format(
                    self._stage
                )
            )
            while rows := cur.fetchmany(REJECTS_AT_ONCE):
                yield [_reject(None if are_strays else key, *rest) for key, *rest in rows]

    def tombstone(self, vanished: sql.Identifier) -> int:
        """Mark the rows whose ids are in this temporary table as gone, and clear the personal data in them.

        Returns:
            Rows marked.
        """
        # a column that this release does not know may hold anything
        scrubbed = dict.fromkeys((*personal_columns(self._spec.collection), "_extra"))
        return self._connection.execute(
            sql.SQL(
                "update {} as t set _deleted_at = now(), _etl_loaded_at = now(), _etl_run_id = %(run)s, {} "
                "where t.tenant_id = %(tenant)s and t._deleted_at is null and t.id in (select id from {})"
            ).format(
                self._spec.relation,
                sql.SQL(", ").join(sql.SQL("{} = null").format(sql.Identifier(name)) for name in scrubbed),
                vanished,
            ),
            self._scope,
        ).rowcount

    def _refused(self, error: psycopg.Error) -> Exception:
        if not is_bad_value(error):
            return error
        named = error.diag.column_name or next(
            iter(re.findall(r"column (\w+)", error.diag.context or "")), "a column"
        )
        return SourceRejected(
            f"public.{self._spec.table}.{named}: the warehouse cannot take a value (SQLSTATE {error.sqlstate}); "
            "correct it in the shop, or the column's kind in the spec"
        )


def _reject(key: str | None, problems: list[str], document: str) -> Reject:
    name = fingerprint(document.encode())
    fields = tuple(dict.fromkeys(problem.partition(":")[0] for problem in problems))
    return Reject(
        key or name, name, "; ".join(problems), fields, landed=False, document=redacted(document.encode())
    )
