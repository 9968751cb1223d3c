"""A landing with a registered model: exactly the rows whose text changed are enqueued, whatever way they take."""

from __future__ import annotations

import pytest

from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import add_model, assert_in_step, embed_all, jobs, vectors
from tests.landing_support import MemorySource, land, land_one
from tests.leo_documents import at, edge, feedback, product, profile

pytestmark = pytest.mark.usefixtures("acme")


@pytest.fixture
def source() -> MemorySource:
    found = MemorySource()
    found.put(PROFILE, *[profile(f"c{n}", livingCity=f"city {letter}") for n, letter in enumerate("abcdef")])
    found.put(PRODUCT_ITEM, *[product(f"s{n}", title=f"shoe {n}") for n in range(3)])
    found.put(CONVERSION, *[edge(f"e{n}", f"c{n}", _to=f"{PRODUCT_ITEM}/s{n % 3}") for n in range(6)])
    found.put(FEEDBACK, *[feedback(f"f{n}", f"c{n}", comment=f"good {n}") for n in range(3)])
    return found


@pytest.fixture
def landed(warehouse: Warehouse, source: MemorySource) -> MemorySource:
    """The source as it was landed and embedded."""
    add_model(warehouse)
    land(warehouse, "acme", source)
    found = jobs(warehouse)
    assert {entity for entity, _ in found} == {"profile", "product", "transaction", "review"}
    assert len(found) == 6 + 3 + 6 + 3
    assert len(embed_all(warehouse).texts) == 6 + 3 + 3 + 3, "purchases of one product are one text"
    assert_in_step(warehouse)
    return source


def keys(warehouse: Warehouse, entity: str) -> list[str]:
    return sorted(key for found, key in jobs(warehouse) if found == entity)


def test_a_second_landing_of_the_same_enqueues_nothing(warehouse: Warehouse, landed: MemorySource) -> None:
    land(warehouse, "acme", landed)
    assert jobs(warehouse) == set()


def test_a_sync_enqueues_exactly_the_changed_texts(warehouse: Warehouse, landed: MemorySource) -> None:
    landed.patch(PROFILE, "c1", livingCity="elsewhere", updatedAt=at(days=1))
    landed.patch(PROFILE, "c2", firstName="Lan", totalLeadScore=7, updatedAt=at(days=1))
    landed.patch(PRODUCT_ITEM, "s1", title="boot", updatedAt=at(days=1))
    landed.patch(PRODUCT_ITEM, "s2", salePrice=3.0, updatedAt=at(days=1))
    landed.patch(CONVERSION, "e3", transactionValue=99.0, updatedAt=at(days=1))
    landed.patch(FEEDBACK, "f1", comment="bad")
    landed.put(PROFILE, profile("c9", livingCity="new", updatedAt=at(days=1)))
    land(warehouse, "acme", landed)
    bought = [key for key in sorted(vectors(warehouse, "transaction")) if key in {"e1", "e4"}]
    assert keys(warehouse, "profile") == ["c1", "c9"]
    assert keys(warehouse, "product") == ["s1"]
    assert keys(warehouse, "transaction") == bought == ["e1", "e4"]
    assert keys(warehouse, "review") == ["f1"]
    embed_all(warehouse)
    assert_in_step(warehouse)


def test_what_vanishes_or_is_merged_loses_its_vector_in_the_landing(
    warehouse: Warehouse, landed: MemorySource
) -> None:
    landed.remove(PROFILE, "c0")
    landed.patch(PROFILE, "c1", status=0, rootProfileId="c2", updatedAt=at(days=1))
    landed.remove(PRODUCT_ITEM, "s0")
    landed.remove(FEEDBACK, "f0")
    for collection in (PROFILE, PRODUCT_ITEM, FEEDBACK):
        land_one(warehouse, "acme", landed, collection, allow_mass_delete=True)
    assert sorted(vectors(warehouse, "profile")) == ["c2", "c3", "c4", "c5"]
    assert sorted(vectors(warehouse, "product")) == ["s1", "s2"]
    assert sorted(vectors(warehouse, "review")) == ["f1", "f2"]
    assert jobs(warehouse) == set()
    assert_in_step(warehouse)
