"""(a) the way of seed 000: every run decodes, maps, embeds and upserts every document.

Vectors travel as lists of floats printed as text, rows by `executemany` in chunks of 200, one transaction per table.
Seed 000 passes whole lists between its tasks; here each batch is embedded as it is read, which spares it that memory,
and it has no index on its vectors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import psycopg

from benchmarks.embedding_sync.documents import COLLECTIONS, COLUMNS, Documents, row_of, text_of
from benchmarks.embedding_sync.way import BATCH, DIMENSION, Way
from benchmarks.ways import SEED_CHUNK

TABLE = f"""
create extension if not exists vector;
create table item (
    id text primary key, tenant_id text not null, name text, email text, phone text, country text, gender text, age int,
    metadata jsonb, embedding vector({DIMENSION}), updated_at timestamptz default now()
)
"""

_NAMES = [*COLUMNS, "metadata", "embedding"]
UPSERT = f"""
insert into item ({", ".join(_NAMES)}) values ({", ".join(f"%({name})s" for name in _NAMES)})
on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])}, updated_at = now()
"""


class SeedWay(Way):
    """Seed 000."""

    name = "seed"
    vectors = "select id, embedding::text from item"

    def prepare(self, dsn: str) -> None:
        self._dsn = dsn
        with psycopg.connect(dsn) as conn:
            conn.execute(TABLE)

    def run(self, documents: Documents) -> None:
        with psycopg.connect(self._dsn) as conn, conn.cursor() as cur:
            for collection in COLLECTIONS:
                rows = self._rows(documents, collection)
                while chunk := list(islice(rows, SEED_CHUNK)):
                    cur.executemany(UPSERT, chunk)
                conn.commit()

    def _rows(self, documents: Documents, collection: str) -> Iterator[dict[str, Any]]:
        for page in documents.pages(collection):
            decoded = [json.loads(raw) for raw in page]
            for start in range(0, len(decoded), BATCH):
                batch = decoded[start : start + BATCH]
                vectors = self.embedder([text_of(collection, document) for document in batch]).tolist()
                for document, vector in zip(batch, vectors, strict=True):
                    yield {
                        **row_of(collection, document),
                        "metadata": json.dumps(document),
                        "embedding": str(vector),
                    }
