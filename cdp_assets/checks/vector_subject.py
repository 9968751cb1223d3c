"""What checks of vectors look at: the vectors of one entity under the model that serves, and the texts beside them.

Belongs here: what several measures share. What is wrong about it is decided in the measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, LiteralString

from psycopg import sql

from cdp_assets.embedding import probes
from cdp_assets.embedding.entities import Entity
from cdp_assets.embedding.models import Model
from cdp_assets.quality import SAMPLE_ROWS
from cdp_assets.warehouse.connection import Connection

PATIENCE_H = 1
"""Hours that a job may wait: the sensor starts a worker within a minute, and a provider that asks for patience gets
a quarter of an hour."""

State = Literal["queued", "late", "dead", "lost"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Some of the keys whose vector is not that of their text, alike in all that is said here.

    Attributes:
        count: of them all.
        key: one of them.
        has_text, has_vector: whether there is one at all; with both, the vector is that of an older text.
        state: of the job that is to mend it.
        error: class of the error for which it was given up.
    """

    count: int
    key: str
    has_text: bool
    has_vector: bool
    state: State
    error: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Texts and vectors side by side.

    Attributes:
        differences: up to `SAMPLE_ROWS` of each kind.
    """

    texts: int
    vectors: int
    differences: list[Difference]


_COMPARE: LiteralString = """
    with texts as materialized (
        select entity_key, text_hash from {texts} where tenant_id = %(tenant)s
    ),
    vectors as materialized (
        select entity_key, text_hash from {table} where tenant_id = %(tenant)s and model_id = %(model)s
    ),
    differing as (
        select entity_key, t.text_hash is not null as has_text, v.text_hash is not null as has_vector
        from texts as t full join vectors as v using (entity_key)
        where t.text_hash is distinct from v.text_hash
    ),
    explained as (
        select
            d.*,
            -- the class of the error alone: what a service answered may quote the text
            split_part(coalesce(j.error, ''), ':', 1) as error,
            case
                when j.entity_key is null or not d.has_text then 'lost'
                when j.dead_at is not null then 'dead'
                when j.enqueued_at < clock_timestamp() - make_interval(hours => %(hours)s) then 'late'
                else 'queued'
            end as state
        from differing as d
        left join embedding.job as j
            on j.tenant_id = %(tenant)s and j.model_id = %(model)s and j.entity = %(entity)s
            and j.entity_key = d.entity_key
    ),
    placed as (
        select e.*, count(*) over kind as amount, row_number() over (kind order by e.entity_key) as place
        from explained as e
        window kind as (partition by e.has_text, e.has_vector, e.state)
    )
    select
        (select count(*) from texts), (select count(*) from vectors),
        p.amount, p.entity_key, p.has_text, p.has_vector, p.state, p.error
    from (select) as always
    left join placed as p on p.place <= %(limit)s
    order by array_position(array['lost', 'dead', 'late', 'queued'], p.state), p.entity_key
"""


@dataclass(frozen=True)
class VectorSubject:
    """The vectors of one entity of one tenant under the model that serves, and all that a measure may read.

    Attributes:
        connection: in a transaction of the tenant.
    """

    connection: Connection
    tenant_id: str
    entity: Entity
    model: Model

    def rows(self, statement: LiteralString, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query.

        `{table}`, `{texts}`, `{source}` and `{key}` are filled in; %(tenant)s, %(model)s and %(entity)s are bound.
        """
        query = sql.SQL(statement).format(
            table=sql.Identifier("embedding", self.entity.table),
            texts=sql.Identifier("embedding", f"{self.entity.name}_text"),
            source=sql.Identifier(*self.entity.source.split(".")),
            key=sql.Identifier(self.entity.key),
        )
        scope = {"tenant": self.tenant_id, "model": self.model.model_id, "entity": self.entity.name}
        return self.connection.execute(query, {**scope, **parameters}).fetchall()

    def row(self, statement: LiteralString, **parameters: Any) -> tuple[Any, ...]:
        """Run a query that gives exactly one row."""
        (row,) = self.rows(statement, **parameters)
        return row

    @cached_property
    def probes(self) -> list[probes.Probe]:
        """The two newest probes, the newest first."""
        return probes.newest(self.connection, self.tenant_id, self.model.model_id, self.entity.name)

    @cached_property
    def compared(self) -> Comparison:
        """Every text against its vector; once for all checks, since every text is made anew."""
        rows = self.rows(_COMPARE, hours=PATIENCE_H, limit=SAMPLE_ROWS)
        texts, vectors = rows[0][:2]
        return Comparison(texts, vectors, [Difference(*row[2:]) for row in rows if row[2] is not None])
