"""What follows from landed rows: merges, owners, order status, membership and consent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.databases import shared_database
from tests.shop import Shop


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[Warehouse]:
    """A warehouse in which every test has a tenant of its own."""
    with (
        shared_database(postgres, "test_derived") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.fixture
def shop(shared: Warehouse) -> Shop:
    """A tenant without rows."""
    return Shop(shared)


# -- merges ------------------------------------------------------------------------------------------------------------


def roots(shop: Shop) -> dict[str, str]:
    return {
        row.cdp_profile_id: row.root_profile_id for row in shop.read("select * from cdp.customer_profile")
    }


MERGES: dict[str, tuple[dict[str, str | None], dict[str, str]]] = {
    "winner": ({"a": None, "b": "a", "c": "a"}, {"b": "a", "c": "a"}),
    "chain": ({"a": None, "b": "a", "c": "b"}, {"b": "a", "c": "a"}),
    "circle": ({"a": "b", "b": "a"}, {}),
    "circle of three": ({"a": "b", "b": "c", "c": "a"}, {}),
    "way into a circle": ({"a": "b", "b": "a", "c": "a"}, {}),
    "itself": ({"a": "a"}, {}),
    "way to one merged into itself": ({"a": "a", "b": "a"}, {}),
    "winner that is not there": ({"a": "nobody"}, {}),
    "chain that ends in nobody": ({"a": "nobody", "b": "a"}, {"b": "a"}),
}


@pytest.mark.parametrize("case", MERGES)
def test_a_merge_names_who_speaks_for_a_profile(shop: Shop, case: str) -> None:
    profiles, moved = MERGES[case]
    for key, into in profiles.items():
        shop.profile(key, into=into)
    assert shop.derive("resolve_profiles") == (len(moved),)
    assert roots(shop) == {key: moved.get(key, key) for key in profiles}
    assert shop.derive("resolve_profiles") == (0,)


def test_a_chain_of_fifty_merges_ends_at_its_last_winner(shop: Shop) -> None:
    for number in range(50):
        shop.profile(f"p{number:02}", into=f"p{number + 1:02}")
    shop.profile("p50")
    assert shop.derive("resolve_profiles") == (50,)
    assert set(roots(shop).values()) == {"p50"}


def test_a_merge_into_a_profile_that_vanishes_is_undone(shop: Shop) -> None:
    for key, into in {"a": None, "b": "a", "c": "b"}.items():
        shop.profile(key, into=into)
    shop.derive("resolve_profiles")
    shop.bury("customer_profile", "a")
    assert shop.derive("resolve_profiles") == (2,)
    assert roots(shop) == {"a": "a", "b": "b", "c": "b"}


def test_a_profile_that_is_active_again_speaks_for_itself(shop: Shop) -> None:
    shop.profile("a")
    shop.profile("b", into="a")
    shop.derive("resolve_profiles")
    shop.change("customer_profile", "b", status="active", merged_into=None)
    assert shop.derive("resolve_profiles") == (1,)
    assert roots(shop) == {"a": "a", "b": "b"}


# -- owners and order status -------------------------------------------------------------------------------------------

OWNED = {
    "transactional_context": "resolve_transactions",
    "tracking_event": "resolve_events",
    "feedback": "resolve_feedback",
}


@pytest.mark.parametrize("table", OWNED)
def test_what_is_left_on_a_loser_moves_to_the_winner_and_back(shop: Shop, table: str) -> None:
    def owners() -> dict[str, Any]:
        return {row[1]: row.cdp_profile_id for row in shop.read(f"select * from cdp.{table}")}

    resolve = OWNED[table]
    shop.profile("a")
    shop.profile("b", into="a")
    for key, profile in {"of_a": "a", "of_b": "b", "of_nobody": "nobody"}.items():
        shop.about(table, key, profile)
    shop.derive("resolve_profiles")
    assert shop.derive(resolve) == (1,)
    assert owners() == {"of_a": "a", "of_b": "a", "of_nobody": "nobody"}
    assert shop.derive(resolve) == (0,)
    # the source itself moves the document to another profile
    shop.change(table, "of_b", source_profile_id="nobody")
    assert shop.derive(resolve) == (1,)
    assert owners()["of_b"] == "nobody"
    shop.change(table, "of_b", source_profile_id="b")
    assert shop.derive(resolve) == (1,)
    # the merge is taken back
    shop.change("customer_profile", "b", status="active", merged_into=None)
    shop.derive("resolve_profiles")
    assert shop.derive(resolve) == (1,)
    assert owners() == {"of_a": "a", "of_b": "b", "of_nobody": "nobody"}


@pytest.mark.parametrize("table", ["tracking_event", "feedback"])
def test_what_belongs_to_nobody_stays_so(shop: Shop, table: str) -> None:
    shop.about(table, "k", None)
    assert shop.derive(OWNED[table]) == (0,)


@pytest.mark.parametrize("table", OWNED)
def test_only_the_rows_that_are_asked_for_are_resolved(shop: Shop, shared: Warehouse, table: str) -> None:
    shop.profile("a")
    shop.profile("b", into="a")
    for key in ("one", "two"):
        shop.about(table, key, "b")
    shop.derive("resolve_profiles")
    with shared.tenant(shop.tenant) as conn:
        statement = f"select cdp.{OWNED[table]}(%s, %s)"
        assert conn.execute(statement, (shop.tenant, ["one", "unknown"])).fetchone() == (1,)
    moved = [row[1] for row in shop.read(f"select * from cdp.{table} where cdp_profile_id = 'a'")]
    assert moved == ["one"]


def test_an_order_has_the_status_of_its_newest_event(shop: Shop) -> None:
    def statuses() -> dict[str, str]:
        return {row.txn_id: row.txn_status for row in shop.read("select * from cdp.transactional_context")}

    first, second = (shop.line(10, transaction_id="o1") for _ in range(2))
    other, none = shop.line(10, transaction_id="o2"), shop.line(10)
    assert shop.derive("resolve_transactions") == (0,)
    shop.event("o1", "completed", 5)
    refund = shop.event("o1", "refunded", 3)
    shop.event("o1", None, 1)  # an event without a status says nothing
    assert shop.derive("resolve_transactions") == (2,)
    assert statuses() == {first: "refunded", second: "refunded", other: "completed", none: "completed"}
    assert shop.derive("resolve_transactions") == (0,)
    shop.event("o1", "completed", 2)
    assert shop.derive("resolve_transactions") == (2,)
    shop.event("o1", "cancelled", 1)
    shop.event("o2", "unknown", 1)  # in words that are not known: it proves nothing
    shop.derive("resolve_transactions")
    assert statuses() == {first: "cancelled", second: "cancelled", other: "unknown", none: "completed"}
    for event in shop.read("select event_id from cdp.tracking_event"):
        if event.event_id != refund:
            shop.bury("tracking_event", event.event_id)
    shop.derive("resolve_transactions")
    assert statuses() == {first: "refunded", second: "refunded", other: "completed", none: "completed"}


# -- membership --------------------------------------------------------------------------------------------------------


def stays(shop: Shop) -> list[tuple[str, str, bool]]:
    rows = shop.read("select * from cdp.profile_segment order by cdp_profile_id, segment_id, joined_at")
    assert all(row.left_at is None or row.left_at >= row.joined_at for row in rows)
    return [(row.cdp_profile_id, row.segment_id, row.left_at is None) for row in rows]


def test_a_member_joins_leaves_and_returns_for_a_new_stay(shop: Shop) -> None:
    shop.profile("a", segment_ids=["s1", "s2", "s1"])
    assert shop.derive("refresh_profile_segment") == (2, 0)
    assert shop.derive("refresh_profile_segment") == (0, 0)
    shop.change("customer_profile", "a", segment_ids=["s2"])
    assert shop.derive("refresh_profile_segment") == (0, 1)
    assert shop.derive("refresh_profile_segment") == (0, 0)
    assert stays(shop) == [("a", "s1", False), ("a", "s2", True)]
    shop.change("customer_profile", "a", segment_ids=["s1", "s2"])
    assert shop.derive("refresh_profile_segment") == (1, 0)
    assert stays(shop) == [("a", "s1", False), ("a", "s1", True), ("a", "s2", True)]


@pytest.mark.parametrize("status", ["merged", "invalid", "removed", "dead", None])
def test_a_profile_that_is_not_active_is_no_member(shop: Shop, status: str | None) -> None:
    for key in ("a", "b"):
        shop.profile(key, segment_ids=["s1"])
    shop.derive("refresh_profile_segment")
    if status is None:
        shop.bury("customer_profile", "a")
    else:
        shop.change("customer_profile", "a", status=status)
    assert shop.derive("refresh_profile_segment") == (0, 1)
    assert stays(shop) == [("a", "s1", False), ("b", "s1", True)]


# -- consent -----------------------------------------------------------------------------------------------------------

FLAGS = {
    "email": "receive_email",
    "sms": "receive_sms",
    "web_push": "receive_web_push",
    "app_push": "receive_app_push",
    "ads": "receive_ads",
}


def person(shop: Shop, key: str, *, into: str | None = None, **values: int) -> None:
    """A profile with these flags; those that are not named are unset."""
    shop.profile(key, into=into, **{column: values.get(channel, 0) for channel, column in FLAGS.items()})


def decisions(shop: Shop, profile: str) -> dict[str, str]:
    rows = shop.read("select * from cdp.consent")
    assert all(row.is_allowed == (row.decision == "granted") for row in rows)
    return {row.channel: row.decision for row in rows if row.cdp_profile_id == profile}


def test_a_refusal_denies_an_agreement_allows_and_nothing_said_does_not(shop: Shop) -> None:
    person(shop, "a", email=1, sms=-1)
    assert shop.derive("refresh_consent") == (5, 0)
    assert decisions(shop, "a") == {
        "email": "granted", "sms": "denied", "web_push": "unset", "app_push": "unset", "ads": "unset",
    }  # fmt: skip
    assert shop.derive("refresh_consent") == (0, 0)
    shop.change("customer_profile", "a", receive_email=-1)
    assert shop.derive("refresh_consent") == (1, 0)
    assert decisions(shop, "a")["email"] == "denied"


def test_a_refusal_anywhere_among_merged_profiles_denies(shop: Shop) -> None:
    person(shop, "a", email=1, sms=1, ads=-1)
    person(shop, "b", into="a", email=-1, web_push=1)
    person(shop, "c", into="b", sms=-1, ads=1)
    person(shop, "other", email=1)
    shop.derive("resolve_profiles")
    assert shop.derive("refresh_consent") == (10, 0)
    assert decisions(shop, "a") == {
        "email": "denied", "sms": "denied", "web_push": "granted", "app_push": "unset", "ads": "denied",
    }  # fmt: skip
    assert decisions(shop, "b") == {}
    assert decisions(shop, "other")["email"] == "granted"
    of_a = shop.read("select * from cdp.consent where cdp_profile_id = 'a'")
    assert {row.channel: row.decided_by for row in of_a} == {
        "email": ["b"], "sms": ["c"], "web_push": ["b"], "app_push": [], "ads": ["a"],
    }  # fmt: skip


def test_the_refusal_of_a_loser_that_vanished_still_denies(shop: Shop) -> None:
    person(shop, "a", email=1)
    person(shop, "b", into="a", email=-1)
    shop.derive("resolve_profiles")
    shop.bury("customer_profile", "b")
    shop.derive("resolve_profiles", "refresh_consent")
    assert decisions(shop, "a")["email"] == "denied"


def test_the_refusal_of_a_loser_that_vanished_follows_later_merges(shop: Shop) -> None:
    person(shop, "a", email=1)
    person(shop, "b", email=1)
    person(shop, "c", into="b", email=-1)
    shop.derive("resolve_profiles")
    shop.bury("customer_profile", "c")
    shop.change("customer_profile", "b", status="merged", merged_into="a")
    shop.derive("resolve_profiles", "refresh_consent")
    assert decisions(shop, "a")["email"] == "denied"


def test_the_refusal_of_a_loser_outlives_the_winner_in_between(shop: Shop) -> None:
    person(shop, "a", email=1)
    person(shop, "b", into="a", email=1)
    person(shop, "c", into="b", email=-1)
    shop.derive("resolve_profiles")
    shop.bury("customer_profile", "b")
    shop.derive("resolve_profiles", "refresh_consent")
    assert decisions(shop, "a")["email"] == "denied"


@pytest.mark.parametrize("status", ["merged", "invalid", "removed", "dead", None])
def test_a_profile_that_is_not_active_has_no_consent(shop: Shop, status: str | None) -> None:
    person(shop, "a", email=1)
    person(shop, "b", email=1)
    shop.derive("refresh_consent")
    if status is None:
        shop.bury("customer_profile", "a")
    else:
        shop.change("customer_profile", "a", status=status)
    assert shop.derive("refresh_consent") == (0, 5)
    assert decisions(shop, "a") == {}
    assert decisions(shop, "b")["email"] == "granted"


def test_profiles_that_are_merged_in_a_circle_end_no_refresh(shop: Shop) -> None:
    person(shop, "a", into="b", email=-1)
    person(shop, "b", into="a", email=1)
    person(shop, "c", email=1)
    shop.derive("resolve_profiles", "refresh_profile_segment", "refresh_customer_metrics")
    assert shop.derive("refresh_consent") == (5, 0)
    assert decisions(shop, "c")["email"] == "granted"
