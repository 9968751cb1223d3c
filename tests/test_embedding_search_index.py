"""The distinct texts that an index is built on are always in step with their partition, whoever writes at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.warehouse.connection import Warehouse
from tests.rows import Conn
from tests.vector_support import batch, keys, leaf, register, vectors, write

pytestmark = pytest.mark.usefixtures("acme")

DISTINCT = vectors(12, 8, seed=1)


def of_texts(model: str, names: list[str], texts: list[int]) -> VectorBatch:
    """Rows whose texts are these."""
    return VectorBatch("acme", "review", model, names, [bytes([text]) for text in texts], DISTINCT[texts])


def indexed(warehouse: Warehouse) -> str:
    """acme's model with six reviews of three texts under an index."""
    model = register(warehouse, "acme", 8)
    write(warehouse, of_texts(model, keys(6), [0, 0, 0, 1, 1, 2]))
    with warehouse.session("acme") as session:
        assert VectorStore(session).index("review", model, index_from=1)
    return model


def texts(conn: Conn, model: str) -> tuple[list[bytes], list[bytes]]:
    """Distinct texts of the partition, and those of its index."""
    name = leaf(conn, "review", "acme", model)
    return (
        [row[0] for row in conn.execute(f"select distinct text_hash from {name} order by 1")],
        [row[0] for row in conn.execute(f"select text_hash from {name}_texts order by 1")],
    )


def test_what_is_written_changed_and_deleted_afterwards_is_followed(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    model = indexed(warehouse)
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        assert texts(conn, model) == ([b"\0", b"\1", b"\2"],) * 2
        write(warehouse, of_texts(model, ["new", "k000005"], [3, 4]))
        assert texts(conn, model) == ([b"\0", b"\1", b"\3", b"\4"],) * 2
        for key, left in (("k000000", 4), ("k000001", 4), ("k000002", 3)):
            with warehouse.tenant("acme") as writer:
                writer.execute("delete from embedding.review_embedding where entity_key = %s", (key,))
            of_rows, of_index = texts(conn, model)
            assert of_rows == of_index
            assert len(of_index) == left
        with warehouse.tenant("acme") as writer:
            writer.execute("delete from embedding.review_embedding")
        assert texts(conn, model) == ([], [])


def test_a_change_that_is_rolled_back_leaves_the_index_as_it_was(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    model = indexed(warehouse)
    with psycopg.connect(owner_dsn) as conn:
        before = texts(conn, model)
        with warehouse.session("acme") as session, session.transaction() as writer:
            writer.execute("delete from embedding.review_embedding")
            raise psycopg.Rollback
        assert texts(conn, model) == before


def test_texts_of_the_index_are_closed_to_other_tenants_like_the_partition(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    model = indexed(warehouse)
    with psycopg.connect(owner_dsn) as conn:
        name = leaf(conn, "review", "acme", model)
        for role, scope, seen in (
            ("cdp_reader", "acme", 3),
            ("cdp_reader", "lotus", 0),
            ("cdp_pipeline", "", 0),
        ):
            conn.execute(f"set role {role}")
            conn.execute("select set_config('app.tenant_id', %s, false)", (scope,))
            assert conn.execute(f"select count(*) from {name}_texts").fetchone() == (seen,)
            conn.execute("reset role")


def test_a_dropped_model_takes_the_texts_of_its_index_along(warehouse: Warehouse, owner_dsn: str) -> None:
    indexed(warehouse)
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        left = "select count(*) from pg_class where relnamespace = 'embedding'::regnamespace and relname ~ '_texts'"
        assert conn.execute(left).fetchone() != (0,)
        conn.execute("set app.tenant_id = 'acme'")
        conn.execute("call ops.remove_tenant('acme')")
        assert conn.execute(left).fetchone() == (0,)


@pytest.mark.fault
def test_writers_and_deleters_of_the_same_few_texts_at_once_lose_none_and_leave_none(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    """Four writers, one row per transaction: the last bearer of a text often goes while another one comes."""
    model = indexed(warehouse)

    def work(number: int) -> None:
        rng = random.Random(number)
        with warehouse.session("acme") as session:
            store = VectorStore(session)
            for _ in range(120):
                key = f"w{number}-{rng.randrange(2)}"
                if rng.random() < 0.5:
                    store.write(of_texts(model, [key], [rng.randrange(8, 10)]))
                else:
                    with session.transaction() as conn:
                        conn.execute("delete from embedding.review_embedding where entity_key = %s", (key,))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()
    with psycopg.connect(owner_dsn) as conn:
        of_rows, of_index = texts(conn, model)
        assert of_rows == of_index


def test_the_first_rows_of_a_partition_need_no_index(warehouse: Warehouse, owner_dsn: str) -> None:
    model = register(warehouse, "acme", 8)
    write(warehouse, batch("acme", model, vectors(5, 8), entity="review"))
    with psycopg.connect(owner_dsn) as conn:
        assert conn.execute("select count(*) from pg_trigger where tgname = 'text_indexed'").fetchone() == (
            0,
        )
