"""What tests of dataset F share: events in a few words, a store in memory, oracles in plain Python.

Belongs here: short words for them. The oracles follow the definitions row by row and know nothing of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cdp_assets.datasets.events.build import Tables, build
from cdp_assets.datasets.events.contract import CONTRACTS, RAW
from cdp_assets.datasets.events.delta import Change, Delta, plan
from cdp_assets.datasets.events.funnels import DEFAULTS, Funnel
from cdp_assets.datasets.events.identity import stitch
from cdp_assets.datasets.model import Scope

T0 = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""A Monday, 17:00 in Ho Chi Minh City."""

SCOPE = Scope("acme", date(2026, 3, 31), "Asia/Ho_Chi_Minh", "VND")
NOW = SCOPE.until

_PLAIN = {
    "source": "leo", "source_event_type": "page-view", "customer_id": "unknown", "visitor_id": "v",
    "is_imported": False,
}  # fmt: skip


def event(event_id: str, at: datetime | float = 0.0, **more: Any) -> dict[str, Any]:
    """One event; `at` as an instant or in minutes after `T0`. What is left out is that of a page view on device v."""
    when = at if isinstance(at, datetime) else T0 + timedelta(minutes=at)
    if more.get("order_value") is not None:
        more["order_value"] = Decimal(more["order_value"])
    return {**_PLAIN, "event_id": event_id, "event_at": when, **more}


def raw(*events: dict[str, Any]) -> pl.DataFrame:
    """Events as a frame with the columns `RAW`."""
    return pl.DataFrame([{name: each.get(name) for name in RAW} for each in events], schema=RAW)


def tables(
    *events: dict[str, Any], scope: Scope = SCOPE, funnels: Sequence[Funnel] = DEFAULTS, now: datetime = NOW
) -> Tables:
    """All tables of these events in one run."""
    return build(scope, funnels, stitch(raw(*events)), now)


def visits(found: Tables) -> list[list[str]]:
    """Events of each session in order of time, sessions in order of their first event."""
    rows = found.events_enriched.filter(pl.col("session_id").is_not_null()).sort("event_at", "event_id")
    by_session = rows.group_by("session_id", maintain_order=True).agg("event_id")
    return [list(ids) for ids in by_session["event_id"]]


def keyed(table: str, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows in order of their key, ready to be compared."""
    return frame.select(CONTRACTS[table].column_names()).sort(CONTRACTS[table].primary_key()).rows(named=True)


@dataclass
class MemoryStore:
    """The tables of dataset F in memory, as the warehouse keeps them."""

    scope: Scope = SCOPE
    funnels: Sequence[Funnel] = DEFAULTS
    rows: dict[str, pl.DataFrame] = field(
        default_factory=lambda: {
            name: contract.create_empty()
            for name, contract in CONTRACTS.items()
            if name != "funnel_daily"
        }
    )  # fmt: skip

    def fetch(self, table: str, column: str, values: pl.Series) -> pl.DataFrame:
        return self.rows[table].filter(pl.col(column).is_in(values.implode()))

    def run(self, change: Change, now: datetime = NOW) -> Delta | None:
        """Plan and apply."""
        delta = plan(self.scope, self.funnels, self, change, now)
        if delta is not None:
            for name in self.rows:
                key = CONTRACTS[name].primary_key()
                lost = pl.concat([delta.gone(name), delta.different(name).select(key)])
                kept = self.rows[name].join(lost, on=key, how="anti")
                new = delta.different(name).select(kept.columns)
                self.rows[name] = pl.concat([kept, new])
        return delta


def change(
    events: Iterable[dict[str, Any]] = (),
    gone: Iterable[str] = (),
    customers: dict[str, str] | None = None,
) -> Change:
    """A change in a few words; `customers`: reference -> customer."""
    links = customers or {}
    return Change(
        raw(*events),
        pl.Series("event_id", list(gone), dtype=pl.String),
        pl.DataFrame(
            {"reference": list(links), "customer_id": list(links.values())},
            schema={"reference": pl.String, "customer_id": pl.String},
        ),
        pl.DataFrame(
            schema={"reference": pl.String, "article_id": pl.String, "category_id": pl.Int64}
        ),
        pl.DataFrame(
            schema={
                "reference": pl.String, "order_number": pl.String, "order_value": RAW["order_value"],
                "currency": pl.String,
            }
        ),
    )  # fmt: skip


def sessions_by_hand(events: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Sessions of tracked events without repeats, visitor by visitor, in twenty lines."""
    found: list[list[str]] = []
    owner: dict[str, str] = {}
    for visitor in {each["visitor_id"] for each in events if each["visitor_id"]}:
        known = [
            each for each in events if each["visitor_id"] == visitor and each["customer_id"] != "unknown"
        ]
        last = sorted(known, key=lambda each: (each["event_at"], each["customer_id"]))
        if last and len({each["customer_id"] for each in known}) <= 3:
            owner[visitor] = last[-1]["customer_id"]
    streams: dict[str, list[dict[str, Any]]] = {}
    for each in events:
        known_as = (
            each["customer_id"] if each["customer_id"] != "unknown" else owner.get(each["visitor_id"] or "")
        )
        key = known_as or (
            f"visitor:{each['visitor_id']}" if each["visitor_id"] else f"event:{each['event_id']}"
        )
        streams.setdefault(key, []).append(each)
    for stream in streams.values():
        first = last_at = None
        for each in sorted(stream, key=lambda each: (each["event_at"], each["event_id"])):
            at = each["event_at"]
            if first is None or at - last_at > timedelta(minutes=30) or at - first > timedelta(hours=24):
                first = at
                found.append([])
            found[-1].append(each["event_id"])
            last_at = at
    return sorted(found)
