"""Measures of the tables that follow from landed rows: membership, consent, customer metrics.

Belongs here: each derived table against the rows that it must agree with, computed another way than it was made.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cdp_assets.checks.subject import Subject
from cdp_assets.landing.loads import MAX_LOAD_AGE_H, MAX_SWEEP_AGE_H
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity, sampled
from cdp_assets.sources.model import PROFILE
from cdp_assets.vocabulary.order_statuses import STATUSES

SIZE_TOLERANCE = 0.05
SIZE_TOLERANCE_ROWS = 2
"""LEO counts its segments hourly: members that came or left since are no fault, up to 5 % or 2, the larger."""

CHANNELS = 5


def derived_leakage(subject: Subject) -> Measure:
    """Rows in the tenant's scope that are another tenant's, or of a profile that the tenant never had."""
    rows = subject.rows(
        "select count(*) over (), case when r.tenant_id = %(tenant)s then r.cdp_profile_id else '-' end, "
        "case when r.tenant_id <> %(tenant)s then 'belongs to tenant ' || r.tenant_id "
        "else 'no such profile was landed for this tenant' end "
        "from {table} as r left join cdp.customer_profile as p "
        "on p.tenant_id = %(tenant)s and p.cdp_profile_id = r.cdp_profile_id "
        "where r.tenant_id <> %(tenant)s or p.cdp_profile_id is null order by 2, 3 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    (visible,) = subject.row("select count(*) from {table}")
    says = f"{failing} of {visible} visible rows are not this tenant's own"
    return Measure(failing, says, {"visible_rows": visible}, ("profile", "problem"), sample)


def members_match_profiles(subject: Subject) -> Measure:
    """Open stays against the segments that active profiles name."""
    rows = subject.rows(
        "with member as (select distinct p.cdp_profile_id, s.segment_id from cdp.customer_profile as p "
        "cross join lateral unnest(p.segment_ids) as s (segment_id) "
        "where p.tenant_id = %(tenant)s and p.deleted_at is null and p.status = 'active'), "
        "stay as (select cdp_profile_id, segment_id, count(*) as stays from {table} "
        "where tenant_id = %(tenant)s and left_at is null group by 1, 2) "
        "select count(*) over (), cdp_profile_id, segment_id, case when s.stays is null then 'member without an open "
        "stay' when s.stays > 1 then 'two open stays' else 'open stay, but no member' end "
        "from member as m full join stay as s using (cdp_profile_id, segment_id) "
        "where m.cdp_profile_id is null or s.stays is distinct from 1 order by 2, 3 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    (open_stays,) = subject.row(
        "select count(*) from {table} where tenant_id = %(tenant)s and left_at is null"
    )
    return Measure(
        failing,
        f"{failing} stays differ from the profiles' segments; {open_stays} are open",
        {"open_stays": open_stays},
        ("profile", "segment", "problem"),
        sample,
    )


def reported_size(subject: Subject) -> Measure:
    """Members of each segment in use against LEO's own count of them."""
    rows = subject.rows(
        "with size as (select segment_id, count(*) as members from {table} "
        "where tenant_id = %(tenant)s and left_at is null group by 1) "
        "select s.segment_id, s.reported_size, coalesce(m.members, 0) from cdp.segment as s "
        "left join size as m on m.segment_id = s.segment_id "
        "where s.tenant_id = %(tenant)s and s.deleted_at is null and s.status in ('active', 'activated') "
        "and s.reported_size is not null order by abs(s.reported_size - coalesce(m.members, 0)) desc, 1"
    )
    (rejected,) = subject.row(
        "select count(*) from ops.quarantine where tenant_id = %(tenant)s and collection = %(profiles)s "
        "and resolved_at is null and not landed",
        profiles=PROFILE,
    )
    off = [
        (name, reported, members) for name, reported, members in rows if _is_off(reported, members, rejected)
    ]
    return Measure(
        len(off),
        f"{len(off)} of {len(rows)} segments in use differ from LEO's own count by more than {SIZE_TOLERANCE:.0%}"
        + (f" and the {rejected} rejected profiles" if rejected else ""),
        {
            "segments": len(rows),
            "segments_different_at_all": sum(1 for row in rows if row[1] != row[2]),
            "members_difference": sum(abs(row[1] - row[2]) for row in rows),
            "profiles_rejected": rejected,
            "tolerance": SIZE_TOLERANCE,
        },
        ("segment", "LEO counts", "members here"),
        off[:SAMPLE_ROWS],
        Severity.WARN,
    )


def _is_off(reported: int, members: int, rejected: int) -> bool:
    allowed = max(SIZE_TOLERANCE_ROWS, SIZE_TOLERANCE * max(reported, members))
    # LEO counts profiles that were rejected here, so it may count more by as many.
    return not -allowed <= reported - members <= allowed + rejected


def consent_covers_profiles(subject: Subject) -> Measure:
    """Five rows for each active profile, none for any other."""
    return _one_per_active(subject, CHANNELS)


def one_row_per_profile(subject: Subject) -> Measure:
    """One row for each active profile, none for any other."""
    return _one_per_active(subject, 1)


def _one_per_active(subject: Subject, wanted: int) -> Measure:
    rows = subject.rows(
        "with active as (select cdp_profile_id from cdp.customer_profile "
        "where tenant_id = %(tenant)s and deleted_at is null and status = 'active'), "
        "here as (select cdp_profile_id, count(*) as found from {table} where tenant_id = %(tenant)s group by 1) "
        "select count(*) over (), cdp_profile_id, coalesce(h.found, 0), "
        "case when a.cdp_profile_id is null then 'not an active profile' else 'active' end "
        "from active as a full join here as h using (cdp_profile_id) "
        "where a.cdp_profile_id is null or h.found is distinct from %(wanted)s order by 2 limit %(limit)s",
        wanted=wanted,
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    active, found = subject.row(
        "select (select count(*) from cdp.customer_profile where tenant_id = %(tenant)s and deleted_at is null "
        "and status = 'active'), (select count(*) from {table} where tenant_id = %(tenant)s)"
    )
    return Measure(
        failing,
        f"{failing} profiles have not the rows they should; {found} rows for {active} active profiles",
        {"active_profiles": active, "rows": found, "rows_per_profile": wanted},
        ("profile", "rows", "is"),
        sample,
    )


def denials_hold(subject: Subject) -> Measure:
    """Channels that are allowed although the profile, or one merged into it, refuses."""
    rows = subject.rows(
        # From each refusal along the merges, removed profiles included: a refusal does not lapse with its record.
        "with recursive refusal as (select p.cdp_profile_id as reached, p.merged_into as next, c.channel, "
        "p.cdp_profile_id as refused_by from cdp.customer_profile as p cross join lateral (values "
        "('email', p.receive_email), ('sms', p.receive_sms), ('web_push', p.receive_web_push), "
        "('app_push', p.receive_app_push), ('ads', p.receive_ads)) as c (channel, value) "
        "where p.tenant_id = %(tenant)s and c.value < 0 union "
        "select w.cdp_profile_id, w.merged_into, r.channel, r.refused_by from refusal as r "
        "inner join cdp.customer_profile as w on w.tenant_id = %(tenant)s and w.cdp_profile_id = r.next) "
        "select count(*) over (), c.cdp_profile_id, c.channel, min(r.refused_by) from {table} as c "
        "inner join refusal as r on r.reached = c.cdp_profile_id and r.channel = c.channel "
        "where c.tenant_id = %(tenant)s and c.is_allowed group by c.cdp_profile_id, c.channel "
        "order by 2, 3 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    allowed, denied = subject.row(
        "select count(*) filter (where is_allowed), count(*) filter (where decision = 'denied') from {table} "
        "where tenant_id = %(tenant)s"
    )
    return Measure(
        failing,
        f"{failing} channels are allowed in spite of a refusal; {allowed} are allowed, {denied} denied",
        {"allowed": allowed, "denied": denied},
        ("profile", "channel", "refused by"),
        sample,
    )


def money_matches_transactions(subject: Subject) -> Measure:
    """Orders per profile against distinct orders that count as sales, as of the time for which metrics were made."""
    (as_of,) = subject.row(
        "select coalesce((select coalesce(as_of, finished_at) from ops.etl_runs where tenant_id = %(tenant)s "
        "and dataset = 'cdp.customer_metrics' and status = 'success' order by finished_at desc limit 1), now())"
    )
    rows = subject.rows(
        "with bought as (select distinct cdp_profile_id, coalesce(transaction_id, txn_id) as order_id, currency "
        "from cdp.transactional_context where tenant_id = %(tenant)s and deleted_at is null "
        "and txn_status = any(%(sold)s) and (txn_timestamp is null or txn_timestamp <= %(as_of)s)), "
        "counted as (select cdp_profile_id, count(*) as orders from bought group by 1) "
        "select count(*) over (), m.cdp_profile_id, m.orders, coalesce(c.orders, 0) from {table} as m "
        "left join counted as c on c.cdp_profile_id = m.cdp_profile_id "
        "where m.tenant_id = %(tenant)s and m.orders <> coalesce(c.orders, 0) order by 2 limit %(limit)s",
        as_of=as_of,
        sold=[status.name for status in STATUSES if status.is_revenue],
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    profiles, orders, unconverted = subject.row(
        "select count(*), coalesce(sum(orders), 0), coalesce(sum(orders_without_rate), 0) from {table} "
        "where tenant_id = %(tenant)s"
    )
    return Measure(
        failing,
        f"{failing} of {profiles} profiles have another number of orders than their transactions "
        f"as of {as_of:%Y-%m-%d %H:%M}",
        {"profiles": profiles, "orders": int(orders), "orders_without_rate": int(unconverted)},
        ("profile", "orders in metrics", "orders in transactions"),
        sample,
    )


def metrics_freshness(subject: Subject) -> Measure:
    """Age of the last successful computation: recency and 90-day sums move with the calendar."""
    (finished,) = subject.row(
        "select max(finished_at) from ops.etl_runs where tenant_id = %(tenant)s "
        "and dataset = 'cdp.customer_metrics' and status = 'success'"
    )
    hours = None if finished is None else (datetime.now(UTC) - finished).total_seconds() / 3600
    is_late = hours is None or hours > MAX_LOAD_AGE_H
    when = "never" if hours is None else f"{hours:.1f} h ago"
    return Measure(
        int(is_late),
        f"last computed {when}",
        {"max_hours_since_run": MAX_SWEEP_AGE_H}
        | ({} if hours is None else {"hours_since_run": round(hours, 3)}),
        ("last computed", "warns after", "fails after"),
        [(when, f"{MAX_LOAD_AGE_H:g} h", f"{MAX_SWEEP_AGE_H:g} h")] if is_late else (),
        Severity.ERROR if hours is None or hours > MAX_SWEEP_AGE_H else Severity.WARN,
    )
