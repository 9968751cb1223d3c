"""LEO documents for benchmarks, drawn from a seed: profiles of 5 to 10 KB, conversion edges of 0.5 KB.

Belongs here: what is in a document. Does not belong here: where documents are kept and how they change (`source`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_assets.sources.model import PRODUCT_ITEM, PROFILE

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MODULUS = 1 << 130  # 62 ** 22 > 2 ** 130: 22 characters hold it
_FACTOR = 0x2C1B3C6D5A7F4E9F8D3B1A5C7E9F2D4B1
_INVERSE = pow(_FACTOR, -1, _MODULUS)

_FAMILY = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Võ",
    "Đặng",
    "Smith",
    "Garcia",
    "Müller",
    "Silva",
    "Clark",
)
_MIDDLE = ("Thị", "Văn", "Ngọc", "Đức", "Minh", "", "", "Anne", "J.")
_GIVEN = (
    "Lan",
    "Hương",
    "Trang",
    "Linh",
    "Mai",
    "Tuấn",
    "Nam",
    "Long",
    "Phúc",
    "Khoa",
    "Emma",
    "Liam",
    "René",
)
_STREETS = (
    "Lê Lợi",
    "Hai Bà Trưng",
    "Trần Hưng Đạo",
    "Nguyễn Huệ",
    "Lý Thường Kiệt",
    "Main Street",
    "Oak Avenue",
)
_PLACES = (
    ("Vietnam", "Hồ Chí Minh", "Thành phố Hồ Chí Minh", "700000"), ("Vietnam", "Hà Nội", "Hà Nội", "100000"),
    ("Vietnam", "Đà Nẵng", "Đà Nẵng", "550000"), ("United States", "Texas", "Austin", "73301"),
)  # fmt: skip
_JOBS = ("Marketing Manager", "Kế toán", "Giáo viên", "Software Engineer", "Bác sĩ", "Nurse", "Sinh viên")
_INTERESTS = (
    "coffee",
    "travel",
    "sport",
    "music",
    "cooking",
    "yoga",
    "gaming",
    "photography",
    "books",
    "gardening",
)
_LABELS = ("VIP", "NEWSLETTER", "B2B", "khách quen", "EVENT-2025", "STAFF-DISCOUNT")
_CHANNELS = ("facebook", "google", "zalo", "tiktok", "email", "sms", "organic", "youtube")
_BRANDS = ("Highland", "Trung Nguyên", "Nordwind", "Kumo", "Lotus", "Alder", "Bến Thành", "Sunday")
_GOODS = (
    "Cà phê rang xay",
    "Máy xay",
    "Trà sen",
    "Travel mug",
    "Rain jacket",
    "Balo du lịch",
    "Serum",
    "Desk lamp",
)
_EVENTS = (
    "page-view", "item-view", "search", "add-to-cart", "remove-from-cart", "purchase", "content-view", "play-video",
    "email-click", "user-login", "add-wishlist", "order-checkout", "short-link-click", "product-review", "ask-question",
)  # fmt: skip
_STAGES = (
    "new-visitor",
    "returning-visitor",
    "lead",
    "prospect",
    "new-customer",
    "engaged-customer",
    "happy-customer",
)
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def key_of(number: int) -> str:
    """The `_key` of document `number`: 22 characters, in no order, and the number can be read back from it."""
    value = number * _FACTOR % _MODULUS
    digits = []
    for _ in range(22):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def number_of(key: str) -> int:
    """The inverse of `key_of`."""
    value = 0
    for character in reversed(key):
        value = value * 62 + _ALPHABET.index(character)
    return value * _INVERSE % _MODULUS


def _iso(dice: random.Random, days: int = 700) -> str:
    time = _BEGIN + timedelta(milliseconds=dice.randrange(days * 86_400_000))
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _some(dice: random.Random, words: Sequence[str], most: int) -> list[str]:
    return dice.sample(words, dice.randint(0, most))


def _item(dice: random.Random) -> dict[str, Any]:
    number = dice.randrange(5_000)
    price = dice.randrange(20, 2_000) * 1_000
    return {
        "sessionKey": f"{dice.getrandbits(60):x}", "itemId": f"SKU-{number:05d}", "idType": "SKU",
        "productCode": f"P-{number:05d}", "name": f"{dice.choice(_GOODS)} {dice.choice(_BRANDS)} {number}",
        "categoryName": dice.choice(_GOODS), "categoryId": f"cat_{number % 40}", "quantity": dice.randint(1, 4),
        "originalPrice": price, "discount": 0, "salePrice": price * 9 // 10, "currency": "VND", "couponCode": "",
        "storeId": "", "assetType": 2, "fullUrl": f"https://shop.example.com/p/{dice.getrandbits(48):x}",
        "source": "shop.example.com", "createdAt": _iso(dice),
    }  # fmt: skip


def _reference(dice: random.Random, number: int, name: str) -> dict[str, Any]:
    return {
        "id": key_of(1_000_000_000 + number), "name": f"{name} {number}", "indexScore": dice.randrange(100),
        "lastDataSynch": 0, "queryHashedId": f"{dice.getrandbits(48):x}", "type": "",
    }  # fmt: skip


def _journey(dice: random.Random) -> dict[str, Any]:
    return {
        **_reference(dice, dice.randrange(3), "JOURNEY"), "funnelIndex": dice.randint(1, 8),
        "leadScore": dice.randrange(300), "prospectScore": dice.randrange(300), "engagementScore": dice.randrange(900),
        "transactionValue": dice.randrange(9_000_000), "creditScore": 0, "loyaltyScore": 0, "acquisitionCost": 0,
        "lifetimeValue": 0, "scoreCFS": dice.randrange(9), "scoreCES": 0, "scoreCSAT": 0, "scoreNPS": 0,
        "scoreCX": {"positive": dice.randrange(9), "neutral": 0, "negative": 0, "sentimentScore": dice.randrange(100),
                    "sentimentType": 1, "positivePercentage": 100, "neutralPercentage": 0, "negativePercentage": 0,
                    "happy": True},
    }  # fmt: skip


def profile_document(number: int, dice: random.Random) -> dict[str, Any]:
    """A profile without its head: all attributes of LEO, 5 to 10 KB with its behaviour and purchases."""
    family, middle, given = dice.choice(_FAMILY), dice.choice(_MIDDLE), dice.choice(_GIVEN)
    country, province, city, zip_code = dice.choice(_PLACES)
    mail = f"user.{number:06d}@{dice.choice(('example.com', 'example.org', 'mail.example.com'))}"
    phone = f"+849{dice.randrange(10**8):08d}"
    visitor, device = f"{dice.getrandbits(128):032x}", key_of(2_000_000_000 + number)
    citizen = [f"citizen:{dice.randrange(10**12):012d}"] if number % 8 == 0 else []
    known = [f"email:{mail}", f"phone:{phone}", f"crm:CRM-{number:06d}", f"visitor:{visitor}", *citizen]
    labels, items = _some(dice, _LABELS, 3), [_item(dice) for _ in range(dice.randint(0, 6))]
    segments = [_reference(dice, which, "Segment") for which in dice.sample(range(25), dice.randint(0, 6))]
    created, updated = sorted((_iso(dice), _iso(dice)))
    scores = {
        name: dice.randrange(400)
        for name in ("journeyScore", "dataQualityScore", "totalLeadScore", "totalProspectScore", "totalEngagementScore",
                     "totalCreditScore", "totalLoyaltyScore", "totalCFS", "totalCES", "totalCSAT", "totalNPS",
                     "rfmScore", "rfeScore")
    }  # fmt: skip
    return {
        "rootProfileId": "", "crmRefId": f"CRM-{number:06d}", "schemaType": "general", "type": dice.choice((1, 2, 4)),
        "mergeCode": 0, "status": 1, "dataContext": 1, "partitionId": 0, "dataVerification": False,
        "identities": known, "identitiesAsStr": " ; ".join(known), "visitorId": visitor, "visitorIds": [visitor],
        "fingerprintId": f"{dice.getrandbits(128):032x}", "applicationIDs": [f"app:ios-{dice.getrandbits(32):x}"],
        "loyaltyIDs": [f"LOY-{number:06d}"], "fintechSystemIDs": [], "governmentIssuedIDs": citizen,
        "lastUsedDeviceId": device, "usedDeviceIds": [device], "socialMediaProfiles": {"facebook": visitor[:15]},
        "webCookies": {}, "primaryUsername": "", "password": "", "contextSessionKeys": {},
        "firstName": given, "middleName": middle, "lastName": family, "gender": dice.choice((0, 1, 7)),
        "genderProbability": 100, "maritalStatus": dice.choice((5, 6, 7)), "age": dice.randint(0, 80),
        "ageGroup": dice.randint(0, 8),
        "dateOfBirth": f"{dice.randint(1945, 2007)}-0{dice.randint(1, 9)}-12T00:00:00.000Z",
        "primaryEmail": mail, "secondaryEmails": [], "primaryPhone": phone, "secondaryPhones": [],
        "primaryLanguage": "vi", "primaryNationality": "Vietnamese", "primaryAvatar": "",
        "livingLocation": f"{dice.randint(1, 400)} {dice.choice(_STREETS)}, {city}", "livingLocationType": "",
        "permanentLocation": "", "livingCountry": country, "livingProvince": province, "livingState": "",
        "livingCity": city, "livingDistrict": f"District {dice.randint(1, 12)}", "livingWard": "",
        "currentZipCode": zip_code, "locationCode": f"7P28{dice.getrandbits(24):X}", "contactAddresses": [],
        "personalContacts": {}, "businessContacts": {}, "personalInterests": _some(dice, _INTERESTS, 5),
        "jobTitles": [dice.choice(_JOBS)], "workingHistory": ["ACME VN", "Nordwind"], "jobType": 3, "softSkills": [],
        "studyCertificates": [], "learningHistory": [], "learningCourses": [], "businessIndustries": [],
        "businessData": {}, "incomeHistory": {}, "dataLabels": labels, "dataLabelsAsStr": " ; ".join(labels),
        "inSegments": segments, "inSegmentsAsStr": " ; ".join(segment["name"] for segment in segments),
        "inCampaigns": [], "inCampaignsAsStr": "", "inAccounts": [], "inAccountsAsStr": "",
        "inJourneyMaps": [_journey(dice) for _ in range(dice.randint(1, 2))], "inJourneyMapsAsStr": "DEFAULT JOURNEY",
        "authorizedViewers": [], "authorizedEditors": [], "similarProfiles": [], "personaUri": "",
        "lastSeenIp": f"113.161.{dice.randrange(256)}.{dice.randrange(256)}", "lastObserverId": device,
        "lastTouchpointId": key_of(3_000_000_000 + number % 300),
        "topEngagedTouchpointIds": [key_of(3_000_000_000 + dice.randrange(300)) for _ in range(4)],
        "fromTouchpointHubIds": [key_of(4_000_000_000)],
        "notificationUserIds": {"web_push": [f"{dice.getrandbits(64):x}"]},
        "receiveWebPush": dice.choice((-1, 0, 1)), "receiveAppPush": 0, "receiveEmail": dice.choice((-1, 1, 1)),
        "receiveSMS": dice.choice((-1, 0, 1)), "receiveAds": 1, "recommendationModel": 0,
        "mediaChannels": _some(dice, _CHANNELS, 4),
        "referrerChannels": {name: dice.randrange(30) for name in _some(dice, _CHANNELS, 3)},
        "subscribedChannels": {"email": 1}, "googleUtmData": [], "contentKeywords": _some(dice, _GOODS, 4),
        "productKeywords": _some(dice, _GOODS, 4), "nextBestActions": [], "personalProblems": [],
        "solutionsForCustomer": [],
        "purchasedBrands": _some(dice, _BRANDS, 3), "purchasedItemIds": [item["itemId"] for item in items],
        "shoppingItemIds": [], "shoppingItems": [], "purchasedItems": items, "paymentEvents": [],
        "financeRecords": [], "financeCreditEvents": [],
        "extAttributes": {"loyalty_tier": dice.choice(("gold", "silver", "none")), "store_visits": dice.randrange(40)},
        "extMetrics": {}, "notes": f"Gọi lại sau {created[:10]}, gặp {given}",
        "behavioralEvents": list(_EVENTS[: dice.randint(2, 15)]),
        "eventStatistics": {f"id_default_journey-{event}": dice.randrange(900) for event in _EVENTS},
        "funnelStage": dice.choice(_STAGES),
        "funnelStageTimeline": {event: _iso(dice) for event in _some(dice, _EVENTS, 6)},
        "totalTransactionValue": float(dice.randrange(90_000_000)), "totalCLV": 0.0, "totalCAC": 0.0, "churnScore": 0.0,
        "timeseriesTransactionValue": {},
        "timeseriesEngagementScore": {_iso(dice)[:10]: dice.randrange(99) for _ in range(8)},
        **scores, "indexScore": 0, "createdAt": created, "updatedAt": updated, "updatedByCrmAt": created,
    }  # fmt: skip


def conversion_document(number: int, dice: random.Random, buyers: int) -> dict[str, Any]:
    """A conversion edge without its head, one of one to three lines of an order."""
    order = number * 2 // 3
    at = _iso(dice)
    return {
        "_from": f"{PROFILE}/{key_of(order * 7919 % buyers)}", "_to": f"{PRODUCT_ITEM}/{key_of(dice.randrange(5_000))}",
        "eventMetricId": "purchase", "eventScore": dice.randrange(50), "totalEvent": 0, "indexScore": 0,
        "quantity": dice.randint(1, 4), "transactionId": f"ORD-{order:09d}" if number % 25 else "empty-transaction",
        "transactionValue": float(dice.randrange(20, 5_000) * 1_000), "currencyCode": "VND" if number % 9 else "USD",
        "assetGroupIds": [key_of(5_000_000_000 + dice.randrange(9))], "segmentIds": [], "targetMediaUnitId": "",
        "createdAt": at, "updatedAt": at,
    }  # fmt: skip
