"""What is talked about and said, as LEO CDP stores it: products, segments, feedback.

Belongs here: one function of an entity per collection, with every attribute that LEO writes. Does not belong here:
edges and events (`leo`), profiles (`leo_profile`), later writes to documents (`database`, `advance`).
"""

from __future__ import annotations

from datetime import datetime

from cdp_assets.demo.keys import digest, epoch_ms, fixed_id, friendly_id, hexadecimal, iso
from cdp_assets.demo.leo import Document, stamp
from cdp_assets.demo.model import Product, Review, Segment
from cdp_assets.demo.sizes import TenantSpec
from cdp_assets.sources.model import FEEDBACK, PRODUCT_ITEM, SEGMENT


def product_document(spec: TenantSpec, product: Product, sold: int, updated: datetime) -> Document:
    """`sold`: order lines so far; LEO upserts the product at each of them."""
    marks = digest("product", product.key)
    slug = f"{product.sku.lower()}-{product.key.lower()}"
    empty_lists = (
        "storeIds",
        "warehouseIds",
        "salesAgentIds",
        "touchpointIds",
        "inCampaigns",
        "inJourneyMaps",
    )
    more_empty_lists = (
        "categoryIds",
        "topicIds",
        "targetGeoLocations",
        "targetSegmentIds",
        "targetViewerIds",
    )
    return stamp(
        PRODUCT_ITEM,
        product.key,
        {
            "productId": product.sku,
            "productCode": product.sku.replace("SKU", "P"),
            "productIdType": "SKU",
            "productType": "general_product",
            "categoryName": product.category.vietnamese
            if product.language == "vi"
            else product.category.english,
            "categoryId": product.category.key,
            "brand": product.brand,
            "title": product.title,
            "description": product.description,
            "keywords": list(product.keywords),
            "originalPrice": float(product.list_price),
            "salePrice": float(product.price),
            "quantity": product.stock,
            "priceCurrency": product.currency,
            "availability": "in_stock" if product.stock else "out_of_stock",
            "itemCondition": "new",
            "siteName": spec.title,
            "siteDomain": spec.host,
            "sellerName": "Official Store",
            "fullUrl": f"https://{spec.host}/{product.sku.lower()}",
            "headlineImageUrl": f"https://cdn.{spec.host}/{product.sku.lower()}.jpg",
            "headlineVideoUrl": "",
            "headlineImages": {},
            **{name: [] for name in empty_lists},
            "promoCodes": {},
            "groupIds": [fixed_id("group", product.category.key)],
            **{name: [] for name in more_empty_lists},
            "type": 0,
            "assetType": 2,
            "contentClass": "product",
            # Mostly published; some drafted, private or deleted (4).
            "status": {0: 0, 1: 8, 2: 4}.get(marks[0] % 25, 9),
            "privacyStatus": 0,
            "networkId": 0,
            "ownerId": "",
            "systemAsset": False,
            "slug": slug,
            "viewCount": sold * 12 + marks[1],
            "clickCount": sold * 3 + marks[1] // 4,
            "transactionCount": sold,
            "shareCount": 0,
            "feedbackCount": sold // 4,
            "reactionReportUnits": {},
            "rankingScore": 0,
            "qrCodeUrl": "",
            "shortLinkUrl": "",
            "customData": {},
            "publishingTime": 0,
            "destroyedTime": 0,
            "creationTime": epoch_ms(product.launched),
            "modificationTime": epoch_ms(product.launched),
            "createdAt": iso(product.launched),
            "updatedAt": iso(updated),
        },
    )


def segment_document(segment: Segment, members: int, updated: datetime) -> Document:
    """A segment that has `members` active profiles."""
    flags = ("forDeepAnalytics", "forPredictiveAnalytics", "forRealtimeMarketing", "forReTargeting",
             "forLookalikeTargeting", "for3rdSynchronization")  # fmt: skip
    return stamp(
        SEGMENT,
        segment.key,
        {
            "parentId": None,
            "name": segment.name,
            "description": segment.description,
            "imageAvatarUri": "",
            "type": segment.kind,
            "status": segment.status,
            "realtimeQuery": False,
            "autoUpdateProfiles": True,
            "jsonQueryRules": segment.rule,
            "customQueryFilter": "",
            "queryHashedId": segment.query_hash,
            "selectedFields": [],
            "totalCount": members,
            "totalLeadScore": 0,
            "totalTransactionValue": 0.0,
            "avgNPS": 0.0,
            "keywords": [],
            "campaignIds": [friendly_id("campaign", segment.key)] if segment.status == 2 else [],
            "extData": {},
            "managedBySystem": False,
            "forEmailMarketing": True,
            "forPersonalization": True,
            **dict.fromkeys(flags, False),
            "ownerUsername": "superadmin",
            "authorizedEditors": [],
            "authorizedViewers": [],
            "indexScore": segment.score,
            "createdAt": iso(segment.created),
            "updatedAt": iso(updated),
        },
    )


_HEADERS = {"RATING": "FEEDBACK RATING", "SURVEY": "SURVEY", "CONTACT": "CONTACT"}
_EVENT_NAMES = {"RATING": "product-review", "SURVEY": "submit-nps-form", "CONTACT": "submit-contact"}


def feedback_document(spec: TenantSpec, review: Review) -> Document:
    """What a person wrote. LEO keeps `createdAt` only."""
    good = {1: (80, 20, 0), 0: (30, 40, 30), -1: (0, 20, 80)}[review.sentiment]
    positive, neutral, negative = good
    page = f"/{review.product.sku.lower()}" if review.product else "/contact"
    survey = {"q1": {"key": "q1", "question": "How did you hear of us?", "answers": ["friends"]}}
    contact = review.kind == "CONTACT"
    return stamp(
        FEEDBACK,
        review.key,
        {
            "feedbackType": review.kind,
            "feedbackDataType": "",
            "eventName": _EVENT_NAMES[review.kind],
            "status": review.status,
            "feedbackScore": -1
            if contact
            else review.rating * 2
            if review.kind == "SURVEY"
            else review.rating,
            "comment": review.text,
            "language": "en" if review.language == "en" else "vi",
            "refProfileId": review.profile.winner.key,
            "refVisitorId": hexadecimal("visitor", review.profile.key),
            "refProductItemId": review.product.key if review.product else "",
            "refContentItemId": "",
            "refTemplateId": "",
            "refCampaignId": "",
            "refTouchpointHubId": fixed_id("hub", spec.name),
            "refTouchpointId": fixed_id("touchpoint", spec.name, page),
            "refDataFlowStageId": "",
            "touchpointId": fixed_id("touchpoint", spec.name, page),
            "touchpointName": "Product page" if review.product else "Contact page",
            "touchpointUrl": f"https://{spec.host}{page}",
            "deviceId": friendly_id("device", review.profile.key, ""),
            "header": f"{_HEADERS[review.kind]} - {spec.title}",
            "group": "",
            "evaluatedObject": "",
            "evaluatedItem": "",
            "evaluatedPerson": "",
            "scoreCX": {
                "positive": positive,
                "neutral": neutral,
                "negative": negative,
                "sentimentScore": positive,
                "sentimentType": review.sentiment,
                "positivePercentage": positive,
                "neutralPercentage": neutral,
                "negativePercentage": negative,
                "happy": review.sentiment > 0,
            },
            "ratingQuestionAnswer": {},
            "extraTextQuestionsAnswer": {},
            "singleChoiceQuestionAnswer": survey if review.kind == "SURVEY" else {},
            "multipleChoiceQuestionAnswer": {},
            "surveyChoices": [],
            "profileFirstName": review.profile.first if contact else "",
            "profileLastName": review.profile.last if contact else "",
            "profileEmail": review.profile.email if contact else "",
            "profilePhone": review.profile.phone if contact else "",
            "profileGender": -1,
            "profileAge": -1,
            "profileAgeGroup": -1,
            "profileDateOfBirth": "",
            "profileExtAttributes": {},
            "profileExtId": {},
            "decisionMakers": [],
            "originalSources": [],
            "mediaSources": [],
            "onSharedDevices": False,
            "geoLatitude": -1,
            "geoLongitude": -1,
            "timePeriod": f"{review.at:%Y%m%d}",
            "dateKey": f"{review.at:%Y-%m-%d}",
            "createdAt": iso(review.at),
        },
    )
