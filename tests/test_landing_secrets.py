"""The content hash follows the content alone, and no secret survives preparation, in whatever place it stands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdp_assets.landing.batch import Batch
from cdp_assets.landing.contracts import CONTRACTS
from tests.documents import (
    BUILDERS,
    Document,
    as_bytes,
    conversion_document,
    event_document,
    feedback_document,
    product_document,
    profile_document,
    segment_document,
)
from tests.prepared import (
    COLLECTIONS,
    Build,
    content_hash,
    prepared,
    stored,
)

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
    "encryptedPassword": CANARY,
    "resetPasswordToken": {"value": CANARY},
    "eventData": {
        "userOTP": CANARY,
        "so_cccd": CANARY,
        "Mật khẩu": CANARY,
        "card-no": CANARY,
        "IBAN": [CANARY],
    },
    "extData": {
        "three deep": json.dumps({"x": json.dumps({"y": json.dumps({"cardNumber": CANARY})})}),
        "with a mark": "\ufeff" + json.dumps({"mat_khau": CANARY}),
        "a text": json.dumps(json.dumps({"apiKey": CANARY})),
        "escaped": json.dumps({"mật_khẩu": CANARY}),
        "address": f"https://x.vn/?a=1&reset_password_token={CANARY}",
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


@pytest.mark.parametrize("name", ["srcTouchpointUrl", "touchpointUrl"])
def test_a_secret_in_the_parameters_of_an_address_goes_and_the_address_stays(name: str) -> None:
    build = event_document if name == "srcTouchpointUrl" else feedback_document
    collection = "cdp_trackingevent" if name == "srcTouchpointUrl" else "cdp_feedbackdata"
    batch = prepared(
        collection, build(**{name: f"https://x.vn/reset?id=7&reset_password_token={CANARY}&a=1#x"})
    )
    assert_no_canary(batch)
    assert "https://x.vn/reset?id=7&reset_password_token=[removed]&a=1#x" in repr(batch.rows[0].values)


@pytest.mark.parametrize(
    "text", [f"user=mai&password={CANARY}&x=1", f"pwd: {CANARY}", f"<password>{CANARY}</password>"]
)
def test_raw_data_that_is_no_json_goes_whole_when_it_names_a_secret(text: str) -> None:
    assert stored(event_document(rawJsonData=text))["rawJsonData"] == "[removed]"
    assert stored(event_document(rawJsonData="user=mai&x=1"))["rawJsonData"] == "user=mai&x=1"
