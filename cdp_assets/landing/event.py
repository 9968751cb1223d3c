"""Contract of `cdp_trackingevent`: one row of `cdp.tracking_event` per event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dataframely as dy

from cdp_assets.landing import codes
from cdp_assets.landing.contract import (
    Contract,
    Mapped,
    amount_column,
    code_column,
    key_column,
    time_column,
)
from cdp_assets.landing.values import (
    INT64,
    Document,
    FieldError,
    boolean,
    currency,
    decimal,
    instant,
    integer,
    order_number,
    required_instant,
    required_text,
    text,
    web_address,
)
from cdp_assets.sources.model import TRACKING_EVENT
from cdp_assets.vocabulary.order_statuses import STATUSES, order_status
from cdp_assets.warehouse.options import TenantOptions

FUTURE_TOLERANCE = timedelta(days=1)
"""Browsers' clocks run ahead by hours; more than a day ahead of the warehouse is a wrong time, not a skew."""


class TrackingEvent(dy.Schema):
    """One row per tracking event."""

    event_id = key_column()
    cdp_profile_id = dy.String(nullable=True, max_length=254)
    source_profile_id = dy.String(nullable=True, max_length=254)
    visitor_id = dy.String(nullable=True)
    session_key = dy.String(nullable=True)
    event_name = dy.String(nullable=False, min_length=1)
    event_at = time_column(nullable=False)
    event_value = dy.Int64(nullable=True)
    is_live = dy.Bool(nullable=False)
    is_conversion = dy.Bool(nullable=False)
    journey_id = dy.String(nullable=True)
    touchpoint_name = dy.String(nullable=True)
    touchpoint_url = dy.String(nullable=True)
    touchpoint_host = dy.String(nullable=True)
    item_id = dy.String(nullable=True)
    content_id = dy.String(nullable=True)
    campaign_id = dy.String(nullable=True)
    device_type = dy.String(nullable=True)
    device_os = dy.String(nullable=True)
    browser = dy.String(nullable=True)
    time_spent_s = dy.Int32(nullable=True)
    transaction_id = dy.String(nullable=True)
    transaction_value = amount_column()
    currency = dy.String(nullable=True, regex=r"^[A-Z]{3}$")
    transaction_status = dy.String(nullable=True)
    order_status = dy.Enum(sorted(status.name for status in STATUSES), nullable=True)
    state = code_column(codes.EVENT_STATE)
    environment = dy.String(nullable=True)
    updated_at = time_column()


def map_event(document: Document, options: TenantOptions) -> Mapped:
    """One tracking event as a row. event_at is `createdAt`: `timestamp` holds the same time in whole seconds."""
    profile = text(document, "refProfileId", limit=254)
    status = text(document, "transactionStatus")
    value = decimal(document, "transactionValue")
    event_at = required_instant(document, "createdAt")
    if event_at > datetime.now(UTC) + FUTURE_TOLERANCE:
        raise FieldError("createdAt", f"{document['createdAt']!r} lies in the future")
    return Mapped(
        {
            "event_id": document["_key"],
            "cdp_profile_id": profile,
            "source_profile_id": profile,
            "visitor_id": text(document, "refVisitorId"),
            "session_key": text(document, "sessionKey"),
            "event_name": required_text(document, "metricName", limit=254),
            "event_at": event_at,
            "event_value": integer(document, "metricValue", low=-INT64, high=INT64),
            "is_live": boolean(document, "isActiveTracked"),
            "is_conversion": boolean(document, "isConversion"),
            "journey_id": text(document, "refJourneyId"),
            "touchpoint_name": text(document, "srcTouchpointName"),
            "touchpoint_url": web_address(document, "srcTouchpointUrl"),
            "touchpoint_host": text(document, "srcTouchpointHost"),
            "item_id": text(document, "refItemId"),
            "content_id": text(document, "refContentId"),
            "campaign_id": text(document, "refCampaignId"),
            "device_type": text(document, "deviceType"),
            "device_os": text(document, "deviceOS"),
            "browser": text(document, "browserName"),
            "time_spent_s": integer(document, "timeSpent"),
            "transaction_id": order_number(document, "transactionId"),
            "transaction_value": value,
            "currency": currency(
                document, "transactionCurrency", default=options.default_currency if value else None
            ),
            "transaction_status": status,
            "order_status": order_status(status),
            "state": codes.code(document, "state", codes.EVENT_STATE, default=0),
            "environment": text(document, "environment"),
            "updated_at": instant(document, "updatedAt"),
        }
    )


CONTRACT = Contract(
    collection=TRACKING_EVENT,
    table="tracking_event",
    schema=TrackingEvent,
    map=map_event,
    document_column="metadata",
    window_field="updatedAt",
    version="event/2",
    ordered=frozenset({"orderedItems", "serviceItems", "tradingItems", "imageUrls", "videoUrls"}),
    insert_only=frozenset({"cdp_profile_id"}),
    resolve="cdp.resolve_events",
)
