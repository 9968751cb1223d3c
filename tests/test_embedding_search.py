"""Search and lookalikes in SQL, as cdp_reader calls them, against the true neighbours computed in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.conftest import Server
from tests.databases import shared_database
from tests.rows import Conn, insert
from tests.vector_support import ask, batch, keys, leaf, nearest, reader, register, vectors, write

DIM = 24
FOUND = vectors(2_500, DIM, seed=4)
QUERIES = vectors(20, DIM, seed=5)
NAMES = keys(len(FOUND))
SEGMENT = [7, 8, 9, 10, 2_000]
ENTITIES_FILLED = ("product", "profile")


@pytest.fixture(scope="module")
def filled(postgres: Server) -> Iterator[str]:
    """acme with 2,500 products (exact) and as many profiles (under an index); lotus with other vectors."""
    with shared_database(postgres, "test_search") as name:
        with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
            for number, tenant in enumerate(("acme", "lotus")):
                put_tenant(warehouse, Tenant(tenant, tenant, "active", "dump", {"folder": "unused"}, {}))
                model = register(warehouse, tenant, DIM)
                found = FOUND if number == 0 else vectors(50, DIM, seed=6)
                for entity in ENTITIES_FILLED:
                    write(warehouse, batch(tenant, model, found, entity=entity))
            with warehouse.session("acme") as session:
                assert not VectorStore(session).index("product", model)
                assert VectorStore(session).index("profile", model, index_from=2_500)
            with warehouse.tenant("acme") as conn:
                for row in SEGMENT:
                    insert(
                        conn,
                        "cdp.profile_segment",
                        tenant_id="acme",
                        segment_id="vip",
                        cdp_profile_id=NAMES[row],
                        left_at=None,
                    )
                insert(
                    conn,
                    "cdp.profile_segment",
                    tenant_id="acme",
                    segment_id="vip",
                    cdp_profile_id=NAMES[11],
                    left_at="2026-01-01T00:00:00Z",
                )
        yield name


@pytest.fixture
def acme_reader(postgres: Server, filled: str) -> Iterator[Conn]:
    with reader(postgres, filled, "acme") as conn:
        yield conn


@pytest.mark.parametrize("k", [1, 10, 100, 1_000])
def test_an_exact_search_finds_the_true_neighbours_in_their_order(acme_reader: Conn, k: int) -> None:
    for query in QUERIES[:5]:
        assert ask(acme_reader, query, k) == [NAMES[row] for row in nearest(query, FOUND, k)]


@pytest.mark.parametrize("k", [1, 10, 100, 1_000])
def test_a_search_under_an_index_gives_k_rows_and_nearly_all_of_the_true_ones(
    acme_reader: Conn, k: int
) -> None:
    recalls = []
    for query in QUERIES:
        answer = ask(acme_reader, query, k, entity="profile")
        assert len(answer) == len(set(answer)) == k
        recalls.append(len(set(answer) & {NAMES[row] for row in nearest(query, FOUND, k)}) / k)
    assert np.mean(recalls) >= 0.98


@pytest.mark.parametrize("entity", ENTITIES_FILLED)
def test_a_k_above_the_number_of_rows_gives_them_all(acme_reader: Conn, entity: str) -> None:
    answer = ask(acme_reader, QUERIES[0], 10_000, entity=entity)
    assert answer == [NAMES[row] for row in nearest(QUERIES[0], FOUND, len(FOUND))]


def test_a_score_is_the_cosine_whatever_the_length_of_the_query(acme_reader: Conn) -> None:
    for factor in (1e-15, 1, 1e15):
        rows = acme_reader.execute(
            "select entity_key, score, model_id from embedding.search('profile', %s::public.vector, 3)",
            (str((QUERIES[1] * np.float32(factor)).tolist()),),
        ).fetchall()
        best = nearest(QUERIES[1], FOUND, 3)
        assert [row[0] for row in rows] == [NAMES[row] for row in best]
        assert np.allclose([row[1] for row in rows], FOUND[best] @ QUERIES[1], atol=1e-5)
        assert {row[2] for row in rows} == {"p-24-" + rows[0][2].rpartition("-")[2]}


@pytest.mark.parametrize("entity", ENTITIES_FILLED)
def test_similar_leaves_out_the_one_that_was_asked_about(acme_reader: Conn, entity: str) -> None:
    rows = acme_reader.execute(
        "select entity_key from embedding.similar(%s, %s, 10)", (entity, NAMES[3])
    ).fetchall()
    assert [row[0] for row in rows] == [NAMES[row] for row in nearest(FOUND[3], FOUND, 11)[1:]]


def lookalikes(seeds: list[int], k: int) -> list[str]:
    ranked = nearest(FOUND[seeds].mean(axis=0), FOUND, len(FOUND))
    return [NAMES[row] for row in ranked if row not in set(seeds)][:k]


def test_a_lookalike_is_near_the_centre_of_the_seeds_and_none_of_them(acme_reader: Conn) -> None:
    for seeds in ([5], [5, 6], list(range(400)), list(range(1_500))):
        rows = acme_reader.execute(
            "select entity_key from embedding.lookalike(%s, 50)", ([NAMES[row] for row in seeds],)
        ).fetchall()
        true = lookalikes(seeds, 50)
        assert len(rows) == 50
        assert len({row[0] for row in rows} & set(true)) >= 48
        assert not {row[0] for row in rows} & {NAMES[row] for row in seeds}


def test_seeds_without_a_vector_and_nulls_change_nothing(acme_reader: Conn) -> None:
    rows = acme_reader.execute(
        "select entity_key from embedding.lookalike(%s, 20)", ([None, NAMES[5], "vanished"],)
    ).fetchall()
    assert [row[0] for row in rows] == lookalikes([5], 20)


def test_a_segments_lookalikes_are_those_of_its_present_members(acme_reader: Conn) -> None:
    rows = acme_reader.execute("select entity_key from embedding.lookalike_segment('vip', 30)").fetchall()
    # the server adds up in float32: of two that are equally far, either may come first, or be the last
    assert len({row[0] for row in rows} & set(lookalikes(SEGMENT, 30))) >= 29
    assert [row[0] for row in rows][:10] == lookalikes(SEGMENT, 10)
    count = acme_reader.execute("select count(*) from embedding.lookalike_segment('vip')").fetchone()
    assert count == (100,)


REFUSED = {
    "search('planet', '[1]')": "unknown entity planet, known are .*profile",
    "search(null, '[1]')": "unknown entity <NULL>",
    "search('product', '[1]')": "the query has 1 dimensions, model p-24-.* has 24",
    "search('product', null)": "the query has <NULL> dimensions",
    "search('product', array_fill(0::real, array[24])::public.vector)": "zero vector",
    "search('product', '[1]', 0)": "k is 0",
    "search('product', '[1]', 10001)": "k is 10001, it must be between 1 and 10,000",
    "search('product', '[1]', null)": "k is <NULL>",
    "search('product', '[1]', 5, 'ghost')": "tenant acme has no model ghost",
    "similar('planet', 'x')": "unknown entity planet",
    "similar('product', 'nobody')": "this product has no vector",
    "similar('product', null)": "this product has no vector",
    "similar('review', 'k000001')": "this review has no vector",
    "lookalike('{nobody}')": "none of the 1 seed profiles has a vector",
    "lookalike('{}')": "none of the 0 seed profiles has a vector",
    "lookalike(null)": "none of the <NULL> seed profiles has a vector",
    "lookalike('{k000001}', -1)": "k is -1",
    "lookalike_segment('nobody')": "segment nobody has no members, or there is no such segment",
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_question_that_makes_no_sense_is_refused_in_words(acme_reader: Conn, call: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match=REFUSED[call]):
        acme_reader.execute(f"select * from embedding.{call}")


@pytest.mark.parametrize("tenant", ["", "nobody"])
def test_outside_a_tenant_nothing_is_found(postgres: Server, filled: str, tenant: str) -> None:
    with reader(postgres, filled, tenant) as conn:
        for call in ("search('product', '[1]')", "similar('product', 'k000001')", "lookalike('{k000001}')"):
            with pytest.raises(psycopg.errors.RaiseException, match="has no active model"):
                conn.execute(f"select * from embedding.{call}")


def scans(conn: Conn, entity: str) -> int:
    """How often the index of an entity of acme was used so far."""
    row = conn.execute(
        "select coalesce(sum(idx_scan), 0) from pg_stat_user_indexes where indexrelname = "
        "embedding.leaf(%s, 'acme', (select model_id from embedding.active_model where tenant_id = 'acme')) || '_hnsw'",
        (entity,),
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("k", "uses_index"), [(10, True), (1_000, True), (1_001, False)])
def test_the_index_is_used_where_there_is_one_up_to_a_thousand_candidates(
    postgres: Server, filled: str, acme_reader: Conn, k: int, uses_index: bool
) -> None:
    # at 2,500 rows a scan costs about as much: what matters is that the index can serve
    acme_reader.execute("set enable_seqscan = off; set enable_sort = off")
    with psycopg.connect(postgres.dsn(filled, user="postgres"), autocommit=True) as conn:
        before = scans(conn, "profile")
        ask(acme_reader, QUERIES[0], k, entity="profile")
        acme_reader.execute("select pg_stat_force_next_flush()")
        assert scans(conn, "profile") - before == int(uses_index)
        assert scans(conn, "product") == 0


def test_an_index_is_built_once_and_only_where_vectors_are_many(
    warehouse: Warehouse, acme: Tenant, owner_dsn: str
) -> None:
    model = register(warehouse, "acme", 8)
    write(warehouse, batch("acme", model, vectors(60, 8)))
    with warehouse.session("acme") as session, psycopg.connect(owner_dsn, autocommit=True) as conn:
        store = VectorStore(session)
        name = leaf(conn, "product", "acme", model)
        statement = f"select pg_get_indexdef(to_regclass('{name}_hnsw')), to_regclass('{name}_hnsw')::oid"
        assert not store.index("product", model, index_from=61)
        assert conn.execute(statement).fetchone() == (None, None)
        assert store.index("product", model, index_from=60)
        first = conn.execute(statement).fetchone()
        assert store.index("product", model, index_from=60)
        assert conn.execute(statement).fetchone() == first
    assert first is not None
    assert "USING hnsw (embedding halfvec_cosine_ops)" in first[0]


@pytest.mark.parametrize("dimension", [768, 1536, 3072])
def test_models_of_every_common_dimension_are_indexed_and_searched(
    warehouse: Warehouse, acme: Tenant, postgres: Server, database: str, dimension: int
) -> None:
    model = register(warehouse, "acme", dimension)
    found = vectors(300, dimension)
    write(warehouse, batch("acme", model, found))
    with warehouse.session("acme") as session:
        assert VectorStore(session).index("product", model, index_from=300)
    with reader(postgres, database, "acme") as conn:
        for query in vectors(5, dimension, seed=9):
            assert ask(conn, query, 10) == [keys(300)[row] for row in nearest(query, found, 10)]


def test_thousands_of_equal_vectors_under_an_index_hide_no_other_one(
    warehouse: Warehouse, acme: Tenant, postgres: Server, database: str
) -> None:
    """Purchases of one product share a text: 20 texts, 200 purchases each, and one that nobody else has."""
    model = register(warehouse, "acme", DIM)
    distinct = vectors(21, DIM, seed=7)
    rows = np.append(np.repeat(np.arange(20), 200), 20)
    given = VectorBatch(
        "acme", "transaction", model, keys(len(rows)), [bytes([row]) for row in rows], distinct[rows]
    )
    write(warehouse, given)
    with warehouse.session("acme") as session:
        assert VectorStore(session).index("transaction", model, index_from=1)
    with reader(postgres, database, "acme") as conn:
        for query in distinct:
            found = conn.execute(
                "select score from embedding.search('transaction', %s::public.vector, 300)",
                (str(query.tolist()),),
            ).fetchall()
            assert len(found) == 300
            assert np.allclose(
                [row[0] for row in found], np.sort(distinct[rows] @ query)[::-1][:300], atol=1e-5
            )
