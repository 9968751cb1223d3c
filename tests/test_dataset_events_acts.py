"""What one act is: who viewed, filled the cart and paid once did so once, however many events tell of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import permutations
from typing import Any

import numpy as np
import polars as pl
import pytest

from cdp_assets.datasets.events import build
from cdp_assets.datasets.events.build import Tables
from cdp_assets.datasets.publish import parquet
from tests.events_support import NOW, T0, MemoryStore, change, event, keyed, raw, tables

SECOND = timedelta(seconds=1)
BUY = {"source_event_type": "purchase", "currency": "VND", "order_value": "10"}


def session(found: Tables) -> dict[str, Any]:
    """The only session."""
    (row,) = found.session_funnel.rows(named=True)
    return row


@pytest.mark.parametrize("ids", list(permutations("abcd")))
def test_what_is_done_at_one_instant_comes_in_the_order_of_a_visit(ids: tuple[str, ...]) -> None:
    kinds = ("item-view", "add-to-cart", "order-checkout", "purchase")
    found = tables(*(event(ids[place], 0, source_event_type=kind) for place, kind in enumerate(kinds)))
    told = found.events_enriched.sort("event_index")["source_event_type"].to_list()
    assert told == list(kinds)
    assert (session(found)["converted"], session(found)["cart_abandoned"]) == (True, False)
    assert set(found.funnel_member["state"]) == {"completed"}


@pytest.mark.parametrize("poorer_first", [True, False])
@pytest.mark.parametrize(
    ("poor", "rich"),
    [
        ({}, {"order_number": "O1", "order_value": "10", "currency": "VND"}),
        ({"order_number": "O1"}, {"order_number": "O1", "order_value": "10", "currency": "VND"}),
        (
            {"order_number": "O1", "utm_source": "zalo"},
            {"order_value": "10", "currency": "VND", "page": "/thanks", "article_id": "shop:1"},
        ),
    ],
)
def test_tellings_of_one_purchase_are_merged_and_the_fuller_value_wins(
    poor: dict[str, Any], rich: dict[str, Any], *, poorer_first: bool
) -> None:
    both = [poor, rich] if poorer_first else [rich, poor]
    found = tables(
        *(
            event(f"e{n}", T0 + n * 0.4 * SECOND, source_event_type="purchase", **each)
            for n, each in enumerate(both)
        )
    )
    row = session(found)
    assert (row["events"], row["buys"], row["orders"], row["revenue"]) == (1, 1, 1, 10)
    for name in ("utm_source", "page"):
        expected = poor.get(name) or rich.get(name)
        assert row["landing_page" if name == "page" else name] == expected
    assert found.events_enriched["is_duplicate"].sum() == 1
    assert found.events_enriched["is_conversion"].all()


@pytest.mark.parametrize("told", [("A", "B", "A", "B"), ("A", "A", "B", "B"), ("A", "B", None, "B", "A")])
def test_orders_that_are_told_alternately_count_once_each(told: tuple[str | None, ...]) -> None:
    found = tables(
        *(event(f"e{n}", T0 + n * 0.1 * SECOND, order_number=order, **BUY) for n, order in enumerate(told))
    )
    row = session(found)
    assert (row["buys"], row["orders"], row["revenue"]) == (2, 2, 20)


@pytest.mark.parametrize(
    "pages",
    [
        [{"page": "/"}, {"page": "/shoes"}, {"page": "/shoes/1"}],
        [{"page": "/search", "query_hash": 1}, {"page": "/search", "query_hash": 2}, {"page": "/search"}],
        [{"page": "/p", "article_id": f"shop:{n}"} for n in range(3)],
    ],
)
def test_pages_queries_and_articles_within_a_second_are_acts_of_their_own(
    pages: list[dict[str, Any]],
) -> None:
    found = tables(*(event(f"e{n}", T0 + n * 0.3 * SECOND, **page) for n, page in enumerate(pages)))
    different = {
        tuple(sorted(page.items())) for page in pages if "query_hash" in page or page["page"] != "/search"
    }
    assert session(found)["views"] == len(different)
    assert found.session_funnel["events"].item() == len(different)


def test_both_sources_tell_of_one_view_though_one_names_no_page() -> None:
    found = tables(
        event("leo:1", T0, page="https://shop.vn/p", article_id="shop:1"),
        event(
            "shop:1", T0 + 0.2 * SECOND, source="shop", source_event_type="product_view", article_id="shop:1"
        ),
        event("leo:2", T0 + 0.4 * SECOND, page="https://shop.vn/q", article_id="shop:2"),
        event(
            "shop:2", T0 + 0.5 * SECOND, source="shop", source_event_type="product_view", article_id="shop:2"
        ),
    )
    assert (session(found)["views"], session(found)["articles"]) == (2, 2)


@pytest.mark.parametrize("every_ms", [250, 500, 900, 1000])
def test_a_page_that_reports_by_the_second_is_one_visit(every_ms: int) -> None:
    beats = [
        event(f"h{n:05}", T0 + n * timedelta(milliseconds=every_ms), source_event_type="heartbeat")
        for n in range(2_400_000 // every_ms)
    ]
    found = tables(
        *beats,
        event("cart", 10, source_event_type="add-to-cart", article_id="x"),
        event("view", 0.5),
        event("paid", 41, order_number="O1", **BUY),
    )
    row = session(found)
    assert row["events"] > 1000
    assert (row["is_bot"], row["is_quarantined"], row["converted"], row["revenue"]) == (
        False,
        False,
        True,
        10,
    )


def test_acts_begin_anew_when_the_window_from_their_first_telling_is_over() -> None:
    dice = np.random.default_rng(5)
    gaps = [0, 1, 300_000, 999_999, 1_000_000, 1_000_001]
    at = np.cumsum(dice.choice(gaps, 3_000))
    visitors, kinds = dice.integers(0, 3, at.size), dice.choice(["item-view", "search", "wiggle"], at.size)
    pages, articles = dice.choice(["/", "/a", "/b"], at.size), dice.choice(["shop:1", "shop:2"], at.size)
    events = [
        event(f"e{n:05}", T0 + timedelta(microseconds=int(at[n])), visitor_id=f"v{visitors[n]}",
              source_event_type=str(kinds[n]), page=str(pages[n]), article_id=str(articles[n]))
        for n in range(at.size)
    ]  # fmt: skip
    began: dict[Any, Any] = defaultdict(lambda: T0 - timedelta(days=1))
    acts = 0
    for each in events:
        act = tuple(each[name] for name in ("visitor_id", "source_event_type", "page", "article_id"))
        if each["event_at"] - began[act] > SECOND:
            began[act] = each["event_at"]
            acts += 1
    found = tables(*events, funnels=()).events_enriched
    assert (~found["is_duplicate"]).sum() == acts


@pytest.mark.parametrize(
    ("acts", "is_left"),
    [
        ("add:x buy", False),
        ("add:x remove:x", False),
        ("add:x buy add:y remove:y", False),
        ("add:x add:y buy add:y", True),
        ("add:x remove:y", True),
        ("remove:x add:y", True),
        ("add:x add:x remove:x", True),
        ("add:x remove", False),
        ("buy add:x", True),
        ("add:x buy:O1 buy:O1", False),
        ("buy:O1 add:x buy:O1", True),
    ],
)
def test_a_cart_is_abandoned_when_something_is_left_in_it_since_the_last_order(
    acts: str, is_left: bool
) -> None:
    kinds = {"add": "add-to-cart", "remove": "remove-from-cart", "buy": "purchase"}
    events = []
    for minute, act in enumerate(acts.split()):
        kind, _, what = act.partition(":")
        more = {"order_number": what} if kind == "buy" and what else {"article_id": what or None}
        events.append(event(f"e{minute}", minute, source_event_type=kinds[kind], **more))
    assert session(tables(*events))["cart_abandoned"] is is_left


@pytest.mark.parametrize("minutes", [5, 120, 60 * 40])
@pytest.mark.parametrize("visitor", ["v", "w"])
def test_an_order_counts_once_however_often_its_page_is_opened(minutes: int, visitor: str) -> None:
    first = event("a", 0, order_number="O1", **BUY)
    again = event("b", minutes, order_number="O1", visitor_id=visitor, **BUY)
    rows = tables(first, again).session_funnel
    assert (rows["orders"].sum(), rows["revenue"].sum(), rows["converted"].sum()) == (1, 10, 1)
    for slices in ((first, again), (again, first)):
        store = MemoryStore()
        for each in slices:
            store.run(change([each]))
        assert keyed("session_funnel", store.rows["session_funnel"]) == keyed("session_funnel", rows)
    store.run(change(gone=["a"]))
    assert store.rows["session_funnel"]["revenue"].sum() == 10, "the other telling counts now"


def test_who_paid_where_no_page_saw_it_has_no_open_cart() -> None:
    mine = {"customer_id": "leo:1"}
    cart = event("a", NOW - timedelta(days=3), source_event_type="add-to-cart", article_id="x", **mine)
    paid = event("b", NOW - timedelta(days=2), source_event_type="made-payment", is_imported=True, **mine)
    (left,) = tables(cart).customer_behavior.rows(named=True)
    (bought,) = tables(cart, paid).customer_behavior.rows(named=True)
    assert (left["cart_abandoned"], bought["cart_abandoned"], bought["open_cart_articles"]) == (
        True,
        False,
        [],
    )


def test_a_build_is_the_same_bytes_in_any_order_of_its_rows_and_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = np.random.default_rng(1)
    events = [
        event(
            f"e{n}", T0 + timedelta(milliseconds=int(dice.integers(0, 10**9))), customer_id=f"leo:{n % 7}",
            visitor_id=f"v{n % 9}", source_event_type=str(dice.choice(["item-view", "add-to-cart", "purchase"])),
            article_id=f"shop:{n % 3}", order_number=f"O{n % 11}" if n % 4 == 0 else None,
        )
        for n in range(3_000)
    ]  # fmt: skip
    shuffled = [events[place] for place in dice.permutation(len(events))]

    def stored(found: Tables) -> dict[str, bytes]:
        return {
            name: parquet(pl.DataFrame(keyed(name, frame), schema=frame.schema, infer_schema_length=None))
            for name, frame in found.items()
        }

    assert raw(*events).height == 3_000
    whole = stored(tables(*events))
    assert whole == stored(tables(*shuffled))
    monkeypatch.setattr(build, "PART", 400)
    assert whole == stored(tables(*shuffled)), "built in parts"
