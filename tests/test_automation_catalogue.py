"""The sensor of the catalogue: who gets vectors of articles, and that nobody gets them every tick."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from cdp_assets.automation import catalogue, decisions, schedules, state
from cdp_assets.automation.decisions import Catalogue
from cdp_assets.automation.jobs import articles_content, leo_cdp_sync
from cdp_assets.definitions import build_definitions
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import record_run
from tests.automation_world import fail_run, in_flight, register
from tests.rows import insert


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_gate_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds is tested in `test_gates_automation`."""
    monkeypatch.setattr(catalogue, "held", lambda *_: "")


@pytest.fixture
def two(warehouse: Warehouse, instance: dg.DagsterInstance) -> Warehouse:
    """Tenants whose one article has its vector."""
    register(warehouse, instance, "acme", "lotus")
    for tenant_id in ("acme", "lotus"):
        publish(warehouse, tenant_id, "20260628-aaa", a="red")
        embed(warehouse, tenant_id, a="red")
    return warehouse


def publish(warehouse: Warehouse, tenant_id: str, version: str, **texts: str) -> None:
    """As dataset B does: article -> hash of its text."""
    with warehouse.tenant(tenant_id) as conn:
        conn.execute("delete from datasets.articles_content")
        for key, text in texts.items():
            insert(conn, "datasets.articles_content", tenant_id=tenant_id, article_id=key, content_hash=text)
    with record_run(warehouse, tenant_id, "datasets.articles_content") as summary:
        summary.artifact_uri, summary.metrics = "x", {"version": version}


def embed(warehouse: Warehouse, tenant_id: str, **texts: str) -> None:
    with warehouse.tenant(tenant_id) as conn:
        conn.execute("delete from datasets.articles_tfidf")
        for key, text in texts.items():
            insert(conn, "datasets.articles_tfidf", tenant_id=tenant_id, article_id=key, content_hash=text)


def tick(warehouse: Warehouse, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    resources = {"warehouse": warehouse}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = catalogue.articles_changed(context)
    assert isinstance(result, dg.SensorResult)
    return result


def asked(result: dg.SensorResult) -> list[tuple[str | None, str | None]]:
    return [(request.partition_key, request.run_key) for request in result.run_requests or ()]


@pytest.mark.parametrize(
    ("found", "version"),
    [
        (Catalogue(None, differs=False), None),
        (Catalogue(None, differs=True), None),
        (Catalogue("v", differs=False), None),
        (Catalogue("v", differs=True), "v"),
    ],
)
def test_vectors_are_made_for_a_published_version_that_differs(found: Catalogue, version: str | None) -> None:
    assert decisions.version_to_embed(found) == version


@pytest.mark.parametrize(
    "texts", [{"a": "blue"}, {"a": "red", "b": "green"}, {"b": "red"}, {}], ids=["text", "new", "other", "gone"]
)  # fmt: skip
def test_a_change_of_texts_asks_for_one_run_of_that_tenant(
    two: Warehouse, instance: dg.DagsterInstance, texts: dict[str, str]
) -> None:
    publish(two, "lotus", "20260629-bbb", **texts)
    result = tick(two, instance)
    assert asked(result) == [("lotus", "lotus/20260629-bbb")]
    (request,) = result.run_requests or ()
    assert (request.job_name, request.tags["cdp/tenant"]) == ("articles_embeddings", "lotus")
    embed(two, "lotus", **texts)
    assert asked(tick(two, instance)) == []


def test_a_version_with_the_same_texts_asks_for_nothing(two: Warehouse, instance: dg.DagsterInstance) -> None:
    publish(two, "acme", "20260629-ccc", a="red")
    result = tick(two, instance)
    assert asked(result) == []
    assert catalogue.NOTHING in str(result.skip_reason)


def test_a_version_that_was_not_published_is_not_asked_for(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    fail_run(two, "acme", "articles_content", "run")
    publish(two, "acme", "20260629-ddd", a="blue")
    with record_run(two, "acme", "datasets.articles_content") as summary:
        summary.metrics = {"version": "20260630-blocked"}
    assert state.catalogue(two, "acme") == Catalogue("20260629-ddd", differs=True)
    assert asked(tick(two, instance)) == [("acme", "acme/20260629-ddd")]


def test_the_key_stays_until_the_next_publication(two: Warehouse, instance: dg.DagsterInstance) -> None:
    """So that Dagster starts a run that fails, or does not help, once and not every tick."""
    publish(two, "acme", "20260629-ddd", a="blue")
    assert asked(tick(two, instance)) == asked(tick(two, instance))
    publish(two, "acme", "20260630-eee", a="blue")
    assert asked(tick(two, instance)) == [("acme", "acme/20260630-eee")]


def test_a_tenant_whose_datasets_are_being_made_waits(two: Warehouse, instance: dg.DagsterInstance) -> None:
    for tenant_id in ("acme", "lotus"):
        publish(two, tenant_id, "20260629-bbb", a="blue")
    in_flight(instance, job=articles_content.name, cdp__tenant="acme")
    in_flight(instance, job=leo_cdp_sync.name, cdp__tenant="lotus")
    assert asked(tick(two, instance)) == [("lotus", "lotus/20260629-bbb")]


def test_every_tenant_has_its_turn(
    two: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MAX_REQUESTS", 1)
    for tenant_id in ("acme", "lotus"):
        publish(two, tenant_id, "20260629-bbb", a="blue")
    first = tick(two, instance)
    second = tick(two, instance, cursor=first.cursor)
    assert [key for key, _ in asked(first) + asked(second)] == ["acme", "lotus"]


def test_articles_and_their_vectors_are_made_by_different_jobs() -> None:
    definitions = build_definitions()
    made = {
        name: {key.path[-1] for key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys}
        for name in ("articles_content", "articles_embeddings")
    }
    assert made == {
        "articles_content": {"articles_content"},
        "articles_embeddings": {"articles_tfidf", "articles_image_vectors"},
    }
    assert schedules.articles_embeddings_weekly.cron_schedule == "30 3 * * 0"
