"""What the checks of dataset F look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from cdp_assets.datasets.events.build import Tables
from cdp_assets.datasets.events.funnels import Funnel
from cdp_assets.datasets.model import Scope


@dataclass(frozen=True)
class EventsAudit:
    """Rows that a run wants to write, before anybody can see them.

    Attributes:
        tables: all rows of a full run; those of the visitors that are touched otherwise.
        daily: rows of `funnel_daily` of the days that are touched.
        now: the tenant's clock.
        unmatched: orders of one side only (`orders`, `events`), asked for in a full run; None otherwise.
        differing: event, order, the event's total and the sum of the order's lines, where the two differ; likewise.
        ahead: number of events that are set aside, and those furthest ahead: event_id, event_at.
    """

    scope: Scope
    funnels: tuple[Funnel, ...]
    tables: Tables
    daily: pl.DataFrame
    now: datetime
    is_full: bool
    unmatched: Callable[[], dict[str, list[str]]] | None = None
    differing: Callable[[], list[tuple[str, str, Decimal, Decimal]]] | None = None
    ahead: tuple[int, Sequence[tuple[str, datetime]]] = (0, ())
