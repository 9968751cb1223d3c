"""Documents through their contracts: the ordinary one, codes, unknown in all its spellings, merges, segments."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cdp_assets.landing import codes
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.document import SHOWN_BYTES
from tests.documents import (
    BUILDERS,
    MISSING,
    conversion_document,
    event_document,
    feedback_document,
    product_document,
    profile_document,
    segment_document,
    segment_reference,
)
from tests.prepared import (
    COLLECTIONS,
    OPTIONS,
    Build,
    landed,
    prepared,
    rejected,
    stored,
)

# -- the ordinary document -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_row_has_the_columns_of_the_contract_in_their_order(collection: str) -> None:
    contract = CONTRACTS[collection]
    document = BUILDERS[collection]()
    assert list(contract.map(document, OPTIONS).values) == list(contract.schema.columns())
    assert next(iter(contract.schema.columns())) == contract.key, "what is hashed leaves the first out"
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
        "email_key": "mai.pham@example.com",
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
        ("Being processed", "processing"),
        ("shipped", "shipped"),
        ("closed", "refunded"),
        ("dispatched by pigeon", "unknown"),
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
