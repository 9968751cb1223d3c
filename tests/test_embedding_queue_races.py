"""Texts that are edited while their jobs run: in the end every vector is that of the text, and no job is left."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import (
    Scripted,
    add_model,
    assert_in_step,
    drain,
    embed_all,
    jobs,
    lease_of,
    products,
    worker_of,
)
from tests.rows import insert

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("acme")]

EDITS = 500
KEYS = 24


@pytest.mark.slow
def test_1000_texts_edited_during_the_call_leave_no_stale_vector(warehouse: Warehouse) -> None:
    """A third goes to another text, a third there and back, a third away (half of these come back)."""
    add_model(warehouse)
    products(warehouse, *[f"title {n}" for n in range(1000)])
    edited: set[int] = set()

    def edit(texts: Sequence[str]) -> None:
        mine = [n for n in (int(text.split()[-1]) for text in texts) if n not in edited]
        edited.update(mine)
        by_kind = [[f"p{n:05}" for n in mine if n % 6 in kind] for kind in ((0, 1), (2, 3), (4, 5), (5,))]
        for statement, keys in (
            ("update cdp.product_item set title = 'edited ' || title where product_key = any(%s)", by_kind[0]),
            ("update cdp.product_item set title = 'edited ' || title where product_key = any(%s)", by_kind[1]),
            ("update cdp.product_item set title = substr(title, 8) where product_key = any(%s)", by_kind[1]),
            ("update cdp.product_item set deleted_at = now() where product_key = any(%s)", by_kind[2]),
            ("update cdp.product_item set deleted_at = null, title = 'edited ' || title where product_key = any(%s)",
             by_kind[3]),
        ):  # fmt: skip
            with warehouse.tenant("acme") as conn:
                conn.execute(statement, (keys,))

    stored = drain(worker_of(warehouse, Scripted(before=edit)), warehouse)
    assert len(edited) == 1000
    assert stored.superseded >= 1000, "each job was touched while it was held"
    assert_in_step(warehouse)


def test_a_text_that_goes_back_while_its_vector_is_being_committed_waits_and_is_enqueued_again(
    warehouse: Warehouse,
) -> None:
    """The comparison must not see the vector of before: it would find text and vector equal, and make no job."""
    add_model(warehouse)
    products(warehouse, "one")
    embed_all(warehouse)
    done = threading.Event()

    def retitle(title: str) -> None:
        with warehouse.tenant("acme") as conn:
            conn.execute("update cdp.product_item set title = %s", (title,))
        done.set()

    retitle("two")
    done.clear()
    thread = threading.Thread(target=retitle, args=("one",))
    with lease_of(worker_of(warehouse, Scripted())) as batch, warehouse.session("acme") as session:
        store = VectorStore(session)
        with session.transaction():
            assert store.write(batch).written == 1
            thread.start()
            assert not done.wait(0.3), "must wait for the vector that is being written"
        thread.join()
    assert jobs(warehouse) == {("product", "p00000")}
    embed_all(warehouse)
    assert_in_step(warehouse)


class Editors:
    """Four connections that edit in short transactions, each row by one of them only, while workers drain."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._left = threading.Barrier(4)

    def run(self, number: int, edit: Callable[[psycopg.Connection, random.Random, int], None]) -> int:
        dice = random.Random(number)
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            self._left.wait(30)
            for turn in range(EDITS):
                with conn.transaction():
                    conn.execute("select set_config('app.tenant_id', 'acme', true)")
                    edit(conn, dice, turn)
        return EDITS


def rename(prefix: str) -> Callable[[psycopg.Connection, random.Random, int], None]:
    """Titles out of three, so that texts return often; now and then a product is away for a while."""

    def edit(conn: psycopg.Connection, dice: random.Random, turn: int) -> None:
        key = f"{prefix}{dice.randrange(KEYS):05}"
        conn.execute(
            "update cdp.product_item set title = %s, deleted_at = case when %s then now() end where product_key = %s",
            (f"{key} {dice.choice('ABC')}", dice.random() < 0.1, key),
        )

    return edit


def move(conn: psycopg.Connection, dice: random.Random, turn: int) -> None:
    """Transactions change their product, which somebody else is renaming."""
    product = f"{dice.choice('pq')}{dice.randrange(KEYS):05}"
    conn.execute(
        "update cdp.transactional_context set product_key = %s, txn_type = %s where txn_id = %s",
        (product, dice.choice(["purchase", "refund"]), f"t{dice.randrange(KEYS)}"),
    )


def relocate(conn: psycopg.Connection, dice: random.Random, turn: int) -> None:
    """Profiles move there and back, in one transaction or in two."""
    key = f"c{dice.randrange(KEYS)}"
    for _ in range(dice.choice((1, 1, 2))):
        conn.execute(
            "update cdp.customer_profile set city = %s where cdp_profile_id = %s", (dice.choice("ABC"), key)
        )


@pytest.mark.slow
def test_2000_edits_of_four_connections_beside_two_workers_leave_no_stale_vector(
    warehouse: Warehouse, pipeline_dsn: str
) -> None:
    add_model(warehouse)
    for prefix in "pq":
        products(warehouse, *[f"{prefix} {n}" for n in range(KEYS)], prefix=prefix)
    with warehouse.tenant("acme") as conn:
        for n in range(KEYS):
            insert(conn, "cdp.transactional_context", tenant_id="acme", txn_id=f"t{n}", product_key="p00000",
                   txn_type="purchase")  # fmt: skip
            insert(conn, "cdp.customer_profile", tenant_id="acme", cdp_profile_id=f"c{n}", root_profile_id=f"c{n}",
                   status="active", city="A")  # fmt: skip
    editors, over = Editors(pipeline_dsn), threading.Event()

    def work() -> Stored:
        stored = Stored()
        with Warehouse(pipeline_dsn) as own:
            worker = worker_of(own, Scripted(batch_size=4), claim=16)
            while not over.is_set():
                stored += drain(worker, own, "product", "transaction", "profile")
        return stored

    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        kinds = (rename("p"), rename("q"), move, relocate)
        edits = [pool.submit(editors.run, n, kind) for n, kind in enumerate(kinds)]
        try:
            assert sum(found.result(120) for found in edits) == 2000
        finally:
            over.set()
        stored = workers[0].result(60) + workers[1].result(60)
    assert stored.written > 100, "the workers did work meanwhile"
    assert stored.superseded > 0, "and edits did hit jobs that were held"
    embed_all(warehouse)
    assert_in_step(warehouse)
