"""The long-lived worker: every tenant has its turn, a failing provider is waited out, a stop gives everything back."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cdp_assets.embedding import models, service
from cdp_assets.embedding.providers.model import (
    ModelSpec,
    Provider,
    ProviderMisconfigured,
    ProviderUnavailable,
    RateLimited,
)
from cdp_assets.embedding.service import Service, Turn
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.worker import Patience
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant, set_status
from tests.embedding_queue_support import (
    OTHER,
    SPEC,
    Scripted,
    add_model,
    assert_in_step,
    jobs,
    one,
    products,
)

BIN = Path(sys.executable).parent
QUICK = Patience(retries=0, pause_s=0.0, rate_limit_s=0.0)


@pytest.fixture
def shop(warehouse: Warehouse, acme: Tenant) -> Warehouse:
    """Tenant acme with a model and three texts that wait."""
    products(warehouse, "một", "hai", "ba")
    add_model(warehouse)
    return warehouse


def service_of(
    warehouse: Warehouse, provider: Provider | Callable[[ModelSpec], Provider], **more: object
) -> Service:
    provider_of = provider if callable(provider) else lambda _: provider
    return Service(warehouse, provider_of, **{"patience": QUICK, **more})  # type: ignore[arg-type]


@contextmanager
def running(worker: Service) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield thread
    finally:
        worker.stop.set()
        thread.join(20)
    assert not thread.is_alive()


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_all_that_is_ready_is_embedded_for_every_model(shop: Warehouse) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    opened: list[str] = []

    def provider_of(spec: ModelSpec) -> Provider:
        opened.append(spec.name)
        return Scripted()

    service_of(shop, provider_of).drain()
    assert_in_step(shop, spec=SPEC)
    assert_in_step(shop, spec=OTHER)
    assert set(opened) == {"p", "q"}


def test_only_the_model_that_is_named_is_filled(shop: Warehouse) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    service_of(shop, Scripted(), model_id=OTHER.model_id).drain()
    assert one(shop, "select array_agg(distinct model_id) from embedding.job") == ([SPEC.model_id],)


def test_a_tenant_with_many_texts_does_not_keep_another_waiting(
    shop: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tenant(shop, Tenant("zed", "Zed", "active", "dump", {"folder": "unused"}, {}))
    products(shop, *[f"text {n}" for n in range(40)], prefix="x")
    products(shop, *[f"text {n}" for n in range(10)], tenant="zed")
    add_model(shop, "zed")
    monkeypatch.setattr(service, "Worker", lambda *a, **k: _worker(*a, claim=5, **k))
    order: list[str] = []
    service_of(shop, Scripted(), report=lambda turn: order.append(turn.tenant_id)).drain()
    assert order[:4] == ["acme", "zed", "acme", "zed"]
    assert order.count("acme") == 9
    assert not jobs(shop) | jobs(shop, tenant="zed")


_worker = service.Worker


def test_entities_of_a_tenant_take_turns(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop.tenant("acme") as conn:
        conn.execute(
            "insert into activation.marketing_event (tenant_id, marketing_event_id, name, event_type, channel, "
            "starts_at, ends_at) select 'acme', 'e' || n, 'event ' || n, 'sale', 'email', now(), now() "
            "from generate_series(1, 3) as n"
        )
    monkeypatch.setattr(service, "Worker", lambda *a, **k: _worker(*a, claim=1, **k))
    order: list[str] = []
    service_of(shop, Scripted(), report=lambda turn: order.append(turn.entity)).drain()
    assert order == ["marketing_event", "product"] * 3


def test_suspended_tenants_are_left_alone(shop: Warehouse) -> None:
    set_status(shop, "acme", "suspended")
    service_of(shop, Scripted()).drain()
    assert len(jobs(shop)) == 3


def test_a_notify_is_answered_at_once(shop: Warehouse) -> None:
    worker = service_of(shop, Scripted())
    with running(worker):
        until(lambda: not jobs(shop))
        time.sleep(0.2)  # it listens now, and would poll in a minute
        products(shop, "vừa đến", prefix="new")
        until(lambda: not jobs(shop), 10)
    assert_in_step(shop)


def test_an_unavailable_provider_is_waited_out(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAUSE_S", 0.05)
    calls = 0

    def before(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 8:
            raise ProviderUnavailable("down")

    worker = service_of(shop, Scripted(before=before))
    with running(worker):
        until(lambda: not jobs(shop))
    assert_in_step(shop)
    assert not worker.problems


def test_pauses_grow_and_are_as_long_as_the_service_asks(
    shop: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    def rests(error: Exception) -> list[str]:
        caplog.clear()
        worker = service_of(shop, Scripted(before=lambda _: (_ for _ in ()).throw(error)))
        for _ in range(3):
            worker.drain()
            for pause in worker._paused.values():
                pause.until = 0
        assert list(worker.problems.values()) == [error]
        return [record.getMessage().split(" rests for ")[1].split(" s:")[0] for record in caplog.records]

    with caplog.at_level(logging.WARNING, logger="cdp_assets.embedding.service"):
        assert rests(ProviderUnavailable("down")) == ["5", "10", "20"]
        assert rests(RateLimited("slow down", 120)) == ["120", "240", "300"]
        assert rests(ProviderMisconfigured("no key")) == ["300", "300", "300"]
    assert one(shop, "select count(*), max(attempts) from embedding.job where worker is null") == (3, 0)


def test_a_failing_model_does_not_hold_up_another(shop: Warehouse) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)

    def provider_of(spec: ModelSpec) -> Provider:
        if spec.name == "p":
            raise ProviderMisconfigured("the revision is gone")
        return Scripted()

    worker = service_of(shop, provider_of)
    worker.drain()
    assert_in_step_but(shop, SPEC.model_id)
    assert set(worker.problems) == {SPEC.model_id}


def assert_in_step_but(warehouse: Warehouse, model_id: str) -> None:
    assert one(warehouse, "select array_agg(distinct model_id) from embedding.job") == ([model_id],)


def test_a_stop_ends_after_the_batch_in_hand_and_gives_the_rest_back(shop: Warehouse) -> None:
    worker = service_of(shop, Scripted(batch_size=1, before=lambda _: worker.stop.set()))
    worker.drain()
    assert one(shop, "select count(*), count(worker), max(attempts) from embedding.job") == (2, 0, 0)
    assert one(shop, "select count(*) from embedding.product_embedding") == (1,)


def test_a_stop_cuts_a_wait_for_the_provider_short(shop: Warehouse) -> None:
    asked = threading.Event()

    def before(_: object) -> None:
        asked.set()
        raise RateLimited("slow down", 500)

    worker = service_of(shop, Scripted(before=before), patience=Patience())
    began = time.monotonic()
    with running(worker):
        assert asked.wait(20)
    assert time.monotonic() - began < 15
    assert one(shop, "select count(*) from embedding.job where worker is null and attempts = 0") == (3,)


def test_a_model_that_is_dropped_amid_its_turn_ends_the_turn_only(shop: Warehouse) -> None:
    with shop.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)

    def before(_: object) -> None:
        with shop.tenant("acme") as conn:
            if any(model.name == "q" for model in models.registered(conn, "acme")):
                models.drop(conn, "acme", OTHER.model_id)

    dropping = Scripted(before=before)
    service_of(shop, lambda spec: dropping if spec.name == "q" else Scripted()).drain()
    assert_in_step(shop)
    assert dropping.calls


def test_texts_that_a_landing_holds_are_not_embedded_again_and_again(shop: Warehouse, owner_dsn: str) -> None:
    provider = Scripted()
    with psycopg.connect(owner_dsn) as landing:

        def hold(_: object) -> None:
            landing.execute("select from embedding.job for update")

        provider.before = hold
        service_of(shop, provider).drain()
        assert len(provider.calls) == 1
    provider.before = None
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("update embedding.job set available_at = now() - interval '1 s'")
    service_of(shop, provider).drain()
    assert_in_step(shop)


def test_an_index_is_looked_at_once_a_fill_is_over(shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "INDEX_AFTER", 3)
    looked: list[tuple[str, int]] = []

    def index(store: VectorStore, entity: str, model_id: str) -> bool:
        looked.append((entity, len(jobs(shop))))
        return False

    monkeypatch.setattr(VectorStore, "index", index)
    worker = service_of(shop, Scripted())
    worker.drain()
    worker.drain()
    products(shop, "one more", prefix="z")
    worker.drain()
    assert looked == [("product", 0)]


def test_each_turn_leaves_a_line_that_tells_what_was_done(
    shop: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cdp_assets.embedding.service"):
        service_of(shop, Scripted()).drain()
    assert [record.getMessage().split(" s: ")[1] for record in caplog.records] == [
        f"3 texts embedded, 3 vectors written, 0 copied, 0 put off, 0 given up ({SPEC.model_id})"
    ]


def test_the_work_goes_on_when_the_warehouse_comes_back(
    shop: Warehouse, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAUSE_S", 0.05)
    turns: list[Turn] = []
    worker = service_of(shop, Scripted(), report=turns.append)
    with running(worker):
        until(lambda: len(turns) == 1)
        with psycopg.connect(owner_dsn, autocommit=True) as conn:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'cdp_pipeline' "
                "and datname = current_database()"
            )
        with psycopg.connect(owner_dsn) as conn:
            conn.execute("select set_config('app.tenant_id', 'acme', true)")
            conn.execute("update cdp.product_item set title = 'after the fall' where product_key = 'p00000'")
        until(lambda: len(turns) == 2)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_serves_until_it_is_told_to_stop(
    shop: Warehouse, pipeline_dsn: str, number: signal.Signals
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDP_", "PYTEST"))}
    with subprocess.Popen(
        [str(BIN / "cdp"), "embedding", "worker"],
        env={**kept, "CDP_WAREHOUSE_DSN": pipeline_dsn},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until(lambda: not jobs(shop), 60)
            products(shop, "trong khi chạy", prefix="new")
            until(lambda: not jobs(shop))
        finally:
            process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "acme product: 1 jobs" in said
    assert "stopped; what was not finished is back in the queue" in said
    assert "Traceback" not in said
    assert_in_step(shop)
