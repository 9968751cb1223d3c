"""Prepared batches -> warehouse: one transaction each, holding rows, ledger, quarantine and watermark together.

Belongs here: what is written and in which order. Does not belong here: which documents are read (`sync`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from cdp_assets.landing.batch import Batch, Row, duplicate, refused
from cdp_assets.landing.contract import Contract
from cdp_assets.sources.model import fingerprint
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.bulk import BulkLoader, is_bad_value, tombstone
from cdp_assets.warehouse.connection import Connection, TenantSession
from cdp_assets.warehouse.ledger import Entry, Ledger
from cdp_assets.warehouse.tenants import require_resumed


@dataclass(slots=True)
class Written:
    """Counts of one load. Every document read is in exactly one of added, changed, unchanged, rejected."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    nulled: int = 0
    recovered: int = 0
    tombstoned: int = 0
    resolved: int = 0

    @property
    def rows(self) -> int:
        """Rows of the table that were written."""
        return self.added + self.changed + self.tombstoned + self.resolved


class Writer:
    """Writes batches of one collection of one tenant."""

    def __init__(self, session: TenantSession, contract: Contract, *, run_id: str | None) -> None:
        self.written = Written()
        self.strays: frozenset[str] = frozenset()
        """Fingerprints of documents in the source that do not go by a `_key`: without one, or with one used before."""
        self._session = session
        self._contract = contract
        self._run_id = run_id
        self._ledger = Ledger(session.tenant_id, contract.collection)
        self._loader = BulkLoader(session.connection, contract.target)
        with session.transaction() as conn:
            self._open = set(quarantine.open_keys(conn, session.tenant_id).get(contract.collection, ()))

    def write(self, batch: Batch, *, watermark: datetime | None = None, is_fresh: bool = False) -> None:
        """Write one batch and commit.

        Args:
            batch: what `landing.batch.prepare` made of a page.
            watermark: where the window stands once this batch is committed.
            is_fresh: nothing of this collection had been landed when this read began.
        """
        tenant, collection = self._session.tenant_id, self._contract.collection
        count = Written(read=batch.documents, unchanged=batch.repeated)
        with self._session.transaction() as conn:
            require_resumed(conn, tenant)
            known = self._ledger.lookup(
                conn, [row.key for row in batch.rows] + [reject.key for reject in batch.rejects]
            )
            rejects = list(batch.rejects)
            duplicates: set[str] = set()
            rows = []
            for row in batch.rows:
                entry = known.get(row.key)
                if entry is not None and self._is_duplicate(row, entry, is_fresh):
                    duplicates.add(row.key)
                    rejects.append(duplicate(row.key, row.raw))
                elif (
                    entry is not None and entry.content_hash == row.content_hash and row.key not in self._open
                ):
                    count.unchanged += 1
                else:
                    rows.append(row)
            landed: list[Row] = []
            written = 0
            for merged, differing, error in self._merge(conn, rows):
                if error is None:
                    landed.extend(merged)
                    written += differing
                else:
                    rejects = [reject for reject in rejects if reject.key != merged[0].key]
                    rejects.append(refused(merged[0], error))
            fresh_keys = {row.key for row in landed}
            # rows that the ledger had lost are new to it, but may be as they were in the table
            count.added = min(written, sum(1 for row in landed if row.key not in known))
            count.changed = written - count.added
            count.unchanged += len(landed) - written
            if landed and self._contract.resolve and not is_fresh:
                count.resolved += self._resolve(conn, list(fresh_keys))

            whole = {reject.key: reject for reject in rejects if not reject.landed}
            count.rejected, count.nulled = len(whole), len(rejects) - len(whole)
            self._ledger.record(
                conn,
                [
                    (row.key, row.rev, row.content_hash)
                    for row in batch.rows
                    if row.key not in whole
                    and row.key not in duplicates
                    and (
                        (entry := known.get(row.key)) is None or entry.rev != row.rev or row.key in fresh_keys
                    )
                ]
                + [(reject.key, reject.rev, None) for reject in whole.values()],
            )
            quarantine.store(conn, tenant, collection, rejects, run_id=self._run_id)
            mended = self._open & {row.key for row in batch.rows} - duplicates - {
                each.key for each in rejects
            }
            if mended:
                count.recovered = quarantine.resolve(conn, tenant, collection, sorted(mended), "landed")
            self._ledger.advance(conn, watermark)
        self._open = (self._open - mended) | {reject.key for reject in rejects}
        self._add(count)

    def bury(self, keys: Sequence[str]) -> None:
        """Tombstone rows whose documents are gone, forget their keys and close their quarantine entries."""
        tenant, collection = self._session.tenant_id, self._contract.collection
        with self._session.transaction() as conn:
            count = tombstone(conn, tenant, self._contract.target, keys)
            quarantine.resolve(conn, tenant, collection, keys, "vanished")
            self._ledger.forget(conn, keys)
        self._add(Written(tombstoned=count))

    def resolve(self, conn: Connection) -> None:
        """Derive the columns that depend on other tables, for the whole table."""
        if self._contract.resolve:
            self._add(Written(resolved=self._resolve(conn, None)))

    def _resolve(self, conn: Connection, keys: list[str] | None) -> int:
        assert self._contract.resolve is not None
        row = conn.execute(
            sql.SQL("select {}(%s, %s::text[])").format(sql.Identifier(*self._contract.resolve.split("."))),
            (self._session.tenant_id, keys),
        ).fetchone()
        return int(row[0]) if row else 0

    def _is_duplicate(self, row: Row, entry: Entry, is_fresh: bool) -> bool:
        """Whether another document with the row's key is the one that counts."""
        if (entry.rev, entry.content_hash) == (row.rev, row.content_hash):
            return False
        return is_fresh or (bool(self.strays) and fingerprint(row.raw) in self.strays)

    def _merge(self, conn: Connection, rows: list[Row]) -> Iterator[tuple[list[Row], int, str | None]]:
        """Merge rows; where PostgreSQL refuses a value, halve until the row that holds it stands alone.

        Yields:
            Rows, how many of them differed from the table and were written, why PostgreSQL refuses them.
        """
        if not rows:
            return
        try:
            with conn.transaction():
                written = self._loader.merge(conn, self._session.tenant_id, (row.values for row in rows))
        except psycopg.Error as error:
            if not is_bad_value(error):
                raise
            if len(rows) == 1:
                yield rows, 0, str(error).strip().splitlines()[0]
                return
            middle = len(rows) // 2
            yield from self._merge(conn, rows[:middle])
            yield from self._merge(conn, rows[middle:])
        else:
            yield rows, written, None

    def _add(self, count: Written) -> None:
        for name in Written.__dataclass_fields__:
            setattr(self.written, name, getattr(self.written, name) + getattr(count, name))
