"""`ops.quarantine`: documents that broke the contract, kept with their reason until they are mended.

Belongs here: storing, listing and closing entries. What breaks a contract is decided in `landing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cdp_assets.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class Reject:
    """A document that broke the contract.

    Attributes:
        key: `_key`, or `sha:<hash>` when the document has none that can be used.
        rev: `_rev` of the version that was read.
        reason: what is wrong and where, for a person.
        fields: attributes concerned.
        landed: the row is in its table with these fields null; else it was rejected whole.
        document: JSON text with secrets removed.
    """

    key: str
    rev: str
    reason: str
    fields: tuple[str, ...]
    landed: bool
    document: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An open entry of `ops.quarantine`."""

    collection: str
    key: str
    rev: str
    reason: str
    fields: list[str]
    landed: bool
    document: str | None
    first_seen_at: datetime
    last_seen_at: datetime


def store(
    connection: Connection, tenant_id: str, collection: str, rejects: Sequence[Reject], *, run_id: str | None
) -> None:
    """Add or renew entries; one per document, the newest version wins."""
    with connection.cursor() as cur:
        cur.executemany(
            "insert into ops.quarantine as q "
            "(tenant_id, collection, key, rev, reason, fields, landed, document, run_id) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (tenant_id, collection, key) do update "
            "set rev = excluded.rev, reason = excluded.reason, fields = excluded.fields, landed = excluded.landed, "
            "document = excluded.document, run_id = excluded.run_id, last_seen_at = now(), resolved_at = null, "
            "resolution = null, first_seen_at = case when q.resolved_at is null then q.first_seen_at else now() end "
            "where (q.rev, q.reason, q.landed, q.document, q.resolved_at) is distinct from "
            "(excluded.rev, excluded.reason, excluded.landed, excluded.document, null)",
            [
                (tenant_id, collection, r.key, r.rev, r.reason, list(r.fields), r.landed, r.document, run_id)
                for r in rejects
            ],
        )


def resolve(
    connection: Connection, tenant_id: str, collection: str, keys: Sequence[str], resolution: str
) -> int:
    """Close the entries of these keys; the document is cleared, and of the reason what names no value is left.

    Returns:
        Entries closed.
    """
    return connection.execute(
        "update ops.quarantine set resolved_at = now(), resolution = %s, document = null, "
        "reason = coalesce(nullif(array_to_string(fields, ', '), ''), 'the document') || ' at fault' "
        "where tenant_id = %s and collection = %s and key = any(%s) and resolved_at is null",
        (resolution, tenant_id, collection, list(keys)),
    ).rowcount


def open_entries(
    connection: Connection,
    tenant_id: str,
    *,
    collection: str | None = None,
    key: str | None = None,
    limit: int = 1000,
) -> list[Entry]:
    """Open entries, oldest first."""
    with connection.cursor(row_factory=class_row(Entry)) as cur:
        return cur.execute(
            "select collection, key, rev, reason, fields, landed, document, first_seen_at, last_seen_at "
            "from ops.quarantine where tenant_id = %s and resolved_at is null "
            "and (%s::text is null or collection = %s) and (%s::text is null or key = %s) "
            "order by first_seen_at, collection, key limit %s",
            (tenant_id, collection, collection, key, key, limit),
        ).fetchall()


def open_counts(connection: Connection, tenant_id: str, *, collection: str | None = None) -> tuple[int, int]:
    """Open entries in all: rejected whole, and landed with fields left null."""
    row = connection.execute(
        "select count(*) filter (where not landed), count(*) filter (where landed) from ops.quarantine "
        "where tenant_id = %s and resolved_at is null and (%s::text is null or collection = %s)",
        (tenant_id, collection, collection),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def open_keys(connection: Connection, tenant_id: str) -> dict[str, list[str]]:
    """Keys of all open entries by collection."""
    rows = connection.execute(
        "select collection, array_agg(key order by key) from ops.quarantine "
        "where tenant_id = %s and resolved_at is null group by collection order by collection",
        (tenant_id,),
    )
    return dict(rows.fetchall())
