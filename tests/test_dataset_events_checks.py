"""Checks of dataset F: silent on sound tables, each loud for the fault that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from cdp_assets.datasets.events import funnels, pictures
from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.datasets.events.build import Tables
from cdp_assets.datasets.events.checks import CHECKS
from tests.events_support import NOW, SCOPE, T0, event, tables

KINDS = ("page-view", "item-view", "add-to-cart", "purchase")


def audit(found: Tables, **more: Any) -> EventsAudit:
    return EventsAudit(
        SCOPE, funnels.DEFAULTS, found, funnels.daily(funnels.DEFAULTS, found.funnel_member), more.pop("now", NOW),
        True, more.pop("unmatched", lambda: {"orders": [], "events": []}), more.pop("differing", None),
    )  # fmt: skip


def failing(looked: EventsAudit) -> set[str]:
    return {check.name for _, check in CHECKS if not check.measure(looked).passed}


def visits_of(day: datetime, count: int, *, bought: int, prefix: str) -> list[dict[str, Any]]:
    """So many visits of a day, so many with a purchase; no two of one person."""
    return [
        event(f"{prefix}{n}{kind}", day + timedelta(minutes=n, seconds=40 * step), visitor_id=f"{prefix}{n}",
              source_event_type=kind, received_at=day + timedelta(minutes=n, seconds=40 * step))
        for n in range(count)
        for step, kind in enumerate(KINDS if n < bought else KINDS[:2])
    ]  # fmt: skip


@pytest.fixture(scope="module")
def sound() -> Tables:
    """Nine days with 120 visits each, the last of them the last whole day."""
    last = NOW - timedelta(hours=14)
    return tables(
        *(each for n in range(9)
          for each in visits_of(last - n * timedelta(days=1), 120, bought=24, prefix=f"d{n}-"))
    )  # fmt: skip


def test_sound_tables_pass_every_check(sound: Tables) -> None:
    assert failing(audit(sound)) == set()


def _without_a_session(found: Tables) -> Tables:
    return replace(found, session_funnel=found.session_funnel.head(-1))


def _event_twice(found: Tables) -> Tables:
    return replace(found, events_enriched=pl.concat([found.events_enriched, found.events_enriched.head(1)]))


def _wrong_count(found: Tables) -> Tables:
    return replace(found, session_funnel=found.session_funnel.with_columns(pl.col("views") + 1))


def _customer_twice(found: Tables) -> Tables:
    known = tables(event("a", 0, customer_id="leo:1"))
    return replace(found, customer_behavior=known.customer_behavior)


def _negative(found: Tables) -> Tables:
    return replace(found, session_funnel=found.session_funnel.with_columns(searches=pl.lit(-1, pl.Int64)))


def _share(column: str, value: Any) -> Callable[[Tables], Tables]:
    def spoilt(found: Tables) -> Tables:
        rows = found.events_enriched
        some = pl.int_range(pl.len()) < rows.height * 2 // 3
        events = rows.with_columns(pl.when(some).then(pl.lit(value)).otherwise(column).alias(column))
        return replace(found, events_enriched=events)

    return spoilt


@pytest.mark.parametrize(
    ("spoil", "loud"),
    [
        (_without_a_session, "one_session_each"),
        (_event_twice, "one_session_each"),
        (_wrong_count, "counts_add_up"),
        (_customer_twice, "behaviour_adds_up"),
        (_negative, "contracts_kept"),
        (_share("is_known_type", False), "known_types"),
        (_share("is_bot", True), "bots"),
        (_share("is_duplicate", True), "repeats"),
        (_share("lateness_s", 300_000.0), "in_time"),
        (_share("lateness_s", -400.0), "in_time"),
    ],
)
def test_each_fault_is_found(sound: Tables, spoil: Callable[[Tables], Tables], loud: str) -> None:
    assert loud in failing(audit(spoil(sound)))


def test_members_that_differ_from_the_counts_are_found(sound: Tables) -> None:
    looked = audit(sound)
    fewer = replace(looked, tables=replace(sound, funnel_member=sound.funnel_member.head(-1)))
    assert failing(fewer) == {"members_are_counts"}


def test_a_funnel_that_grows_is_found(sound: Tables) -> None:
    looked = audit(sound)
    grown = looked.daily.with_columns(
        pl.when(step=2).then(pl.col("entered") + 500).otherwise("entered").alias("entered")
    )
    assert "funnels_shrink" in failing(replace(looked, daily=grown))


def test_old_events_are_stale(sound: Tables) -> None:
    assert failing(audit(sound, now=NOW + timedelta(days=3))) == {"fresh"}


def test_orders_of_one_side_are_told_by_number(sound: Tables) -> None:
    def unmatched() -> dict[str, list[str]]:
        return {"orders": [f"O{n}" for n in range(300)], "events": ["X1"]}

    looked = audit(sound, unmatched=unmatched)
    assert failing(looked) == {"purchases_match_orders"}
    (check,) = [check for _, check in CHECKS if check.name == "purchases_match_orders"]
    assert ("events", "X1") in check.measure(looked).sample


def test_each_event_whose_total_is_not_that_of_its_lines_is_named(sound: Tables) -> None:
    wrong = [("leo:e1", "O1", Decimal("20.02"), Decimal(20)), ("leo:e2", "O2", Decimal(15), Decimal(20))]
    looked = audit(sound, differing=lambda: wrong)
    assert failing(looked) == {"order_total_matches_lines"}
    (check,) = [check for _, check in CHECKS if check.name == "order_total_matches_lines"]
    assert list(check.measure(looked).sample) == wrong
    assert failing(audit(sound, differing=list)) == set()


def test_a_day_without_purchases_leaves_the_band() -> None:
    last = NOW - timedelta(hours=14)
    days = [
        visits_of(last - n * timedelta(days=1), 120, bought=24 if n else 0, prefix=f"d{n}-") for n in range(9)
    ]
    assert failing(audit(tables(*(each for day in days for each in day)))) == {"conversion_band"}


def test_pages_that_never_sleep_are_found() -> None:
    events = [
        event(f"{n}-{step}", T0 + timedelta(days=n % 9, minutes=n + 21.0 * step + step % 3), visitor_id=f"v{n}")
        for n in range(110) for step in range(14)
    ]  # fmt: skip
    assert "session_length" in failing(audit(tables(*events)))


def test_samples_name_nobody(sound: Tables) -> None:
    for _, check in CHECKS:
        assert not {"customer", "visitor", "e-mail"} & set(check.measure(audit(sound)).columns), check.name


def test_pictures_are_made_of_any_tables(sound: Tables) -> None:
    charts = pictures.funnel_charts(audit(sound).daily)
    assert set(charts) == {"Funnel purchase", "Funnel purchase_7d"}
    assert pictures.sessions_per_day(sound.session_funnel) is not None
    nothing = tables()
    assert pictures.funnel_charts(audit(nothing).daily) == {}
    assert pictures.sessions_per_day(nothing.session_funnel) is None
