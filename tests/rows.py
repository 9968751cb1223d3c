"""Rows made from the catalog: a value for every column that needs one, whatever tables there are.

Belongs here: inserting a row of which a test names only what it is about, filling every table, and taking the
fingerprint of a tenant. A table added by a later migration is covered without a change here, unless it brings a
type or a check that this module has not met; then it fails and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

Conn = psycopg.Connection[Any]

SAMPLES: dict[str, Any] = {
    "text": "k",
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "numeric": 1,
    "float8": 1.0,
    "float4": 1.0,
    "bool": True,
    "timestamptz": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "jsonb": Jsonb({}),
    "bytea": b"\x01",
    "_text": [],
    "xid8": "1",
    "vector": "[1]",  # as many dimensions as the sample of embedding.model says
}

SHOWN: dict[str, dict[str, Any]] = {
    "cdp.customer_profile": {"status": "active", "city": "Huế"},
    "cdp.product_item": {"title": "Giày"},
    "cdp.feedback": {"comment": "Tốt"},
}
"""What a sample row says beyond what it must, so that each view shows it."""

OURS = """
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not exists (
        select from pg_depend as d where d.objid = {oid} and d.deptype = 'e'
    )
"""
"""Objects that neither PostgreSQL nor an extension brought along."""


def tenant_tables(conn: Conn, *, partitions: bool = True) -> list[str]:
    """Every table that has a column tenant_id, as `schema.table`; partitions are tables too, unless left out."""
    return [
        row[0]
        for row in conn.execute(
            "select format('%%I.%%I', n.nspname, c.relname) from pg_class as c "
            "join pg_namespace as n on n.oid = c.relnamespace "
            "join pg_attribute as a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped "
            "where c.relkind in ('r', 'p') and (%s or not c.relispartition) "
            f"and {OURS.format(oid='c.oid')} order by 1",
            (partitions,),
        )
    ]


def required(conn: Conn, relation: str) -> dict[str, Any]:
    """A value for each column that must be given, or belongs to the primary key; checks are respected."""
    found = conn.execute(
        "select a.attname, t.typname, (select pg_get_constraintdef(k.oid) from pg_constraint as k "
        "where k.conrelid = a.attrelid and k.contype = 'c' and a.attnum = any(k.conkey) limit 1) "
        "from pg_attribute as a join pg_type as t on t.oid = a.atttypid "
        "where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped and a.attnotnull "
        "and a.attidentity = '' and (not a.atthasdef or exists (select from pg_index as i "
        "where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey)))",
        (relation,),
    ).fetchall()
    assert found, f"{relation} is no table"
    return {name: _sample(relation, name, type_, check) for name, type_, check in found}


def _sample(relation: str, column: str, type_: str, check: str | None) -> Any:
    listed = re.search(r"ARRAY\['([^']*)'::text", check) if check else None
    if listed:
        return listed.group(1)
    assert type_ in SAMPLES, f"{relation}.{column}: no sample for type {type_}; add it to tests/rows.py"
    return SAMPLES[type_]


def insert(conn: Conn, relation: str, **given: Any) -> None:
    """Insert one row with these values, and samples where the table needs more."""
    values = {**required(conn, relation), **given}
    conn.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(*relation.split(".")),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        ),
        list(values.values()),
    )


def fill(conn: Conn, tenants: Iterable[str]) -> None:
    """One row per table and tenant, equal but for tenant_id, and vectors in partitions; `conn` is a superuser's."""
    tables = tenant_tables(conn, partitions=False)
    with conn.transaction():
        # the rows alone, not what triggers would make of them
        conn.execute("set local session_replication_role = replica")
        for tenant in tenants:
            conn.execute("select set_config('app.tenant_id', %s, true)", (tenant,))
            insert(conn, "embedding.model", tenant_id=tenant)
            conn.execute("call embedding.add_partitions(%s, %s)", (tenant, SAMPLES["text"]))
            for table in tables:
                if table != "embedding.model":
                    insert(conn, table, tenant_id=tenant, **SHOWN.get(table, {}))


def clear(conn: Conn, tenants: Iterable[str]) -> None:
    """Remove every row of these tenants in the caller's transaction; `conn` is a superuser's."""
    conn.execute("set local session_replication_role = replica")
    for table in tenant_tables(conn, partitions=False):
        conn.execute(f"delete from {table} where tenant_id = any(%s)", (list(tenants),))


def fingerprint(conn: Conn, tenant: str) -> dict[str, list[str]]:
    """Every row of the tenant as text, by table (those that have any); `conn` is a superuser's."""
    statement = "select t::text from {} as t where tenant_id = %s order by 1"
    found = {
        table: [row[0] for row in conn.execute(statement.format(table), (tenant,))]
        for table in tenant_tables(conn)
    }
    return {table: rows for table, rows in found.items() if rows}
