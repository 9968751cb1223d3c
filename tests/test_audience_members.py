"""Members of segments as snapshots: immutable, numbered, compared, and one customer counted once."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.audience import snapshot
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.audience_support import Segments, failing, materialized
from tests.conftest import Server
from tests.databases import shared_database


@pytest.fixture
def segments(warehouse: Warehouse, acme: Tenant, owner_dsn: str) -> Iterator[Segments]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Segments(warehouse, owner_dsn, instance)


def hashed(*customers: str) -> str:
    return sha256("\n".join(customers).encode()).hexdigest()


def test_the_first_snapshot_has_everybody(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1", "p2")
    result = segments.run("vip")
    assert result.success
    assert not failing(result)
    found = materialized(result)["segment_member"]
    assert (found["snapshot"], found["members"], found["added"], found["removed"], found["is_new"]) == (
        1, 2, 2, 0, True,
    )  # fmt: skip
    assert found["members_hash"] == hashed("c1", "c2")
    assert segments.members("vip") == ["c1", "c2"]


def test_nothing_changed_takes_no_snapshot_and_writes_nothing(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1", "p2")
    segments.run("vip")
    found = materialized(segments.run("vip"))["segment_member"]
    assert (found["snapshot"], found["is_new"]) == (1, False)
    assert segments.rows(
        "select rows_out, partition_key from ops.etl_runs order by started_at desc limit 1"
    ) == [(0, "vip|acme")]


def test_who_comes_and_goes_makes_the_next_snapshot_and_the_old_ones_stay(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1", "p2")
    segments.run("vip")
    segments.fill("vip", "p2", "p3")
    found = materialized(segments.run("vip"))["segment_member"]
    assert (found["snapshot"], found["members"], found["added"], found["removed"]) == (2, 2, 1, 1)
    segments.fill("vip", "p1", "p2", "p3")
    segments.run("vip")
    assert [segments.members("vip", number) for number in (1, 2, 3)] == [
        ["c1", "c2"],
        ["c2", "c3"],
        ["c1", "c2", "c3"],
    ]
    assert segments.rows("select snapshot, members_hash from audience.segment_snapshot order by 1") == [
        (1, hashed("c1", "c2")), (2, hashed("c2", "c3")), (3, hashed("c1", "c2", "c3")),
    ]  # fmt: skip


def test_two_profiles_of_one_customer_are_one_member(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1", "p1.b")
    assert materialized(segments.run("vip"))["segment_member"]["members"] == 1
    assert segments.rows("select cdp_profile_id from audience.segment_member") == [("p1",)]


def test_other_rules_make_a_snapshot_of_the_same_members(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1")
    segments.run("vip")
    segments.define("vip", rules="city = Hà Nội")
    found = materialized(segments.run("vip"))["segment_member"]
    assert (found["snapshot"], found["added"], found["removed"]) == (2, 0, 0)


def test_a_segment_that_the_tenant_has_not_is_absent(segments: Segments) -> None:
    segments.define("vip")
    segments.instance.add_dynamic_partitions("leo_cdp_segment", ["of-another"])
    segments.define("gone", status="deleted")
    for segment_id in ("of-another", "gone"):
        result = segments.run(segment_id, "segment_member", "segment_lookalike")
        assert result.success
        found = materialized(result)
        assert {table: (of["absent"], of["dagster/row_count"]) for table, of in found.items()} == {
            "segment_member": (True, 0),
            "segment_lookalike": (True, 0),
        }
        assert len(list(result.get_asset_check_evaluations())) == 4
    assert segments.rows("select count(*) from audience.segment_snapshot") == [(0,)]
    assert segments.rows("select count(*) from ops.check_result") == [(0,)]


def test_an_empty_segment_has_an_empty_snapshot(segments: Segments) -> None:
    segments.define("nobody")
    result = segments.run("nobody")
    assert result.success
    assert materialized(result)["segment_member"]["members_hash"] == hashed("")
    assert segments.members("nobody") == []


def test_a_snapshot_that_somebody_edits_is_found(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1", "p2")
    segments.run("vip")
    segments.owner(
        "insert into audience.segment_member (tenant_id, segment_id, customer_id, from_snapshot, until_snapshot, "
        "cdp_profile_id, joined_at) values ('acme', 'vip', 'c9', 1, 2, 'p9', now())"
    )
    result = segments.run("vip")
    assert not result.success
    assert failing(result) == {"snapshots_unchanged"}


def test_a_third_of_the_members_going_asks_somebody_to_look(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", *(f"p{number}" for number in range(10)))
    segments.run("vip")
    segments.fill("vip", *(f"p{number}" for number in range(7)))
    assert not failing(segments.run("vip"))
    segments.fill("vip", *(f"p{number}" for number in range(4)))
    result = segments.run("vip")
    assert result.success
    assert failing(result) == {"turnover"}


def test_lookalikes_of_a_tenant_without_vectors_are_none(segments: Segments) -> None:
    segments.define("vip")
    segments.fill("vip", "p1")
    result = segments.run("vip", "segment_member", "segment_lookalike")
    assert result.success
    assert materialized(result)["segment_lookalike"]["dagster/row_count"] == 0


CUSTOMERS = st.frozensets(st.integers(0, 6), max_size=6)


@settings(max_examples=10)
@given(history=st.lists(CUSTOMERS, min_size=1, max_size=6))
def test_every_snapshot_of_any_history_is_what_it_was(
    postgres: Server, history: list[frozenset[int]]
) -> None:
    with shared_database(postgres, "test_audience") as name:
        owner = postgres.dsn(name, user="postgres")
        with (
            Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
            dg.DagsterInstance.ephemeral() as instance,
        ):
            segments = Segments(warehouse, owner, instance)
            segments.define("vip")
            taken: dict[int, list[str]] = {}
            for members in history:
                segments.fill("vip", *(f"p{number}" for number in members))
                with warehouse.tenant("acme") as conn:
                    found, is_new = snapshot.take(conn, "acme", "vip", "run", "VIP", "rules")
                expected = sorted(f"c{number}" for number in members)
                assert is_new == (not taken or taken[max(taken)] != expected)
                taken[found.snapshot] = expected
                assert found.members == len(expected)
            assert sorted(taken) == list(range(1, len(taken) + 1))
            for number, expected in taken.items():
                assert segments.members("vip", number) == expected
            with warehouse.tenant("acme") as conn:
                assert snapshot.changed_since(conn, "acme", "vip", 10) == []
