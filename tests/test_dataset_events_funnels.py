"""Funnels of dataset F against an oracle that tries every attempt, and each rule on events that a test states."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from cdp_assets.datasets.events import funnels
from cdp_assets.datasets.events.funnels import Funnel, funnels_of
from cdp_assets.warehouse.options import TenantOptions
from tests.events_support import NOW, T0, event, tables

STEPS = ("view", "add_to_cart", "purchase")
HALF_HOUR = timedelta(minutes=30)
FUNNEL = Funnel("f", STEPS, HALF_HOUR, count_by="visitor")
WORDS = {"view": "page-view", "add_to_cart": "add-to-cart", "purchase": "purchase", "search": "search"}


def acts(text: str, **more: Any) -> list[dict[str, Any]]:
    """Events from text such as `view@0 purchase@5`: types and minutes."""
    parts = [part.split("@") for part in text.split()]
    return [
        event(f"e{place:02}", float(minute), source_event_type=WORDS[kind], **more)
        for place, (kind, minute) in enumerate(parts)
    ]


def member(funnel: Funnel, text: str, now: datetime = NOW) -> dict[str, Any]:
    """The only member."""
    (row,) = tables(*acts(text), funnels=(funnel,), now=now).funnel_member.rows(named=True)
    return row


@pytest.mark.parametrize(
    ("change", "text", "reached"),
    [
        ({}, "view@0 add_to_cart@1 purchase@2", 3),
        ({}, "view@0 search@1 add_to_cart@2 purchase@30", 3),
        ({}, "view@0 purchase@5 add_to_cart@6", 2),
        ({}, "view@0 add_to_cart@1 purchase@31", 2),
        # a later look begins an attempt of its own
        ({}, "view@0 view@25 add_to_cart@29 purchase@40", 3),
        ({"order": "strict"}, "view@0 search@1 add_to_cart@2", 1),
        ({"order": "strict"}, "view@0 view@1 add_to_cart@2 purchase@3", 3),
        ({"order": "any"}, "purchase@0 add_to_cart@1 view@2", 3),
        ({"order": "any"}, "purchase@0 purchase@1 view@2", 2),
        ({"excluded": ("search",)}, "view@0 add_to_cart@1 search@2 purchase@3", 2),
        ({"excluded": ("search",)}, "search@0 view@1 add_to_cart@2 purchase@3", 3),
        ({"steps": ("view", "view", "purchase")}, "view@0 purchase@1", 1),
        ({"steps": ("view", "view", "purchase")}, "view@0 view@1 purchase@2", 3),
    ],
)
def test_how_far_a_member_gets(change: dict[str, Any], text: str, reached: int) -> None:
    assert member(replace(FUNNEL, **change), text)["reached"] == reached


@pytest.mark.parametrize(("late", "reached"), [(timedelta(0), 2), (timedelta(microseconds=1), 1)])
def test_the_last_microsecond_of_the_window_counts(late: timedelta, reached: int) -> None:
    events = [event("a"), event("b", T0 + HALF_HOUR + late, source_event_type="add-to-cart")]
    (row,) = tables(*events, funnels=(FUNNEL,)).funnel_member.rows(named=True)
    assert row["reached"] == reached


@pytest.mark.parametrize(
    ("after", "state"), [(timedelta(minutes=30), "open"), (timedelta(minutes=31), "dropped")]
)
def test_who_can_still_convert_is_open(after: timedelta, state: str) -> None:
    row = member(FUNNEL, "view@0 add_to_cart@1", now=T0 + after)
    assert (row["reached"], row["state"]) == (2, state)
    assert row["open_until"] == (T0 + HALF_HOUR if state == "open" else None)


def test_a_session_that_may_go_on_keeps_its_member_open() -> None:
    by_session = replace(FUNNEL, count_by="session", window=timedelta(days=1))
    for minutes, state in ((39, "open"), (41, "dropped")):
        assert member(by_session, "view@0 search@10", now=T0 + timedelta(minutes=minutes))["state"] == state


def test_what_is_excluded_or_broken_is_not_open() -> None:
    soon = T0 + timedelta(minutes=2)
    assert member(replace(FUNNEL, excluded=("search",)), "view@0 search@1", now=soon)["state"] == "dropped"
    assert member(replace(FUNNEL, order="strict"), "view@0 search@1", now=soon)["state"] == "dropped"
    assert member(replace(FUNNEL, order="strict"), "view@0", now=soon)["state"] == "open"


def test_a_visitor_enters_once_a_day_and_a_session_once() -> None:
    two_days = "view@0 view@400 view@1500 purchase@1501"
    visitor = tables(*acts(two_days), funnels=(FUNNEL,)).funnel_member.sort("day")
    assert visitor["entry_event_id"].to_list() == ["e00", "e02"]
    midnight = [event(f"e{n}", T0.replace(hour=16, minute=50) + n * timedelta(minutes=8)) for n in range(3)]
    by_session = tables(*midnight, funnels=(replace(FUNNEL, count_by="session"),)).funnel_member
    assert by_session["entry_event_id"].to_list() == ["e0"]


def test_merged_users_are_one_member() -> None:
    found = tables(
        event("a", 0, customer_id="leo:1", visitor_id="phone"),
        event("b", 1, customer_id="leo:1", visitor_id="laptop", source_event_type="add-to-cart"),
        funnels=(FUNNEL,),
    ).funnel_member
    assert found.select("member_id", "reached").rows() == [("leo:1", 2)]


def test_days_count_their_members() -> None:
    events = [
        *acts("view@0 add_to_cart@1 purchase@3", visitor_id="a"),
        *acts("view@0 add_to_cart@2", visitor_id="b"),
        *acts("view@0", visitor_id="c"),
    ]
    events = [{**each, "event_id": f"{each['visitor_id']}{each['event_id']}"} for each in events]
    found = funnels.daily((FUNNEL,), tables(*events, funnels=(FUNNEL,)).funnel_member).sort("step")
    assert found.select("step", "entered", "completed", "open", "dropped").rows() == [
        (1, 3, 2, 0, 1), (2, 2, 1, 0, 1), (3, 1, 1, 0, 0),
    ]  # fmt: skip
    assert found["rate_prev"].to_list() == [None, 2 / 3, 0.5]
    assert found["rate_first"].to_list() == [1, 2 / 3, 1 / 3]
    assert found.select("median_seconds", "p90_seconds").rows() == [
        (None, None),
        (90.0, 114.0),
        (120.0, 120.0),
    ]
    assert found["median_seconds_from_entry"].to_list() == [None, 90.0, 180.0]


def test_steps_in_any_order_are_named_by_how_many_were_done_not_by_one_that_was_not() -> None:
    funnel = replace(FUNNEL, order="any")
    found = funnels.daily(
        (funnel,), tables(*acts("purchase@0 view@1"), funnels=(funnel,)).funnel_member
    ).sort("step")
    assert found.select("event_type", "entered").rows() == [
        ("1 of view, add_to_cart, purchase", 1),
        ("2 of view, add_to_cart, purchase", 1),
        ("3 of view, add_to_cart, purchase", 0),
    ]


def oracle(funnel: Funnel, events: list[dict[str, Any]], now: datetime) -> list[tuple[Any, ...]]:
    """Members of one visitor: entry, steps reached, state; every attempt tried by hand."""
    # at one instant people search, view, fill the cart and pay, in this order
    place_of = {
        WORDS[name]: place for place, name in enumerate(("search", "view", "add_to_cart", "purchase"))
    }
    events = sorted(
        events, key=lambda each: (each["event_at"], place_of[each["source_event_type"]], each["event_id"])
    )
    kind = [
        next(ours for ours, theirs in WORDS.items() if theirs == each["source_event_type"]) for each in events
    ]
    at = [each["event_at"] for each in events]
    best: dict[Any, tuple[int, int]] = {}
    is_open: dict[Any, bool] = {}
    for entry in range(len(events)):
        if kind[entry] not in (funnel.steps if funnel.order == "any" else funnel.steps[:1]):
            continue
        wanted, reached, ended = list(funnel.steps), 0, False
        for place in range(entry, len(events)):
            if at[place] - at[entry] > funnel.window or not wanted:
                break
            if kind[place] in funnel.excluded:
                ended = True
                break
            if funnel.order == "any":
                if kind[place] in wanted:
                    wanted.remove(kind[place])
                    reached += 1
            elif kind[place] == wanted[0]:
                wanted.pop(0)
                reached += 1
            elif funnel.order == "strict":
                ended = True
                break
        day = (at[entry] + timedelta(hours=7)).date()
        if day not in best or reached > best[day][0]:
            best[day] = (reached, entry)
        is_open[day] = is_open.get(day, False) or (
            bool(wanted) and not ended and at[entry] + funnel.window >= now
        )
    return [
        (
            events[entry]["event_id"],
            reached,
            "completed" if reached == len(funnel.steps) else "open" if is_open[day] else "dropped",
        )
        for day, (reached, entry) in sorted(best.items())
    ]


def test_funnels_are_those_of_an_oracle_in_a_thousand_cases() -> None:
    dice = np.random.default_rng(23)
    configured = [
        replace(FUNNEL, order=order, steps=steps, excluded=excluded)
        for order in ("ordered", "strict", "any")
        for steps in (STEPS, ("view", "view", "purchase"), ("add_to_cart", "purchase", "add_to_cart"))
        for excluded in ((), ("search",))
    ]
    gaps = [0, 1, 60_000_000, 900_000_000, 1_799_999_999, 1_800_000_000, 1_800_000_001, 4 * 10**10]
    cases: list[list[dict[str, Any]]] = []
    for case in range(1000):
        at = np.cumsum(dice.choice(gaps, int(dice.integers(1, 12))))
        words = dice.choice(list(WORDS.values()), at.size, p=[0.4, 0.25, 0.2, 0.15])
        cases.append([
            event(f"{case:04}-{place:02}", T0 + timedelta(microseconds=int(at[place])), visitor_id=f"v{case:04}",
                  source_event_type=words[place], order_number=f"{case}-{place}", article_id=f"{place}")
            for place in range(at.size)
        ])  # fmt: skip
    now = T0 + timedelta(minutes=45)
    everything = [each for case in cases for each in case]
    found = tables(*everything, funnels=(), now=now)
    from cdp_assets.datasets.events.behaviour import counted

    rows = counted(found.events_enriched)
    assert rows.height == len(everything)
    for funnel in configured:
        members = funnels.members(funnel, rows, now).sort("member_id", "day")
        got = members.group_by("member_id").agg(pl.struct("entry_event_id", "reached", "state")).rows()
        by_visitor = {name: [tuple(each.values()) for each in theirs] for name, theirs in got}
        for case in cases:
            name = f"visitor:{case[0]['visitor_id']}"
            assert by_visitor.get(name, []) == oracle(funnel, case, now), (funnel, case)
        days = funnels.daily((funnel,), members)
        first, last = days.filter(step=1), days.filter(step=len(funnel.steps))
        assert first["entered"].sum() == members.height
        assert days["open"].sum() + days["dropped"].sum() + last["completed"].sum() == members.height


def test_a_tenant_names_its_own_funnels() -> None:
    given = {"funnel_id": "f", "steps": ["view", "purchase"], "window_minutes": 30}
    assert funnels_of(TenantOptions.of({"funnels": [given]})) == (
        Funnel("f", ("view", "purchase"), HALF_HOUR),
    )
    assert funnels_of(TenantOptions()) == funnels.DEFAULTS
    assert funnels_of(TenantOptions.of({"funnels": []})) == ()
