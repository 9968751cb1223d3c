"""The catalog keeps every rule of isolation, and each rule is one that can be broken and is then found.

Belongs here: a breach of each rule of `tests/catalog.py`. What is tried out as a role is in `test_isolation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.catalog import RULES, lint
from tests.conftest import Server
from tests.databases import shared_database
from tests.matrix import TENANTS
from tests.rows import Conn, fill


@pytest.fixture(scope="module")
def filled(postgres: Server) -> Iterator[str]:
    """A database with rows and partitions of two tenants."""
    with shared_database(postgres, "test_catalog") as name:
        with psycopg.connect(postgres.dsn(name, user="postgres")) as conn:
            fill(conn, sorted(TENANTS))
        yield name


@pytest.fixture
def owner(postgres: Server, filled: str) -> Iterator[Conn]:
    """A superuser's connection to it, in a transaction that is rolled back."""
    with psycopg.connect(postgres.dsn(filled, user="postgres")) as conn:
        yield conn
        conn.rollback()


MUTATIONS = [
    ("row security is enabled", "alter table cdp.segment disable row level security"),
    ("row security is forced", "alter table ops.ledger no force row level security"),
    ("every table has tenant_id", "create table cdp.note (id bigint)"),
    ("the policy binds reading and writing", "drop policy tenant_isolation on cdp.segment"),
    (
        "the policy binds reading and writing",
        "alter policy tenant_isolation on cdp.segment with check (true)",
    ),
    ("the policy binds reading and writing", "alter policy tenant_isolation on cdp.segment to cdp_pipeline"),
    ("no other policy widens it", "create policy all_see on cdp.segment for select using (true)"),
    ("no other policy widens it", "alter policy registry on ops.tenant to public"),
    ("no other policy widens it", "alter policy registry on ops.tenant using (true)"),
    ("no other policy widens it", "alter policy registry on ops.tenant with check (true)"),
    ("unique keys begin with tenant_id", "create unique index on cdp.segment (segment_id, tenant_id)"),
    ("unique keys begin with tenant_id", "create unique index on cdp.segment (lower(tenant_id))"),
    (
        "unique keys begin with tenant_id",
        "do $$ begin execute format('create unique index on embedding.%I (entity_key)', "
        "embedding.leaf('profile', 'lotus', 'k')); end $$",
    ),
    (
        "foreign keys hold tenant_id",
        "create table cdp.note (tenant_id text, id int primary key, of int references cdp.note)",
    ),
    ("grants end at select, insert, update, delete", "grant truncate on cdp.segment to cdp_pipeline"),
    ("grants end at select, insert, update, delete", "grant select on cdp.segment to public"),
    (
        "grants end at select, insert, update, delete",
        "create sequence cdp.s; grant usage on cdp.s to cdp_pipeline",
    ),
    ("runtime roles are plain", "alter role cdp_reader bypassrls"),
    ("runtime roles are plain", "alter role cdp_transform superuser"),
    ("runtime roles are members of nothing", "grant cdp_owner to cdp_pipeline"),
    ("runtime roles are members of nothing", "grant pg_read_all_data to cdp_reader"),
    ("runtime roles own nothing", "alter table cdp.segment owner to cdp_pipeline"),
    ("runtime roles create nothing", "grant create on schema cdp to cdp_transform"),
    ("runtime roles create nothing", "grant create on schema public to public"),
    ("runtime roles create nothing", "grant create on database test_catalog to cdp_pipeline"),
    ("views run as their reader", "create view cdp.v as select 1 as one"),
    (
        "what row security cannot bind is granted to nobody",
        "create materialized view cdp.m as select * from cdp.segment; grant select on cdp.m to cdp_reader",
    ),
    ("routines run as their caller", "alter function cdp.refresh_consent(text) security definer"),
    (
        "routines of the owner pin their search path",
        "alter procedure embedding.add_partitions reset search_path",
    ),
    (
        "routines of the owner pin their search path",
        "alter procedure embedding.add_partitions set search_path = embedding, pg_catalog",
    ),
    (
        "routines of the owner refuse another tenant first",
        "create or replace procedure embedding.drop_partitions(p_tenant text, p_model text default null) "
        "language plpgsql security definer as 'begin null; perform ops.require_tenant(p_tenant); end'",
    ),
    (
        "routines of the owner refuse another tenant first",
        "create procedure embedding.drop_partitions(p_model text, p_tenant text, p_all boolean) "
        "language plpgsql security definer as 'begin perform ops.require_tenant(p_tenant); end'",
    ),
    (
        "routines of the owner are for the roles that need them",
        "grant execute on procedure embedding.index_partition to cdp_reader",
    ),
    (
        "routines of the owner are for the roles that need them",
        "grant execute on procedure ops.adopt to cdp_pipeline",
    ),
    (
        "runtime roles own nothing",
        "create table marts.t (tenant_id text); alter table marts.t owner to cdp_transform",
    ),
    (
        "runtime roles own nothing",
        "create view cdp.v with (security_invoker) as select 1 as one; alter view cdp.v owner to cdp_transform",
    ),
    ("runtime roles create nothing", "grant create on schema marts to cdp_pipeline"),
    (
        "immutable routines read nothing",
        "create function cdp.one() returns bigint language sql immutable return (select count(*) from cdp.segment)",
    ),
    (
        "immutable routines read nothing",
        "create function cdp.one() returns bigint language sql immutable as 'select count(*) from cdp.segment'",
    ),
    (
        "immutable routines read nothing",
        "create function cdp.one() returns text language sql immutable return ops.current_tenant()",
    ),
]


def test_the_catalog_keeps_every_rule(owner: Conn) -> None:
    assert lint(owner) == []


@pytest.mark.parametrize(("rule", "mutation"), MUTATIONS)
def test_the_lint_finds_a_broken_rule(owner: Conn, rule: str, mutation: str) -> None:
    owner.execute(mutation)
    assert rule in {finding.partition(": ")[0] for finding in lint(owner)}


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _ in MUTATIONS} == set(RULES)
