"""No tenant reads or writes another's rows: by every object in the catalog, every statement, role and scope.

The matrix asks the database what there is; a table, view or function of a later migration is in it without a
change here. Two tenants hold rows with equal keys in every table.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from cdp_assets.landing import derived
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.dump import DumpSource
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.catalog import RELATIONS, ROLES, ROUTINES
from tests.conftest import Server
from tests.databases import shared_database
from tests.matrix import TENANTS, Probe, call, holds, objects, takes_tenant
from tests.rows import Conn, fill, fingerprint, insert, required, tenant_tables

SCOPES = ("acme", "lotus", None, "", "garbage", "postgres")
"""Values of app.tenant_id; None: it was never set in the session."""


@pytest.fixture(scope="module")
def filled(postgres: Server) -> Iterator[str]:
    """A database in which acme and lotus have equal rows; tests here leave it as it is."""
    with shared_database(postgres, "test_isolation") as name:
        with psycopg.connect(postgres.dsn(name, user="postgres")) as conn:
            fill(conn, sorted(TENANTS))
        yield name


@pytest.fixture
def owner(postgres: Server, filled: str) -> Iterator[Conn]:
    """A superuser's connection to the filled database, in a transaction that is rolled back."""
    with psycopg.connect(postgres.dsn(filled, user="postgres")) as conn:
        yield conn
        conn.rollback()


# -- the matrix ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES)
def test_no_statement_on_any_relation_reaches_another_tenant(
    postgres: Server, filled: str, owner: Conn, role: str, scope: str | None
) -> None:
    before = {tenant: fingerprint(owner, tenant) for tenant in TENANTS}
    whole = set(tenant_tables(owner, partitions=False))
    assert all(whole < set(tables) for tables in before.values())
    with psycopg.connect(postgres.dsn(filled, user="postgres"), autocommit=True) as conn:
        assert Probe(conn, role, scope).relations(owner) == []
    assert {tenant: fingerprint(owner, tenant) for tenant in TENANTS} == before


def test_the_matrix_has_rows_to_find_in_every_view_and_in_partitions_of_each_tenant(owner: Conn) -> None:
    held: dict[str, list[frozenset[str]]] = {}
    for relation in objects(owner, RELATIONS):
        if relation.has_tenant and relation.relkind != "p":
            held.setdefault(relation.relkind, []).append(holds(owner, relation.name))
    assert set(held["v"]) == {TENANTS}
    assert set(held["r"]) == {TENANTS, *(frozenset({tenant}) for tenant in TENANTS)}


@pytest.mark.parametrize("role", ROLES)
def test_the_roles_see_the_same_when_they_log_in_themselves(postgres: Server, filled: str, role: str) -> None:
    with psycopg.connect(postgres.dsn(filled, user=role)) as conn:
        assert conn.execute("select tenant_id from cdp.segment").fetchall() == []
        conn.execute("select set_config('app.tenant_id', 'acme', true)")
        assert conn.execute("select tenant_id from cdp.segment").fetchall() == [("acme",)]
        conn.commit()
        assert conn.execute("select tenant_id from cdp.segment").fetchall() == []


LEAKS = {
    "row security off": "alter table cdp.feedback disable row level security",
    "view of its owner": "create view cdp.v as select * from cdp.segment; grant select on cdp.v to cdp_pipeline",
    "materialized view": "create materialized view cdp.m as select * from cdp.segment; "
    "grant select on cdp.m to cdp_pipeline",
    "partition alone": "create table cdp.p (tenant_id text not null) partition by list (tenant_id); "
    "create table cdp.p_lotus partition of cdp.p for values in ('lotus'); "
    "create table cdp.p_acme partition of cdp.p for values in ('acme'); call ops.isolate('cdp.p'); "
    "call ops.isolate('cdp.p_acme'); insert into cdp.p values ('lotus'), ('acme'); "
    "grant select on all tables in schema cdp to cdp_pipeline",
    "table without tenant": "create table cdp.t as select 'x' as secret; grant select on cdp.t to cdp_pipeline",
    "sequence": "create sequence cdp.s; grant all on cdp.s to cdp_pipeline",
    "truncate": "grant truncate on cdp.segment to cdp_pipeline",
    "no check on writing": "alter policy tenant_isolation on cdp.consent with check (true)",
    "open to deletes": "create policy more on cdp.consent for delete using (true)",
    "open to updates": "create policy more on cdp.consent for update using (true)",
    "vectors of another tenant": "do $$ begin execute format('alter table embedding.%I disable row level security', "
    "embedding.leaf('profile', 'lotus', 'k')); end $$",
    "partitions of another tenant": "do $$ begin execute format('alter table embedding.%I disable row level security', "
    "embedding.leaf('profile', 'lotus', '')); end $$",
    "texts of another tenant": "alter view embedding.profile_text set (security_invoker = false)",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_matrix_finds_a_leak_that_is_put_there(owner: Conn, leak: str) -> None:
    owner.execute(LEAKS[leak])
    assert Probe(owner, "cdp_pipeline", "acme").relations(owner)


# -- routines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES)
def test_no_routine_works_for_a_tenant_that_the_transaction_is_not_open_for(
    owner: Conn, role: str, scope: str | None
) -> None:
    assert Probe(owner, role, scope).routines(owner) == []


@pytest.mark.parametrize(
    "routine",
    [
        "create function cdp.every(p_tenant text) returns bigint language sql security definer "
        "return (select count(*) from cdp.segment where tenant_id = p_tenant)",
        "create function cdp.every() returns bigint language sql security definer "
        "return (select count(*) from cdp.segment)",
        "alter function embedding.vector_of(text, text, text) security definer; create or replace function "
        "ops.current_tenant() returns text language sql stable return 'lotus'; "
        "grant select on all tables in schema embedding to cdp_owner",
    ],
    ids=["told", "untold", "scope"],
)
def test_a_routine_that_ignores_the_scope_is_found(owner: Conn, routine: str) -> None:
    owner.execute(routine)
    assert Probe(owner, "cdp_reader", "acme").routines(owner)


def test_routines_called_for_their_own_tenant_leave_the_other_alone(
    postgres: Server, database: str, owner_dsn: str
) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        fill(conn, sorted(TENANTS))
        before = fingerprint(conn, "lotus")
        may_call = "select has_function_privilege('cdp_pipeline', %s::oid, 'execute')"
        routines = [
            routine
            for routine in objects(conn, ROUTINES)
            if not routine.is_trigger and conn.execute(may_call, (routine.oid,)).fetchone() == (True,)
        ]
        # first those that look at the rows as they are, last those that remove them
        routines.sort(key=lambda routine: (routine.name in REMOVING, takes_tenant(routine), routine.name))
        with psycopg.connect(postgres.dsn(database, user="cdp_pipeline"), autocommit=True) as pipeline:
            for routine in routines:
                with pipeline.transaction():
                    pipeline.execute("select set_config('app.tenant_id', 'acme', true)")
                    pipeline.execute(call(routine, "acme"))
        assert fingerprint(conn, "lotus") == before
        assert fingerprint(conn, "acme") == {}


REMOVING = ("embedding.drop_partitions", "ops.remove_tenant")

READERS_CALL = {
    "audience.members",
    "audience.members_hash",
    "ops.current_tenant",
    "ops.default_currency",
    *(
        f"embedding.{name}"
        for name in (
            *("search", "similar", "lookalike", "lookalike_segment", "vector_of"),
            # what those and the views of texts are made of
            *(
                "entities",
                "leaf",
                "is_plain",
                "plain_digits",
                "squeezed",
                "redacted",
                "cleaned",
                "sorted",
                "listed",
                "joined",
            ),
            *("text_hash", "product_text"),
        )
    ),
}


@pytest.mark.parametrize("role", ["cdp_transform", "cdp_reader"])
def test_readers_may_search_and_call_nothing_else_and_dbt_hand_its_tables_over(
    owner: Conn, role: str
) -> None:
    allowed = owner.execute(
        f"select name from ({ROUTINES}) as f where has_function_privilege(%s, f.oid, 'execute')", (role,)
    )
    makes = {"ops.adopt"} if role == "cdp_transform" else set()
    assert {name.replace('"', "") for (name,) in allowed} == READERS_CALL | makes


# -- what the answer itself could tell -------------------------------------------------------------------------------


def test_an_error_does_not_tell_whether_another_tenant_has_the_key(
    owner: Conn, postgres: Server, filled: str
) -> None:
    with psycopg.connect(postgres.dsn(filled, user="cdp_pipeline")) as conn:
        for table in tenant_tables(owner):
            told = set()
            for key in ("k", "a key that nobody has"):
                # which models a tenant has is in the bounds of its partitions, and no secret
                values = {
                    name: key if value == "k" and name != "model_id" else value
                    for name, value in required(owner, table).items()
                } | {"tenant_id": "lotus"}
                statement = (
                    f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})"
                )
                for suffix in ("", " on conflict do nothing"):
                    conn.execute("select set_config('app.tenant_id', 'acme', true)")
                    with pytest.raises((InsufficientPrivilege, CheckViolation)) as error:
                        conn.execute(statement + suffix, list(values.values()))
                    conn.rollback()
                    told.add(str(error.value))
            assert len(told) == 1, told


def test_statistics_show_no_values(owner: Conn, postgres: Server, filled: str) -> None:
    owner.execute("analyze")
    owner.commit()
    for role in ROLES:
        with psycopg.connect(postgres.dsn(filled, user=role)) as conn:
            told = conn.execute(
                "select tablename from pg_stats where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            assert {name for (name,) in told} <= {"alembic_version"}


# -- pool and pipeline -------------------------------------------------------------------------------------------------


class OurMistake(Exception):
    """Something of ours that goes wrong inside a transaction."""


def test_pooled_connections_never_carry_a_tenant_over(pipeline_dsn: str, owner_dsn: str) -> None:
    tenants = [f"t{number:02}" for number in range(20)]
    with psycopg.connect(owner_dsn) as conn:
        for tenant in tenants:
            insert(conn, "cdp.segment", tenant_id=tenant)

    def check_out(warehouse: Warehouse, seed: int) -> str | None:
        dice = random.Random(seed)
        tenant, fault = (
            dice.choice(tenants),
            dice.choice(["", "", "ours", "sql", "control", "commit", "dies"]),
        )
        if fault == "control":
            with warehouse.control() as conn:
                seen = {row[0] for row in conn.execute("select tenant_id from cdp.segment")}
            return f"no tenant saw {seen}" if seen else None
        seen, wanted = set(), {tenant}
        try:
            with warehouse.tenant(tenant) as conn:
                seen = {
                    row[0] for row in conn.execute("update cdp.segment set name = 'x' returning tenant_id")
                }
                if fault == "ours":
                    raise OurMistake
                if fault == "sql":
                    conn.execute("select 1 / 0")
                if fault == "commit":
                    conn.commit()  # ends the scope: what follows in the block sees nothing
                    seen |= {
                        f"after commit {row[0]}" for row in conn.execute("select tenant_id from cdp.segment")
                    }
                if fault == "dies":
                    conn.execute("select pg_terminate_backend(pg_backend_pid())")
        except (OurMistake, psycopg.errors.DivisionByZero, psycopg.OperationalError):
            pass
        return None if seen == wanted else f"{tenant} saw {seen} ({fault})"

    with Warehouse(pipeline_dsn, pool_size=4) as warehouse, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda seed: check_out(warehouse, seed), range(1000)))
    assert [finding for finding in found if finding] == []


def write_export(folder: Path, city: str, **changes: dict[str, Any]) -> DumpSource:
    """A LEO of two profiles, the first of whom has bought once; keys are the same for every tenant."""
    time = "2026-01-05T08:00:00.000Z"
    documents: dict[str, list[dict[str, Any]]] = {
        "cdp_segment": [{"_key": "s1", "name": city, "type": 1, "status": 1}],
        "cdp_profile": [
            {"_key": key, "status": 1, "livingCity": city, "inSegments": [{"id": "s1"}]} for key in "ab"
        ],
        "cdp_productitem": [{"_key": "i1", "status": 9, "title": city}],
        "cdp_trackingevent": [
            {"_key": "e1", "metricName": "view", "refProfileId": "b", "srcTouchpointName": city}
        ],
        "cdp_profile2conversion": [
            {
                "_key": "c1",
                "_from": "cdp_profile/b",
                "_to": "cdp_productitem/i1",
                "transactionValue": len(city),
            }
        ],
        "cdp_feedbackdata": [{"_key": "f1", "feedbackType": "REVIEW", "refProfileId": "b", "comment": city}],
    }
    folder.mkdir(exist_ok=True)
    for collection, listed in documents.items():
        text = "".join(
            json.dumps({"_rev": f"_{city}{len(changes)}", "createdAt": time, "updatedAt": time, **document,
                        **changes.get(document["_key"], {})}) + "\n"
            for document in listed
            if changes.get(document["_key"]) != {}
        )  # fmt: skip
        (folder / f"{collection}.jsonl").write_text(text, encoding="utf-8")
    return DumpSource(folder)


def test_equal_keys_of_two_tenants_land_side_by_side(
    warehouse: Warehouse, owner_dsn: str, tmp_path: Path
) -> None:
    def land(tenant: str, source: DumpSource) -> None:
        for contract in CONTRACTS.values():
            with warehouse.session(tenant) as session:
                CollectionSync(session, source, contract).run("sweep")
        with warehouse.session(tenant) as session:
            derived.refresh_profile_segment(session)
            derived.refresh_consent(session)
            derived.refresh_customer_metrics(session, None)

    for tenant, city in (("acme", "Hue"), ("lotus", "Da Nang")):
        put_tenant(warehouse, Tenant(tenant, tenant, "active", "dump", {"folder": "unused"}))
        land(tenant, write_export(tmp_path / tenant, city))
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        before = fingerprint(conn, "lotus")
        landed = {table for table, rows in before.items() if rows}
        assert {f"cdp.{contract.table}" for contract in CONTRACTS.values()} < landed
        assert {"cdp.consent", "cdp.profile_segment", "cdp.customer_metrics", "ops.ledger"} < landed
        # in acme b is merged into a, and the product and the segment are gone
        merged = {"status": 0, "rootProfileId": "a"}
        land("acme", write_export(tmp_path / "acme", "Hue", b=merged, i1={}, s1={}))
        assert fingerprint(conn, "lotus") == before
        with warehouse.tenant("acme") as acme:
            for table in ("transactional_context", "tracking_event", "feedback"):
                assert acme.execute(f"select cdp_profile_id from cdp.{table}").fetchall() == [("a",)], table
            assert acme.execute("select distinct city from cdp.customer_profile").fetchall() == [("Hue",)]
