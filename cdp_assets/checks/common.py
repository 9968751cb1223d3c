"""Measures that every landed table shares: keys, row count, leakage, quarantine, deletes, freshness.

Belongs here: what is true of a collection's table whatever it holds; those that take no `Subject` serve the shop's
tables as well (`raw_tables`). Rows that were tombstoned have left the source
and the ledger; only keys are checked over all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from psycopg import sql

from cdp_assets.checks.subject import Subject
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity, sampled
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


def keys_unique_and_present(subject: Subject) -> Measure:
    """Keys that are blank or occur more than once; the primary key forbids both, unless someone dropped it."""
    keys = [sql.Identifier(key) for key in subject.table.keys]
    blank = sql.SQL(" or ").join(sql.SQL("coalesce({}::text, '') = ''").format(key) for key in keys)
    rows = subject.connection.execute(
        sql.SQL(
            "select count(*) over (), concat_ws(' / ', {keys}), count(*), {blank} from {table} "
            "where tenant_id = %(tenant)s group by {keys} having count(*) > 1 or {blank} order by 2 limit %(limit)s"
        ).format(keys=sql.SQL(", ").join(keys), blank=blank, table=sql.Identifier("cdp", subject.table.name)),
        {"tenant": subject.tenant_id, "limit": SAMPLE_ROWS},
    ).fetchall()
    failing, sample = sampled(rows)
    return Measure(
        failing,
        f"{failing} keys are blank or occur more than once",
        columns=("key", "rows", "problem"),
        sample=[(key, count, "blank" if is_blank else "occurs twice") for key, count, is_blank in sample],
    )


def row_count(subject: Subject) -> Measure:
    """Live rows and documents rejected whole against the source's count; a key that is both counts once."""
    facts = subject.facts()
    live, rejected, both = subject.row(
        "with rejected as (select key from ops.quarantine where tenant_id = %(tenant)s "
        "and collection = %(collection)s and resolved_at is null and not landed) "
        "select (select count(*) from {table} where tenant_id = %(tenant)s and deleted_at is null), "
        "(select count(*) from rejected), (select count(*) from {table} as t inner join rejected as r "
        "on r.key = t.{key} where t.tenant_id = %(tenant)s and t.deleted_at is null)"
    )
    documents = facts.after.count
    difference = live + rejected - both - documents
    is_settled = subject.is_settled()
    lost: list[tuple[object, ...]] = []
    if difference:
        lost = subject.rows(
            "select l.key, 'read from the source, but its row is gone' from ops.ledger as l "
            "where l.tenant_id = %(tenant)s and l.collection = %(collection)s and l.content_hash is not null "
            "and not exists (select from {table} as t where t.tenant_id = %(tenant)s and t.{key} = l.key "
            "and t.deleted_at is null) order by 1 limit %(limit)s",
            limit=SAMPLE_ROWS - 1,
        )
    side = "more" if difference > 0 else "fewer"
    return Measure(
        abs(difference),
        f"{live} rows and {rejected} rejected documents against {documents} documents in the source"
        + (f": {abs(difference)} {side} than there should be" if difference else "")
        + ("" if is_settled else "; the source has changed since the last full sweep"),
        {"rows": live, "rejected": rejected, "source_documents": documents, "difference": difference},
        ("key", "problem"),
        [("-", f"{abs(difference)} {side} than in the source"), *lost] if difference else (),
        Severity.ERROR if is_settled else Severity.WARN,
    )


def tenant_leakage(subject: Subject) -> Measure:
    """Rows in the tenant's scope that are another tenant's, or that the tenant's landing did not write."""
    rows = subject.rows(
        "select count(*) over (), case when r.tenant_id = %(tenant)s then r.{key} else '-' end, "
        "case when r.tenant_id <> %(tenant)s then 'belongs to tenant ' || r.tenant_id "
        "when l.key is null then 'no document with this key was read for this tenant' "
        "else 'not what was landed for this key' end "
        "from {table} as r left join ops.ledger as l "
        "on l.tenant_id = %(tenant)s and l.collection = %(collection)s and l.key = r.{key} "
        "where r.tenant_id <> %(tenant)s "
        "or (r.deleted_at is null and (l.key is null or l.content_hash <> r.content_hash)) "
        "order by 2, 3 limit %(limit)s",
        limit=SAMPLE_ROWS,
    )
    failing, sample = sampled(rows)
    visible, documents = subject.row(
        "select (select count(*) from {table}), (select count(*) from ops.ledger where tenant_id = %(tenant)s "
        "and collection = %(collection)s and content_hash is not null)"
    )
    return Measure(
        failing,
        f"{failing} of {visible} visible rows are not this tenant's own",
        {"visible_rows": visible, "ledger_documents": documents},
        ("key", "problem"),
        sample,
    )


def quarantine_share(subject: Subject) -> Measure:
    """Documents rejected whole as a share of all documents."""
    rejected, documents = subject.row(
        "with rejected as (select key from ops.quarantine where tenant_id = %(tenant)s "
        "and collection = %(collection)s and resolved_at is null and not landed) "
        "select (select count(*) from rejected), (select count(*) from rejected) + (select count(*) from {table} as t "
        "where t.tenant_id = %(tenant)s and t.deleted_at is null "
        "and not exists (select from rejected as r where r.key = t.{key}))"
    )
    return rejected_share(
        subject.connection,
        {"tenant": subject.tenant_id, "collection": subject.table.collection},
        rejected,
        documents,
        subject.quarantine_share,
    )


def rejected_share(
    connection: Connection, scope: Mapping[str, str], rejected: int, documents: int, max_share: float
) -> Measure:
    """So many of all documents (or rows) that the source has did not land; the sample tells for which reasons.

    `scope` names tenant and collection.
    """
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


def mass_delete_guard(subject: Subject) -> Measure:
    """Vanished documents that the last sweep did not tombstone."""
    (rows,) = subject.row("select count(*) from {table} where tenant_id = %(tenant)s and deleted_at is null")
    return withheld_deletes(subject.watermark(), subject.table.collection, rows)


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


def freshness(subject: Subject) -> Measure:
    """Age of the last full sweep, and of the last load of any kind."""
    return age_of_loads(subject.watermark())


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
