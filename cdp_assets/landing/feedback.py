"""Contract of `cdp_feedbackdata`: one row of `cdp.feedback` per review, rating, survey or contact form."""

from __future__ import annotations

import dataframely as dy

from cdp_assets.landing import codes
from cdp_assets.landing.contract import Contract, Mapped, code_column, key_column, time_column
from cdp_assets.landing.values import (
    Document,
    FieldError,
    decimal,
    required_instant,
    required_text,
    text,
    web_address,
)
from cdp_assets.sources.model import FEEDBACK
from cdp_assets.warehouse.options import TenantOptions

NO_SCORE = -1
"""`feedbackScore` of a document that carries no rating."""


class Feedback(dy.Schema):
    """One row per feedback document."""

    feedback_id = key_column()
    cdp_profile_id = dy.String(nullable=True, max_length=254)
    source_profile_id = dy.String(nullable=True, max_length=254)
    visitor_id = dy.String(nullable=True)
    product_key = dy.String(nullable=True, max_length=254)
    content_id = dy.String(nullable=True)
    feedback_type = dy.String(nullable=False, min_length=1)
    event_name = dy.String(nullable=True)
    status = code_column(codes.FEEDBACK_STATUS)
    score = dy.Decimal(6, 2, nullable=True)
    comment = dy.String(nullable=True)
    language = dy.String(nullable=True, max_length=35)
    touchpoint_name = dy.String(nullable=True)
    touchpoint_url = dy.String(nullable=True)
    created_at = time_column(nullable=False)


def map_feedback(document: Document, options: TenantOptions) -> Mapped:
    """One feedback document as a row. LEO stores no change time here, so its windows go by `createdAt`."""
    profile = text(document, "refProfileId", limit=254)
    score = decimal(document, "feedbackScore", places="0.01")
    if score is not None and not NO_SCORE <= score <= 10:
        raise FieldError("feedbackScore", f"{score} is outside 0 to 10")
    return Mapped(
        {
            "feedback_id": document["_key"],
            "cdp_profile_id": profile,
            "source_profile_id": profile,
            "visitor_id": text(document, "refVisitorId"),
            "product_key": text(document, "refProductItemId", limit=254),
            "content_id": text(document, "refContentItemId"),
            "feedback_type": required_text(document, "feedbackType", limit=64),
            "event_name": text(document, "eventName"),
            "status": codes.code(document, "status", codes.FEEDBACK_STATUS, default=1),
            "score": None if score == NO_SCORE else score,
            "comment": text(document, "comment"),
            "language": text(document, "language"),
            "touchpoint_name": text(document, "touchpointName"),
            "touchpoint_url": web_address(document, "touchpointUrl"),
            "created_at": required_instant(document, "createdAt"),
        }
    )


CONTRACT = Contract(
    collection=FEEDBACK,
    table="feedback",
    schema=Feedback,
    map=map_feedback,
    document_column="metadata",
    window_field="createdAt",
    version="feedback/2",
    insert_only=frozenset({"cdp_profile_id"}),
    resolve="cdp.resolve_feedback",
)
