"""Bring one collection of one tenant in step with its source.

Belongs here: what is read (sweep, window, one segment), in which order, and what is remembered. Two ways to find
changes, one path to write them:

* the *sweep* compares every `(_key, _rev)` with the ledger: it finds all that was added, changed or removed;
* the *window* reads documents by their time since the watermark: cheap, but blind to deletes, to silent updates
  (segment membership, status, merges) and to documents that arrive with an old time.

Progress is committed batch by batch; a run that is killed is continued by the next one, whatever its mode.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Literal

from cdp_assets.landing.batch import Batch, prepare, regroup
from cdp_assets.landing.contract import Contract
from cdp_assets.landing.delete_guard import may_delete
from cdp_assets.landing.writer import Writer, Written
from cdp_assets.sources.model import FINGERPRINT, PROFILE, CursorLost, Page, Signature, Source
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Connection, TenantSession
from cdp_assets.warehouse.ledger import Ledger, Sweep, Watermark
from cdp_assets.warehouse.options import TenantOptions

Mode = Literal["sweep", "window"]

RESCAN_SHARE = 0.3
"""From this share of changed keys on, reading the whole collection is cheaper than asking for keys."""

RESTARTS = 2
"""How often a read starts again after the server has lost its cursor."""

PROGRESS_EVERY = 50_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How far a sync may go.

    Attributes:
        overlap: how far a window reaches back behind the watermark.
        max_delete_share: share of the ledger above which vanished keys are withheld.
        allow_mass_delete: tombstone whatever the share (a person has checked that the deletes are meant).
    """

    overlap: timedelta = timedelta(minutes=15)
    max_delete_share: float = 0.2
    allow_mass_delete: bool = False


@dataclass(slots=True)
class SyncResult:
    """What a sync did.

    Attributes:
        mode: sweep, window, or segment.
        source_documents: documents in the source, where the mode learns it.
        withheld: vanished keys that the delete guard did not tombstone.
        note: why nothing was processed, or why more was than asked.
        seconds: wall time.
    """

    collection: str
    mode: str
    written: Written = field(default_factory=Written)
    source_documents: int | None = None
    withheld: int = 0
    note: str = ""
    seconds: float = 0.0


class CollectionSync:
    """One sync of one collection; holds the collection's lock until the session closes.

    Raises (from every method that reads):
        Busy: another run is loading the collection.
        SourceError: the source cannot be read; what was committed stays.
    """

    def __init__(
        self,
        session: TenantSession,
        source: Source,
        contract: Contract,
        *,
        tenant_options: TenantOptions | None = None,
        options: SyncOptions | None = None,
        run_id: str | None = None,
        progress: Callable[[str], None] = log.info,
    ) -> None:
        self._session = session
        self._source = source
        self._contract = contract
        self._tenant_options = tenant_options or TenantOptions()
        self._version = contract.version_for(self._tenant_options)
        self._options = options or SyncOptions()
        self._progress = progress
        self._ledger = Ledger(session.tenant_id, contract.collection)
        locks.take(session.connection, session.tenant_id, contract.collection)
        self._writer = Writer(session, contract, run_id=run_id)

    def run(self, mode: Mode) -> SyncResult:
        """Sweep, or read the window; a collection that was never swept by this contract and these options is swept."""
        began = perf_counter()
        with self._session.transaction() as conn:
            state = self._ledger.watermark(conn)
        if mode == "window" and (state.sweep_at is None or state.contract_version != self._version):
            result = self._sweep(state)
            reason = (
                "first load" if state.sweep_at is None else "the contract or the tenant's options changed"
            )
            result.note = f"swept: {reason}"
        elif mode == "window":
            result = self._window(state)
        else:
            result = self._sweep(state)
        result.written = self._writer.written
        result.seconds = perf_counter() - began
        return result

    def run_segment(self, segment_id: str) -> SyncResult:
        """Load the members of one segment (of profiles), or their edges (of conversions).

        Members that the warehouse still has and the source no longer lists are read again by key. Nothing is
        tombstoned and no watermark moves: that is for sweep and window.
        """
        began = perf_counter()
        result = SyncResult(self._contract.collection, "segment", self._writer.written)
        if not segment_id.strip():
            result.note = "segment_id is blank: nothing was processed"
            return result
        self._writer.strays = self._source.strays(self._contract.collection)
        if self._contract.collection == PROFILE:
            listed: set[str] = set()
            for batch in self._prepared(self._source.segment_members(segment_id)):
                listed.update(row.key for row in batch.rows)
                self._write(batch)
            departed = sorted(self._members(segment_id) - listed)
            for batch in self._prepared(self._source.fetch(self._contract.collection, departed)):
                self._write(batch)
        else:
            for batch in self._prepared(self._source.conversions_of(sorted(self._members(segment_id)))):
                self._write(batch)
        self._derive()
        result.seconds = perf_counter() - began
        return result

    def run_keys(self, keys: list[str]) -> SyncResult:
        """Read these documents again, whatever the ledger says (replay of the quarantine)."""
        began = perf_counter()
        result = SyncResult(self._contract.collection, "keys", self._writer.written)
        self._writer.strays = frozenset(key for key in keys if key.startswith(FINGERPRINT))
        for batch in self._prepared(self._source.fetch(self._contract.collection, keys)):
            self._write(batch)
        self._derive()
        result.seconds = perf_counter() - began
        return result

    def bury(self, keys: list[str]) -> None:
        """Close documents that the source no longer has."""
        self._writer.bury(keys)

    # -- sweep ---------------------------------------------------------------------------------------------------

    def _sweep(self, state: Watermark) -> SyncResult:
        result = SyncResult(self._contract.collection, "sweep")
        signature = self._source.signature(
            self._contract.collection
        )  # before the read that it is to vouch for
        began_at = datetime.now(UTC)
        with self._session.transaction() as conn:
            known = self._ledger.size(conn)
            is_new_contract = state.contract_version != self._version
            if is_new_contract:  # a run that is killed must not leave rows of which no one knows the contract
                self._ledger.begin(conn, self._version if known == 0 else None)
        if known == 0:
            newest = self._scan(is_fresh=True)
            result.source_documents = self._writer.written.read
        else:
            sweep = self._stage_keys()
            with self._session.transaction() as conn:
                total, changed, vanished = sweep.compare(conn)
            result.source_documents = total
            self._writer.strays = sweep.strays()
            if is_new_contract or changed > RESCAN_SHARE * total:
                newest = self._scan(is_fresh=False)
            else:
                newest = self._fetch(sweep.changed())
            if may_delete(
                total=total,
                known=known,
                vanished=vanished,
                max_share=self._options.max_delete_share,
                allow_mass_delete=self._options.allow_mass_delete,
            ):
                for keys in sweep.vanished():
                    self._writer.bury(keys)
            else:
                result.withheld = vanished
        self._finish(signature, newest, began_at, is_sweep=True, withheld=result.withheld)
        return result

    def _stage_keys(self) -> Sweep:
        for attempt in range(RESTARTS + 1):
            sweep = Sweep(self._session.connection, self._session.tenant_id, self._contract.collection)
            try:
                for page in self._source.keys(self._contract.collection):
                    # a document without a usable key goes by the fingerprint that stands as its revision
                    sweep.add([(key or rev, rev) for key, rev in page])
            except CursorLost:
                if attempt == RESTARTS:
                    raise
                self._progress(
                    f"{self._contract.collection}: the source lost its cursor, reading the keys again"
                )
            else:
                return sweep
        raise AssertionError("unreachable")

    def _scan(self, *, is_fresh: bool) -> datetime | None:
        newest: datetime | None = None
        for attempt in range(RESTARTS + 1):
            try:
                for batch in self._prepared(self._source.scan(self._contract.collection)):
                    # after a restart a known key is no second document, but one that was read before
                    self._write(batch, is_fresh=is_fresh and attempt == 0)
                    newest = _later(newest, batch.newest)
            except CursorLost:
                if attempt == RESTARTS:
                    raise
                # what is committed is recognised by its hash and not written again
                self._progress(f"{self._contract.collection}: the source lost its cursor, reading again")
            else:
                return newest
        raise AssertionError("unreachable")

    def _fetch(self, batches_of_keys: Iterable[list[str]]) -> datetime | None:
        newest: datetime | None = None
        pages = (
            page for keys in batches_of_keys for page in self._source.fetch(self._contract.collection, keys)
        )
        for batch in self._prepared(pages):
            self._write(batch)
            newest = _later(newest, batch.newest)
        return newest

    # -- window --------------------------------------------------------------------------------------------------

    def _window(self, state: Watermark) -> SyncResult:
        result = SyncResult(self._contract.collection, "window")
        signature = self._source.signature(self._contract.collection)
        began_at = datetime.now(UTC)
        since = (state.watermark or datetime(1970, 1, 1, tzinfo=UTC)) - self._options.overlap
        newest: datetime | None = None
        self._writer.strays = self._source.strays(self._contract.collection)
        pages = self._source.since(self._contract.collection, self._contract.window_field, since)
        for batch in self._prepared(pages):
            newest = _later(newest, batch.newest)
            # pages come in the order of time, so all up to this batch's newest time is committed with it
            self._write(batch, watermark=_capped(newest, began_at))
        self._finish(signature, newest, began_at, is_sweep=False, withheld=0)
        return result

    # -- shared --------------------------------------------------------------------------------------------------

    def _prepared(self, pages: Iterable[Page]) -> Iterator[Batch]:
        """Read and map the next batch in a thread while the server loads the last one."""
        batches = regroup(pages)
        with _quick_handover(), ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as pool:

            def read_next() -> Batch | None:
                page = next(batches, None)
                return None if page is None else prepare(self._contract, self._tenant_options, page)

            ahead = pool.submit(read_next)
            while (batch := ahead.result()) is not None:
                ahead = pool.submit(read_next)
                yield batch

    def _write(self, batch: Batch, *, watermark: datetime | None = None, is_fresh: bool = False) -> None:
        before = self._writer.written.read // PROGRESS_EVERY
        self._writer.write(batch, watermark=watermark, is_fresh=is_fresh)
        if self._writer.written.read // PROGRESS_EVERY > before:
            self._progress(f"{self._contract.collection}: {self._writer.written.read:,} documents")

    def _members(self, segment_id: str) -> set[str]:
        with self._session.transaction() as conn:
            rows = conn.execute(
                "select cdp_profile_id from cdp.customer_profile where tenant_id = %s and deleted_at is null "
                "and status = 'active' and %s = any(segment_ids)",
                (self._session.tenant_id, segment_id),
            ).fetchall()
        return {row[0] for row in rows}

    def _derive(self) -> None:
        with self._session.transaction() as conn:
            self._derive_in(conn)

    def _derive_in(self, conn: Connection) -> None:
        if self._contract.collection == PROFILE:
            row = conn.execute("select cdp.resolve_profiles(%s)", (self._session.tenant_id,)).fetchone()
            self._writer.written.resolved += int(row[0]) if row else 0
        self._writer.resolve(conn)

    def _finish(
        self,
        signature: Signature,
        newest: datetime | None,
        began_at: datetime,
        *,
        is_sweep: bool,
        withheld: int,
    ) -> None:
        with self._session.transaction() as conn:
            self._derive_in(conn)
            self._ledger.advance(conn, _capped(newest, began_at))
            self._ledger.finish(
                conn,
                is_sweep=is_sweep,
                contract_version=self._version,
                count=signature.count,
                revision=signature.revision,
                withheld_deletes=withheld,
            )


@contextmanager
def _quick_handover() -> Iterator[None]:
    """Let threads take turns every 0.2 ms instead of 5.

    Between two blocks of COPY the writing thread needs the interpreter for microseconds, and would get it from the
    preparing one only after 5 ms: with 400 blocks a batch, nothing would be gained by preparing ahead.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


def _capped(newest: datetime | None, began_at: datetime) -> datetime | None:
    """A watermark never lies in the future: one document with a wrong time would hide all that follow it."""
    return None if newest is None else min(newest, began_at)
