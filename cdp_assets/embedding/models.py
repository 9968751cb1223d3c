"""The registry of models per tenant: which there are, which serves, and how one takes over from another.

Belongs here: register, fill, compare, activate, roll back, drop. Every registered model is kept in step with the
texts, so that the one before can serve again at once; queries read one model, never two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cdp_assets.embedding import queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.warehouse.connection import Connection, Warehouse


class ModelError(Exception):
    """A model cannot be used as asked. The message names model, tenant and remedy."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model.

    Attributes:
        role: `active` serves searches, `previous` served before it, `shadow` is only kept in step.
        vectors: vectors it has, over all entities.
        missing: open and dead jobs, over all entities.
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
    """
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
        # two first runs at once: the second waits, and finds the model
        conn.execute(
            "select pg_advisory_xact_lock(hashtextextended('embedding.active_model/' || %s, 0))", (tenant_id,)
        )
        found = active(conn, tenant_id)
        if found is None:
            model_id = add(conn, tenant_id, spec)
            conn.execute(
                "insert into embedding.active_model (tenant_id, model_id) values (%s, %s)",
                (tenant_id, model_id),
            )
            found = model_of(conn, tenant_id, model_id)
    return found


def coverage(conn: Connection, model_id: str) -> list[Coverage]:
    """How far a model has come, entity by entity, inside a transaction of the tenant."""
    found = []
    for entity in ENTITIES.values():
        row = conn.execute(
            f"select count(*), count(v.entity_key), (select count(*) from embedding.job where model_id = %(model)s "  # noqa: S608 - names of our own
            f"and entity = %(entity)s and dead_at is not null and tenant_id = ops.current_tenant()) "
            f"from embedding.{entity.name}_text as t left join embedding.{entity.table} as v "
            f"on v.tenant_id = ops.current_tenant() and v.model_id = %(model)s and v.entity_key = t.entity_key "
            f"and v.text_hash = t.text_hash where t.tenant_id = ops.current_tenant()",
            {"model": model_id, "entity": entity.name},
        ).fetchone()
        assert row is not None
        found.append(Coverage(entity.name, *row))
    return found


def activate(conn: Connection, tenant_id: str, model_id: str, *, allow_incomplete: bool = False) -> None:
    """Let a model serve from the next query on; one statement, taken back by `rollback`.

    Raises:
        ModelError: no such model, or texts are missing that are not dead letters.
    """
    model_of(conn, tenant_id, model_id)
    missing = sum(found.texts - found.current for found in coverage(conn, model_id))
    if missing and not allow_incomplete:
        raise ModelError(
            f"model {model_id!r} lacks {missing:,} vectors of tenant {tenant_id!r}: `cdp embedding models fill` makes "
            "them, `--allow-incomplete` activates it as it is"
        )
    conn.execute(
        "insert into embedding.active_model as a (tenant_id, model_id) values (%s, %s) "
        "on conflict (tenant_id) do update set model_id = excluded.model_id, previous_model_id = a.model_id, "
        "activated_at = now() where a.model_id <> excluded.model_id",
        (tenant_id, model_id),
    )


def rollback(conn: Connection, tenant_id: str) -> str:
    """Let the model before serve again; doing it twice is doing nothing.

    Returns:
        The model that serves now.

    Raises:
        ModelError: there is none before, or it was dropped.
    """
    row = conn.execute(
        "update embedding.active_model as a set model_id = previous_model_id, previous_model_id = model_id, "
        "activated_at = now() where tenant_id = %s and exists (select from embedding.model as m "
        "where m.tenant_id = a.tenant_id and m.model_id = a.previous_model_id) returning model_id",
        (tenant_id,),
    ).fetchone()
    if row is None:
        raise ModelError(f"tenant {tenant_id!r} has no model to go back to")
    return str(row[0])


def drop(conn: Connection, tenant_id: str, model_id: str) -> None:
    """Remove a model with its vectors and jobs.

    Raises:
        ModelError: no such model, or it serves.
    """
    if model_of(conn, tenant_id, model_id).role == "active":
        raise ModelError(f"model {model_id!r} serves tenant {tenant_id!r}: activate another one first")
    conn.execute("delete from embedding.model where tenant_id = %s and model_id = %s", (tenant_id, model_id))
    conn.execute("delete from embedding.job where tenant_id = %s and model_id = %s", (tenant_id, model_id))
    conn.execute(
        "delete from embedding.retired_vector where tenant_id = %s and model_id = %s", (tenant_id, model_id)
    )
    conn.execute("delete from embedding.probe where tenant_id = %s and model_id = %s", (tenant_id, model_id))
    conn.execute("call embedding.drop_partitions(%s, %s)", (tenant_id, model_id))
