"""What the decisions need to know, read from the warehouse and from the sources.

Belongs here: reading, one tenant at a time, in plain Python. A read that fails raises or comes back as `Unread`, never
as an empty answer. Does not belong here: what follows from it (`decisions`), what Dagster knows (`runs`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cdp_assets import current, keys
from cdp_assets.automation.decisions import TABLES, Catalogue, CollectionState, TenantState
from cdp_assets.sources.model import Signature, Source, SourceError
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import Tenant, list_tenants

READERS = 8
"""Sources that are asked at once. A signature costs twelve small requests, so waiting dominates."""

DATASETS = {collection: f"cdp.{table}" for collection, table in TABLES.items()}
"""Collection -> name of its runs in `ops.etl_runs`."""

Signatures = Mapping[str, Signature]


class Opener(Protocol):
    """Whatever opens a tenant's source (`opening.Sources`)."""

    def open(self, tenant: Tenant) -> AbstractContextManager[Source]: ...


@dataclass(frozen=True, slots=True)
class Unread:
    """A source that could not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """An entry of `ops.etl_runs` that says "running"."""

    orchestrator_run_id: str
    started_at: datetime


def registered_tenants(warehouse: Warehouse) -> list[Tenant]:
    """Every registration.

    Raises:
        WarehouseError: connected as a role that row level security shows an empty registry; believing it would remove
            every tenant's partition.
    """
    with warehouse.control() as conn:
        row = conn.execute("select current_user, pg_has_role('cdp_pipeline', 'usage')").fetchone()
    if row is None or not row[1]:
        raise WarehouseError(
            f"{warehouse.address}: {row[0] if row else 'the role'!r} does not see the registry of tenants; "
            "let CDP_WAREHOUSE_DSN name the role cdp_pipeline"
        )
    return list_tenants(warehouse)


def active_tenants(warehouse: Warehouse) -> list[Tenant]:
    """Registrations that get runs."""
    return [tenant for tenant in registered_tenants(warehouse) if tenant.status == "active"]


def tenants_with_shop(warehouse: Warehouse) -> list[Tenant]:
    """Active registrations that name a shop database."""
    return [tenant for tenant in active_tenants(warehouse) if tenant.shop is not None]


def tenants_to_model(warehouse: Warehouse) -> list[Tenant]:
    """Active registrations whose marts are not what a build would make."""
    return [
        tenant for tenant in active_tenants(warehouse) if not current.marts_are_current(warehouse, tenant)
    ]


def tenants_with_events(warehouse: Warehouse) -> list[Tenant]:
    """Active registrations whose dataset F is not what an incremental run would make."""
    return [
        tenant for tenant in active_tenants(warehouse) if not current.events_are_current(warehouse, tenant)
    ]


_CATALOGUE = """
    select
        (
            select metrics ->> 'version' from ops.etl_runs
            where tenant_id = %(tenant)s and dataset = 'datasets.articles_content' and artifact_uri is not null
            order by started_at desc limit 1
        ),
        exists (
            (
                select article_id, content_hash from datasets.articles_content where tenant_id = %(tenant)s
                except select article_id, content_hash from datasets.articles_tfidf where tenant_id = %(tenant)s
            )
            union all
            (
                select article_id, content_hash from datasets.articles_tfidf where tenant_id = %(tenant)s
                except select article_id, content_hash from datasets.articles_content where tenant_id = %(tenant)s
            )
        )
"""


def catalogue(warehouse: Warehouse, tenant_id: str) -> Catalogue:
    """How the tenant's articles stand to their vectors; compares all of them, 0.3 s per 100,000."""
    with warehouse.tenant(tenant_id) as conn:
        row = conn.execute(_CATALOGUE, {"tenant": tenant_id}).fetchone()
    assert row is not None
    return Catalogue(*row)


def segment_ids(warehouse: Warehouse, tenants: Iterable[Tenant]) -> tuple[set[str], list[str]]:
    """Ids of the segments that exist in LEO, over these tenants; and those that cannot be a partition key."""
    found: set[str] = set()
    for tenant in tenants:
        with warehouse.tenant(tenant.tenant_id) as conn:
            rows = conn.execute(
                "select segment_id from cdp.segment "
                "where tenant_id = %s and deleted_at is null and status <> 'deleted'",
                (tenant.tenant_id,),
            ).fetchall()
        found.update(row[0] for row in rows)
    unfit = {segment_id for segment_id in found if not keys.is_segment_id(segment_id)}
    return found - unfit, sorted(unfit)


def tenant_state(warehouse: Warehouse, tenant_id: str) -> TenantState:
    """What sweeps have left behind: signatures, failures since, end and duration of the last one."""
    scope = {"tenant": tenant_id, "collections": list(DATASETS), "datasets": list(DATASETS.values())}
    with warehouse.tenant(tenant_id) as conn:
        marks = conn.execute(
            "select collection, signature_count, signature_revision, sweep_at from ops.watermark "
            "where tenant_id = %(tenant)s",
            scope,
        ).fetchall()
        # One run fails once, however often its steps were tried.
        failures = conn.execute(
            "select c.collection, coalesce(r.orchestrator_run_id, r.run_id), max(r.finished_at) "
            "from unnest(%(collections)s::text[], %(datasets)s::text[]) as c (collection, dataset) "
            "inner join ops.etl_runs as r on r.tenant_id = %(tenant)s and r.dataset = c.dataset "
            "left join ops.watermark as w on w.tenant_id = %(tenant)s and w.collection = c.collection "
            "where r.status = 'failed' and r.finished_at > coalesce(w.sweep_at, '-infinity') group by 1, 2",
            scope,
        ).fetchall()
        # The last run that swept, with all that it read. A failed entry has no mode; if a sensor asked for its run, it
        # swept. What waited for another run (skipped) read nothing. Two days: no pause is longer.
        sweep = conn.execute(
            "with loads as (select coalesce(orchestrator_run_id, run_id) as run, finished_at, duration_s, "
            "coalesce(metrics ->> 'mode', case when trigger = 'sensor' then 'sweep' end) as mode "
            "from ops.etl_runs where tenant_id = %(tenant)s and dataset = any(%(datasets)s) "
            "and status in ('success', 'quarantined', 'failed') and finished_at > now() - interval '2 days') "
            "select max(finished_at), sum(duration_s)::float8 from loads "
            "where run = (select run from loads where mode = 'sweep' order by finished_at desc limit 1)",
            scope,
        ).fetchone()
    failed: dict[str, dict[str, datetime]] = {}
    for collection, run, ended in failures:
        failed.setdefault(collection, {})[run] = ended
    stored = {
        collection: (None if count is None or revision is None else Signature(count, revision), sweep_at)
        for collection, count, revision, sweep_at in marks
    }
    states = {
        collection: CollectionState(*stored.get(collection, (None, None)), failed.get(collection, {}))
        for collection in DATASETS
    }
    swept_at, seconds = sweep or (None, None)
    return TenantState(tenant_id, states, swept_at, seconds or 0.0)


def open_entries(warehouse: Warehouse, tenant_id: str) -> list[OpenEntry]:
    """Entries that say "running", one per run of Dagster, with its earliest start."""
    with warehouse.tenant(tenant_id) as conn:
        rows = conn.execute(
            "select orchestrator_run_id, min(started_at) from ops.etl_runs "
            "where tenant_id = %s and status = 'running' and orchestrator_run_id is not null group by 1 order by 2",
            (tenant_id,),
        ).fetchall()
    return [OpenEntry(*row) for row in rows]


def read_signatures(
    sources: Opener, tenants: Sequence[Tenant], *, budget_s: float
) -> dict[str, Signatures | Unread]:
    """Signatures of all collections of these tenants, as many as can be had within the budget.

    A source that hangs costs its own tenant the answer, nobody else: each is read in a thread of its own, `READERS` at
    a time. The threads are daemons, so that a hanging read ends with its time-out and does not hold up a shutdown.

    Returns:
        By tenant: its signatures, or why there are none. A tenant that is missing was not reached within the budget;
        in the order given, those are the last ones.
    """
    answers: dict[str, Future[Signatures]] = {tenant.tenant_id: Future() for tenant in tenants}
    waiting = deque(tenants)

    def read_on() -> None:
        while waiting:
            try:
                tenant = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            answer = answers[tenant.tenant_id]
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(_signatures(sources, tenant))
            except Exception as error:  # noqa: BLE001  # handed on whole: `_outcome` tells it apart
                answer.set_exception(error)

    for number in range(min(READERS, len(tenants))):
        threading.Thread(target=read_on, name=f"leo-signature-{number}", daemon=True).start()
    wait(answers.values(), timeout=budget_s)
    return {
        tenant_id: _outcome(answer, budget_s) for tenant_id, answer in answers.items() if not answer.cancel()
    }


def _signatures(sources: Opener, tenant: Tenant) -> Signatures:
    with sources.open(tenant) as source:
        return {collection: source.signature(collection) for collection in DATASETS}


def _outcome(answer: Future[Signatures], budget_s: float) -> Signatures | Unread:
    if not answer.done():
        return Unread(f"no answer within {budget_s:g} s")
    error = answer.exception()
    if error is None:
        return answer.result()
    # Anything but a SourceError is a fault of ours or of the registration. One tenant's must not stop the others, so it
    # is told like the rest, with its class.
    return Unread(str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}")
