"""The embedding assets as Dagster runs them: what a run does, says, records, and does not do a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg
import pytest

from cdp_assets import current
from cdp_assets.activation.marketing_events import put_marketing_events
from cdp_assets.demo.marketing import marketing_events
from cdp_assets.embedding import models, queue
from cdp_assets.embedding.assets import assets
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.providers.model import (
    ModelSpec,
    Provider,
    ProviderMisconfigured,
    RateLimited,
    TextRefused,
)
from cdp_assets.io_managers.pgvector import pgvector_io_manager
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.embedding_queue_support import OTHER, SPEC, Scripted, refuse
from tests.rows import insert


class Embedders:
    """One scripted provider, for whatever model."""

    def __init__(self, provider: Scripted) -> None:
        self.provider = provider
        self.opened: list[str] = []

    def configured(self) -> ModelSpec:
        return SPEC

    def of(self, spec: ModelSpec) -> Provider:
        self.opened.append(spec.model_id)
        return self.provider


class Stage:
    """The embedding assets over one tenant's rows."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.instance = warehouse, instance
        self.provider = Scripted(16)
        self.embedders = Embedders(self.provider)

    def run(
        self, *, before: Callable[[Sequence[str]], object] | None = None, **options: Any
    ) -> dg.ExecuteInProcessResult:
        self.provider.before = before
        self.provider.calls.clear()
        return dg.materialize(
            assets,
            partition_key="acme",
            instance=self.instance,
            resources={
                "warehouse": self.warehouse,
                "embedders": self.embedders,
                "vectors": pgvector_io_manager,
            },
            **{"raise_on_error": True, **options},
        )

    def metadata(self, result: dg.ExecuteInProcessResult, entity: str) -> dict[str, Any]:
        (event,) = result.asset_materializations_for_node(f"embedding__{entity}_embedding")
        return {name: value.value for name, value in event.metadata.items()}

    def one(self, statement: str) -> Any:
        with self.warehouse.tenant("acme") as conn:
            row = conn.execute(statement).fetchone()
        assert row is not None
        return row[0] if len(row) == 1 else row


@pytest.fixture
def stage(warehouse: Warehouse, acme: Tenant) -> Iterator[Stage]:
    with warehouse.tenant("acme") as conn:
        for number in range(40):
            insert(conn, "cdp.product_item", tenant_id="acme", product_key=f"p{number:02}", status="published",
                   title=f"Giày {number}")  # fmt: skip
            insert(conn, "cdp.transactional_context", tenant_id="acme", txn_id=f"t{number:02}", txn_type="purchase",
                   product_key=f"p{number % 4:02}", cdp_profile_id=f"c{number:02}", source_profile_id="c")  # fmt: skip
            insert(conn, "cdp.customer_profile", tenant_id="acme", cdp_profile_id=f"c{number:02}", status="active",
                   root_profile_id=f"c{number:02}", job_titles=[f"job {number}"], city="Huế")  # fmt: skip
            insert(conn, "cdp.feedback", tenant_id="acme", feedback_id=f"f{number:02}", comment=f"tốt {number}",
                   feedback_type="rating", status="recorded")  # fmt: skip
    put_marketing_events(warehouse, "acme", marketing_events("acme-demo"))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(TENANT_DIMENSION, ["acme"])
        yield Stage(warehouse, instance)


def test_a_first_run_registers_a_model_embeds_every_text_and_tells_of_it(stage: Stage) -> None:
    result = stage.run()
    found = {entity: stage.metadata(result, entity) for entity in ENTITIES}
    assert {entity: values["dagster/row_count"] for entity, values in found.items()} == {
        "profile": 40, "transaction": 40, "product": 40, "review": 40, "marketing_event": 14
    }  # fmt: skip
    assert found["transaction"]["texts_embedded"] == 4  # ten purchases of each of four products
    assert found["profile"]["model"] == SPEC.model_id
    assert found["profile"]["norm_min"] == pytest.approx(1, abs=1e-3)
    assert "data:image/png;base64," in str(found["profile"]["map"])
    assert stage.one("select count(*) from embedding.job") == 0
    with stage.warehouse.tenant("acme") as conn:
        assert all(each.texts == each.current for each in models.coverage(conn, SPEC.model_id))


def test_a_second_run_is_not_due_opens_no_provider_and_writes_nothing(stage: Stage, acme: Tenant) -> None:
    stage.run()
    assert current.vectors_are_current(stage.warehouse, acme)
    before = stage.one("select max(embedded_at)::text from embedding.product_embedding")
    probes = stage.one("select count(*) from embedding.probe")
    stage.embedders.opened.clear()
    result = stage.run()
    assert stage.embedders.opened == []
    assert stage.provider.calls == []
    assert all(stage.metadata(result, entity)["rows_written"] == 0 for entity in ENTITIES)
    assert stage.one("select max(embedded_at)::text from embedding.product_embedding") == before
    assert stage.one("select count(*) from embedding.probe") == probes


def test_only_what_changed_is_embedded_again_and_what_left_loses_its_vector(stage: Stage) -> None:
    stage.run()
    with stage.warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'Áo dài' where product_key = 'p07'")
        conn.execute("update cdp.product_item set sale_price = 9 where product_key = 'p08'")
        conn.execute("update cdp.feedback set deleted_at = now(), comment = null where feedback_id = 'f05'")
    result = stage.run()
    assert stage.provider.texts == ["Áo dài"]
    assert stage.metadata(result, "review")["dagster/row_count"] == 39
    assert stage.one("select count(*) from embedding.review_embedding where entity_key = 'f05'") == 0


def test_a_run_that_the_queue_asked_for_compares_nothing(stage: Stage) -> None:
    stage.run()
    with stage.warehouse.tenant("acme") as conn:
        conn.execute("delete from embedding.product_embedding where entity_key < 'p10'")
    quick = {"run_config": {"ops": {"embedding__product_embedding": {"config": {"compares": False}}}}}
    assert stage.metadata(stage.run(**quick), "product")["jobs_claimed"] == 0
    assert stage.metadata(stage.run(), "product")["jobs_found_by_comparison"] == 10


def test_the_registry_tells_what_each_run_did(stage: Stage) -> None:
    stage.run()
    rows = stage.one(
        "select status, rows_in, rows_out, (metrics->>'texts_embedded')::int from ops.etl_runs "
        "where dataset = 'embedding.transaction_embedding'"
    )
    assert rows == ("success", 40, 40, 4)


def test_a_shadow_model_is_filled_by_the_same_run(stage: Stage) -> None:
    stage.run()
    with stage.warehouse.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
    result = stage.run()
    assert stage.embedders.opened[-1] == OTHER.model_id
    assert (
        stage.one(f"select count(*) from embedding.product_embedding where model_id = '{OTHER.model_id}'")
        == 40
    )
    assert stage.metadata(result, "product")["model"] == SPEC.model_id  # which serves as before


def test_a_refused_text_is_a_dead_letter_and_the_others_are_written(stage: Stage) -> None:
    result = stage.run(before=refuse(TextRefused("placeholder p refuses a text"), "Giày 13"))
    assert stage.metadata(result, "product")["dead_letters"] == 1
    assert stage.metadata(result, "product")["dagster/row_count"] == 39
    assert (
        stage.one("select status from ops.etl_runs where dataset = 'embedding.product_embedding'")
        == "quarantined"
    )
    with stage.warehouse.tenant("acme") as conn:
        (dead,) = queue.dead_letters(conn, "acme")
    assert (dead.entity, dead.entity_key) == ("product", "p13")
    assert "Giày" not in dead.error


def test_a_provider_that_asks_for_hours_ends_the_run_without_failing_it(stage: Stage) -> None:
    result = stage.run(before=refuse(RateLimited("placeholder p asks to wait", 7200)))
    assert result.success
    assert "asks to wait" in stage.metadata(result, "product")["note"]
    assert stage.one("select count(*), sum(attempts) from embedding.job where entity = 'product'") == (40, 0)


def test_what_a_person_must_mend_is_not_tried_again(stage: Stage) -> None:
    error = ProviderMisconfigured(
        "openai text-embedding-3-small: the key is refused; correct CDP_EMBED_API_KEY"
    )
    selection = dg.AssetSelection.assets(["embedding", "product_embedding"])
    result = stage.run(before=refuse(error), raise_on_error=False, selection=selection)
    assert not result.success
    assert len(stage.provider.calls) == 1
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert "correct CDP_EMBED_API_KEY" in str(result.get_step_failure_events()[0].step_failure_data.error)
    assert stage.one("select status from ops.etl_runs") == "failed"
    assert "CDP_EMBED_API_KEY" in stage.one("select error from ops.etl_runs")
    assert stage.one("select count(*), sum(attempts) from embedding.job where entity = 'product'") == (40, 0)
