"""Documents that cannot be stored, and pages as a whole: nothing is lost, nothing raises, each reject says why."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdp_assets.landing.batch import MAX_BYTES, MAX_DOCUMENTS, prepare, regroup
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.document import MAX_BYTES as MAX_DOCUMENT_BYTES
from cdp_assets.landing.document import SHOWN_BYTES
from cdp_assets.sources import rawjson
from cdp_assets.sources.model import fingerprint
from tests.documents import (
    BUILDERS,
    MISSING,
    Document,
    as_bytes,
    profile_document,
    segment_document,
)
from tests.prepared import (
    COLLECTIONS,
    OPTIONS,
    columns,
    landed,
    prepared,
    rejected,
    stored,
)

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


def test_an_attribute_whose_name_has_a_nul_is_rejected_under_a_name_that_can_be_stored() -> None:
    """Found by the test above: the quarantine itself could not have been written, and the run would have stopped."""
    (reject,) = prepared("cdp_profile", b'{"_key":"a","_id":"cdp_profile/a","\\u0000":nope}').rejects
    assert "\x00" not in reject.document + reject.reason + "".join(reject.fields)


@given(attribute=st.sampled_from(sorted(profile_document())), value=json_values)
@example(attribute="age", value=float("nan"))
def test_every_reject_of_an_object_names_its_attribute(attribute: str, value: Any) -> None:
    batch = prepared("cdp_profile", json.dumps(profile_document("a", **{attribute: value})).encode())
    for reject in batch.rejects:
        assert reject.fields
        if reject.fields != ("merged_profile_names_its_winner",):
            assert re.search(re.escape(reject.fields[0]), reject.reason)
