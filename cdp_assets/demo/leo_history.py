"""What a profile document says about its history: segments, marketing, purchases, scores, behaviour.

Belongs here: the groups of attributes that follow from purchases, events and membership. Does not belong here: who the
person is, and the document as a whole (`leo_profile`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cdp_assets.demo.keys import fixed_id, iso
from cdp_assets.demo.leo import JOURNEY, SEPARATOR, Document, event_document, ordered_item
from cdp_assets.demo.model import Event, Membership, Profile, Purchase
from cdp_assets.demo.sizes import TenantSpec

_MOODS = ("total", "positive", "neutral", "negative")


def segment_reference(membership: Membership) -> Document:
    """An element of `inSegments`; only a save of the profile writes `type`."""
    segment = membership.segment
    reference = {
        "id": segment.key,
        "name": segment.name,
        "indexScore": segment.score,
        "lastDataSynch": 0,
        "queryHashedId": segment.query_hash,
    }
    return {**reference, "type": ""} if membership.typed else reference


def _funnel_stage(profile: Profile, purchases: Sequence[Purchase]) -> str:
    if profile.kind == 0:
        return "new-visitor"
    return ("lead", "new-customer", "engaged-customer", "happy-customer")[min(len(purchases), 3)]


def classification(profile: Profile, purchases: Sequence[Purchase], marks: bytes) -> Document:
    """Labels, segments, journey and funnel."""
    stage = _funnel_stage(profile, purchases)
    timeline = {"page-view": iso(profile.created)}
    if purchases:
        timeline["purchase"] = iso(purchases[-1].at)
    feelings = {"positive": 1, "neutral": 0, "negative": 0, "sentimentScore": 80, "sentimentType": 1,
                "positivePercentage": 100, "neutralPercentage": 0, "negativePercentage": 0, "happy": True}  # fmt: skip
    journey = {
        "id": JOURNEY,
        "name": "DEFAULT JOURNEY",
        "type": stage,
        "indexScore": marks[7] % 9,
        "lastDataSynch": 0,
        "queryHashedId": "",
        "funnelIndex": min(len(purchases), 3) + 2,
        "leadScore": marks[8] % 50,
        "prospectScore": marks[9] % 60,
        "engagementScore": marks[10] % 40,
        "transactionValue": float(sum(purchase.total for purchase in purchases)),
        **dict.fromkeys(("creditScore", "loyaltyScore", "acquisitionCost", "lifetimeValue"), 0),
        **dict.fromkeys(("scoreCFS", "scoreCES", "scoreCSAT", "scoreNPS"), 0),
        "scoreCX": feelings,
    }
    return {
        "dataLabels": list(profile.labels),
        "dataLabelsAsStr": SEPARATOR.join(profile.labels),
        "inSegments": [segment_reference(membership) for membership in profile.memberships],
        # Only a save recomputes this text: references of the hourly refresh are missing from it.
        "inSegmentsAsStr": SEPARATOR.join(m.segment.name for m in profile.memberships if m.typed),
        "inCampaigns": [],
        "inCampaignsAsStr": "",
        "inAccounts": [],
        "inAccountsAsStr": "",
        "inJourneyMaps": [journey],
        "inJourneyMapsAsStr": "DEFAULT JOURNEY",
        "similarProfiles": [],
        "personaUri": "",
        "funnelStage": stage,
        "funnelStageTimeline": timeline,
    }


def marketing(profile: Profile, purchases: Sequence[Purchase], marks: bytes) -> Document:
    """Channels, consent and keywords."""
    consent = profile.consent
    tokens = {"web_push": [f"{marks[:3].hex()}-77"]} if consent.web_push == 1 else {}
    zalo = (
        [f"zalo_user_id:{int.from_bytes(marks[3:8], 'big')}"] if profile.phone and marks[3] % 3 == 0 else []
    )
    keywords = sorted({line.product.category.english for purchase in purchases for line in purchase.lines})
    return {
        "notificationUserIds": tokens,
        "receiveWebPush": consent.web_push,
        "receiveAppPush": consent.app_push,
        "receiveEmail": consent.email,
        "receiveSMS": consent.sms,
        "receiveAds": consent.ads,
        "recommendationModel": 0,
        "mediaChannels": ["facebook", *zalo] if marks[1] % 4 == 0 else zalo,
        "referrerChannels": {"google": marks[4] % 5 + 1},
        "subscribedChannels": {"email": 1} if consent.email == 1 else {},
        "googleUtmData": [{"source": "facebook_ads", "medium": "cpc", "campaign": "tet-2026"}]
        * (marks[5] % 4 == 0),
        "contentKeywords": ["Home", "Summer Sale 2026", "Ưu đãi Tết"][: marks[6] % 4],
        "productKeywords": keywords,
        "nextBestActions": [],
        "personalProblems": [],
        "solutionsForCustomer": [],
    }


def commerce(spec: TenantSpec, purchases: Sequence[Purchase]) -> Document:
    """What was bought: the last three lines, and every article and brand."""
    bought = [(purchase, line) for purchase in purchases for line in purchase.lines]
    items = [ordered_item(spec, line, purchase.at, "") for purchase, line in bought[-3:]]
    return {
        "purchasedItems": items,
        "purchasedItemIds": sorted({line.product.sku for _, line in bought}),
        "purchasedBrands": sorted({line.product.brand for _, line in bought}),
        "shoppingItems": [],
        "shoppingItemIds": [],
        "paymentEvents": [],
        "financeRecords": [],
        "financeCreditEvents": [],
    }


def scores(purchases: Sequence[Purchase], events: Sequence[Event], marks: bytes) -> Document:
    """Scores and sums. LEO adds up whatever the currency: the total mixes VND and USD, as at the source."""
    return {
        "journeyScore": marks[7] % 60,
        "dataQualityScore": 40 + marks[8] % 160,
        "totalLeadScore": marks[8] % 50,
        "totalProspectScore": marks[9] % 60,
        "totalEngagementScore": 3 * len(events),
        "totalTransactionValue": float(sum(purchase.total for purchase in purchases)),
        "totalCLV": 0.0,
        "totalCAC": 0.0,
        "churnScore": marks[11] / 255,
        "totalCreditScore": 0,
        "totalLoyaltyScore": 0,
        **{f"{mood}{score}": 0 for mood in _MOODS for score in ("CFS", "CES", "CSAT", "NPS")},
        "rfmScore": 0,
        "rfeScore": 0,
        "totalEstimatedReach": 0,
        "timeseriesTransactionValue": {f"{p.at:%Y-%m-%d}": float(p.total) for p in purchases[-12:]},
        "timeseriesEngagementScore": {f"{event.at:%Y-%m-%d}": 3 for event in events[-12:]},
        "extMetrics": {},
    }


def _embedded(spec: TenantSpec, events: Sequence[Event]) -> Document | None:
    """The last event as an embedded document, without the stored `_id` and `_rev`."""
    if not events:
        return None
    return {k: v for k, v in event_document(spec, events[-1]).items() if k not in ("_id", "_rev")}


def behaviour(spec: TenantSpec, events: Sequence[Event], marks: bytes) -> Document:
    """Counts of events, and the last ones embedded in full."""
    counts = Counter(event.kind for event in events)
    statistics: Document = {f"{JOURNEY}-{kind}": number for kind, number in counts.items()}
    if statistics and marks[14] % 20 == 0:
        # Not every writer counts in integers.
        statistics[next(iter(statistics))] += 0.5
    home = fixed_id("touchpoint", spec.name, "/")
    return {
        "behavioralEvents": list(counts),
        "eventStatistics": statistics,
        "topEngagedTouchpointIds": [home],
        "fromTouchpointHubIds": [fixed_id("hub", spec.name)],
        "lastTouchpointId": home,
        "lastTouchpoint": {"id": home, "name": "Home", "hostname": spec.host, "type": 1},
        "lastObserverId": fixed_id("observer", spec.name),
        "lastSeenIp": f"113.161.{marks[1]}.{marks[2]}",
        "lastTrackingEvent": _embedded(spec, events),
        "lastItemViewEvent": _embedded(spec, [event for event in events if event.kind == "item-view"]),
        "lastPurchaseEvent": _embedded(spec, [event for event in events if event.purchase]),
    }


def odd_attributes(marks: bytes) -> Document:
    """`extAttributes` holds whatever a form or an import sent."""
    shapes: tuple[Document, ...] = (
        {"loyalty_tier": "gold"},
        {"loyalty_tier": 3, "children": ["An", "Bình"]},
        {"score": 12.75, "opted": True, "nested": {"a": {"b": [1, None, "x"]}}},
        {"năm sinh": "1991", "empty": None, "select": ""},
        {},
    )
    return shapes[marks[12] % len(shapes)]
