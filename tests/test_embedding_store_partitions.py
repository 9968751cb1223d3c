"""Each model of each tenant has partitions of its own: closed, made and dropped without touching anybody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.store import VectorStore
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.conftest import Server
from tests.rows import Conn
from tests.vector_support import batch, leaf, register, spec, vectors, write

pytestmark = pytest.mark.usefixtures("acme")

ROLES = ("cdp_pipeline", "cdp_transform", "cdp_reader")


@pytest.fixture
def lotus(warehouse: Warehouse) -> str:
    put_tenant(warehouse, Tenant("lotus", "Lotus", "active", "dump", {"folder": "unused"}, {}))
    return "lotus"


def partitions(conn: Conn) -> set[str]:
    """Names of all tables below the five, branches and leaves."""
    return {
        row[0]
        for row in conn.execute(
            "select c.relname from pg_class as c where c.relkind in ('r', 'p') and c.relispartition "
            "and c.relnamespace = 'embedding'::regnamespace"
        )
    }


def test_every_partition_has_forced_row_security_and_no_more_grants_than_its_parent(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    register(warehouse, "acme", 4)
    with psycopg.connect(owner_dsn) as conn:
        assert len(partitions(conn)) == 2 * len(ENTITIES)
        unsafe = conn.execute(
            "select c.relname from pg_class as c where c.relispartition and c.relkind in ('r', 'p') "
            "and c.relnamespace = 'embedding'::regnamespace and (not c.relrowsecurity or not c.relforcerowsecurity "
            "or not exists (select from pg_policy as p where p.polrelid = c.oid) "
            "or pg_get_userbyid(c.relowner) in ('cdp_pipeline', 'cdp_transform', 'cdp_reader'))"
        ).fetchall()
        assert unsafe == []
        for role in ROLES:
            for privilege in ("select", "insert", "update", "delete", "truncate", "references", "trigger"):
                wanted = role == "cdp_pipeline" and privilege in {"select", "insert", "update", "delete"}
                wanted = wanted or privilege == "select"
                held = conn.execute(
                    "select distinct has_table_privilege(%s, c.oid, %s) from pg_class as c where c.relispartition "
                    "and c.relkind in ('r', 'p') and c.relnamespace = 'embedding'::regnamespace",
                    (role, privilege),
                ).fetchall()
                assert held == [(wanted,)], (role, privilege)


@pytest.mark.parametrize("role", ROLES)
def test_no_runtime_role_creates_changes_or_drops_a_partition_itself(
    warehouse: Warehouse, postgres: Server, database: str, role: str
) -> None:
    model = register(warehouse, "acme", 4)
    with psycopg.connect(postgres.dsn(database, user=role), autocommit=True) as conn:
        conn.execute("select set_config('app.tenant_id', 'acme', false)")
        name = leaf(conn, "product", "acme", model)
        for statement in (
            "create table embedding.mine (x int)",
            "create table embedding.mine partition of embedding.product_embedding for values in ('mine')",
            f"drop table {name}",
            f"truncate {name}",
            f"create index on {name} (embedded_at)",
            f"alter table {name} disable row level security",
            f"alter table embedding.product_embedding detach partition {name}",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


@pytest.mark.parametrize("role", ["cdp_transform", "cdp_reader"])
def test_who_only_reads_may_neither_write_vectors_nor_make_partitions(
    warehouse: Warehouse, postgres: Server, database: str, role: str
) -> None:
    model = register(warehouse, "acme", 4)
    with psycopg.connect(postgres.dsn(database, user=role), autocommit=True) as conn:
        conn.execute("select set_config('app.tenant_id', 'acme', false)")
        name = leaf(conn, "product", "acme", model)
        for statement in (
            f"insert into {name} values ('acme', '{model}', 'k', '', '[1,0,0,0]')",
            "delete from embedding.product_embedding",
            f"call embedding.add_partitions('acme', '{model}')",
            f"call embedding.drop_partitions('acme', '{model}')",
            f"call embedding.index_partition('acme', 'product', '{model}')",
            f"call embedding.grant_partition('{name}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


def test_the_procedures_work_for_the_transactions_own_tenant_only(warehouse: Warehouse, lotus: str) -> None:
    model = register(warehouse, lotus, 4)
    for call in (
        f"call embedding.add_partitions('lotus', '{model}')",
        f"call embedding.drop_partitions('lotus', '{model}')",
        "call embedding.drop_partitions('lotus')",
        f"call embedding.index_partition('lotus', 'product', '{model}')",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="lotus"), warehouse.tenant("acme") as conn:
            conn.execute(call)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), warehouse.tenant("acme") as conn:
        conn.execute("call embedding.grant_partition('pg_authid')")


def test_a_partition_needs_a_registered_model(warehouse: Warehouse) -> None:
    with (
        pytest.raises(psycopg.errors.RaiseException, match="no model ghost is registered for tenant acme"),
        warehouse.tenant("acme") as conn,
    ):
        conn.execute("call embedding.add_partitions('acme', 'ghost')")
    with (
        pytest.raises(psycopg.errors.RaiseException, match="no vectors of product under model ghost"),
        warehouse.tenant("acme") as conn,
    ):
        conn.execute("call embedding.index_partition('acme', 'product', 'ghost')")


def test_tenants_that_come_at_the_same_moment_all_get_their_partitions(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    tenants = [f"shop-{number}" for number in range(4)]
    for tenant in tenants:
        put_tenant(warehouse, Tenant(tenant, tenant, "active", "dump", {"folder": "unused"}, {}))
    start = Barrier(len(tenants))

    def come(tenant: str) -> str:
        start.wait()
        return register(warehouse, tenant, 8)

    with ThreadPoolExecutor(len(tenants)) as pool:
        assert len(set(pool.map(come, tenants))) == 1
    with psycopg.connect(owner_dsn) as conn:
        assert len(partitions(conn)) == len(tenants) * 2 * len(ENTITIES)


def test_a_search_goes_on_while_another_tenants_partitions_are_made(
    warehouse: Warehouse, lotus: str, postgres: Server, database: str
) -> None:
    model = register(warehouse, "acme", 4)
    write(warehouse, batch("acme", model, vectors(3, 4)))
    with warehouse.tenant(lotus) as making:
        models.add(making, lotus, spec(4))
        with psycopg.connect(postgres.dsn(database, user="cdp_reader"), autocommit=True) as conn:
            conn.execute(
                "select set_config('app.tenant_id', 'acme', false), set_config('lock_timeout', '2s', false)"
            )
            assert len(conn.execute("select * from embedding.search('product', '[1,0,0,0]')").fetchall()) == 3
            conn.execute("select count(*) from embedding.product_embedding")


def test_a_dropped_model_leaves_no_partition_and_the_other_one_whole(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    first = register(warehouse, "acme", 4)
    with warehouse.tenant("acme") as conn:
        second = models.add(conn, "acme", spec(6, "q"))
    write(warehouse, batch("acme", first, vectors(3, 4)), batch("acme", second, vectors(3, 6)))
    with psycopg.connect(owner_dsn) as conn:
        before = partitions(conn)
    with warehouse.tenant("acme") as conn:
        models.drop(conn, "acme", second)
    with psycopg.connect(owner_dsn) as conn:
        gone = before - partitions(conn)
        assert gone == {leaf(conn, entity, "acme", second).removeprefix("embedding.") for entity in ENTITIES}
    with warehouse.session("acme") as session:
        assert VectorStore(session).read("product", first).height == 3


def test_partitions_of_the_model_that_serves_are_not_dropped(warehouse: Warehouse) -> None:
    model = register(warehouse, "acme", 4)
    with (
        pytest.raises(psycopg.errors.RaiseException, match="serves tenant acme"),
        warehouse.tenant("acme") as conn,
    ):
        conn.execute("call embedding.drop_partitions('acme', %s)", (model,))


def test_a_removed_tenant_leaves_no_partition_and_may_come_again(
    warehouse: Warehouse, lotus: str, owner_dsn: str
) -> None:
    for tenant in ("acme", lotus):
        write(warehouse, batch(tenant, register(warehouse, tenant, 4), vectors(5, 4)))
    with psycopg.connect(owner_dsn) as conn:
        both = partitions(conn)
        conn.execute("select set_config('app.tenant_id', 'lotus', true)")
        conn.execute("call ops.remove_tenant('lotus')")
    with psycopg.connect(owner_dsn) as conn:
        left = partitions(conn)
        assert len(both - left) == 2 * len(ENTITIES)
        assert conn.execute("select distinct tenant_id from embedding.product_embedding").fetchall() == [
            ("acme",)
        ]
        for table in ("model", "active_model", "job"):
            assert conn.execute(f"select 1 from embedding.{table} where tenant_id = 'lotus'").fetchall() == []
    put_tenant(warehouse, Tenant(lotus, "Lotus", "active", "dump", {"folder": "unused"}, {}))
    model = register(warehouse, lotus, 6)
    assert write(warehouse, batch(lotus, model, vectors(2, 6))).written == 2
    with psycopg.connect(owner_dsn) as conn:
        assert len(partitions(conn)) == len(both)
