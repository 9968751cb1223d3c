"""The sensor of the queue: who gets a run, and how soon after a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import dagster as dg
import pytest

from cdp_assets.automation import embedding
from cdp_assets.automation.jobs import embedding_refresh, leo_cdp_sync
from cdp_assets.definitions import build_definitions
from cdp_assets.embedding import models, queue
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.warehouse.connection import Warehouse
from tests.automation_world import in_flight, register
from tests.rows import insert

SPEC = ModelSpec("placeholder", "sensor", "", 8)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def change(warehouse: Warehouse, tenant_id: str, key: str = "p1") -> None:
    """A product arrives; the trigger makes its job."""
    with warehouse.tenant(tenant_id) as conn:
        insert(conn, "cdp.product_item", tenant_id=tenant_id, product_key=key, title="Giày", status="published",
               deleted_at=None)  # fmt: skip


def tick(
    warehouse: Warehouse, instance: dg.DagsterInstance, *, listen_s: float = 0, cursor: str | None = None
) -> dg.SensorResult:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return embedding.evaluate(context, warehouse, listen_s=listen_s)


@pytest.fixture(autouse=True)
def _no_gate_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds is tested in `test_gates_automation`."""
    monkeypatch.setattr(embedding, "held", lambda *_: "")
    monkeypatch.setattr(embedding, "is_measured", lambda *_: True)


@pytest.fixture
def two(warehouse: Warehouse, instance: dg.DagsterInstance) -> Warehouse:
    register(warehouse, instance, "acme", "lotus")
    for tenant_id in ("acme", "lotus"):
        models.ensure_active(warehouse, tenant_id, SPEC)
    return warehouse


def asked(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or ()]


def test_a_tenant_with_ready_jobs_gets_a_run_that_does_not_compare_every_text(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    change(two, "lotus")
    (request,) = tick(two, instance).run_requests or ()
    assert (request.partition_key, request.job_name) == ("lotus", "embedding_refresh")
    assert request.run_config["ops"]["embedding__product_embedding"] == {"config": {"compares": False}}
    assert request.tags["cdp/tenant"] == "lotus"


def test_the_run_configuration_is_one_that_the_job_takes(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    change(two, "acme")
    (request,) = tick(two, instance).run_requests or ()
    job = build_definitions().resolve_job_def("embedding_refresh")
    assert dg.validate_run_config(job, request.run_config)


def test_nothing_to_do_is_said(two: Warehouse, instance: dg.DagsterInstance) -> None:
    result = tick(two, instance)
    assert not result.run_requests
    assert "no text waits" in str(result.skip_reason)


def test_a_tenant_that_is_embedding_waits_and_one_that_is_syncing_does_not(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    change(two, "acme")
    change(two, "lotus")
    in_flight(instance, job=embedding_refresh.name, cdp__tenant="acme")
    in_flight(instance, job=leo_cdp_sync.name, cdp__tenant="lotus")
    assert asked(tick(two, instance)) == ["lotus"]


def test_every_tenant_has_its_turn(
    two: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "MAX_REQUESTS", 1)
    change(two, "acme")
    change(two, "lotus")
    first = tick(two, instance)
    second = tick(two, instance, cursor=first.cursor)
    assert asked(first) + asked(second) == ["acme", "lotus"]


def test_jobs_that_wait_or_were_given_up_ask_for_no_run(two: Warehouse, instance: dg.DagsterInstance) -> None:
    change(two, "acme")
    change(two, "lotus")
    with two.tenant("acme") as conn:
        conn.execute("update embedding.job set dead_at = now()")
    with two.tenant("lotus") as conn:
        conn.execute("update embedding.job set available_at = now() + interval '1 minute'")
    assert asked(tick(two, instance)) == []


def test_a_tenant_whose_last_run_failed_waits_and_that_is_said(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    change(two, "acme")
    in_flight(instance, dg.DagsterRunStatus.FAILURE, embedding_refresh.name, cdp__tenant="acme")
    change(two, "lotus")
    assert asked(tick(two, instance)) == ["lotus"]
    with two.tenant("lotus") as conn:
        conn.execute("delete from embedding.job")
    result = tick(two, instance)
    assert not result.run_requests
    assert "acme: waits until" in str(result.skip_reason)


def test_a_success_ends_the_waiting(two: Warehouse, instance: dg.DagsterInstance) -> None:
    change(two, "acme")
    in_flight(instance, dg.DagsterRunStatus.FAILURE, embedding_refresh.name, cdp__tenant="acme")
    in_flight(instance, dg.DagsterRunStatus.SUCCESS, embedding_refresh.name, cdp__tenant="acme")
    assert asked(tick(two, instance)) == ["acme"]


def test_a_failure_of_another_tenant_or_job_holds_nobody(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    change(two, "acme")
    in_flight(instance, dg.DagsterRunStatus.FAILURE, embedding_refresh.name, cdp__tenant="lotus")
    in_flight(instance, dg.DagsterRunStatus.FAILURE, leo_cdp_sync.name, cdp__tenant="acme")
    assert asked(tick(two, instance)) == ["acme"]


def test_a_change_while_the_sensor_listens_is_answered_within_the_tick(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    def later() -> None:
        time.sleep(0.5)
        change(two, "acme")

    thread = threading.Thread(target=later)
    thread.start()
    began = time.monotonic()
    result = tick(two, instance, listen_s=60)
    thread.join()
    assert asked(result) == ["acme"]
    assert time.monotonic() - began < 30  # it did not sit the minute out


def test_the_notification_says_nothing_of_whose_texts_changed(two: Warehouse) -> None:
    with two.listen(queue.CHANNEL) as notified:
        change(two, "acme")
        assert notified(10)
    with two.control() as conn:
        conn.execute("listen embedding_job")
        conn.commit()
        change(two, "acme", "p2")
        payloads = [notice.payload for notice in conn.notifies(timeout=10, stop_after=1)]
    assert payloads == [""]
