"""The demo world in datasets and audiences: no check fails on a clean one, each planted fault is found by its check.

Belongs here: all checks of the two stages on one world, made of both sources through landing and views. What each check
makes of rows that a test states is in the other `test_dataset_*` and `test_audience_*`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.common_checks import drift
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.demo import DEFECT_KINDS, defect_ledger, shop_defects, tenant_at
from cdp_assets.quality import Severity
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT
from tests.conftest import Server
from tests.demo_faults import EVENT_FAULTS, FAULTS, EventFault, Fault
from tests.demo_world_support import DemoTenant, Found, demo_tenant, failed, rebuilt, rebuilt_events

pytestmark = pytest.mark.slow

GRAPH = Path(__file__).parent / "data" / "graph.json"

LANDING = "test_checks_source.test_every_planted_defect_is_found_by_the_check_that_its_ledger_names"
DIRT = "test_dbt_demo.test_dirt_of_the_shop_is_found_and_nothing_else"
TOTALS = "test_dbt_demo.test_orders_whose_total_differs_from_their_lines_are_reported_each_and_no_other"
ONE_SIDE = "test_dbt_demo.test_orders_of_one_source_are_reported_both_ways"
PERSONS = "test_dbt_demo.test_accounts_of_one_person_are_one_customer"

ORDERS_OF_LEO = "cdp.transactional_context"

FINDERS: dict[tuple[str, str], str] = {
    # what landing refuses, or nulls a field of, never comes so far
    **{(PROFILE, kind): LANDING for kind in (
        "status_unknown", "age_is_text", "age_out_of_range", "segments_is_object", "nul_in_name", "email_is_null_text",
        "email_is_two_addresses", "phone_has_letters", "attribute_is_new",
    )},
    **{(CONVERSION, kind): LANDING for kind in (
        "amount_is_text", "date_impossible", "currency_unknown", "amount_is_negative", "return_is_positive",
    )},
    **{(TRACKING_EVENT, kind): LANDING for kind in ("metric_name_missing", "event_in_future")},
    (PRODUCT_ITEM, "price_is_text"): LANDING,
    (FEEDBACK, "score_is_text"): LANDING,
    **{(table, "key_of_another_tenant"): LANDING for table in (PROFILE, PRODUCT_ITEM, SEGMENT)},
    # what a single source cannot tell
    **{("raw.orders", kind): ONE_SIDE for kind in ("order_by_telephone", "order_removed_from_leo")},
    **{(ORDERS_OF_LEO, kind): ONE_SIDE for kind in ("order_missing", "order_late", "order_deleted")},
    **{("raw.orders", kind): TOTALS for kind in ("total_off_by_cents", "total_off")},
    ("raw.orders", "status_unknown"): DIRT,
    ("raw.orders", "order_ahead"): DIRT,
    ("raw.customers", "email_invalid"): DIRT,
    **{("raw.customers", f"customer_twice_{kind}"): PERSONS for kind in (
        "email_case", "plus_tag", "phone_format", "accents_lost",
    )},
    # what is found here
    ("raw.orders", "order_long_ago"): "datasets.timeseries_daily.inputs_are_usable",
    **{("raw.promotions", kind): "datasets.timeseries_daily.inputs_are_usable" for kind in (
        "discount_over_100", "promotion_since_1900",
    )},
    ("raw.products", "category_missing"): "datasets.articles_content.categories_are_a_tree",
    (TRACKING_EVENT, "total_off_by_cents"): "datasets.events_enriched.order_total_matches_lines",
    (TRACKING_EVENT, "total_off"): "datasets.events_enriched.order_total_matches_lines",
    (TRACKING_EVENT, "event_redelivered"): "datasets.events_enriched.repeats",
}  # fmt: skip
"""Collection and kind of every fault of the ledgers -> the check of these stages that finds it, or the test that shows
which check of an earlier stage does."""


@dataclass(frozen=True)
class Clean:
    """lotus-demo without planted faults: what the checks found on three days, and its inputs of the last."""

    days: tuple[Found, ...]
    tenant: DemoTenant


@dataclass(frozen=True)
class Faulty:
    """acme-demo with its planted faults."""

    found: Found
    tenant: DemoTenant
    ledger: list[dict[str, str]]
    reviews: list[dict[str, Any]]
    """As LEO has them."""

    def keys(self, check: str) -> set[str]:
        """Keys of the faults that a check of these stages must find."""
        return {
            fault["key"]
            for fault in self.ledger
            if FINDERS[fault["collection"], fault["defect"]] == f"datasets.{check}"
        }


@pytest.fixture(scope="module")
def clean(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    """The small size: shares, models and drift are looked at from a hundred customers and a thousand events."""
    with demo_tenant(postgres, tmp_path_factory.mktemp("clean"), "shop_clean") as tenant:
        days = []
        for step in (0, 1, 2):
            tenant.arrive(tenant_at("lotus-demo", size="small", step=step, clean=True))
            days.append(tenant.build() | tenant.audiences())
        yield Clean(tuple(days), tenant)


@pytest.fixture(scope="module")
def faulty(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    world = tenant_at("acme-demo", size="tiny", step=2)
    with demo_tenant(postgres, tmp_path_factory.mktemp("faulty"), "shop_faulty") as tenant:
        tenant.arrive(world)
        found = tenant.build() | tenant.audiences()
        ledger = [*defect_ledger(world), *shop_defects(world)]
        yield Faulty(found, tenant, ledger, list(world.database.documents(FEEDBACK)))


# -- the clean world ---------------------------------------------------------------------------------------------------


def test_nothing_is_planted_in_a_clean_world() -> None:
    for step in (0, 2):
        world = tenant_at("acme-demo", size="tiny", step=step, clean=True)
        assert defect_ledger(world) == []
        kinds = {fault["defect"] for fault in shop_defects(world)}
        # the shop's own life: people telephone, clerks delete, a transaction commits late
        assert kinds <= {"order_by_telephone", "order_removed_from_leo", "order_late", "order_deleted"}


@pytest.mark.parametrize("day", [0, 1, 2])
def test_no_check_raises_a_false_alarm(clean: Clean, day: int) -> None:
    assert failed(clean.days[day]) == {}


def test_every_check_of_datasets_and_audiences_was_asked(clean: Clean) -> None:
    recorded = {name.replace("/", ".").replace(": ", ".") for name in json.loads(GRAPH.read_text())["checks"]}
    expected = {name for name in recorded if name.startswith(("datasets.", "audience."))}
    for found in clean.days:
        assert {name.rpartition("|")[2] for name in found} == expected
        assert len({name.partition("|")[0] for name in found if "|" in name}) > 4, "several segments"


def test_the_second_day_was_compared_with_the_first(clean: Clean) -> None:
    first, second, _ = clean.days
    compared = {name for name, found in second.items() if name.endswith(".drift") and found.numbers}
    assert compared >= {f"datasets.{name}.drift" for name in (
        "articles_content", "reviews_nlp", "user_item_interactions", "customer_features", "timeseries_daily",
        "timeseries_weekly", "timeseries_forecast",
    )}  # fmt: skip
    assert not any(found.numbers for name, found in first.items() if name.endswith(".drift"))
    assert any(found.numbers for name, found in second.items() if name.endswith(".turnover"))
    assert second["datasets.articles_content.change_is_usual"].numbers


def test_a_value_of_all_who_bought_once_is_no_drift(clean: Clean) -> None:
    """Gamma-Gamma expects nearly the same of everybody: the refit of a day moves all of them at once."""
    audit = clean.tenant.audits["customer_features"]
    assert audit.built.numbers["btyd_model"] != "none"
    spend = audit.table["expected_spend"].drop_nulls().to_numpy()
    assert spend.std() < 0.1 * spend.mean()
    assert drift(audit).passed
    assert "expected_spend" in {name for name, *_ in drift(replace(audit, pooled=())).sample}


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_rows_in_any_order_give_the_same_bytes(clean: Clean, name: str) -> None:
    sound = clean.tenant.audits[name]
    shuffled = {
        each: frame.sample(fraction=1, shuffle=True, seed=seed)
        for seed, (each, frame) in enumerate(sound.inputs.items())
    }
    once, again = (rebuilt(DATASETS[name], sound, **frames)[0] for frames in ({}, shuffled))
    assert parquet(once.table) == parquet(again.table)
    assert once.built.files.keys() == again.built.files.keys()
    assert [file for file in once.built.files if once.built.files[file] != again.built.files[file]] == []
    assert once.built.numbers == again.built.numbers


# -- the ledger --------------------------------------------------------------------------------------------------------


def test_every_kind_of_fault_has_its_finder() -> None:
    kinds = {(kind.collection, kind.name) for kind in DEFECT_KINDS}
    for name in ("acme-demo", "lotus-demo", "nova-demo"):
        world = tenant_at(name, size="tiny", step=2)
        kinds |= {(d["collection"], d["defect"]) for d in (*defect_ledger(world), *shop_defects(world))}
    assert kinds == set(FINDERS)


@pytest.mark.parametrize("finder", sorted(set(FINDERS.values())))
def test_every_finder_is_there(finder: str) -> None:
    module, _, name = finder.rpartition(".")
    if module.startswith("test_"):
        assert callable(getattr(importlib.import_module(f"tests.{module}"), name))
    else:
        assert f"{module.replace('.', '/')}: {name}" in json.loads(GRAPH.read_text())["checks"]


def test_nothing_but_planted_faults_is_found(faulty: Faulty) -> None:
    assert set(failed(faulty.found)) == {
        "datasets.articles_content.categories_are_a_tree",
        "datasets.events_enriched.order_total_matches_lines",
        "datasets.reviews_nlp.links_are_known",
        # of the article in quarantine, and of the line with a negative amount
        "datasets.user_item_interactions.sales_linked",
        "datasets.user_item_interactions.spend_not_negative",
        # of orders of 1962 and 2062, and of promotions of 150 % and since 1900
        *(
            f"datasets.{name}.inputs_are_usable"
            for name in (
                "customer_features",
                "reviews_nlp",
                "timeseries_daily",
                "timeseries_forecast",
                "timeseries_weekly",
                "user_item_interactions",
            )
        ),
        # `repeats` asks from six of ten on, and those that were redelivered are three
    }


def test_the_review_of_an_article_in_quarantine_is_named(faulty: Faulty) -> None:
    refused = {fault["key"] for fault in faulty.ledger if fault["defect"] == "price_is_text"}
    reviews = {
        f"leo:{document['_key']}" for document in faulty.reviews if document["refProductItemId"] in refused
    }
    found = faulty.found["datasets.reviews_nlp.links_are_known"]
    # among those by people whom nobody knows, one review in ten of so small a world
    assert {review for review, _, article in found.sample if article == UNKNOWN} == reviews != set()


def test_the_event_whose_total_is_not_that_of_its_lines_is_named(faulty: Faulty) -> None:
    keys = faulty.keys("events_enriched.order_total_matches_lines")
    found = faulty.found["datasets.events_enriched.order_total_matches_lines"]
    assert {event for event, *_ in found.sample} == {f"leo:{key}" for key in keys}
    assert (found.failing, found.severity) == (len(keys), Severity.WARN)
    assert len(keys) == 2
    for _, _, total, lines in found.sample:
        assert abs(total - lines) >= 0.01


def test_the_article_whose_category_is_not_there_is_named(faulty: Faulty) -> None:
    keys = faulty.keys("articles_content.categories_are_a_tree")
    articles = faulty.tenant.audits["articles_content"].inputs["articles"]
    named = articles.filter(pl.col("shop_product_id").cast(pl.String).is_in(list(keys)))["article_id"]
    found = faulty.found["datasets.articles_content.categories_are_a_tree"]
    assert list(found.sample) == [("article without its category", article) for article in named]
    assert len(named) == len(keys) == 1


def test_promotions_that_cannot_be_are_named_with_what_is_wrong(faulty: Faulty) -> None:
    found = faulty.found["datasets.timeseries_daily.inputs_are_usable"]
    named = {str(cell) for row in found.sample if "promotions" in row for cell in row}
    assert named >= {
        key for key in faulty.keys("timeseries_daily.inputs_are_usable") if _is_promotion(faulty, key)
    }
    assert any("1980" in text for text in named), "the one since 1900"
    assert any("100" in text for text in named), "the one of 150 %"
    assert any("lies ahead" in map(str, row) for row in found.sample), "the order of 2062"


def _is_promotion(faulty: Faulty, key: str) -> bool:
    return any(fault["collection"] == "raw.promotions" and fault["key"] == key for fault in faulty.ledger)


def test_a_redelivered_event_counts_once(faulty: Faulty) -> None:
    assert faulty.tenant.events_audit is not None
    events = faulty.tenant.events_audit.tables.events_enriched
    copies = [f"leo:{key}" for key in faulty.keys("events_enriched.repeats")]
    assert len(copies) >= 3
    act = ["visitor_key", "event_type", "event_at", "article_id"]
    for copy in copies:
        row = events.filter(event_id=copy)
        told = events.filter(~pl.col("is_imported")).join(row.select(act), on=act, nulls_equal=True)
        assert told.height >= 2, "the event and its copy"
        assert told.filter(~pl.col("is_duplicate")).height <= 1
    marked = faulty.found["datasets.events_enriched.repeats"].numbers["found"]
    assert marked == events["is_duplicate"].sum() >= len(copies)


# -- faults that the ledger has not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_the_inputs_is_found_by_its_check_alone(clean: Clean, fault: Fault) -> None:
    sound = clean.tenant.audits[fault.dataset]
    frames, keys = fault.spoil(sound.inputs)
    _, found = rebuilt(DATASETS[fault.dataset], sound, **frames)
    assert set(failed(found)) == set(fault.checks)
    named = {str(cell) for row in found[fault.checks[0]].sample for cell in row}
    assert keys <= named


@pytest.mark.parametrize("fault", EVENT_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_the_events_is_found_by_its_check_alone(clean: Clean, fault: EventFault) -> None:
    assert clean.tenant.events_audit is not None
    events, keys = fault.spoil(clean.tenant.events)
    audit, found = rebuilt_events(clean.tenant.events_audit, events)
    assert set(failed(found)) == {fault.check}
    assert set(audit.tables.events_enriched.filter(fault.flag)["event_id"]) == keys


def test_a_build_of_the_same_inputs_finds_nothing(clean: Clean) -> None:
    """Else the faults above might not be what is found."""
    assert clean.tenant.events_audit is not None
    for name in sorted({fault.dataset for fault in FAULTS}):
        assert failed(rebuilt(DATASETS[name], clean.tenant.audits[name])[1]) == {}
    assert failed(rebuilt_events(clean.tenant.events_audit, clean.tenant.events)[1]) == {}
