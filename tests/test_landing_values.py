"""Times, amounts and contact data of LEO documents: what is read, what is refused, what is left null."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cdp_assets.warehouse.options import TenantOptions
from tests.documents import (
    MISSING,
    as_bytes,
    conversion_document,
    event_document,
    feedback_document,
    product_document,
    profile_document,
    segment_document,
)
from tests.prepared import (
    Build,
    columns,
    landed,
    nulled,
    prepared,
    rejected,
)

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


@pytest.mark.parametrize("value", [value for name, value in BAD_TIMES.items() if name != "date only"])
def test_a_birthday_that_cannot_be_read_is_null_with_the_reason(value: Any) -> None:
    row, reject = nulled(profile_document(dateOfBirth=value))
    assert row["birth_date"] is None
    assert reject.fields == ("dateOfBirth",)


@pytest.mark.parametrize(
    ("zone", "stored", "day"),
    [
        ("Asia/Ho_Chi_Minh", "1990-05-03T17:00:00.000Z", "1990-05-04"),  # midnight where the server stood
        ("Asia/Ho_Chi_Minh", "1990-05-04T16:59:59.999Z", "1990-05-04"),
        ("Asia/Ho_Chi_Minh", "1990-05-04T17:00:00.000Z", "1990-05-05"),
        ("Asia/Ho_Chi_Minh", "1990-05-04T00:00:00.000Z", "1990-05-04"),  # a server in UTC
        ("America/New_York", "1990-05-04T04:00:00.000Z", "1990-05-04"),
        ("America/New_York", "1990-05-04T03:59:59.999Z", "1990-05-03"),
        ("America/New_York", "1990-05-04T00:00:00.000Z", "1990-05-04"),
        ("Europe/London", "1990-05-03T23:00:00.000Z", "1990-05-04"),  # summer time
        ("Europe/London", "1990-01-03T23:00:00.000Z", "1990-01-03"),
        ("UTC", "1990-05-04T00:00:00+07:00", "1990-05-04"),
        ("America/New_York", "1990-05-04", "1990-05-04"),
        ("Pacific/Kiritimati", "1990-05-04T11:00:00.000Z", "1990-05-04"),
    ],
)
def test_a_birthday_is_the_day_that_it_was_where_it_was_written(zone: str, stored: str, day: str) -> None:
    row = landed(profile_document(dateOfBirth=stored), options=TenantOptions(timezone=zone))
    assert str(row["birth_date"]) == day


@pytest.mark.parametrize(
    ("value", "code", "read"),
    [
        (10.5, MISSING, "GBP"),
        (10.5, "eur", "EUR"),
        (0, MISSING, None),
        (MISSING, MISSING, None),
        (0, "EUR", "EUR"),
    ],
)
def test_the_value_of_an_event_without_a_currency_is_in_the_tenants(
    value: Any, code: Any, read: str | None
) -> None:
    document = event_document(transactionValue=value, transactionCurrency=code)
    assert landed(document, options=TenantOptions(default_currency="GBP"))["currency"] == read


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
    assert landed(event_document(transactionId="empty-transaction"))["transaction_id"] is None
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
        ("mai@xn--bcher-kva.example.com", "mai@bücher.example.com"),
        ("m\u200bai@example.com", "mai@example.com"),
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
    "65 characters before the at": "x" * 65 + "@example.com",
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
        ("+840912345678", "GB", "+84912345678"),
        ("01692345678", "VN", "+84392345678"),
        (84912345678, "VN", "+84912345678"),
        (912345678.0, "VN", "+84912345678"),
    ],
)
def test_phone_numbers_land_as_e164(written: Any, region: str, kept: str) -> None:
    options = TenantOptions(default_region=region)
    assert landed(profile_document(primaryPhone=written), options=options)["phone"] == kept


@pytest.mark.parametrize(
    "written", ["no phone", "12", "+84 090-123", "+999912345678901234", "ext. 4", 12.5, True, "0000000000"]
)
def test_a_phone_number_that_is_none_is_left_null_and_reported(written: Any) -> None:
    row, reject = nulled(profile_document(primaryPhone=written))
    assert row["phone"] is None
    assert reject.fields == ("primaryPhone",)


def test_both_contacts_may_be_bad() -> None:
    _, reject = nulled(profile_document(primaryEmail="null", primaryPhone="none"))
    assert reject.fields == ("primaryEmail", "primaryPhone")


def test_texts_land_in_one_spelling() -> None:
    row = landed(
        profile_document(
            firstName="\u00d0ức\u200b", jobTitles=["k\u1ebf to\u00e1n", "ke\u0302\u0301 toa\u0301n"]
        )
    )
    assert row["first_name"] == "Đức"
    assert row["job_titles"] == ["kế toán"]
