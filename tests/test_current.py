"""Which stage of a tenant need not run: asked of the registry and the change counters, without a run of Dagster.

Belongs here: vectors, datasets and segments. Marts are in `test_modeling_current.py`; that the assets record what is
asked for here is tested with them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from cdp_assets import current
from cdp_assets.artifacts.store import LATEST, ArtifactStore
from cdp_assets.asset_gates import has_passed
from cdp_assets.audience import current as audience
from cdp_assets.datasets import current as datasets
from cdp_assets.datasets.articles import image_vectors
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.model import last_whole_day
from cdp_assets.embedding import current as embedding
from cdp_assets.embedding.entities import ENTITIES, PRODUCT, TRANSACTION
from cdp_assets.settings import Settings
from cdp_assets.warehouse import freshness
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import Summary, record_run
from cdp_assets.warehouse.tenants import Tenant, get_tenant, put_tenant
from tests.gates_support import all_passed, graph
from tests.rows import insert


class Acme:
    """The tenant, its warehouse and artifacts, and runs of its stages as the registry sees them."""

    def __init__(self, warehouse: Warehouse, owner_dsn: str, folder: Path) -> None:
        self.warehouse, self.owner_dsn, self.store = warehouse, owner_dsn, ArtifactStore(folder / "ml")

    @property
    def tenant(self) -> Tenant:
        return get_tenant(self.warehouse, "acme")

    def sql(self, statement: str) -> None:
        """One transaction of the tenant."""
        with self.warehouse.tenant("acme") as conn:
            conn.execute(statement)  # type: ignore[call-overload]

    def insert(self, table: str, **values: Any) -> None:
        """One row, whatever the table asks for."""
        with psycopg.connect(self.owner_dsn) as conn:
            insert(conn, table, tenant_id="acme", **values)

    def option(self, **options: Any) -> None:
        put_tenant(self.warehouse, replace(self.tenant, given=options), replace=True)

    def build(self, name: str, days_back: int = 0) -> None:
        """A run of a dataset that publishes version v1."""
        tenant = self.tenant
        day = last_whole_day(tenant.now(), tenant.timezone) - timedelta(days=days_back)
        recipe = datasets.recipe(DATASETS[name], tenant, day)
        with record_run(self.warehouse, "acme", f"datasets.{name}", recipe=recipe) as summary:
            self.publish(name, summary)

    def publish(self, name: str, summary: Summary) -> None:
        summary.metrics = {"version": "v1"}
        folder = self.store.folder(name, "acme")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LATEST).write_text("v1\n")

    def is_current(self, name: str) -> bool:
        return current.dataset_is_current(self.warehouse, self.store, self.tenant, name)

    def run_events(self) -> None:
        with record_run(self.warehouse, "acme", datasets.EVENTS, recipe=datasets.events_recipe(self.tenant)):
            pass

    def run_segment(self, segment_id: str, *, tables: tuple[str, ...] = tuple(audience.READS)) -> None:
        for table in tables:
            with self.warehouse.tenant("acme") as conn:
                recipe = audience.recipe(conn, self.tenant, segment_id, table)
            with record_run(
                self.warehouse,
                "acme",
                f"audience.{table}",
                partition_key=f"{segment_id}|acme",
                recipe=recipe,
            ):
                pass

    def segment_is_current(self, segment_id: str) -> bool:
        return current.segment_is_current(self.warehouse, self.tenant, segment_id)

    def embed(self) -> None:
        for entity in ENTITIES.values():
            with record_run(
                self.warehouse, "acme", f"embedding.{entity.table}", recipe=embedding.recipe(entity)
            ):
                pass


@pytest.fixture
def world(warehouse: Warehouse, owner_dsn: str, acme: Tenant, tmp_path: Path) -> Acme:
    return Acme(warehouse, owner_dsn, tmp_path)


PROMOTION = "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', 1, now())"


def a_failed_run(world: Acme) -> None:
    recipe = datasets.recipe(DATASETS["customer_features"], world.tenant, date(2026, 6, 29))
    with (
        suppress(ZeroDivisionError),
        record_run(world.warehouse, "acme", "datasets.customer_features", recipe=recipe),
    ):
        _ = 1 / 0


AGES_A_DATASET: dict[str, Callable[[Acme], object]] = {
    "rows were landed": lambda world: world.sql(PROMOTION),
    "rows of an input dataset": lambda world: world.insert("datasets.events_enriched"),
    "rows of its table taken by hand": lambda world: world.sql("delete from datasets.customer_features"),
    "an option": lambda world: world.option(default_currency="GBP"),
    "another day": lambda world: world.option(as_of="2020-01-01T00:00:00Z"),
    "LATEST is gone": lambda world: (world.store.folder("customer_features", "acme") / LATEST).unlink(),
    "LATEST names another version": lambda world: (
        world.store.folder("customer_features", "acme") / LATEST
    ).write_text("v0\n"),
    "a run that failed": a_failed_run,
    "a look back": lambda world: world.build("customer_features", days_back=7),
}


@pytest.mark.parametrize("event", AGES_A_DATASET.values(), ids=AGES_A_DATASET)
def test_what_would_change_a_dataset_makes_it_old(world: Acme, event: Callable[[Acme], object]) -> None:
    assert not world.is_current("customer_features"), "it was never built"
    world.insert("datasets.customer_features")
    world.build("customer_features")
    assert world.is_current("customer_features")
    event(world)
    assert not world.is_current("customer_features")
    world.build("customer_features")
    assert world.is_current("customer_features")


@pytest.mark.parametrize("changed", ["code", "models"])
def test_other_code_or_models_make_a_dataset_old(
    world: Acme, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    world.build("customer_features")
    module, name = (freshness, "code_digest") if changed == "code" else (datasets, "digest_of_files")
    monkeypatch.setattr(module, name, lambda: "of another day")
    assert not world.is_current("customer_features")


def test_rows_that_a_dataset_does_not_read_leave_it_as_it_is(world: Acme) -> None:
    world.build("customer_features")
    world.insert("datasets.timeseries_weekly")
    world.insert("audience.segment_features")
    assert world.is_current("customer_features")


@pytest.mark.parametrize("root", ["", "/images"])
@pytest.mark.parametrize("model", ["", "clip"])
def test_a_dataset_that_reads_files_is_never_known_to_be_current(
    world: Acme, monkeypatch: pytest.MonkeyPatch, root: str, model: str
) -> None:
    monkeypatch.setattr(image_vectors, "get_settings", lambda: Settings(image_model_id=model))
    world.option(image_root=root)
    world.build("articles_image_vectors")
    assert world.is_current("articles_image_vectors") is not bool(root and model)


def test_every_table_that_an_input_is_read_from_is_one_that_the_recipe_counts(world: Acme) -> None:
    """Views are made of what was landed; tables of marts and datasets are named one by one."""
    for dataset in DATASETS.values():
        counted = datasets.recipe(dataset, world.tenant, date(2026, 6, 30)).reads
        for frame in dataset.reads:
            query = datasets.FRAMES[frame].query
            read = {word.strip("(),") for word in query.split() if word.startswith(("marts.", "datasets."))}
            assert read <= set(counted), f"{dataset.name} reads {read}"
        assert {"cdp", "raw"} <= set(counted)


def test_events_are_old_when_rows_were_landed_or_a_window_ends(world: Acme) -> None:
    world.option(as_of="2026-06-30T12:00:00Z")
    world.run_events()
    assert current.events_are_current(world.warehouse, world.tenant)
    world.sql(PROMOTION)
    assert not current.events_are_current(world.warehouse, world.tenant)
    for ends, is_open in (("2026-06-30T11:59:00Z", False), ("2026-06-30T12:01:00Z", True)):
        world.sql("delete from datasets.funnel_member")
        world.insert("datasets.funnel_member", state="open", open_until=ends)
        world.run_events()
        assert current.events_are_current(world.warehouse, world.tenant) is is_open


AGES_A_SEGMENT: dict[str, Callable[[Acme], object]] = {
    "rows were landed": lambda world: world.sql(PROMOTION),
    "another snapshot": lambda world: world.insert("audience.segment_snapshot", segment_id="s", snapshot=2),
    "features": lambda world: world.insert("datasets.customer_features"),
    "funnels": lambda world: world.insert("datasets.funnel_daily"),
    "another model": lambda world: world.insert("embedding.active_model"),
    "rows of a table taken by hand": lambda world: world.sql("delete from audience.segment_features"),
    "an option": lambda world: world.option(default_currency="GBP"),
}


@pytest.mark.parametrize("event", AGES_A_SEGMENT.values(), ids=AGES_A_SEGMENT)
def test_what_would_change_a_segment_makes_it_old(world: Acme, event: Callable[[Acme], object]) -> None:
    assert not world.segment_is_current("s"), "it was never made"
    world.insert("audience.segment_features", segment_id="s")
    world.insert("audience.segment_snapshot", segment_id="s", snapshot=1)
    world.run_segment("s")
    assert world.segment_is_current("s")
    event(world)
    assert not world.segment_is_current("s")
    world.run_segment("s")
    assert world.segment_is_current("s")


def test_a_segment_is_old_until_each_of_its_tables_was_made(world: Acme) -> None:
    world.run_segment("s", tables=tuple(audience.READS)[:-1])
    assert not world.segment_is_current("s")


def test_a_run_of_one_segment_leaves_another_as_it_is(world: Acme) -> None:
    world.run_segment("one")
    with record_run(
        world.warehouse,
        "acme",
        "audience.segment_features",
        partition_key="two|acme",
        recipe=freshness.Recipe((), ("audience.segment_features",)),
    ):
        world.insert("audience.segment_features", segment_id="two")
    assert world.segment_is_current("one")
    assert not world.segment_is_current("two")


AGES_VECTORS: dict[str, Callable[[Acme], object]] = {
    "a text": lambda world: world.insert("cdp.product_item"),
    "no model serves": lambda world: world.sql("delete from embedding.active_model"),
    "a text that waits": lambda world: world.insert("embedding.job"),
    "vectors taken by hand": lambda world: world.sql("delete from embedding.product_embedding"),
}


@pytest.mark.parametrize("event", AGES_VECTORS.values(), ids=AGES_VECTORS)
def test_what_would_change_vectors_makes_them_old(world: Acme, event: Callable[[Acme], object]) -> None:
    world.insert("embedding.model")
    world.insert("embedding.active_model")
    world.sql("call embedding.add_partitions('acme', 'k')")
    world.insert("embedding.product_embedding")
    assert not current.vectors_are_current(world.warehouse, world.tenant)
    world.embed()
    assert current.vectors_are_current(world.warehouse, world.tenant)
    event(world)
    assert not current.vectors_are_current(world.warehouse, world.tenant)


def test_the_recipe_of_vectors_counts_every_table_that_their_texts_are_made_of(owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        for entity in ENTITIES.values():
            tables = {
                row[0]
                for row in conn.execute(
                    "select distinct d.refobjid::regclass::text from pg_rewrite as r inner join pg_depend as d "
                    "on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refobjsubid > 0 "
                    "where r.ev_class = to_regclass(%s) and d.refobjid <> r.ev_class",
                    (f"embedding.{entity.name}_text",),
                )
            }
            assert tables <= set(embedding.recipe(entity).reads)
    assert PRODUCT.source in embedding.recipe(TRANSACTION).reads


RESULT = "ops.check_result where asset = 'datasets.customer_features'"


@pytest.mark.parametrize(
    ("statement", "passes"),
    [
        (f"delete from {RESULT}", False),
        (f"update {RESULT} ".replace(" where", " set passed = false, failing = 1 where"), False),
        ("delete from ops.check_result where asset = 'marts.fct_sales'", True),
    ],
    ids=["a result is lost", "a check failed", "another stage's"],
)
def test_a_stage_is_due_for_a_check_that_has_not_passed_though_nothing_changed(
    world: Acme, statement: str, passes: bool
) -> None:
    keys = [dg.AssetKey(["datasets", name]) for name in DATASETS]
    all_passed(world.warehouse, "acme")
    assert has_passed(graph(), world.warehouse, "acme", keys)
    world.sql(statement)
    assert has_passed(graph(), world.warehouse, "acme", keys) is passes


def test_a_tenant_whose_clock_cannot_be_read_gets_its_runs_which_say_so(world: Acme) -> None:
    world.run_events()
    world.build("customer_features")
    world.run_segment("s")
    broken = replace(world.tenant, given={"as_of": "soon"})
    assert not current.marts_are_current(world.warehouse, broken)
    assert not current.events_are_current(world.warehouse, broken)
    assert not current.datasets_are_current(world.warehouse, world.store, broken)
    assert not current.segment_is_current(world.warehouse, broken, "s")
