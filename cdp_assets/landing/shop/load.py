"""Bring one table of one tenant in step with the shop, from one snapshot.

Belongs here: what is read (window, sweep, full), in which order, and what is remembered:

* the *window* reads rows by `updated_at` since the watermark: cheap, but blind to deletes and to rows that came with
  an old time;
* the *sweep* reads the window, then compares the keys of the whole table and mends what differs;
* the *full* load reads every row, then sweeps; it is chosen by itself for the first load and after drift.

Each page is one transaction: rows, quarantine and watermark are committed together, so a run that is killed is
continued by the next one, whatever its mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from psycopg import sql

from cdp_assets.landing.delete_guard import may_delete
from cdp_assets.landing.shop.compare import VANISHED, Comparison
from cdp_assets.landing.shop.keys import Keys
from cdp_assets.landing.shop.model import Mode, Progress, ShopOptions, TableResult
from cdp_assets.landing.shop.payload import Payloads
from cdp_assets.landing.shop.queries import LOWEST_ID, Position, Queries
from cdp_assets.landing.shop.shape import Shape
from cdp_assets.landing.shop.stage import Stage
from cdp_assets.sources.shop import Reader, begun
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Connection, TenantSession
from cdp_assets.warehouse.ledger import Ledger, Watermark
from cdp_assets.warehouse.tenants import require_resumed

IDS_AT_ONCE = 10_000


class TableLoad:
    """One load of one table.

    The caller has held the table's lock (`Ledger.lock`) since before the snapshot was taken, so that no other run can
    have landed anything newer than the snapshot.

    Args:
        upper: where the watermark stands when the load has ended (`sources.shop.Bound`).
        result: where counts go; an earlier attempt may have begun it.
    """

    def __init__(
        self,
        session: TenantSession,
        reader: Reader,
        shape: Shape,
        upper: datetime,
        *,
        result: TableResult,
        options: ShopOptions,
        run_id: str | None,
        progress: Progress,
    ) -> None:
        self._session = session
        self._reader = reader
        self._shape = shape
        self._spec = shape.spec
        self._upper = upper
        self._result = result
        self._options = options
        self._run_id = run_id
        self._progress = progress
        self._queries = Queries(shape)
        self._ledger = Ledger(session.tenant_id, self._spec.collection)
        self._stage = Stage(session.connection, session.tenant_id, self._spec, self._queries, run_id=run_id)
        self._payloads = Payloads(shape, self._stage.relation)
        self._keys = Keys(self._spec, self._stage.relation, options.default_region)
        self._rejected: set[str] = set()
        with session.transaction() as conn:
            self._open = set(quarantine.open_keys(conn, session.tenant_id).get(self._spec.collection, ()))

    def run(self, mode: Mode) -> None:
        """Load; a table that was never loaded in this shape is loaded in full.

        Raises:
            SourceError: the shop cannot be read; what was committed stays.
            psycopg.Error: the warehouse cannot be written.
        """
        with self._session.transaction() as conn:
            state = self._ledger.watermark(conn)
        if state.sweep_at is None:
            self._full("first load")
        elif state.contract_version != self._shape.version:
            self._full("columns, time zone, region or spec changed")
        elif mode == "full":
            self._full("")
        else:
            self._result.mode = mode
            self._window(state)
            if mode == "sweep":
                self._finish_sweep(self._reconcile())
            else:
                with self._session.transaction() as conn:
                    self._finish_in(conn, is_sweep=False)
        self._result.rejected = len(self._rejected)

    # -- what is read ----------------------------------------------------------------------------------------------

    def _window(self, state: Watermark) -> None:
        assert state.watermark is not None, "a table that was swept has a watermark"
        lower = self._reader.rows(self._queries.lower(state.watermark, self._options.overlap))[0][0]
        position = Position(lower, LOWEST_ID)
        count = self._options.page_rows
        while count == self._options.page_rows:
            with self._page(self._queries.window(position, count), guarded=True) as (conn, count):
                if count:
                    position, newest = self._stage.last()
                    if newest is not None:
                        # pages come in the order of time; of this very time some may be to come, and are read again
                        self._ledger.advance(conn, min(newest, self._upper))

    def _full(self, why: str) -> None:
        self._result.mode = "full"
        if why:
            self._result.notes.append(f"loaded in full: {why}")
        with self._session.transaction() as conn:
            self._ledger.begin(conn, None)  # a run that is killed must not leave rows of two shapes unnoticed
            is_fresh = self._is_empty(conn)
        total, last = 0, None
        count = self._options.page_rows
        while count == self._options.page_rows:
            with self._page(self._queries.by_id(last, count), is_fresh=is_fresh) as (_, count):
                if count:
                    last = self._stage.last_id()
            total += count
        self._finish_sweep(self._strays(total) if is_fresh else self._reconcile())

    def _reconcile(self) -> int:
        """Mend what the keys of the whole table show to differ.

        Returns:
            Rows in the shop that go by an id.
        """
        comparison = Comparison(self._session, self._spec, self._queries, self._reader)
        comparison.run()
        for ids in comparison.stale(IDS_AT_ONCE):
            with self._page(self._queries.of(ids)):
                pass
        if may_delete(
            total=comparison.total,
            known=comparison.known,
            vanished=comparison.vanished,
            max_share=self._options.max_delete_share,
            allow_mass_delete=self._options.allow_mass_delete,
        ):
            if comparison.vanished:
                with self._session.transaction():
                    self._result.tombstoned += self._stage.tombstone(VANISHED)
        else:
            self._result.withheld = comparison.vanished
        return self._strays(comparison.total)

    def _strays(self, total: int) -> int:
        """Quarantine the rows that no id of their own names; gives `total` back."""
        if self._queries.has_strays:
            blocks = begun(self._reader.blocks(self._queries.strays()))
            with self._session.transaction() as conn:
                self._result.read += self._stage.fill(blocks)
                self._quarantine(conn, are_strays=True)
        return total

    # -- how it is written -----------------------------------------------------------------------------------------

    @contextmanager
    def _page(
        self, query: sql.Composed, *, is_fresh: bool = False, guarded: bool = False
    ) -> Iterator[tuple[Connection, int]]:
        """Land one page; what is given is the transaction and the count of its rows, to commit more with it."""
        blocks = begun(self._reader.blocks(query))
        with self._session.transaction() as conn:
            require_resumed(conn, self._session.tenant_id)
            count = self._stage.fill(blocks)
            self._payloads.clean(conn)
            self._keys.write(conn)
            added, changed = (self._stage.insert(), 0) if is_fresh else self._stage.merge(guarded=guarded)
            rejected = self._quarantine(conn, are_strays=False)
            yield conn, count
        self._result.read += count
        self._result.added += added
        self._result.changed += changed
        self._result.unchanged += count - added - changed - rejected
        if count:
            self._progress(f"{self._spec.collection}: {self._result.read:,} rows")

    def _quarantine(self, conn: Connection, *, are_strays: bool) -> int:
        """Keep the staged rows that must not land (gives their count), close the entries of those that did."""
        tenant, collection = self._session.tenant_id, self._spec.collection
        count = 0
        for rejects in self._stage.rejects(are_strays=are_strays):
            quarantine.store(conn, tenant, collection, rejects, run_id=self._run_id)
            self._rejected.update(reject.key for reject in rejects)
            count += len(rejects)
        if self._open and (landed := self._stage.landed(self._open)):
            self._result.recovered += quarantine.resolve(conn, tenant, collection, landed, "landed")
            self._open.difference_update(landed)
        return count

    def _is_empty(self, conn: Connection) -> bool:
        row = conn.execute(
            sql.SQL("select exists (select from {} where tenant_id = %s)").format(self._spec.relation),
            (self._session.tenant_id,),
        ).fetchone()
        return row == (False,)

    def _finish_sweep(self, total: int) -> None:
        gone = sorted(self._open - self._rejected)
        with self._session.transaction() as conn:
            quarantine.resolve(conn, self._session.tenant_id, self._spec.collection, gone, "vanished")
            self._finish_in(conn, is_sweep=True, count=total)

    def _finish_in(self, conn: Connection, *, is_sweep: bool, count: int = 0) -> None:
        self._ledger.advance(conn, self._upper)
        self._ledger.finish(
            conn,
            is_sweep=is_sweep,
            contract_version=self._shape.version,
            count=count,
            revision=self._upper.isoformat(),
            withheld_deletes=self._result.withheld,
        )
