"""However the warehouse came to a state of the source, its tables are those of a fresh load of that state."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from cdp_assets import demo
from cdp_assets.demo.advance import advance_tenant
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import Mode
from cdp_assets.sources.model import PROFILE
from cdp_assets.warehouse.connection import Warehouse
from tests.landing_support import (
    KEYS,
    MemorySource,
    Table,
    assert_same,
    kept_refusals,
    land,
    open_rejects,
    rows_written,
    snapshots,
    versions,
    with_kept_refusals,
)
from tests.leo_documents import Document, profile

DAYS = 4
WAYS: dict[str, tuple[Mode, ...]] = {"sweep-alone": ("sweep",), "window-then-sweep": ("window", "sweep")}
"""Tenant -> how it is kept in step."""


@cache
def days(name: str) -> list[tuple[dict[str, list[Document]], dict[str, Any]]]:
    """A demo tenant's documents and their truth, from the first load to the last day."""
    tenant = demo.tenant_at(name, size="tiny")
    found = []
    for day in range(DAYS + 1):
        if day:
            advance_tenant(tenant)
        found.append((demo.leo_documents(tenant), demo.truth_of(tenant)))
    return found


def assert_equals_fresh_load(
    warehouse: Warehouse, tenant: str, fresh: str, expected: dict[str, Table]
) -> None:
    found = snapshots(warehouse, tenant)
    assert_same(found, expected, but=["consent"])
    assert found["consent"] == with_kept_refusals(expected["consent"], kept_refusals(warehouse, tenant))
    assert rejects(warehouse, tenant) == rejects(warehouse, fresh)


def rejects(warehouse: Warehouse, tenant: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        place: (entry.rev, entry.reason, entry.fields, entry.landed, entry.document)
        for place, entry in open_rejects(warehouse, tenant).items()
    }


def assert_is_true(tables: dict[str, Table], truth: dict[str, Any]) -> None:
    """Counts, money, members and merges are those that the demo world says it has."""
    for collection, contract in CONTRACTS.items():
        assert len(tables[contract.table]) == truth["collections"][collection]["landed"], collection
    lines = tables["transactional_context"].values()
    assert Counter(row["currency"] for row in lines) == {
        currency: total["documents"] for currency, total in truth["landed_totals"].items()
    }
    for currency, total in truth["landed_totals"].items():
        assert sum(row["amount"] for row in lines if row["currency"] == currency) == Decimal(total["amount"])
    members = Counter(segment for _, segment in tables["profile_segment"])
    assert members == Counter({key: said["landed_members"] for key, said in truth["segments"].items()})
    profiles = tables["customer_profile"]
    assert {key: profiles[key,]["root_profile_id"] for key in truth["merged"]} == truth["merged"]
    losers = set(truth["merged"])
    for table in ("transactional_context", "tracking_event", "feedback"):
        assert losers.isdisjoint(row["cdp_profile_id"] for row in tables[table].values()), table


@pytest.mark.parametrize("name", ["acme-demo", "nova-demo"])
def test_after_each_day_the_tables_equal_a_fresh_load_and_the_truth(warehouse: Warehouse, name: str) -> None:
    for day, (documents, truth) in enumerate(days(name)):
        source = MemorySource(documents)
        land(warehouse, f"day-{day}", source)
        fresh = snapshots(warehouse, f"day-{day}")
        assert_is_true(fresh, truth)
        for way, modes in WAYS.items():
            for mode in modes:
                land(warehouse, way, source, mode)
            assert_equals_fresh_load(warehouse, way, f"day-{day}", fresh)


@pytest.mark.parametrize("mode", ["sweep", "window"])
def test_a_second_sync_of_the_same_state_writes_no_row(warehouse: Warehouse, mode: Mode) -> None:
    tables = [*KEYS, "ledger", "quarantine"]
    source = MemorySource(days("acme-demo")[0][0])
    land(warehouse, "kept", source)
    before = {table: versions(warehouse, "kept", table) for table in tables}
    again = land(warehouse, "kept", source, mode)
    assert {name: rows_written(result) for name, result in again.items()} == dict.fromkeys(again, 0)
    assert {table: versions(warehouse, "kept", table) for table in tables} == before
    if mode == "sweep":
        assert (source.given["fetch"], source.given["scan"]) == (0, sum(map(len, source.documents.values())))


@pytest.mark.parametrize("gone_first", [False, True])
def test_a_refusal_outlives_the_profile_that_was_merged_and_removed(
    warehouse: Warehouse, gone_first: bool
) -> None:
    """Also along a chain: who absorbs the winner later inherits the refusal, and nobody inherits a removed consent."""
    source = MemorySource(
        {
            PROFILE: [
                profile("first", receiveSMS=-1, receiveEmail=1, status=0, rootProfileId="second"),
                profile("second"),
                profile("third"),
            ]
        }
    )
    land(warehouse, "kept", source)
    steps = [
        lambda: source.remove(PROFILE, "first"),
        lambda: source.patch(PROFILE, "second", status=0, rootProfileId="third"),
    ]
    for step in steps if gone_first else reversed(steps):
        step()
        land(warehouse, "kept", source)
    consent = snapshots(warehouse, "kept")["consent"]
    assert (consent["third", "sms"]["decision"], consent["third", "sms"]["decided_by"]) == (
        "denied",
        ["first"],
    )
    assert consent["third", "email"]["decision"] == "unset"
    land(warehouse, "fresh", source)
    assert_equals_fresh_load(warehouse, "kept", "fresh", snapshots(warehouse, "fresh"))
