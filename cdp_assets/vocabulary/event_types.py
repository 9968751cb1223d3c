"""Types of events: ours, and the names that LEO, shop systems and analytics tools have for them.

Belongs here: the names. Does not belong here: what a type is worth, or which types make a funnel.
"""

from __future__ import annotations

from functools import lru_cache

from cdp_assets.vocabulary.spelling import key

EVENT_TYPES = (
    "view", "click", "wishlist", "add_to_cart", "remove_from_cart", "checkout_start", "purchase", "search",
    "session_start", "refund", "login", "sign_up", "subscribe", "contact", "review", "share", "video",
    "campaign_click", "engagement",
)  # fmt: skip
"""In the order of a visit's way to a purchase, then the rest."""

ON_THE_WAY = frozenset(EVENT_TYPES[: EVENT_TYPES.index("refund") + 1])
"""Types that say where on the way to an order somebody is. The others may be what a business lives from: LEO counts a
subscription or a loan as a conversion where the customer has told it so."""

LEO_NAMES: dict[str, str] = {
    "page-view": "view", "content-view": "view", "item-view": "view", "search": "search",
    "add-wishlist": "wishlist", "add-to-cart": "add_to_cart", "remove-from-cart": "remove_from_cart",
    "order-checkout": "checkout_start", "purchase-intent": "checkout_start",
    "purchase": "purchase", "first-purchase": "purchase", "repurchase": "purchase", "made-payment": "purchase",
    "subscribe": "subscribe", "enroll": "subscribe", "approve-loan": "subscribe",
    "user-login": "login", "register-account": "sign_up", "submit-contact": "contact", "ask-question": "contact",
    "play-video": "video", "email-click": "campaign_click", "sms-click": "campaign_click",
    "notification-click": "campaign_click", "short-link-click": "campaign_click", "qr-code-scan": "campaign_click",
    "submit-feedback-form": "review", "submit-rating-form": "review", "submit-ces-form": "review",
    "submit-csat-form": "review", "submit-nps-form": "review", "product-review": "review",
    "service-review": "review", "product-feedback": "review", "negative-feedback": "review",
    "positive-feedback": "review", "recommend": "share",
}  # fmt: skip
"""Names of LEO's own event metrics -> our type."""

LEO_CONVERSIONS = (
    "purchase", "first-purchase", "repurchase", "made-payment", "subscribe", "enroll", "approve-loan",
)  # fmt: skip
"""LEO's metrics of which it writes conversion edges and sets `isConversion`, unless told otherwise."""

NAMES: dict[str, tuple[str, ...]] = {
    "view": (
        "page", "screen", "screen view", "pageview", "viewed page", "product view", "product viewed",
        "viewed product", "view product", "product detail view", "detail",
        "view_item", "view_item_list", "view_promotion",  # GA4
        "Product List Viewed", "Product List Filtered", "Promotion Viewed",  # Segment
        "ViewContent", "ViewCategory", "fb_mobile_content_view",  # Meta
        "trackPageView", "setEcommerceView", "ecommerceView",  # Matomo
        "page_viewed", "collection_viewed", "product_page_view",  # Shopify
        "view_content", "view_category", "browse product",
        "xem trang", "xem sản phẩm", "xem hàng",
    ),
    "click": (
        "select_item", "select_content", "select_promotion", "Product Clicked", "Promotion Clicked", "clicked",
        "item click", "product click", "trackLink", "link click", "nhấp", "bấm",
    ),
    "wishlist": (
        "add_to_wishlist", "Product Added to Wishlist", "AddToWishlist", "fb_mobile_add_to_wishlist",
        "wishlist added", "favorite", "favourite", "add to favorites", "yêu thích", "thêm vào yêu thích",
    ),
    "add_to_cart": (
        "cart", "Product Added", "Added Product", "Added to Cart", "product added to cart", "item added to cart",
        "add cart", "add to basket", "add to bag", "cart add", "fb_mobile_add_to_cart", "addEcommerceItem",
        "Wishlist Product Added to Cart", "gtm4wp.addProductToCartEEC",
        "thêm vào giỏ", "thêm vào giỏ hàng", "thêm giỏ hàng",
    ),
    "remove_from_cart": (
        "Product Removed", "Removed Product", "product removed from cart", "removed from cart",
        "item removed from cart", "remove cart", "remove from basket", "removeEcommerceItem",
        "gtm4wp.removeFromCartEEC", "xóa khỏi giỏ hàng", "bỏ khỏi giỏ hàng", "xóa khỏi giỏ",
    ),
    "checkout_start": (
        "checkout", "begin_checkout", "start checkout", "started checkout", "initiate checkout", "checkout started",
        "add_shipping_info", "add_payment_info", "AddPaymentInfo", "fb_mobile_initiated_checkout",
        "fb_mobile_add_payment_info", "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered",
        "payment_info_submitted", "checkout_shipping_info_submitted", "checkout_address_info_submitted",
        "checkout_contact_info_submitted", "gtm4wp.checkoutStepEEC", "thanh toán", "bắt đầu thanh toán",
    ),
    "purchase": (
        "buy", "bought", "purchased", "order", "transaction", "order placed", "placed order", "place order",
        "place an order", "order created", "order paid", "ordered product", "payment completed", "payment success",
        "complete payment", "made payment",
        "in_app_purchase", "ecommerce_purchase",  # GA4
        "Order Completed", "Completed Order",  # Segment
        "fb_mobile_purchase",  # Meta
        "ecommerceOrder", "trackEcommerceOrder",  # Matomo
        "checkout_completed", "orders/create", "orders/paid",  # Shopify
        "gtm4wp.orderCompletedEEC",
        "mua hàng", "đã mua hàng", "đặt hàng", "đặt hàng thành công", "thanh toán thành công",
    ),
    "search": (
        "view_search_results", "Products Searched", "searched", "search submitted", "site search",
        "trackSiteSearch", "fb_mobile_search", "tìm kiếm",
    ),
    "session_start": ("first_visit", "first_open", "app open", "Application Opened", "session started"),
    "refund": (
        "refunded", "Order Refunded", "order_cancelled", "Order Canceled", "refunds/create", "orders/cancelled",
        "hoàn tiền", "trả hàng", "hủy đơn hàng",
    ),
    "login": ("logged in", "signed in", "sign in", "user login", "đăng nhập"),
    "sign_up": (
        "signed up", "CompleteRegistration", "fb_mobile_complete_registration", "account created", "registered",
        "register", "customer created", "user registered", "đăng ký", "đăng ký tài khoản",
    ),
    "subscribe": ("subscribed", "newsletter sign-up", "start trial", "StartTrial", "đăng ký nhận tin"),
    "contact": ("generate_lead", "lead", "contacted", "contact form", "submit form", "form_submit", "liên hệ"),
    "review": ("Product Reviewed", "review submitted", "rate", "fb_mobile_rate", "rating", "đánh giá"),
    "share": ("Product Shared", "Cart Shared", "shared", "chia sẻ"),
    "video": (
        "video_start", "video_progress", "video_complete", "video played", "Video Playback Started",
        "Video Playback Completed", "xem video",
    ),
    "campaign_click": (
        "email clicked", "Email Link Clicked", "clicked email", "clicked sms", "Push Notification Tapped",
        "notification_open", "qr scan", "quét mã",
    ),
    "engagement": (
        "user_engagement", "scroll", "heartbeat", "ping", "time on page", "page_leave", "file_download",
        "form_start", "cart_viewed", "view_cart", "Cart Viewed",
    ),
}  # fmt: skip
"""Our type -> the names that others have, as they write them."""

ALIASES: dict[str, str] = {
    key(name): event_type
    for event_type in EVENT_TYPES
    for name in (
        event_type,
        *NAMES.get(event_type, ()),
        *(name for name, meant in LEO_NAMES.items() if meant == event_type),
    )
}
"""Key of a name (`spelling.key`) -> our type."""


@lru_cache(maxsize=4096)
def event_type(name: str | None) -> str | None:
    """Our type of a source's name, however it is spelt; null for names that are not here."""
    return None if name is None else ALIASES.get(key(name))
