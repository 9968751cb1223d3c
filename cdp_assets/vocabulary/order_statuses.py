"""States of an order: ours, what follows from each, and the words that LEO and shop systems have for them.

Belongs here: the words. A word is here when its system says plainly what it means; one that means different things in
different systems is here only if it can be read without counting money that nobody paid. All others are unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cdp_assets.vocabulary.spelling import key

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Status:
    """What is true of an order in a state.

    Attributes:
        is_open: something is still to be done for it.
        is_revenue: the seller accepted it, and the money was not given back.
    """

    name: str
    is_open: bool
    is_revenue: bool


STATUSES = (
    Status("pending", is_open=True, is_revenue=False),
    Status("processing", is_open=True, is_revenue=True),
    Status("shipped", is_open=True, is_revenue=True),
    Status("completed", is_open=False, is_revenue=True),
    Status("cancelled", is_open=False, is_revenue=False),
    Status("refunded", is_open=False, is_revenue=False),
    Status(UNKNOWN, is_open=False, is_revenue=False),
)
"""In the order of an order's life."""

_WOOCOMMERCE = {
    "pending": "pending", "checkout-draft": "pending", "draft": "pending", "auto-draft": "pending",
    "on-hold": "pending", "processing": "processing", "completed": "completed", "cancelled": "cancelled",
    "failed": "cancelled", "trash": "cancelled", "refunded": "refunded",
}  # fmt: skip
"""WooCommerce writes them with `wc-` before, or without, by version and by table."""

WORDS: dict[str, tuple[str, ...]] = {
    "pending": (
        # common
        "pending", "new", "created", "open", "opened", "placed", "draft", "cart", "unpaid", "not paid", "on hold",
        "hold", "waiting", "submitted", "incomplete", "unconfirmed", "awaiting", "awaiting payment",
        "awaiting confirmation", "awaiting approval", "waiting for payment", "payment pending", "pending payment",
        "order received", "order placed", "partially paid", "paid partially", "partial payment", "invoice sent",
        # Magento
        "holded", "payment review", "fraud", "suspected fraud", "pending paypal",
        # Shopify, BigCommerce, Shopware, Saleor, Shopee, TikTok Shop
        "unfulfilled", "not fulfilled", "manual verification required", "reminded", "in cancel", "disputed",
        # Vendure, Medusa, payment services
        "adding items", "arranging payment", "requires action", "requires payment method", "requires confirmation",
        "payer action required", "saved",
        # PrestaShop
        "awaiting check payment", "awaiting bank wire payment", "awaiting PayPal payment",
        "awaiting cash on delivery validation", "on backorder (not paid)", "on backorder", "backorder",
        # Vietnamese
        "mới", "đơn mới", "mới tạo", "đơn hàng mới", "phiếu tạm", "đặt trước", "chờ xử lý", "chưa xử lý",
        "chờ thanh toán", "chưa thanh toán", "chờ xác nhận", "chưa xác nhận", "chờ duyệt", "đã đặt hàng", "tạm giữ",
        "thanh toán một phần",
    ),
    "processing": (
        # common
        "processing", "being processed", "in process", "in progress", "processed", "confirmed", "accepted",
        "approved", "payment received", "payment accepted", "authorized", "authorised", "invoiced",
        "preparing", "in preparation", "picking", "picked",
        "packing", "packed", "repacked", "to pack", "ready for pickup", "ready to ship", "to ship", "unshipped",
        "partially fulfilled",
        # Magento, OpenCart
        "canceled reversal", "paypal canceled reversal",
        # Vendure
        "payment authorized", "payment settled", "modifying", "arranging additional payment",
        # BigCommerce, TikTok Shop, PrestaShop
        "awaiting fulfillment", "awaiting shipment", "awaiting pickup", "awaiting collection",
        "processing in progress", "remote payment accepted", "on backorder (paid)",
        "authorized. to be captured by merchant",
        # Vietnamese
        "đang xử lý", "đang thực hiện", "đã xác nhận", "đã duyệt", "đã tiếp nhận", "đang đóng gói",
        "đã đóng gói", "đang chuẩn bị hàng", "chờ lấy hàng", "chờ đóng gói", "chờ giao hàng", "chờ vận chuyển",
    ),
    "shipped": (
        "shipped", "sent", "dispatched", "in transit", "shipping", "in delivery", "delivering", "out for delivery",
        "partially shipped", "shipped partially", "partially shipping", "partially delivered", "to confirm receive",
        "đang giao", "đang giao hàng", "đã gửi hàng", "đã xuất kho", "đang vận chuyển", "đang chuyển hàng",
        "giao hàng một phần",
    ),
    "completed": (
        # "paid" is the last good word of systems that speak of payments alone, LEO's trackers among them
        "paid", "captured", "payment complete", "payment completed", "payment success", "payment successful",
        "payment succeeded", "đã thanh toán", "thanh toán thành công",
        "completed", "complete", "done", "delivered", "received", "fulfilled", "success", "successful", "succeeded",
        "finished", "picked up", "collected", "partially refunded", "refunded partially",
        "partial refund", "partially returned", "returned partially",
        "đã giao", "đã giao hàng", "giao hàng thành công", "giao thành công", "đã nhận hàng", "đã nhận",
        "hoàn thành", "đã hoàn thành", "hoàn tất", "đã hoàn tất", "thành công",
        "hoàn tiền một phần",
    ),
    "cancelled": (
        "cancelled", "canceled", "cancel", "void", "voided", "rejected", "declined", "denied", "expired", "failed",
        "fail", "failure", "error", "payment failed", "payment error", "payment declined", "abandoned", "aborted",
        "deleted", "lost", "unfulfillable",
        "hủy", "đã hủy", "bị hủy", "hủy đơn", "đơn hủy", "khách hủy", "đã hủy đơn", "từ chối", "hết hạn", "thất bại",
        "giao hàng thất bại", "giao thất bại", "không thành công", "giao không thành công", "thanh toán thất bại",
    ),
    "refunded": (
        "refunded", "refund", "returned", "return", "to return", "chargeback", "charged back", "reversed",
        "reversal", "restocked", "refund in progress", "awaiting return",
        # Magento closes an order when its credit memo is out; where others close, nothing says that money was kept
        "closed", "paypal reversed",
        "hoàn tiền", "đã hoàn tiền", "đang hoàn tiền", "chờ hoàn tiền", "hoàn hàng", "đã hoàn hàng", "chuyển hoàn",
        "đã chuyển hoàn", "trả hàng", "đã trả hàng", "hoàn trả", "đã hoàn trả", "trả hàng/hoàn tiền",
    ),
}  # fmt: skip
"""Our word -> theirs, as their makers write them."""

BY_KEY: dict[str, str] = {
    **{key(word): status for status, words in WORDS.items() for word in (status, *words)},
    **{key(prefix + word): status for word, status in _WOOCOMMERCE.items() for prefix in ("", "wc-")},
}
"""Key of a word (`spelling.key`) -> our word."""


@lru_cache(maxsize=4096)
def order_status(word: str | None) -> str | None:
    """The state that a word names: `unknown` for words that are not here, null where nothing is said."""
    if word is None or not (folded := key(word)):
        return None
    return BY_KEY.get(folded, UNKNOWN)
