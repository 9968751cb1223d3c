"""What is embedded: five entities, each with its table, its key and the columns that tell a person which row it is.

Belongs here: names. The text of an entity is a view of the warehouse, `embedding.<entity>_text`, so that a trigger
can tell in the same transaction whether it changed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of thing that has vectors.

    Attributes:
        name: as in `embedding.job.entity`.
        source: relation whose rows it is.
        key: that relation's key, after tenant_id.
        label: SQL expression over the relation (alias `e`) that shows a row to a person without naming anyone.
        quote: the same, of free text that a person wrote: for who asks for it, never for a page that all can see.
    """

    name: str
    source: str
    key: str
    label: str
    quote: str = "null"

    @property
    def table(self) -> str:
        """Name of its vector table in schema `embedding`."""
        return f"{self.name}_embedding"


PROFILE = Entity(
    "profile",
    "cdp.customer_profile",
    "cdp_profile_id",
    # a number in a city is that of a house
    "concat_ws(', ', e.profile_type, case when e.city !~ '[0-9]' then e.city end, e.age_group, e.funnel_stage)",
)
TRANSACTION = Entity(
    "transaction",
    "cdp.transactional_context",
    "txn_id",
    "concat_ws(' ', e.txn_type, trim_scale(e.amount), e.currency, to_char(e.txn_timestamp, 'YYYY-MM-DD'))",
)
PRODUCT = Entity(
    "product", "cdp.product_item", "product_key", "concat_ws(', ', e.title, e.brand, e.category)"
)
REVIEW = Entity(
    "review",
    "cdp.feedback",
    "feedback_id",
    "concat_ws(', ', e.feedback_type, 'score ' || trim_scale(e.score), e.language)",
    quote="left(embedding.redacted(e.comment), 60)",
)
MARKETING_EVENT = Entity(
    "marketing_event",
    "activation.marketing_event",
    "marketing_event_id",
    "concat_ws(', ', e.name, e.channel, e.status)",
)

ENTITIES: dict[str, Entity] = {
    entity.name: entity for entity in (PROFILE, TRANSACTION, PRODUCT, REVIEW, MARKETING_EVENT)
}
