"""LEO documents with no more in them than their contract needs, for tests that say themselves what matters.

Belongs here: one good document of each collection, and many that are alike. Does not belong here: realistic ones
(`cdp_assets.demo`), bad ones (`bad_documents`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_assets.sources import aql
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT

Document = dict[str, Any]

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""Time of the documents that the functions below make, unless a test names one."""


def iso(moment: datetime) -> str:
    return aql.instant_text(moment)


def at(**delta: float) -> str:
    """LEO's text for a moment after `BEGIN`."""
    return iso(BEGIN + timedelta(**delta))


def profile(key: str, **fields: Any) -> Document:
    times = {"createdAt": at(), "updatedAt": at()}
    return {"_key": key, "status": 1, "primaryEmail": f"{key.lower()}@example.com", **times, **fields}


def segment(key: str, **fields: Any) -> Document:
    return {"_key": key, "name": key, "type": 1, "status": 1, "createdAt": at(), "updatedAt": at(), **fields}


def product(key: str, **fields: Any) -> Document:
    times = {"createdAt": at(), "updatedAt": at()}
    return {"_key": key, "productId": key, "salePrice": 9.5, "status": 9, **times, **fields}


def edge(key: str, owner: str, **fields: Any) -> Document:
    ends = {"_from": f"{PROFILE}/{owner}", "_to": f"{PRODUCT_ITEM}/sku"}
    order = {"transactionId": f"order-{key}", "transactionValue": 19.9, "currencyCode": "USD", "quantity": 1}
    return {"_key": key, **ends, **order, "createdAt": at(), "updatedAt": at(), **fields}


def event(key: str, owner: str, **fields: Any) -> Document:
    times = {"createdAt": at(), "updatedAt": at()}
    return {
        "_key": key,
        "refProfileId": owner,
        "metricName": "page-view",
        "metricValue": 1,
        **times,
        **fields,
    }


def feedback(key: str, owner: str, **fields: Any) -> Document:
    said = {"feedbackType": "RATING", "feedbackScore": 4.5, "comment": "good"}
    return {"_key": key, "refProfileId": owner, **said, "createdAt": at(), **fields}


def members_of(*segments: str) -> list[Document]:
    return [{"id": name, "name": name} for name in segments]


MAKE: dict[str, Callable[..., Document]] = {
    CONVERSION: edge, FEEDBACK: feedback, PRODUCT_ITEM: product, PROFILE: profile, SEGMENT: segment,
    TRACKING_EVENT: event,
}  # fmt: skip


def some(collection: str, count: int, *, prefix: str = "k", **fields: Any) -> list[Document]:
    """So many documents of one collection, all alike but for their keys."""
    owned = collection in {CONVERSION, FEEDBACK, TRACKING_EVENT}
    keys = [f"{prefix}{number:05}" for number in range(count)]
    return [
        MAKE[collection](key, f"p-{key}", **fields) if owned else MAKE[collection](key, **fields)
        for key in keys
    ]
