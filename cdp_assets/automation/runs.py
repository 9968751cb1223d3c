"""What Dagster itself knows of runs: which are in flight, how the last ones ended, whose they are.

Belongs here: reading run records and their tags, and ending runs that no process executes any more. Does not belong
here: what follows from it (`decisions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile
from time import time

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG

from cdp_assets import keys, partitions, process
from cdp_assets.automation.alerts import Outcome
from cdp_assets.automation.decisions import RunInFlight
from cdp_assets.policies import PROCESS_TAG, TENANT_TAG

SEGMENT_TAG = "cdp/segment"
"""Run tag with the id of the segment that a run is restricted to."""

STAGE_OF_JOB = {
    "embedding_refresh": "embedding",
    "shop_sync": "shop",
    "shop_sweep": "shop",
    "marts_refresh": "modeling",
    "checks_refresh": "checks",
    "datasets_refresh": "datasets",
    "user_item_interactions": "datasets",
    "articles_content": "datasets",
    "articles_embeddings": "datasets",
    "customer_features": "datasets",
    "timeseries": "datasets",
    "reviews_nlp": "datasets",
    "events_and_funnels": "events",
    "events_and_funnels_close": "events",
    "audience_refresh": "audience",
}
"""Job -> stage that it works for; every other run, a person's too, counts as one of LEO's landing."""

PARTITION_TAG = "dagster/partition"
SCHEDULE_TAG = "dagster/schedule_name"
SENSOR_TAG = "dagster/sensor_name"
WILL_RETRY_TAG = "dagster/will_retry"

STARTED, CANCELING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
NOT_FINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED]
"""Queued and starting runs too: a guard that knows only running ones launches a second run into the queue."""


GONE = "the process that executed the run is gone"

PAGE = 100
"""Runs that are read at once."""


def tenant_of(tags: Mapping[str, str]) -> str | None:
    """The tenant of a run: by our tag, by its dimension of the partition, or by the partition itself."""
    for tag in (TENANT_TAG, f"{PARTITION_TAG}/{partitions.TENANT_DIMENSION}", PARTITION_TAG):
        value = tags.get(tag)
        if value is not None:
            try:
                return keys.tenant_id(value)
            except ValueError:  # the partition of something else, a segment for instance
                continue
    return None


def segment_of(tags: Mapping[str, str]) -> str | None:
    """The segment of a run: by our tag, by its dimension of the partition, or by the partition itself."""
    for tag in (SEGMENT_TAG, f"{PARTITION_TAG}/{partitions.SEGMENT_DIMENSION}", PARTITION_TAG):
        if tag in tags:
            return tags[tag]
    return None


def runs_in_flight(instance: dg.DagsterInstance) -> list[RunInFlight]:
    """All runs that have not ended, whoever asked for them: a person's run counts as much as a sensor's.

    A run whose process is gone counts until `end_gone_runs` ends it, or run monitoring (dagster.yaml) where it ran on a
    host that nobody here sees.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=NOT_FINISHED))
    return [
        RunInFlight(tenant_of(run.tags), run.tags.get(SCHEDULE_TAG), segment_of(run.tags), run.job_name)
        for run in (record.dagster_run for record in records)
    ]


def busy_tenants(instance: dg.DagsterInstance, stage: str = "landing") -> set[str]:
    """Tenants with a run in flight that works for the stage.

    Stages do not hold each other up: a first fill of vectors may take an hour, and new data must not wait for it.
    """
    return {
        run.tenant_id
        for run in runs_in_flight(instance)
        if run.tenant_id and STAGE_OF_JOB.get(run.job or "", "landing") == stage
    }


def end_gone_runs(
    instance: dg.DagsterInstance, server: GrpcServerCodeLocationOrigin | None = None
) -> tuple[list[str], list[str]]:
    """Ends the runs whose process is gone: its machine or container was restarted or replaced, or it was killed.

    Args:
        instance: where the runs are.
        server: the code server that this process is, if it is one.

    Returns:
        Ids of the runs that were ended, and of those of which it cannot be told.
    """
    ended, unknown = [], []
    for record in instance.get_run_records(dg.RunsFilter(statuses=[STARTED, CANCELING])):
        run = record.dagster_run
        gone = process.is_gone(run.tags.get(PROCESS_TAG, ""))
        if gone is None and server is not None and _is_replaced(record, server):
            gone = True
        if gone:
            # the process may have ended the run in its last moment
            now = instance.get_run_by_id(run.run_id)
            if now is not None and now.status == CANCELING:
                instance.report_run_canceled(now, GONE)
                ended.append(run.run_id)
            elif now is not None and now.status == STARTED:
                instance.report_run_failed(now, GONE)
                ended.append(run.run_id)
        elif gone is None:
            unknown.append(run.run_id)
    return ended, unknown


def _is_replaced(record: dg.RunRecord, server: GrpcServerCodeLocationOrigin) -> bool:
    """Whether the run was a child of the server that stood at this one's address before.

    Runs that a code server executes are its children and end with its container. A minute, for one that is still being
    stopped while the next has begun.
    """
    run = record.dagster_run
    began = process.began_at()
    return (
        GRPC_INFO_TAG in run.tags
        and run.remote_job_origin is not None
        and run.remote_job_origin.repository_origin.code_location_origin == server
        and record.start_time is not None
        and record.start_time < began < time() - 60
    )


def is_finished(instance: dg.DagsterInstance, run_id: str) -> bool | None:
    """Whether the run has ended; None when this instance does not know it."""
    run = instance.get_run_by_id(run_id)
    return None if run is None else run.is_finished


def failed_since(
    instance: dg.DagsterInstance, job: str, sensor: str, tenant_id: str, table: str, since: datetime | None
) -> dict[str, datetime]:
    """Run id -> end of the sensor's runs that should have loaded the table since then, and did not succeed.

    Covers what `ops.etl_runs` cannot: runs that died before their first step (no worker, broken image).
    """
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=job,
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
            tags={SENSOR_TAG: sensor, TENANT_TAG: tenant_id},
            created_after=since,
        ),
        limit=10,  # the back-off is at its longest from the 7th on
    )
    asset = dg.AssetKey(["cdp", table])
    return {
        record.dagster_run.run_id: record.update_timestamp
        for record in records
        if asset in (record.dagster_run.asset_selection or {asset})
    }


def failures_in_a_row(instance: dg.DagsterInstance, job: str, tenant_id: str) -> list[datetime]:
    """Ends of the tenant's runs of the job since its last success, newest first, whoever asked for them."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=FINISHED, tags={TENANT_TAG: tenant_id}),
        limit=10,  # the back-off is at its longest from the 7th on
    )
    failed = takewhile(lambda record: record.dagster_run.status != dg.DagsterRunStatus.SUCCESS, records)
    return [record.update_timestamp for record in failed]


def outcomes_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Outcome]:
    """How earlier runs of the same job and partition ended, newest first; read as far as the caller looks."""
    partition = run.tags.get(PARTITION_TAG)
    cursor: str | None = run.run_id
    while cursor is not None:
        earlier = instance.get_runs(
            dg.RunsFilter(
                job_name=run.job_name,
                statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE],
                tags={PARTITION_TAG: partition} if partition else {},
            ),
            cursor=cursor,
            limit=PAGE,
        )
        yield from (
            Outcome(other.status == dg.DagsterRunStatus.SUCCESS, assets_of(other)) for other in earlier
        )
        cursor = earlier[-1].run_id if len(earlier) == PAGE else None


def assets_of(run: dg.DagsterRun) -> frozenset[str] | None:
    """The assets that the run is restricted to; None when it takes all of its job, which Dagster stores as none."""
    return frozenset(key.to_user_string() for key in run.asset_selection or ()) or None
