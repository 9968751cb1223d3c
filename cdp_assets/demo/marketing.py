"""The marketing plan of a demo tenant: promotions, launches and meetings around the shopping calendar.

Belongs here: events as plain data, keys as the columns of `activation.marketing_event`. Does not belong here: how they
are written. The plan needs no chance: it follows from the tenant and the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.model import end_of_step
from cdp_assets.demo.sizes import tenant_spec


@dataclass(frozen=True, slots=True)
class Occasion:
    """An event before it is filled in: `{goods}` and `{category}` become those of the tenant's range."""

    key: str
    kind: str
    channel: str
    first: date
    days: int
    vietnamese: tuple[str, str]
    """Name, description."""
    english: tuple[str, str]
    is_english_everywhere: bool = False


OCCASIONS: tuple[Occasion, ...] = (
    Occasion("black-friday-2025", "sale", "ads", date(2025, 11, 28), 3,
             ("Black Friday: {category} giảm 50%", "Ba ngày giảm giá sâu cho {goods} và nhiều sản phẩm khác."),
             ("Black Friday: 50% off {category}", "Three days of deep discounts on {goods} and much more."), True),
    Occasion("double-12-2025", "sale", "app_push", date(2025, 12, 12), 1,
             ("12.12 Siêu sale cuối năm", "Săn {goods} giá tốt nhất năm, miễn phí giao hàng toàn quốc."),
             ("12.12 year-end sale", "The best price of the year on {goods}, free shipping.")),
    Occasion("tet-2026", "season", "email", date(2026, 1, 24), 21,
             ("Tết sum vầy: quà tặng {category}", "Gợi ý quà Tết cho gia đình và đối tác, gói quà miễn phí: {goods}."),
             ("Lunar New Year gifts: {category}", "Gift ideas for family and partners, wrapped for free: {goods}.")),
    Occasion("women-day-2026", "season", "social", date(2026, 3, 6), 3,
             ("Mừng ngày Quốc tế Phụ nữ 8/3", "Tặng nàng {goods}, kèm thiệp viết tay."),
             ("International Women's Day", "A hand-written card with every order of {goods}.")),
    Occasion("spring-launch-2026", "launch", "web_push", date(2026, 4, 2), 14,
             ("Ra mắt bộ sưu tập xuân: {category}", "Mẫu mới về: {goods} chất liệu hữu cơ, tái chế."),
             ("Spring collection: {category}", "New arrivals: {goods}, made from organic and recycled materials.")),
    Occasion("welcome-2026", "loyalty", "email", date(2026, 5, 1), 90,
             ("Chào khách hàng mới: giảm 10% đơn đầu tiên", "Hướng dẫn chọn {goods} cho lần mua đầu tiên."),
             ("Welcome: 10% off your first order", "How to choose {goods} when you buy for the first time.")),
    Occasion("children-day-2026", "season", "store", date(2026, 5, 30), 3,
             ("Quốc tế Thiếu nhi 1/6 tại cửa hàng", "Cả nhà cùng trải nghiệm {category}, có quà cho bé."),
             ("Children's Day in our stores", "Bring the family, try {category}, gifts for the little ones.")),
    Occasion("summer-sale-2026", "sale", "sms", date(2026, 6, 20), 20,
             ("Sale hè rực rỡ: {category}", "Giảm đến 30% cho {goods} khi mua từ hai sản phẩm."),
             ("Summer sale: {category}", "Up to 30% off {goods} when you buy two or more."), True),
    Occasion("vip-evening-2026", "meeting", "store", date(2026, 7, 4), 1,
             ("Đêm tri ân khách hàng VIP", "Dùng thử {goods} trước ngày mở bán, gặp gỡ chuyên gia {category}."),
             ("VIP evening", "Try {goods} before they go on sale and meet our {category} experts.")),
    Occasion("winback-2026", "loyalty", "email", date(2026, 7, 6), 30,
             ("Lâu rồi không gặp", "Ưu đãi dành riêng cho khách lâu chưa mua: {goods} giảm 20%."),
             ("We miss you", "An offer for those who have not bought for a while: 20% off {goods}.")),
    Occasion("workshop-2026", "meeting", "social", date(2026, 7, 18), 1,
             ("Workshop trực tuyến về {category}", "Chuyên gia chia sẻ cách dùng và bảo quản {goods}."),
             ("Online workshop: {category}", "Our experts show how to use and care for {goods}.")),
    Occasion("mid-autumn-2026", "season", "ads", date(2026, 9, 15), 10,
             ("Trung thu đoàn viên", "Hộp quà {category} phiên bản giới hạn cho mùa trăng."),
             ("Mid-Autumn Festival", "Limited gift boxes of {category} for the full moon.")),
    Occasion("women-day-vn-2026", "season", "app_push", date(2026, 10, 18), 3,
             ("Ngày Phụ nữ Việt Nam 20/10", "Món quà tinh tế cho phái đẹp: {goods}."),
             ("Vietnamese Women's Day", "A thoughtful gift for her: {goods}.")),
    Occasion("double-11-2026", "sale", "app_push", date(2026, 11, 11), 1,
             ("11.11 Ngày hội mua sắm", "Flash sale mỗi giờ, {goods} đồng giá."),
             ("11.11 shopping festival", "A flash sale every hour, {goods} at one price.")),
)  # fmt: skip

_DEAL = Occasion(
    "deal", "sale", "web_push", date(2026, 7, 1), 1,
    ("Ưu đãi trong ngày: {category}", "Chỉ hôm nay: {goods} giá sốc, số lượng có hạn."),
    ("Deal of the day: {category}", "Today only: {goods} at a special price, while stocks last."),
)  # fmt: skip
"""One on each later day."""
_CANCELLED = "workshop-2026"
"""Cancelled on the second day."""
_REWRITTEN = "winback-2026"
"""Gets a longer description on the first day."""


def marketing_events(tenant_id: str, *, step: int = 0) -> list[dict[str, Any]]:
    """The whole plan as it stands at the end of `step`: 14 events, and a deal for each later day.

    Status follows the demo's clock. The first later day rewrites a description, the second cancels an event.

    Raises:
        ValueError: the demo world has no such tenant.
    """
    deals = [(number, _DEAL, end_of_step(number).date()) for number in range(1, step + 1)]
    planned = [(number, occasion, occasion.first) for number, occasion in enumerate(OCCASIONS)]
    return [_event(tenant_id, step, *entry) for entry in [*planned, *deals]]


def _event(tenant_id: str, step: int, number: int, occasion: Occasion, first: date) -> dict[str, Any]:
    spec = tenant_spec(tenant_id)
    category, goods = words.GOODS[spec.range][number % len(words.GOODS[spec.range])]
    vietnamese = spec.vietnamese > 0 and not occasion.is_english_everywhere
    sold = ", ".join((item[0] if vietnamese else item[1]).lower() for item in goods)
    name, description = (
        text.format(goods=sold, category=category.vietnamese if vietnamese else category.english)
        for text in (occasion.vietnamese if vietnamese else occasion.english)
    )
    if occasion.key == _REWRITTEN and step >= 1:
        description += " Miễn phí đổi trả." if vietnamese else " Free returns."
    starts = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(spec.timezone)).astimezone(UTC)
    ends = starts + timedelta(days=occasion.days)
    now = end_of_step(step)
    status = "done" if ends <= now else "running" if starts <= now else "planned"
    return {
        "marketing_event_id": f"deal-{first}" if occasion is _DEAL else occasion.key,
        "campaign_id": None,
        "name": name,
        "description": description,
        "event_type": occasion.kind,
        "channel": occasion.channel,
        "starts_at": starts,
        "ends_at": ends,
        "status": "cancelled" if occasion.key == _CANCELLED and step >= 2 else status,
    }
