"""Dataset F by slices: whatever came late, twice, in another order or went away, the tables are those of one run."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.events.funnels import DEFAULTS
from tests.events_support import NOW, T0, MemoryStore, change, event, keyed, tables, visits

TYPES = ("page-view", "add-to-cart", "purchase", "remove-from-cart", "add-wishlist", "twerk")
REFERENCES = ("leo:1", "leo:2", "shop:3", None)

_events = st.builds(
    lambda number, minutes, visitor, reference, kind, article, imported: event(
        f"e{number}",
        T0 + timedelta(seconds=minutes),
        visitor_id=visitor,
        customer_reference=reference,
        source_event_type=kind,
        article_id=article,
        is_imported=imported,
        order_number=f"O{number % 3}" if kind == "purchase" else None,
        order_value="10" if kind == "purchase" else None,
        currency="VND" if kind == "purchase" else None,
    ),
    st.integers(0, 14),
    # equal times, half hours to the second, and more than a day
    st.one_of(
        st.integers(0, 8).map(lambda n: n * 900),
        st.integers(0, 3000),
        st.integers(0, 100).map(lambda n: n * 1700),
    ),
    st.sampled_from(["v", "w", None]),
    st.sampled_from(REFERENCES),
    st.sampled_from(TYPES),
    st.sampled_from(["shop:1", None]),
    st.sampled_from([False, False, False, True]),
)  # fmt: skip
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.lists(_events, min_size=1, max_size=6)),
        st.tuples(st.just("again"), st.integers(0, 14)),
        st.tuples(st.just("delete"), st.integers(0, 14)),
        st.tuples(st.just("link"), st.sampled_from(REFERENCES[:3]), st.sampled_from(["leo:1", "leo:2", "leo:9"])),
    ),
    min_size=2,
    max_size=7,
)  # fmt: skip


def apart(number: int, each: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    """An event of one of several worlds that share nothing."""
    mine = {
        name: each[name] and f"{each[name]}/{number}"
        for name in ("event_id", "visitor_id", "customer_reference", "order_number")
    }
    return {**each, **mine, "customer_id": links.get(mine["customer_reference"] or "", "unknown")}


@settings(max_examples=40)
@given(worlds=st.lists(_steps, min_size=5, max_size=5))
def test_slices_give_what_one_run_gives(worlds: list[list[tuple[Any, ...]]]) -> None:
    """Five event sets that share nothing, side by side: 200 sets in 40 examples."""
    store = MemoryStore(funnels=DEFAULTS[1:])
    there: dict[tuple[int, str], dict[str, Any]] = {}
    links = {
        f"{name}/{number}": f"{name}/{number}" for name in REFERENCES[:3] for number in range(len(worlds))
    }
    for steps in itertools.zip_longest(*worlds):
        told: dict[tuple[int, str], dict[str, Any]] = {}
        gone: list[str] = []
        moved: dict[str, str] = {}
        for number, step in enumerate(steps):
            what, *args = step or ("nothing",)
            if what == "land":
                told |= {(number, each["event_id"]): each for each in args[0]}
            elif what == "again":
                told |= {key: there[key] for key in [(number, f"e{args[0]}")] if key in there}
            elif what == "delete":
                there.pop((number, f"e{args[0]}"), None)
                gone.append(f"e{args[0]}/{number}")
            elif what == "link":
                moved[f"{args[0]}/{number}"] = f"{args[1]}/{number}"
        there |= told
        links |= moved
        store.run(change([apart(number, each, links) for (number, _), each in told.items()], gone, moved))
    expected = tables(
        *(apart(number, each, links) for (number, _), each in there.items()), funnels=store.funnels
    )
    for name, frame in expected.items():
        assert keyed(name, store.rows[name]) == keyed(name, frame), name


def test_a_late_event_merges_two_sessions_and_says_which_ids_it_replaced() -> None:
    store = MemoryStore()
    store.run(change([event("a", 0), event("b", 29), event("c", 59 + 1 / 60), event("d", 80)]))
    old = store.rows["session_funnel"].sort("first_event")["session_id"].to_list()
    assert len(old) == 2
    delta = store.run(change([event("late", 45)]))
    assert delta is not None
    (merged,) = store.rows["session_funnel"].rows(named=True)
    assert (merged["events"], merged["session_id"]) == (5, old[0])
    assert delta.superseded().rows() == [(old[1], old[0])]


def test_an_event_before_the_first_gives_the_session_a_new_id() -> None:
    store = MemoryStore()
    store.run(change([event("b", 10), event("c", 20)]))
    (old,) = store.rows["session_funnel"]["session_id"]
    delta = store.run(change([event("a", 0)]))
    (new,) = store.rows["session_funnel"]["session_id"]
    assert delta is not None
    assert old != new
    assert delta.superseded().rows() == [(old, new)]


def test_a_session_whose_events_are_all_gone_is_superseded_by_none() -> None:
    store = MemoryStore()
    store.run(change([event("a")]))
    (old,) = store.rows["session_funnel"]["session_id"]
    delta = store.run(change(gone=["a"]))
    assert delta is not None
    assert delta.superseded().rows() == [(old, None)]
    assert all(frame.is_empty() for frame in store.rows.values())


def test_events_that_are_told_again_change_nothing() -> None:
    store = MemoryStore()
    told = [event("a"), event("b", 5, customer_id="leo:1")]
    store.run(change(told))
    assert store.run(change(reversed(told))) is None
    assert store.run(change(gone=["never there"])) is None


def test_a_login_brings_earlier_sessions_of_the_device_to_the_customer() -> None:
    store = MemoryStore()
    store.run(change([event("a", 0), event("b", 120)]))
    assert store.rows["session_funnel"]["customer_id"].to_list() == ["unknown", "unknown"]
    store.run(change([event("c", 125, customer_id="leo:1")]))
    assert store.rows["session_funnel"]["customer_id"].to_list() == ["leo:1", "leo:1"]
    assert store.rows["customer_behavior"]["total_events"].to_list() == [3]


def test_a_run_looks_at_the_visitors_that_changed_and_no_others() -> None:
    store = MemoryStore()
    store.run(change([event(f"{name}{n}", n, visitor_id=name) for name in "abc" for n in range(3)]))
    delta = store.run(change([event("new", 3, visitor_id="b")]))
    assert delta is not None
    assert delta.before.events_enriched["visitor_id"].unique().to_list() == ["b"]
    assert delta.different("events_enriched")["event_id"].to_list() == ["new"]


def test_customers_who_merge_are_one_visitor() -> None:
    store = MemoryStore()
    mine = {"customer_id": "leo:1", "customer_reference": "leo:1", "visitor_id": "phone"}
    other = {"customer_id": "leo:2", "customer_reference": "leo:2", "visitor_id": "laptop"}
    store.run(change([event("a", 0, **mine), event("b", 5, **other)]))
    assert len(store.rows["session_funnel"]) == 2
    store.run(change(customers={"leo:2": "leo:1"}))
    (session,) = store.rows["session_funnel"].rows(named=True)
    assert (session["customer_id"], session["events"]) == ("leo:1", 2)
    merged = tables(event("a", 0, **mine), event("b", 5, **{**other, "customer_id": "leo:1"}), now=NOW)
    assert visits(merged) == [["a", "b"]]
