"""What a change of a row does to the queue, in its own transaction: a job where the text changed, else nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from cdp_assets.embedding import models, queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import (
    OTHER,
    SPEC,
    Scripted,
    add_model,
    assert_in_step,
    drain,
    embed_all,
    jobs,
    one,
    products,
    vectors,
    worker_of,
)
from tests.rows import insert

pytestmark = pytest.mark.usefixtures("acme")


@dataclass(frozen=True)
class Row:
    """A row that has a text; assignments that change the text, change none of it, and bury the row."""

    entity: str
    values: dict[str, Any]
    change: str
    counters: str
    bury: str = "deleted_at = now()"


ROWS = [
    Row("profile", {"root_profile_id": "k1", "status": "active", "city": "Huế"}, "city = 'Đà Nẵng'",
        "updated_at = now(), metadata = '{\"n\": 2}', content_hash = '\\x02', email = 'a@b.co', segment_ids = '{s}'"),
    Row("transaction", {"product_key": "p00000", "txn_type": "purchase"}, "txn_type = 'refund'",
        "amount = 7, quantity = 2, txn_status = 'returned', cdp_profile_id = 'other', updated_at = now()"),
    Row("product", {"title": "Giày", "status": "published"}, "title = 'Dép'",
        "sale_price = 7, availability = 'none', metadata = '{\"views\": 9}', content_hash = '\\x02'"),
    Row("review", {"comment": "tốt", "status": "published"}, "comment = 'xấu'", "score = 3, changed_at = now()",
        "deleted_at = now(), comment = null"),
    Row("marketing_event", {"name": "Tết", "status": "planned", "channel": "email"}, "name = 'Noel'",
        "status = 'running', ends_at = now(), changed_at = now()"),
]  # fmt: skip
BY_ENTITY = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.entity)


def put(warehouse: Warehouse, row: Row, key: str = "k1", **values: Any) -> None:
    entity = ENTITIES[row.entity]
    with warehouse.tenant("acme") as conn:
        insert(conn, entity.source, tenant_id="acme", **{entity.key: key}, **{**row.values, **values})


def change(warehouse: Warehouse, row: Row, assignment: str, key: str = "k1") -> None:
    entity = ENTITIES[row.entity]
    with warehouse.tenant("acme") as conn:
        found = conn.execute(f"update {entity.source} set {assignment} where {entity.key} = %s", (key,))  # type: ignore[call-overload]
        assert found.rowcount == 1


@pytest.fixture
def world(warehouse: Warehouse) -> Warehouse:
    """A tenant with a model and an embedded product."""
    add_model(warehouse)
    products(warehouse, "shoe")
    embed_all(warehouse)
    return warehouse


@BY_ENTITY
def test_a_row_is_embedded_when_it_comes_and_again_when_its_text_changes(world: Warehouse, row: Row) -> None:
    put(world, row)
    assert jobs(world) == {(row.entity, "k1")}
    embed_all(world)
    assert_in_step(world)
    before = vectors(world, row.entity)["k1"]
    change(world, row, row.change)
    assert jobs(world) == {(row.entity, "k1")}
    embed_all(world)
    assert_in_step(world)
    assert vectors(world, row.entity)["k1"] != before


@BY_ENTITY
def test_a_change_of_counters_makes_no_job_and_calls_no_provider(world: Warehouse, row: Row) -> None:
    put(world, row)
    embed_all(world)
    change(world, row, row.counters)
    assert jobs(world) == set()
    assert embed_all(world).calls == []
    assert_in_step(world)


@BY_ENTITY
def test_a_change_of_counters_leaves_a_job_that_is_held_to_its_holder(world: Warehouse, row: Row) -> None:
    put(world, row)
    embed_all(world, before=lambda _: change(world, row, row.counters))
    assert_in_step(world)
    change(world, row, row.change)
    worker = worker_of(world, Scripted(before=lambda _: change(world, row, row.counters)))
    assert drain(worker, world).superseded == 0


@BY_ENTITY
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("way", ["tombstone", "delete"])
def test_a_row_that_goes_takes_its_vector_and_its_job_along(
    world: Warehouse, row: Row, way: str, is_open: bool
) -> None:
    put(world, row)
    embed_all(world)
    if is_open:
        change(world, row, row.change)
    if way == "tombstone":
        change(world, row, row.bury)
    else:
        entity = ENTITIES[row.entity]
        with world.tenant("acme") as conn:
            conn.execute(f"delete from {entity.source} where {entity.key} = 'k1'")  # type: ignore[call-overload]
    assert "k1" not in vectors(world, row.entity)
    assert jobs(world) == set()
    assert_in_step(world)


@BY_ENTITY
def test_a_row_that_goes_while_its_text_is_embedded_gets_no_vector(world: Warehouse, row: Row) -> None:
    put(world, row)
    embed_all(world, before=lambda _: change(world, row, row.bury))
    assert "k1" not in vectors(world, row.entity)
    assert_in_step(world)


@BY_ENTITY
def test_the_text_is_made_of_columns_that_the_trigger_compares(world: Warehouse, row: Row) -> None:
    """A view that the catalog knows no columns of would make every update look like a change of none."""
    entity = ENTITIES[row.entity]
    found = set(one(world, f"select embedding.text_columns('{row.entity}', '{entity.source}')")[0])
    assert {"tenant_id", entity.key, "deleted_at"} <= found
    assert {part.split(" = ")[0] for part in row.change.split(", ")} <= found
    assert not {part.split(" = ")[0] for part in row.counters.split(", ")} & (found - {"status"})


def test_a_merged_profile_loses_its_vector_and_gets_it_back_when_it_is_parted(world: Warehouse) -> None:
    put(world, ROWS[0])
    embed_all(world)
    change(world, ROWS[0], "root_profile_id = 'winner', merged_into = 'winner', status = 'merged'")
    assert vectors(world, "profile") == {}
    change(world, ROWS[0], "root_profile_id = 'k1', merged_into = null, status = 'active'")
    embed_all(world)
    assert_in_step(world)
    assert set(vectors(world, "profile")) == {"k1"}


def test_a_changed_product_enqueues_exactly_its_transactions(world: Warehouse) -> None:
    products(world, "hat", prefix="h")
    for key, product in (("t1", "p00000"), ("t2", "p00000"), ("t3", "h00000"), ("t4", "unknown")):
        put(world, ROWS[1], key, product_key=product)
    assert jobs(world, where="entity = 'transaction'") == {("transaction", key) for key in ("t1", "t2", "t3")}
    embed_all(world)
    change(world, ROWS[2], "sale_price = 1, status = 'draft', url = 'x'", "p00000")
    assert jobs(world) == set()
    change(world, ROWS[2], "title = 'boot'", "p00000")
    assert jobs(world) == {("product", "p00000"), ("transaction", "t1"), ("transaction", "t2")}
    assert sorted(embed_all(world).texts) == ["boot", "purchase: boot"]
    assert_in_step(world)


def test_a_product_that_comes_late_gives_its_transactions_a_text_and_takes_it_when_it_is_deleted(
    world: Warehouse,
) -> None:
    put(world, ROWS[1], "t1", product_key="late")
    assert jobs(world) == set()
    put(world, ROWS[2], "late")
    assert jobs(world) == {("product", "late"), ("transaction", "t1")}
    embed_all(world)
    assert_in_step(world)
    with world.tenant("acme") as conn:
        conn.execute("delete from cdp.product_item where product_key = 'late'")
    assert vectors(world, "transaction") == {}
    assert_in_step(world)


@pytest.mark.fault
def test_a_product_changed_beside_an_uncommitted_transaction_of_it_leaves_no_stale_vector(
    world: Warehouse,
) -> None:
    executed, commit = threading.Event(), threading.Event()

    def rename() -> None:
        with world.tenant("acme") as conn:
            conn.execute("update cdp.product_item set title = 'boot' where product_key = 'p00000'")
            executed.set()
            assert commit.wait(30)

    thread = threading.Thread(target=rename)
    with world.tenant("acme") as conn:
        insert(conn, "cdp.transactional_context", tenant_id="acme", txn_id="t1", **ROWS[1].values)
        thread.start()
        assert not executed.wait(0.3), "must wait: it cannot see the transaction yet"
    embed_all(world)
    assert executed.wait(30)
    commit.set()
    thread.join()
    embed_all(world)
    assert_in_step(world)


def test_job_and_notification_come_and_go_with_the_transaction(world: Warehouse, pipeline_dsn: str) -> None:
    with psycopg.connect(pipeline_dsn, autocommit=True) as listener:
        listener.execute(f"listen {queue.CHANNEL}")
        with world.tenant("acme") as conn:
            conn.execute("update cdp.product_item set title = 'boot'")
            assert conn.execute("select count(*) from embedding.job").fetchone() == (1,)
            conn.rollback()
        assert jobs(world) == set()
        assert list(listener.notifies(timeout=0.2)) == []
        change(world, ROWS[2], "sale_price = 3", "p00000")
        assert list(listener.notifies(timeout=0.2)) == []
        change(world, ROWS[2], "title = 'boot'", "p00000")
        assert [note.payload for note in listener.notifies(timeout=10, stop_after=1)] == [""]


def test_a_tenant_without_a_model_has_no_jobs_and_gets_them_with_its_first_model(
    warehouse: Warehouse,
) -> None:
    products(warehouse, "shoe")
    for row in ROWS:
        put(warehouse, row)
    assert jobs(warehouse) == set()
    add_model(warehouse)
    assert jobs(warehouse) == {(row.entity, "k1") for row in ROWS} | {("product", "p00000")}
    embed_all(warehouse)
    assert_in_step(warehouse)


def test_several_models_have_a_job_each_and_none_completes_another(world: Warehouse) -> None:
    with world.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    assert one(world, "select count(*), min(model_id) from embedding.job") == (1, OTHER.model_id)
    change(world, ROWS[2], "title = 'boot'", "p00000")
    assert one(world, "select count(*), count(distinct model_id) from embedding.job") == (2, 2)
    embed_all(world)
    assert one(world, "select count(*), min(model_id) from embedding.job") == (1, OTHER.model_id)
    embed_all(world, spec=OTHER)
    assert_in_step(world, spec=SPEC)
    assert_in_step(world, spec=OTHER)


@BY_ENTITY
def test_comparing_everything_finds_what_a_disabled_trigger_missed(
    world: Warehouse, owner_dsn: str, row: Row
) -> None:
    entity = ENTITIES[row.entity]
    for key in ("k1", "k2", "k3", "k4"):
        put(world, row, key, **({"root_profile_id": key} if row.entity == "profile" else {}))
    embed_all(world)
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(f"update {entity.source} set {row.change} where {entity.key} = 'k1'")  # type: ignore[call-overload]
        conn.execute(f"update {entity.source} set {row.bury} where {entity.key} = 'k2'")  # type: ignore[call-overload]
        conn.execute(f"delete from {entity.source} where {entity.key} = 'k3'")  # type: ignore[call-overload]
    assert jobs(world) == set()
    with world.tenant("acme") as conn:
        assert queue.enqueue(conn, row.entity) == 1
        assert queue.enqueue(conn, row.entity) == 0
    assert jobs(world) == {(row.entity, "k1")}
    assert not {"k2", "k3"} & set(vectors(world, row.entity))
    embed_all(world)
    assert_in_step(world, row.entity)


def test_comparing_everything_keeps_nobody_waiting_when_there_is_nothing_to_do(world: Warehouse) -> None:
    locks = (
        "select count(*) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' "
        "and pid = pg_backend_pid()"
    )
    with world.tenant("acme") as conn:
        assert queue.enqueue(conn, "product") == 0
        assert conn.execute(locks).fetchone() == (0,)
    put(world, ROWS[2])
    with world.tenant("acme") as conn:
        assert queue.enqueue(conn, "product") == 0, "a job that stands already is no difference"
        assert conn.execute(locks).fetchone() == (0,)
        conn.execute("delete from embedding.job")
        assert queue.enqueue(conn, "product") == 1
        assert conn.execute(locks).fetchone() == (1,)
