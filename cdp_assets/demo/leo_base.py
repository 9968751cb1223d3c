"""The collections of a tenant's LEO at step 0: which entity is stored under which key.

Belongs here: keys, and the facts that a document takes from several entities (sales of a product, size of a segment).
Does not belong here: the documents themselves (`leo`, `leo_content`, `leo_profile`), later writes (`database`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from cdp_assets.demo.database import Base
from cdp_assets.demo.leo import Document, edge_document, edge_key, event_document, left_behind
from cdp_assets.demo.leo_content import feedback_document, product_document, segment_document
from cdp_assets.demo.leo_profile import profile_document
from cdp_assets.demo.model import Line, Model, Product, Profile, Purchase, Segment, batch_instant
from cdp_assets.demo.sizes import TenantSpec
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT


def _sorted(pairs: Iterable[tuple[str, Any]], collection: str) -> dict[str, Any]:
    ordered = sorted(pairs, key=itemgetter(0))
    entities = dict(ordered)
    if len(entities) != len(ordered):
        raise ValueError(f"two entities of {collection} have the same key hint")
    return entities


def _edges(model: Model) -> Iterable[tuple[str, tuple[str, Purchase, Line, bool]]]:
    for purchases in model.purchases_of.values():
        lines = [(purchase, line) for purchase in purchases for line in purchase.lines]
        merged = purchases[0].profile.merged_into is not None
        for position, (purchase, line) in enumerate(lines):
            key = edge_key(purchase, line)
            yield key, (key, purchase, line, merged and not left_behind(position, len(lines)))


def _last_sales(model: Model) -> tuple[dict[str, int], dict[str, datetime]]:
    sold: dict[str, int] = {}
    last: dict[str, datetime] = {}
    for purchase in model.purchases:
        for line in purchase.lines:
            key = line.product.key
            sold[key] = sold.get(key, 0) + 1
            last[key] = max(last.get(key, purchase.at), purchase.at)
    return sold, last


def base_collections(spec: TenantSpec, model: Model) -> dict[str, Base]:
    """Every collection of the tenant at step 0, to be rendered document by document."""
    sold, last = _last_sales(model)
    members: dict[str, int] = {}
    for profile in model.profiles:
        for membership in profile.memberships:
            members[membership.segment.key] = members.get(membership.segment.key, 0) + 1

    def profile_of(profile: Profile) -> Document:
        purchases = model.purchases_of.get(profile.key, [])
        return profile_document(spec, profile, purchases, model.events_of.get(profile.key, []))

    def product_of(product: Product) -> Document:
        updated = last.get(product.key, product.launched)
        return product_document(spec, product, sold.get(product.key, 0), updated)

    def segment_of(segment: Segment) -> Document:
        updated = batch_instant(0) if segment.status >= 0 else segment.created
        return segment_document(segment, members.get(segment.key, 0), updated)

    def keyed(entities: Sequence[Any]) -> dict[str, Any]:
        return _sorted(((entity.key, entity) for entity in entities), "the model")

    return {
        PROFILE: Base(keyed(model.profiles), profile_of),
        CONVERSION: Base(_sorted(_edges(model), CONVERSION), lambda edge: edge_document(*edge)),
        TRACKING_EVENT: Base(keyed(model.events), lambda event: event_document(spec, event)),
        SEGMENT: Base(keyed(model.segments), segment_of),
        PRODUCT_ITEM: Base(keyed(model.products), product_of),
        FEEDBACK: Base(keyed(model.reviews), lambda review: feedback_document(spec, review)),
    }
