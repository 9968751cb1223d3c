"""Dagster's PostgreSQL storage with connections that are kept: `storage: custom` in dagster.yaml names it.

Belongs here: how Dagster's own three storages connect. Dagster opens a connection for every event, some 900 in a run of
60 checks, and waits 8 ms for each (23 ms with TLS). What is stored, and how, stays Dagster's, but for one tag that each
run gets as it starts: the process that executes it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Self

import dagster as dg
from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import set_pg_statement_timeout
from sqlalchemy import Engine, create_engine, event

from cdp_assets import process
from cdp_assets.policies import PROCESS_TAG

RECYCLE_S = 180
"""Oldest connection that is used again. Firewalls drop idle ones without a word after four minutes or more."""


@cache
def engine(address: str, *, statement_timeout_ms: int = 0) -> Engine:
    """The connections of this process to one address, shared by its storages, instances and threads.

    A connection is tried before it is used: the server may have been restarted, or have closed it as idle. There is no
    upper limit, as without a pool: a thread that waits for a connection while it holds one would wait for ever.
    """
    made = create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        pool_size=4,
        max_overflow=-1,
        pool_use_lifo=True,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_S,
    )
    if statement_timeout_ms:
        event.listen(made, "connect", lambda raw, _: set_pg_statement_timeout(raw, statement_timeout_ms))
    return made


@cache
def _with_tables(address: str) -> str:
    """The address, once the tables are there: Dagster's own storage makes them."""
    DagsterPostgresStorage(address)
    return address


class _Pooled:
    """What is the same in the three storages: where their connections come from."""

    postgres_url: str
    _engine: Engine

    def __init__(self, address: str) -> None:
        super().__init__(address, should_autocreate_tables=False)  # type: ignore[call-arg]
        self._engine = engine(address)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The webserver cancels statements that take longer than a person waits; its pool is the one above."""
        self._engine = engine(self.postgres_url, statement_timeout_ms=statement_timeout)


class _Runs(_Pooled, PostgresRunStorage):
    def handle_run_event(
        self, run_id: str, event: dg.DagsterEvent, update_timestamp: datetime | None = None
    ) -> None:
        """Mark the run with its process: the process that executes a run reports its start."""
        super().handle_run_event(run_id, event, update_timestamp)
        if event.event_type == dg.DagsterEventType.RUN_START:
            self.add_run_tags(run_id, {PROCESS_TAG: process.here()})


class _Events(_Pooled, PostgresEventLogStorage):
    pass


class _Schedules(_Pooled, PostgresScheduleStorage):
    pass


class PooledPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL at `postgres_url`, over connections that are kept."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(_with_tables(postgres_url), should_autocreate_tables=False, inst_data=inst_data)
        self._run_storage = _Runs(postgres_url)
        self._event_log_storage = _Events(postgres_url)
        self._schedule_storage = _Schedules(postgres_url)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The one setting: the address."""
        return {"postgres_url": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """The storage that a dagster.yaml or an InstanceRef describes."""
        return cls(config_value["postgres_url"], inst_data)
