"""What has been read from a source: ledger of revisions, key sweep, watermark.

Belongs here: finding added, changed and vanished keys, and remembering how far a collection has come. All of it
commits in the transaction that writes the rows, so that the memory is never ahead of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cdp_assets.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of one document: its revision, and the hash of what landed (None: quarantined)."""

    rev: str
    content_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a collection has come. Times are UTC; see `ops.watermark`."""

    watermark: datetime | None = None
    window_at: datetime | None = None
    sweep_at: datetime | None = None
    contract_version: str | None = None
    signature_count: int | None = None
    signature_revision: str | None = None
    withheld_deletes: int = 0


class Ledger:
    """Ledger and watermark of one collection of one tenant."""

    def __init__(self, tenant_id: str, collection: str) -> None:
        self._scope = {"tenant": tenant_id, "collection": collection}

    def watermark(self, connection: Connection) -> Watermark:
        """The stored state; empty before the first load."""
        with connection.cursor(row_factory=class_row(Watermark)) as cur:
            return (
                cur.execute(
                    "select watermark, window_at, sweep_at, contract_version, signature_count, signature_revision, "
                    "withheld_deletes from ops.watermark where tenant_id = %(tenant)s and collection = %(collection)s",
                    self._scope,
                ).fetchone()
                or Watermark()
            )

    def begin(self, connection: Connection, contract_version: str | None) -> None:
        """Record by which contract rows are written from now on; None: by more than one, until the load ends."""
        connection.execute(
            "insert into ops.watermark as w (tenant_id, collection, contract_version) "
            "values (%(tenant)s, %(collection)s, %(version)s) on conflict (tenant_id, collection) do update "
            "set contract_version = excluded.contract_version, updated_at = now()",
            {**self._scope, "version": contract_version},
        )

    def advance(self, connection: Connection, instant: datetime | None) -> None:
        """Move the watermark forward to `instant`; it never moves back."""
        if instant is not None:
            connection.execute(
                "insert into ops.watermark as w (tenant_id, collection, watermark) "
                "values (%(tenant)s, %(collection)s, %(instant)s) on conflict (tenant_id, collection) do update "
                "set watermark = excluded.watermark, updated_at = now() "
                "where w.watermark is null or w.watermark < excluded.watermark",
                {**self._scope, "instant": instant},
            )

    def finish(
        self,
        connection: Connection,
        *,
        is_sweep: bool,
        contract_version: str,
        count: int,
        revision: str,
        withheld_deletes: int,
    ) -> None:
        """Record a completed load; a sweep also vouches for the change signature that was read before it began."""
        connection.execute(
            "insert into ops.watermark as w (tenant_id, collection, window_at, sweep_at, contract_version, "
            "signature_count, signature_revision, withheld_deletes) values (%(tenant)s, %(collection)s, "
            "case when not %(sweep)s then now() end, case when %(sweep)s then now() end, "
            "case when %(sweep)s then %(version)s end, case when %(sweep)s then %(count)s end, "
            "case when %(sweep)s then %(revision)s end, %(withheld)s) "
            "on conflict (tenant_id, collection) do update set "
            "window_at = coalesce(excluded.window_at, w.window_at), "
            "sweep_at = coalesce(excluded.sweep_at, w.sweep_at), "
            "contract_version = coalesce(excluded.contract_version, w.contract_version), "
            "signature_count = coalesce(excluded.signature_count, w.signature_count), "
            "signature_revision = coalesce(excluded.signature_revision, w.signature_revision), "
            "withheld_deletes = case when %(sweep)s then excluded.withheld_deletes else w.withheld_deletes end, "
            "updated_at = now()",
            {
                **self._scope,
                "sweep": is_sweep,
                "version": contract_version,
                "count": count,
                "revision": revision,
                "withheld": withheld_deletes,
            },
        )

    def size(self, connection: Connection) -> int:
        """Documents in the ledger."""
        row = connection.execute(
            "select count(*) from ops.ledger where tenant_id = %(tenant)s and collection = %(collection)s",
            self._scope,
        ).fetchone()
        return int(row[0]) if row else 0

    def lookup(self, connection: Connection, keys: Sequence[str]) -> dict[str, Entry]:
        """What is known of these keys."""
        rows = connection.execute(
            "select key, rev, content_hash from ops.ledger "
            "where tenant_id = %(tenant)s and collection = %(collection)s and key = any(%(keys)b)",
            {**self._scope, "keys": list(keys)},
        )
        return {key: Entry(rev, content_hash) for key, rev, content_hash in rows}

    def record(self, connection: Connection, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Store (key, rev, content hash) of documents whose rows are written in the same transaction."""
        if entries:
            keys, revs, hashes = zip(*entries, strict=True)
            connection.execute(
                "insert into ops.ledger as l (tenant_id, collection, key, rev, content_hash) "
                "select %(tenant)s, %(collection)s, * from unnest(%(keys)b::text[], %(revs)b::text[], "
                "%(hashes)b::bytea[]) on conflict (tenant_id, collection, key) "
                "do update set rev = excluded.rev, content_hash = excluded.content_hash "
                "where (l.rev, l.content_hash) is distinct from (excluded.rev, excluded.content_hash)",
                {**self._scope, "keys": list(keys), "revs": list(revs), "hashes": list(hashes)},
            )

    def forget(self, connection: Connection, keys: Sequence[str]) -> None:
        """Drop keys that the source no longer has."""
        connection.execute(
            "delete from ops.ledger where tenant_id = %(tenant)s and collection = %(collection)s "
            "and key = any(%(keys)s)",
            {**self._scope, "keys": list(keys)},
        )


class Sweep:
    """All `(_key, _rev)` of a source, compared with the ledger on the server.

    100,000 pairs cost 0.3 s and no WAL: they lie in a temporary table, and a hash join finds the difference.
    """

    def __init__(self, connection: Connection, tenant_id: str, collection: str) -> None:
        self._connection = connection
        self._scope = {"tenant": tenant_id, "collection": collection}
        self._staged = 0
        connection.execute("drop table if exists pg_temp.sweep_key, pg_temp.sweep_difference")
        connection.execute('create temporary table sweep_key (key text collate "C", rev text)')

    def add(self, page: Sequence[tuple[str, str]]) -> None:
        """Stage one page of pairs. Keys and revisions hold no tab, newline or backslash by ArangoDB's own rule."""
        with self._connection.cursor().copy("copy pg_temp.sweep_key (key, rev) from stdin") as copy:
            copy.write("\n".join(map("\t".join, page)) + "\n")
        self._staged += len(page)

    def strays(self) -> frozenset[str]:
        """Fingerprints by which documents go that no key of their own names; ArangoDB has none, a dump may."""
        rows = self._connection.execute("select key from pg_temp.sweep_key where key = rev")
        return frozenset(row[0] for row in rows)

    def compare(self, connection: Connection) -> tuple[int, int, int]:
        """Find the difference, inside a transaction of the tenant.

        Returns:
            Keys in the source, keys added or changed, keys vanished.
        """
        # Row level security makes the planner expect one ledger row; its nested loop would compare each with each.
        connection.execute("set local enable_nestloop = off")
        connection.execute(
            "set local enable_mergejoin = off"
        )  # it would sort both sides: twice the time of a hash
        connection.execute(
            "create temporary table sweep_difference as "
            "select distinct on (coalesce(s.key, l.key)) coalesce(s.key, l.key) as key, s.key is null as is_vanished "
            "from pg_temp.sweep_key as s full join ("
            "select key, rev from ops.ledger where tenant_id = %(tenant)s and collection = %(collection)s"
            ") as l on l.key = s.key where l.rev is distinct from s.rev",
            self._scope,
        )
        row = connection.execute(
            "select count(*) filter (where not is_vanished), count(*) filter (where is_vanished) "
            "from pg_temp.sweep_difference"
        ).fetchone()
        assert row is not None
        return self._staged, row[0], row[1]

    def changed(self, size: int = 10_000) -> Iterator[list[str]]:
        """Keys that were added or changed."""
        return self._read(False, size)

    def vanished(self, size: int = 10_000) -> Iterator[list[str]]:
        """Keys of the ledger that the source no longer has."""
        return self._read(True, size)

    def _read(self, is_vanished: bool, size: int) -> Iterator[list[str]]:
        last = ""
        while True:
            rows = self._connection.execute(
                "select key from pg_temp.sweep_difference where is_vanished = %s and key > %s order by key limit %s",
                (is_vanished, last, size),
            )
            batch = [row[0] for row in rows]
            if batch:
                yield batch
                last = batch[-1]
            if len(batch) < size:
                return
