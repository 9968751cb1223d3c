"""Retry, concurrency, freshness: each policy once, with its reason.

Belongs here: constants that assets, jobs and sensors share. Does not belong here: when something runs
(`automation`).
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

RETRY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)
"""Waits 2, 6 and 14 s before jitter: outlives a restart of a database, not an outage. Every asset is idempotent and
continues where the failed attempt stopped. Permanent faults raise `Failure(allow_retries=False)` instead."""

SOURCE_POOL = "leo_cdp_source"
"""Assets that read a source. The pool's limit (dagster.yaml) bounds the load on ArangoDB over all runs."""

SHOP_POOL = "shop_source"
"""Steps that read a shop database; each takes a few connections of its server."""

TENANT_TAG = "cdp/tenant"
"""Run tag with the tenant's id; dagster.yaml limits runs per value of it. A plain partition has no such tag."""

OWNERS = ["team:data-platform"]

LANDING_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=26), warn_window=timedelta(hours=2)
)
"""The incremental sync runs every 15 minutes and the full sweep nightly: 2 h means several syncs were missed, 26 h
that the nightly sweep was."""

EMBEDDING_POOL = "embedding_provider"
"""Assets that call an embedding provider. Its limit (dagster.yaml: default_limit) bounds the calls at once over all
runs: a model on this machine takes all of its cores, a service has a rate."""

EMBEDDING_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=26), warn_window=timedelta(hours=2)
)
"""As landing: every landing that changes a text is followed within minutes by its vectors."""
