"""Which tables and columns a shop database has, as far as its reader may see them.

Belongs here: names, types, whether a column may be null and whether the key is unique. Does not belong here: whether
that is what was expected (`landing.shop.shape`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from psycopg import sql

from cdp_assets.sources.shop import Reader

SCHEMA = "public"
ENUM = "enum"

# A domain counts as the type below it, every enumeration as `enum`.
CATALOG = sql.SQL("""
select
    c.relname,
    a.attname,
    case when coalesce(b.typtype, t.typtype) = 'e' then {enum} else coalesce(b.typname, t.typname) end,
    not a.attnotnull,
    has_column_privilege(c.oid, a.attnum, 'select'),
    exists (
        select from pg_index as i
        where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1
            and i.indkey[0] = a.attnum
    ),
    current_setting('server_encoding') = 'SQL_ASCII'
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
inner join pg_type as t on t.oid = a.atttypid
left join pg_type as b on t.typtype = 'd' and b.oid = t.typbasetype
where n.nspname = {schema} and c.relname = any({tables}) and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by c.relname, a.attnum
""")


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column: PostgreSQL's name of its type (`int4`, `varchar`), and whether it may be null and be read."""

    name: str
    type: str
    is_nullable: bool = False
    is_readable: bool = True
    is_unique: bool = False


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table, view or foreign table; its columns in their order. `any_bytes`: texts may be of any encoding."""

    name: str
    any_bytes: bool = False
    columns: dict[str, SourceColumn] = field(default_factory=dict)


def read_catalog(reader: Reader, tables: Collection[str]) -> dict[str, SourceTable]:
    """Those of the tables that are there.

    Raises:
        SourceError: the shop cannot be read.
    """
    found: dict[str, SourceTable] = {}
    query = CATALOG.format(
        enum=sql.Literal(ENUM), schema=sql.Literal(SCHEMA), tables=sql.Literal(sorted(tables))
    )
    for table, *column, any_bytes in reader.rows(query):
        found.setdefault(table, SourceTable(table, any_bytes)).columns[column[0]] = SourceColumn(*column)
    return found
