"""Measures that every landed collection of LEO shares: keys, row count, leakage, quarantine, deletes, freshness.

Belongs here: what is true of a collection's table whatever it holds. What a load of either source leaves to be
measured is in `landing.loads`. Rows that were tombstoned have left the source and the ledger; only keys are checked
over all rows.
"""

from __future__ import annotations

from psycopg import sql

from cdp_assets.checks.subject import Subject
from cdp_assets.landing.loads import Landed, age_of_loads, landed, rejected_share, withheld_deletes
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity, sampled


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


def _landed(subject: Subject) -> Landed:
    table = subject.table
    return landed(
        subject.connection,
        subject.tenant_id,
        table.collection,
        sql.Identifier("cdp", table.name),
        table.keys[0],
        "deleted_at",
    )


def row_count(subject: Subject) -> Measure:
    """Live rows and documents rejected whole against the source's count; a key that is both counts once."""
    found = _landed(subject)
    documents = subject.facts().after.count
    difference = found.documents - documents
    is_settled, is_swept = subject.is_settled(), subject.watermark().sweep_at is not None
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
    since = "; the source has changed since the last full sweep" if is_swept else "; it was never swept"
    return Measure(
        abs(difference) or int(not is_swept),
        f"{found.live} rows and {found.rejected} rejected documents against {documents} documents in the source"
        + (f": {abs(difference)} {side} than there should be" if difference else "")
        + ("" if is_settled else since),
        {
            "rows": found.live,
            "rejected": found.rejected,
            "source_documents": documents,
            "difference": difference,
        },
        ("key", "problem"),
        [("-", f"{abs(difference)} {side} than in the source"), *lost] if difference else (),
        Severity.ERROR if is_settled or not is_swept else Severity.WARN,
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
    return rejected_share(
        subject.connection,
        {"tenant": subject.tenant_id, "collection": subject.table.collection},
        _landed(subject),
        subject.quarantine_share,
    )


def mass_delete_guard(subject: Subject) -> Measure:
    """Vanished documents that the last sweep did not tombstone."""
    return withheld_deletes(subject.watermark(), subject.table.collection, _landed(subject).live)


def freshness(subject: Subject) -> Measure:
    """Age of the last full sweep, and of the last load of any kind."""
    return age_of_loads(subject.watermark())
