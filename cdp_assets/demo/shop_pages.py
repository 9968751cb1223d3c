"""What customers do on the shop's pages: reviews, and the shop's own log of events.

Belongs here: rows rendered from the model's reviews and events. Does not belong here: who has an account
(`shop_people`). The log keeps a third of the visits that LEO tracks, in words of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from cdp_assets.demo.keys import hexadecimal
from cdp_assets.demo.model import Event, Review
from cdp_assets.demo.shop_schema import EventRow, ReviewRow
from cdp_assets.demo.shop_state import Shop
from cdp_assets.vocabulary.event_types import ALIASES, NAMES
from cdp_assets.vocabulary.spelling import key

_LOGGED_SHARE = 1 / 3
_REVIEW_SHARE = 0.7
_EVENT_TYPES = {
    "page-view": "page_view",
    "item-view": "product_view",
    "search": "search",
    "add-to-cart": "add_to_cart",
    "remove-from-cart": "remove_from_cart",
    "order-checkout": "checkout",
}
"""LEO's metric -> the shop's word; of the others the shop logs purchases only."""
_TITLES = {1: "Rất tệ", 2: "Không hài lòng", 3: "Tạm được", 4: "Hài lòng", 5: "Tuyệt vời"}


def write_reviews(shop: Shop, reviews: Iterable[Review]) -> None:
    """Reviews of products by people with an account, but for some that were given elsewhere."""
    for review in sorted(reviews, key=lambda review: (review.at, review.key)):
        accounts = shop.accounts.get(review.profile.person.number)
        product = review.product and shop.product_of.get(review.product.key)
        if accounts and product and shop.chance(_REVIEW_SHARE, "review", review.key):
            at = shop.local(review.at)
            shop.reviews.add(
                ReviewRow(
                    id=shop.reviews.new_id(),
                    created_at=at,
                    updated_at=at,
                    product_id=product,
                    customer_id=accounts[0],
                    rating=review.rating,
                    title=_TITLES[review.rating] if review.language.startswith("vi") else None,
                    comment=review.text or None,
                )
            )


def log_events(shop: Shop, events: Iterable[Event]) -> None:
    """Events of the visits that the shop logs."""
    for event in sorted(events, key=lambda event: (event.at, event.key)):
        kind = "purchase" if event.purchase else _EVENT_TYPES.get(event.kind)
        session = event.session
        if kind and session and shop.chance(_LOGGED_SHARE, "visit", session.key):
            accounts = shop.accounts.get(event.profile.person.number)
            at = shop.local(event.at)
            page = event.product.sku.lower() if event.product else "checkout" if event.purchase else ""
            shop.events.add(
                EventRow(
                    id=shop.events.new_id(),
                    created_at=at + timedelta(seconds=1),
                    updated_at=at + timedelta(seconds=1),
                    customer_id=accounts[0] if accounts else None,
                    visitor_id=hexadecimal("visitor", event.profile.key),
                    session_id=session.key,
                    event_type=_word(shop, kind),
                    product_id=shop.product_of.get(event.product.key) if event.product else None,
                    order_id=shop.order_of.get(event.purchase.order_id) if event.purchase else None,
                    event_time=at,
                    url=f"https://{shop.spec.host}/{page}",
                )
            )


def _word(shop: Shop, kind: str) -> str:
    """How the shop names a type of events. A shop of many tools uses every name that one of them has, in turn."""
    if not shop.spec.many_words:
        return kind
    meant = ALIASES[key(kind)]
    names = (kind, *NAMES[meant])
    turn = shop.words[meant] = shop.words.get(meant, -1) + 1
    return names[turn % len(names)]
