"""Checks of audiences: members, what they are like and who is like them must agree with each other and with LEO.

Belongs here: what is measured and what it means. A measure reads in the transaction of the tenant and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

from cdp_assets.audience import snapshot
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity
from cdp_assets.warehouse.connection import Connection, without_loops

VERIFIED = 10
"""Snapshots whose members are counted again: the older ones were, when they were among the last."""

MAX_TURNOVER = 0.3
"""Share of members that come or go in one snapshot above which somebody should look: rules that were edited, or a sync
that was half done."""

MAX_UNKNOWN = 0.02
"""Share of members without features: persons who came after the last night's datasets."""
FEW = 2
"""So many members are no share: of a segment of two, one who came today is a half."""


@dataclass(frozen=True)
class Audience:
    """One segment of one tenant, inside a transaction of the tenant. `as_of`: the last day that counts."""

    connection: Connection
    tenant_id: str
    segment_id: str
    as_of: date = date.max

    def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """Run a query; %(tenant)s and %(segment)s are bound."""
        scope = {"tenant": self.tenant_id, "segment": self.segment_id}
        with without_loops(self.connection):
            return self.connection.execute(statement, scope).fetchall()


def members_match_leo(audience: Audience) -> Measure:
    """Profiles that LEO has in the segment and the newest snapshot has not, and the other way round."""
    found = audience.rows(
        "with leo as materialized (select profile_id from staging.stg_leo__segments where segment_id = %(segment)s), "
        "links as materialized (select source_id, customer_key from intermediate.int_customer_links "
        "where source = 'leo'), expected as (select distinct links.customer_key as customer_id "
        "from leo inner join links on leo.profile_id = links.source_id) "
        "select coalesce(e.customer_id, m.customer_id), case when m.customer_id is null then 'in LEO alone' "
        "else 'in the snapshot alone' end from expected as e full join audience.members(%(segment)s) as m "
        "on e.customer_id = m.customer_id where e.customer_id is null or m.customer_id is null order by 1"
    )
    return Measure(
        len(found),
        f"{len(found)} customers are in the segment on one side only",
        {"on_one_side": len(found)},
        ("customer_id", "where"),
        found[:SAMPLE_ROWS],
    )


def snapshots_unchanged(audience: Audience) -> Measure:
    """The last snapshots have the members whose hash was stored when they were taken."""
    found = snapshot.changed_since(audience.connection, audience.tenant_id, audience.segment_id, VERIFIED)
    return Measure(
        len(found),
        f"{len(found)} of the last {VERIFIED} snapshots are not what they were",
        {"changed": len(found)},
        ("snapshot",),
        [(number,) for number in found],
    )


def turnover(audience: Audience) -> Measure:
    """Members who came or went with the newest snapshot, against those of the one before."""
    newest = snapshot.latest(audience.connection, audience.tenant_id, audience.segment_id)
    if newest is None or newest.snapshot == 1:
        return Measure(0, "the first snapshot: nobody could come or go")
    before = newest.members - newest.added + newest.removed
    moved = newest.added + newest.removed
    share = moved / before if before else float(moved > 0)
    return Measure(
        moved if share > MAX_TURNOVER else 0,
        f"{newest.added} came and {newest.removed} went, of {before} members before ({share:.0%})",
        {"added": newest.added, "removed": newest.removed, "share": share, "max_share": MAX_TURNOVER},
        ("snapshot", "came", "went", "members before"),
        [(newest.snapshot, newest.added, newest.removed, before)] if share > MAX_TURNOVER else (),
        Severity.WARN,
    )


def members_have_features(audience: Audience) -> Measure:
    """Members of whom `datasets.customer_features` knows nothing."""
    ((members,),) = audience.rows("select count(*) from audience.members(%(segment)s)")
    found = audience.rows(
        "select m.customer_id from audience.members(%(segment)s) as m where not exists (select "
        "from datasets.customer_features as f where f.tenant_id = %(tenant)s and f.customer_id = m.customer_id) "
        "order by 1"
    )
    share = len(found) / members if members else 0.0
    is_usual = share <= MAX_UNKNOWN or len(found) <= FEW
    return Measure(
        0 if is_usual else len(found),
        f"{len(found)} of {members} members have no features",
        {"unknown": len(found), "share": share, "max_share": MAX_UNKNOWN},
        ("customer_id",),
        () if is_usual else found[:SAMPLE_ROWS],
        Severity.WARN,
    )


def counts_are_members(audience: Audience) -> Measure:
    """Steps whose entries are not those of the members in `datasets.funnel_member`."""
    found = audience.rows(
        "with members as materialized (select customer_id from audience.members(%(segment)s)), "
        "of_members as materialized (select f.funnel_id, f.reached, f.day, count(*) as entries "
        "from datasets.funnel_member as f inner join members on f.customer_id = members.customer_id "
        "where f.tenant_id = %(tenant)s group by f.funnel_id, f.reached, f.day) "
        "select s.funnel_id, s.step, s.entries, coalesce(sum(f.entries), 0)::bigint from audience.segment_funnel as s "
        "left join of_members as f on f.funnel_id = s.funnel_id "
        "and f.reached >= s.step and f.day between s.first_day and s.last_day "
        "where s.tenant_id = %(tenant)s and s.segment_id = %(segment)s "
        "group by s.funnel_id, s.step, s.entries having s.entries <> coalesce(sum(f.entries), 0) order by 1, 2"
    )
    return Measure(
        len(found),
        f"{len(found)} steps have another number of entries than the members have",
        {"steps": len(found)},
        ("funnel", "step", "entries", "of members"),
        found[:SAMPLE_ROWS],
    )


def nobody_twice_and_no_member(audience: Audience) -> Measure:
    """Lookalikes who are members already, or who take two places."""
    found = audience.rows(
        "select l.customer_id, case when m.customer_id is not null then 'is a member' else 'has two places' end "
        "from (select *, count(*) over (partition by customer_id) as places from audience.segment_lookalike "
        "where tenant_id = %(tenant)s and segment_id = %(segment)s) as l left join audience.members(%(segment)s) as m "
        "on l.customer_id = m.customer_id where m.customer_id is not null or l.places > 1 order by 1"
    )
    return Measure(
        len(found),
        f"{len(found)} lookalikes are members or have two places",
        {"wrong": len(found)},
        ("customer_id", "problem"),
        found[:SAMPLE_ROWS],
    )


MEMBER_CHECKS: tuple[Check[Audience], ...] = (
    Check(
        "members_match_leo",
        "Customers in LEO's segment against the newest snapshot, both ways.",
        "materialize the partition again: a sync came between; if it stays, look at intermediate.int_customer_links",
        members_match_leo,
        blocking=True,
    ),
    Check(
        "snapshots_unchanged",
        "The hash of the members of the last ten snapshots against what was stored.",
        "rows of audience.segment_member were changed by hand: restore them from a backup, snapshots are evidence",
        snapshots_unchanged,
        blocking=True,
    ),
    Check(
        "turnover",
        "Members who came or went against 30 % of those before.",
        "compare the segment's rules in LEO with the last definition; an unfinished sync shows in cdp.profile_segment",
        turnover,
    ),
)

FEATURE_CHECKS: tuple[Check[Audience], ...] = (
    Check(
        "members_have_features",
        "Members without a row in datasets.customer_features, against 2 % and two persons.",
        "materialize datasets.customer_features of {tenant}, then this",
        members_have_features,
    ),
)

FUNNEL_CHECKS: tuple[Check[Audience], ...] = (
    Check(
        "counts_are_members",
        "Entries per step against datasets.funnel_member of the members.",
        "materialize the partition again: dataset F was written in between",
        counts_are_members,
        blocking=True,
    ),
)

LOOKALIKE_CHECKS: tuple[Check[Audience], ...] = (
    Check(
        "nobody_twice_and_no_member",
        "Lookalikes against members, and against each other.",
        "materialize audience.segment_member of this partition, then this",
        nobody_twice_and_no_member,
        blocking=True,
    ),
)
