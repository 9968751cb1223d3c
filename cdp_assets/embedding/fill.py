"""One run over an entity's queue: every registered model of the tenant brought in step, batch by batch.

Belongs here: which models and in which order, and when the provider is opened at all. Does not belong here: claiming
and failing (`worker`), writing (`store`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field

from cdp_assets.embedding import models, queue
from cdp_assets.embedding.models import Model
from cdp_assets.embedding.providers.model import ModelSpec, Provider, RateLimited
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.embedding.worker import Tally, Worker
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import require_resumed


@dataclass(slots=True)
class Fill:
    """Vectors of one entity of one tenant; iterate once, writing each batch before the next.

    Attributes:
        configured: the model for a tenant that has none yet.
        provider_of: opens the provider of a registered model.
        compares: whether every text is compared with its vector first. The triggers make that unnecessary; it finds
            what was changed while they were off.
        say: where progress goes.
        model: the model that serves, once iteration has begun.
        enqueued: jobs that the comparison made.
        tallies: what was done, by model id.
        note: why the run ended early, if it did.
    """

    warehouse: Warehouse
    tenant_id: str
    entity: str
    configured: Callable[[], ModelSpec]
    provider_of: Callable[[ModelSpec], Provider]
    compares: bool = True
    say: Callable[[str], None] = lambda _: None
    model: Model | None = None
    enqueued: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    note: str = ""

    def __iter__(self) -> Generator[VectorBatch]:
        self.model = self._serving()
        with self.warehouse.tenant(self.tenant_id) as conn:
            found = models.registered(conn, self.tenant_id)
            if self.compares:
                self.enqueued = queue.enqueue(conn, self.entity)
        for model in found:  # the active one first
            if self._open(model.model_id):
                try:
                    yield from self._drain(model)
                except RateLimited as error:
                    # Nothing is lost: the jobs are back in the queue, and the sensor asks for another run.
                    self.note = f"stopped early: {error}"
                    return

    def _serving(self) -> Model:
        with self.warehouse.tenant(self.tenant_id) as conn:
            found = models.active(conn, self.tenant_id)
        return found or models.ensure_active(self.warehouse, self.tenant_id, self.configured())

    def _open(self, model_id: str) -> int:
        with self.warehouse.tenant(self.tenant_id) as conn:
            return sum(
                each.ready
                for each in queue.backlog(conn, self.tenant_id)
                if (each.model_id, each.entity) == (model_id, self.entity)
            )

    def _drain(self, model: Model) -> Generator[VectorBatch]:
        worker = Worker(self.warehouse, self.tenant_id, model.model_id, self.provider_of(model.spec))
        tally = self.tallies[model.model_id] = worker.tally
        written = 0
        with closing(worker.batches(self.entity)) as batches:
            for batch in batches:
                with self.warehouse.tenant(self.tenant_id) as conn:
                    require_resumed(conn, self.tenant_id)
                yield batch
                if (written + len(batch.keys)) // 5_000 > written // 5_000:
                    self.say(
                        f"{self.tenant_id} {self.entity}: {tally.texts:,} texts embedded, "
                        f"{tally.texts / max(tally.provider_s, 1e-9):,.0f} a second of the provider"
                    )
                written += len(batch.keys)
