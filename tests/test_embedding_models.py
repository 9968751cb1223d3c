"""The registry of models: what is registered is kept in step, what serves is whole, what is dropped leaves nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.models import ModelError
from cdp_assets.embedding.providers.model import TextRefused
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.embedding_queue_support import (
    OTHER,
    SPEC,
    add_model,
    claim,
    embed_all,
    jobs,
    one,
    products,
    refuse,
)

TITLES = [f"Giày chạy bộ {number}" for number in range(20)]


def add_shadow(warehouse: Warehouse, tenant: str = "acme") -> str:
    with warehouse.tenant(tenant) as conn:
        return models.add(conn, tenant, OTHER)


def roles(warehouse: Warehouse, tenant: str = "acme") -> dict[str, str]:
    with warehouse.tenant(tenant) as conn:
        return {model.name: model.role for model in models.registered(conn, tenant)}


def activate(warehouse: Warehouse, model_id: str, *, allow_incomplete: bool = False) -> None:
    with warehouse.tenant("acme") as conn:
        models.activate(conn, "acme", model_id, allow_incomplete=allow_incomplete)


def rollback(warehouse: Warehouse) -> str:
    with warehouse.tenant("acme") as conn:
        return models.rollback(conn, "acme")


def drop(warehouse: Warehouse, model_id: str) -> None:
    with warehouse.tenant("acme") as conn:
        models.drop(conn, "acme", model_id)


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Run beside the block; what it raised is raised at the end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.fixture
def serving(warehouse: Warehouse, acme: Tenant) -> str:
    """Id of a model that serves acme with vectors of all texts."""
    products(warehouse, *TITLES)
    model = add_model(warehouse)
    embed_all(warehouse)
    return model.model_id


def test_the_first_model_of_a_tenant_serves_and_the_second_is_a_shadow(
    warehouse: Warehouse, serving: str
) -> None:
    add_shadow(warehouse)
    assert roles(warehouse) == {"p": "active", "q": "shadow"}
    assert jobs(warehouse, where=f"model_id = '{OTHER.model_id}'") == {
        ("product", f"p{n:05}") for n in range(20)
    }
    assert add_model(warehouse, spec=OTHER).model_id == serving


@pytest.mark.parametrize("dimension", [models.MAX_DIMENSION, models.MAX_DIMENSION + 1, 4_096, 16_000])
def test_a_model_whose_vectors_are_too_long_is_refused_readably(
    warehouse: Warehouse, acme: Tenant, dimension: int
) -> None:
    spec = replace(OTHER, dimension=dimension)
    if dimension <= models.MAX_DIMENSION:
        add_model(warehouse, spec=spec)
        return
    with pytest.raises(
        ModelError, match=r"indexes at most 4,000: choose another model, .*CDP_PROFILE_EMBED_DIM"
    ):
        add_model(warehouse, spec=spec)


def test_adding_a_model_twice_changes_nothing(warehouse: Warehouse, serving: str) -> None:
    add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    assert add_shadow(warehouse) == OTHER.model_id
    assert not jobs(warehouse)


def test_a_changed_text_reaches_every_registered_model(warehouse: Warehouse, serving: str) -> None:
    add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'Giày mới' where product_key = 'p00003'")
    found = one(
        warehouse,
        "select array_agg(model_id order by model_id) from embedding.job where entity_key = 'p00003'",
    )
    assert found == (sorted([serving, OTHER.model_id]),)


def test_two_first_runs_at_once_agree_on_the_model(warehouse: Warehouse, acme: Tenant) -> None:
    products(warehouse, *TITLES)
    with in_thread(lambda: add_model(warehouse, spec=OTHER)):
        found = add_model(warehouse)
    with warehouse.tenant("acme") as conn:
        serving = models.active(conn, "acme")
    assert serving is not None
    assert found == serving
    assert list(roles(warehouse).values()) == ["active"], "the other one's model is not registered"


def test_a_text_that_is_changed_while_a_model_is_added_is_not_lost(
    warehouse: Warehouse, pipeline_dsn: str, acme: Tenant
) -> None:
    with Warehouse(pipeline_dsn) as landing, landing.tenant("acme"):
        products(landing, "committed before")
    with psycopg.connect(pipeline_dsn) as landing_conn:
        landing_conn.execute("select set_config('app.tenant_id', 'acme', true)")
        landing_conn.execute("update cdp.product_item set title = 'changed meanwhile'")
        with in_thread(lambda: add_model(warehouse)) as adding:
            adding.join(0.3)
            assert adding.is_alive(), "the model waits for whoever did not see it"
            landing_conn.commit()
    assert embed_all(warehouse).texts == ["changed meanwhile"]


def test_a_landing_waits_for_a_model_that_is_being_added(warehouse: Warehouse, acme: Tenant) -> None:
    with warehouse.tenant("acme") as conn:
        models.add(conn, "acme", SPEC)
        with in_thread(lambda: products(warehouse, "late")) as landing:
            landing.join(0.3)
            assert landing.is_alive()
            conn.commit()
    assert jobs(warehouse) == {("product", "p00000")}


def test_coverage_counts_texts_vectors_and_what_was_given_up(warehouse: Warehouse, acme: Tenant) -> None:
    products(warehouse, *TITLES, "a poison", "a second poison")
    model = add_model(warehouse)
    embed_all(warehouse, before=refuse(TextRefused("no"), "poison"))
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'changed' where product_key = 'p00001'")
        conn.execute("update cdp.product_item set deleted_at = now() where product_key = 'p00002'")
        exact = {each.entity: each for each in models.coverage(conn, model.model_id)}
        by_queue = models.standing(conn, "acme")[model.model_id]
    assert exact == by_queue
    assert (exact["product"].texts, exact["product"].current, exact["product"].dead) == (21, 18, 2)
    assert exact["profile"].texts == 0


def test_coverage_leaves_the_planner_as_it_was(warehouse: Warehouse, serving: str) -> None:
    with warehouse.tenant("acme") as conn:
        models.coverage(conn, serving)
        assert conn.execute("show enable_nestloop").fetchone() == ("on",)


def test_an_incomplete_model_is_not_activated_unless_asked(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    with pytest.raises(
        ModelError, match=r"lacks 20 vectors of tenant 'acme'.*models fill.*--allow-incomplete"
    ):
        activate(warehouse, shadow)
    assert roles(warehouse) == {"p": "active", "q": "shadow"}
    activate(warehouse, shadow, allow_incomplete=True)
    assert roles(warehouse) == {"q": "active", "p": "previous"}


def test_a_model_whose_texts_were_all_given_up_is_incomplete(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER, before=refuse(TextRefused("no"), "Giày"))
    with pytest.raises(ModelError, match="20 of them given up"):
        activate(warehouse, shadow)


def test_a_flip_goes_there_and_back_and_there_again(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    activate(warehouse, shadow)
    assert rollback(warehouse) == serving
    assert roles(warehouse) == {"p": "active", "q": "previous"}
    assert rollback(warehouse) == shadow
    activate(warehouse, shadow)
    assert roles(warehouse) == {"q": "active", "p": "previous"}, "activating the active model changes nothing"


def test_unknown_models_and_missing_predecessors_are_refused_readably(
    warehouse: Warehouse, serving: str
) -> None:
    for change in (activate, drop):
        with pytest.raises(ModelError, match=r"no model 'nosuch'; `cdp embedding models list"):
            change(warehouse, "nosuch")
    with pytest.raises(ModelError, match="no model to go back to"):
        rollback(warehouse)


def test_a_dropped_model_leaves_nothing_behind(warehouse: Warehouse, serving: str, owner_dsn: str) -> None:
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    activate(warehouse, shadow)
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'open job' where product_key = 'p00001'")
        conn.execute("delete from cdp.product_item where product_key = 'p00002'")
        for model_id in (serving, shadow):
            conn.execute(
                "insert into embedding.probe (tenant_id, model_id, entity, vectors) values ('acme', %s, 'product', 1)",
                (model_id,),
            )
    drop(warehouse, serving)
    with psycopg.connect(owner_dsn) as conn:
        for table in (
            "model", "job", "retired_vector", "probe", *(entity.table for entity in ENTITIES.values())
        ):  # fmt: skip
            found = conn.execute(
                f"select count(*) filter (where model_id = %s), count(*) from embedding.{table}",  # type: ignore[call-overload]
                (serving,),
            ).fetchone()
            assert found is not None
            assert found[0] == 0, table
            if table in {"model", "job", "retired_vector", "probe", "product_embedding"}:
                assert found[1] > 0, f"{table}: the other model's rows stay"
        leaves = conn.execute(
            "select to_regclass('embedding.' || embedding.leaf(e, 'acme', %s)) "
            "from unnest(embedding.entities()) as e",
            (serving,),
        ).fetchall()
    assert leaves == [(None,)] * 5
    with pytest.raises(ModelError, match="no model to go back to"):
        rollback(warehouse)


def test_a_dropped_model_that_comes_again_is_a_shadow(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    activate(warehouse, shadow)
    drop(warehouse, serving)
    with warehouse.tenant("acme") as conn:
        models.add(conn, "acme", SPEC)
    assert roles(warehouse) == {"q": "active", "p": "shadow"}


def test_the_model_that_serves_is_not_dropped(warehouse: Warehouse, serving: str) -> None:
    with pytest.raises(ModelError, match="serves tenant 'acme': activate another one first"):
        drop(warehouse, serving)
    assert one(warehouse, "select count(*) from embedding.product_embedding") == (20,)


def test_a_model_that_is_being_activated_is_not_dropped(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    refused: list[ModelError] = []

    def try_to_drop() -> None:
        try:
            drop(warehouse, shadow)
        except ModelError as error:
            refused.append(error)

    with warehouse.tenant("acme") as conn:
        models.activate(conn, "acme", shadow)
        with in_thread(try_to_drop) as dropping:
            dropping.join(0.3)
            assert dropping.is_alive()
            conn.commit()
    assert "activate another one first" in str(refused[0])
    assert roles(warehouse) == {"q": "active", "p": "previous"}


def test_dropping_waits_for_a_claim_and_ends_the_next(warehouse: Warehouse, serving: str) -> None:
    shadow = add_shadow(warehouse)
    with warehouse.tenant("acme") as conn:
        conn.execute("select from embedding.claim(%s, 'product', 'w', 5, interval '1 minute')", (shadow,))
        with in_thread(lambda: drop(warehouse, shadow)) as dropping:
            dropping.join(0.3)
            assert dropping.is_alive()
            conn.commit()
    with pytest.raises(psycopg.errors.RaiseException, match=r"no model .* is registered"):
        claim(warehouse, spec=OTHER)


def test_another_tenants_models_are_untouched(warehouse: Warehouse, serving: str) -> None:
    products(warehouse, *TITLES[:3], tenant="other")
    add_model(warehouse, "other")
    embed_all(warehouse, tenant="other")
    shadow = add_shadow(warehouse)
    embed_all(warehouse, spec=OTHER)
    activate(warehouse, shadow)
    drop(warehouse, serving)
    assert roles(warehouse, "other") == {"p": "active"}
    assert one(warehouse, "select count(*) from embedding.product_embedding", tenant="other") == (3,)
    with warehouse.tenant("other") as conn, pytest.raises(ModelError, match="tenant 'other' has no model"):
        models.activate(conn, "other", OTHER.model_id)


def test_a_registered_model_says_what_its_provider_is_opened_from(warehouse: Warehouse, acme: Tenant) -> None:
    spec = replace(SPEC, revision="abc", passage_prefix="passage: ", query_prefix="query: ")
    assert add_model(warehouse, spec=spec).spec == spec
