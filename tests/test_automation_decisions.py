"""The decisions of the automation over plain values: no database, no Dagster, no clock."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cdp_assets.automation
from cdp_assets.automation import decisions
from cdp_assets.automation.decisions import CollectionState, Plan, TenantState
from cdp_assets.definitions import build_definitions
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.sources.model import CONVERSION, PRODUCT_ITEM, PROFILE, TRACKING_EVENT, Signature

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
OLD, NEW = Signature(10, "_a"), Signature(10, "_b")


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def tenant(**collections: CollectionState) -> TenantState:
    known = {collection: CollectionState(OLD, ago(hours=9)) for collection in decisions.TABLES}
    return TenantState("acme", {**known, **collections})


def failed(times: int, last: datetime, stored: Signature | None = OLD) -> CollectionState:
    return CollectionState(
        stored, ago(hours=9), {f"run-{n}": last - timedelta(hours=n) for n in range(times)}
    )


# -- partitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "existing", "in_use", "add", "remove", "deferred"),
    [
        pytest.param([], [], [], [], [], [], id="nothing is nothing"),
        pytest.param(["b", "a"], [], [], ["a", "b"], [], [], id="new keys are added in order"),
        pytest.param(["a"], ["a", "b"], [], [], ["b"], [], id="a key without a tenant is removed"),
        pytest.param(
            ["a"], ["a", "b"], ["b"], [], [], ["b"], id="a key with a run in flight is not removed yet"
        ),
        pytest.param(["a"], ["a"], ["a"], [], [], [], id="a run of a wanted key defers nothing"),
        pytest.param(["a"], ["b"], ["c"], ["a"], ["b"], [], id="runs of other keys hold up nothing"),
    ],
)
def test_partitions_follow_what_is_wanted(
    wanted: list[str],
    existing: list[str],
    in_use: list[str],
    add: list[str],
    remove: list[str],
    deferred: list[str],
) -> None:
    assert decisions.partition_changes(wanted, existing, in_use) == decisions.PartitionChanges(
        add, remove, deferred
    )


# -- schedules -----------------------------------------------------------------------------------------------------


def test_a_tenant_with_a_run_in_flight_waits_and_the_others_run() -> None:
    due = decisions.due_tenants(["acme", "globex"], {"acme", "globex"}, busy={"globex"})
    assert due.tenants == ["acme"]
    assert due.notes == ["globex: a run is in flight"]


def test_a_tenant_whose_partition_is_not_registered_yet_does_not_fail_the_tick_for_the_others() -> None:
    due = decisions.due_tenants(["acme", "new"], {"acme"}, busy=set())
    assert due.tenants == ["acme"]
    assert "new: its partition is not registered yet" in due.notes[0]


# -- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "seen", "changed"),
    [
        pytest.param(OLD, OLD, False, id="an equal signature is no change"),
        pytest.param(OLD, NEW, True, id="another revision is a change"),
        pytest.param(OLD, Signature(11, "_a"), True, id="another count is a change"),
        pytest.param(None, OLD, True, id="a collection that was never swept has changed"),
        pytest.param(None, Signature(0, "0"), True, id="so has an empty one"),
    ],
)
def test_signatures_are_compared_for_equality(
    stored: Signature | None, seen: Signature, changed: bool
) -> None:
    state = tenant(**{PROFILE: CollectionState(stored)})
    assert decisions.changed_collections(state, {PROFILE: seen}) == [PROFILE] * changed


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 0), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10, 60), (10_000, 60)]
)
def test_the_back_off_doubles_up_to_an_hour(failures: int, minutes: int) -> None:
    assert decisions.backoff(failures) == timedelta(minutes=minutes)


def test_the_wait_counts_from_the_last_failure() -> None:
    assert decisions.waits_until([ago(minutes=9), ago(minutes=1), ago(minutes=30)]) == ago(
        minutes=1
    ) + timedelta(minutes=4)
    assert decisions.waits_until([]) is None


@pytest.mark.parametrize(
    ("seconds", "ended", "left"),
    [
        pytest.param(0.2, ago(seconds=10), 50, id="at least a minute passes between two sweeps"),
        pytest.param(0.2, ago(seconds=60), 0, id="then a quick sweep may follow"),
        pytest.param(600, ago(minutes=10), 1800, id="ten minutes of sweeping are followed by forty of rest"),
        pytest.param(600, ago(minutes=40), 0, id="after which it is due again"),
    ],
)
def test_a_busy_source_is_swept_a_fifth_of_the_time_at_most(
    seconds: float, ended: datetime, left: float
) -> None:
    state = TenantState("acme", {}, swept_at=ended, swept_seconds=seconds)
    assert decisions.pause_left(state, NOW) == timedelta(seconds=left)


def test_a_tenant_that_was_never_swept_does_not_wait() -> None:
    assert decisions.pause_left(TenantState("acme", {}), NOW) == timedelta(0)


def test_changed_products_are_swept_alone() -> None:
    assert decisions.plan(tenant(), [PRODUCT_ITEM], NOW) == Plan({"product_item": "SWEEP"})


def test_changed_profiles_bring_what_follows_them_and_read_its_window_only() -> None:
    """Events and transactions move to the winner of a merge, though their own collections did not change."""
    assert decisions.plan(tenant(), [PROFILE], NOW).tables == {
        "customer_profile": "SWEEP",
        "profile_segment": None,
        "consent": None,
        "tracking_event": "WINDOW",
        "transactional_context": "WINDOW",
        "feedback": "WINDOW",
        "customer_metrics": None,
    }


def test_a_collection_that_changed_itself_is_swept_though_it_follows_another() -> None:
    tables = decisions.plan(tenant(), [PROFILE, CONVERSION], NOW).tables
    assert tables["transactional_context"] == "SWEEP"
    assert tables["tracking_event"] == "WINDOW"


def test_a_collection_that_failed_waits_while_the_others_are_swept() -> None:
    state = tenant(**{CONVERSION: failed(3, last=ago(minutes=3))})
    planned = decisions.plan(state, [CONVERSION, PRODUCT_ITEM], NOW)
    assert planned.tables == {"product_item": "SWEEP"}
    assert planned.note == "acme: after failures cdp_profile2conversion waits until 12:01:00 UTC"


def test_a_follower_that_failed_does_not_fail_the_run_of_another_collection() -> None:
    """Profiles change with every page view: a broken collection behind them would fail a run per minute."""
    state = tenant(**{TRACKING_EVENT: failed(3, last=ago(minutes=3))})
    tables = decisions.plan(state, [PROFILE], NOW).tables
    assert "tracking_event" not in tables
    assert tables["transactional_context"] == "WINDOW"


def test_a_collection_that_failed_is_tried_again_once_the_back_off_is_over() -> None:
    state = tenant(**{PRODUCT_ITEM: failed(3, last=ago(minutes=4))})
    assert decisions.plan(state, [PRODUCT_ITEM], NOW) == Plan({"product_item": "SWEEP"})


def test_nothing_changed_is_said() -> None:
    assert decisions.plan(tenant(), [], NOW) == Plan({}, "acme: nothing changed")


def test_collections_and_followers_are_those_of_the_graph() -> None:
    assert {collection: contract.table for collection, contract in CONTRACTS.items()} == decisions.TABLES
    graph = build_definitions().resolve_asset_graph()
    downstream: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        for parent in graph.get(key).parent_keys:
            downstream.setdefault(parent.path[-1], set()).add(key.path[-1])
    for table, followers in decisions.FOLLOWERS.items():
        reached, waiting = set(), [table]
        while waiting:
            more = downstream.get(waiting.pop(), set()) - reached
            reached |= more
            waiting.extend(more)
        assert set(followers) <= reached, table


# -- turns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "order"),
    [
        (None, ["a", "b", "c"]),
        ("a", ["b", "c", "a"]),
        ("c", ["a", "b", "c"]),
        pytest.param("bb", ["c", "a", "b"], id="a tenant that is gone still marks the place"),
    ],
)
def test_tenants_take_turns_after_the_one_served_last(last: str | None, order: list[str]) -> None:
    assert decisions.in_turn({"c", "a", "b"}, last) == order


WORK, NONE = Plan({"segment": "SWEEP"}), Plan()


@pytest.mark.parametrize(
    ("plans", "cap", "tenants", "cursor"),
    [
        pytest.param({"a": WORK, "b": WORK, "c": WORK}, 5, ["a", "b", "c"], "c", id="all have work and room"),
        pytest.param({"a": WORK, "b": WORK, "c": WORK}, 2, ["a", "b"], "b", id="the cap ends the tick"),
        pytest.param({"a": NONE, "b": WORK, "c": NONE}, 1, ["b"], "b", id="who needs nothing takes no place"),
        pytest.param({"a": NONE, "b": WORK}, 5, ["b"], "b", id="who was not reached comes first next time"),
        pytest.param({}, 5, [], "z", id="nobody reached, the place is kept"),
    ],
)
def test_each_tick_serves_up_to_the_cap(
    plans: dict[str, Plan], cap: int, tenants: list[str], cursor: str
) -> None:
    assert decisions.serve(["a", "b", "c"], plans, cap=cap, cursor="z") == decisions.Served(tenants, cursor)


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_finished", "started", "abandoned"),
    [
        pytest.param(True, ago(seconds=5), True, id="its run has ended"),
        pytest.param(False, ago(hours=5), False, id="its run goes on"),
        pytest.param(None, ago(hours=5), False, id="an unknown run may belong to another instance"),
        pytest.param(None, ago(hours=7), True, id="but no run takes that long"),
    ],
)
def test_an_entry_is_closed_once_its_run_is_gone(
    is_finished: bool | None, started: datetime, abandoned: bool
) -> None:
    assert decisions.is_abandoned(is_finished=is_finished, started_at=started, now=NOW) is abandoned


@pytest.mark.parametrize("name", ["decisions", "alerts", "state"])
def test_decisions_know_no_dagster(name: str) -> None:
    text = (Path(cdp_assets.automation.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    imported = {
        name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for name in (a.name for a in node.names)
    }
    assert "dagster" not in imported
