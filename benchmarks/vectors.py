"""Vectors for benchmarks, and a server with tenants that have a model.

Belongs here: what `vector_write` and `vector_search` share. The vectors have no texts; nothing here embeds.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks.landing import in_process
from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec, Vectors
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant, put_tenant

ENTITY = "product"
INTRINSIC = 32
"""Directions in which the vectors of one tenant differ: texts of one catalogue fill few of a model's dimensions."""


def mixture(rows: int, dimension: int, *, seed: int) -> Vectors:
    """Unit vectors like those of texts: clusters of skewed size in a subspace of 32 dimensions, and some noise."""
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((INTRINSIC, dimension)) / np.sqrt(INTRINSIC)
    clusters = max(8, rows // 400)
    centres = rng.standard_normal((clusters, INTRINSIC))
    weights = rng.pareto(1.2, clusters) + 0.1
    latent = centres[rng.choice(clusters, rows, p=weights / weights.sum())]
    latent += 0.6 * rng.standard_normal((rows, INTRINSIC))
    found = (latent @ basis + 0.15 * rng.standard_normal((rows, dimension))).astype(np.float32)
    return np.ascontiguousarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def key(row: int) -> str:
    """Key of a row, as long as a usual one."""
    return f"product-{row:08d}"


def batch(
    tenant_id: str, model_id: str, vectors: Vectors, *, start: int = 0, version: int = 0
) -> VectorBatch:
    """Rows `start` and following; another version has other hashes."""
    rows = range(start, start + len(vectors))
    hashes = [sha256(f"{version}/{row}".encode()).digest() for row in rows]
    return VectorBatch(tenant_id, ENTITY, model_id, [key(row) for row in rows], hashes, vectors)


class Bench:
    """A migrated server of its own."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.owner = server.dsn()
        self.reader = server.dsn(user="cdp_reader")
        self.warehouse = Warehouse(server.dsn(user="cdp_pipeline"))
        migrate(self.owner)

    def register(self, tenant_id: str, dimension: int) -> str:
        """A tenant with an active model of this dimension; returns the model's id."""
        put_tenant(
            self.warehouse,
            Tenant(tenant_id, tenant_id, "active", "dump", {"folder": "none"}, {}),
            replace=True,
        )
        return models.ensure_active(
            self.warehouse, tenant_id, ModelSpec("placeholder", "bench", "", dimension)
        ).model_id

    def leaf(self, tenant_id: str, model_id: str) -> str:
        """Qualified name of the partition."""
        with psycopg.connect(self.owner) as conn:
            return "embedding." + scalar(
                conn, "select embedding.leaf(%s, %s, %s)", ENTITY, tenant_id, model_id
            )


def _make(folder: Path) -> None:
    """The server, set up and stopped: the size of its memory takes effect when it starts again.

    1 GB instead of 128 MB: an index that does not fit is read page by page from the system's cache, several times
    slower. No autovacuum: it would come now and then, to one way or the other.
    """
    server = EmbeddedServer(folder).start()
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute("alter system set shared_buffers = '1GB'")
        conn.execute("alter system set autovacuum = off")
    server.stop()


def scalar(conn: psycopg.Connection[Any], statement: str, *arguments: Any) -> Any:
    """The one value of the one row."""
    row = conn.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def bench() -> Iterator[Bench]:
    """A server in a temporary folder, gone afterwards."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    folder = Path(tempfile.mkdtemp(prefix="cdp-bench-"))
    server = EmbeddedServer(folder / "server")
    try:
        in_process(_make, folder / "server")
        opened = Bench(server.start())
        with opened.warehouse:
            yield opened
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
