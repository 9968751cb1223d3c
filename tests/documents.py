"""Builders of LEO documents for tests: each a whole document as ArangoDB stores it, with any attribute changed.

Belongs here: one ordinary document per collection. A change to `MISSING` takes the attribute out.
"""

from __future__ import annotations

from typing import Any

import msgspec

MISSING: Any = object()

Document = dict[str, Any]


def as_bytes(document: Document) -> bytes:
    """The document as a source hands it over."""
    return msgspec.json.encode(document)


def _built(collection: str, key: str, body: Document, changes: Document) -> Document:
    document = {"_key": key, "_id": f"{collection}/{key}", "_rev": f"_kTz{key[:6]}---", **body, **changes}
    return {name: value for name, value in document.items() if value is not MISSING}


def segment_reference(segment: str, name: str = "Weekend buyers") -> Document:
    """An entry of `inSegments`."""
    return {"id": segment, "name": name, "indexScore": 3, "lastDataSynch": 0, "queryHashedId": "8sPq2"}


def profile_document(key: str = "9fQd2LmXw7RzT4bKcVhNsY", **changes: Any) -> Document:
    """A document of `cdp_profile`, with a password and a government id as real ones have."""
    body = {
        "rootProfileId": "",
        "crmRefId": "CRM-004711",
        "schemaType": "general",
        "type": 2,
        "mergeCode": 0,
        "status": 1,
        "dataContext": 1,
        "partitionId": 0,
        "dataVerification": False,
        "identities": [
            "phone:+84912345678",
            "email:mai.pham@example.com",
            "visitor:5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
            "citizen:001199004242",
            key,
        ],
        "identitiesAsStr": "phone:+84912345678 ; email:mai.pham@example.com ; citizen:001199004242",
        "visitorId": "5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
        "visitorIds": ["5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b"],
        "fingerprintId": "77aa0c1de2f34b5698cd0e1f2a3b4c5d",
        "applicationIDs": ["app:android-01fe"],
        "loyaltyIDs": ["LOY-00042"],
        "fintechSystemIDs": [],
        "governmentIssuedIDs": ["citizen:001199004242"],
        "lastUsedDeviceId": "3bTzQ1LmRcXfa6WkD0pVnY",
        "usedDeviceIds": ["3bTzQ1LmRcXfa6WkD0pVnY"],
        "socialMediaProfiles": {"zalo": "5523881190021"},
        "webCookies": {"_ga": "GA1.2.1834.99"},
        "primaryUsername": "",
        "password": "$2a$10$N9qo8uLOickgx2ZMRZoMye",
        "contextSessionKeys": {},
        "firstName": "Mai",
        "middleName": "Thị",
        "lastName": "Phạm",
        "gender": 0,
        "genderProbability": 100,
        "maritalStatus": 5,
        "age": 29,
        "ageGroup": 4,
        "dateOfBirth": "1996-08-21T00:00:00.000Z",
        "primaryEmail": "mai.pham@example.com",
        "secondaryEmails": [],
        "primaryPhone": "+84912345678",
        "secondaryPhones": [],
        "primaryLanguage": "vi",
        "primaryNationality": "Vietnamese",
        "livingLocation": "5 Hai Bà Trưng, Hoàn Kiếm, Hà Nội",
        "livingCountry": "Vietnam",
        "livingProvince": "Hà Nội",
        "livingCity": "Hà Nội",
        "livingDistrict": "Hoàn Kiếm",
        "currentZipCode": "100000",
        "locationCode": "7PH72RM2+X4",
        "personalInterests": ["yoga", "books"],
        "jobTitles": ["Kế toán", "Teamleiterin"],
        "workingHistory": ["Nordwind", "ACME VN"],
        "jobType": 3,
        "dataLabels": ["VIP", "khách quen"],
        "dataLabelsAsStr": "VIP ; khách quen",
        "inSegments": [segment_reference("7Hh2", "Weekend buyers"), segment_reference("2Aa9", "Tea lovers")],
        "inSegmentsAsStr": "Weekend buyers",
        "inCampaigns": [],
        "inCampaignsAsStr": "",
        "inAccounts": [],
        "inAccountsAsStr": "",
        "inJourneyMaps": [
            {
                "id": "id_default_journey",
                "name": "DEFAULT JOURNEY",
                "funnelIndex": 5,
                "leadScore": 7,
                "scoreCX": {"positive": 2, "neutral": 0, "negative": 0, "sentimentType": 1, "happy": True},
            }
        ],
        "inJourneyMapsAsStr": "DEFAULT JOURNEY",
        "authorizedViewers": ["superadmin"],
        "authorizedEditors": [],
        "lastSeenIp": "203.0.113.77",
        "topEngagedTouchpointIds": ["2Zy2DISv80hEVieo4S0voO"],
        "notificationUserIds": {"web_push": ["c3-99"]},
        "receiveWebPush": 0,
        "receiveAppPush": 1,
        "receiveEmail": 1,
        "receiveSMS": -1,
        "receiveAds": 1,
        "mediaChannels": ["zalo_user_id:5523881190021", "facebook"],
        "referrerChannels": {"google": 3},
        "contentKeywords": ["Tet 2026", "Home"],
        "productKeywords": ["Tea"],
        "purchasedItems": [
            {
                "itemId": "SKU-77",
                "idType": "SKU",
                "name": "Trà sen",
                "quantity": 1,
                "salePrice": 145000,
                "currency": "VND",
                "createdAt": "2026-02-14T09:30:00.000Z",
            }
        ],
        "extAttributes": {"loyalty_tier": "silver", "visits": 4},
        "eventStatistics": {"id_default_journey-page-view": 12, "id_default_journey-purchase": 1},
        "funnelStage": "new-customer",
        "funnelStageTimeline": {"purchase": "2026-02-14T09:30:00.000Z"},
        "journeyScore": 31,
        "totalTransactionValue": 145000.0,
        "churnScore": 0.25,
        "timeseriesEngagementScore": {"2026-02-14": 12},
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-02-14T09:30:02.500Z",
        "updatedByCrmAt": None,
    }
    return _built("cdp_profile", key, body, changes)


def conversion_document(key: str = "0aB1cD2eF3gH4iJ5kL6mNo", **changes: Any) -> Document:
    """An edge of `cdp_profile2conversion`: one line of an order."""
    body = {
        "_from": "cdp_profile/9fQd2LmXw7RzT4bKcVhNsY",
        "_to": "cdp_productitem/4TeaLotusTea4TeaLotusT",
        "eventMetricId": "purchase",
        "eventScore": 27,
        "totalEvent": 0,
        "indexScore": 0,
        "quantity": 3,
        "transactionId": "ORD-2026-0214-0042",
        "transactionValue": 435000.0,
        "currencyCode": "VND",
        "assetGroupIds": ["4ngANNH9339A2p0RMsdh5r"],
        "segmentIds": [],
        "targetMediaUnitId": "",
        "createdAt": "2026-02-14T09:30:00.000Z",
        "updatedAt": "2026-02-14T09:30:00.000Z",
    }
    return _built("cdp_profile2conversion", key, body, changes)


def event_document(key: str = "7eVeNt00000000000001Ab", **changes: Any) -> Document:
    """A document of `cdp_trackingevent`: the order of `conversion_document`."""
    body = {
        "createdAt": "2026-02-14T09:30:00.000Z",
        "updatedAt": "2026-02-14T09:30:02.911Z",
        "timestamp": 1771061400,
        "sessionKey": "q8ZtR1",
        "isActiveTracked": True,
        "isConversion": True,
        "isExperience": False,
        "observerId": "2lO3BwqvOnKfoOimSd8mqz",
        "metricName": "purchase",
        "metricValue": 1,
        "message": "",
        "refProfileId": "9fQd2LmXw7RzT4bKcVhNsY",
        "refVisitorId": "5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
        "refJourneyId": "id_default_journey",
        "journeyStage": 4,
        "srcTouchpointName": "Checkout",
        "srcTouchpointUrl": "https://lotus.example.com/checkout",
        "srcTouchpointHost": "lotus.example.com",
        "refCampaignId": "",
        "refContentId": "",
        "refItemId": "",
        "browserName": "Firefox",
        "deviceOS": "Android",
        "deviceType": "Mobile",
        "sourceIP": "203.0.113.77",
        "timeSpent": 8,
        "transactionId": "ORD-2026-0214-0042",
        "transactionValue": 435000.0,
        "transactionShippingValue": 0.0,
        "transactionStatus": "paid",
        "transactionCode": 0,
        "transactionDiscount": 0.0,
        "transactionCurrency": "VND",
        "transactionPayment": "momo",
        "transactionTax": 0.0,
        "transactionShippingInfo": {},
        "orderedItems": [
            {"itemId": "SKU-77", "idType": "SKU", "name": "Trà sen", "quantity": 3, "salePrice": 145000.0}
        ],
        "serviceItems": [],
        "tradingItems": [],
        "fraudScore": 0,
        "environment": "pro",
        "imageUrls": [],
        "videoUrls": [],
        "eventData": {"utm_source": "zalo"},
        "partitionId": 0,
        "state": 1,
        "rawJsonData": "",
    }
    return _built("cdp_trackingevent", key, body, changes)


def segment_document(key: str = "7Hh2", **changes: Any) -> Document:
    """A document of `cdp_segment`."""
    body = {
        "parentId": None,
        "name": "Weekend buyers",
        "description": "bought on a Saturday or Sunday",
        "type": 1,
        "status": 1,
        "realtimeQuery": False,
        "autoUpdateProfiles": True,
        "jsonQueryRules": '{"condition":"AND","rules":[{"field":"funnelStage","operator":"equal","value":"lead"}]}',
        "customQueryFilter": "",
        "queryHashedId": "8sPq2",
        "selectedFields": [],
        "totalCount": 311,
        "avgNPS": 0.0,
        "keywords": [],
        "campaignIds": [],
        "extData": {},
        "managedBySystem": False,
        "forEmailMarketing": True,
        "ownerUsername": "superadmin",
        "authorizedEditors": [],
        "authorizedViewers": [],
        "indexScore": 3,
        "createdAt": "2025-05-05T05:05:05.000Z",
        "updatedAt": "2026-02-14T10:00:00.561Z",
    }
    return _built("cdp_segment", key, body, changes)


def product_document(key: str = "4TeaLotusTea4TeaLotusT", **changes: Any) -> Document:
    """A document of `cdp_productitem`."""
    body = {
        "productId": "SKU-77",
        "productCode": "P-77",
        "productIdType": "SKU",
        "productType": "general_product",
        "categoryName": "Tea",
        "categoryId": "cat_tea",
        "brand": "Lotus",
        "title": "Trà sen 200g",
        "description": "Trà ướp sen Tây Hồ",
        "keywords": ["trà", "tea"],
        "originalPrice": 160000.0,
        "salePrice": 145000.0,
        "quantity": 12,
        "priceCurrency": "VND",
        "availability": "in_stock",
        "fullUrl": "https://lotus.example.com/sku-77",
        "headlineImageUrl": "https://cdn.example.com/sku-77.jpg",
        "groupIds": ["4ngANNH9339A2p0RMsdh5r"],
        "type": 0,
        "assetType": 2,
        "contentClass": "product",
        "status": 9,
        "privacyStatus": 0,
        "networkId": 0,
        "slug": "tra-sen-200g-4teal",
        "viewCount": 88,
        "clickCount": 7,
        "transactionCount": 5,
        "creationTime": 1740816000000,
        "modificationTime": 1771061400000,
        "createdAt": "2025-03-01T08:00:00.000Z",
        "updatedAt": "2026-02-14T09:30:02.700Z",
    }
    return _built("cdp_productitem", key, body, changes)


def feedback_document(key: str = "5fEeDbAcK5fEeDbAcK5fEe", **changes: Any) -> Document:
    """A document of `cdp_feedbackdata`."""
    body = {
        "feedbackType": "RATING",
        "feedbackDataType": "",
        "eventName": "product-review",
        "status": 1,
        "feedbackScore": 4.5,
        "comment": "Trà thơm, gói đẹp",
        "language": "vi",
        "refProfileId": "9fQd2LmXw7RzT4bKcVhNsY",
        "refVisitorId": "5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
        "refProductItemId": "4TeaLotusTea4TeaLotusT",
        "refContentItemId": "",
        "touchpointName": "Product page",
        "touchpointUrl": "https://lotus.example.com/sku-77",
        "header": "FEEDBACK RATING - Product page",
        "scoreCX": {"positive": 90, "neutral": 10, "negative": 0, "sentimentType": 1},
        "ratingQuestionAnswer": {},
        "profileFirstName": "",
        "profileGender": -1,
        "profileAge": -1,
        "mediaSources": [],
        "dateKey": "2026-02-20",
        "timePeriod": "20260220",
        "createdAt": "2026-02-20T11:12:13.141Z",
    }
    return _built("cdp_feedbackdata", key, body, changes)


BUILDERS = {
    "cdp_profile": profile_document,
    "cdp_profile2conversion": conversion_document,
    "cdp_trackingevent": event_document,
    "cdp_segment": segment_document,
    "cdp_productitem": product_document,
    "cdp_feedbackdata": feedback_document,
}
"""By collection."""
