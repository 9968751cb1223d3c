"""Contract of `cdp_productitem`: one row of `cdp.product_item` per item."""

from __future__ import annotations

import dataframely as dy

from cdp_assets.landing import codes
from cdp_assets.landing.contract import (
    Contract,
    Mapped,
    amount_column,
    code_column,
    key_column,
    time_column,
    words_column,
)
from cdp_assets.landing.values import Document, currency, decimal, instant, text, texts
from cdp_assets.sources.model import PRODUCT_ITEM
from cdp_assets.warehouse.options import TenantOptions


class ProductItem(dy.Schema):
    """One row per product item."""

    product_key = key_column()
    item_id = dy.String(nullable=True)
    id_type = dy.String(nullable=True)
    product_code = dy.String(nullable=True)
    title = dy.String(nullable=True)
    description = dy.String(nullable=True)
    category_id = dy.String(nullable=True)
    category = dy.String(nullable=True)
    brand = dy.String(nullable=True)
    keywords = words_column()
    original_price = amount_column()
    sale_price = amount_column()
    currency = dy.String(nullable=True, regex=r"^[A-Z]{3}$")
    availability = dy.String(nullable=True)
    status = code_column(codes.ASSET_STATUS)
    url = dy.String(nullable=True)
    image_url = dy.String(nullable=True)
    created_at = time_column()


def map_product(document: Document, options: TenantOptions) -> Mapped:
    """One product document as a row."""
    return Mapped(
        {
            "product_key": document["_key"],
            "item_id": text(document, "productId"),
            "id_type": text(document, "productIdType"),
            "product_code": text(document, "productCode"),
            "title": text(document, "title"),
            "description": text(document, "description"),
            "category_id": text(document, "categoryId"),
            "category": text(document, "categoryName"),
            "brand": text(document, "brand"),
            "keywords": texts(document, "keywords"),
            "original_price": decimal(document, "originalPrice"),
            "sale_price": decimal(document, "salePrice"),
            "currency": currency(document, "priceCurrency", default=options.default_currency),
            "availability": text(document, "availability"),
            "status": codes.code(document, "status", codes.ASSET_STATUS, default=0),
            "url": text(document, "fullUrl"),
            "image_url": text(document, "headlineImageUrl"),
            "created_at": instant(document, "createdAt"),
        }
    )


CONTRACT = Contract(
    collection=PRODUCT_ITEM,
    table="product_item",
    schema=ProductItem,
    map=map_product,
    document_column="metadata",
    window_field="updatedAt",
    version="product/2",
    # LEO re-saves an item at every purchase of it: its times and counters move although nothing about it changed.
    drop=frozenset(
        {
            "updatedAt",
            "modificationTime",
            "viewCount",
            "clickCount",
            "transactionCount",
            "shareCount",
            "feedbackCount",
            "reactionReportUnits",
            "rankingScore",
        }
    ),
)
