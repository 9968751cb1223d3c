"""The words for what people do, the same in all datasets: canonical event types and the names that sources give them.

Belongs here: the vocabulary. Does not belong here: what a type is worth, or which types make a funnel.
"""

from __future__ import annotations

import polars as pl

EVENT_TYPES = (
    "view", "click", "wishlist", "add_to_cart", "remove_from_cart", "checkout_start", "purchase", "search",
    "session_start",
)  # fmt: skip
"""In the order of a visit's way to a purchase, then the rest."""

ALIASES = {
    "page_view": "view",
    "product_view": "view",
    "item_view": "view",
    "content_view": "view",
    "add_wishlist": "wishlist",
    "add_to_wishlist": "wishlist",
    "cart": "add_to_cart",
    "addtocart": "add_to_cart",
    "checkout": "checkout_start",
    "order_checkout": "checkout_start",
    "buy": "purchase",
    "transaction": "purchase",
    "order": "purchase",
}
"""Other names, in lower case with underscores -> canonical type."""

EventType = pl.Enum(EVENT_TYPES)


def canonical(event_type: pl.Expr) -> pl.Expr:
    """The canonical type (`EventType`) of a source's name, in whatever case, with - or _; null for unknown names."""
    names = {**dict(zip(EVENT_TYPES, EVENT_TYPES, strict=True)), **ALIASES}
    return (
        event_type.str.to_lowercase()
        .str.replace_all("-", "_", literal=True)
        .replace_strict(names, default=None, return_dtype=EventType)
    )
