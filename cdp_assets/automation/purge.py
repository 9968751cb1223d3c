"""The job that deletes what nobody looks at any more: old runs of Dagster, old versions of datasets.

Belongs here: retention of what grows with every run. Embeddings have their own (`embedding.retention`): which vectors
may go follows from the rows that they are of. Annotations are not postponed: Dagster reads them.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from cdp_assets.artifacts import retention
from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.automation.runs import FINISHED


class RunsConfig(dg.Config):
    """What may go."""

    keep_days: int = Field(30, ge=1, description="Runs that ended within so many days stay")
    max_runs: int = Field(
        50_000,
        ge=1,
        description="Runs deleted at most; a week of 50 tenants with a sync every 15 minutes is 34,000",
    )


@dg.op(
    description="Deletes finished runs with all their events, but for those that show the newest state of an asset.",
    tags={"cdp/stage": "operations"},
)
def delete_old_runs(context: dg.OpExecutionContext, config: RunsConfig) -> None:
    """Runs and events have no retention in Dagster: 30 assets every 5 minutes write 300 MB of events a day."""
    instance = context.instance
    cutoff = datetime.now(UTC) - timedelta(days=config.keep_days)
    old = instance.get_run_ids(dg.RunsFilter(statuses=FINISHED, updated_before=cutoff), limit=config.max_runs)
    newest = runs_with_newest_state(instance) if old else set()
    deleted = 0
    for run_id in old:
        if run_id not in newest:
            instance.delete_run(run_id)
            deleted += 1
    context.log.info(
        "deleted %d runs that ended before %s; kept %d that show the newest state of an asset's partition",
        deleted,
        cutoff.isoformat(" ", "minutes"),
        len(old) - deleted,
    )
    context.add_output_metadata({"deleted": deleted, "kept": len(old) - deleted})


def runs_with_newest_state(instance: dg.DagsterInstance) -> set[str]:
    """Runs with the newest materialization of an asset or of a partition of it.

    Without their events such a partition, of a suspended tenant for instance, would count as never materialized.
    """
    found: set[str] = set()
    for asset_key in instance.all_asset_keys():
        by_partition = instance.get_latest_storage_id_by_partition(
            asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        # one by one: a key per tenant and segment, and a list of storage ids would be one statement of any length
        filters: list[dg.AssetKey | dg.AssetRecordsFilter] = [asset_key]
        filters += [
            dg.AssetRecordsFilter(asset_key, storage_ids=[storage_id]) for storage_id in by_partition.values()
        ]
        for wanted in filters:
            found.update(record.run_id for record in instance.fetch_materializations(wanted, limit=1).records)
    return found


class VersionsConfig(dg.Config):
    """What may go."""

    keep: int = Field(
        retention.KEPT_VERSIONS, ge=1, description="Newest versions kept of each dataset and tenant"
    )


@dg.op(
    description="Deletes versions of datasets but for the newest and the published one, and what died half written.",
    tags={"cdp/stage": "operations"},
)
def delete_old_versions(
    context: dg.OpExecutionContext, config: VersionsConfig, artifacts: dg.ResourceParam[ArtifactStore]
) -> None:
    """Every nightly build of a tenant is a version of 19 tables; `cdp artifacts gc` does the same by hand."""
    going = retention.plan(artifacts, artifacts.names(), keep=config.keep, now=datetime.now(UTC))
    retention.carry_out(artifacts, going)
    freed = sum(each.bytes for each in going)
    context.log.info("deleted %d versions of %d bytes", len(going), freed)
    context.add_output_metadata({"deleted": len(going), "bytes": freed})


@dg.job(
    description="Deletes old runs from Dagster's own storage, and old versions of datasets from the artifact store. "
    "The warehouse's `ops.etl_runs` stays, and so do tables and published versions.",
    tags={"cdp/stage": "operations", "dagster/priority": "-2"},
    executor_def=dg.in_process_executor,
)
def purge() -> None:
    """Two steps, neither of which waits for the other."""
    delete_old_runs()
    delete_old_versions()
