"""The product: a sweep of both collections into `cdp.*`, whose triggers enqueue what changed, then the queue's jobs.

The tenant and its model are registered beforehand, as in production; each run is what the sensors would start: a sweep,
then a run of the queue. The role is the runtime's, so row level security binds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, cast

from psycopg.conninfo import make_conninfo

from benchmarks.embedding_sync.documents import COLLECTIONS, Documents, Head
from benchmarks.embedding_sync.way import BATCH, DIMENSION, Way
from cdp_assets.embedding import models
from cdp_assets.embedding.entities import PRODUCT, PROFILE
from cdp_assets.embedding.fill import Fill
from cdp_assets.embedding.providers.model import Kind, ModelSpec, Vectors, checked
from cdp_assets.embedding.store import VectorStore
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.model import KeyPage, Page, Signature, Source
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.tenants import Tenant, put_tenant

TENANT = "bench"
PAGE = 2_000


class DocumentsSource:
    """One step's documents as a sweep reads a source: keys with revisions, then the documents that it asks for."""

    name = "benchmark"

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._heads = {name: {head.key: head for head in documents.heads(name)} for name in COLLECTIONS}

    def signature(self, collection: str) -> Signature:
        return Signature(len(self._heads[collection]), str(self._documents.folder))

    def keys(self, collection: str) -> Iterator[KeyPage]:
        yield [(head.key, head.rev) for head in self._heads[collection].values()]

    def strays(self, collection: str) -> frozenset[str]:
        return frozenset()

    def scan(self, collection: str) -> Iterator[Page]:
        return self._documents.pages(collection)

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        heads: list[Head] = [self._heads[collection][key] for key in keys]
        for start in range(0, len(heads), PAGE):
            yield [self._documents.read(collection, head) for head in heads[start : start + PAGE]]


class ProductWay(Way):
    """The product."""

    name = "product"
    vectors = (
        "select entity_key, embedding::text from embedding.profile_embedding "
        "union all select entity_key, embedding::text from embedding.product_embedding"
    )
    spec = ModelSpec("placeholder", "stand-in", "", DIMENSION)
    batch_size = BATCH

    def prepare(self, dsn: str) -> None:
        migrate(dsn)
        self._warehouse = Warehouse(make_conninfo(dsn, user="cdp_pipeline"))
        put_tenant(self._warehouse, Tenant(TENANT, "Benchmark", "active", "dump", {"folder": "none"}))
        models.ensure_active(self._warehouse, TENANT, self.spec)

    def run(self, documents: Documents) -> None:
        source = cast(Source, DocumentsSource(documents))
        with self._warehouse.session(TENANT) as session:
            for collection in COLLECTIONS:
                result = CollectionSync(session, source, CONTRACTS[collection]).run("sweep")
                assert result.written.rejected == 0, result
            for entity in (PROFILE, PRODUCT):
                fill = Fill(
                    self._warehouse, TENANT, entity.name, configured=lambda: self.spec, provider_of=self._provider,
                    compares=False,
                )  # fmt: skip
                for batch in fill:
                    self._store.write(batch)

    @cached_property
    def _store(self) -> VectorStore:
        self._session = self._warehouse.session(TENANT)
        return VectorStore(self._session.__enter__())

    def _provider(self, _: ModelSpec) -> Any:
        return self

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        """The stand-in as a provider, its answer checked as every provider's is."""
        return checked(self.embedder(texts), texts=len(texts), dimension=DIMENSION)

    def close(self) -> None:
        self._session.__exit__(None, None, None)
        self._warehouse.close()
