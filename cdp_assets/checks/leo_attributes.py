"""The attributes that LEO CDP is known to store, per collection: what schema drift is measured against.

Belongs here: names as LEO's Java model writes them (`Profile`, `Profile2Conversion`, `TrackingEvent`, `Segment`,
`ProductItem`, `FeedbackData`). Bookkeeping and secrets are left out: they never reach a stored document. When LEO
adds an attribute, the check names it; decide whether a column is wanted, then add it here.
"""

from __future__ import annotations

import re

from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT

_PROFILE = """
rootProfileId crmRefId identities identitiesAsStr visitorId visitorIds fingerprintId applicationIDs loyaltyIDs
fintechSystemIDs lastUsedDeviceId usedDeviceIds socialMediaProfiles primaryUsername contextSessionKeys
schemaType type status mergeCode dataContext partitionId dataVerification
primaryEmail secondaryEmails primaryPhone secondaryPhones primaryLanguage personalContacts businessContacts
firstName middleName lastName gender genderProbability maritalStatus age ageGroup dateOfBirth primaryNationality
personalInterests primaryAvatar
livingLocation livingLocationType permanentLocation livingCountry livingProvince livingState livingCity livingDistrict
livingWard livingCounty currentZipCode locationCode contactAddresses
jobTitles workingHistory jobType softSkills studyCertificates learningHistory learningCourses businessIndustries
businessData incomeHistory
dataLabels dataLabelsAsStr inSegments inSegmentsAsStr inCampaigns inCampaignsAsStr inAccounts inAccountsAsStr
inJourneyMaps inJourneyMapsAsStr similarProfiles personaUri funnelStage funnelStageTimeline
mediaChannels referrerChannels subscribedChannels googleUtmData contentKeywords productKeywords personalProblems
solutionsForCustomer nextBestActions recommendationModel
receiveEmail receiveSMS receiveWebPush receiveAppPush receiveAds notificationUserIds
purchasedItems shoppingItems purchasedItemIds shoppingItemIds purchasedBrands paymentEvents financeRecords
financeCreditEvents
journeyScore dataQualityScore totalLeadScore totalProspectScore totalEngagementScore totalCreditScore
totalLoyaltyScore totalTransactionValue totalCAC totalCLV churnScore rfmScore rfeScore totalEstimatedReach extMetrics
totalCFS totalCES totalCSAT totalNPS positiveCFS positiveCES positiveCSAT positiveNPS
neutralCFS neutralCES neutralCSAT neutralNPS negativeCFS negativeCES negativeCSAT negativeNPS
behavioralEvents eventStatistics topEngagedTouchpointIds fromTouchpointHubIds lastTouchpointId lastTouchpoint
lastObserverId lastSeenIp lastTrackingEvent lastItemViewEvent lastPurchaseEvent
extAttributes notes authorizedViewers authorizedEditors createdAt updatedAt updatedByCrmAt
"""

_CONVERSION = """
eventMetricId transactionId transactionValue quantity currencyCode eventScore totalEvent indexScore
targetMediaUnitId assetGroupIds segmentIds createdAt updatedAt
"""

_TRACKING_EVENT = """
createdAt updatedAt timestamp sessionKey isActiveTracked isConversion isExperience observerId metricName metricValue
message refProfileId refVisitorId refJourneyId journeyStage
srcTouchpointId srcTouchpointHubId srcTouchpointName srcTouchpointUrl srcTouchpointHost
refTouchpointId refTouchpointHubId refTouchpointName refTouchpointUrl refTouchpointHost
refCampaignId refContentId refItemId refTicketId refDataSource refFeedbackEventId
browserName fingerprintId deviceId deviceOS deviceType deviceName sourceIP locationCode locationName locationAddress
timeSpent srcEventKey
transactionId transactionValue transactionShippingValue transactionStatus transactionCode transactionDiscount
transactionCurrency transactionPayment transactionTax transactionShippingInfo
orderedItems serviceItems tradingItems imageUrls videoUrls eventData rawJsonData fraudScore environment partitionId
state computableFields
"""

_SEGMENT = """
name description parentId type status realtimeQuery autoUpdateProfiles jsonQueryRules customQueryFilter queryHashedId
selectedFields keywords campaignIds extData managedBySystem ownerUsername authorizedEditors authorizedViewers
indexScore imageAvatarUri createdAt updatedAt
"""

_PRODUCT_ITEM = """
productId productCode productIdType productType categoryName categoryId brand title description keywords originalPrice
salePrice quantity priceCurrency availability itemCondition siteName siteDomain sellerName fullUrl headlineImageUrl
headlineVideoUrl headlineImages storeIds warehouseIds salesAgentIds touchpointIds inCampaigns inJourneyMaps promoCodes
groupIds categoryIds topicIds type assetType contentClass status privacyStatus networkId ownerId
systemAsset slug viewCount clickCount transactionCount shareCount feedbackCount reactionReportUnits rankingScore
qrCodeUrl shortLinkUrl customData publishingTime destroyedTime creationTime modificationTime createdAt updatedAt
"""

_FEEDBACK = """
feedbackType feedbackDataType eventName status feedbackScore comment language header group evaluatedObject
evaluatedItem evaluatedPerson refProfileId refVisitorId refProductItemId refContentItemId refTemplateId refCampaignId
refTouchpointHubId refTouchpointId refDataFlowStageId touchpointId touchpointName touchpointUrl deviceId scoreCX
ratingQuestionAnswer extraTextQuestionsAnswer singleChoiceQuestionAnswer multipleChoiceQuestionAnswer surveyChoices
decisionMakers originalSources mediaSources onSharedDevices geoLatitude geoLongitude timePeriod dateKey createdAt
"""

KNOWN: dict[str, frozenset[str]] = {
    collection: frozenset(names.split())
    for collection, names in (
        (PROFILE, _PROFILE),
        (CONVERSION, _CONVERSION),
        (TRACKING_EVENT, _TRACKING_EVENT),
        (SEGMENT, _SEGMENT),
        (PRODUCT_ITEM, _PRODUCT_ITEM),
        (FEEDBACK, _FEEDBACK),
    )
}
"""Attribute names by collection."""

_FAMILIES: dict[str, re.Pattern[str]] = {
    PROFILE: re.compile(r"timeseries[A-Z]"),  # values by day
    SEGMENT: re.compile(r"(total|avg|for)[A-Z0-9]"),  # aggregates over members, purposes
    PRODUCT_ITEM: re.compile(r"target[A-Z]"),
    FEEDBACK: re.compile(r"profile[A-Z]"),  # what the profile was when it spoke
}


def is_known(collection: str, attribute: str) -> bool:
    """Whether LEO is known to store this attribute in documents of the collection."""
    family = _FAMILIES.get(collection)
    return attribute in KNOWN[collection] or (family is not None and family.match(attribute) is not None)
