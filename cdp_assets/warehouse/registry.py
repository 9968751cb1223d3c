"""`ops.etl_runs`: every run of every dataset, written as running before any work and closed whatever happens.

Belongs here: opening and closing entries, and closing those whose process died. What a run did is told by the
caller as a `Summary`.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from psycopg.types.json import Jsonb

from cdp_assets.warehouse import freshness
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.freshness import Recipe
from cdp_assets.warehouse.storable import storable, storable_text

Trigger = Literal["schedule", "sensor", "manual", "backfill"]
Status = Literal["success", "failed", "skipped", "quarantined"]


@dataclass(slots=True)
class Summary:
    """What a run reports of itself; the caller fills it in while the entry is open.

    Attributes:
        status: `quarantined` when documents were rejected, `skipped` when nothing was processed on purpose.
        rows_in, rows_out, rows_rejected: documents read, rows written, documents rejected.
        artifact_uri, artifact_sha256, bytes, schema_hash: the version that was published, where there is one.
        metrics: further counts, JSON.
        ignored_gates: checks of inputs that had not passed, where a person let the run go on.
    """

    status: Status = "success"
    rows_in: int | None = None
    rows_out: int | None = None
    rows_rejected: int | None = None
    min_event_ts: datetime | None = None
    max_event_ts: datetime | None = None
    input_fingerprint: str | None = None
    artifact_uri: str | None = None
    artifact_sha256: str | None = None
    bytes: int | None = None
    schema_hash: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    ignored_gates: list[str] = field(default_factory=list)
    run_id: str = ""


@contextmanager
def record_run(
    warehouse: Warehouse,
    tenant_id: str,
    dataset: str,
    *,
    partition_key: str | None = None,
    trigger: Trigger = "manual",
    orchestrator_run_id: str | None = None,
    attempt: int = 1,
    as_of: datetime | None = None,
    config_hash: str | None = None,
    recipe: Recipe | None = None,
) -> Iterator[Summary]:
    """Keep one entry open around the work; an exception closes it as failed and goes on.

    `partition_key` is the tenant when left out. The `recipe` is what the rows follow from, as it is before any of them
    is read: by it `freshness.current_run` tells later whether the run need be repeated.
    """
    summary = Summary(run_id=str(uuid.uuid4()))
    commit, dirty = git_state()
    with warehouse.tenant(tenant_id) as conn:
        made_from = None if recipe is None else Jsonb(freshness.made_from(conn, tenant_id, recipe))
        conn.execute(
            "insert into ops.etl_runs (tenant_id, run_id, dataset, partition_key, as_of, status, attempt, trigger, "
            "orchestrator_run_id, code_version, git_sha, git_dirty, config_hash, made_from) "
            "values (%s, %s, %s, %s, %s, 'running', %s, %s, %s, %s, %s, %s, %s, %s)",
            (tenant_id, summary.run_id, dataset, partition_key or tenant_id, as_of, attempt, trigger,
             orchestrator_run_id, code_version(), commit, dirty, config_hash, made_from),
        )  # fmt: skip
    began = perf_counter()
    try:
        yield summary
    except BaseException as error:
        message = f"{type(error).__name__}: {error}".strip()
        try:
            _close(warehouse, tenant_id, summary, "failed", perf_counter() - began, error=message)
        except Exception as another:  # noqa: BLE001 - what failed first is what a person must see
            error.add_note(f"The run's entry stays open until a sensor closes it: {another}")
        raise
    _close(warehouse, tenant_id, summary, summary.status, perf_counter() - began, recipe=recipe)


def _close(
    warehouse: Warehouse,
    tenant_id: str,
    summary: Summary,
    status: str,
    seconds: float,
    *,
    error: str | None = None,
    recipe: Recipe | None = None,
) -> None:
    with warehouse.tenant(tenant_id) as conn:
        left_at = None if recipe is None else freshness.left_at(conn, tenant_id, recipe)
        conn.execute(
            "update ops.etl_runs set status = %s, finished_at = now(), duration_s = %s, rows_in = %s, rows_out = %s, "
            "rows_rejected = %s, min_event_ts = %s, max_event_ts = %s, input_fingerprint = %s, "
            "artifact_uri = %s, artifact_sha256 = %s, bytes = %s, schema_hash = %s, metrics = %s, "
            "ignored_gates = %s, error = %s, "
            "left_at = %s where tenant_id = %s and run_id = %s",
            (status, round(seconds, 3), summary.rows_in, summary.rows_out, summary.rows_rejected,
             summary.min_event_ts, summary.max_event_ts, summary.input_fingerprint, summary.artifact_uri,
             summary.artifact_sha256, summary.bytes, summary.schema_hash, Jsonb(storable(summary.metrics)),
             summary.ignored_gates or None, error and storable_text(error)[:2000], left_at,
             tenant_id, summary.run_id),
        )  # fmt: skip
        if recipe is not None:
            freshness.fold(conn, tenant_id)


def close_abandoned(connection: Connection, tenant_id: str, orchestrator_run_id: str, error: str) -> int:
    """Close entries that a dead process left running.

    Returns:
        Entries closed.
    """
    return connection.execute(
        "update ops.etl_runs set status = 'failed', finished_at = now(), "
        "duration_s = extract(epoch from now() - started_at), error = %s "
        "where tenant_id = %s and orchestrator_run_id = %s and status = 'running'",
        (storable_text(error)[:2000], tenant_id, orchestrator_run_id),
    ).rowcount


def never_built(connection: Connection, tenant_id: str, datasets: Sequence[str]) -> list[str]:
    """Those of these datasets without a run that ended well, inside a transaction of the tenant."""
    found = connection.execute(
        "select name from unnest(%s::text[]) as name where not exists (select from ops.etl_runs as r "
        "where r.tenant_id = %s and r.dataset = name and r.status in ('success', 'quarantined')) order by name",
        (list(datasets), tenant_id),
    ).fetchall()
    return [name for (name,) in found]


@cache
def code_version() -> str:
    """Version of the installed package."""
    try:
        return version("cdp_assets")
    except PackageNotFoundError:
        return "unknown"


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of the code and whether it was changed since; (None, None) where git does not keep this code.

    An environment that lies inside of another project's repository finds that one, whose commit says nothing of us.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
