"""Search and lookalikes for a person: nearest rows with a score and a label that names nobody.

Belongs here: the way from a question to hits, with any role that may read. Does not belong here: what is nearest
(`embedding.search`, `similar`, `lookalike` in SQL, for everybody who writes SQL), and how hits are shown (`cli`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES, PROFILE, Entity
from cdp_assets.embedding.providers.model import ModelSpec, Provider
from cdp_assets.warehouse.connection import Connection, Warehouse


class SearchError(Exception):
    """A question that cannot be answered. The message names what is wrong and, where there is one, the remedy."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that was found.

    Attributes:
        score: cosine to the query; 1 is the same direction.
        model_id: model that both vectors are of.
        label: what the row is, without a name, an address or a free identifier, and of a review its first words; ""
            when the row has just gone.
    """

    entity_key: str
    score: float
    model_id: str
    label: str


def search(
    warehouse: Warehouse,
    tenant_id: str,
    provider_of: Callable[[ModelSpec], Provider],
    text: str,
    entity: str,
    k: int = 10,
) -> list[Hit]:
    """The k rows of an entity whose texts are nearest to a text, the best first.

    `provider_of` opens the provider of the tenant's active model; it is closed here.

    Raises:
        SearchError: unknown entity, empty text, no active model, k out of range.
        ProviderError: the text could not be embedded.
    """
    kind = _entity(entity)
    with _readable(), warehouse.tenant(tenant_id) as conn:
        model = models.active(conn, tenant_id)
        # the query goes through what every stored text went through
        row = conn.execute("select embedding.squeezed(%s)", (text.replace("\0", " "),)).fetchone()
    if model is None:
        raise SearchError(f"tenant {tenant_id!r} has no active model: materialize its embeddings first")
    if row is None or row[0] is None:
        raise SearchError("the text to search for is empty")
    with closing(provider_of(model.spec)) as provider:
        vector = provider.embed([row[0]], kind="query")[0]
    # The model is named: if another one takes over meanwhile, the query still meets vectors of its own kind.
    return _hits(
        warehouse,
        tenant_id,
        kind,
        sql.SQL("embedding.search(%(entity)s, %(vector)s::public.vector, %(k)s, %(model)s)"),
        {"entity": entity, "vector": str(vector.tolist()), "k": k, "model": model.model_id},
    )


def similar(warehouse: Warehouse, tenant_id: str, entity: str, key: str, k: int = 10) -> list[Hit]:
    """The k rows nearest to one of their kind, itself left out.

    Raises:
        SearchError: unknown entity, a key without a vector, no active model, k out of range.
    """
    return _hits(
        warehouse,
        tenant_id,
        _entity(entity),
        sql.SQL("embedding.similar(%(entity)s, %(key)s, %(k)s)"),
        {"entity": entity, "key": key, "k": k},
    )


def lookalike(
    warehouse: Warehouse,
    tenant_id: str,
    *,
    profile: str | None = None,
    segment: str | None = None,
    k: int = 100,
) -> list[Hit]:
    """The k profiles nearest to a profile, or to the centre of a segment's members; these are left out.

    Raises:
        SearchError: not exactly one of profile and segment; no vector of a seed; no active model; k out of range.
    """
    if (profile is None) == (segment is None):
        raise SearchError("name either a profile or a segment to look alike")
    if profile is not None:
        source = sql.SQL("embedding.lookalike(array[%(seed)s], %(k)s)")
    else:
        source = sql.SQL("embedding.lookalike_segment(%(seed)s, %(k)s)")
    return _hits(warehouse, tenant_id, PROFILE, source, {"seed": profile or segment, "k": k})


def _entity(name: str) -> Entity:
    if name not in ENTITIES:
        raise SearchError(f"unknown entity {name!r}, known are {', '.join(ENTITIES)}")
    return ENTITIES[name]


def _hits(
    warehouse: Warehouse, tenant_id: str, entity: Entity, source: sql.SQL, arguments: dict[str, object]
) -> list[Hit]:
    with _readable(), warehouse.tenant(tenant_id) as conn:
        return _labelled(conn, entity, source, {**arguments, "tenant": tenant_id})


def _labelled(conn: Connection, entity: Entity, source: sql.SQL, arguments: dict[str, object]) -> list[Hit]:
    # a subquery, not a join: the planner takes a function for 1,000 rows and would hash the whole table
    statement = sql.SQL(
        "select n.entity_key, n.score, n.model_id, "
        "coalesce((select concat_ws(', ', {label}, {quote}) from {relation} as e "
        "where e.tenant_id = %(tenant)s and e.{key} = n.entity_key), '') as label "
        "from {source} as n order by n.score desc, n.entity_key"
    ).format(
        label=sql.SQL(entity.label),
        quote=sql.SQL(entity.quote),
        relation=sql.Identifier(*entity.source.split(".")),
        key=sql.Identifier(entity.key),
        source=source,
    )
    with conn.cursor(row_factory=class_row(Hit)) as cur:
        return cur.execute(statement, arguments).fetchall()


@contextmanager
def _readable() -> Iterator[None]:
    """What the SQL functions refuse (`raise exception`) in words for a person."""
    try:
        yield
    except psycopg.errors.RaiseException as error:
        hint = f": {error.diag.message_hint}" if error.diag.message_hint else ""
        raise SearchError(f"{error.diag.message_primary}{hint}") from None
