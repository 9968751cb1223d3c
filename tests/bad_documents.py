"""Documents that break a contract, and odd ones that keep it: the bad inputs of the test catalogue, by collection.

Belongs here: how a good document is spoilt, and which attribute must be named for it. Does not belong here: what
landing makes of them (`test_sync_bad_input`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT

MISSING = object()


@dataclass(frozen=True)
class Kind:
    """`attribute` set to `value` in a good document, and beside it `also`; the reject names `named`."""

    collection: str
    attribute: str
    value: Any
    also: tuple[tuple[str, Any], ...] = ()
    named: str = ""

    def spoil(self, document: dict[str, Any]) -> dict[str, Any]:
        spoilt = {**document, self.attribute: self.value, **dict(self.also)}
        return {name: value for name, value in spoilt.items() if value is not MISSING}

    @property
    def blamed(self) -> str:
        return self.named or self.attribute


def _kinds(collection: str, **values: list[Any]) -> list[Kind]:
    return [Kind(collection, attribute, value) for attribute, wrong in values.items() for value in wrong]


TIMES = [
    1_767_225_600_000, 1_767_225_600, "2026-01-01T00:00:00", "2026-02-31T00:00:00.000Z", "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z", "2016-12-31T23:59:60Z", "yesterday", {}, [], True,
]  # fmt: skip

REJECTED: list[Kind] = [
    *_kinds(
        PROFILE,
        status=[5, "1", 1.5, [], 2**70],
        type=[99],
        gender=[42],
        receiveEmail=[7],
        age=["abc", 217, -7, 1e30, True],
        updatedAt=["2026-01-01T00:00:00", "soon"],
        inSegments=[{"id": "s"}, ["s"], [{"name": "no id"}], "s"],
        dataLabels=[{"a": 1}, "vip", [1], [["vip"]]],
        lastName=["Ng\x00uyen", "x" * 1_000_000, 7, {"vi": "An"}],
        extAttributes=[{"deep": {"nul": "\x00"}}],
    ),
    Kind(PROFILE, "rootProfileId", MISSING, (("status", 0),), "merged profile names its winner"),
    Kind(PROFILE, "rootProfileId", "self", (("status", 0),), "merged profile names its winner"),
    *_kinds(
        CONVERSION,
        transactionValue=["1,234.56", "1.234,56", 1e300, 123_456_789_012_345_678_901_234_567_890, True, [1]],
        currencyCode=["DONG", "đ", 704],
        createdAt=[*TIMES, None, "", MISSING],
        quantity=[1.5, "1", 2**40],
        _from=[MISSING, None, "p1", "cdp_profile/", "users/p1", ["cdp_profile/p1"]],
        _to=[MISSING, "cdp_profile/p1"],
    ),
    *_kinds(
        TRACKING_EVENT,
        metricName=[MISSING, None, "", "  ", 7, "x" * 255],
        createdAt=["2099-01-01T00:00:00.000Z", MISSING, 1_767_225_600],
        metricValue=["1", 2**64, 0.5],
        isActiveTracked=["yes", 1],
        state=[9],
        transactionCurrency=["US$"],
        refProfileId=["p" * 255],
        timeSpent=["long", 2**31],
    ),
    *_kinds(
        PRODUCT_ITEM,
        salePrice=["liên hệ", {"amount": 1}],
        status=[77],
        keywords=["tea"],
        priceCurrency=["US$"],
    ),
    *_kinds(
        FEEDBACK,
        feedbackScore=["five", 11, -5, True],
        createdAt=[MISSING, "2026-13-01T00:00:00Z"],
        feedbackType=[MISSING, "", []],
        status=[9],
    ),
    *_kinds(SEGMENT, type=[99], status=[77, "active"], totalCount=[2**40], name=["\x00"]),
    # the rules of a table name its columns
    Kind(PROFILE, "primaryLanguage", "v" * 36, named="language"),
    Kind(SEGMENT, "totalCount", -1, named="reported_size"),
]

NULLED: list[Kind] = _kinds(
    PROFILE,
    primaryEmail=["null", "a@example.com; b@example.com", "an nguyen@example.com", "an@", "x" * 320 + "@example.com",
                  7, ["a@example.com"]],
    primaryPhone=["gọi sau 17h", "12", "+84 0", "0" * 40],
    dateOfBirth=TIMES,
)  # fmt: skip
"""Contact data and birthdays: the row lands, the field stays null."""

GOOD: list[Kind] = [
    *_kinds(
        PROFILE,
        primaryEmail=["AN@EXAMPLE.COM", "an+news@example.com", "an@bücher.example", "", None],
        primaryPhone=["0901 234-567", "0084901234567", "(+84) 901.234.567", 84901234567],
        dateOfBirth=[
            "",
            None,
            "1990-05-01T00:00:00+0530",
            "2024-02-29T00:00:00Z",
            "1999-12-31T00:00:00.000Z",
        ],
        firstName=[
            "<script>alert(1)</script>",
            "{{ 7*7 }}",
            "'; drop table cdp.segment; --",
            "\\u0000",
            "😀" * 99,
        ],
        age=[0, -1, 35.0],
        inSegments=[[], None, [{"id": "s"}] * 3, [{"id": f"s{n}"} for n in range(20_000)]],
        eventStatistics=[{f"event-{n}": n for n in range(10_000)}],
        rootProfileId=["nobody"],
    ),
    Kind(
        PROFILE, "a.b", 1, (("$set", {}), ('"quoted"', 1), ("select", 1), ("Select", 2), ("", "empty name"))
    ),
    Kind(PROFILE, "rootProfileId", "nobody", (("status", 0),)),
    *_kinds(
        CONVERSION,
        transactionValue=[-5.5, -0.0, None, 12.123456789],
        currencyCode=[None, "", "vnd", "USD"],
        transactionId=["", None, "empty-transaction"],
        createdAt=["2016-01-01T00:00:00.000Z", "2026-03-29T02:30:00+01:00"],
    ),
    *_kinds(
        TRACKING_EVENT, createdAt=["2016-01-01T00:00:00.000Z"], sessionKey=[None], refProfileId=[None, ""]
    ),
    *_kinds(FEEDBACK, feedbackScore=[-1, 0, 10, None], comment=["", None]),
]
"""Odd, but right: each must land."""

UNREADABLE: dict[str, bytes] = {
    "invalid UTF-8": b'{"_key":"%s","firstName":"\xff\xfe"}',
    "half a surrogate pair": b'{"_key":"%s","firstName":"\\ud800"}',
    "NaN": b'{"_key":"%s","age":NaN}',
    "Infinity": b'{"_key":"%s","age":-Infinity}',
    "1e400": b'{"_key":"%s","age":1e400}',
    "control character": b'{"_key":"%s","firstName":"a\x01b"}',
    "cut off": b'{"_key":"%s","firstName":"An',
    "nested 1,000 deep": b'{"_key":"%s","ext":' + b'{"a":' * 1_000 + b"1" + b"}" * 1_000 + b"}",
    "a secret 900 deep": b'{"_key":"%s","ext":' + b"[" * 900 + b'{"password":"x"}' + b"]" * 900 + b"}",
    "17 MB": b'{"_key":"%s","notes":"' + b"x" * (17 << 20) + b'"}',
    "an array": b'["%s"]',
    "a number": b"1234",
    "not JSON": b"<html>%s</html>",
    "_id of another": b'{"_key":"%s","_id":"cdp_profile/other"}',
}
"""Bytes that no ArangoDB gives, but a file may hold; `%s` stands for the key."""

BAD_KEYS: list[Any] = [
    MISSING,
    None,
    "",
    7,
    "a/b",
    "x" * 255,
    "café",
    "a b",
    "a\n",
    ["a"],
    {"_key": "k00001"},
]
