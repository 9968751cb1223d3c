"""What happened, as LEO CDP stores it: conversion edges and tracking events.

Belongs here: the stamp of a stored document, and the two collections of facts with every attribute that LEO writes.
Does not belong here: profiles (`leo_profile`), products, segments and feedback (`leo_content`), later writes to
documents (`database`, `advance`), planted defects. Rendering draws nothing: what looks random is a digest of the key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.keys import digest, epoch_ms, fixed_id, friendly_id, hexadecimal, iso, revision
from cdp_assets.demo.model import Event, Line, Purchase
from cdp_assets.demo.sizes import TenantSpec
from cdp_assets.sources.model import CONVERSION, PRODUCT_ITEM, PROFILE, TRACKING_EVENT

Document = dict[str, Any]

JOURNEY = "id_default_journey"
PURCHASE_SCORE = 27
SEPARATOR = " ; "
"""Between the names in the `*AsStr` attributes."""

_STATUS_TEXTS = {
    "pending": ("pending", "PENDING", ""),
    "processing": ("processing", "paid"),
    "shipped": ("shipped", "đang giao hàng"),
    "completed": ("completed", "paid", "Completed", "đã giao hàng"),
    "cancelled": ("cancelled", "CANCELED", "đã hủy"),
    "refunded": ("refunded", "Refunded", "returned"),
}
"""The order's status -> the free texts that reach `transactionStatus`."""


def status_text(purchase: Purchase, status: str) -> str:
    """One of the texts of an order status, always the same one for an order."""
    texts = _STATUS_TEXTS[status]
    return texts[purchase.number % len(texts)]


def stamp(collection: str, key: str, body: Document, write: int = 0) -> Document:
    """A stored document: the three system attributes, then the body."""
    return {"_key": key, "_id": f"{collection}/{key}", "_rev": revision(collection, key, write), **body}


def edge_key(purchase: Purchase, line: Line) -> str:
    """Hash of value, metric, both ends, order and instant. A later merge moves `_from` and keeps the key."""
    hint = (float(line.value), purchase.metric, purchase.profile.key, line.product.key)
    return friendly_id("edge", *hint, purchase.transaction_id, epoch_ms(purchase.at))


def left_behind(position: int, edges: int) -> bool:
    """Whether LEO's move of a merged profile's edges forgets the one at `position` of `edges`."""
    return edges > 1 and position % 5 == 0


def edge_document(key: str, purchase: Purchase, line: Line, moved: bool) -> Document:
    """One order line. `moved`: the profile was merged and this edge went along, which sets `updatedAt`."""
    owner = purchase.profile.winner if moved else purchase.profile
    merged_at = purchase.profile.merged_at
    group = fixed_id("group", line.product.category.key)
    return stamp(
        CONVERSION,
        key,
        {
            "_from": f"{PROFILE}/{owner.key}",
            "_to": f"{PRODUCT_ITEM}/{line.product.key}",
            "eventMetricId": purchase.metric,
            "eventScore": PURCHASE_SCORE,
            "totalEvent": 0,
            "indexScore": 0,
            "quantity": line.quantity,
            "transactionId": purchase.transaction_id,
            "transactionValue": float(line.value),
            "currencyCode": purchase.currency,
            "assetGroupIds": [group],
            "segmentIds": [],
            "targetMediaUnitId": "",
            "createdAt": iso(purchase.at),
            "updatedAt": iso(merged_at if moved and merged_at is not None else purchase.at),
        },
    )


def ordered_item(spec: TenantSpec, line: Line, at: datetime, session: str) -> Document:
    """An order line as events and profiles embed it, with the order-independent facts of the product."""
    product = line.product
    return {
        "sessionKey": session,
        "key": product.key,
        "itemId": product.sku,
        "idType": "SKU",
        "productCode": product.sku.replace("SKU", "P"),
        "name": product.title,
        "description": "",
        "categoryName": product.category.english,
        "categoryId": product.category.key,
        "quantity": line.quantity,
        "originalPrice": float(product.list_price),
        "discount": float(product.list_price - line.price),
        "salePrice": float(line.price),
        "currency": product.currency,
        "couponCode": "",
        "storeId": "",
        "assetType": 2,
        "imageUrl": f"https://cdn.{spec.host}/{product.sku.lower()}.jpg",
        "videoUrl": "",
        "fullUrl": f"https://{spec.host}/{product.sku.lower()}",
        "source": spec.host,
        "createdAt": iso(at),
    }


def _order_attributes(spec: TenantSpec, purchase: Purchase | None, session: str) -> Document:
    """The order-level facts that only the tracking event has; zeros and blanks on any other event."""
    if purchase is None:
        number, status, payment, currency, address = "", "", "", "USD", {}
        lines: tuple[Line, ...] = ()
    else:
        number, status, payment = purchase.order_id, status_text(purchase, purchase.status), purchase.payment
        currency, lines = purchase.currency, purchase.lines
        address = {"city": purchase.profile.person.place.city} if purchase.shipping else {}
    discount = sum((line.product.list_price - line.price) * line.quantity for line in lines)
    return {
        "transactionId": number,
        "transactionValue": float(purchase.total) if purchase else 0.0,
        "transactionShippingValue": float(purchase.shipping) if purchase else 0.0,
        "transactionStatus": status,
        "transactionCode": 0,
        "transactionDiscount": float(discount),
        "transactionCurrency": currency,
        "transactionPayment": payment,
        "transactionTax": 0.0,
        "transactionShippingInfo": address,
        "orderedItems": [ordered_item(spec, line, purchase.at, session) for line in lines]
        if purchase
        else [],
    }


_JOURNEY_STAGE = {"page-view": 1, "content-view": 1, "item-view": 2, "search": 2}


def _event_data(event: Event, source: str) -> Document:
    data = {"utm_source": source} if source else {}
    return {**data, "keyword": event.query} if event.query else data


def event_document(spec: TenantSpec, event: Event) -> Document:
    """A tracking event; after a merge it points to the winner and is raw (`state` 0) again, `updatedAt` unmoved."""
    live = event.session is not None
    session = event.session.key if event.session else ""
    device = event.session.device if event.session else ""
    system, device_type, browser = words.DEVICE_FACTS.get(device, ("", "", ""))
    source = event.session.source if event.session else "pos-import"
    profile, owner = event.profile, event.profile.winner
    sku = event.product.sku if event.product else ""
    page = f"/{sku.lower()}" if sku else "/checkout" if event.purchase else "/"
    marks = digest("event", event.key)
    place = profile.person.place
    delay = timedelta(milliseconds=500 + marks[0] * 10)
    return stamp(
        TRACKING_EVENT,
        event.key,
        {
            "createdAt": iso(event.at),
            "updatedAt": iso(event.at + delay),
            "timestamp": epoch_ms(event.at) // 1000,
            "sessionKey": session,
            "isActiveTracked": live,
            "isConversion": event.purchase is not None,
            "isExperience": False,
            "observerId": fixed_id("observer", spec.name),
            "metricName": event.kind,
            "metricValue": 1,
            "message": "",
            "refProfileId": owner.key,
            "refVisitorId": hexadecimal("visitor", profile.key),
            "refJourneyId": JOURNEY,
            "journeyStage": 4 if event.purchase else _JOURNEY_STAGE.get(event.kind, 3),
            "srcTouchpointId": fixed_id("touchpoint", spec.name, page),
            "srcTouchpointHubId": fixed_id("hub", spec.name),
            "srcTouchpointName": "Checkout" if event.purchase else sku or "Home",
            "srcTouchpointUrl": f"https://{spec.host}{page}",
            "srcTouchpointHost": spec.host,
            "refTouchpointId": fixed_id("touchpoint", spec.name, source) if source else "",
            "refTouchpointHubId": "",
            "refTouchpointName": source,
            "refTouchpointUrl": "",
            "refTouchpointHost": "",
            "refCampaignId": "",
            "refContentId": "",
            "refItemId": sku,
            "refTicketId": "",
            "refDataSource": "" if live else source,
            "refFeedbackEventId": "",
            "browserName": browser,
            "fingerprintId": hexadecimal("fingerprint", profile.key, device) if live else "",
            "deviceId": friendly_id("device", profile.key, device) if live else "",
            "deviceOS": system,
            "deviceType": device_type,
            "deviceName": device,
            "sourceIP": f"113.161.{marks[1]}.{marks[2]}" if live else "",
            "locationCode": place.plus_code,
            "locationName": place.city,
            "locationAddress": "",
            "timeSpent": event.seconds,
            "srcEventKey": "",
            **_order_attributes(spec, event.purchase, session),
            "serviceItems": [],
            "tradingItems": [],
            "fraudScore": 0,
            "environment": "pro",
            "imageUrls": [],
            "videoUrls": [],
            "eventData": _event_data(event, source),
            "partitionId": 0,
            "state": 1 if owner is profile else 0,
            "rawJsonData": "",
        },
    )
