"""Extract a tenant's shop: all tables of a run from one snapshot, several at a time, each failing for itself.

Belongs here: locks, bound, snapshot, workers, repeating what failed in passing, what is logged. Does not belong here:
how one table is read and written (`load`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any

import psycopg
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from cdp_assets.landing.shop.load import TableLoad
from cdp_assets.landing.shop.model import ABSENT, SKIPPED, Mode, Progress, ShopOptions, TableResult
from cdp_assets.landing.shop.shape import Blocked, shape_of
from cdp_assets.landing.shop.specs import SPECS, TableSpec
from cdp_assets.sources.model import SourceError, SourceUnavailable
from cdp_assets.sources.shop import Bound, ShopDatabase
from cdp_assets.sources.shop_catalog import SourceTable, read_catalog
from cdp_assets.sources.shop_faults import is_transient
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import TenantSession, Warehouse
from cdp_assets.warehouse.ledger import Ledger
from cdp_assets.warehouse.locks import Busy

LOCK_PATIENCE_S = 10
"""How long a run waits for locks, in all: a server needs seconds to notice that a killed run's connection is gone."""

log = logging.getLogger(__name__)


class _Unfinished(Exception):
    """Some tables failed in passing."""


def extract(
    warehouse: Warehouse,
    tenant_id: str,
    shop: ShopDatabase,
    *,
    mode: Mode,
    tables: Collection[str] | None = None,
    options: ShopOptions | None = None,
    run_id: str | None = None,
    progress: Progress = log.info,
) -> dict[str, TableResult]:
    """Bring `raw.*` of one tenant in step with its shop database.

    Args:
        warehouse: the warehouse as role cdp_pipeline.
        tenant_id: whose shop it is.
        shop: the shop database.
        mode: how changes are looked for; a table that was never loaded as it is now is loaded in full.
        tables: names of tables of `SPECS`; None: all.
        options: how far the run may go.
        run_id: kept with each row that is written (`_etl_run_id`) and each reject.
        progress: told in words how far each table is, from several threads.

    Returns:
        Table -> what was done, in the order of `SPECS`. A table that failed says so in `error` (`SourceError` or
        `psycopg.Error`) and keeps no other from being loaded; one that another run is loading is skipped, and its
        notes say so.

    Raises:
        ValueError: a table that no spec names.
    """
    chosen = [spec for name, spec in SPECS.items() if tables is None or name in tables]
    unknown = set(tables or ()) - SPECS.keys()
    if unknown:
        raise ValueError(f"no such tables of a shop: {', '.join(sorted(unknown))}")
    return _Extract(
        warehouse, tenant_id, shop, mode, chosen, options or ShopOptions(), run_id, progress
    ).run()


class _Extract:
    """One run over some tables of one tenant."""

    def __init__(
        self,
        warehouse: Warehouse,
        tenant_id: str,
        shop: ShopDatabase,
        mode: Mode,
        specs: list[TableSpec],
        options: ShopOptions,
        run_id: str | None,
        progress: Progress,
    ) -> None:
        self._warehouse = warehouse
        self._tenant_id = tenant_id
        self._shop = shop
        self._mode = mode
        self._options = options
        self._run_id = run_id
        self._progress = progress
        self._pending = {spec.table: spec for spec in specs}
        self._results = {spec.table: TableResult(spec.table, mode) for spec in specs}

    def run(self) -> dict[str, TableResult]:
        patiently = Retrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=wait_exponential(multiplier=self._options.first_wait_s, max=30)
            + wait_random(0, self._options.first_wait_s),
            retry=retry_if_exception_type(_Unfinished),
            before_sleep=self._announce,
            retry_error_callback=self._give_up,
        )
        patiently(self._round)
        return self._results

    def _announce(self, state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        for table in self._pending:
            log.warning(
                "%s of tenant %s failed in passing, again in %.1f s: %s",
                table, self._tenant_id, pause, self._results[table].error,
                extra={**self._labels(table), "attempt": state.attempt_number},
            )  # fmt: skip

    def _give_up(self, _: RetryCallState) -> None:
        for table in list(self._pending):
            self._drop(table)

    def _round(self) -> None:
        """Load what is pending from one snapshot; what is left pending failed in passing.

        Raises:
            _Unfinished: something is left.
        """
        with ExitStack() as stack:
            sessions = self._lock(stack)
            if sessions:
                try:
                    bound = self._shop.bound(self._options.safety_lag)
                    snapshot = stack.enter_context(self._shop.snapshot())
                    with self._shop.reader(snapshot) as reader:
                        catalog = read_catalog(reader, sessions)
                except SourceError as error:
                    for table in sessions:
                        self._fail(table, error)
                else:
                    self._load_all(sessions, catalog, bound, snapshot)
        if self._pending:
            raise _Unfinished

    def _lock(self, stack: ExitStack) -> dict[str, TenantSession]:
        """A session for each pending table, which holds the table's lock.

        Locks come before the snapshot, so that no other run can have landed what is newer than it.
        """
        sessions: dict[str, TenantSession] = {}
        deadline = perf_counter() + LOCK_PATIENCE_S
        for table, spec in list(self._pending.items()):
            try:
                session = stack.enter_context(self._warehouse.session(self._tenant_id))
                wait_s = max(1, round(deadline - perf_counter()))
                locks.take(session.connection, self._tenant_id, spec.collection, wait_s=wait_s)
            except Busy as busy:
                self._results[table].mode = SKIPPED
                self._results[table].notes = [f"skipped: {busy}"]
                del self._pending[table]
            except psycopg.Error as error:
                self._fail(table, error)
            else:
                sessions[table] = session
        return sessions

    def _load_all(
        self,
        sessions: dict[str, TenantSession],
        catalog: dict[str, SourceTable],
        bound: Bound,
        snapshot: str,
    ) -> None:
        with ThreadPoolExecutor(self._options.max_workers, thread_name_prefix="shop") as pool:
            loads = [
                pool.submit(self._load, session, self._pending[table], catalog.get(table), bound, snapshot)
                for table, session in sessions.items()
            ]
        for load in loads:
            load.result()  # raises what is nobody's fault but ours

    def _load(
        self, session: TenantSession, spec: TableSpec, found: SourceTable | None, bound: Bound, snapshot: str
    ) -> None:
        with self._settling(spec.table) as result:
            if found is None:
                self._skip(session, spec)
                return
            shape = shape_of(spec, found, self._shop.timezone, self._options.default_region)
            result.notes = [*shape.notes, *([bound.note] if bound.note else [])]
            result.drift = list(shape.drift)
            with self._shop.reader(snapshot) as reader:
                TableLoad(
                    session,
                    reader,
                    shape,
                    bound.upper,
                    result=result,
                    options=self._options,
                    run_id=self._run_id,
                    progress=self._progress,
                ).run(self._mode)

    def _skip(self, session: TenantSession, spec: TableSpec) -> None:
        with session.transaction() as conn:
            was_loaded = Ledger(self._tenant_id, spec.collection).watermark(conn).sweep_at is not None
        if spec.required or was_loaded:
            raise Blocked(
                f"the shop has no table public.{spec.table}{', which it had before' if was_loaded else ''}: "
                "bring it back, for example as a view, or name the right database in the shop's dsn"
            )
        result = self._results[spec.table]
        result.mode, result.absent = ABSENT, f"the shop has no table public.{spec.table}"

    @contextmanager
    def _settling(self, table: str) -> Iterator[TableResult]:
        """Time and log what is done with a table; its failure is kept in its result."""
        result = self._results[table]
        result.error = None
        began = perf_counter()
        try:
            yield result
        except (SourceError, psycopg.Error) as error:
            self._fail(table, error)
        else:
            del self._pending[table]
        result.seconds += perf_counter() - began
        if result.error is None:
            log.info(
                "%s of tenant %s: %s, %d rows written of %d read, %.2f s",
                table, self._tenant_id, result.mode, result.rows, result.read, result.seconds,
                extra=self._labels(table),
            )  # fmt: skip

    def _fail(self, table: str, error: Exception) -> None:
        """Keep the error; the table stays pending if trying again may help."""
        self._results[table].error = error
        if isinstance(error, SourceUnavailable) or (isinstance(error, psycopg.Error) and is_transient(error)):
            return
        self._drop(table)

    def _drop(self, table: str) -> None:
        """Give the table up; its result says why."""
        del self._pending[table]
        log.error(
            "%s of tenant %s is not loaded: %s",
            table, self._tenant_id, self._results[table].error,
            extra=self._labels(table),
        )  # fmt: skip

    def _labels(self, table: str) -> dict[str, Any]:
        result = self._results[table]
        return {
            "run_id": self._run_id,
            "tenant": self._tenant_id,
            "table": table,
            "mode": result.mode,
            "rows": result.rows,
            "seconds": round(result.seconds, 3),
        }
