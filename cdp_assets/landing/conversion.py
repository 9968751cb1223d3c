"""Contract of `cdp_profile2conversion`: one row of `cdp.transactional_context` per edge, that is per purchased line."""

from __future__ import annotations

from decimal import Decimal

import dataframely as dy

from cdp_assets.landing.contract import (
    Contract,
    Mapped,
    amount_column,
    key_column,
    time_column,
)
from cdp_assets.landing.values import (
    Document,
    currency,
    decimal,
    handle,
    instant,
    integer,
    order_number,
    required_instant,
    text,
)
from cdp_assets.sources.model import CONVERSION, PRODUCT_ITEM, PROFILE
from cdp_assets.warehouse.options import TenantOptions


class TransactionalContext(dy.Schema):
    """One row per purchased line."""

    txn_id = key_column()
    transaction_id = dy.String(nullable=True)
    cdp_profile_id = dy.String(nullable=False, max_length=254)
    source_profile_id = dy.String(nullable=False, max_length=254)
    product_key = dy.String(nullable=False, max_length=254)
    txn_type = dy.String(nullable=False, min_length=1)
    txn_timestamp = time_column(nullable=False)
    amount = amount_column(nullable=False)
    currency = dy.String(nullable=False, regex=r"^[A-Z]{3}$")
    quantity = dy.Int32(nullable=False)
    updated_at = time_column()


def map_conversion(document: Document, options: TenantOptions) -> Mapped:
    """One conversion edge as a row. amount is quantity times price of this line, not the order's total."""
    profile = handle(document, "_from", PROFILE)
    return Mapped(
        {
            "txn_id": document["_key"],
            "transaction_id": order_number(document, "transactionId"),
            "cdp_profile_id": profile,
            "source_profile_id": profile,
            "product_key": handle(document, "_to", PRODUCT_ITEM),
            "txn_type": text(document, "eventMetricId") or "transaction",
            "txn_timestamp": required_instant(document, "createdAt"),
            "amount": decimal(document, "transactionValue", default=Decimal(0)),
            "currency": currency(document, "currencyCode", default=options.default_currency),
            "quantity": integer(document, "quantity", default=0),
            "updated_at": instant(document, "updatedAt"),
        }
    )


CONTRACT = Contract(
    collection=CONVERSION,
    table="transactional_context",
    schema=TransactionalContext,
    map=map_conversion,
    document_column="context_data",
    window_field="updatedAt",
    version="conversion/2",
    insert_only=frozenset({"cdp_profile_id"}),
    resolve="cdp.resolve_transactions",
)
