"""What tests of the queue and the worker share: a tenant's rows, a provider that misbehaves as told, draining, looking.

Belongs here: the provider, and what must hold between texts, vectors and jobs. Does not belong here: expectations of
one test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg

from cdp_assets.embedding import models, queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.models import Model
from cdp_assets.embedding.providers.model import Kind, ModelSpec, Vectors
from cdp_assets.embedding.providers.placeholder import PlaceholderProvider
from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.embedding.worker import PROBE, Patience, Worker
from cdp_assets.warehouse.connection import Warehouse
from tests.rows import insert

DIMENSION = 16
SPEC = ModelSpec("placeholder", "p", "", DIMENSION)
OTHER = ModelSpec("placeholder", "q", "", DIMENSION)
HASTY = Patience(retries=1, pause_s=0.0, rate_limit_s=60.0)


class Scripted(PlaceholderProvider):
    """The placeholder, with a word in before each call.

    Attributes:
        calls: texts of each call, the probe's left out.
        probes: calls with the worker's own text.
        before: is shown the texts of each call; it may raise, or change the warehouse.
    """

    def __init__(self, batch_size: int = 64, before: Callable[[Sequence[str]], object] | None = None) -> None:
        super().__init__(SPEC, batch_size)
        self.calls: list[list[str]] = []
        self.probes = 0
        self.before = before

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        if list(texts) == [PROBE]:
            self.probes += 1
        else:
            self.calls.append(list(texts))
        if self.before is not None:
            self.before(texts)
        return super().embed(texts, kind)


def refuse(error: Exception, *words: str) -> Callable[[Sequence[str]], None]:
    """Raise when a text holds one of the words; without words, always."""

    def before(texts: Sequence[str]) -> None:
        if not words or any(word in text for text in texts for word in words):
            raise error

    return before


def add_model(warehouse: Warehouse, tenant: str = "acme", spec: ModelSpec = SPEC) -> Model:
    return models.ensure_active(warehouse, tenant, spec)


def products(warehouse: Warehouse, *titles: str, tenant: str = "acme", prefix: str = "p") -> None:
    """Live products; the key of the n-th is prefix and n in five digits."""
    with warehouse.tenant(tenant) as conn:
        for number, title in enumerate(titles):
            insert(conn, "cdp.product_item", tenant_id=tenant, product_key=f"{prefix}{number:05}", title=title,
                   status="published")  # fmt: skip


def worker_of(
    warehouse: Warehouse,
    provider: PlaceholderProvider,
    *,
    tenant: str = "acme",
    spec: ModelSpec = SPEC,
    **options: Any,
) -> Worker:
    options = {"patience": HASTY, "nap": lambda _: None, **options}
    return Worker(warehouse, tenant, spec.model_id, provider, **options)


def drain(worker: Worker, warehouse: Warehouse, *entities: str, tenant: str = "acme") -> Stored:
    """Embed and write all that is ready, of these entities or of all."""
    stored = Stored()
    with warehouse.session(tenant) as session:
        store = VectorStore(session)
        for entity in entities or ENTITIES:
            for batch in worker.batches(entity):
                stored += store.write(batch)
    return stored


def embed_all(
    warehouse: Warehouse,
    *,
    tenant: str = "acme",
    spec: ModelSpec = SPEC,
    before: Callable[..., object] | None = None,
) -> Scripted:
    """Drain with a fresh worker; what the provider was asked."""
    provider = Scripted(before=before)
    drain(worker_of(warehouse, provider, tenant=tenant, spec=spec), warehouse, tenant=tenant)
    return provider


def jobs(warehouse: Warehouse, *, tenant: str = "acme", where: str = "true") -> set[tuple[str, str]]:
    """(entity, key) of the jobs, dead ones too."""
    with warehouse.tenant(tenant) as conn:
        return set(conn.execute(f"select entity, entity_key from embedding.job where {where}").fetchall())  # type: ignore[call-overload]


def one(warehouse: Warehouse, statement: str, *, tenant: str = "acme") -> tuple[Any, ...]:
    """The first row of a statement in a transaction of the tenant."""
    with warehouse.tenant(tenant) as conn:
        row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return tuple(row)


def vectors(warehouse: Warehouse, entity: str, *, tenant: str = "acme") -> dict[str, bytes]:
    """Key -> text hash of the vectors of all models."""
    with warehouse.tenant(tenant) as conn:
        return dict(
            conn.execute(f"select entity_key, text_hash from embedding.{entity}_embedding").fetchall()
        )  # type: ignore[call-overload]


def claim(
    warehouse: Warehouse,
    entity: str = "product",
    *,
    worker: str = "w",
    limit: int = 10,
    seconds: float = 60,
    tenant: str = "acme",
    spec: ModelSpec = SPEC,
) -> list[queue.Claimed]:
    lease = timedelta(seconds=seconds)
    return queue.claim(warehouse, tenant, spec.model_id, entity, worker=worker, limit=limit, lease=lease)


def backdate(owner_dsn: str, assignment: str = "available_at = now() - interval '1 second'") -> None:
    """Let time pass for every job: leases and back-offs run out."""
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute(f"update embedding.job set {assignment}")  # type: ignore[call-overload]


def assert_in_step(
    warehouse: Warehouse, *entities: str, tenant: str = "acme", spec: ModelSpec = SPEC
) -> None:
    """Every text has the vector of exactly this text, no other key has one, and no job is left."""
    with warehouse.tenant(tenant) as conn:
        for entity in entities or ENTITIES:
            wanted = conn.execute(
                f"select entity_key, text_hash, content from embedding.{entity}_text"
            ).fetchall()  # type: ignore[call-overload]
            found = conn.execute(  # type: ignore[call-overload]
                f"select entity_key, text_hash, embedding::text from embedding.{entity}_embedding where model_id = %s",
                (spec.model_id,),
            ).fetchall()
            assert sorted(row[:2] for row in found) == sorted(row[:2] for row in wanted), entity
            expected = {key: content for key, _, content in wanted}
            given = PlaceholderProvider(spec, 64).embed([expected[key] for key, _, _ in found])
            stored = np.array([vector.strip("[]").split(",") for _, _, vector in found], dtype=np.float32)
            assert np.allclose(stored.reshape(given.shape), given, atol=1e-6), (
                f"{entity}: vectors of other texts"
            )
        left = conn.execute("select entity, entity_key from embedding.job").fetchall()
    assert left == []


@contextmanager
def lease_of(worker: Worker, entity: str = "product") -> Iterator[VectorBatch]:
    """The first batch of a worker, while it holds the jobs; they are given back in the end."""
    batches = worker.turn(entity)
    try:
        yield next(batches)
    finally:
        batches.close()


def hash_of(content: str) -> bytes:
    """As `embedding.text_hash` names a text of template version 1."""
    return hashlib.sha256(f"1\n{content}".encode()).digest()
