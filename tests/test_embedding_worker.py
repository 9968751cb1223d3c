"""The worker and a provider that fails: which texts pay for it, which do not, and what reaches the caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import psycopg
import pytest

from cdp_assets.embedding import queue
from cdp_assets.embedding.providers.model import (
    BadVectors,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RateLimited,
    TextRefused,
    Vectors,
)
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.worker import Patience
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import (
    Scripted,
    add_model,
    assert_in_step,
    backdate,
    claim,
    drain,
    embed_all,
    jobs,
    lease_of,
    one,
    products,
    refuse,
    vectors,
    worker_of,
)

pytestmark = pytest.mark.usefixtures("acme")

COUNTED = "select coalesce(max(attempts), 0), coalesce(max(crashes), 0), count(worker) from embedding.job"


def sixty_four(warehouse: Warehouse, *, poison: int | None = None) -> None:
    products(warehouse, *["poison" if n == poison else f"a product with the number {n}" for n in range(64)])


def test_texts_become_vectors_and_the_jobs_are_gone(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    provider = Scripted(batch_size=10)
    worker = worker_of(warehouse, provider)
    assert drain(worker, warehouse).written == 64
    assert_in_step(warehouse)
    assert [len(call) for call in provider.calls] == [10] * 6 + [4]
    assert [len(text) for text in provider.texts] == sorted(len(text) for text in provider.texts)
    assert (worker.tally.claimed, worker.tally.calls, worker.tally.texts, worker.tally.failed) == (
        64,
        7,
        64,
        0,
    )
    assert drain(worker_of(warehouse, provider), warehouse).written == 0
    assert len(provider.calls) == 7, "a second run calls nobody"


@pytest.mark.fault
@pytest.mark.parametrize("place", [0, 37, 63])
@pytest.mark.parametrize(
    ("error", "attempts"), [(TextRefused("no"), 1), (BadVectors("NaN"), 5), (ProviderUnavailable("500"), 5)]
)
def test_one_poison_text_among_64_is_given_up_and_63_are_written(
    warehouse: Warehouse, owner_dsn: str, place: int, error: ProviderError, attempts: int
) -> None:
    add_model(warehouse)
    sixty_four(warehouse, poison=place)
    provider = Scripted(before=refuse(error, "poison"))
    for attempt in range(1, attempts + 1):
        worker = worker_of(warehouse, provider)
        assert drain(worker, warehouse).written == (63 if attempt == 1 else 0)
        assert worker.tally.dead == (attempt == attempts)
        assert len(provider.calls) <= 16 + 2 * attempt
        backdate(owner_dsn)
    assert len(vectors(warehouse, "product")) == 63
    assert jobs(warehouse, where="dead_at is not null") == {("product", f"p{place:05}")}
    assert one(warehouse, "select attempts, error from embedding.job") == (
        attempts, f"{type(error).__name__}: {error}")  # fmt: skip
    assert drain(worker_of(warehouse, provider), warehouse).written == 0


@pytest.mark.fault
@pytest.mark.parametrize(
    "error",
    [ProviderUnavailable("down"), TextRefused("all"), BadVectors("all"), ProviderMisconfigured("key")],
)
def test_a_provider_that_fails_at_everything_costs_few_calls_and_no_text_pays(
    warehouse: Warehouse, error: ProviderError
) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    provider = Scripted(batch_size=16, before=refuse(error))
    with pytest.raises(type(error)):
        drain(worker_of(warehouse, provider, patience=Patience(retries=2, pause_s=0)), warehouse)
    assert len(provider.calls) + provider.probes <= 4
    assert one(warehouse, COUNTED) == (0, 0, 0)
    assert len(jobs(warehouse, where="dead_at is null and available_at <= now()")) == 64
    embed_all(warehouse)
    assert_in_step(warehouse)


@pytest.mark.fault
def test_a_provider_that_goes_down_while_a_batch_is_halved_blames_no_text(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse, poison=5)
    provider = Scripted()

    def before(texts: Sequence[str]) -> None:
        if len(provider.calls) > 2 or "poison" in texts:
            raise ProviderUnavailable("500")

    provider.before = before
    with pytest.raises(ProviderUnavailable):
        drain(worker_of(warehouse, provider), warehouse)
    assert one(warehouse, COUNTED) == (0, 0, 0)
    assert len(provider.calls) < 10


def test_a_short_failure_is_tried_again_after_a_growing_pause(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    provider = Scripted()
    naps: list[float] = []
    provider.before = lambda _: refuse(ProviderUnavailable("503"))([]) if len(provider.calls) < 3 else None
    worker = worker_of(warehouse, provider, patience=Patience(retries=2, pause_s=1.0), nap=naps.append)
    assert drain(worker, warehouse).written == 64
    assert naps == [1.0, 2.0]
    assert (len(provider.calls), provider.probes, worker.tally.failed) == (3, 0, 0)
    assert worker.tally.provider_s < 1, "pauses are not the provider's time"


class Metered(Scripted):
    """Allows one call a second of a clock that only naps move; says how long to wait."""

    def __init__(self, *, told: bool = True) -> None:
        super().__init__(batch_size=8)
        self.clock = 0.0
        self.free_at = 0.0
        self.refused = 0
        self._told = told

    def nap(self, seconds: float) -> None:
        self.clock += seconds

    def embed(self, texts: Sequence[str], kind: str = "passage") -> Vectors:
        if self.clock < self.free_at:
            self.refused += 1
            raise RateLimited("slow down", self.free_at - self.clock if self._told else None)
        self.free_at = self.clock + 1.0
        return super().embed(texts)


def test_under_429_the_allowed_rate_is_used_and_no_attempt_is_counted(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, *[f"title {n}" for n in range(160)])
    provider = Metered()
    worker = worker_of(warehouse, provider, nap=provider.nap)
    assert drain(worker, warehouse).written == 160
    assert len(provider.calls) == 20
    assert 19 <= provider.clock <= 20 / 0.9
    assert (provider.refused, worker.tally.waited_s, worker.tally.failed) == (
        19,
        pytest.approx(provider.clock),
        0,
    )
    assert_in_step(warehouse)


def test_a_run_waits_for_429_no_longer_than_it_may_in_all(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    provider = Metered()
    with pytest.raises(RateLimited):
        drain(
            worker_of(warehouse, provider, nap=provider.nap, patience=Patience(rate_limit_s=3.5)), warehouse
        )
    assert provider.clock == 3.0
    assert len(vectors(warehouse, "product")) == 4 * 8, "what was paid for is written"
    assert one(warehouse, COUNTED) == (0, 0, 0)
    assert queue.is_ready(warehouse, "acme")


@pytest.mark.parametrize(("asked", "waited"), [(None, 5.0), (0.0, 0.05), (-3.0, 0.05), (7.5, 7.5)])
def test_a_pause_is_as_long_as_asked_for_and_never_none(
    warehouse: Warehouse, asked: float | None, waited: float
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    provider = Scripted()
    naps: list[float] = []
    provider.before = lambda _: refuse(RateLimited("wait", asked))([]) if len(provider.calls) == 1 else None
    drain(worker_of(warehouse, provider, nap=naps.append, patience=Patience()), warehouse)
    assert naps == [waited]


@pytest.mark.fault
def test_a_text_that_breaks_the_provider_without_a_verdict_is_isolated_and_given_up(
    warehouse: Warehouse,
) -> None:
    add_model(warehouse)
    sixty_four(warehouse, poison=9)
    provider = Scripted(before=refuse(MemoryError("no room"), "poison"))
    for _ in range(5):
        with pytest.raises(MemoryError):
            drain(worker_of(warehouse, provider), warehouse)
    assert drain(worker_of(warehouse, provider), warehouse).written == 0
    assert len(vectors(warehouse, "product")) == 63
    assert jobs(warehouse, where="dead_at is not null") == {("product", "p00009")}


def test_leases_are_extended_while_the_provider_works_for_longer_than_a_lease(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two")
    stolen: list[queue.Claimed] = []

    def before(texts: Sequence[str]) -> None:
        with warehouse.tenant("acme") as conn:
            conn.execute("select pg_sleep(1.2)")
        stolen.extend(claim(warehouse, worker="thief"))

    worker = worker_of(warehouse, Scripted(before=before), lease=timedelta(seconds=0.6))
    assert drain(worker, warehouse).written == 2
    assert stolen == []
    assert one(warehouse, "select count(*) from embedding.job") == (0,)


def test_a_batch_whose_lease_ran_out_before_it_is_written_changes_nothing(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    with lease_of(worker_of(warehouse, Scripted())) as batch, warehouse.session("acme") as session:
        backdate(owner_dsn)
        thief = worker_of(warehouse, Scripted())
        with lease_of(thief) as other:
            assert VectorStore(session).write(batch).superseded == 1
            assert VectorStore(session).write(other).written == 1
    assert_in_step(warehouse)


def test_a_caller_that_leaves_early_gives_the_jobs_back_at_once(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    worker = worker_of(warehouse, Scripted(batch_size=8))
    with warehouse.session("acme") as session:
        for batch in worker.batches("product"):
            VectorStore(session).write(batch)
            break
    assert len(jobs(warehouse, where="worker is null and crashes = 0 and available_at <= now()")) == 56


def test_a_caller_that_writes_nothing_is_not_given_the_same_texts_for_ever(warehouse: Warehouse) -> None:
    add_model(warehouse)
    sixty_four(warehouse)
    provider = Scripted(batch_size=32)
    assert len(list(worker_of(warehouse, provider).batches("product"))) == 2
    assert len(provider.calls) == 2
    assert one(warehouse, COUNTED) == (0, 0, 0)


@pytest.mark.fault
def test_a_warehouse_that_fails_for_a_heartbeat_costs_a_warning_and_no_vector(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    beats: list[str] = []

    def extend(*_: object, **__: object) -> int:
        beats.append("beat")
        raise psycopg.OperationalError("the connection is lost")

    def before(texts: Sequence[str]) -> None:
        with warehouse.tenant("acme") as conn:
            conn.execute("select pg_sleep(0.5)")

    monkeypatch.setattr(queue, "extend", extend)
    worker = worker_of(warehouse, Scripted(before=before), lease=timedelta(seconds=0.9))
    assert drain(worker, warehouse).written == 1
    assert beats
    assert "leases not extended" in caplog.text


@pytest.mark.fault
def test_a_release_that_fails_does_not_hide_what_ended_the_work(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add_model(warehouse)
    products(warehouse, "one")

    def release(*_: object, **__: object) -> int:
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(queue, "release", release)
    with pytest.raises(ProviderUnavailable):
        drain(worker_of(warehouse, Scripted(before=refuse(ProviderUnavailable("down")))), warehouse)
    assert "their lease must run out" in caplog.text
