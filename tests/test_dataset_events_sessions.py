"""Sessions, repeats, automata and identity of dataset F, on events that each test states."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from cdp_assets.datasets.events.build import Tables
from cdp_assets.vocabulary.event_types import LEO_CONVERSIONS
from tests.events_support import NOW, T0, event, keyed, sessions_by_hand, tables, visits


def session(found: Tables) -> dict[str, Any]:
    """The only session."""
    (row,) = found.session_funnel.rows(named=True)
    return row


def flagged(found: Tables, column: str) -> set[str]:
    return set(found.events_enriched.filter(column)["event_id"])


def test_the_golden_visitor_has_two_sessions_of_two_events() -> None:
    found = tables(
        event("a", 0), event("b", 29, source_event_type="click"),
        event("c", 59 + 1 / 60, source_event_type="add-to-cart"), event("d", 80, source_event_type="purchase"),
    )  # fmt: skip
    assert visits(found) == [["a", "b"], ["c", "d"]]
    gaps = found.events_enriched.sort("event_at")["gap_s"].to_list()
    assert gaps == [None, 29 * 60, 30 * 60 + 1, pytest.approx(20 * 60 + 59)]


@pytest.mark.parametrize(("gap", "sessions"), [(timedelta(0), 1), (timedelta(microseconds=1), 2)])
def test_a_gap_of_half_an_hour_to_the_microsecond_stays(gap: timedelta, sessions: int) -> None:
    found = tables(event("a"), event("b", T0 + timedelta(minutes=30) + gap))
    assert len(visits(found)) == sessions


@pytest.mark.parametrize(("late", "last"), [(timedelta(0), 97), (timedelta(microseconds=1), 96)])
def test_a_session_ends_a_day_after_its_first_event(late: timedelta, last: int) -> None:
    ticks = [event(f"e{n:03}", T0 + n * timedelta(minutes=15) + (late if n == 96 else timedelta(0)))
             for n in range(300)]  # fmt: skip
    found = visits(tables(*ticks))
    assert len(found[0]) == last
    assert found == sessions_by_hand(ticks)


def test_sessions_are_those_of_an_oracle_in_a_thousand_cases() -> None:
    dice = np.random.default_rng(7)
    # equal times, gaps of exactly half an hour and a microsecond around it, steps that pass the day
    gaps = [0, 60_000_000, 1_799_999_999, 1_800_000_000, 1_800_000_001, 10**10]
    expected, everything = [], []
    for case in range(1000):
        at = np.cumsum(dice.choice(gaps, int(dice.integers(1, 40))))
        events = [
            event(
                f"{case:04}-{place:02}",
                T0 + timedelta(microseconds=int(at[place])),
                visitor_id=dice.choice([f"v{case}", f"w{case}", None]),
                customer_id=dice.choice(["unknown", "unknown", f"leo:{case}a", f"leo:{case}b"]),
                # no two are the same act
                source_event_type=f"type {place}",
            )
            for place in range(at.size)
        ]
        expected += sessions_by_hand(events)
        everything += events
    shuffled = [everything[place] for place in dice.permutation(len(everything))]
    found = tables(*shuffled, funnels=())
    assert found.events_enriched.height == len(everything)
    assert sorted(visits(found)) == sorted(expected)


def test_the_order_of_rows_changes_nothing() -> None:
    dice = np.random.default_rng(3)
    events = [
        event(
            f"e{n}",
            float(dice.integers(0, 400)),
            visitor_id=str(n % 3),
            customer_id=["unknown", "leo:1"][n % 2],
        )
        for n in range(60)
    ]
    one = tables(*events)
    other = tables(*(events[place] for place in dice.permutation(len(events))))
    for name, frame in one.items():
        assert keyed(name, frame) == keyed(name, getattr(other, name)), name


def test_the_same_act_within_a_second_counts_once() -> None:
    act = {"source_event_type": "item-view", "article_id": "shop:1"}
    found = tables(
        event("a", 0, **act),
        event("b", T0 + timedelta(seconds=1), source="shop", **act),
        event("c", T0 + timedelta(seconds=2, microseconds=1), **act),
        event("d", 0, source_event_type="item-view", article_id="shop:2"),
        event("e", 0, source_event_type="search", article_id="shop:1"),
    )
    assert flagged(found, "is_duplicate") == {"b"}
    assert (session(found)["events"], session(found)["views"]) == (4, 3)
    (repeat,) = found.events_enriched.filter(event_id="b").rows(named=True)
    assert (repeat["session_id"], repeat["event_index"]) == (session(found)["session_id"], None)


def test_two_orders_within_a_second_are_two_orders() -> None:
    buy = {"source_event_type": "purchase", "currency": "VND", "order_value": "10"}
    found = tables(event("a", 0, order_number="O1", **buy), event("b", 0, order_number="O2", **buy),
                   event("c", 60, order_number="O2", **buy), event("d", 200, **buy))  # fmt: skip
    first = found.session_funnel.sort("first_event").row(0, named=True)
    assert (first["buys"], first["orders"], first["revenue"]) == (2, 2, 20)


def test_money_of_other_currencies_is_no_revenue() -> None:
    buy = {"source_event_type": "purchase", "order_value": "10"}
    found = session(tables(event("a", 0, order_number="O1", currency="VND", **buy),
                           event("b", 1, order_number="O2", currency="USD", **buy)))  # fmt: skip
    assert (found["orders"], found["revenue"]) == (2, 10)


def test_unknown_types_are_kept_and_flagged() -> None:
    found = tables(
        event("a", 0, source_event_type="Twerk"), event("b", 1, source_event_type="Page View".lower())
    )
    assert found.events_enriched.filter(~pl.col("is_known_type"))["event_type"].to_list()[0] == "Twerk"
    assert session(found)["events"] == 2


def test_orders_at_the_till_are_of_no_session() -> None:
    found = tables(event("a", 0), event("b", 1, source_event_type="purchase", is_imported=True))
    assert visits(found) == [["a"]]
    assert found.events_enriched.filter(event_id="b")["session_id"].to_list() == [None]


def bot_events(kind: str, visitor: str) -> list[dict[str, Any]]:
    """A visitor that one rule must tell."""
    dice = np.random.default_rng(5)
    if kind == "user_agent":
        return [
            event(f"{visitor}{n}", 7.3 * n + n % 3, visitor_id=visitor, browser="Googlebot/2.1")
            for n in range(4)
        ]
    if kind == "too_fast":
        gaps = np.cumsum(dice.integers(100, 900, 80))
        return [event(f"{visitor}{n}", T0 + timedelta(milliseconds=int(at)), visitor_id=visitor, article_id=f"a{n}")
                for n, at in enumerate(gaps)]  # fmt: skip
    if kind == "views_without_cart":
        return [event(f"{visitor}{n}", int(dice.integers(20) + n * 45) / 60, visitor_id=visitor, article_id=f"a{n}")
                for n in range(520)]  # fmt: skip
    return [event(f"{visitor}{n}", n * 0.5, visitor_id=visitor, article_id=f"a{n}") for n in range(12)]


@pytest.mark.parametrize("rule", ["user_agent", "too_fast", "views_without_cart", "regular_gaps"])
def test_each_rule_tells_its_automata_and_no_person(rule: str) -> None:
    dice = np.random.default_rng(11)
    person = [event(f"p{n}", float(at), visitor_id="p", article_id=f"a{n}")
              for n, at in enumerate(np.cumsum(dice.uniform(0.2, 9, 40)))]  # fmt: skip
    found = tables(*bot_events(rule, "b"), *person)
    reasons = found.events_enriched.filter("is_bot")
    assert set(reasons["bot_reason"]) == {rule}
    assert set(reasons["visitor_id"]) == {"b"}
    assert found.session_funnel.filter("is_bot")["bot_reason"].unique().to_list() == [rule]
    assert set(found.funnel_member["visitor_key"]) == {"visitor:p"}


def test_sixty_events_a_minute_are_a_person_and_one_more_is_not() -> None:
    def burst(size: int) -> list[dict[str, Any]]:
        # unequal gaps, so that no other rule speaks
        at = [n * 0.96 + (n % 7) * 0.005 for n in range(size)]
        return [event(f"e{n}", T0 + timedelta(seconds=when), article_id=f"a{n}") for n, when in enumerate(at)]

    assert flagged(tables(*burst(60)), "is_bot") == set()
    assert len(flagged(tables(*burst(61)), "is_bot")) == 61


def test_a_cart_makes_a_busy_day_a_persons() -> None:
    busy = bot_events("views_without_cart", "b")
    assert flagged(tables(*busy), "is_bot") != set()
    busy[7]["source_event_type"] = "add-to-cart"
    assert flagged(tables(*busy), "is_bot") == set()


def test_sessions_of_more_than_a_thousand_events_are_in_quarantine() -> None:
    events = [event(f"e{n:04}", n * 1.3 + (n % 5) * 0.1, article_id=f"a{n}", visitor_id="v",
                    source_event_type=["item-view", "add-to-cart"][n % 2]) for n in range(1001)]  # fmt: skip
    found = tables(*events)
    assert not found.session_funnel.filter("is_bot").height
    assert found.session_funnel["is_quarantined"].to_list() == [True]
    assert found.customer_behavior.is_empty()
    assert not tables(*events[:-1]).session_funnel["is_quarantined"].any()


def test_the_last_known_customer_of_a_device_gets_its_anonymous_events() -> None:
    found = tables(
        event("a", 0), event("b", 1, customer_id="leo:1"), event("c", 2, customer_id="leo:2"), event("d", 3)
    ).events_enriched.sort("event_at")
    assert found["stitched_customer_id"].to_list() == ["leo:2", "leo:1", "leo:2", "leo:2"]
    assert found["stitch_method"].to_list() == ["visitor", "known", "known", "visitor"]
    assert found["session_id"].n_unique() == 2


def test_a_device_of_four_customers_is_nobodys() -> None:
    customers = [event(f"c{n}", n, customer_id=f"leo:{n}") for n in range(4)]
    for count, method, owner in ((3, "visitor", "leo:2"), (4, "shared", None)):
        (row,) = (
            tables(event("anonymous", 9), *customers[:count])
            .events_enriched.filter(event_id="anonymous")
            .rows(named=True)
        )
        assert (row["stitch_method"], row["stitched_customer_id"]) == (method, owner)
        assert row["visitor_key"] == (owner or "visitor:v")


def test_events_of_nobody_are_sessions_of_their_own() -> None:
    found = tables(event("a", 0, visitor_id=None), event("b", 1, visitor_id=None))
    assert visits(found) == [["a"], ["b"]]


def test_days_and_hours_are_the_tenants() -> None:
    (row,) = tables(event("a", T0.replace(day=1, hour=17, minute=30))).events_enriched.rows(named=True)
    assert (str(row["event_on"]), row["event_hour"], row["event_day"]) == ("2026-03-02", 0, 1)


def test_what_a_session_was_worth() -> None:
    kinds = ["page-view", "click", "item-view", "add-wishlist", "add-to-cart", "order-checkout"]
    found = session(tables(*(event(f"e{n}", n, source_event_type=kind, article_id=f"a{n % 2}", page=f"/{n}")
                             for n, kind in enumerate(kinds))))  # fmt: skip
    told = {name: found[name] for name in ("views", "clicks", "wishlist", "carts", "checkouts", "buys", "articles",
            "funnel_stage", "converted", "time_to_convert", "cart_abandoned", "bounce", "engaged", "landing_page",
            "exit_page", "duration_s")}  # fmt: skip
    assert told == {
        "views": 2, "clicks": 1, "wishlist": 1, "carts": 1, "checkouts": 1, "buys": 0, "articles": 2,
        "funnel_stage": "checkout_start", "converted": False, "time_to_convert": None, "cart_abandoned": True,
        "bounce": False, "engaged": True, "landing_page": "/0", "exit_page": "/5", "duration_s": 300.0,
    }  # fmt: skip


def test_a_purchase_before_the_cart_converts_and_leaves_the_cart() -> None:
    found = session(tables(
        event("a", 0), event("b", 5, source_event_type="purchase"), event("c", 6, source_event_type="add-to-cart")
    ))  # fmt: skip
    assert (found["converted"], found["time_to_convert"], found["cart_abandoned"]) == (True, 300.0, True)


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        *((name, True) for name in LEO_CONVERSIONS),
        *(
            (name, None)
            for name in ("made-payment", "repurchase", "first-purchase", "Order Completed", "Purchase")
        ),
        ("đăng ký gói vàng", True),
    ],
)
def test_who_paid_under_any_name_left_no_cart_and_is_through_the_funnel(name: str, flag: bool | None) -> None:
    mine = {"customer_id": "leo:1"}
    found = tables(
        event("a", 0, **mine),
        event("b", 1, source_event_type="Product Added", article_id="x", **mine),
        event("c", 2, source_event_type=name, source_is_conversion=flag, **mine),
    )
    assert [session(found)[column] for column in ("converted", "cart_abandoned", "funnel_stage")] == [
        True, False, "purchase",
    ]  # fmt: skip
    (row,) = found.customer_behavior.rows(named=True)
    assert (row["buys"], row["open_cart_articles"], row["cart_abandoned"]) == (1, [], False)
    assert set(found.funnel_member["state"]) == {"completed"}


def test_how_a_customer_behaves() -> None:
    mine = {"customer_id": "leo:1"}
    day = timedelta(days=1)
    end = NOW - timedelta(minutes=1)
    found = tables(
        event("a", end - 40 * day, **mine),
        event("b", end - 29 * day, source_event_type="add-to-cart", article_id="x", **mine),
        event("c", end - 29 * day + timedelta(minutes=2), source_event_type="purchase", **mine),
        event("d", end - 2 * day, source_event_type="add-to-cart", article_id="y", **mine),
        event("e", end - 2 * day, source_event_type="add-to-cart", article_id="z", **mine),
        event(
            "f",
            end - 2 * day + timedelta(minutes=3),
            source_event_type="remove-from-cart",
            article_id="z",
            **mine,
        ),
        event("g", end, **mine),
        event("tomorrow", NOW, **mine),
    )
    (row,) = found.customer_behavior.rows(named=True)
    told = {name: row[name] for name in ("total_events", "total_sessions", "views", "carts", "buys", "conversion_rate",
            "cart_abandon_rate", "click_through_rate", "events_1d", "events_7d", "events_30d", "active_days_30d",
            "open_cart_articles", "cart_abandoned", "dominant_event_type")}  # fmt: skip
    assert told == {
        "total_events": 7, "total_sessions": 4, "views": 2, "carts": 3, "buys": 1, "conversion_rate": 0.25,
        "cart_abandon_rate": 0.5, "click_through_rate": 0.0, "events_1d": 1, "events_7d": 4, "events_30d": 6,
        "active_days_30d": 5, "open_cart_articles": ["y"], "cart_abandoned": True,
        "dominant_event_type": "add_to_cart",
    }  # fmt: skip


def test_rates_without_views_are_null() -> None:
    (row,) = tables(event("a", 0, source_event_type="search", customer_id="leo:1")).customer_behavior.rows(
        named=True
    )
    rates = ("click_through_rate", "add_to_cart_rate", "view_to_buy_rate", "cart_abandon_rate")
    assert [row[name] for name in rates] == [None] * 4
