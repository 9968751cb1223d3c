"""(b) CocoIndex, as its documentation shows it: a memoized component per document, a memoized embedding per text.

What CocoIndex may know without reading is what ArangoDB tells: a document's key and revision are its memo key, and
only a component that runs reads the document. Its state is an LMDB file in the way's folder (it has no other store),
its usage tracking is off. The connector writes rows through asyncpg, vectors as text, and no index is declared.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from psycopg.conninfo import conninfo_to_dict

os.environ["COCOINDEX_DISABLE_USAGE_TRACKING"] = "1"  # read once, at the import

import asyncpg
import cocoindex as coco
from cocoindex.connectors import postgres
from cocoindex.resources.schema import VectorSchema

from benchmarks.embedding_sync.documents import COLLECTIONS, Documents, Head, row_of, text_of
from benchmarks.embedding_sync.way import BATCH, DIMENSION, Embedder, Way

POOL = coco.ContextKey[asyncpg.Pool]("pool")
VECTOR = VectorSchema(dtype=np.dtype(np.float32), size=DIMENSION)

embedder = Embedder()


@dataclass(frozen=True)
class Item:
    """A document that has not been read."""

    documents: Documents
    collection: str
    head: Head

    def __coco_memo_key__(self) -> object:
        return (self.collection, self.head.key, self.head.rev)


@dataclass
class Row:
    """One row of the target; the document goes as it is, which spares decoding and printing it again."""

    id: str
    tenant_id: str
    name: str | None
    email: str | None
    phone: str | None
    country: str | None
    gender: str | None
    age: int | None
    metadata: Annotated[str, postgres.PgType("jsonb")]
    embedding: Annotated[NDArray[np.float32], VECTOR]


@coco.fn.as_async(batching=True, runner=coco.GPU, max_batch_size=BATCH)
def embed_batch(texts: list[str]) -> list[NDArray[np.float32]]:
    """Calls that wait at the same time, as one batch."""
    return list(embedder(texts))


@coco.fn(memo=True)
async def embed(text: str) -> NDArray[np.float32]:
    """A text's vector, once per document and text."""
    vector: NDArray[np.float32] = await embed_batch(text)
    return vector


@coco.fn(memo=True)
async def sync_document(item: Item, table: postgres.TableTarget[Row]) -> None:
    """One document as one row."""
    raw = item.documents.read(item.collection, item.head)
    document = json.loads(raw)
    vector = await embed(text_of(item.collection, document))
    table.declare_row(row=Row(**row_of(item.collection, document), metadata=raw.decode(), embedding=vector))


class CocoindexWay(Way):
    """CocoIndex."""

    name = "cocoindex"
    vectors = "select id, embedding::text from item"

    def prepare(self, dsn: str) -> None:
        self.embedder = embedder
        self._documents: Documents | None = None

        @coco.lifespan
        async def lifespan(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
            builder.settings.db_path = self.folder / "state"
            address: dict[str, Any] = conninfo_to_dict(dsn)
            async with asyncpg.create_pool(
                host=address["host"], user=address["user"], database=address["dbname"]
            ) as pool:
                builder.provide(POOL, pool)
                yield

        @coco.fn
        async def main() -> None:
            table = await postgres.mount_table_target(
                POOL, "item", await postgres.TableSchema.from_class(Row, primary_key=["id"])
            )
            assert self._documents is not None
            for collection in COLLECTIONS:
                heads = self._documents.heads(collection)
                items = [(head.key, Item(self._documents, collection, head)) for head in heads]
                await coco.mount_each(coco.component_subpath(collection), sync_document, items, table)

        self._app = coco.App("embedding_sync", main)
        coco.start_blocking()

    def run(self, documents: Documents) -> None:
        self._documents = documents
        self._app.update_blocking()

    def close(self) -> None:
        coco.stop_blocking()
