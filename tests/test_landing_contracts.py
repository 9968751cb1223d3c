"""Values, codes, documents and batches: what each attribute of LEO becomes, and that nothing bad gets through."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdp_assets.landing import codes
from cdp_assets.landing.batch import MAX_BYTES, MAX_DOCUMENTS, Batch, Row, prepare, regroup
from cdp_assets.landing.contract import TenantOptions
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.document import MAX_BYTES as MAX_DOCUMENT_BYTES
from cdp_assets.landing.document import SHOWN_BYTES
from cdp_assets.sources import rawjson
from cdp_assets.sources.model import fingerprint
from cdp_assets.warehouse.quarantine import Reject
from tests.documents import (
    BUILDERS,
    MISSING,
    Document,
    as_bytes,
    conversion_document,
    event_document,
    feedback_document,
    product_document,
    profile_document,
    segment_document,
    segment_reference,
)

OPTIONS = TenantOptions()
COLLECTIONS = sorted(CONTRACTS)


def collection_of(document: Document) -> str:
    return str(document["_id"]).partition("/")[0]


def prepared(collection: str, *documents: Document | bytes, options: TenantOptions = OPTIONS) -> Batch:
    page = [document if isinstance(document, bytes) else as_bytes(document) for document in documents]
    return prepare(CONTRACTS[collection], options, page)


def columns(row: Row, collection: str) -> dict[str, Any]:
    return dict(zip(CONTRACTS[collection].target.columns, row.values, strict=True))


def landed(document: Document, *, options: TenantOptions = OPTIONS) -> dict[str, Any]:
    """The columns of a document that must land without complaint."""
    collection = collection_of(document)
    batch = prepared(collection, document, options=options)
    assert batch.rejects == []
    return columns(batch.rows[0], collection)


def stored(document: Document) -> dict[str, Any]:
    """What is kept of the document itself."""
    found: dict[str, Any] = json.loads(landed(document)[CONTRACTS[collection_of(document)].document_column])
    return found


def rejected(document: Document | bytes, collection: str = "cdp_profile") -> Reject:
    """The reject of a document that must not land."""
    if isinstance(document, dict) and "_id" in document:
        collection = collection_of(document)
    batch = prepared(collection, document)
    assert batch.rows == []
    (reject,) = batch.rejects
    assert not reject.landed
    return reject


def nulled(document: Document) -> tuple[dict[str, Any], Reject]:
    """The columns and the complaint of a document that lands with an attribute left null."""
    collection = collection_of(document)
    batch = prepared(collection, document)
    (row,), (reject,) = batch.rows, batch.rejects
    assert reject.landed
    assert reject.key == row.key
    return columns(row, collection), reject


def content_hash(document: Document) -> bytes:
    return bytes(landed(document)["content_hash"])


# -- the ordinary document -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_row_has_the_columns_of_the_contract_in_their_order(collection: str) -> None:
    contract = CONTRACTS[collection]
    document = BUILDERS[collection]()
    assert list(contract.map(document, OPTIONS).values) == list(contract.schema.columns())
    assert list(landed(document)) == [*contract.schema.columns(), contract.document_column, "content_hash"]


def test_a_profile_lands_with_every_column() -> None:
    row = landed(profile_document("9fQd2LmXw7RzT4bKcVhNsY"))
    del row["metadata"], row["content_hash"]
    assert row == {
        "cdp_profile_id": "9fQd2LmXw7RzT4bKcVhNsY",
        "root_profile_id": "9fQd2LmXw7RzT4bKcVhNsY",
        "merged_into": None,
        "status": "active",
        "profile_type": "customer",
        "data_context": "production",
        "full_name": "Mai Thị Phạm",
        "first_name": "Mai",
        "last_name": "Phạm",
        "email": "mai.pham@example.com",
        "phone": "+84912345678",
        "gender": "female",
        "age": 29,
        "age_group": "25-34",
        "birth_date": date(1996, 8, 21),
        "marital_status": "single",
        "nationality": "Vietnamese",
        "country": "Vietnam",
        "province": "Hà Nội",
        "city": "Hà Nội",
        "language": "vi",
        "crm_id": "CRM-004711",
        "visitor_id": "5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
        "identities": [
            "9fQd2LmXw7RzT4bKcVhNsY",
            "email:mai.pham@example.com",
            "phone:+84912345678",
            "visitor:5d1f0c7a9b3e4f6d8a2c1b0e9f7d6c5b",
        ],
        "job_titles": ["Kế toán", "Teamleiterin"],
        "data_labels": ["VIP", "khách quen"],
        "content_keywords": ["Home", "Tet 2026"],
        "product_keywords": ["Tea"],
        "media_channels": ["facebook", "zalo_user_id:5523881190021"],
        "segment_ids": ["2Aa9", "7Hh2"],
        "funnel_stage": "new-customer",
        "receive_email": 1,
        "receive_sms": -1,
        "receive_web_push": 0,
        "receive_app_push": 1,
        "receive_ads": 1,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        "updated_at": datetime(2026, 2, 14, 9, 30, 2, 500000, tzinfo=UTC),
    }


def test_an_edge_lands_as_one_line_of_an_order() -> None:
    row = landed(conversion_document("k1"))
    del row["context_data"], row["content_hash"]
    assert row == {
        "txn_id": "k1",
        "transaction_id": "ORD-2026-0214-0042",
        "cdp_profile_id": "9fQd2LmXw7RzT4bKcVhNsY",
        "source_profile_id": "9fQd2LmXw7RzT4bKcVhNsY",
        "product_key": "4TeaLotusTea4TeaLotusT",
        "txn_type": "purchase",
        "txn_timestamp": datetime(2026, 2, 14, 9, 30, tzinfo=UTC),
        "amount": Decimal("435000.0000"),
        "currency": "VND",
        "quantity": 3,
        "updated_at": datetime(2026, 2, 14, 9, 30, tzinfo=UTC),
    }


def test_the_newest_window_time_of_a_page_is_known() -> None:
    early, late = "2026-01-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"
    batch = prepared(
        "cdp_profile", profile_document("a", updatedAt=late), profile_document("b", updatedAt=early)
    )
    assert batch.newest == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_rejected_document_does_not_move_the_window() -> None:
    batch = prepared("cdp_profile", profile_document("a", updatedAt="2026-03-01T00:00:00.000Z", status=5))
    assert batch.newest is None


# -- codes -----------------------------------------------------------------------------------------------------------

CODED = [
    (profile_document, "status", "status", codes.PROFILE_STATUS, 1),
    (profile_document, "type", "profile_type", codes.PROFILE_TYPE, 0),
    (profile_document, "dataContext", "data_context", codes.DATA_CONTEXT, 1),
    (profile_document, "gender", "gender", codes.GENDER, 7),
    (profile_document, "ageGroup", "age_group", codes.AGE_GROUP, 0),
    (profile_document, "maritalStatus", "marital_status", codes.MARITAL_STATUS, 6),
    (profile_document, "receiveEmail", "receive_email", codes.CONSENT, 0),
    (profile_document, "receiveSMS", "receive_sms", codes.CONSENT, 0),
    (profile_document, "receiveWebPush", "receive_web_push", codes.CONSENT, 0),
    (profile_document, "receiveAppPush", "receive_app_push", codes.CONSENT, 0),
    (profile_document, "receiveAds", "receive_ads", codes.CONSENT, 1),
    (segment_document, "status", "status", codes.SEGMENT_STATUS, 1),
    (segment_document, "type", "segment_type", codes.SEGMENT_TYPE, 0),
    (product_document, "status", "status", codes.ASSET_STATUS, 0),
    (event_document, "state", "state", codes.EVENT_STATE, 0),
    (feedback_document, "status", "status", codes.FEEDBACK_STATUS, 1),
]
BY_CODE = pytest.mark.parametrize(
    ("build", "attribute", "column", "mapping", "default"),
    CODED,
    ids=[f"{build.__name__}.{attribute}" for build, attribute, *_ in CODED],
)
Build = Callable[..., Document]


@BY_CODE
def test_every_code_has_its_meaning(
    build: Build, attribute: str, column: str, mapping: dict[int, Any], default: int
) -> None:
    for code, meaning in mapping.items():
        winner = {"rootProfileId": "w"} if meaning == "merged" else {}
        assert landed(build(**{attribute: code}, **winner))[column] == meaning, code


@BY_CODE
@pytest.mark.parametrize("absent", [MISSING, None], ids=["missing", "null"])
def test_an_absent_code_is_leos_default(
    build: Build, attribute: str, column: str, mapping: dict[int, Any], default: int, absent: Any
) -> None:
    assert landed(build(**{attribute: absent}))[column] == mapping[default]


@BY_CODE
@pytest.mark.parametrize("value", [99, -7, 1.5, "1", True, [1], {"code": 1}, 2**70])
def test_an_unknown_code_is_a_reject_that_names_the_attribute(
    build: Build, attribute: str, column: str, mapping: dict[int, Any], default: int, value: Any
) -> None:
    reject = rejected(build(**{attribute: value}))
    assert reject.fields == (attribute,)
    assert reject.reason.startswith(f"{attribute}: ")


def test_genders_are_leos_own_not_those_of_the_first_port() -> None:
    meanings = [landed(profile_document(gender=code))["gender"] for code in range(8)]
    assert meanings == ["female", "male", "lgbt", "lesbian", "gay", "bisexual", "transgender", None]


def test_a_code_may_come_as_a_double() -> None:
    assert landed(profile_document(gender=1.0))["gender"] == "male"


def test_a_status_outside_the_table_names_what_is_known() -> None:
    reject = rejected(profile_document(status=5))
    assert "unknown code 5" in reject.reason
    assert "-44, -4, -1, 0, 1" in reject.reason


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("paid", "completed"),
        (" Delivered ", "completed"),
        ("ON_HOLD", "pending"),
        ("on hold", "pending"),
        ("Canceled", "cancelled"),
        ("chargeback", "refunded"),
        ("dispatched by pigeon", None),
        ("", None),
        (None, None),
    ],
)
def test_free_text_statuses_of_orders_are_read(text: str | None, status: str | None) -> None:
    assert landed(event_document(transactionStatus=text))["order_status"] == status


# -- unknown, in all its spellings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [MISSING, None, "", "   "], ids=["missing", "null", "empty", "blank"])
def test_missing_null_and_empty_text_are_all_null(absent: Any) -> None:
    names = ("firstName", "middleName", "lastName", "primaryEmail", "primaryPhone", "livingCity", "crmRefId")
    row = landed(profile_document(**dict.fromkeys(names, absent)))
    for column in ("first_name", "last_name", "full_name", "email", "phone", "city", "crm_id"):
        assert row[column] is None, column


@pytest.mark.parametrize("absent", [MISSING, None, []], ids=["missing", "null", "empty"])
def test_a_missing_set_is_an_empty_set(absent: Any) -> None:
    row = landed(profile_document(jobTitles=absent, inSegments=absent, identities=absent))
    assert (row["job_titles"], row["segment_ids"], row["identities"]) == ([], [], [])


@pytest.mark.parametrize("age", [0, -1, None, MISSING])
def test_an_unknown_age_is_null(age: Any) -> None:
    assert landed(profile_document(age=age))["age"] is None


def test_an_impossible_age_is_a_reject() -> None:
    assert rejected(profile_document(age=131)).fields == ("age",)


@pytest.mark.parametrize(
    ("first", "middle", "last", "full"),
    [
        ("Lan", "", "", "Lan"),
        ("", "", "Sukarno", "Sukarno"),
        ("Lan", None, "Trần", "Lan Trần"),
        (" Anne ", "Marie", " Smith", "Anne Marie Smith"),
    ],
)
def test_one_word_names_are_names(first: str, middle: str | None, last: str, full: str) -> None:
    assert landed(profile_document(firstName=first, middleName=middle, lastName=last))["full_name"] == full


def test_markup_and_sql_in_names_are_text_like_any_other() -> None:
    name = "<script>alert('x')</script> {{7*7}} '; drop table cdp.segment; --"
    assert landed(profile_document(firstName=name))["first_name"] == name


def test_attributes_with_odd_names_are_kept() -> None:
    odd = {"a.b": 1, "$set": 2, 'quo"te': 3, "select": 4, "Case": 5, "case": 6, "": 7}
    assert stored(profile_document(extAttributes=odd, **{"top.level": 1}))["extAttributes"] == odd


def test_a_text_that_is_too_long_is_a_reject() -> None:
    reject = rejected(profile_document(lastName="x" * 1_000_000))
    assert reject.fields == ("lastName",)
    assert len(reject.document) <= SHOWN_BYTES


def test_a_segment_keeps_long_rules_and_trims_its_name() -> None:
    rules = '{"rules":[' + ",".join(f'"rule {number}"' for number in range(5_000)) + "]}"
    row = landed(segment_document(jsonQueryRules=rules, name="Weekend buyers  "))
    assert (row["query_rules"], row["name"]) == (rules, "Weekend buyers")


# -- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-11T09:49:24.956Z", datetime(2026, 3, 11, 9, 49, 24, 956000, tzinfo=UTC)),
        ("2026-03-11T09:49:24Z", datetime(2026, 3, 11, 9, 49, 24, tzinfo=UTC)),
        ("2026-03-11T15:19:24+0530", datetime(2026, 3, 11, 9, 49, 24, tzinfo=UTC)),
        ("2026-03-11T15:19:24+05:30", datetime(2026, 3, 11, 9, 49, 24, tzinfo=UTC)),
        ("2026-03-10T23:30:00-01:00", datetime(2026, 3, 11, 0, 30, tzinfo=UTC)),
        ("1900-01-01T00:00:00.000Z", datetime(1900, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_with_their_zone(text: str, time: datetime) -> None:
    assert landed(profile_document(createdAt=text))["created_at"] == time


BAD_TIMES = {
    "no zone": "2026-03-11T09:49:24.956",
    "31 February": "2026-02-31T09:00:00.000Z",
    "year 0": "0000-03-11T09:49:24.956Z",
    "year 9999": "9999-12-31T23:59:59.000Z",
    "leap second": "2016-12-31T23:59:60.000Z",
    "date only": "2026-03-11",
    "words": "yesterday",
    "epoch seconds": 1772352000,
    "epoch milliseconds": 1772352000000,
    "object": {},
    "list": ["2026-03-11T09:49:24.956Z"],
    "true": True,
}


@pytest.mark.parametrize("value", BAD_TIMES.values(), ids=BAD_TIMES)
@pytest.mark.parametrize(
    ("build", "attribute"),
    [
        (profile_document, "createdAt"),
        (profile_document, "updatedAt"),
        (profile_document, "dateOfBirth"),
        (conversion_document, "createdAt"),
        (event_document, "createdAt"),
        (feedback_document, "createdAt"),
        (segment_document, "updatedAt"),
        (product_document, "createdAt"),
        (product_document, "updatedAt"),
    ],
)
def test_a_time_that_cannot_be_read_is_a_reject(build: Build, attribute: str, value: Any) -> None:
    reject = rejected(build(**{attribute: value}))
    assert reject.fields == (attribute,)
    assert attribute in reject.reason


@pytest.mark.parametrize("build", [conversion_document, event_document, feedback_document])
@pytest.mark.parametrize("absent", [MISSING, None, ""])
def test_what_happened_without_a_time_is_a_reject(build: Build, absent: Any) -> None:
    assert rejected(build(createdAt=absent)).reason == "createdAt: is missing"


def test_an_event_from_the_future_is_a_reject_but_a_fast_clock_is_not() -> None:
    def at(days: float) -> str:
        return (datetime.now(UTC) + timedelta(days=days)).isoformat()

    assert rejected(event_document(createdAt=at(2))).fields == ("createdAt",)
    assert landed(event_document(createdAt=at(0.5)))["event_at"] > datetime.now(UTC)


# -- amounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (b"29.33", "29.3300"),
        (b"360000.0", "360000.0000"),
        (b"360000", "360000.0000"),
        (b"0.1", "0.1000"),
        (b"1e3", "1000.0000"),
        (b"-49.9", "-49.9000"),
        (b"-0.0", "0.0000"),
        (b"0.00005", "0.0000"),
        (b"0.00015", "0.0002"),
        (b"9999999999999.99", "9999999999999.9900"),
        (b"null", "0.0000"),
    ],
)
def test_an_amount_is_the_decimal_that_the_source_prints(written: bytes, amount: str) -> None:
    raw = as_bytes(conversion_document(transactionValue="@")).replace(b'"@"', written)
    (row,) = prepared("cdp_profile2conversion", raw).rows
    assert columns(row, "cdp_profile2conversion")["amount"] == Decimal(amount)


BAD_AMOUNTS = {
    "text": b'"29.33"',
    "english text": b'"1,234.56"',
    "german text": b'"1.234,56"',
    "too large": b"100000000000000",
    "1e400": b"1e400",
    "30 digits": b"123456789012345678901234567890",
    "5000 digits": b"9" * 5000,
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "true": b"true",
    "object": b'{"amount":29.33}',
    "list": b"[29.33]",
}


@pytest.mark.parametrize("written", BAD_AMOUNTS.values(), ids=BAD_AMOUNTS)
def test_an_amount_that_is_none_is_a_reject(written: bytes) -> None:
    raw = as_bytes(conversion_document(transactionValue="@")).replace(b'"@"', written)
    reject = rejected(raw, "cdp_profile2conversion")
    assert reject.fields == ("transactionValue",)
    assert reject.key == conversion_document()["_key"]


@pytest.mark.parametrize(
    "number", ["123456789012345678901234567890", "0.123456789012345678901234567890", "-0.0"]
)
def test_odd_numbers_elsewhere_do_no_harm(number: str) -> None:
    raw = as_bytes(profile_document("a", extMetrics={"odd": "@"})).replace(b'"@"', number.encode())
    assert [row.key for row in prepared("cdp_profile", raw).rows] == ["a"]


def test_the_order_id_that_stands_for_none_names_no_order() -> None:
    row = landed(conversion_document(transactionId="empty-transaction"))
    assert row["transaction_id"] is None
    assert landed(conversion_document(transactionId=""))["transaction_id"] is None


@pytest.mark.parametrize(("code", "currency"), [("usd", "USD"), (" VND ", "VND"), ("", "EUR"), (None, "EUR")])
def test_currencies_are_upper_case_and_the_tenants_when_missing(code: str | None, currency: str) -> None:
    row = landed(conversion_document(currencyCode=code), options=TenantOptions(default_currency="EUR"))
    assert row["currency"] == currency


@pytest.mark.parametrize("code", ["dong", "V", "US$", 704, ["VND"]])
def test_a_currency_that_is_none_is_a_reject(code: Any) -> None:
    assert rejected(conversion_document(currencyCode=code)).fields == ("currencyCode",)


@pytest.mark.parametrize("quantity", [1.5, "2", 2**31, 1e300])
def test_a_quantity_that_is_none_is_a_reject(quantity: Any) -> None:
    assert rejected(conversion_document(quantity=quantity)).fields == ("quantity",)


@pytest.mark.parametrize("attribute", ["_from", "_to"])
@pytest.mark.parametrize(
    "value", [MISSING, None, "", "9fQd", "cdp_segment/9fQd", "cdp_profile/", 5, ["cdp_profile/a"]]
)
def test_an_edge_that_hangs_in_the_air_is_a_reject(attribute: str, value: Any) -> None:
    assert rejected(conversion_document(**{attribute: value})).fields == (attribute,)


@pytest.mark.parametrize(
    ("score", "kept"), [(4, "4.00"), (9.255, "9.26"), (0, "0.00"), (-1, None), (None, None)]
)
def test_scores_of_feedback_keep_two_places_and_minus_one_is_none(score: Any, kept: str | None) -> None:
    assert landed(feedback_document(feedbackScore=score))["score"] == (kept and Decimal(kept))


@pytest.mark.parametrize("score", [10.5, -2, "4", True])
def test_a_score_off_the_scale_is_a_reject(score: Any) -> None:
    assert rejected(feedback_document(feedbackScore=score)).fields == ("feedbackScore",)


# -- contact data: left null, with the document landed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Mai.Pham@Example.COM", "mai.pham@example.com"),
        (" mai@example.com ", "mai@example.com"),
        ("mai+shop@example.com", "mai+shop@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("mai@bücher.example.com", "mai@bücher.example.com"),
        ("mai@sub.shop.example.com", "mai@sub.shop.example.com"),
    ],
)
def test_e_mail_addresses_land_in_lower_case(written: str, kept: str) -> None:
    assert landed(profile_document(primaryEmail=written))["email"] == kept


BAD_EMAILS = {
    "null as text": "null",
    "two addresses": "a@example.com, b@example.com",
    "two addresses and a blank": "a@example.com b@example.com",
    "320 characters": "x" * 308 + "@example.com",
    "no domain": "mai@",
    "no at": "mai.example.com",
    "dots": "mai..pham@example.com",
    "blank inside": "mai pham@example.com",
    "number": 42,
    "list": ["mai@example.com"],
}


@pytest.mark.parametrize("written", BAD_EMAILS.values(), ids=BAD_EMAILS)
def test_an_e_mail_address_that_is_none_is_left_null_and_reported(written: Any) -> None:
    row, reject = nulled(profile_document(primaryEmail=written))
    assert row["email"] is None
    assert row["phone"] == "+84912345678"
    assert reject.fields == ("primaryEmail",)
    assert reject.reason.startswith("primaryEmail: ")


@pytest.mark.parametrize(
    ("written", "region", "kept"),
    [
        ("+84912345678", "VN", "+84912345678"),
        ("+84 0912-345 678", "VN", "+84912345678"),
        ("0912 345 678", "VN", "+84912345678"),
        ("0084912345678", "VN", "+84912345678"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("0049 30 901820", "VN", "+4930901820"),
    ],
)
def test_phone_numbers_land_as_e164(written: str, region: str, kept: str) -> None:
    options = TenantOptions(default_region=region)
    assert landed(profile_document(primaryPhone=written), options=options)["phone"] == kept


@pytest.mark.parametrize(
    "written", ["no phone", "12", "+84 090-123", "+999912345678901234", "ext. 4", 84912345678]
)
def test_a_phone_number_that_is_none_is_left_null_and_reported(written: Any) -> None:
    row, reject = nulled(profile_document(primaryPhone=written))
    assert row["phone"] is None
    assert reject.fields == ("primaryPhone",)


def test_both_contacts_may_be_bad() -> None:
    _, reject = nulled(profile_document(primaryEmail="null", primaryPhone="none"))
    assert reject.fields == ("primaryEmail", "primaryPhone")


# -- merges and segments ---------------------------------------------------------------------------------------------


def test_a_merged_profile_names_its_winner() -> None:
    row = landed(profile_document("loser", status=0, rootProfileId="winner"))
    assert (row["status"], row["merged_into"], row["root_profile_id"]) == ("merged", "winner", "loser")


def test_a_root_means_nothing_while_the_profile_is_active() -> None:
    assert landed(profile_document("a", status=1, rootProfileId="other"))["merged_into"] is None


@pytest.mark.parametrize("root", ["", None, "loser"], ids=["empty", "null", "itself"])
def test_a_merged_profile_without_a_winner_is_a_reject(root: Any) -> None:
    reject = rejected(profile_document("loser", status=0, rootProfileId=root))
    assert reject.reason == "merged profile names its winner"
    assert reject.fields


def test_membership_in_100_000_segments_lands() -> None:
    many = [segment_reference(f"s{number:06d}") for number in range(100_000)]
    assert len(landed(profile_document(inSegments=[*many, many[0]]))["segment_ids"]) == 100_000


@pytest.mark.parametrize(
    "value", ["7Hh2", {"id": "7Hh2"}, ["7Hh2"], [{"name": "no id"}], [{"id": 7}], [{"id": ""}], [None], 3]
)
def test_segments_of_the_wrong_shape_are_a_reject(value: Any) -> None:
    assert rejected(profile_document(inSegments=value)).fields == ("inSegments",)


@pytest.mark.parametrize("value", ["VIP", {"VIP": 1}, [1], [["VIP"]], 0, False])
def test_a_set_of_the_wrong_shape_is_a_reject(value: Any) -> None:
    assert rejected(profile_document(dataLabels=value)).fields == ("dataLabels",)


@pytest.mark.parametrize("value", [["Lan"], {"text": "Lan"}, 5, True])
def test_anything_but_text_where_text_belongs_is_a_reject(value: Any) -> None:
    assert rejected(profile_document(firstName=value)).fields == ("firstName",)


def test_ten_thousand_statistics_land() -> None:
    statistics = {f"journey-{number}-page-view": number for number in range(10_000)}
    assert len(stored(profile_document(eventStatistics=statistics))["eventStatistics"]) == 10_000


# -- the content hash ------------------------------------------------------------------------------------------------


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same document with its attributes in another order, at every level."""
    if isinstance(value, dict):
        names = list(value)
        dice.shuffle(names)
        return {name: shuffled(value[name], dice) for name in names}
    if isinstance(value, list):
        return [shuffled(item, dice) for item in value]
    return value


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_new_revision_or_order_of_attributes_leaves_the_hash(collection: str) -> None:
    document = BUILDERS[collection]()
    again = shuffled({**document, "_rev": "_another---"}, random.Random(7))
    assert list(again) != list(document)
    assert content_hash(again) == content_hash(document)


def test_the_order_of_sets_leaves_the_hash() -> None:
    document = profile_document(mixed=[3, "a", None, {"b": 1}, [2], 1.5, "A", True])
    dice = random.Random(11)
    for _ in range(20):
        again = {
            name: dice.sample(value, len(value))
            if isinstance(value, list) and name != "workingHistory"
            else value
            for name, value in document.items()
        }
        assert content_hash(again) == content_hash(document)


def test_an_order_that_means_something_changes_the_hash() -> None:
    assert content_hash(profile_document(workingHistory=["a", "b"])) != content_hash(
        profile_document(workingHistory=["b", "a"])
    )
    items = event_document()["orderedItems"]
    assert content_hash(event_document(orderedItems=[*items, {}])) != content_hash(
        event_document(orderedItems=[{}, *items])
    )


def test_names_joined_to_text_leave_the_hash() -> None:
    assert content_hash(
        profile_document(
            inSegmentsAsStr="stale", dataLabelsAsStr="", identitiesAsStr="x", authorizedViewers=[]
        )
    ) == content_hash(profile_document())


def test_another_password_leaves_the_hash() -> None:
    assert content_hash(profile_document(password="$2a$other", webCookies={})) == content_hash(
        profile_document()
    )


def test_counters_of_a_product_leave_the_hash() -> None:
    again = product_document(viewCount=999, updatedAt="2026-03-01T00:00:00.000Z", transactionCount=6)
    assert content_hash(again) == content_hash(product_document())


@pytest.mark.parametrize(
    ("build", "change"),
    [
        (profile_document, {"lastName": "Trần"}),
        (profile_document, {"status": -4}),
        (profile_document, {"updatedAt": "2026-02-14T09:30:02.501Z"}),
        (profile_document, {"inSegments": []}),
        (profile_document, {"extAttributes": {"loyalty_tier": "gold", "visits": 4}}),
        (profile_document, {"somethingNew": 1}),
        (conversion_document, {"transactionValue": 435000.01}),
        (conversion_document, {"_from": "cdp_profile/winner"}),
        (conversion_document, {"_to": "cdp_productitem/other"}),
        (segment_document, {"totalCount": 312}),
        (product_document, {"salePrice": 1.0}),
        (event_document, {"transactionStatus": "refunded"}),
        (feedback_document, {"comment": "x"}),
    ],
)
def test_changed_content_changes_the_hash(build: Build, change: Document) -> None:
    assert content_hash(build(**change)) != content_hash(build())


def test_a_new_version_of_the_contract_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_hash(profile_document())
    monkeypatch.setitem(CONTRACTS["cdp_profile"].__dict__, "version", "profile/999")
    assert content_hash(profile_document()) != before


# -- secrets ---------------------------------------------------------------------------------------------------------

CANARY = "CANARY-79f1"
DEEP: Any = {"password": CANARY}
for _ in range(60):
    DEEP = {"list": [DEEP, 1], "note": "deep"}

SECRETS: dict[str, Any] = {
    "password": CANARY,
    "Password": {"hash": CANARY},
    "governmentIssuedIDs": [f"citizen:{CANARY}", CANARY],
    "webCookies": {"session": CANARY},
    "identities": [f"citizen:{CANARY}", f" Citizen:{CANARY}", f"PASSPORT:{CANARY}", "email:a@example.com"],
    "mediaChannels": ["facebook", f"national:{CANARY}"],
    "identitiesAsStr": f"email:a@example.com ; citizen:{CANARY} ; crm:1",
    "crmRefId": f"citizen:{CANARY}",
    "notes": f"see tax:{CANARY}, call back",
    "extAttributes": {
        "api_key": CANARY,
        "Access-Token": CANARY,
        "more": [{"CreditCardNumber": CANARY}, [{"CCCD": [CANARY]}], f"citizen:{CANARY}"],
        "id": f"Ssn:{CANARY}",
        "deep": DEEP,
        "text": json.dumps({"a": [{"refresh_token": CANARY}]}),
        "broken text": f'{{"password":"{CANARY}"',
        "text in text": json.dumps([json.dumps({"secret": {"x": CANARY}})]),
        "hidden": f'{{"\\u0070assword":"{CANARY}"}}',
    },
    "rawJsonData": json.dumps(
        {"user": {"PassWord": CANARY, "name": "a", "inner": json.dumps({"pwd": CANARY})}}
    ),
}


def outputs(batch: Batch) -> Iterator[str]:
    """Everything of a batch that is written somewhere."""
    for row in batch.rows:
        yield from (
            value.decode(errors="replace") if isinstance(value, bytes) else repr(value)
            for value in row.values
        )
        yield f"{row.key} {row.rev}"
    for reject in batch.rejects:
        yield f"{reject.key} {reject.rev} {reject.reason} {reject.fields} {reject.document}"


def assert_no_canary(batch: Batch) -> None:
    for text in outputs(batch):
        assert CANARY not in text


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_secret_survives_in_a_landed_document(collection: str) -> None:
    batch = prepared(collection, BUILDERS[collection](**SECRETS))
    assert len(batch.rows) == 1
    assert_no_canary(batch)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_single_secret_survives(collection: str, name: str) -> None:
    batch = prepared(collection, BUILDERS[collection](**{name: SECRETS[name]}))
    assert len(batch.rows) == 1
    assert_no_canary(batch)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_secret_survives_in_a_rejected_document(collection: str) -> None:
    bad = {"updatedAt": "31 February", "createdAt": "31 February"}
    batch = prepared(collection, BUILDERS[collection](**SECRETS, **bad))
    assert [reject.landed for reject in batch.rejects] == [False]
    assert_no_canary(batch)


def test_no_secret_survives_where_a_rule_or_a_contact_is_broken() -> None:
    batch = prepared(
        "cdp_profile",
        profile_document("a", **SECRETS, age=131),
        profile_document("b", **SECRETS, primaryEmail="null"),
        profile_document("b", **SECRETS),
    )
    assert [(reject.key[:4], reject.landed) for reject in batch.rejects] == [
        ("sha:", False), ("a", False), ("b", True)
    ]  # fmt: skip
    assert_no_canary(batch)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[: len(raw) * 2 // 3],
        lambda raw: raw + b"}",
        lambda raw: raw.replace(b",", b",,", 1),
        lambda raw: raw.replace(b'"_id"', b"_id", 1),
        lambda raw: b"[" + raw + b"]",
        lambda raw: json.dumps(raw.decode()).encode(),
        lambda raw: raw[:-1] + b',"x":"\xff\xfe"}',
        lambda raw: raw[:-1] + b',"x":NaN}',
        lambda raw: raw[:-1] + b',"x":1e400}',
        lambda raw: raw[:-1] + b',"x":"\\ud800"}',
        lambda raw: raw[:-1] + b',"x":"\\u0000"}',
        lambda raw: raw[:-1] + b',"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        lambda raw: raw[:-1] + b',"x":' + b"9" * 5000 + b"}",
        lambda raw: raw.decode().encode("utf-16"),
    ],
)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_secret_survives_in_what_cannot_be_parsed(
    collection: str, spoil: Callable[[bytes], bytes]
) -> None:
    raw = spoil(as_bytes(BUILDERS[collection](**SECRETS)))
    batch = prepared(collection, raw)
    assert batch.rows == []
    assert_no_canary(batch)


@pytest.mark.parametrize(
    "attribute", ["identities", "inSegments", "firstName", "gender", "createdAt", "receiveEmail"]
)
@pytest.mark.parametrize("value", [{"password": CANARY}, [{"password": CANARY}], f"citizen:{CANARY}"])
def test_no_secret_survives_in_the_reason(attribute: str, value: Any) -> None:
    assert_no_canary(prepared("cdp_profile", profile_document(**{attribute: value})))


def test_what_is_no_secret_stays() -> None:
    kept = stored(profile_document(**SECRETS))
    assert kept["identities"] == ["email:a@example.com"]
    assert kept["notes"] == "see [removed], call back"
    extra = kept["extAttributes"]
    assert json.loads(extra["text"]) == {"a": [{}]}
    assert extra["broken text"] == "[removed]"
    assert "api_key" not in extra
    assert json.loads(kept["rawJsonData"])["user"]["name"] == "a"


def test_words_that_only_look_like_secrets_stay() -> None:
    harmless = {
        "passwordless": True,
        "note": "I forgot my password: please help",
        "className": "x",
        "keywords": ["passport photo", "secret santa"],
        "rules": '{"field":"tokens","value":"access"}',
    }
    assert stored(profile_document(extAttributes=harmless))["extAttributes"] == harmless


@pytest.mark.parametrize(
    "text", [f"user=mai&password={CANARY}&x=1", f"pwd: {CANARY}", f"<password>{CANARY}</password>"]
)
def test_raw_data_that_is_no_json_goes_whole_when_it_names_a_secret(text: str) -> None:
    assert stored(event_document(rawJsonData=text))["rawJsonData"] == "[removed]"
    assert stored(event_document(rawJsonData="user=mai&x=1"))["rawJsonData"] == "user=mai&x=1"


# -- documents that cannot be stored ---------------------------------------------------------------------------------

UNSTORABLE = {
    "NUL": b'"a\\u0000b"',
    "NUL in a name": b'{"a\\u0000b":1}',
    "NUL deep down": b'[{"a":["\\u0000"]}]',
    "half a surrogate pair": b'"\\ud800"',
    "invalid UTF-8": b'"\xc3\x28"',
    "a raw control character": b'"a\x01b"',
    "1,200 levels": b"[" * 1_200 + b"]" * 1_200,
    "600 levels around a secret": b"[" * 600 + b'{"password":"x"}' + b"]" * 600,
}


@pytest.mark.parametrize("written", UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_postgresql_cannot_hold_is_a_reject_that_names_the_attribute(written: bytes) -> None:
    raw = as_bytes(profile_document("k1", extAttributes="@")).replace(b'"@"', written)
    reject = rejected(raw)
    assert reject.key == "k1"
    if b'"password"' not in written:  # found where the attributes are one text already
        assert reject.fields == ("extAttributes",)
    assert "\x00" not in reject.document
    reject.document.encode()


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert stored(profile_document(notes="\\u0000"))["notes"] == "\\u0000"


def test_300_levels_and_a_thousand_attributes_land() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": [deep]}
    wide = {f"attribute {number}": number for number in range(1_000)}
    assert len(stored(profile_document(extAttributes={"deep": deep["a"][0]}, **wide))) > 1_000


def test_an_oversized_document_is_a_reject_without_being_read() -> None:
    raw = as_bytes(profile_document("big", notes="x" * (MAX_DOCUMENT_BYTES + 1)))
    reject = rejected(raw)
    assert "at most 16 MiB" in reject.reason
    assert reject.key == "big"
    assert len(reject.document) < SHOWN_BYTES + 100


@pytest.mark.parametrize(
    "raw", [b"[]", b"[{}]", b'"text"', b"5", b"null", b"true", b"", b" ", b"{", b"}{", b"\xef\xbb\xbf{}"]
)
def test_what_is_no_object_is_a_reject_by_its_fingerprint(raw: bytes) -> None:
    reject = rejected(raw)
    assert reject.key == reject.rev == fingerprint(raw)
    assert reject.reason


@pytest.mark.parametrize(
    "key",
    [MISSING, None, "", 5, ["a"], "a/b", "a b", "ключ", "a\n", "x" * 255],
    ids=lambda key: repr(key)[:12],
)
def test_a_key_that_arangodb_would_not_take_is_a_reject_by_its_fingerprint(key: Any) -> None:
    raw = as_bytes(profile_document(_key=key, _id=MISSING, nested={"_key": "other", "_rev": "r"}))
    reject = rejected(raw)
    assert reject.fields == ("_key",)
    assert reject.key == reject.rev == fingerprint(raw)


@pytest.mark.parametrize("key", ["x" * 254, "A", "a", "_-:.@()+,=;$!*'%", "0"])
def test_every_key_that_arangodb_takes_lands(key: str) -> None:
    assert landed(profile_document(key))["cdp_profile_id"] == key


def test_keys_that_differ_in_case_only_are_two_profiles() -> None:
    batch = prepared("cdp_profile", profile_document("Ab"), profile_document("aB"))
    assert [row.key for row in batch.rows] == ["Ab", "aB"]


def test_a_handle_that_names_another_document_is_a_reject() -> None:
    reject = rejected(profile_document("a", _id="cdp_profile/b"))
    assert (reject.key, reject.fields) == ("a", ("_id",))


def test_a_document_of_another_collection_is_a_reject() -> None:
    reject = rejected(as_bytes(segment_document("a")), "cdp_profile")
    assert reject.fields == ("_id",)


def test_a_handle_may_be_missing() -> None:
    assert prepared("cdp_profile", profile_document("a", _id=MISSING)).rows[0].key == "a"


@pytest.mark.parametrize("rev", [MISSING, None, "", 7, "tab\there"])
def test_without_a_usable_revision_the_fingerprint_stands_for_it(rev: Any) -> None:
    raw = as_bytes(profile_document("a", _rev=rev))
    assert prepared("cdp_profile", raw).rows[0].rev == fingerprint(raw)


@pytest.mark.parametrize(
    "raw",
    [
        as_bytes(profile_document("a")),
        as_bytes(profile_document("a", _rev=MISSING)),
        as_bytes(profile_document("a", status=5)),
        as_bytes(profile_document("a", status=5, _rev=None)),
        as_bytes(profile_document("a"))[:-1] + b',"x":NaN}',
        as_bytes(profile_document(_key=5, _id=MISSING)),
        b"{",
    ],
)
def test_a_document_is_known_by_what_the_sweep_calls_it(raw: bytes) -> None:
    """Else a sweep would read it again for ever, and bury what the ledger calls otherwise."""
    key, rev = rawjson.identity(raw)
    batch = prepared("cdp_profile", raw)
    (found,) = [*batch.rows, *batch.rejects]
    assert (found.key, found.rev) == (key or rev, rev)


# -- a page ----------------------------------------------------------------------------------------------------------


def test_of_two_documents_with_one_key_the_first_lands() -> None:
    first, second = profile_document("a"), profile_document("a", lastName="Trần")
    batch = prepared("cdp_profile", first, second)
    assert [columns(row, "cdp_profile")["last_name"] for row in batch.rows] == ["Phạm"]
    (reject,) = batch.rejects
    assert (reject.key, reject.fields) == (fingerprint(as_bytes(second)), ("_key",))


@pytest.mark.parametrize("order", [1, -1])
def test_a_bad_document_does_not_hide_a_good_one_of_the_same_key(order: int) -> None:
    pair = [profile_document("a"), profile_document("a", status=5)][::order]
    batch = prepared("cdp_profile", *pair)
    names = [row.key for row in batch.rows] + [reject.key for reject in batch.rejects if not reject.landed]
    assert len(names) == len(set(names)) == 2


def test_one_bad_document_among_many_costs_no_other() -> None:
    documents: list[Document | bytes] = [profile_document(f"k{number}") for number in range(300)]
    documents[100], documents[200] = profile_document("k100", status=5), b"not JSON"
    batch = prepared("cdp_profile", *documents)
    assert (len(batch.rows), len(batch.rejects), batch.documents) == (298, 2, 300)


def test_rules_find_the_bad_rows_only() -> None:
    documents = [profile_document(f"k{number}", age=131 if number % 3 else 30) for number in range(30)]
    batch = prepared("cdp_profile", *documents)
    assert [row.key for row in batch.rows] == [f"k{number}" for number in range(0, 30, 3)]
    assert {reject.reason for reject in batch.rejects} == {"age: 131 breaks the rule max"}


def test_batches_hold_every_document_in_order_and_keep_both_bounds() -> None:
    small = [b"%d" % number for number in range(2 * MAX_DOCUMENTS + 1)]
    large = [b"%d" % number + b"x" * (MAX_BYTES // 3) for number in range(7)]
    batches = list(regroup([small, [], large]))
    assert [raw for batch in batches for raw in batch] == [*small, *large]
    for batch in batches:
        assert 0 < len(batch) <= MAX_DOCUMENTS
        assert sum(map(len, batch[:-1])) < MAX_BYTES


# -- anything at all -------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2026-01-01T00:00:00Z", "citizen:1", '{"password":1}', "[", "null", "-1", "VND"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def spoiled_documents(draw: st.DrawFn, collection: str) -> bytes:
    """A document of the collection with attributes replaced by anything, then perhaps damaged as bytes."""
    document = BUILDERS[collection](draw(st.sampled_from(["a", "b", "c"])))
    names = st.sampled_from(sorted(document)) | st.text(max_size=8)
    document.update(draw(st.dictionaries(names, json_values, max_size=3)))
    raw = json.dumps(document).encode()
    damage = draw(st.sampled_from(["none", "none", "cut", "insert", "remove"]))
    place = draw(st.integers(0, len(raw)))
    if damage == "cut":
        return raw[:place]
    if damage == "insert":
        return raw[:place] + draw(st.binary(min_size=1, max_size=6)) + raw[place:]
    if damage == "remove":
        return raw[:place] + raw[place + draw(st.integers(1, 40)) :]
    return raw


@pytest.mark.parametrize("collection", COLLECTIONS)
@given(data=st.data())
def test_any_page_is_rows_and_rejects_and_never_an_error(collection: str, data: st.DataObject) -> None:
    page = data.draw(st.lists(spoiled_documents(collection) | st.binary(max_size=30), max_size=5))
    batch = prepare(CONTRACTS[collection], OPTIONS, page)
    whole = [reject for reject in batch.rejects if not reject.landed]
    assert len(batch.rows) + len(whole) + batch.repeated == batch.documents == len(page)
    keys = [row.key for row in batch.rows] + [reject.key for reject in whole]
    assert len(keys) == len(set(keys))
    assert {reject.key for reject in batch.rejects if reject.landed} <= {row.key for row in batch.rows}
    for row in batch.rows:
        assert len(row.values) == len(CONTRACTS[collection].target.columns)
    for reject in batch.rejects:
        assert reject.reason
        assert reject.key
        assert "\x00" not in reject.document + reject.reason + "".join(reject.fields)
        (reject.document + reject.reason + reject.key).encode()


@given(attribute=st.sampled_from(sorted(profile_document())), value=json_values)
@example(attribute="age", value=float("nan"))
def test_every_reject_of_an_object_names_its_attribute(attribute: str, value: Any) -> None:
    batch = prepared("cdp_profile", json.dumps(profile_document("a", **{attribute: value})).encode())
    for reject in batch.rejects:
        assert reject.fields
        if reject.fields != ("merged_profile_names_its_winner",):
            assert re.search(re.escape(reject.fields[0]), reject.reason)
