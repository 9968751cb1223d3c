"""All tables of dataset F from stitched events; pure, for a few visitors as for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cdp_assets.datasets.events import funnels
from cdp_assets.datasets.events.behaviour import behaviour, counted
from cdp_assets.datasets.events.funnels import Funnel
from cdp_assets.datasets.events.summaries import enrich
from cdp_assets.datasets.model import Scope

PART = 500_000
"""Events that are built at once, about: larger parts are no faster."""


@dataclass(frozen=True)
class Tables:
    """Rows of `datasets.<name>`, without those of `funnel_daily`, which counts members of all visitors."""

    events_enriched: pl.DataFrame
    session_funnel: pl.DataFrame
    customer_behavior: pl.DataFrame
    funnel_member: pl.DataFrame

    def items(self) -> list[tuple[str, pl.DataFrame]]:
        """Name and rows of each."""
        return [(name, getattr(self, name)) for name in self.__dataclass_fields__]


def build(scope: Scope, configured: Sequence[Funnel], stitched: pl.DataFrame, now: datetime) -> Tables:
    """The tables of these events, rows in no particular order.

    All events of every `visitor_key` that occurs must be there. Nothing in a visitor's rows depends on another's, so
    any set of whole visitors may be built alone, and many are built in parts, each forgotten once it is built: what
    sorting, numbering and counting need beside the tables is then as large as a part.
    """
    parts = -(-stitched.height // PART)
    if parts <= 1:
        return _build(scope, configured, stitched, now)
    part = stitched["visitor_key"].hash() % parts
    waiting = [stitched.filter(part == number) for number in range(parts)]
    del stitched
    built = []
    while waiting:
        built.append(_build(scope, configured, waiting.pop(), now))
    return Tables(*(pl.concat([getattr(tables, name) for tables in built]) for name, _ in built[0].items()))


def _build(scope: Scope, configured: Sequence[Funnel], stitched: pl.DataFrame, now: datetime) -> Tables:
    events, sessions = enrich(scope, stitched)
    del stitched
    told = counted(events.lazy()).select(funnels.NEEDED).collect(engine="in-memory")
    return Tables(
        events,
        sessions,
        behaviour(scope, events),
        funnels.all_members(configured, told, now),
    )
