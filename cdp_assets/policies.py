"""Retry, concurrency, freshness: each policy once, with its reason.

Belongs here: constants that assets, jobs and sensors share. Does not belong here: when something runs
(`automation`).
"""

from __future__ import annotations

import sys
from datetime import timedelta

import dagster as dg


class UnlessTerminated(dg.RetryPolicy):
    """A retry policy that lets Terminate end the run.

    Dagster asks the policy for the wait after an interrupt as well, and runs the step again: a run that somebody
    terminated went on and ended well. Here the interrupt goes on instead, so that no further step begins.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds before the next attempt; raises what Dagster is handling, if it is an interrupt and no error."""
        handled = sys.exc_info()[1]
        if handled is not None and not isinstance(handled, Exception):
            raise handled
        return super().calculate_delay(attempt_num)


RETRY = UnlessTerminated(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)
"""Waits 2, 6 and 14 s before jitter: outlives a restart of a database, not an outage. Every asset is idempotent and
continues where the failed attempt stopped. Permanent faults raise `Failure(allow_retries=False)` instead."""

SOURCE_POOL = "leo_cdp_source"
"""Assets that read a source. The pool's limit (dagster.yaml) bounds the load on ArangoDB over all runs."""

SHOP_POOL = "shop_source"
"""Steps that read a shop database; each takes a few connections of its server."""

PROCESS_TAG = "cdp/process"
"""Run tag with the process that executes the run, as `process` writes it."""

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
