"""The long-lived worker: takes the jobs of all tenants in turn, without Dagster.

Belongs here: whose turn it is, waiting for a NOTIFY, waiting out a provider, when an index is built. Does not belong
here: what is done with a claim (`worker`), and where providers come from. One claim of one tenant is a turn, so that
a tenant with a million texts delays another one by the time of one claim.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic, perf_counter

import psycopg

from cdp_assets.embedding import models, queue
from cdp_assets.embedding.models import Model
from cdp_assets.embedding.providers.model import (
    ModelSpec,
    Provider,
    ProviderError,
    ProviderMisconfigured,
    RateLimited,
)
from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.embedding.vectors import VectorError
from cdp_assets.embedding.worker import Patience, Tally, Worker
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import list_tenants

_log = logging.getLogger(__name__)

POLL_S = 60.0
"""Seconds until queues are looked at without a NOTIFY: jobs that backed off come back in silence."""

LOOK_S = 5.0
"""Seconds after which, amid work, tenants are looked at that had nothing to do before."""

PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""First and longest pause of a model whose provider fails; doubles each time."""

PATIENCE = Patience(rate_limit_s=10.0)
"""Longer waits for 429 are pauses of the model, during which others have their turn."""

INDEX_AFTER = 1_000
"""Vectors written since the last time, from which a drained queue lets the index be looked at."""


class _Stopped(ProviderError):
    """A wait for the provider was cut short, since the service stops."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one claim."""

    tenant_id: str
    model_id: str
    entity: str
    tally: Tally
    stored: Stored
    seconds: float

    @property
    def done(self) -> int:
        """Jobs that are no longer open, or were put off."""
        settled = sum(self.tally.settled.values())
        return self.stored.written + self.stored.unchanged + settled + self.tally.failed + self.tally.dead


def log_turn(turn: Turn) -> None:
    """One line per turn that did something."""
    if turn.tally.claimed:
        _log.info(
            "%s %s: %d jobs in %.1f s: %d texts embedded, %d vectors written, %d copied, %d put off, %d given up (%s)",
            turn.tenant_id, turn.entity, turn.tally.claimed, turn.seconds, turn.tally.texts, turn.stored.written,
            turn.tally.settled["copied"], turn.tally.failed, turn.tally.dead, turn.model_id,
        )  # fmt: skip


@dataclass(slots=True)
class _Pause:
    until: float
    seconds: float


@dataclass(slots=True)
class Service:
    """Embeds the open jobs of tenants in turn.

    Attributes:
        provider_of: the provider of a registered model; keeps it open and closes it in the end.
        tenants: these only; empty: all active ones, looked up again and again.
        model_id: this model only.
        patience: how long a failing provider is waited for within a turn.
        report: called after each turn.
        stop: once set, the work ends after the batch in hand, and jobs that are left are given back.
        problems: by model id, why its provider was not asked again; gone once it answers.
    """

    warehouse: Warehouse
    provider_of: Callable[[ModelSpec], Provider]
    tenants: Sequence[str] = ()
    model_id: str | None = None
    patience: Patience = PATIENCE
    report: Callable[[Turn], None] = log_turn
    stop: threading.Event = field(default_factory=threading.Event)
    problems: dict[str, ProviderError] = field(default_factory=dict)
    _paused: dict[str, _Pause] = field(default_factory=dict)
    _last: dict[str, tuple[str, str]] = field(default_factory=dict)
    _written: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def run(self) -> None:
        """Work until `stop` is set. A warehouse that goes away is waited for."""
        while not self.stop.is_set():
            try:
                with self.warehouse.listen(
                    queue.CHANNEL
                ) as notified:  # first: no NOTIFY is missed while working
                    while not self.stop.is_set():
                        self.drain()
                        self._wait(notified)
            except psycopg.OperationalError as error:
                _log.warning("the warehouse fails, tried again in %.0f s: %s", PAUSE_S, error)
                self.stop.wait(PAUSE_S)

    def drain(self) -> None:
        """Take turns until no tenant has a ready job whose model's provider works."""
        lane = deque(self._tenants())
        looked = monotonic()
        while lane and not self.stop.is_set():
            tenant_id = lane.popleft()
            if self._turn(tenant_id):
                lane.append(tenant_id)
            if monotonic() - looked > LOOK_S:
                known = self._tenants()  # without those that were suspended meanwhile
                lane = deque(
                    [each for each in lane if each in known] + [each for each in known if each not in lane]
                )
                looked = monotonic()

    def _tenants(self) -> list[str]:
        return list(self.tenants) or [t.tenant_id for t in list_tenants(self.warehouse, active_only=True)]

    def _wait(self, notified: Callable[[float], bool]) -> None:
        now = monotonic()
        until = min([now + POLL_S, *(each.until for each in self._paused.values() if each.until > now)])
        # in slices, since a signal does not end the wait for a NOTIFY
        while not self.stop.is_set() and (left := until - monotonic()) > 0:
            if notified(min(left, 0.5)):
                return

    def _turn(self, tenant_id: str) -> bool:
        """One claim of the tenant; whether there may be more to do."""
        ready = self._ready(tenant_id)
        self._index_drained(tenant_id, ready)
        now = monotonic()
        free = {
            place: model
            for place, model in ready.items()
            if place[0] not in self._paused or self._paused[place[0]].until <= now
        }
        if not free:
            return False
        last = self._last.get(tenant_id, ("", ""))
        place = min((each for each in free if each > last), default=min(free))
        self._last[tenant_id] = place
        try:
            turn = self._work(tenant_id, free[place], place[1])
        except _Stopped:
            return False
        except ProviderError as error:
            self._pause(place[0], error)
            return True  # of other models
        except (VectorError, psycopg.errors.RaiseException, psycopg.errors.UndefinedTable):
            with self.warehouse.tenant(tenant_id) as conn:
                if any(model.model_id == place[0] for model in models.registered(conn, tenant_id)):
                    raise
            _log.info("%s: model %s was dropped meanwhile", tenant_id, place[0])
            return True
        self._paused.pop(place[0], None)
        self.problems.pop(place[0], None)
        self._written[tenant_id, place[0], place[1]] += turn.stored.written + turn.tally.settled["copied"]
        self.report(turn)
        # A turn of which nothing came (rows locked by a landing): not again at once, the same texts would be embedded.
        return turn.done > 0

    def _ready(self, tenant_id: str) -> dict[tuple[str, str], Model]:
        """Model and entity -> the model, of which a job may be claimed now."""
        with self.warehouse.tenant(tenant_id) as conn:
            places = conn.execute(
                "select m.model_id, e.entity from embedding.model as m "
                "cross join unnest(embedding.entities()) as e (entity) "
                "where m.tenant_id = %(tenant)s and m.model_id = coalesce(%(model)s, m.model_id) "
                "and exists (select from embedding.job as j where j.tenant_id = m.tenant_id "
                "and j.model_id = m.model_id and j.entity = e.entity and j.dead_at is null "
                "and j.available_at <= now())",  # not clock_timestamp(): an index takes no volatile function
                {"tenant": tenant_id, "model": self.model_id},
            ).fetchall()
            if not places:
                return {}
            known = {model.model_id: model for model in models.registered(conn, tenant_id)}
        return {(model_id, entity): known[model_id] for model_id, entity in places if model_id in known}

    def _work(self, tenant_id: str, model: Model, entity: str) -> Turn:
        began = perf_counter()
        worker = Worker(
            self.warehouse,
            tenant_id,
            model.model_id,
            self.provider_of(model.spec),
            patience=self.patience,
            nap=self._nap,
        )
        stored = Stored()
        with self.warehouse.session(tenant_id) as session, closing(worker.turn(entity)) as batches:
            store = VectorStore(session)
            for batch in batches:
                stored += store.write(batch)
                if self.stop.is_set():
                    break
        return Turn(tenant_id, model.model_id, entity, worker.tally, stored, perf_counter() - began)

    def _nap(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped("the worker stops")

    def _pause(self, model_id: str, error: ProviderError) -> None:
        before = self._paused.get(model_id)
        seconds = min(before.seconds * 2, LONGEST_PAUSE_S) if before else PAUSE_S
        if isinstance(error, ProviderMisconfigured):
            seconds = LONGEST_PAUSE_S
        elif isinstance(error, RateLimited) and error.retry_after_s is not None:
            seconds = max(seconds, error.retry_after_s)
        self._paused[model_id] = _Pause(monotonic() + seconds, seconds)
        self.problems[model_id] = error
        _log.warning("model %s rests for %.0f s: %s", model_id, seconds, error)

    def _index_drained(self, tenant_id: str, ready: dict[tuple[str, str], Model]) -> None:
        """Build indexes once a fill is over, so that the fill writes into none."""
        due = [
            (model_id, entity)
            for (tenant, model_id, entity), written in self._written.items()
            if tenant == tenant_id and written >= INDEX_AFTER and (model_id, entity) not in ready
        ]
        if not due:
            return
        with self.warehouse.session(tenant_id) as session:
            store = VectorStore(session)
            for model_id, entity in due:
                del self._written[tenant_id, model_id, entity]
                with self.warehouse.tenant(tenant_id) as conn:
                    is_there = any(m.model_id == model_id for m in models.registered(conn, tenant_id))
                if is_there:
                    store.index(entity, model_id)
