"""Equal texts of a tenant are embedded once under a model; and what is kept for that, and what never is."""

from __future__ import annotations

import pytest

from cdp_assets.embedding import models
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.embedding_queue_support import (
    OTHER,
    Scripted,
    add_model,
    assert_in_step,
    drain,
    embed_all,
    hash_of,
    one,
    products,
    worker_of,
)
from tests.rows import insert

pytestmark = pytest.mark.usefixtures("acme")


def transactions(warehouse: Warehouse, count: int, *, product: str = "p00000") -> None:
    with warehouse.tenant("acme") as conn:
        for number in range(count):
            insert(conn, "cdp.transactional_context", tenant_id="acme", txn_id=f"{product}-{number:03}",
                   product_key=product, txn_type="purchase")  # fmt: skip


def test_equal_texts_of_one_claim_and_of_later_claims_are_embedded_once(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "shoe")
    transactions(warehouse, 60)
    provider = Scripted()
    worker = worker_of(warehouse, provider, claim=25)
    assert drain(worker, warehouse, "transaction").written == 25
    assert worker.tally.settled["copied"] == 35
    assert provider.texts == ["purchase: shoe"]
    drain(worker, warehouse)
    assert_in_step(warehouse)


def test_equal_texts_of_two_entities_are_embedded_once(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "excellent")
    embed_all(warehouse)
    with warehouse.tenant("acme") as conn:
        insert(
            conn, "cdp.feedback", tenant_id="acme", feedback_id="f1", comment="excellent", status="published"
        )
    assert embed_all(warehouse).calls == []
    assert_in_step(warehouse)


def test_equal_texts_of_two_tenants_or_two_models_are_not_shared(warehouse: Warehouse) -> None:
    put_tenant(warehouse, Tenant("lotus", "Lotus", "active", "dump", {"folder": "unused"}, {}))
    for tenant, spec in (("acme", None), ("lotus", None), ("lotus", OTHER)):
        if spec is None:
            add_model(warehouse, tenant)
            products(warehouse, "shoe", tenant=tenant)
            assert embed_all(warehouse, tenant=tenant).texts == ["shoe"]
    with warehouse.tenant("lotus") as conn:
        models.add(conn, "lotus", OTHER)
    assert embed_all(warehouse, tenant="lotus", spec=OTHER).texts == ["shoe"]


@pytest.mark.parametrize("way", ["delete", "tombstone", "edit"])
def test_a_product_and_its_transactions_that_leave_and_return_are_not_embedded_again(
    warehouse: Warehouse, way: str
) -> None:
    add_model(warehouse)
    products(warehouse, "shoe")
    transactions(warehouse, 3)
    embed_all(warehouse)
    with warehouse.tenant("acme") as conn:
        if way == "delete":
            conn.execute("delete from cdp.product_item")
            conn.execute("delete from cdp.transactional_context")
        elif way == "tombstone":
            conn.execute("update cdp.transactional_context set deleted_at = now()")
            conn.execute("update cdp.product_item set deleted_at = now()")
        else:
            conn.execute("update cdp.product_item set title = 'boot'")
    embed_all(warehouse)
    assert_in_step(warehouse)
    if way == "delete":
        products(warehouse, "shoe")
        transactions(warehouse, 3)
    else:
        with warehouse.tenant("acme") as conn:
            conn.execute("update cdp.product_item set deleted_at = null, title = 'shoe'")
            conn.execute("update cdp.transactional_context set deleted_at = null")
    assert embed_all(warehouse).calls == []
    assert_in_step(warehouse)


PERSONAL = [
    ("profile", "cdp.customer_profile",
     {"cdp_profile_id": "k", "root_profile_id": "k", "status": "active", "city": "X"}),
    ("review", "cdp.feedback", {"feedback_id": "k", "comment": "X", "status": "published"}),
]  # fmt: skip


@pytest.mark.parametrize("way", ["deleted_at = now()", "{} = 'Y'"])
@pytest.mark.parametrize(("entity", "relation", "row"), PERSONAL, ids=["profile", "review"])
def test_the_vector_of_a_person_who_leaves_is_in_no_table(
    warehouse: Warehouse, entity: str, relation: str, row: dict[str, str], way: str
) -> None:
    add_model(warehouse)
    with warehouse.tenant("acme") as conn:
        insert(conn, relation, tenant_id="acme", **row)
    (content,) = embed_all(warehouse).texts
    column = "city" if entity == "profile" else "comment"
    with warehouse.tenant("acme") as conn:
        conn.execute(f"update {relation} set {way.format(column)}")  # type: ignore[call-overload]
    embed_all(warehouse)
    stands = " union all ".join(
        f"select text_hash from embedding.{table}"
        for table in (f"{entity}_embedding", "retired_vector", "job")
    )
    assert one(
        warehouse, f"select count(*) from ({stands}) as s where text_hash = '\\x{hash_of(content).hex()}'"
    ) == (0,)
    assert one(warehouse, "select count(*) from embedding.retired_vector") == (0,)
    with warehouse.tenant("acme") as conn:
        conn.execute(f"update {relation} set deleted_at = null, {column} = 'X'")  # type: ignore[call-overload]
    assert embed_all(warehouse).texts == [content]


def test_a_lookup_of_known_vectors_reads_one_row_a_text_however_often_it_occurs(warehouse: Warehouse) -> None:
    model = add_model(warehouse)
    products(warehouse, "shoe")
    transactions(warehouse, 400)
    embed_all(warehouse)
    reads = (
        "select coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0) from pg_stat_xact_user_tables "
        "where schemaname = 'embedding' and relname like 'transaction%'"
    )
    with warehouse.tenant("acme") as conn:
        before = conn.execute(reads).fetchone()
        found = conn.execute(
            "select count(*) from embedding.known_vectors(%s, array[%s, %s])",
            (model.model_id, hash_of("purchase: shoe"), hash_of("not there")),
        ).fetchone()
        after = conn.execute(reads).fetchone()
    assert found == (1,)
    assert before is not None
    assert after is not None
    assert after[0] == before[0]
    assert 1 <= after[1] - before[1] <= 4, "not 400"
