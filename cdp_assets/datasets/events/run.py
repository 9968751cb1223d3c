"""One run of dataset F for one tenant: read, plan, check, write, remember; one transaction, all or nothing.

Belongs here: the order of the steps. The caller keeps two runs of a tenant apart (`warehouse.locks`). An incremental
run reads what was written since the one before; a full run builds all from all events, moves the windows of
`customer_behavior` to the newest whole day, and writes what differs, which after incremental runs should be the windows
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import sha256

import polars as pl
from psycopg import IsolationLevel

from cdp_assets.datasets.events import funnels
from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.datasets.events.build import Tables, build
from cdp_assets.datasets.events.checks import CHECKS
from cdp_assets.datasets.events.contract import CONTRACTS
from cdp_assets.datasets.events.delta import plan, superseded
from cdp_assets.datasets.events.funnels import Funnel, funnels_of
from cdp_assets.datasets.events.identity import stitch
from cdp_assets.datasets.events.store import OVERLAP, State, WarehouseStore
from cdp_assets.datasets.events.vocabulary import AHEAD
from cdp_assets.datasets.model import Scope
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.vocabulary.event_types import ALIASES
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.frames import Written

OWNED = [name for name in CONTRACTS if name != "funnel_daily"]
"""Tables whose rows are some visitor's."""

LOGIC = 3
"""Raise it when the same events give other rows: the next run builds all anew."""

Days = set[tuple[str, date]]
"""Funnel and day of entry."""


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        audit: what the checks looked at: all rows of a full run, those of the visitors touched otherwise.
        written: rows by table; empty when a blocking check kept the run from writing.
        changed: events that are new, different or gone.
        superseded: session ids that are no more.
    """

    audit: EventsAudit
    is_full: bool
    measures: tuple[tuple[str, Check[EventsAudit], Measure], ...] = ()
    written: dict[str, Written] = field(default_factory=dict)
    changed: int = 0
    superseded: int = 0

    @property
    def blocked_by(self) -> list[str]:
        """Names of the checks that kept the run from writing."""
        return [
            check.name
            for _, check, found in self.measures
            if check.blocking and not found.passed and found.severity is Severity.ERROR
        ]


class _Blocked(Exception):
    """Takes the transaction back."""


def refresh(warehouse: Warehouse, scope: Scope, now: datetime, *, full: bool = False) -> Outcome:
    """Bring the tables of a tenant up to date.

    `now` is the tenant's clock: what is still open at it, and what lies ahead of it and is set aside. The first run,
    and one after a change of funnels, currency, zone, vocabulary or logic, is a full one whatever `full` says.

    Raises:
        psycopg.Error: a table refused a row; nothing is written.
    """
    configured = funnels_of(scope.options)
    settings = _settings(scope, configured)
    with warehouse.session(scope.tenant_id) as session:
        session.connection.isolation_level = IsolationLevel.REPEATABLE_READ
        outcome: Outcome | None = None
        try:
            with session.transaction() as conn:
                store = WarehouseStore(conn, scope.tenant_id)
                state = store.state()
                if full or state is None or state.settings != settings:
                    outcome = _full(store, scope, configured, now)
                    as_of = scope.as_of
                else:
                    as_of = state.as_of
                    outcome = _incremental(store, replace(scope, as_of=as_of), configured, now, state)
                outcome.measures = tuple(
                    (table, check, check.measure(outcome.audit)) for table, check in CHECKS
                )
                if outcome.blocked_by:
                    raise _Blocked
                store.remember(State(store.instant(), as_of, settings))
        except _Blocked:
            assert outcome is not None
            outcome.written = {}
    return outcome


def _settings(scope: Scope, configured: Sequence[Funnel]) -> str:
    text = f"{LOGIC} {sorted(ALIASES.items())} {scope.timezone} {scope.currency} {configured!r}"
    return sha256(text.encode()).hexdigest()[:16]


def _full(store: WarehouseStore, scope: Scope, configured: Sequence[Funnel], now: datetime) -> Outcome:
    # nothing but the build holds the events, so that it can forget those it has built
    tables = build(scope, configured, stitch(_arrived(store, now + AHEAD)), now)
    daily = funnels.daily(configured, tables.funnel_member)
    audit = _audited(store, scope, configured, tables, daily, now, is_full=True)
    lost = store.session_ids().join(tables.session_funnel, on="session_id", how="anti")
    ids = superseded(
        lost, store.fetch("events_enriched", "session_id", lost["session_id"]), tables.events_enriched
    )
    outcome = Outcome(audit, True, changed=tables.events_enriched.height, superseded=ids.height)
    for name, frame in [*tables.items(), ("funnel_daily", daily)]:
        outcome.written[name] = store.replace(name, frame)
    store.supersede(ids, tables.session_funnel["session_id"])
    store.renew_links()
    return outcome


def _arrived(store: WarehouseStore, until: datetime) -> pl.DataFrame:
    """All events up to `until`; later ones are set aside."""
    told = store.all_events()
    store.none_aside()
    store.set_aside(told.filter(pl.col("event_at") > until))
    return told.filter(pl.col("event_at") <= until)


def _incremental(
    store: WarehouseStore, scope: Scope, configured: Sequence[Funnel], now: datetime, state: State
) -> Outcome:
    delta = plan(scope, configured, store, store.change(state.read_until - OVERLAP, now + AHEAD), now)
    written: dict[str, Written] = {}
    days, ids = store.close_windows(now), 0
    tables = _nothing()
    if delta is not None:
        tables = delta.tables
        for name in OWNED:
            frame, gone = delta.different(name), delta.gone(name)
            written[name] = store.merge(name, frame, gone)
            if name == "funnel_member":
                days |= set(
                    pl.concat([frame.select("funnel_id", "day"), gone.select("funnel_id", "day")]).rows()
                )
        pairs = delta.superseded()
        store.supersede(pairs, tables.session_funnel["session_id"])
        ids = pairs.height
    daily = _recounted(store, configured, days)
    if days:
        old = store.rows("funnel_daily", _where(days)).filter(_of(days))
        key = CONTRACTS["funnel_daily"].primary_key()
        gone = old.select(key).join(daily, on=key, how="anti")
        written["funnel_daily"] = store.merge("funnel_daily", daily, gone)
    audit = _audited(store, scope, configured, tables, daily, now, is_full=False)
    return Outcome(audit, False, written=written, changed=delta.changed if delta else 0, superseded=ids)


def _nothing() -> Tables:
    return Tables(*(CONTRACTS[name].create_empty() for name in OWNED))


def _recounted(store: WarehouseStore, configured: Sequence[Funnel], days: Days) -> pl.DataFrame:
    """Rows of `funnel_daily` of these days, from all members of theirs."""
    members = store.rows("funnel_member", _where(days)).filter(_of(days))
    return funnels.daily(configured, members)


def _where(days: Days) -> dict[str, list[str] | list[date]]:
    return {"funnel_id": sorted({name for name, _ in days}), "day": sorted({day for _, day in days})}


def _of(days: Days) -> pl.Expr:
    wanted = pl.DataFrame(
        sorted(days), schema={"funnel_id": pl.String, "day": pl.Date}, orient="row"
    ).to_struct()
    return pl.struct("funnel_id", "day").is_in(wanted.implode())


def _audited(
    store: WarehouseStore,
    scope: Scope,
    configured: Sequence[Funnel],
    tables: Tables,
    daily: pl.DataFrame,
    now: datetime,
    *,
    is_full: bool,
) -> EventsAudit:
    return EventsAudit(
        ahead=store.ahead(),
        scope=scope,
        funnels=tuple(configured),
        tables=tables,
        daily=daily,
        now=now,
        is_full=is_full,
        unmatched=store.unmatched_orders if is_full else None,
        differing=store.differing_totals if is_full else None,
    )
