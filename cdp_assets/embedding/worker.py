"""The worker: claims jobs of one tenant and model, has their texts embedded, yields batches ready to be written.

Belongs here: what is done with a claim, and with a provider that fails. No transaction is open while the provider
works: a lease, extended by a heartbeat, keeps the jobs; if the process dies it runs out and others take them. The
caller writes each batch (`store`), which completes its jobs, before it asks for the next.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic, perf_counter, sleep

import numpy as np
import psycopg

from cdp_assets.embedding import queue
from cdp_assets.embedding.providers.model import (
    BadVectors,
    Provider,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    TextRefused,
    Vectors,
)
from cdp_assets.embedding.vectors import Lease, VectorBatch
from cdp_assets.warehouse.connection import Warehouse

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Jobs of a dead worker are free again after this; a living one extends it every third of it."""

CLAIM = 512
"""Jobs per claim: enough to sort texts by length over eight batches of 64, little enough to lose."""

PROBE = "probe"
"""A text of our own that no provider has a reason to fail at: if it fails, the fault is not in a text."""

SHORTEST_WAIT = 0.05
"""Seconds: a service that asks to wait for none would be asked again at once, for ever."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a provider that fails is waited for.

    Attributes:
        retries: further tries of a batch after a 5xx or a time-out, before it is split.
        pause_s: seconds before the first of them; doubles each time.
        rate_limit_s: seconds of waiting for 429 that one run spends in all.
    """

    retries: int = 2
    pause_s: float = 1.0
    rate_limit_s: float = 900.0


@dataclass(slots=True)
class Tally:
    """What a worker did.

    Attributes:
        claimed: jobs taken.
        settled: jobs that needed no provider, by reason.
        calls, texts, provider_s: calls of the provider, texts that came back with a vector, seconds in the calls.
        failed, dead: jobs put off, and given up.
        waited_s: seconds waited for 429.
    """

    claimed: int = 0
    settled: dict[str, int] = field(default_factory=lambda: {"copied": 0, "current": 0, "withdrawn": 0})
    calls: int = 0
    texts: int = 0
    provider_s: float = 0.0
    failed: int = 0
    dead: int = 0
    waited_s: float = 0.0


class Worker:
    """Embeds the open jobs of one tenant under one model.

    Args:
        provider: of that model; closed by the caller.
        model_id: the model's id in the tenant's registry.
        nap: how a pause is spent; tests pass one that does not wait.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        tenant_id: str,
        model_id: str,
        provider: Provider,
        *,
        lease: timedelta = LEASE,
        claim: int = CLAIM,
        patience: Patience | None = None,
        nap: Callable[[float], None] = sleep,
    ) -> None:
        self.tally = Tally()
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._warehouse = warehouse
        self._tenant_id = tenant_id
        self._model_id = model_id
        self._provider = provider
        self._lease = lease
        self._claim = claim
        self._patience = patience or Patience()
        self._nap = nap
        self._still = threading.Lock()
        """Held while a batch is out to be written, and by the heartbeat: two statements never want the same rows."""
        self._extended = 0.0
        self._left = 0

    def batches(self, entity: str) -> Generator[VectorBatch]:
        """Claim until nothing is ready, and yield vectors as they come.

        The iterator holds leases: exhaust it, or close it (`contextlib.closing`) to give them back at once. While a
        batch is being written no heartbeat runs; a caller that does not come back for a lease has lost the jobs.

        Raises:
            ProviderError: the provider fails at any text, not at one of these: it is down (ProviderUnavailable), asks
                for more waiting than this run has (RateLimited), a person must act first (ProviderMisconfigured), or
                it refuses or spoils even our own PROBE. The jobs are back in the queue, uncounted.
        """
        while (yield from self.turn(entity)):
            pass

    def turn(self, entity: str) -> Generator[VectorBatch, None, bool]:
        """Claim once, as `batches` does: what is left waits for the next turn, so that others may come between.

        Returns:
            Whether another turn is worth while: there were jobs, and something became of them. A caller that writes
            none of its batches would be given the same texts for ever.
        """
        jobs = queue.claim(
            self._warehouse,
            self._tenant_id,
            self._model_id,
            entity,
            worker=self.name,
            limit=self._claim,
            lease=self._lease,
        )
        self._extended = monotonic()
        self.tally.claimed += len(jobs)
        for job in jobs:
            if job.settled is not None:
                self.tally.settled[job.settled] += 1
        waiting = [job for job in jobs if job.settled is None]
        if not waiting:
            return bool(jobs)
        self._left = 0
        with self._held():
            yield from self._embed(entity, waiting)
        return self._left < len(waiting)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Extend the leases while the block runs; give back what it leaves behind."""
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(done,), name="embedding-heartbeat", daemon=True)
        beat.start()
        is_crash = False
        try:
            yield
        except (ProviderError, psycopg.Error):
            raise
        except Exception:
            is_crash = (
                True  # without a verdict: perhaps one of these texts is more than the provider can bear
            )
            raise
        finally:
            done.set()
            beat.join()
            self._release(is_crash=is_crash)

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(self._lease.total_seconds() / 3):
            with self._still:
                if not done.is_set():
                    self._extend()

    def _extend(self) -> None:
        try:
            queue.extend(self._warehouse, self._tenant_id, worker=self.name, lease=self._lease)
        except psycopg.OperationalError as error:
            _log.warning("%s: leases not extended, tried again soon: %s", self._tenant_id, error)
        else:
            self._extended = monotonic()

    def _release(self, *, is_crash: bool) -> None:
        """Give back jobs that were neither completed nor failed: never judged, or locked by somebody just then."""
        try:
            self._left = queue.release(self._warehouse, self._tenant_id, worker=self.name, is_crash=is_crash)
        except psycopg.OperationalError as error:
            # not raised: it would hide what ended the work, and the jobs are free when their lease runs out
            _log.warning("%s: jobs not given back, their lease must run out: %s", self._tenant_id, error)

    def _embed(self, entity: str, jobs: Sequence[queue.Claimed]) -> Iterator[VectorBatch]:
        by_hash: dict[bytes, list[queue.Claimed]] = {}
        texts: dict[bytes, str] = {}
        for job in jobs:
            assert job.text_hash is not None
            assert job.content is not None
            by_hash.setdefault(job.text_hash, []).append(job)
            texts[job.text_hash] = job.content
        # Texts of like length together: a batch costs its longest text times its size.
        hashes = sorted(texts, key=lambda text_hash: len(texts[text_hash]))
        size = self._provider.batch_size
        for start in range(0, len(hashes), size):
            batch = hashes[start : start + size]
            for done, vectors in self._resolve(entity, batch, texts, by_hash):
                with self._still:
                    if monotonic() - self._extended > self._lease.total_seconds() / 3:
                        self._extend()
                    yield self._batch(entity, done, vectors, by_hash)

    def _batch(
        self,
        entity: str,
        hashes: Sequence[bytes],
        vectors: Vectors,
        by_hash: dict[bytes, list[queue.Claimed]],
    ) -> VectorBatch:
        found = [(row, job) for row, text_hash in enumerate(hashes) for job in by_hash[text_hash]]
        rows = np.fromiter((row for row, _ in found), dtype=np.intp, count=len(found))
        return VectorBatch(
            self._tenant_id,
            entity,
            self._model_id,
            [job.entity_key for _, job in found],
            [hashes[row] for row in rows],
            vectors if len(found) == len(hashes) else vectors[rows],
            Lease(self.name, [job.generation for _, job in found]),
        )

    def _resolve(
        self,
        entity: str,
        hashes: Sequence[bytes],
        texts: dict[bytes, str],
        by_hash: dict[bytes, list[queue.Claimed]],
        *,
        is_split: bool = False,
    ) -> Iterator[tuple[Sequence[bytes], Vectors]]:
        """Vectors of these texts; a batch that fails is halved until the text at fault stands alone."""
        try:
            vectors = self._call([texts[text_hash] for text_hash in hashes], retry=not is_split)
        except (TextRefused, BadVectors, ProviderUnavailable) as error:
            if not is_split or len(hashes) == 1:
                # Before the texts are blamed, and again before one of them pays for it.
                self._call([PROBE], retry=False)
            if len(hashes) == 1:
                self._fail(entity, by_hash[hashes[0]], error)
                return
            middle = len(hashes) // 2
            for half in (hashes[:middle], hashes[middle:]):
                yield from self._resolve(entity, half, texts, by_hash, is_split=True)
        else:
            yield hashes, vectors

    def _call(self, texts: Sequence[str], *, retry: bool) -> Vectors:
        tries = 0
        while True:
            try:
                return self._timed(texts)
            except RateLimited as error:
                self._wait(error)
            except ProviderUnavailable:
                if not retry or tries == self._patience.retries:
                    raise
                self._nap(self._patience.pause_s * 2**tries)
                tries += 1

    def _timed(self, texts: Sequence[str]) -> Vectors:
        self.tally.calls += 1
        began = perf_counter()
        try:
            vectors = self._provider.embed(texts)
        finally:
            self.tally.provider_s += perf_counter() - began
        self.tally.texts += len(texts)
        return vectors

    def _wait(self, error: RateLimited) -> None:
        """Wait as long as the provider asks; no attempt is counted."""
        asked = error.retry_after_s if error.retry_after_s is not None else self._patience.pause_s * 5
        wait = max(asked, SHORTEST_WAIT)
        if self.tally.waited_s + wait > self._patience.rate_limit_s:
            raise error
        _log.info("%s: the provider asks to wait %.1f s", self._tenant_id, wait)
        self.tally.waited_s += wait
        self._nap(wait)

    def _fail(self, entity: str, jobs: Sequence[queue.Claimed], error: ProviderError) -> None:
        dead = queue.fail(
            self._warehouse,
            self._tenant_id,
            self._model_id,
            entity,
            [job.entity_key for job in jobs],
            worker=self.name,
            error=f"{type(error).__name__}: {error}",
            # What a provider refuses, it refuses again; an unfit answer may be an accident.
            is_permanent=isinstance(error, TextRefused),
        )
        self.tally.dead += dead
        self.tally.failed += len(jobs) - dead
