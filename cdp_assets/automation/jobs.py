"""Jobs: named selections of assets with their run configuration.

Belongs here: what one run does, and how a run of a tenant is asked for. Does not belong here: when (`schedules`,
`sensors`), the assets themselves (the stages), what is made of no asset (`purge`). Every job of assets runs for one
tenant: it is partitioned as they are. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from cdp_assets.automation.decisions import TABLES, Mode
from cdp_assets.automation.runs import SEGMENT_TAG, STAGE_OF_JOB
from cdp_assets.checks.embedding import embedding_checks
from cdp_assets.checks.landing import landing_checks
from cdp_assets.datasets.catalog import tables_of
from cdp_assets.datasets.events.contract import CONTRACTS as EVENT_TABLES
from cdp_assets.landing.shop.assets import check_keys as shop_check_keys
from cdp_assets.modeling.assets import models
from cdp_assets.partitions import segments_of_tenants, tenants
from cdp_assets.policies import TENANT_TAG

if TYPE_CHECKING:  # what `define_asset_job` returns has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

LANDING = dg.AssetSelection.groups("landing")

SEGMENT_TABLES = ("customer_profile", "transactional_context")
"""Tables that can be synced for one segment."""


def ops_config(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Run configuration by table of `cdp`; the step of an asset is named after its key."""
    return {"ops": {f"cdp__{table}": {"config": dict(values)} for table, values in config.items()}}


def segment_config(segment_id: str) -> dict[str, Any]:
    """Run configuration of `leo_segment_etl`."""
    return ops_config({table: {"segment_id": segment_id} for table in SEGMENT_TABLES})


def run_request(
    job: "UnresolvedAssetJobDefinition",
    tenant_id: str,
    *,
    run_key: str | None = None,
    tables: Mapping[str, Mode | None] | None = None,
    segment_id: str | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> dg.RunRequest:
    """Ask for a run of a job for one tenant.

    Args:
        job: one of this module.
        tenant_id: its partition.
        run_key: Dagster launches a key once, for ever; see who passes one.
        tables: only these tables of `cdp`, with the mode of those that are synced.
        segment_id: the segment that the run is restricted to.
        run_config: of the job's own assets, where neither of the two applies.
    """
    run_config = dict(run_config or {})
    if tables is not None:
        run_config = ops_config({table: {"mode": mode} for table, mode in tables.items() if mode is not None})
    if segment_id is not None:
        run_config = segment_config(segment_id)
    return dg.RunRequest(
        run_key=run_key,
        job_name=job.name,
        partition_key=tenant_id,
        run_config=run_config,
        tags={TENANT_TAG: tenant_id, **({SEGMENT_TAG: segment_id} if segment_id is not None else {})},
        asset_selection=None if tables is None else [dg.AssetKey(["cdp", table]) for table in tables],
    )


def _asset_job(
    name: str,
    description: str,
    selection: dg.AssetSelection,
    config: Callable[[], dict[str, Any]],
    tags: Mapping[str, str],
    partitions_def: dg.PartitionsDefinition[Any] = tenants,
) -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        name,
        description=description,
        selection=selection,
        tags={"cdp/stage": STAGE_OF_JOB.get(name, "landing"), **tags},
        # By partition rather than once: so a run that a person or a backfill starts has the tenant's tag as well, by
        # which dagster.yaml shares out the places.
        config=dg.PartitionedConfig(
            partitions_def,
            run_config_for_partition_key_fn=lambda _: config(),
            # a key of two dimensions reads segment|tenant
            tags_for_partition_key_fn=lambda key: {TENANT_TAG: key.rpartition("|")[2]},
        ),
        executor_def=dg.in_process_executor,
    )


leo_cdp_sync = _asset_job(
    "leo_cdp_sync",
    "Incremental sync of one tenant: every collection of LEO CDP by its window (new times only), then what is derived. "
    "A collection that was never swept is swept.",
    LANDING,
    lambda: ops_config({table: {"mode": "WINDOW"} for table in TABLES.values()}),
    {"dagster/priority": "1"},
)

leo_cdp_sweep = _asset_job(
    "leo_cdp_sweep",
    "Full sweep of one tenant: compares every key and revision with the ledger, so it finds silent updates and deletes "
    "too. Unchanged documents do not travel.",
    LANDING,
    lambda: ops_config({table: {"mode": "SWEEP"} for table in TABLES.values()}),
    {"dagster/priority": "-1"},  # behind the incremental syncs of the other tenants, which are short
)

leo_segment_etl = _asset_job(
    "leo_segment_etl",
    "Profiles of one LEO segment and their transactions, then what is derived from them. Wants the segment's id as "
    "`segment_id` of both synced assets; blank, as the launchpad proposes it, processes nothing and says so.",
    dg.AssetSelection.assets(
        *(
            ["cdp", table]
            for table in (
                "customer_profile",
                "profile_segment",
                "consent",
                "transactional_context",
                "customer_metrics",
            )
        )
    ),
    lambda: segment_config(""),
    {},
)


embedding_refresh = _asset_job(
    "embedding_refresh",
    "Vectors of one tenant in step with its texts: compares every text with its vector, embeds what differs, for every "
    "registered model.",
    dg.AssetSelection.groups("embedding"),
    dict,
    {},
)

SHOP = dg.AssetSelection.groups("raw").without_checks() | dg.AssetSelection.checks(*shop_check_keys)
"""dbt's own tests of `raw` run with the marts: starting dbt takes longer than an incremental load."""

shop_sync = _asset_job(
    "shop_sync",
    "Incremental load of one tenant's shop database: rows whose `updated_at` is new, all tables from one snapshot.",
    SHOP,
    lambda: {"ops": {"shop": {"config": {"mode": "WINDOW"}}}},
    {"dagster/priority": "1"},
)

shop_sweep = _asset_job(
    "shop_sweep",
    "As shop_sync, and then compares every key: finds deletes, and rows that were committed late.",
    SHOP,
    lambda: {"ops": {"shop": {"config": {"mode": "SWEEP"}}}},
    {"dagster/priority": "-1"},
)

marts_refresh = _asset_job(
    "marts_refresh",
    "dbt for one tenant: staging and intermediate views where they changed, marts where rows differ, every test.",
    dg.AssetSelection.groups("staging", "intermediate", "marts")
    | dg.AssetSelection.checks(*(spec.key for spec in models.check_specs)),
    dict,
    {},
)

LOADED_CHECKS = frozenset({*(key for op in landing_checks for key in op.check_keys), *shop_check_keys})
"""Checks of what was loaded; nothing is loaded to measure them."""

VECTOR_CHECKS = frozenset(key for op in embedding_checks for key in op.check_keys)
"""Checks of vectors, of a tenant that has a model."""

checks_refresh = _asset_job(
    "checks_refresh",
    "Checks of what was loaded for one tenant, without loading: what is built next asks for their results.",
    dg.AssetSelection.checks(*LOADED_CHECKS),
    dict,
    {},
)

datasets_refresh = _asset_job(
    "datasets_refresh",
    "Datasets A to F of one tenant as of the last day that has ended, each checked before it is published.",
    dg.AssetSelection.groups("datasets"),
    dict,
    {},
)


def _dataset_job(name: str, description: str, *tables: str) -> "UnresolvedAssetJobDefinition":
    selection = dg.AssetSelection.assets(*(["datasets", table] for table in tables))
    return _asset_job(name, f"{description} Checked before it is published.", selection, dict, {})


user_item_interactions = _dataset_job(
    "user_item_interactions", "Dataset A of one tenant: who bought what.", *tables_of("A")
)
articles_content = _dataset_job(
    "articles_content", "Dataset B of one tenant: the catalogue.", "articles_content"
)
articles_embeddings = _dataset_job(
    "articles_embeddings",
    "Vectors of dataset B of one tenant: sparse ones of texts, and of images those that are new.",
    "articles_tfidf",
    "articles_image_vectors",
)
customer_features = _dataset_job(
    "customer_features", "Dataset C of one tenant: features of every customer.", *tables_of("C")
)
timeseries = _dataset_job("timeseries", "Dataset D of one tenant: sales by day and week.", *tables_of("D"))
reviews_nlp = _dataset_job("reviews_nlp", "Dataset E of one tenant: what reviews say.", *tables_of("E"))

EVENTS = dg.AssetSelection.assets(*(["datasets", table] for table in EVENT_TABLES))

events_and_funnels = _asset_job(
    "events_and_funnels",
    "Dataset F of one tenant: what was written since the last run, and the visitors that it touches.",
    EVENTS,
    dict,
    {"dagster/priority": "1"},
)

events_and_funnels_close = _asset_job(
    "events_and_funnels_close",
    "Dataset F of one tenant from all of its events: windows moved to the last whole day, orders compared, versions "
    "kept.",
    EVENTS,
    lambda: {"ops": {"events": {"config": {"full": True}}}},
    {"dagster/priority": "-1"},
)

audience_refresh = _asset_job(
    "audience_refresh",
    "One segment of one tenant: its members as a snapshot, what they are like, who is like them.",
    dg.AssetSelection.groups("audience"),
    dict,
    {},
    partitions_def=segments_of_tenants,
)


jobs: list["UnresolvedAssetJobDefinition"] = [
    leo_cdp_sync,
    leo_cdp_sweep,
    leo_segment_etl,
    embedding_refresh,
    shop_sync,
    shop_sweep,
    marts_refresh,
    checks_refresh,
    datasets_refresh,
    user_item_interactions,
    articles_content,
    articles_embeddings,
    customer_features,
    timeseries,
    reviews_nlp,
    events_and_funnels,
    events_and_funnels_close,
    audience_refresh,
]
