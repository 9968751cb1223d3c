"""What is due, for whom, and why not: the decisions of the automation as pure functions.

Belongs here: rules over plain values. Does not belong here: reading those values (`state`, `runs`) and acting on
the outcome (`schedules`, `sensors`). No clock, no database, no Dagster: `now` is always an argument.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cdp_assets.sources.model import (
    CONVERSION,
    FEEDBACK,
    PRODUCT_ITEM,
    PROFILE,
    SEGMENT,
    TRACKING_EVENT,
    Signature,
)

Mode = Literal["SWEEP", "WINDOW"]

TABLES = {
    SEGMENT: "segment",
    PROFILE: "customer_profile",
    PRODUCT_ITEM: "product_item",
    TRACKING_EVENT: "tracking_event",
    CONVERSION: "transactional_context",
    FEEDBACK: "feedback",
}
"""Collection -> table of `cdp` that is synced with it."""

FOLLOWERS = {
    "segment": ("profile_segment",),
    "customer_profile": (
        "profile_segment", "consent", "tracking_event", "transactional_context", "feedback", "customer_metrics"
    ),
    "product_item": (),
    "tracking_event": ("transactional_context", "customer_metrics"),
    "transactional_context": ("customer_metrics",),
    "feedback": (),
}  # fmt: skip
"""Table -> tables whose rows depend on it: events, transactions and reviews follow their owner when profiles merge,
a transaction's status follows its order's events."""

FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(hours=1)
"""A source that was mended is noticed within the hour; schedules run whatever the back-off."""

SHORTEST_PAUSE = timedelta(minutes=1)
PAUSE_PER_SWEEP = 4
"""Waiting four times as long as the last sweep took bounds sweeping to a fifth of the time, however busy LEO is: its
`_rev` changes with every tracked page view, so on a busy day every signature differs from the last."""

LONGEST_RUN = timedelta(hours=6)
"""As `run_monitoring.max_runtime_seconds` in dagster.yaml: whatever runs longer is ended by Dagster."""


# -- partitions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """Partition keys to add and to remove, and those that go once the runs that use them have ended."""

    add: list[str]
    remove: list[str]
    deferred: list[str]


def partition_changes(
    wanted: Collection[str], existing: Collection[str], in_use: Collection[str]
) -> PartitionChanges:
    """Bring partition keys in step; a key that a run uses stays, or the run's finished work would be thrown away."""
    gone = set(existing) - set(wanted)
    return PartitionChanges(
        add=sorted(set(wanted) - set(existing)),
        remove=sorted(gone - set(in_use)),
        deferred=sorted(gone & set(in_use)),
    )


# -- schedules ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunInFlight:
    """A run that has not ended: whose it is, what asked for it, and which job it is."""

    tenant_id: str | None
    schedule: str | None = None
    segment_id: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Who gets a run, and a line on everybody who does not."""

    tenants: list[str]
    notes: list[str]


def due_tenants(active: Iterable[str], registered: Collection[str], busy: Collection[str]) -> Due:
    """Active tenants that may get a run now.

    A tenant whose partition is not registered yet would fail the tick, and with it everybody else's runs.
    """
    due = Due([], [])
    for tenant_id in active:
        if tenant_id not in registered:
            due.notes.append(
                f"{tenant_id}: its partition is not registered yet, `tenant_partitions` does that"
            )
        elif tenant_id in busy:
            due.notes.append(f"{tenant_id}: a run is in flight")
        else:
            due.tenants.append(tenant_id)
    return due


# -- changes of a source -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Catalogue:
    """How a tenant's articles stand to their vectors.

    Attributes:
        published: version of `datasets.articles_content` that was published last; None before the first.
        differs: whether an article came, went or has another text since `datasets.articles_tfidf` was made.
    """

    published: str | None
    differs: bool


def version_to_embed(catalogue: Catalogue) -> str | None:
    """The version of the articles whose vectors are to be made now; None when they are in step.

    Prices and stock move every night and are in no vector, so another version alone is no reason.
    """
    return catalogue.published if catalogue.differs else None


@dataclass(frozen=True, slots=True)
class CollectionState:
    """What is known of one collection.

    Attributes:
        stored: signature that the last successful sweep vouches for; None before the first.
        sweep_at: end of that sweep.
        failed: run id -> end of every run that failed to load the collection since then.
    """

    stored: Signature | None = None
    sweep_at: datetime | None = None
    failed: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TenantState:
    """What is known of a tenant: its collections, end and seconds of reading of the last run that swept."""

    tenant_id: str
    collections: Mapping[str, CollectionState]
    swept_at: datetime | None = None
    swept_seconds: float = 0.0


def pause_left(state: TenantState, now: datetime) -> timedelta:
    """How long the tenant's source is left alone after the last sweep; zero when it may be swept."""
    if state.swept_at is None:
        return timedelta(0)
    pause = max(SHORTEST_PAUSE, PAUSE_PER_SWEEP * timedelta(seconds=state.swept_seconds))
    return max(timedelta(0), state.swept_at + pause - now)


def backoff(failures: int) -> timedelta:
    """Wait after so many failures in a row: 1, 2, 4 ... minutes, an hour at most."""
    if failures == 0:
        return timedelta(0)
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * (1 << min(failures - 1, 16)))


def waits_until(failed: Collection[datetime]) -> datetime | None:
    """When a try may follow these failures in a row, given by their ends; None: at once, there were none."""
    return max(failed) + backoff(len(failed)) if failed else None


def changed_collections(state: TenantState, signatures: Mapping[str, Signature]) -> list[str]:
    """Collections whose signature differs from the one that the last successful sweep vouches for."""
    return [
        collection
        for collection, signature in signatures.items()
        if state.collections.get(collection, CollectionState()).stored != signature
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one tenant gets: table -> mode (None: derived, takes none), and a line on what is not done and why."""

    tables: Mapping[str, Mode | None] = field(default_factory=dict)
    note: str = ""


def plan(state: TenantState, changed: Sequence[str], now: datetime) -> Plan:
    """Sweep the changed collections. One that failed lately waits, and is no part of the others' runs either."""
    if not changed:
        return Plan(note=f"{state.tenant_id}: nothing changed")
    waiting = {
        collection: until
        for collection, known in state.collections.items()
        if (until := waits_until(known.failed.values())) is not None and until > now
    }
    notes = [f"{each} waits until {waiting[each]:%H:%M:%S} UTC" for each in changed if each in waiting]
    return Plan(
        tables_to_run(
            swept=[TABLES[each] for each in changed if each not in waiting],
            without={TABLES[each] for each in waiting},
        ),
        f"{state.tenant_id}: after failures {', '.join(notes)}" if notes else "",
    )


def tables_to_run(swept: Sequence[str], without: Collection[str] = ()) -> dict[str, Mode | None]:
    """The swept tables and all that follow from them.

    A follower with a collection of its own reads its window: that collection did not change, but its rows' owners and
    status are derived at the end of every sync, and a window is the cheap one.
    """
    tables: dict[str, Mode | None] = dict.fromkeys(swept, "SWEEP")
    for table in swept:
        for follower in FOLLOWERS[table]:
            if follower not in without:
                tables.setdefault(follower, "WINDOW" if follower in FOLLOWERS else None)
    return tables


def in_turn(tenant_ids: Iterable[str], last_served: str | None) -> list[str]:
    """The tenants in the order of their ids, beginning after the one that was served last."""
    ordered = sorted(tenant_ids)
    start = bisect_right(ordered, last_served) if last_served else 0
    return ordered[start:] + ordered[:start]


@dataclass(frozen=True, slots=True)
class Served:
    """The tenants that get a run in this tick, and the one after which the next tick begins."""

    tenants: list[str]
    cursor: str | None


def serve(order: Sequence[str], plans: Mapping[str, Plan], *, cap: int, cursor: str | None) -> Served:
    """Serve tenants in turn until the cap; who was not reached (has no plan) comes first next time."""
    tenants: list[str] = []
    for tenant_id in order:
        if tenant_id not in plans or len(tenants) == cap:
            break
        if plans[tenant_id].tables:
            tenants.append(tenant_id)
        cursor = tenant_id
    return Served(tenants, cursor)


# -- runs --------------------------------------------------------------------------------------------------------


def is_abandoned(*, is_finished: bool | None, started_at: datetime, now: datetime) -> bool:
    """Whether an entry that says "running" is left over from a dead process.

    `is_finished` is None when Dagster does not know the entry's run: it may belong to another instance on the same
    warehouse, so it gets the time that a run may take at most.
    """
    return now - started_at > LONGEST_RUN if is_finished is None else is_finished
