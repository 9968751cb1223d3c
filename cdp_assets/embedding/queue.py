"""The queue `embedding.job`: claim, extend, release, fail; dead letters.

Belongs here: one short transaction per function. What a claim means stands in SQL (`embedding.claim`); how claimed
texts become vectors is `worker`. A lease is the pair worker and available_at: until then nobody else takes the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import class_row

from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.storable import storable_text

MAX_ATTEMPTS = 5
"""Times that a provider may fail at a text before it is given up: with the back-off below, about three minutes."""

CHANNEL = "embedding_job"
"""Channel that is notified when jobs are enqueued; without a payload, since every role may listen."""

Settled = Literal["withdrawn", "current", "copied"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this worker holds.

    Attributes:
        settled: None: the text waits for a vector. Else the job is done already: the entity has no text any more
            (withdrawn), its vector is right (current), the tenant had a vector of an equal text (copied).
    """

    entity_key: str
    generation: int
    content: str | None
    text_hash: bytes | None
    settled: Settled | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Open jobs of one model and entity of a tenant.

    Attributes:
        ready: may be claimed now.
        waiting: held by a worker, or backing off.
        dead: given up.
        oldest: when the oldest open job was enqueued.
    """

    model_id: str
    entity: str
    ready: int
    waiting: int
    dead: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up."""

    model_id: str
    entity: str
    entity_key: str
    attempts: int
    error: str
    dead_at: datetime


def claim(
    warehouse: Warehouse,
    tenant_id: str,
    model_id: str,
    entity: str,
    *,
    worker: str,
    limit: int,
    lease: timedelta,
) -> list[Claimed]:
    """Take up to `limit` jobs; empty when none is ready."""
    with warehouse.tenant(tenant_id) as conn, conn.cursor(row_factory=class_row(Claimed)) as cur:
        return cur.execute(
            "select * from embedding.claim(%s, %s, %s, %s, %s)", (model_id, entity, worker, limit, lease)
        ).fetchall()


def extend(warehouse: Warehouse, tenant_id: str, *, worker: str, lease: timedelta) -> int:
    """Extend all leases of a worker; returns how many it still holds."""
    with warehouse.tenant(tenant_id) as conn:
        # a row that is locked is being completed or touched: no reason to wait for it
        return conn.execute(
            "update embedding.job as j set available_at = clock_timestamp() + %(lease)s where (j.model_id, j.entity, "
            "j.entity_key) in (select model_id, entity, entity_key from embedding.job where tenant_id = %(tenant)s "
            "and worker = %(worker)s for update skip locked) and j.tenant_id = %(tenant)s",
            {"lease": lease, "tenant": tenant_id, "worker": worker},
        ).rowcount


def release(warehouse: Warehouse, tenant_id: str, *, worker: str, is_crash: bool = False) -> int:
    """Give back all jobs that a worker holds; returns how many.

    Where the worker fell over while it embedded them, one may be the reason: `is_crash` counts as if it had died.
    """
    with warehouse.tenant(tenant_id) as conn:
        return conn.execute(
            "update embedding.job as j set worker = null, available_at = clock_timestamp(), "
            "crashes = j.crashes + %(crash)s where (j.model_id, j.entity, j.entity_key) in (select model_id, entity, "
            "entity_key from embedding.job where tenant_id = %(tenant)s and worker = %(worker)s "
            "for update skip locked) and j.tenant_id = %(tenant)s",
            {"crash": int(is_crash), "tenant": tenant_id, "worker": worker},
        ).rowcount


def fail(
    warehouse: Warehouse,
    tenant_id: str,
    model_id: str,
    entity: str,
    keys: Sequence[str],
    *,
    worker: str,
    error: str,
    is_permanent: bool,
) -> int:
    """Put jobs off that the provider would not do, or give them up: at once if permanent, else at the last attempt.

    Returns:
        Jobs given up now.
    """
    with warehouse.tenant(tenant_id) as conn:
        rows = conn.execute(
            "update embedding.job as j set worker = null, attempts = j.attempts + 1, error = left(%(error)s, 500), "
            "dead_at = case when %(permanent)s or j.attempts + 1 >= %(most)s then clock_timestamp() end, "
            # 10, 20, 40, 80 s, spread by a quarter: texts that failed together do not come back together
            "available_at = clock_timestamp() + make_interval(secs => 10 * 2 ^ j.attempts * (0.75 + random() / 2)) "
            "where j.tenant_id = %(tenant)s and j.model_id = %(model)s and j.entity = %(entity)s "
            # a row that is locked is being touched: waiting could deadlock with a landing that touches many
            "and j.entity_key in (select entity_key from embedding.job where tenant_id = %(tenant)s "
            "and model_id = %(model)s and entity = %(entity)s and entity_key = any(%(keys)s) "
            "and worker = %(worker)s and dead_at is null for update skip locked) returning j.dead_at is not null",
            {
                "error": storable_text(error),
                "permanent": is_permanent,
                "most": MAX_ATTEMPTS,
                "tenant": tenant_id,
                "model": model_id,
                "entity": entity,
                "keys": list(keys),
                "worker": worker,
            },
        ).fetchall()
    return sum(is_dead for (is_dead,) in rows)


def backlog(conn: Connection, tenant_id: str) -> list[Backlog]:
    """Open and dead jobs by model and entity, inside a transaction of the tenant."""
    with conn.cursor(row_factory=class_row(Backlog)) as cur:
        return cur.execute(
            "select model_id, entity, "
            "count(*) filter (where dead_at is null and available_at <= statement_timestamp()) as ready, "
            "count(*) filter (where dead_at is null and available_at > statement_timestamp()) as waiting, "
            "count(*) filter (where dead_at is not null) as dead, "
            "min(enqueued_at) filter (where dead_at is null) as oldest "
            "from embedding.job where tenant_id = %s group by 1, 2 order by 1, 2",
            (tenant_id,),
        ).fetchall()


def is_ready(warehouse: Warehouse, tenant_id: str) -> bool:
    """Whether the tenant has a job that may be claimed now."""
    with warehouse.tenant(tenant_id) as conn:
        row = conn.execute(
            "select exists (select from embedding.job where tenant_id = %s and dead_at is null "
            "and available_at <= statement_timestamp())",
            (tenant_id,),
        ).fetchone()
    assert row is not None
    return bool(row[0])


def enqueue(conn: Connection, entity: str, *, model_id: str | None = None) -> int:
    """Compare all texts of an entity with their vectors and enqueue what differs, for one model or all."""
    row = conn.execute("select embedding.enqueue(%s, null, %s)", (entity, model_id)).fetchone()
    assert row is not None
    return int(row[0])


def dead_letters(
    conn: Connection, tenant_id: str, *, entity: str | None = None, key: str | None = None, limit: int = 100
) -> list[DeadLetter]:
    """Jobs that were given up, the latest first: of the tenant, of one entity, or one key."""
    with conn.cursor(row_factory=class_row(DeadLetter)) as cur:
        return cur.execute(
            "select model_id, entity, entity_key, attempts, coalesce(error, '') as error, dead_at "
            "from embedding.job where tenant_id = %(tenant)s and dead_at is not null "
            "and entity = coalesce(%(entity)s, entity) and entity_key = coalesce(%(key)s, entity_key) "
            "order by dead_at desc, entity_key limit %(limit)s",
            {"tenant": tenant_id, "entity": entity, "key": key, "limit": limit},
        ).fetchall()


def replay(conn: Connection, tenant_id: str, *, entity: str | None = None, key: str | None = None) -> int:
    """Make dead letters open jobs again: all of the tenant, of one entity, or one key."""
    replayed = conn.execute(
        "update embedding.job set dead_at = null, error = null, attempts = 0, crashes = 0, worker = null, "
        "available_at = clock_timestamp(), generation = generation + 1 where tenant_id = %(tenant)s "
        "and dead_at is not null and entity = coalesce(%(entity)s, entity) "
        "and entity_key = coalesce(%(key)s, entity_key)",
        {"tenant": tenant_id, "entity": entity, "key": key},
    ).rowcount
    if replayed:
        conn.execute("select pg_notify(%s, '')", (CHANNEL,))
    return replayed
