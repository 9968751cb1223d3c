"""Checks of searches and of what moved between two fills, on vectors that are made for the purpose."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import psycopg
import pytest
from psycopg import sql

from cdp_assets.checks.vector_catalog import evaluate_vectors
from cdp_assets.embedding import models
from cdp_assets.embedding.entities import PRODUCT
from cdp_assets.embedding.probes import KEPT, NEAREST, PROBED, TEXTS, Probe, newest, overlaps, take_probe
from cdp_assets.embedding.providers.model import ModelSpec, Vectors
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.quality import Measure, Severity
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant

SPEC = ModelSpec("placeholder", "retrieval", "", 16)
MODEL = SPEC.model_id


def unit(rows: int, *, seed: int = 1, around: float = 0.0) -> Vectors:
    """Vectors in all directions, or the more alike the larger `around`."""
    found = np.random.default_rng(seed).normal(size=(rows, 16)) + around
    return np.ascontiguousarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


class Shelf:
    """Products of acme, which are nothing but vectors."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        models.ensure_active(warehouse, "acme", SPEC)

    def put(self, vectors: Vectors, *, since: int = 0, text: str = "text") -> None:
        keys = [f"k{number:05}" for number in range(since, since + len(vectors))]
        hashes = [sha256(f"{text} {key}".encode()).digest() for key in keys]
        with self.warehouse.session("acme") as session:
            VectorStore(session).write(VectorBatch("acme", "product", MODEL, keys, hashes, vectors))

    def probe(self) -> Probe:
        with self.warehouse.tenant("acme") as conn:
            return take_probe(conn, "acme", MODEL, "product")

    def empty(self) -> None:
        with self.warehouse.tenant("acme") as conn:
            conn.execute("delete from embedding.product_embedding")

    def measure(self, check: str) -> Measure:
        ((_, found),) = evaluate_vectors(self.warehouse, "acme", PRODUCT, names={check})
        return found


@pytest.fixture
def shelf(warehouse: Warehouse, acme: Tenant) -> Shelf:
    return Shelf(warehouse)


def test_a_good_index_passes_and_says_its_recall(shelf: Shelf) -> None:
    shelf.put(unit(1_500))
    assert "so the search is exact" in shelf.measure("index_recall").says
    with shelf.warehouse.session("acme") as session:
        assert VectorStore(session).index("product", MODEL, index_from=1_000)
    found = shelf.measure("index_recall")
    assert found.passed
    assert found.numbers["recall"] >= 0.95
    assert found.numbers["queries"] == 20


def test_an_index_that_loses_neighbours_fails(shelf: Shelf, owner_dsn: str) -> None:
    shelf.put(unit(6_000))
    with shelf.warehouse.session("acme") as session:
        assert VectorStore(session).index("product", MODEL, index_from=1_000)
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("set app.tenant_id = 'acme'")
        row = conn.execute("select embedding.leaf('product', 'acme', %s)", (MODEL,)).fetchone()
        assert row is not None
        # 1 text of 16 stays: whatever levels HNSW drew, no search can find its ten nearest among them
        lost = conn.execute(
            sql.SQL("delete from {} where get_byte(text_hash, 0) >= 16").format(
                sql.Identifier("embedding", f"{row[0]}_texts")
            )
        )
        assert lost.rowcount > 5_000
    found = shelf.measure("index_recall")
    assert (found.failing, found.severity) == (20, Severity.ERROR)
    assert len(found.sample) == 20
    assert found.numbers["recall"] < 0.95


def test_a_probe_is_what_a_plain_computation_finds(shelf: Shelf) -> None:
    vectors = unit(60)
    shelf.put(vectors)
    found = shelf.probe()
    names = [sha256(f"text k{number:05}".encode()).hexdigest()[:16] for number in range(60)]
    order = sorted(range(60), key=names.__getitem__)
    scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    assert found.vectors == 60
    assert found.texts == [names[number] for number in order]
    assert found.mean_similarity == pytest.approx((scores.sum() - 60) / (60 * 59), abs=1e-6)
    assert len(found.nearest) == PROBED
    for place, nearest in enumerate(found.nearest):
        ranked = sorted((n for n in range(60) if n != order[place]), key=lambda n: -scores[order[place], n])
        assert [order[near] for near in nearest] == ranked[:NEAREST]


def test_a_probe_is_read_as_it_was_taken_and_old_ones_go(shelf: Shelf) -> None:
    shelf.put(unit(5))
    taken = [shelf.probe() for _ in range(KEPT + 2)]
    with shelf.warehouse.tenant("acme") as conn:
        assert newest(conn, "acme", MODEL, "product") == [taken[-1], taken[-2]]
        assert newest(conn, "acme", MODEL, "product", limit=100) == taken[:1:-1]
        assert newest(conn, "acme", MODEL, "review") == []


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_probe_of_next_to_nothing_says_so(shelf: Shelf, rows: int) -> None:
    shelf.put(unit(rows))
    found = shelf.probe()
    assert (found.vectors, len(found.texts), len(found.nearest)) == (rows, rows, rows)
    assert (found.mean_similarity is None) == (rows < 2)
    shelf.probe()
    for check in (
        "similarity_drift",
        "neighbour_overlap",
        "self_retrieval",
        "index_recall",
        "duplicate_vectors",
    ):
        assert shelf.measure(check).passed


def test_rows_with_one_text_are_one_text_to_a_probe(shelf: Shelf, owner_dsn: str) -> None:
    shelf.put(unit(8))
    with psycopg.connect(owner_dsn) as conn:
        conn.execute(
            "insert into embedding.product_embedding select tenant_id, model_id, entity_key || 'x', text_hash, "
            "embedding from embedding.product_embedding"
        )
    found = shelf.probe()
    assert (found.vectors, len(found.texts)) == (16, 8)


def test_growth_alone_changes_no_overlap(shelf: Shelf) -> None:
    shelf.put(unit(TEXTS))
    before = shelf.probe()
    shelf.put(unit(TEXTS, seed=2), since=TEXTS)
    now = shelf.probe()
    assert len(set(now.texts) & set(before.texts)) < TEXTS * 0.6
    shares = overlaps(now, before)
    assert len(shares) > PROBED / 3
    assert set(shares.values()) == {1.0}
    assert shelf.measure("neighbour_overlap").numbers["overlap"] == 1


def test_the_same_texts_with_other_vectors_lose_their_neighbours(shelf: Shelf) -> None:
    shelf.put(unit(200))
    shelf.probe()
    assert shelf.measure("neighbour_overlap").says.startswith("the first fill")
    shelf.empty()
    shelf.put(unit(200, seed=2))
    shelf.probe()
    found = shelf.measure("neighbour_overlap")
    assert (found.passed, found.severity) == (False, Severity.ERROR)
    assert found.numbers["overlap"] < 0.3
    assert found.numbers["texts_compared"] == PROBED
    assert shelf.measure("similarity_drift").passed, "one cloud of noise is as alike as another"


def test_vectors_that_moved_a_little_warn(shelf: Shelf) -> None:
    shelf.put(unit(200))
    shelf.probe()
    moved = unit(200) + 0.04 * np.random.default_rng(3).normal(size=(200, 16))
    shelf.empty()
    shelf.put((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32))
    shelf.probe()
    found = shelf.measure("neighbour_overlap")
    assert 0.7 < found.numbers["overlap"] < 0.9
    assert (found.passed, found.severity) == (False, Severity.WARN)


def test_texts_that_all_changed_have_nothing_to_compare(shelf: Shelf) -> None:
    shelf.put(unit(50))
    shelf.probe()
    shelf.put(unit(50, seed=2), text="other")
    shelf.probe()
    found = shelf.measure("neighbour_overlap")
    assert found.passed
    assert found.numbers["texts_compared"] == 0


@pytest.mark.parametrize(
    ("around", "passes", "severity"),
    [(0.15, True, None), (0.32, False, Severity.WARN), (1.0, False, Severity.ERROR)],
)
def test_vectors_that_grew_alike_are_a_drift(
    shelf: Shelf, around: float, passes: bool, severity: Severity | None
) -> None:
    shelf.put(unit(300))
    shelf.probe()
    shelf.put(unit(300, around=around), text="other")
    shelf.probe()
    found = shelf.measure("similarity_drift")
    assert found.passed is passes, found.says
    assert severity in {None, found.severity}


def test_the_drift_of_a_handful_of_texts_says_nothing(shelf: Shelf) -> None:
    shelf.put(unit(29))
    shelf.probe()
    shelf.put(unit(29, around=3.0), text="other")
    shelf.probe()
    found = shelf.measure("similarity_drift")
    assert found.passed
    assert "fewer than 30 texts" in found.says
