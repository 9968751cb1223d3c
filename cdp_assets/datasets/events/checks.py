"""Checks of dataset F: identities that must hold of any set of whole visitors, and shares that a healthy source keeps.

Belongs here: pure functions of an `EventsAudit`. What only all rows can tell is asked of full runs, else it passes.
Does not belong here: what events say of orders (`reconciliation`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.datasets.events.behaviour import counted
from cdp_assets.datasets.events.contract import CONTRACTS
from cdp_assets.datasets.events.reconciliation import order_total_matches_lines, purchases_match_orders
from cdp_assets.datasets.events.summaries import COUNTS
from cdp_assets.datasets.events.vocabulary import AHEAD
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MIN_EVENTS = 1_000
"""Events from which a share says something of the source rather than of a few visitors."""

MAX_UNKNOWN, MAX_BOTS, MAX_REPEATS, MAX_LATE = 0.01, 0.3, 0.6, 0.01
"""Shares that are asked about. Half of all events repeat another where LEO and the shop both log every visit."""

LATE = timedelta(days=3)
"""Later than this is a source that was cut off; `AHEAD` of the time when it was received is a wrong clock."""

LONG_SESSION_S, MAX_LONG = 4 * 3600, 0.05
STALE = timedelta(days=2)
"""A small shop has a day without a visitor now and then, not two."""
MIN_SESSIONS, BAND_DAYS, BAND = 100, 7, 2.0
"""A conversion rate outside half and twice the median of the week before is asked about, from 100 sessions a day."""


def contracts_kept(audit: EventsAudit) -> Measure:
    """Rows of any table that break a rule of its contract."""
    broken = []
    for table, frame in [*audit.tables.items(), ("funnel_daily", audit.daily)]:
        _, failures = CONTRACTS[table].filter(frame)
        broken += [(table, rule, count) for rule, count in sorted(failures.counts().items())]
    return Measure(
        sum(count for *_, count in broken),
        f"{len(broken)} rules are broken" if broken else "every row keeps the contract of its table",
        {"rules": len(broken)},
        ("table", "rule", "rows"),
        broken[:SAMPLE_ROWS],
    )


def one_session_each(audit: EventsAudit) -> Measure:
    """Tracked events whose session is not there, and event ids that come twice."""
    events, sessions = audit.tables.events_enriched, audit.tables.session_funnel
    lost = events.filter(~pl.col("is_imported")).join(sessions, on="session_id", how="anti")
    twice = events.filter(pl.col("event_id").is_duplicated())
    return Measure(
        lost.height + twice.height,
        f"{lost.height} of {events.height} events have no session, {twice.height} come twice",
        {"without_session": lost.height, "repeated_ids": twice.height},
        ("event", "session"),
        pl.concat([lost, twice]).select("event_id", "session_id").head(SAMPLE_ROWS).rows(),
    )


def counts_add_up(audit: EventsAudit) -> Measure:
    """Counts of all sessions against those of their events, by type."""
    told = audit.tables.events_enriched.filter(~pl.col("is_imported"), ~pl.col("is_duplicate"))
    sessions = audit.tables.session_funnel
    of_type = dict(told["event_type"].value_counts().rows())
    pairs = [("events", sessions["events"].sum(), told.height)]
    pairs += [(column, sessions[column].sum(), of_type.get(name, 0)) for column, name in COUNTS.items()]
    wrong = [pair for pair in pairs if pair[1] != pair[2]]
    return Measure(
        len(wrong),
        f"{len(wrong)} of {len(pairs)} counts differ between {sessions.height} sessions and {told.height} events",
        {"sessions": sessions.height, "events": told.height},
        ("count", "sessions", "events"),
        wrong,
    )


def behaviour_adds_up(audit: EventsAudit) -> Measure:
    """Events of all customers against those of F1 that count, up to the end of the day."""
    known = counted(audit.tables.events_enriched).filter(
        pl.col("stitched_customer_id").is_not_null(), pl.col("event_at") < audit.scope.until
    )
    total = int(audit.tables.customer_behavior["total_events"].sum())
    return Measure(
        abs(known.height - total),
        f"{total} events of customers, {known.height} in events_enriched",
        {"customers": audit.tables.customer_behavior.height, "events": known.height},
    )


def funnels_shrink(audit: EventsAudit) -> Measure:
    """Steps that more reached than the step before, and days whose ways out do not sum to those who entered."""
    days = (
        audit.daily.sort("funnel_id", "day", "step")
        .group_by("funnel_id", "day", maintain_order=True)
        .agg(
            (pl.col("entered").diff() > 0).any().alias("grows"),
            (pl.col("open").sum() + pl.col("dropped").sum() + pl.col("completed").last()).alias("left"),
            pl.col("entered").first(),
        )
        .filter(pl.col("grows").fill_null(False) | (pl.col("left") != pl.col("entered")))
    )
    return Measure(
        days.height,
        f"{days.height} days of funnels do not add up",
        {"days": audit.daily.select("funnel_id", "day").n_unique() if audit.daily.height else 0},
        ("funnel", "day", "entered", "left"),
        days.select("funnel_id", "day", "entered", "left").head(SAMPLE_ROWS).rows(),
    )


def members_are_counts(audit: EventsAudit) -> Measure:
    """Members by funnel, day and state against `funnel_daily`; asked of full runs, which hold all members."""
    if not audit.is_full:
        return Measure(0, "asked of full runs")
    state = pl.col("state")
    members = audit.tables.funnel_member.group_by("funnel_id", "day").agg(
        pl.len().alias("members"),
        (state == "completed").sum().alias("done"),
        (state == "open").sum().alias("waiting"),
    )
    counted_days = (
        audit.daily.sort("step")
        .group_by("funnel_id", "day")
        .agg(pl.col("entered").first(), pl.col("completed").last(), pl.col("open").sum())
    )
    wrong = members.join(counted_days, on=["funnel_id", "day"], how="full", coalesce=True).filter(
        pl.col("members").ne_missing(pl.col("entered"))
        | pl.col("done").ne_missing(pl.col("completed"))
        | pl.col("waiting").ne_missing(pl.col("open"))
    )
    return Measure(
        wrong.height,
        f"{wrong.height} of {counted_days.height} days of funnels differ from their {members['members'].sum()} members",
        {"days": counted_days.height},
        ("funnel", "day", "members", "entered"),
        wrong.select("funnel_id", "day", "members", "entered")
        .sort("funnel_id", "day")
        .head(SAMPLE_ROWS)
        .rows(),
    )


def known_types(audit: EventsAudit) -> Measure:
    """Events whose type is none of the vocabulary."""
    events = audit.tables.events_enriched
    strange = events.filter(~pl.col("is_known_type"))
    words = strange.group_by("source", "event_type").len().sort("len", "event_type", descending=[True, False])
    return _share(
        strange.height, events.height, MAX_UNKNOWN, "are of a type that nobody knows",
        ("source", "type", "events"), words.head(SAMPLE_ROWS).rows(),
    )  # fmt: skip


def bots(audit: EventsAudit) -> Measure:
    """Events of automata, by the rule that told them."""
    events = audit.tables.events_enriched
    found = events.filter("is_bot")
    reasons = found.group_by("bot_reason").len().sort("len", descending=True)
    return _share(
        found.height, events.height, MAX_BOTS, "are of automata", ("rule", "events"), reasons.rows()
    )  # fmt: skip


def repeats(audit: EventsAudit) -> Measure:
    """Events that repeat another within a second."""
    events = audit.tables.events_enriched
    found = events.filter("is_duplicate")
    types = found.group_by("source", "event_type").len().sort("len", descending=True)
    return _share(
        found.height, events.height, MAX_REPEATS, "repeat another", ("source", "type", "events"),
        types.head(SAMPLE_ROWS).rows(),
    )  # fmt: skip


def in_time(audit: EventsAudit) -> Measure:
    """Events that came days late, or before they happened."""
    events = audit.tables.events_enriched.filter(pl.col("lateness_s").is_not_null())
    odd = events.filter(
        (pl.col("lateness_s") > LATE.total_seconds()) | (pl.col("lateness_s") < -AHEAD.total_seconds())
    )
    return _share(
        odd.height, events.height, MAX_LATE, f"came more than {LATE.days} days late or before they happened",
        ("event", "seconds late"),
        odd.sort("lateness_s", descending=True).select("event_id", "lateness_s").head(SAMPLE_ROWS).rows(),
    )  # fmt: skip


def _share(
    count: int, of: int, most: float, what: str, columns: tuple[str, ...], sample: list[tuple[object, ...]]
) -> Measure:
    share = count / of if of else 0.0
    too_much = of >= MIN_EVENTS and share > most
    return Measure(
        count if too_much else 0,
        f"{count} of {of} events {what} ({share:.2%}; {most:.0%} are tolerated, from {MIN_EVENTS} events)",
        {"events": of, "found": count, "share": share, "max_share": most},
        columns,
        sample,
        Severity.WARN,
    )


def session_length(audit: EventsAudit) -> Measure:
    """Sessions of people that last for hours: pages that report by themselves."""
    people = audit.tables.session_funnel.filter(~pl.col("is_bot"))
    long = people.filter(pl.col("duration_s") > LONG_SESSION_S)
    share = long.height / people.height if people.height else 0.0
    return Measure(
        long.height if people.height >= MIN_SESSIONS and share > MAX_LONG else 0,
        f"{long.height} of {people.height} sessions last longer than four hours ({share:.2%}, {MAX_LONG:.0%} "
        "are tolerated)",
        {
            "sessions": people.height,
            "share": share,
            "median_s": float(people["duration_s"].median() or 0.0),  # type: ignore[arg-type]
            "bounces": float(people["bounce"].mean() or 0.0),  # type: ignore[arg-type]
        },
        ("session", "seconds", "events"),
        long.select("session_id", "duration_s", "events").head(SAMPLE_ROWS).rows(),
        Severity.WARN,
    )


def conversion_band(audit: EventsAudit) -> Measure:
    """Share of sessions with a purchase on the last whole day, against the median of the seven days before."""
    days = (
        audit.tables.session_funnel.filter(
            ~pl.col("is_bot"), ~pl.col("is_quarantined"), pl.col("started_on") <= audit.scope.as_of
        )
        .group_by("started_on")
        .agg(pl.len().alias("sessions"), pl.col("converted").mean().alias("rate"))
        .filter(pl.col("sessions") >= MIN_SESSIONS)
        .sort("started_on")
    )
    last, before = days.tail(1), days.head(-1).tail(BAND_DAYS)
    if not audit.is_full or before.height < BAND_DAYS or last["started_on"][0] != audit.scope.as_of:
        return Measure(0, f"needs a full run and {BAND_DAYS + 1} days with {MIN_SESSIONS} sessions each")
    usual, rate = float(before["rate"].median() or 0.0), float(last["rate"][0])  # type: ignore[arg-type]
    return Measure(
        int(not usual / BAND <= rate <= usual * BAND),
        f"{rate:.2%} of the sessions of {audit.scope.as_of} converted, {usual:.2%} in the week before",
        {"rate": rate, "usual": usual},
        ("day", "sessions", "rate"),
        last.rows(),
        Severity.WARN,
    )


def none_ahead(audit: EventsAudit) -> Measure:
    """Events that are set aside since their time lies ahead of the tenant's clock."""
    count, sample = audit.ahead
    return Measure(
        count,
        f"{count} events lie ahead of the tenant's clock ({audit.now:%Y-%m-%d %H:%M} UTC) and are set aside",
        {"ahead": count},
        ("event", "at"),
        sample,
        Severity.WARN,
    )


def fresh(audit: EventsAudit) -> Measure:
    """Age of the newest event, none of which lies ahead; asked of full runs."""
    newest = audit.tables.events_enriched["event_at"].max()
    if not audit.is_full or not isinstance(newest, datetime):
        return Measure(0, "asked of full runs with events")
    age = audit.now - newest
    return Measure(
        int(age > STALE),
        f"the newest event is {age.total_seconds() / 3600:.1f} hours old, {STALE.days * 24} are tolerated",
        {"age_h": age.total_seconds() / 3600},
        severity=Severity.WARN,
    )


_REBUILD = (
    "materialize the asset with `full: true`; if it fails again, the build is at fault: nothing was written"
)

CHECKS: tuple[tuple[str, Check[EventsAudit]], ...] = (
    ("events_enriched", Check(
        "contracts_kept", "Rows of all five tables that break a rule of their contract; none may.", _REBUILD,
        contracts_kept, blocking=True)),
    ("events_enriched", Check(
        "one_session_each", "Every tracked event is there once and in one session that is there.", _REBUILD,
        one_session_each, blocking=True)),
    ("events_enriched", Check(
        "known_types", "Events of unknown type, against 1 % of all.",
        "add the words in the sample to `cdp_assets/vocabulary/event_types.py`, or mend the page that sends them",
        known_types)),
    ("events_enriched", Check(
        "bots", "Events of automata, against 30 % of all.",
        "look at the visitors of the rule in the sample; block them at the source if they are none of ours", bots)),
    ("events_enriched", Check(
        "repeats", "Events that repeat another within a second, against 60 % of all.",
        "look for a page that sends each event twice, or a source that is landed twice", repeats)),
    ("events_enriched", Check(
        "in_time", "Events more than 3 days late or 5 minutes ahead, against 1 % of those whose source says when it "
        "received them.", "look for clients that were cut off, or whose clocks are wrong", in_time)),
    ("events_enriched", Check(
        "none_ahead", "Events later than the tenant's clock by more than 5 minutes: they are in no table until their "
        "time has come.", "mend the clock or the import that writes them; look at the tenant's option as_of",
        none_ahead)),
    ("events_enriched", Check(
        "fresh", "Age of the newest event, against two days.", "look at the last runs of this tenant's syncs", fresh)),
    ("events_enriched", Check(
        "purchases_match_orders", "Order numbers of purchase events against those of orders, both ways; 5 % may miss.",
        "compare with marts.mart_reconciliation: orders by telephone have no event", purchases_match_orders)),
    ("events_enriched", Check(
        "order_total_matches_lines", "Totals that LEO's events name against LEO's lines of the same order.",
        "LEO must say which is right; neither is changed: revenue of sessions follows the event, sales the lines",
        order_total_matches_lines)),
    ("session_funnel", Check(
        "counts_add_up", "Sums of the sessions' counts equal those of their events.", _REBUILD, counts_add_up,
        blocking=True)),
    ("session_funnel", Check(
        "session_length", "Sessions longer than four hours, against 5 % of all.",
        "look for a page that reports without its visitor, every few minutes", session_length)),
    ("session_funnel", Check(
        "conversion_band", "Share of sessions with a purchase, against half and twice the median of the week before.",
        "look whether purchase events arrive, and at campaigns of the day", conversion_band)),
    ("customer_behavior", Check(
        "behaviour_adds_up", "Events of all customers equal those of events_enriched that count.", _REBUILD,
        behaviour_adds_up, blocking=True)),
    ("funnel_member", Check(
        "members_are_counts", "Members by funnel, day and state equal funnel_daily.", _REBUILD, members_are_counts,
        blocking=True)),
    ("funnel_daily", Check(
        "funnels_shrink", "No step has more than the one before; completed, open and dropped sum to those who entered.",
        _REBUILD, funnels_shrink, blocking=True)),
)  # fmt: skip
"""Table and check, in the order of the tables."""
