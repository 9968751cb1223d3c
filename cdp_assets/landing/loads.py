"""Measures of a load whichever source it reads: what it rejected and withheld, how old it is.

Belongs here: what LEO's collections and the shop's tables share. A relation is given with the column of its keys and
the one that is set once a row has left the source. What is true of one of them alone is in `checks` and `shop.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.ledger import Watermark

MAX_SWEEP_AGE_H = 26.0
"""The full sweep runs nightly: 26 hours mean that one was missed, with an allowance for a long one."""

MAX_LOAD_AGE_H = 2.0
"""The incremental sync runs every 15 minutes: two hours mean that several were missed."""

REASONS = (
    "expected text", "expected a whole number", "expected a number", "expected true or false", "expected ISO-8601",
    "expected a list of references", "expected a list", "expected an object", "expected 1 to 254 characters",
    "characters, at most", "is missing", "is outside", "unknown code", "is not an ISO-8601 time", "has no time zone",
    "is not an amount below", "is not a decimal number", "is not a three-letter currency code",
    "not an e-mail address", "not a phone number", "not a possible phone number", "a reference without an id",
    "lies in the future", "breaks the rule", "occurs twice in the source", "PostgreSQL refuses it", "not valid JSON",
    "nested too deeply", "NUL character", "MiB are kept", "merged profile names its winner",
    "another row has it, too", "not a finite number", "not a time between", "updated_at: missing", "id: missing",
)  # fmt: skip
"""What reasons say, without the values that they quote: only these words leave the quarantine."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of a source's documents (or rows).

    Attributes:
        live: rows that the source still has.
        rejected: documents that did not land as they are now.
        both: of these, those of which an earlier version is a live row.
    """

    live: int
    rejected: int
    both: int

    @property
    def documents(self) -> int:
        """Documents of the source that are accounted for: each as a row, a reject, or both."""
        return self.live + self.rejected - self.both


def landed(
    connection: Connection,
    tenant_id: str,
    collection: str,
    relation: sql.Composable,
    key: str,
    tombstone: str,
) -> Landed:
    """Count the rows and rejects of one collection, in a transaction of the tenant."""
    row = connection.execute(
        sql.SQL(
            "with rejected as (select key from ops.quarantine where tenant_id = %(tenant)s "
            "and collection = %(collection)s and resolved_at is null and not landed), "
            'live as (select {key}::text collate "C" as key from {relation} '
            "where tenant_id = %(tenant)s and {tombstone} is null) "
            "select (select count(*) from live), (select count(*) from rejected), "
            "(select count(*) from live inner join rejected using (key))"
        ).format(key=sql.Identifier(key), relation=relation, tombstone=sql.Identifier(tombstone)),
        {"tenant": tenant_id, "collection": collection},
    ).fetchone()
    assert row is not None
    return Landed(*row)


def rejected_share(
    connection: Connection, scope: Mapping[str, str], found: Landed, max_share: float
) -> Measure:
    """So many of all documents (or rows) that the source has did not land; the sample tells for which reasons.

    `scope` names tenant and collection.
    """
    rejected, documents = found.rejected, found.documents
    share = rejected / documents if documents else 0.0
    reasons = connection.execute(
        "select array_to_string(q.fields, ', '), coalesce(p.phrase, 'another reason'), count(*), min(q.key) "
        "from ops.quarantine as q left join lateral (select phrase from unnest(%(phrases)s::text[]) "
        "with ordinality as p (phrase, place) where strpos(q.reason, phrase) > 0 order by place limit 1) as p on true "
        "where q.tenant_id = %(tenant)s and q.collection = %(collection)s and q.resolved_at is null "
        "and not q.landed group by 1, 2 order by 3 desc, 1, 2 limit %(limit)s",
        {**scope, "phrases": list(REASONS), "limit": SAMPLE_ROWS},
    ).fetchall()
    return Measure(
        rejected,
        f"{rejected} of {documents} documents are rejected whole ({share:.1%}, {max_share:.1%} are tolerated)",
        {"rejected": rejected, "documents": documents, "share": share, "max_share": max_share},
        ("attributes", "reason", "documents", "one of them"),
        reasons,
        Severity.ERROR if share > max_share else Severity.WARN,
    )


def withheld_deletes(mark: Watermark, collection: str, rows: int) -> Measure:
    """What the delete guard kept, of so many live rows."""
    withheld = mark.withheld_deletes
    return Measure(
        withheld,
        f"{withheld} of {rows} rows have no document in the source any more and were kept",
        {"withheld_deletes": withheld, "rows": rows},
        ("collection", "rows", "vanished from the source", "share"),
        [(collection, rows, withheld, f"{withheld / rows:.0%}" if rows else "-")] if withheld else (),
    )


def age_of_loads(mark: Watermark) -> Measure:
    """A sweep that is too old, or missing, is an error; a load that is too old a warning."""
    now = datetime.now(UTC)
    loads = [time for time in (mark.sweep_at, mark.window_at) if time is not None]
    found = [
        ("full sweep", mark.sweep_at, MAX_SWEEP_AGE_H, Severity.ERROR),
        ("load", max(loads, default=None), MAX_LOAD_AGE_H, Severity.WARN),
    ]
    numbers: dict[str, float] = {
        "max_hours_since_sweep": MAX_SWEEP_AGE_H,
        "max_hours_since_load": MAX_LOAD_AGE_H,
    }
    late = []
    for what, time, limit, severity in found:
        hours = None if time is None else (now - time).total_seconds() / 3600
        if hours is not None:
            numbers[f"hours_since_{what.rpartition(' ')[2]}"] = round(hours, 3)
        if hours is None or hours > limit:
            late.append((what, "never" if hours is None else f"{hours:.1f} h ago", f"{limit:g} h", severity))
    return Measure(
        len(late),
        "; ".join(f"last {what}: {when}" for what, when, _, _ in late) or "loaded in time",
        numbers,
        ("last", "was", "at most"),
        [row[:3] for row in late],
        Severity.ERROR if any(row[3] is Severity.ERROR for row in late) else Severity.WARN,
    )
