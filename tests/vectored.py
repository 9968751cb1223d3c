"""Two landed tenants whose texts have vectors: what tests of the embedding stage's checks plant their faults in.

Belongs here: filling without Dagster, measuring all checks of vectors. The vectors are the placeholder's: equal texts
have equal vectors and no two others are alike, so every check passes before a test begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import pytest

from cdp_assets.checks.vector_catalog import evaluate_vectors
from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.probes import take_probe
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.embedding.providers.placeholder import PlaceholderProvider
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.worker import Worker
from cdp_assets.quality import Measure
from cdp_assets.warehouse.connection import SET_TENANT, Connection, Warehouse
from tests.checked import TENANTS, Tampered, landed_world
from tests.conftest import Server
from tests.rows import insert

SPEC = ModelSpec("placeholder", "checked", "", 32)
MODEL = SPEC.model_id
EVENTS = 12


def fill(warehouse: Warehouse, tenant_id: str, *, entities: tuple[str, ...] = tuple(ENTITIES)) -> None:
    """Bring the vectors of a tenant in step and take a probe of each entity, as the assets do."""
    model_id = models.ensure_active(warehouse, tenant_id, SPEC).model_id
    worker = Worker(warehouse, tenant_id, model_id, PlaceholderProvider(SPEC, 64))
    for entity in entities:
        with warehouse.session(tenant_id) as session:
            store = VectorStore(session)
            for batch in worker.batches(entity):
                store.write(batch)
            with session.transaction() as conn:
                take_probe(conn, tenant_id, model_id, entity)


def measure(warehouse: Warehouse, tenant_id: str) -> dict[str, Measure]:
    """Every check of a tenant's vectors, by `entity.check`."""
    return {
        f"{entity.name}.{check.name}": found
        for entity in ENTITIES.values()
        for check, found in evaluate_vectors(warehouse, tenant_id, entity)
    }


@dataclass
class Vectored:
    """A world with vectors whose tenant `acme` is measured; what tests do to it is undone."""

    warehouse: Warehouse
    owner_dsn: str

    @contextmanager
    def tampered(self, *statements: str) -> Iterator[Warehouse]:
        """The warehouse after a superuser has run these statements for acme."""
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute(SET_TENANT, ("acme",))
            for statement in statements:
                conn.execute(cast(Any, statement))
            yield cast(Warehouse, Tampered(conn))
            conn.rollback()

    def failed_after(self, *statements: str) -> dict[str, Measure]:
        """acme's checks that fail then."""
        with self.tampered(*statements) as warehouse:
            return failing(measure(warehouse, "acme"))

    def leaf(self, entity: str, tenant_id: str = "acme") -> str:
        """Name of the partition with the vectors of an entity."""
        with self.warehouse.tenant(tenant_id) as conn:
            return leaf_of(conn, entity, tenant_id)


def leaf_of(conn: Connection, entity: str, tenant_id: str) -> str:
    row = conn.execute(
        "select 'embedding.' || embedding.leaf(%s, %s, %s)", (entity, tenant_id, MODEL)
    ).fetchone()
    assert row is not None
    return str(row[0])


def failing(measured: Mapping[str, Measure]) -> dict[str, Measure]:
    return {name: found for name, found in measured.items() if not found.passed}


_filled: set[Server] = set()


def vectored_world(postgres: Server, folders: pytest.TempPathFactory) -> str:
    """Name of a database with both tenants landed and filled, made once per test process: change copies of it only."""
    name = "vectored_world"
    if postgres not in _filled:
        template, _ = landed_world(postgres, folders)
        with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
            conn.execute(f"create database {name} template {template} strategy file_copy")
        with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
            for tenant_id in TENANTS:
                with warehouse.tenant(tenant_id) as conn:
                    for number in range(EVENTS):
                        insert(
                            conn,
                            "activation.marketing_event",
                            tenant_id=tenant_id,
                            marketing_event_id=f"m{number:02}",
                            name=f"Khuyến mãi {tenant_id} {number}",
                            ends_at="2026-01-02T00:00:00Z",
                            status="planned",
                        )
                fill(warehouse, tenant_id)
        _filled.add(postgres)
    return name
