"""(c) dlt: every run yields every document, embedded, to a resource with merge disposition (strategy `upsert`).

dlt keeps no hash of what it loaded, so it cannot know which text changed; its incremental cursor needs an attribute
that moves with every change, which LEO's `updatedAt` does not. Arrow tables as CSV are the fastest form that its
postgres destination loads here (1.5 times its INSERT statements); it knows no vectors, so its type mapper is told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from psycopg import connect
from psycopg.conninfo import conninfo_to_dict

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"  # it warns in every run that the hints differ from Arrow's types

import dlt
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper

from benchmarks.embedding_sync.documents import (
    COLLECTIONS,
    COLUMNS,
    Documents,
    row_of,
    text_of,
)
from benchmarks.embedding_sync.way import BATCH, DIMENSION, Way

SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.int64() if name == "age" else pa.string()) for name in COLUMNS),
        pa.field("metadata", pa.string()),
        pa.field("embedding", pa.string()),
    ]
)
HINTS = {"metadata": {"data_type": "json"}, "embedding": {"data_type": "text", "x-vector": True}}


class VectorTypes(PostgresTypeMapper):
    """Gives a column with the hint `x-vector` pgvector's type, which reads the text form."""

    def to_destination_type(self, column: Any, table: Any) -> str:
        if column.get("x-vector"):
            return f"vector({DIMENSION})"
        return str(super().to_destination_type(column, table))


class DltWay(Way):
    """dlt."""

    name = "dlt"
    vectors = "select id, embedding::text from sync.item"

    def prepare(self, dsn: str) -> None:
        with connect(dsn) as conn:
            conn.execute("create extension if not exists vector")
        address = conninfo_to_dict(dsn)
        # libpq takes the socket's folder from the query; dlt wants a host and a password in front of it
        url = f"postgresql://{address['user']}:trusted@localhost/{address['dbname']}?host={address['host']}"
        self._pipeline = dlt.pipeline(
            "embedding_sync",
            pipelines_dir=str(self.folder),
            destination=dlt.destinations.postgres(url, type_mapper=VectorTypes),
            dataset_name="sync",
        )

    def run(self, documents: Documents) -> None:
        resource = dlt.resource(
            self._tables(documents),
            name="item",
            primary_key="id",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
            columns=HINTS,
        )
        self._pipeline.run(resource, loader_file_format="csv").raise_on_failed_jobs()

    def _tables(self, documents: Documents) -> Iterator[pa.Table]:
        for collection in COLLECTIONS:
            rows: list[dict[str, Any]] = []
            for page in documents.pages(collection):
                for start in range(0, len(page), BATCH):
                    rows += self._rows(collection, page[start : start + BATCH])
                yield pa.Table.from_pylist(rows, schema=SCHEMA)
                rows = []

    def _rows(self, collection: str, raws: list[bytes]) -> Iterator[dict[str, Any]]:
        decoded = [json.loads(raw) for raw in raws]
        vectors = self.embedder([text_of(collection, document) for document in decoded]).tolist()
        for raw, document, vector in zip(raws, decoded, vectors, strict=True):
            yield {
                **row_of(collection, document),
                "metadata": raw.decode().rstrip(),
                "embedding": str(vector),
            }
