"""The warehouse as a place: migrations, whether a server is fit to be used, scopes, the registry of tenants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cdp_assets.warehouse import connection
from cdp_assets.warehouse.connection import RUNTIME_ROLES, Warehouse, WarehouseError, without_loops
from cdp_assets.warehouse.migrate import HEAD, migrate
from cdp_assets.warehouse.tenants import (
    Tenant,
    TenantError,
    active_tenant,
    get_tenant,
    list_tenants,
    put_tenant,
    remove_tenant,
    set_status,
)
from tests.conftest import Server
from tests.rows import fill, fingerprint, insert, tenant_tables

# -- migrations ------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """DSN, as superuser, of a database that was never migrated."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("create database test_empty")
    yield postgres.dsn("test_empty", user="postgres")
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("drop database test_empty with (force)")


def catalog(dsn: str) -> list[tuple[Any, ...]]:
    """Every object of the catalog with the transaction that wrote it last."""
    with psycopg.connect(dsn) as conn:
        found = []
        for table in ("pg_class", "pg_proc", "pg_policy", "pg_constraint", "pg_extension"):
            found += conn.execute(f"select '{table}', oid, xmin::text from {table} order by oid").fetchall()
        found += conn.execute("select version_num, xmin::text from ops.alembic_version").fetchall()
        return found


def test_migrating_a_second_time_changes_nothing(owner_dsn: str) -> None:
    before = catalog(owner_dsn)
    migrate(owner_dsn)
    assert catalog(owner_dsn) == before


def test_two_deployments_at_once_migrate_one_after_the_other(empty: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(migrate, empty) for _ in range(2)]:
            done.result(timeout=60)
    Warehouse(make_conninfo(empty, user="cdp_pipeline")).require_ready(HEAD)


def test_passwords_reach_the_server_as_verifiers(owner_dsn: str) -> None:
    stored = sql.SQL("select rolname, rolpassword from pg_authid where rolname = any({})").format(
        sql.Literal(list(RUNTIME_ROLES))
    )
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        try:
            migrate(owner_dsn, passwords=dict.fromkeys(RUNTIME_ROLES, "it's 100 % secret"))
            verifiers: dict[str, str] = dict(conn.execute(stored).fetchall())
        finally:
            for role in RUNTIME_ROLES:
                conn.execute(f"alter role {role} password null")
    assert set(verifiers) == set(RUNTIME_ROLES)
    assert all(verifier.startswith("SCRAM-SHA-256$") for verifier in verifiers.values())


def test_a_password_for_another_role_is_refused(owner_dsn: str) -> None:
    with pytest.raises(WarehouseError, match="no runtime role 'postgres': known are cdp_pipeline"):
        migrate(owner_dsn, passwords={"postgres": "x"})


def test_a_member_of_the_owner_may_migrate(owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("create role deployer login in role cdp_owner")
        try:
            migrate(make_conninfo(owner_dsn, user="deployer"))
        finally:
            conn.execute("drop role deployer")


def test_a_runtime_role_may_not_migrate(pipeline_dsn: str) -> None:
    with pytest.raises(WarehouseError, match=r"may not migrate .* set CDP_WAREHOUSE_OWNER_DSN"):
        migrate(pipeline_dsn)


def test_migrating_a_server_that_is_down_says_so(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="does not answer"):
        migrate(make_conninfo("", host=str(tmp_path), dbname="x"))


# -- fitness -----------------------------------------------------------------------------------------------------------


def test_a_migrated_server_is_ready_for_every_runtime_role(postgres: Server, database: str) -> None:
    for role in RUNTIME_ROLES:
        Warehouse(postgres.dsn(database, user=role)).require_ready(HEAD)


def test_a_server_that_is_too_old_is_named_with_the_version_it_needs(
    monkeypatch: pytest.MonkeyPatch, pipeline_dsn: str, owner_dsn: str
) -> None:
    monkeypatch.setattr(connection, "MIN_SERVER", 990000)
    with pytest.raises(WarehouseError, match=r"is PostgreSQL [0-9]+; at least 99 is needed"):
        Warehouse(pipeline_dsn).require_ready(HEAD)
    with pytest.raises(WarehouseError, match="Upgrade it or point CDP_WAREHOUSE_DSN"):
        migrate(owner_dsn)


def test_a_pgvector_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, pipeline_dsn: str) -> None:
    monkeypatch.setattr(connection, "MIN_PGVECTOR", (99, 0, 0))
    with pytest.raises(WarehouseError, match=r"pgvector [0-9.]+ is too old"):
        Warehouse(pipeline_dsn).require_ready(HEAD)


def test_a_server_without_pgvector_is_told_what_to_install(owner_dsn: str, pipeline_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        # stands before pg_catalog, as if the package were not installed
        conn.execute(
            "create schema bare; grant usage on schema bare to public; create view bare.pg_available_extensions as "
            "select * from pg_catalog.pg_available_extensions where name <> 'vector'; "
            "grant select on bare.pg_available_extensions to public"
        )
    bare = "-c search_path=bare,pg_catalog"
    for check in (
        lambda: Warehouse(make_conninfo(pipeline_dsn, options=bare)).require_ready(HEAD),
        lambda: migrate(make_conninfo(owner_dsn, options=bare)),
    ):
        with pytest.raises(WarehouseError, match="has no pgvector: install the package"):
            check()


UNFIT = {
    "extension missing": ("drop extension vector cascade", "the extension vector is not created"),
    "schema missing": ("drop table ops.alembic_version", "the schema is missing"),
    "version missing": ("delete from ops.alembic_version", "is at migration none"),
    "version old": (
        "update ops.alembic_version set version_num = '0000'",
        "is at migration 0000, this release needs",
    ),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_a_database_that_is_not_migrated_names_the_command(
    owner_dsn: str, pipeline_dsn: str, fault: str
) -> None:
    statement, message = UNFIT[fault]
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute(statement)
    with pytest.raises(WarehouseError, match=rf"{message}.*run `cdp migrate`"):
        Warehouse(pipeline_dsn).require_ready(HEAD)


def test_a_role_that_does_not_exist_names_the_command(owner_dsn: str, pipeline_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        for role in ("cdp_owner", "cdp_pipeline"):
            conn.execute(f"alter role {role} rename to {role}_away")
            try:
                with pytest.raises(WarehouseError, match="run `cdp migrate`"):
                    Warehouse(pipeline_dsn).require_ready(HEAD)
            finally:
                conn.execute(f"alter role {role}_away rename to {role}")


@pytest.mark.parametrize("role", ["postgres", "deployer"])
def test_a_role_that_isolation_does_not_bind_is_refused(owner_dsn: str, role: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("create role deployer login in role cdp_owner")
        try:
            with pytest.raises(
                WarehouseError, match=f"connected as '{role}', which row level security does not bind"
            ):
                Warehouse(make_conninfo(owner_dsn, user=role)).require_ready(HEAD)
        finally:
            conn.execute("drop role deployer")


def test_a_server_that_is_down_is_named_with_the_remedy(tmp_path: Path) -> None:
    warehouse = Warehouse(make_conninfo("", host=str(tmp_path), dbname="gone", user="x", password="secret"))
    with pytest.raises(
        WarehouseError, match=r"gone does not answer: .*Start it .* CDP_WAREHOUSE_DSN"
    ) as error:
        warehouse.require_ready(HEAD)
    assert "secret" not in str(error.value)


def test_loops_are_off_for_what_is_inside_and_nothing_else(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:

        def setting() -> tuple[str] | None:
            return conn.execute("show enable_nestloop").fetchone()

        with without_loops(conn):
            with without_loops(conn):
                assert setting() == ("off",)
            assert setting() == ("off",), "what is inside says nothing of what is around it"
        assert setting() == ("on",)


def test_a_statement_that_takes_too_long_is_cancelled(pipeline_dsn: str) -> None:
    with Warehouse(pipeline_dsn, statement_timeout_s=1) as warehouse, warehouse.tenant("acme") as conn:
        began = monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute("select pg_sleep(30)")
        assert monotonic() - began < 10
        conn.rollback()


def test_options_of_the_given_dsn_are_kept(pipeline_dsn: str) -> None:
    with (
        Warehouse(make_conninfo(pipeline_dsn, options="-c work_mem=7MB")) as warehouse,
        warehouse.control() as conn,
    ):
        shown = [
            conn.execute(f"show {name}").fetchone() for name in ("work_mem", "timezone", "statement_timeout")
        ]
        assert shown == [("7MB",), ("UTC",), ("15min",)]


def test_threads_that_come_first_together_share_one_pool(pipeline_dsn: str) -> None:
    together = Barrier(16)

    def backend(_: int) -> int:
        together.wait()
        with warehouse.control() as conn:
            return conn.info.backend_pid

    with Warehouse(pipeline_dsn, pool_size=2) as warehouse, ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(backend, range(16)))) <= 2


@pytest.mark.parametrize("name", ["", "Acme", "a b", "a|b", "acme\n", "a'; drop table x", "x" * 64])
def test_a_scope_that_cannot_be_a_tenant_is_refused_before_connecting(tmp_path: Path, name: str) -> None:
    warehouse = Warehouse(make_conninfo("", host=str(tmp_path), dbname="not asked"))
    for scope in (warehouse.tenant, warehouse.session):
        with pytest.raises(ValueError, match="cannot name a tenant"), scope(name):
            pass


# -- tenants -----------------------------------------------------------------------------------------------------------


def test_a_tenant_is_registered_once_and_changed_only_on_request(warehouse: Warehouse, acme: Tenant) -> None:
    assert get_tenant(warehouse, "acme") == acme
    renamed = replace(acme, name="Acme Ltd", given={"default_currency": "VND"})
    with pytest.raises(TenantError, match="'acme' is registered already; add --replace"):
        put_tenant(warehouse, renamed)
    assert get_tenant(warehouse, "acme") == acme
    assert put_tenant(warehouse, renamed, replace=True)
    assert get_tenant(warehouse, "acme") == renamed
    assert not put_tenant(warehouse, renamed, replace=True)


def test_a_suspended_tenant_is_listed_but_not_worked_on(warehouse: Warehouse, acme: Tenant) -> None:
    put_tenant(warehouse, replace(acme, tenant_id="lotus"))
    set_status(warehouse, "acme", "suspended")
    assert [tenant.tenant_id for tenant in list_tenants(warehouse)] == ["acme", "lotus"]
    assert [tenant.tenant_id for tenant in list_tenants(warehouse, active_only=True)] == ["lotus"]
    with pytest.raises(TenantError, match="'acme' is suspended; `cdp tenants resume acme`"):
        active_tenant(warehouse, "acme")
    set_status(warehouse, "acme", "active")
    assert active_tenant(warehouse, "acme") == acme


@pytest.mark.parametrize("action", [get_tenant, active_tenant, lambda w, t: set_status(w, t, "active")])
def test_a_tenant_that_nobody_registered_is_named(
    warehouse: Warehouse, action: Callable[..., object]
) -> None:
    with pytest.raises(TenantError, match="no tenant 'nobody' is registered; `cdp tenants list`"):
        action(warehouse, "nobody")


def test_removing_a_tenant_removes_its_rows_from_every_table_and_no_other(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        fill(conn, ["acme", "lotus"])
        conn.execute("set role cdp_owner")
        conn.execute("create table cdp.later (tenant_id text not null, part text) partition by list (part)")
        conn.execute("create table cdp.later_a partition of cdp.later default")
        conn.execute("call ops.isolate('cdp.later'); call ops.isolate('cdp.later_a')")
        conn.execute("grant select, insert, update, delete on cdp.later to cdp_pipeline")
        conn.execute("reset role")
        for tenant in ("acme", "lotus"):
            insert(conn, "cdp.later", tenant_id=tenant)
        before = fingerprint(conn, "lotus")
        remove_tenant(warehouse, "acme")
        assert fingerprint(conn, "acme") == {}
        assert fingerprint(conn, "lotus") == before
        assert set(before) == set(tenant_tables(conn))  # acme's partitions are gone too


@pytest.mark.parametrize(
    "table",
    ["public.invoices", "billing.invoices", "marts.invoices"],
    ids=["in public", "in a schema of its own", "in a schema of the product"],
)
@pytest.mark.parametrize("right", ["all", "select"])
def test_removing_a_tenant_leaves_the_tables_of_other_applications_alone(
    warehouse: Warehouse, owner_dsn: str, acme: Tenant, table: str, right: str
) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("create schema billing; grant usage on schema public, billing to cdp_pipeline")
        conn.execute(f"create table {table} as select 'acme'::text as tenant_id, 100 as amount")
        conn.execute(f"grant {right} on {table} to cdp_pipeline")
        remove_tenant(warehouse, "acme")
        assert conn.execute(f"select amount from {table}").fetchall() == [(100,)]
    assert list_tenants(warehouse) == []


def test_every_column_says_what_it_means_unless_its_name_does(owner_dsn: str) -> None:
    plain = {
        "name",
        "description",
        "channel",
        "starts_at",
        "ends_at",
        "created_at",
        "activated_at",
        "enqueued_at",
    }
    with psycopg.connect(owner_dsn) as conn:
        bare = conn.execute(
            "select c.oid::regclass::text || '.' || a.attname, a.attname from pg_class as c "
            "join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where c.relnamespace in ('activation'::regnamespace, 'embedding'::regnamespace) "
            "and c.relkind in ('r', 'p', 'v') and not c.relispartition and col_description(c.oid, a.attnum) is null"
        ).fetchall()
    undescribed = {column for column, name in bare if name not in plain}
    assert undescribed == {"activation.marketing_event.marketing_event_id"}
