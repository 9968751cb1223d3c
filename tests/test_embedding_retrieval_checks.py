"""Checks of searches and of what moved between two fills, on vectors that are made for the purpose."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import psycopg
import pytest
from psycopg import sql

from cdp_assets.checks.measures import Measure, Severity
from cdp_assets.checks.vector_catalog import evaluate_vectors
from cdp_assets.embedding import models, probes
from cdp_assets.embedding.entities import PRODUCT
from cdp_assets.embedding.probes import NEAREST, PROBED, TEXTS, Probe, newest, overlaps, take_probe
from cdp_assets.embedding.providers.model import ModelSpec, Vectors
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.vectors import VectorBatch
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
    with psycopg.connect(owner_dsn) as conn:
        row = conn.execute("select embedding.leaf('product', 'acme', %s)", (MODEL,)).fetchone()
        assert row is not None
        conn.execute(
            sql.SQL(
                "create index {} on {} using hnsw ((embedding::halfvec(16)) halfvec_cosine_ops) "
                "with (m = 2, ef_construction = 4)"
            ).format(sql.Identifier(f"{row[0]}_hnsw"), sql.Identifier("embedding", row[0]))
        )
        conn.execute(sql.SQL("analyze {}").format(sql.Identifier("embedding", row[0])))
    found = shelf.measure("index_recall")
    print(found)
    assert (found.failing > 0, found.severity) == (True, Severity.ERROR)
    assert found.numbers["recall"] < 0.95
