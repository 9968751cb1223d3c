"""Contract of `cdp_profile`: one row of `cdp.customer_profile` per profile, merged ones included."""

from __future__ import annotations

from typing import Any

import dataframely as dy
import polars as pl

from cdp_assets.cleaning.contacts import mailbox
from cdp_assets.landing import codes
from cdp_assets.landing.contract import (
    Contract,
    Mapped,
    code_column,
    key_column,
    time_column,
    words_column,
)
from cdp_assets.landing.values import (
    Document,
    FieldError,
    day,
    email,
    instant,
    integer,
    phone,
    references,
    text,
    texts,
)
from cdp_assets.sources.model import PROFILE
from cdp_assets.warehouse.options import TenantOptions


class CustomerProfile(dy.Schema):
    """One row per profile."""

    cdp_profile_id = key_column()
    root_profile_id = dy.String(nullable=False, max_length=254)
    merged_into = dy.String(nullable=True, max_length=254)
    status = code_column(codes.PROFILE_STATUS)
    profile_type = code_column(codes.PROFILE_TYPE)
    data_context = code_column(codes.DATA_CONTEXT)
    full_name = dy.String(nullable=True)
    first_name = dy.String(nullable=True)
    last_name = dy.String(nullable=True)
    email = dy.String(nullable=True, max_length=320)
    email_key = dy.String(nullable=True, max_length=320)
    phone = dy.String(nullable=True, regex=r"^\+[1-9][0-9]{4,14}$")
    gender = code_column(codes.GENDER, nullable=True)
    age = dy.Int16(nullable=True, min=1, max=130)
    age_group = code_column(codes.AGE_GROUP, nullable=True)
    birth_date = dy.Date(nullable=True)
    marital_status = code_column(codes.MARITAL_STATUS, nullable=True)
    nationality = dy.String(nullable=True)
    country = dy.String(nullable=True)
    province = dy.String(nullable=True)
    city = dy.String(nullable=True)
    language = dy.String(nullable=True, max_length=35)
    crm_id = dy.String(nullable=True)
    visitor_id = dy.String(nullable=True)
    identities = words_column()
    job_titles = words_column()
    data_labels = words_column()
    content_keywords = words_column()
    product_keywords = words_column()
    media_channels = words_column()
    segment_ids = words_column()
    funnel_stage = dy.String(nullable=True)
    receive_email = dy.Int16(nullable=False, min=-1, max=1)
    receive_sms = dy.Int16(nullable=False, min=-1, max=1)
    receive_web_push = dy.Int16(nullable=False, min=-1, max=1)
    receive_app_push = dy.Int16(nullable=False, min=-1, max=1)
    receive_ads = dy.Int16(nullable=False, min=-1, max=1)
    created_at = time_column()
    updated_at = time_column()

    @dy.rule()
    def merged_profile_names_its_winner(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the schema
        """A merged profile without a winner would keep its purchases to itself for ever."""
        return (pl.col("status") != "merged") | pl.col("merged_into").is_not_null()


def map_profile(document: Document, options: TenantOptions) -> Mapped:
    """One profile document as a row; contact data and birthdays that cannot be read are left null and reported."""
    nulled: dict[str, str] = {}
    key = document["_key"]
    status = codes.code(document, "status", codes.PROFILE_STATUS, default=1)
    first, middle, last = (text(document, name) for name in ("firstName", "middleName", "lastName"))
    root = text(document, "rootProfileId", limit=254)
    merged_into = root if status == "merged" and root != key else None
    address = _or_null(nulled, "primaryEmail", lambda: email(document, "primaryEmail"))
    return Mapped(
        {
            "cdp_profile_id": key,
            "root_profile_id": key,
            "merged_into": merged_into,
            "status": status,
            "profile_type": codes.code(document, "type", codes.PROFILE_TYPE, default=0),
            "data_context": codes.code(document, "dataContext", codes.DATA_CONTEXT, default=1),
            "full_name": " ".join(part for part in (first, middle, last) if part) or None,
            "first_name": first,
            "last_name": last,
            "email": address,
            "email_key": None if address is None else mailbox(address),
            "phone": _or_null(
                nulled, "primaryPhone", lambda: phone(document, "primaryPhone", region=options.default_region)
            ),
            "gender": codes.code(document, "gender", codes.GENDER, default=7),
            "age": _age(document),
            "age_group": codes.code(document, "ageGroup", codes.AGE_GROUP, default=0),
            "birth_date": _or_null(
                nulled, "dateOfBirth", lambda: day(document, "dateOfBirth", zone=options.timezone)
            ),
            "marital_status": codes.code(document, "maritalStatus", codes.MARITAL_STATUS, default=6),
            "nationality": text(document, "primaryNationality"),
            "country": text(document, "livingCountry"),
            "province": text(document, "livingProvince"),
            "city": text(document, "livingCity"),
            "language": text(document, "primaryLanguage"),
            "crm_id": text(document, "crmRefId"),
            "visitor_id": text(document, "visitorId"),
            "identities": texts(document, "identities"),
            "job_titles": texts(document, "jobTitles"),
            "data_labels": texts(document, "dataLabels"),
            "content_keywords": texts(document, "contentKeywords"),
            "product_keywords": texts(document, "productKeywords"),
            "media_channels": texts(document, "mediaChannels"),
            "segment_ids": references(document, "inSegments"),
            "funnel_stage": text(document, "funnelStage"),
            "receive_email": codes.code(document, "receiveEmail", codes.CONSENT, default=0),
            "receive_sms": codes.code(document, "receiveSMS", codes.CONSENT, default=0),
            "receive_web_push": codes.code(document, "receiveWebPush", codes.CONSENT, default=0),
            "receive_app_push": codes.code(document, "receiveAppPush", codes.CONSENT, default=0),
            "receive_ads": codes.code(document, "receiveAds", codes.CONSENT, default=1),
            "created_at": instant(document, "createdAt"),
            "updated_at": instant(document, "updatedAt"),
        },
        nulled,
    )


def _age(document: Document) -> int | None:
    """LEO writes 0 or -1 when it does not know."""
    age = integer(document, "age", default=0, low=-1, high=32_767)
    return age if age > 0 else None


def _or_null(nulled: dict[str, str], field: str, read: Any) -> Any:
    try:
        return read()
    except FieldError as error:
        nulled[field] = str(error)
        return None


CONTRACT = Contract(
    collection=PROFILE,
    table="customer_profile",
    schema=CustomerProfile,
    map=map_profile,
    document_column="metadata",
    window_field="updatedAt",
    version="profile/2",
    # Names joined from other attributes, refreshed only when LEO saves the profile itself: stale by design.
    drop=frozenset(
        {
            "identitiesAsStr",
            "dataLabelsAsStr",
            "inSegmentsAsStr",
            "inCampaignsAsStr",
            "inAccountsAsStr",
            "inJourneyMapsAsStr",
            "authorizedViewers",
            "authorizedEditors",
        }
    ),
    ordered=frozenset({"workingHistory", "learningHistory", "googleUtmData", "paymentEvents"}),
    insert_only=frozenset({"root_profile_id"}),
)
