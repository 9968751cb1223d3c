"""Segments of a tenant and who belongs to them.

Belongs here: the definitions, their rules as predicates over a profile's history, materialised membership. Does not
belong here: the references in profile documents (`leo_profile`) and their silent changes (`day_segments`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cdp_assets.demo.dice import Dice
from cdp_assets.demo.keys import friendly_id
from cdp_assets.demo.model import WORLD_END, WORLD_START, Membership, Profile, Purchase, Segment
from cdp_assets.demo.sizes import TenantSpec

DELETED_PREFIX = "[DELETED] "


@dataclass(frozen=True, slots=True)
class Definition:
    """A segment to be made: its attributes, and the rule as text and as predicate."""

    name: str
    description: str
    kind: int
    status: int
    field: str
    operator: str
    value: object
    holds: Callable[[Profile, Sequence[Purchase]], bool]


def _recent(purchases: Sequence[Purchase], days: int) -> bool:
    return bool(purchases) and purchases[-1].at >= WORLD_END - timedelta(days=days)


# Happy Customers twice (names are not unique), one name with a trailing blank, one segment deleted, one used by a
# campaign (2), one kept for reports (0), legacy kinds 4 and 9.
DEFINITIONS: tuple[Definition, ...] = (
    Definition("First-time Customers", "profiles with exactly one purchase", 1, 1, "funnelStage", "equal",
               "new-customer", lambda profile, purchases: len(purchases) == 1),
    Definition("Happy Customers", "at least three purchases", 1, 1, "totalTransactionValue", "greater", 0,
               lambda profile, purchases: len(purchases) >= 3),
    Definition("Happy Customers", "bought within 90 days", 1, 1, "lastPurchaseEvent.createdAt", "greater", "90 days",
               lambda profile, purchases: _recent(purchases, 90)),
    Definition("Newsletter ", "agreed to e-mail", 4, 2, "receiveEmail", "equal", 1,
               lambda profile, purchases: profile.consent.email == 1),
    Definition("Khách hàng Việt Nam", "Vietnamese-speaking people with a contact", 2, 1, "primaryLanguage", "equal",
               "vi", lambda profile, purchases: profile.person.language == "vi" and bool(profile.email)),
    Definition("Inactive buyers", "no purchase within 180 days", 9, 0, "lastPurchaseEvent.createdAt", "less",
               "180 days", lambda profile, purchases: bool(purchases) and not _recent(purchases, 180)),
    Definition("VIP", "labelled by the sales team", 0, 1, "dataLabels", "contains", "VIP",
               lambda profile, purchases: "VIP" in profile.labels),
    Definition("Spring campaign", "one-off audience, removed after use", 2, -4, "type", "equal", 2,
               lambda profile, purchases: False),
    Definition("Visitors", "anonymous visitors", 1, 1, "type", "equal", 0,
               lambda profile, purchases: profile.kind == 0),
)  # fmt: skip


def draw_segments(spec: TenantSpec, seed: int) -> list[Segment]:
    """One segment per definition; the first has the same `_key` in every tenant."""
    segments = []
    for number, definition in enumerate(DEFINITIONS):
        name = DELETED_PREFIX + definition.name if definition.status == -4 else definition.name
        segments.append(
            Segment(
                key=friendly_id("segment", seed, spec.name if number else "shared", number),
                name=name,
                description=definition.description,
                kind=definition.kind,
                status=definition.status,
                rule=rule_text(definition.field, definition.operator, definition.value),
                created=WORLD_START + timedelta(days=7 * number),
                score=number + 1,
            )
        )
    return segments


def rule_text(field: str, operator: str, value: object) -> str:
    """`jsonQueryRules` as the query builder of LEO writes it."""
    kind = "string" if isinstance(value, str) else "integer"
    rule = {"id": field, "field": field, "type": kind, "operator": operator, "value": value}
    return json.dumps({"condition": "AND", "rules": [rule], "valid": True}, separators=(",", ":"))


def join_segments(
    profiles: Sequence[Profile],
    purchases_of: dict[str, list[Purchase]],
    segments: Sequence[Segment],
    dice: Dice,
) -> None:
    """Materialises membership in active profiles.

    Nearly half of the references come from the hourly refresh, which writes no `type` and leaves `inSegmentsAsStr` as
    it was: stale.
    """
    for profile in profiles:
        if profile.status != 1:
            continue
        purchases = purchases_of.get(profile.key, [])
        for segment, definition in zip(segments, DEFINITIONS, strict=True):
            if definition.holds(profile, purchases):
                profile.memberships.append(Membership(segment, typed=dice.chance(0.55)))
