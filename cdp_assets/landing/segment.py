"""Contract of `cdp_segment`: one row of `cdp.segment` per segment definition."""

from __future__ import annotations

import dataframely as dy

from cdp_assets.landing import codes
from cdp_assets.landing.contract import Contract, Mapped, code_column, key_column, time_column
from cdp_assets.landing.values import Document, instant, integer, text
from cdp_assets.sources.model import SEGMENT
from cdp_assets.warehouse.options import TenantOptions


class Segment(dy.Schema):
    """One row per segment."""

    segment_id = key_column()
    name = dy.String(nullable=True)
    description = dy.String(nullable=True)
    segment_type = code_column(codes.SEGMENT_TYPE)
    status = code_column(codes.SEGMENT_STATUS)
    parent_id = dy.String(nullable=True)
    query_rules = dy.String(nullable=True)
    query_filter = dy.String(nullable=True)
    reported_size = dy.Int32(nullable=True, min=0)
    created_at = time_column()
    updated_at = time_column()


def map_segment(document: Document, options: TenantOptions) -> Mapped:
    """One segment document as a row. Names are not unique in LEO and may carry trailing blanks."""
    return Mapped(
        {
            "segment_id": document["_key"],
            "name": text(document, "name"),
            "description": text(document, "description"),
            "segment_type": codes.code(document, "type", codes.SEGMENT_TYPE, default=0),
            "status": codes.code(document, "status", codes.SEGMENT_STATUS, default=1),
            "parent_id": text(document, "parentId"),
            "query_rules": text(document, "jsonQueryRules", limit=1_000_000),
            "query_filter": text(document, "customQueryFilter", limit=1_000_000),
            "reported_size": integer(document, "totalCount"),
            "created_at": instant(document, "createdAt"),
            "updated_at": instant(document, "updatedAt"),
        }
    )


CONTRACT = Contract(
    collection=SEGMENT,
    table="segment",
    schema=Segment,
    map=map_segment,
    document_column="metadata",
    window_field="updatedAt",
    version="segment/2",
)
