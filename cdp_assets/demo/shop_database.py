"""A tenant's shop as a real PostgreSQL database, moved on by the statements a shop would send.

Belongs here: creating the database and its reader, loading it, applying the differences of later days. Does not belong
here: what the rows say (`shop`). The database remembers its world in the comment of its schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from cdp_assets.demo.keys import hexadecimal
from cdp_assets.demo.shop import ShopRows, shop_rows
from cdp_assets.demo.shop_schema import COLUMNS, columns_of
from cdp_assets.demo.tenant import TenantWorld

READER = "shop_reader"
"""Login role that may read every table of a shop, and nothing else."""

_FORMAT = 2
"""Raise it when the same world gives other rows: every database is then made anew."""

Columns = Mapping[str, Sequence[str]]
"""Table -> its columns."""

_Connection = psycopg.Connection[tuple[Any, ...]]


class NotADemoShop(ValueError):
    """The database holds tables that the demo did not make. The message says what to do."""


@dataclass(frozen=True, slots=True)
class ShopChanges:
    """What was written to a shop's database."""

    created: bool
    """Its tables were made anew: there were none, or those of another world or of a later step."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


def shop_database_name(tenant_id: str) -> str:
    """Name of the database of a tenant's shop."""
    return f"shop_{tenant_id}".replace("-", "_")


def put_shops(server_dsn_for: Callable[[str], str], tenants: Iterable[TenantWorld]) -> dict[str, ShopChanges]:
    """Brings the shop of every tenant to the tenant's step, creating databases that are missing.

    Args:
        server_dsn_for: database -> connection string of a role that may create databases and roles.
        tenants: their shops lie in databases named by `shop_database_name`.
    """
    done = {}
    for tenant in tenants:
        name = shop_database_name(tenant.spec.id)
        with psycopg.connect(server_dsn_for("postgres"), autocommit=True) as conn:
            if not conn.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        done[tenant.spec.id] = sync_shop(server_dsn_for(name), tenant)
    return done


def sync_shop(dsn: str, tenant: TenantWorld) -> ShopChanges:
    """Brings a shop's database to the tenant's step, in one transaction.

    An earlier step of the same world is moved on by deletes, updates and inserts of what differs; the same step is left
    as it is. Another world or a later step is made anew.

    Args:
        dsn: connection string of the owner of the database, who may create roles if `READER` is missing.
        tenant: at the step that is wanted.

    Raises:
        NotADemoShop: there are tables of the shop's names that this function did not make.
    """
    rows, columns = shop_rows(tenant), columns_of(tenant.spec.small_shop)
    with psycopg.connect(dsn) as conn:
        known = _world_of(conn)
        wanted = _identity(tenant)
        is_same = known is not None and known.get("world") == wanted["world"]
        created = not is_same or known is None or known["step"] > tenant.step
        if created:
            _create(conn, tenant)
            copied = (_copy(conn, sql.Identifier(table), columns[table], rows[table]) for table in rows)
            changes = ShopChanges(True, inserted=sum(copied))
        else:
            changes = _apply(conn, rows, columns)
        _restart_sequences(conn, columns)
        conn.execute(sql.SQL("comment on schema public is {}").format(sql.Literal(json.dumps(wanted))))
    if created:
        # Statistics for the reader's plans; later days are too small to matter.
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("analyze")
    return changes


def _identity(tenant: TenantWorld) -> dict[str, Any]:
    world = hexadecimal(_FORMAT, tenant.spec, tenant.size, tenant.seed, *(["clean"] if tenant.clean else []))
    return {"world": world, "step": tenant.step}


def _world_of(conn: _Connection) -> dict[str, Any] | None:
    row = conn.execute("select obj_description('public'::regnamespace, 'pg_namespace')").fetchone()
    comment = row[0] if row else None
    if comment and comment.startswith("{"):
        return dict(json.loads(comment))
    taken = conn.execute(
        "select min(tablename) from pg_tables where schemaname = 'public' and tablename = any(%s)",
        (list(COLUMNS),),
    ).fetchone()
    if taken and taken[0]:
        raise NotADemoShop(
            f"database {conn.info.dbname} has a table {taken[0]} that is not of the demo: name another database"
        )
    return None


def _create(conn: _Connection, tenant: TenantWorld) -> None:
    database = sql.Identifier(conn.info.dbname)
    for table in COLUMNS:
        conn.execute(sql.SQL("drop table if exists {} cascade").format(sql.Identifier("public", table)))
    conn.execute("drop function if exists touch_updated_at")
    conn.execute((files("cdp_assets.demo") / "sql" / "shop_schema.sql").read_bytes())
    _reduce(conn, columns_of(tenant.spec.small_shop))
    # `now()` in a default or trigger is then the shop's own time.
    zone = sql.Literal(tenant.spec.timezone)
    conn.execute(sql.SQL("alter database {} set timezone to {}").format(database, zone))
    _create_reader(conn, database)


def _reduce(conn: _Connection, columns: Columns) -> None:
    """Drop tables and columns that the shop has not."""
    for table, names in COLUMNS.items():
        if table not in columns:
            conn.execute(sql.SQL("drop table {} cascade").format(sql.Identifier("public", table)))
            continue
        for name in set(names) - set(columns[table]):
            conn.execute(
                sql.SQL("alter table {} drop column {}").format(
                    sql.Identifier("public", table), sql.Identifier(name)
                )
            )


def _create_reader(conn: _Connection, database: sql.Identifier) -> None:
    reader = sql.Identifier(READER)
    if not conn.execute("select 1 from pg_roles where rolname = %s", (READER,)).fetchone():
        conn.execute(sql.SQL("create role {} login").format(reader))
    conn.execute(sql.SQL("grant connect on database {} to {}").format(database, reader))
    conn.execute(sql.SQL("grant usage on schema public to {}").format(reader))
    conn.execute(sql.SQL("grant select on all tables in schema public to {}").format(reader))
    may_grant = conn.execute(
        "select rolsuper or pg_has_role(oid, 'pg_read_all_stats', 'member with admin option') "
        "from pg_roles where rolname = current_user"
    ).fetchone()
    if may_grant and may_grant[0]:
        # To see how long the transactions of others have been open, without which late commits cannot be waited for.
        conn.execute(sql.SQL("grant pg_read_all_stats to {}").format(reader))


def _copy(
    conn: _Connection, target: sql.Composable, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Rows written to a table with these columns."""
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    with (
        conn.cursor() as cur,
        cur.copy(sql.SQL("copy {} ({}) from stdin").format(target, columns)) as copy,
    ):
        for row in rows:
            copy.write_row(row)
    return len(rows)


def _apply(conn: _Connection, rows: ShopRows, columns: Columns) -> ShopChanges:
    """Deletes from the last table to the first, then updates and inserts from the first to the last."""
    for table in rows:
        conn.execute(
            sql.SQL("create temporary table {} (like {} including indexes) on commit drop").format(
                _wanted(table), sql.Identifier("public", table)
            )
        )
        _copy(conn, _wanted(table), columns[table], rows[table])
    deleted = sum(_run(conn, table, columns[table], _DELETE) for table in reversed(rows))
    updated = sum(_run(conn, table, columns[table], _UPDATE) for table in rows)
    inserted = sum(_run(conn, table, columns[table], _INSERT) for table in rows)
    return ShopChanges(False, inserted, updated, deleted)


_DELETE = "delete from {table} as t where not exists (select from {wanted} as w where w.id = t.id)"
_UPDATE = (
    "update {table} as t set ({columns}) = ({new}) from {wanted} as w "
    "where w.id = t.id and ({old}) is distinct from ({new})"
)
_INSERT = (
    "insert into {table} ({columns}) select {new} from {wanted} as w "
    "where not exists (select from {table} as t where t.id = w.id) order by w.id"
)


def _wanted(table: str) -> sql.Identifier:
    return sql.Identifier(f"wanted_{table}")


def _run(conn: _Connection, table: str, names: Sequence[str], statement: Any) -> int:
    def of(alias: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)

    return conn.execute(
        sql.SQL(statement).format(
            table=sql.Identifier("public", table),
            wanted=_wanted(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            old=of("t"),
            new=of("w"),
        )
    ).rowcount


def _restart_sequences(conn: _Connection, tables: Iterable[str]) -> None:
    """The next row that somebody inserts gets an id beyond those of all rows."""
    for table in tables:
        conn.execute(
            sql.SQL(
                "select setval(s.name, greatest(max(t.id), pg_sequence_last_value(s.name), 1)) "
                "from pg_get_serial_sequence({name}, 'id') as q (name) "
                "cross join lateral (select q.name::regclass as name) as s left join {table} as t on true "
                "group by s.name"
            ).format(name=sql.Literal(f"public.{table}"), table=sql.Identifier("public", table))
        )
