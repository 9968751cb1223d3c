"""What tests of stored vectors share: random vectors, a model of any dimension, true neighbours.

Belongs here: helpers that are no tests. Does not belong here: texts and jobs (`vectored`), providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import psycopg

from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec, Vectors
from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server


def spec(dimension: int, name: str = "p") -> ModelSpec:
    """A model of this dimension; its name tells it from another of the same."""
    return ModelSpec("placeholder", name, "", dimension)


def vectors(count: int, dimension: int, *, seed: int = 0) -> Vectors:
    """Random vectors of unit length."""
    found = np.random.default_rng(seed).standard_normal((count, dimension))
    return np.ascontiguousarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def keys(count: int, prefix: str = "k") -> list[str]:
    """Keys in the order of their numbers."""
    return [f"{prefix}{number:06d}" for number in range(count)]


def batch(
    tenant_id: str,
    model_id: str,
    found: Vectors,
    *,
    entity: str = "product",
    names: Sequence[str] | None = None,
    version: str = "",
) -> VectorBatch:
    """A batch whose hashes are those of its keys, and of a version of the texts."""
    names = keys(len(found)) if names is None else names
    return VectorBatch(
        tenant_id,
        entity,
        model_id,
        names,
        [sha256((version + name).encode()).digest() for name in names],
        found,
    )


def register(warehouse: Warehouse, tenant_id: str, dimension: int) -> str:
    """The tenant's active model, of this dimension; returns its id."""
    return models.ensure_active(warehouse, tenant_id, spec(dimension)).model_id


def write(warehouse: Warehouse, *batches: VectorBatch) -> Stored:
    """Write batches of one tenant."""
    with warehouse.session(batches[0].tenant_id) as session:
        store = VectorStore(session)
        return sum((store.write(one) for one in batches), Stored())


def nearest(query: Vectors, found: Vectors, k: int) -> list[int]:
    """Rows of the true neighbours by cosine, the nearest first; vectors are of unit length."""
    return list(np.argsort(-(found @ (query / np.linalg.norm(query))), kind="stable")[:k])


def leaf(conn: psycopg.Connection[Any], entity: str, tenant_id: str, model_id: str) -> str:
    """The partition's qualified name."""
    row = conn.execute(
        "select 'embedding.' || embedding.leaf(%s, %s, %s)", (entity, tenant_id, model_id)
    ).fetchone()
    assert row is not None
    return str(row[0])


def reader(postgres: Server, database: str, tenant_id: str) -> psycopg.Connection[Any]:
    """A connection of role cdp_reader that stays in the tenant."""
    conn = psycopg.connect(postgres.dsn(database, user="cdp_reader"), autocommit=True)
    conn.execute("select set_config('app.tenant_id', %s, false)", (tenant_id,))
    return conn


def ask(conn: psycopg.Connection[Any], query: Vectors, k: int, *, entity: str = "product") -> list[str]:
    """Keys that `embedding.search` finds, in its order."""
    return [
        row[0]
        for row in conn.execute(
            "select entity_key from embedding.search(%s, %s::public.vector, %s)",
            (entity, str(query.tolist()), k),
        )
    ]
