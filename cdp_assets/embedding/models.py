"""The registry of models per tenant: which there are, which serves, and how one takes over from another.

Belongs here: register, coverage, activate, roll back, drop. Does not belong here: filling (`service`), comparing two
(`compare`). Every registered model is kept in step with the texts, so that the one before can serve again at once;
queries read one model, never two. Whoever needs a model to stay locks its row (for key share); `drop` locks it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row

from cdp_assets.embedding import queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.warehouse.connection import Connection, Warehouse, without_loops

MAX_DIMENSION = 4000
"""Components that pgvector's index of half precision takes; `embedding.model` demands it."""


class ModelError(Exception):
    """A model cannot be used as asked. The message names model, tenant and remedy."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model.

    Attributes:
        role: `active` serves searches, `previous` served before it, `shadow` is only kept in step.
    """

    model_id: str
    provider: str
    name: str
    revision: str
    dimension: int
    passage_prefix: str
    query_prefix: str
    created_at: datetime
    role: str

    @property
    def spec(self) -> ModelSpec:
        """What a provider is opened from."""
        return ModelSpec(
            self.provider, self.name, self.revision, self.dimension, self.passage_prefix, self.query_prefix
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a model has come with an entity: texts, vectors of exactly these texts, jobs given up."""

    entity: str
    texts: int
    current: int
    dead: int


def registered(conn: Connection, tenant_id: str) -> list[Model]:
    """All models of the tenant, the active one first, inside a transaction of the tenant."""
    with conn.cursor(row_factory=class_row(Model)) as cur:
        return cur.execute(
            "select m.model_id, m.provider, m.name, m.revision, m.dimension, m.passage_prefix, m.query_prefix, "
            "m.created_at, case m.model_id when a.model_id then 'active' when a.previous_model_id then 'previous' "
            "else 'shadow' end as role from embedding.model as m left join embedding.active_model as a "
            "on a.tenant_id = m.tenant_id where m.tenant_id = %s order by role, m.created_at, m.model_id",
            (tenant_id,),
        ).fetchall()


def active(conn: Connection, tenant_id: str) -> Model | None:
    """The model that serves the tenant, if one does."""
    return next((model for model in registered(conn, tenant_id) if model.role == "active"), None)


def model_of(conn: Connection, tenant_id: str, model_id: str) -> Model:
    """A registered model.

    Raises:
        ModelError: the tenant has none of this id.
    """
    for model in registered(conn, tenant_id):
        if model.model_id == model_id:
            return model
    raise ModelError(
        f"tenant {tenant_id!r} has no model {model_id!r}; `cdp embedding models list --tenant {tenant_id}` shows them"
    )


def add(conn: Connection, tenant_id: str, spec: ModelSpec) -> str:
    """Register a model and enqueue every text for it; it does not serve yet.

    Returns:
        Its id. A model that is registered already is left as it is.

    Raises:
        ModelError: its vectors have more components than the warehouse indexes.
    """
    if any(model.model_id == spec.model_id for model in registered(conn, tenant_id)):
        return spec.model_id
    if spec.dimension > MAX_DIMENSION:
        raise ModelError(
            f"{spec.provider} {spec.name} has vectors of {spec.dimension:,} components, and the warehouse indexes at "
            f"most {MAX_DIMENSION:,}: choose another model, or ask a service for shorter ones with "
            "CDP_PROFILE_EMBED_DIM and CDP_TXN_EMBED_DIM"
        )
    _wait_for_texts(conn, tenant_id)
    added = conn.execute(
        "insert into embedding.model (tenant_id, model_id, provider, name, revision, dimension, passage_prefix, "
        "query_prefix) values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (tenant_id, model_id) do nothing",
        (tenant_id, spec.model_id, spec.provider, spec.name, spec.revision, spec.dimension, spec.passage_prefix,
         spec.query_prefix),
    ).rowcount  # fmt: skip
    if added:
        conn.execute("call embedding.add_partitions(%s, %s)", (tenant_id, spec.model_id))
        for entity in ENTITIES:
            queue.enqueue(conn, entity, model_id=spec.model_id)
    return spec.model_id


def ensure_active(warehouse: Warehouse, tenant_id: str, spec: ModelSpec) -> Model:
    """The model that serves the tenant; a tenant that has none gets this one."""
    with warehouse.tenant(tenant_id) as conn:
        found = active(conn, tenant_id)
        if found is None:
            _wait_for_texts(conn, tenant_id)  # and for another first run, whose model then serves
            found = active(conn, tenant_id)
        if found is None:
            conn.execute(
                "insert into embedding.active_model (tenant_id, model_id) values (%s, %s)",
                (tenant_id, add(conn, tenant_id, spec)),
            )
            found = active(conn, tenant_id)
    assert found is not None
    return found


def _wait_for_texts(conn: Connection, tenant_id: str) -> None:
    """Wait for transactions that changed a text and saw no new model, and let no other begin until this one ends.

    What they change is then either read here, or enqueued by their triggers (`embedding.is_embedded`).
    """
    conn.execute("select pg_advisory_xact_lock(embedding.texts_lock(%s))", (tenant_id,))


def standing(conn: Connection, tenant_id: str) -> dict[str, dict[str, Coverage]]:
    """Coverage by model id and entity as the queue has it: a text is behind while it has a job. No text is read."""
    jobs = {(each.model_id, each.entity): each for each in queue.backlog(conn, tenant_id)}
    found: dict[str, dict[str, Coverage]] = {}
    for entity in ENTITIES.values():
        rows = conn.execute(
            sql.SQL(
                "select m.model_id, (select count(*) from {table} as v where v.tenant_id = m.tenant_id "
                "and v.model_id = m.model_id), (select count(*) from embedding.job as j inner join {table} as v "
                "using (tenant_id, model_id, entity_key) where j.tenant_id = m.tenant_id "
                "and j.model_id = m.model_id and j.entity = %(entity)s) "
                "from embedding.model as m where m.tenant_id = %(tenant)s"
            ).format(table=sql.Identifier("embedding", entity.table)),
            {"entity": entity.name, "tenant": tenant_id},
        ).fetchall()
        for model_id, vectors, behind in rows:
            job = jobs.get((model_id, entity.name))
            waiting = job.ready + job.waiting + job.dead if job else 0
            found.setdefault(model_id, {})[entity.name] = Coverage(
                entity.name, vectors - behind + waiting, vectors - behind, job.dead if job else 0
            )
    return found


def coverage(conn: Connection, model_id: str) -> list[Coverage]:
    """How far a model has come, entity by entity, inside a transaction of the tenant.

    Every text is made and hashed, so this takes seconds per 100,000 texts; `standing` costs nothing of the kind.
    """
    found = []
    with without_loops(conn):
        for entity in ENTITIES.values():
            row = conn.execute(
                sql.SQL(
                    "select count(*), count(v.entity_key), (select count(*) from embedding.job "
                    "where tenant_id = ops.current_tenant() and model_id = %(model)s and entity = %(entity)s "
                    "and dead_at is not null) from embedding.texts(%(entity)s, null) as t left join {} as v "
                    "on v.tenant_id = ops.current_tenant() and v.model_id = %(model)s and v.entity_key = t.entity_key "
                    "and v.text_hash = t.text_hash"
                ).format(sql.Identifier("embedding", entity.table)),
                {"model": model_id, "entity": entity.name},
            ).fetchone()
            assert row is not None
            found.append(Coverage(entity.name, *row))
    return found


def activate(conn: Connection, tenant_id: str, model_id: str, *, allow_incomplete: bool = False) -> None:
    """Let a model serve from the next query on; one statement, taken back by `rollback`.

    Raises:
        ModelError: no such model, or texts have no vector of it.
    """
    if model_of(conn, tenant_id, model_id).role == "active":
        return
    if not allow_incomplete:
        found = coverage(conn, model_id)
        missing, dead = sum(each.texts - each.current for each in found), sum(each.dead for each in found)
        if missing:
            raise ModelError(
                f"model {model_id!r} lacks {missing:,} vectors of tenant {tenant_id!r}, {dead:,} of them given up: "
                "`cdp embedding models fill` makes them, `cdp embedding dead-letters list` shows why some were "
                "given up, `--allow-incomplete` activates the model as it is"
            )
    flipped = conn.execute(
        "insert into embedding.active_model as a (tenant_id, model_id) select m.tenant_id, m.model_id "
        "from embedding.model as m where m.tenant_id = %s and m.model_id = %s for key share "
        "on conflict (tenant_id) do update set model_id = excluded.model_id, previous_model_id = a.model_id, "
        "activated_at = now() where a.model_id <> excluded.model_id",
        (tenant_id, model_id),
    ).rowcount
    if not flipped:
        model_of(conn, tenant_id, model_id)  # dropped meanwhile, or activated by somebody else


def rollback(conn: Connection, tenant_id: str) -> str:
    """Let the model before serve again; doing it twice is doing nothing.

    Returns:
        The model that serves now.

    Raises:
        ModelError: there is none before, or it was dropped.
    """
    row = conn.execute(
        "with before as materialized (select m.model_id from embedding.model as m "
        "inner join embedding.active_model as a on a.tenant_id = m.tenant_id and a.previous_model_id = m.model_id "
        "where m.tenant_id = %(tenant)s for key share of m) "
        "update embedding.active_model as a set model_id = a.previous_model_id, previous_model_id = a.model_id, "
        "activated_at = now() from before as b where a.tenant_id = %(tenant)s "
        "and a.previous_model_id = b.model_id returning a.model_id",
        {"tenant": tenant_id},
    ).fetchone()
    if row is None:
        raise ModelError(
            f"tenant {tenant_id!r} has no model to go back to; `cdp embedding models list --tenant {tenant_id}` "
            "shows which could be activated"
        )
    return str(row[0])


def drop(conn: Connection, tenant_id: str, model_id: str) -> None:
    """Remove a model with its vectors, jobs and probes.

    Raises:
        ModelError: no such model, or it serves.
    """
    # Waits for claims and enqueues that use the model; those that come later find it gone.
    conn.execute(
        "select from embedding.model where tenant_id = %s and model_id = %s for update", (tenant_id, model_id)
    )
    if model_of(conn, tenant_id, model_id).role == "active":
        raise ModelError(f"model {model_id!r} serves tenant {tenant_id!r}: activate another one first")
    conn.execute(
        "update embedding.active_model set previous_model_id = null where tenant_id = %s and previous_model_id = %s",
        (tenant_id, model_id),
    )
    for relation in ("model", "job", "retired_vector", "probe"):
        conn.execute(
            sql.SQL("delete from {} where tenant_id = %s and model_id = %s").format(
                sql.Identifier("embedding", relation)
            ),
            (tenant_id, model_id),
        )
    conn.execute("call embedding.drop_partitions(%s, %s)", (tenant_id, model_id))
