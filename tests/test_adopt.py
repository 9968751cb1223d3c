"""`ops.adopt` as an attacker sees it: whatever cdp_transform makes, only rows go over to the owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest

from tests.conftest import Server

Conn = psycopg.Connection[Any]

FUNCTION: LiteralString = (
    "create function marts.spy(anyelement) returns int language sql immutable as 'select 1';"
)
PLAIN: LiteralString = "create table marts.t as select 'acme' as tenant_id, 1 as n;"

ATTACKS: dict[str, tuple[LiteralString, ...]] = {
    "child of a table": ("create table marts.p (tenant_id text, n int)", "create table marts.t () inherits (marts.p)"),
    "parent of a table": (PLAIN, "create table marts.c () inherits (marts.t)"),
    "partition": (
        "create table marts.p (tenant_id text, n int) partition by list (n)",
        "create table marts.t partition of marts.p default",
    ),
    "of a type": ("create type marts.k as (tenant_id text, n int)", "create table marts.t of marts.k"),
    "not logged": ("create unlogged table marts.t (tenant_id text)",),
    "index of an expression": (FUNCTION, PLAIN, "create index on marts.t (marts.spy(n))"),
    "index of some rows": (FUNCTION, PLAIN, "create index on marts.t (n) where marts.spy(n) = 1"),
    "index of another kind": (PLAIN, "create index on marts.t using brin (n)"),
    "unique over all tenants": (PLAIN, "create unique index on marts.t (n)"),
    "unique, the tenant last": (PLAIN, "create unique index on marts.t (n, tenant_id)"),
    "statistics of an expression": (FUNCTION, PLAIN, "create statistics marts.s on marts.spy(n), (n + 1) from marts.t"),
    "statistics of columns": (PLAIN, "create statistics marts.s on n, tenant_id from marts.t"),
    "default": (FUNCTION, PLAIN, "alter table marts.t alter n set default marts.spy(1)"),
    "computed column": (FUNCTION, PLAIN, "alter table marts.t add m int generated always as (marts.spy(n)) stored"),
    "identity": (PLAIN, "alter table marts.t add m int generated always as identity"),
    "check": (FUNCTION, PLAIN, "alter table marts.t add check (marts.spy(n) = 1)"),
    "exclusion": (PLAIN, "alter table marts.t add exclude using btree (n with =)"),
    "references": (
        "create table marts.r (tenant_id text, n int, primary key (tenant_id, n))",
        PLAIN,
        "insert into marts.r values ('acme', 1)",
        "alter table marts.t add foreign key (tenant_id, n) references marts.r on update cascade",
    ),
    "is referenced": (
        "create table marts.t (tenant_id text, n int, primary key (tenant_id, n))",
        "create table marts.r (tenant_id text, n int, foreign key (tenant_id, n) references marts.t)",
    ),
    "trigger": (
        PLAIN,
        "create function marts.f() returns trigger language plpgsql as 'begin return new; end'",
        "create trigger spy before delete on marts.t for each row execute function marts.f()",
    ),
    "trigger that is off": (
        PLAIN,
        "create function marts.f() returns trigger language plpgsql as 'begin return new; end'",
        "create trigger spy before delete on marts.t for each row execute function marts.f()",
        "alter table marts.t disable trigger spy",
    ),
    "rule": (PLAIN, "create rule spy as on delete to marts.t do also select 1"),
    "policy": (PLAIN, "create policy everybody on marts.t using (true)"),
    "row security": (PLAIN, "alter table marts.t enable row level security"),
    "domain": (
        FUNCTION,
        "create domain marts.d as int check (marts.spy(value) = 1)",
        "create table marts.t (tenant_id text, n marts.d)",
    ),
    "array of a domain": ("create domain marts.d as int", "create table marts.t (tenant_id text, n marts.d[])"),
    "range with functions": (
        "create type marts.g as range (subtype = int)",
        "create table marts.t (tenant_id text, n marts.g)",
    ),
    "row type": ("create table marts.p (n int)", "create table marts.t (tenant_id text, p marts.p)"),
    "tenant of a domain": ("create domain marts.d as text", "create table marts.t (tenant_id marts.d)"),
    "tenant of another type": ("create table marts.t (tenant_id varchar)",),
    "no tenant": ("create table marts.t (n int)",),
    "tenant that was dropped": (PLAIN, "alter table marts.t drop tenant_id"),
    "right to make triggers": (PLAIN, "grant trigger on marts.t to public"),
    "right to truncate": (PLAIN, "grant truncate on marts.t to cdp_pipeline"),
    "right to a column": (PLAIN, "grant references (n) on marts.t to public"),
    "right by default": ("alter default privileges in schema marts grant all on tables to public", PLAIN),
    "rows of another tenant": ("create table marts.t as select 'lotus' as tenant_id",),
    "rows of nobody": ("create table marts.t as select null::text as tenant_id",),
    "not a table": ("create view marts.t as select 'acme'::text as tenant_id",),
}  # fmt: skip


@pytest.fixture
def dbt(postgres: Server, database: str) -> Iterator[Conn]:
    with psycopg.connect(postgres.dsn(database, user="cdp_transform"), autocommit=True) as conn:
        conn.execute("set app.tenant_id = 'acme'")
        yield conn


def owner_of(conn: Conn) -> str:
    row = conn.execute(
        "select pg_get_userbyid(relowner) from pg_class where oid = 'marts.t'::regclass"
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[str]:
    """One database for all attacks: each is rolled back."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("create database attacks template template_cdp strategy file_copy")
        yield postgres.dsn("attacks", user="cdp_transform")
        conn.execute("drop database attacks with (force)")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_table_that_is_more_than_rows_is_not_adopted(
    shared: str, attack: tuple[LiteralString, ...]
) -> None:
    with psycopg.connect(shared) as conn:
        conn.execute("set local app.tenant_id = 'acme'")
        for statement in attack:
            conn.execute(statement)
        with pytest.raises(
            psycopg.errors.RaiseException, match=r"marts\.t (must be|holds rows|is not a table)"
        ):
            conn.execute("call ops.adopt('acme', 't')")
        conn.rollback()


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_an_older_snapshot_is_not_believed(dbt: Conn, level: LiteralString) -> None:
    """Another session could have made the table more than rows since then."""
    dbt.execute(PLAIN)
    dbt.execute("begin isolation level " + level)
    with pytest.raises(psycopg.errors.RaiseException, match="read committed"):
        dbt.execute("call ops.adopt('acme', 't')")


def test_what_another_session_adds_at_that_moment_is_seen(dbt: Conn, postgres: Server, database: str) -> None:
    dbt.execute(PLAIN)
    with psycopg.connect(postgres.dsn(database, user="cdp_transform")) as other:
        other.execute("alter table marts.t alter n set default 1")
        dbt.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            dbt.execute("call ops.adopt('acme', 't')")
        other.commit()
    with pytest.raises(psycopg.errors.RaiseException, match="defaults"):
        dbt.execute("call ops.adopt('acme', 't')")


def test_a_plain_table_with_keys_is_adopted_and_its_maker_cannot_change_it_any_more(dbt: Conn) -> None:
    dbt.execute(PLAIN)
    dbt.execute("create unique index on marts.t (tenant_id, n)")
    dbt.execute("create index on marts.t (n)")
    dbt.execute("alter table marts.t alter n set not null")
    dbt.execute("call ops.adopt('acme', 't')")
    assert owner_of(dbt) == "cdp_owner"
    for attempt in (
        "create table marts.c () inherits (marts.t)",
        "alter table marts.t inherit marts.t",
        "drop table marts.t",
        "truncate marts.t",
        "create index on marts.t (n)",
        "alter table marts.t disable row level security",
        "create trigger spy before delete on marts.t execute function suppress_redundant_updates_trigger()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            dbt.execute(attempt)
    dbt.execute("call ops.adopt('acme', 't')")
    dbt.execute("set app.tenant_id = 'lotus'")
    assert dbt.execute("select count(*) from marts.t").fetchone() == (0,)
