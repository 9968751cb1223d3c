"""Every point of the LEO checklist occurs in the demo world.

The checklist is section 6 of the LEO reference; its point 13 (documents that change during a scan) belongs to the
ArangoDB test server and is not tested here.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from cdp_assets import demo
from cdp_assets.demo.keys import iso
from cdp_assets.demo.leo import Document
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT
from tests.demo_history import STEPS, Said, State, history


@pytest.fixture(scope="module")
def world() -> demo.World:
    return demo.world_at("tiny")


@pytest.fixture(scope="module")
def acme() -> list[State]:
    """The largest tenant at steps 0 to 6."""
    return history()[0]


@pytest.fixture(scope="module")
def log() -> dict[int, Said]:
    """What each step says it did."""
    return history()[1]


@pytest.fixture(scope="module")
def profiles(acme: list[State]) -> list[Document]:
    return list(acme[0][PROFILE].values())


@pytest.fixture(scope="module")
def edges(acme: list[State]) -> list[Document]:
    return list(acme[0][CONVERSION].values())


def _references(profiles: list[Document]) -> Iterator[Document]:
    for profile in profiles:
        if isinstance(profile["inSegments"], list):
            yield from profile["inSegments"]


def test_point_1_an_order_has_several_lines_with_one_instant(edges: list[Document]) -> None:
    orders: dict[str, list[Document]] = {}
    for edge in edges:
        orders.setdefault(edge["transactionId"], []).append(edge)
    orders.pop("empty-transaction")
    several = [lines for lines in orders.values() if len(lines) > 1]
    assert several
    assert all(len({line["createdAt"] for line in lines}) == 1 for lines in several)


def test_point_2_a_profile_has_several_edges_without_an_order(edges: list[Document]) -> None:
    owners = Counter(edge["_from"] for edge in edges if edge["transactionId"] == "empty-transaction")
    assert max(owners.values()) > 1


def test_point_3_an_old_edge_arrives_late(acme: list[State], log: dict[int, Said]) -> None:
    for step in range(1, STEPS + 1):
        late = [acme[step][c][key] for c, key in log[step]["late_import"] if c == CONVERSION]
        assert late
        for edge in late:
            written_again = {*log[step].get("moved_by_merge", ()), *log[step].get("refired", ())}
            assert edge["createdAt"] == edge["updatedAt"] or (CONVERSION, edge["_key"]) in written_again
            assert edge["createdAt"] < iso(demo.end_of_step(step - 30))
            assert edge["_key"] not in acme[step - 1][CONVERSION]


def test_point_4_segments_change_without_a_new_time_in_the_profile(
    acme: list[State], log: dict[int, Said]
) -> None:
    for change in ("segment_joined", "segment_left", "segment_renamed", "segment_deleted"):
        silent = 0
        for step in range(1, STEPS + 1):
            for collection, key in log[step].get(change, ()):
                before, after = acme[step - 1][collection].get(key), acme[step][collection][key]
                if before is None:
                    continue
                assert before["inSegments"] != after["inSegments"]
                silent += before["updatedAt"] == after["updatedAt"]
        assert silent, change
    renamed = {acme[1][SEGMENT][key]["name"] for c, key in log[1]["renamed"]}
    assert renamed.isdisjoint({segment["name"] for segment in acme[0][SEGMENT].values()})
    for collection, key in log[1]["deleted"]:
        segment = acme[1][collection][key]
        assert segment["name"].startswith("[DELETED] ")
        assert (segment["status"], segment["totalCount"]) == (-4, 0)


def test_point_5_soft_deletes_are_silent_and_then_vanish_and_others_vanish_at_once(
    acme: list[State], log: dict[int, Said]
) -> None:
    for _, key in log[1]["soft_deleted"]:
        before, after = acme[0][PROFILE][key], acme[1][PROFILE][key]
        assert (after["status"], after["inSegments"]) == (-4, [])
        assert before["updatedAt"] == after["updatedAt"]
        assert key not in acme[2][PROFILE]
        assert (PROFILE, key) in log[2]["purged"]
    for _, key in log[1]["removed_directly"]:
        assert acme[0][PROFILE][key]["status"] == 1
        assert key not in acme[1][PROFILE]
        assert not [e for e in acme[1][TRACKING_EVENT].values() if e["refProfileId"] == key]
        assert not [e for e in acme[1][CONVERSION].values() if e["_from"] == f"{PROFILE}/{key}"]
        assert not [f for f in acme[1][FEEDBACK].values() if f["refProfileId"] == key]


def test_point_6_a_merge_moves_documents_and_leaves_some_edges_behind(
    acme: list[State], log: dict[int, Said]
) -> None:
    ((_, loser_key),) = log[1]["merged_away"]
    before, after = acme[0], acme[1]
    loser = after[PROFILE][loser_key]
    winner = loser["rootProfileId"]
    assert (loser["status"], loser["mergeCode"]) == (0, 11)
    assert loser["updatedAt"] == before[PROFILE][loser_key]["updatedAt"]
    assert after[PROFILE][winner]["updatedAt"] > before[PROFILE][winner]["updatedAt"]
    moved = [key for collection, key in log[1]["moved_by_merge"] if collection == CONVERSION]
    assert moved
    for key in moved:
        old, new = before[CONVERSION][key], after[CONVERSION][key]
        assert (old["_from"], new["_from"]) == (f"{PROFILE}/{loser_key}", f"{PROFILE}/{winner}")
        assert new["updatedAt"] > old["updatedAt"]
    assert [e for e in after[CONVERSION].values() if e["_from"] == f"{PROFILE}/{loser_key}"]
    for collection, key in log[1]["moved_by_merge"] - log[1]["restated"]:
        if collection != CONVERSION:
            assert after[collection][key]["refProfileId"] == winner
            assert before[collection][key].get("updatedAt") == after[collection][key].get("updatedAt")


def test_point_6_chains_of_merges_exist_and_end_at_a_living_profile(acme: list[State]) -> None:
    for state in acme:
        roots = {key: p["rootProfileId"] for key, p in state[PROFILE].items() if p["status"] == 0}
        assert roots.keys() & set(roots.values())
        for winner in roots.values():
            last = winner
            while last in roots:
                last = roots[last]
            assert state[PROFILE][last]["status"] == 1
        left = [e for e in state[CONVERSION].values() if e["_from"].partition("/")[2] in roots]
        assert left


def test_point_7_a_rewrite_changes_the_revision_and_the_order_of_sets_only(
    acme: list[State], log: dict[int, Said]
) -> None:
    def meaning(document: Document) -> Document:
        plain = {name: value for name, value in document.items() if name != "_rev"}
        return {n: sorted(map(repr, v)) if isinstance(v, list) else v for n, v in plain.items()}

    permuted = 0
    for collection, key in log[1]["rewritten"]:
        before, after = acme[0][collection][key], acme[1][collection][key]
        assert before["_rev"] != after["_rev"]
        assert meaning(before) == meaning(after)
        permuted += {**before, "_rev": ""} != {**after, "_rev": ""}
    assert permuted


def test_point_8_tenants_share_keys_for_different_documents(world: demo.World) -> None:
    for collection in (PROFILE, PRODUCT_ITEM, SEGMENT):
        keys = [set(tenant.database.keys(collection)) for tenant in world.tenants.values()]
        shared = set.intersection(*keys)
        assert shared
        for key in shared:
            found = [tenant.database.get(collection, key) for tenant in world.tenants.values()]
            if collection != SEGMENT:
                assert len({json.dumps(document) for document in found}) == len(world.tenants)


def test_point_9_people_are_recorded_in_every_odd_way(world: demo.World, profiles: list[Document]) -> None:
    assert {profile["gender"] for profile in profiles} == set(range(8))
    named = [profile for profile in profiles if profile["type"] != 0]
    assert any(profile["age"] == 0 for profile in named)
    assert any(not profile.get("firstName") and profile.get("lastName") for profile in named)
    assert any(not profile.get("firstName") and not profile.get("lastName") for profile in profiles)
    whole = max(profiles, key=len).keys()
    contact = [profile.get("primaryEmail", "missing") for profile in profiles]
    assert "" in contact
    assert None in contact
    assert any(whole - profile.keys() for profile in profiles)
    statistics = [value for p in profiles for value in (p.get("eventStatistics") or {}).values()]
    assert any(isinstance(value, float) for value in statistics)
    odd = [value for p in profiles for value in (p.get("extAttributes") or {}).values()]
    assert {str, int, list, float, bool, dict, type(None)} <= {type(value) for value in odd}
    names = [profile.get("lastName") or "" for profile in named]
    assert any("ễ" in name for name in names)
    everyone = [p for t in world.tenants.values() for p in t.database.documents(PROFILE)]
    assert any(
        unicodedata.normalize("NFC", p.get("lastName") or "") != (p.get("lastName") or "") for p in everyone
    )


def test_point_9_transaction_ids_are_longer_than_fifty_characters(edges: list[Document]) -> None:
    assert max(len(edge["transactionId"]) for edge in edges) > 50


def test_point_10_currencies_are_mixed_and_some_lines_cost_nothing(edges: list[Document]) -> None:
    assert {"VND", "USD"} <= {edge["currencyCode"] for edge in edges}
    assert any(edge["transactionValue"] == 0 for edge in edges)


def test_point_11_references_have_a_type_or_none_and_segments_share_names(
    acme: list[State], profiles: list[Document]
) -> None:
    assert len({"type" in reference for reference in _references(profiles)}) == 2
    names = Counter(segment["name"] for segment in acme[0][SEGMENT].values())
    assert max(names.values()) == 2
    assert any(name != name.rstrip() for name in names)
    assert {1, 2, 0, -4} == {segment["status"] for segment in acme[0][SEGMENT].values()}


def test_point_12_joined_segment_names_are_stale(profiles: list[Document]) -> None:
    def actual(profile: Document) -> str:
        return " ; ".join(reference["name"] for reference in profile["inSegments"])

    readable = [p for p in profiles if isinstance(p["inSegments"], list) and "inSegmentsAsStr" in p]
    assert any((profile["inSegmentsAsStr"] or "") != actual(profile) for profile in readable)


def test_point_14_consent_takes_every_value_and_ads_default_to_yes(profiles: list[Document]) -> None:
    for name in ("receiveEmail", "receiveSMS", "receiveWebPush", "receiveAppPush", "receiveAds"):
        assert {profile[name] for profile in profiles} == {-1, 0, 1}, name
    assert Counter(profile["receiveAds"] for profile in profiles).most_common(1)[0][0] == 1
    assert len({(profile["receiveEmail"], profile["receiveSMS"]) for profile in profiles}) >= 8


def test_point_14_consent_is_withdrawn_with_and_without_a_new_time(
    acme: list[State], log: dict[int, Said]
) -> None:
    for step in range(1, STEPS + 1):
        for _, key in log[step]["consent_withdrawn_silently"] | log[step]["consent_withdrawn"]:
            before, after = acme[step - 1][PROFILE].get(key), acme[step][PROFILE][key]
            refused = [name for name in ("receiveEmail", "receiveSMS") if after[name] == -1]
            assert refused
            assert before is None or any(before[name] == 1 for name in refused)


def test_point_15_feedback_has_three_types_blank_comments_and_deleted_ones(world: demo.World) -> None:
    found = [f for tenant in world.tenants.values() for f in tenant.database.documents(FEEDBACK)]
    assert {feedback["feedbackType"] for feedback in found} == {"RATING", "SURVEY", "CONTACT"}
    assert any(feedback["comment"] == "" for feedback in found)
    assert {1, 0, -1} == {feedback["status"] for feedback in found}
    assert {"vi", "en"} == {feedback["language"] for feedback in found}


def test_point_16_some_profiles_are_test_or_fake_data(profiles: list[Document]) -> None:
    assert {profile["dataContext"] for profile in profiles} == {1, 0, -1}


def test_point_17_products_are_saved_again_without_a_change(acme: list[State], log: dict[int, Said]) -> None:
    moving = {"_rev", "transactionCount", "viewCount", "updatedAt"}
    only_counters = log[1]["counters_only"] - log[1]["repriced"]
    assert only_counters
    for collection, key in only_counters:
        before, after = acme[0][collection][key], acme[1][collection][key]
        assert {name for name in after if after[name] != before[name]} == moving


def test_point_18_documents_hold_secrets_that_must_not_travel(profiles: list[Document]) -> None:
    assert any(demo.SECRET_MARKER in (profile.get("password") or "") for profile in profiles)
    assert any(demo.SECRET_MARKER in str(profile.get("governmentIssuedIDs")) for profile in profiles)
    assert any(demo.SECRET_MARKER in str(profile.get("identities")) for profile in profiles)


def test_point_19_profiles_embed_their_last_events_in_full(
    acme: list[State], profiles: list[Document]
) -> None:
    embedded = [profile["lastTrackingEvent"] for profile in profiles if profile.get("lastTrackingEvent")]
    assert embedded
    event = next(iter(acme[0][TRACKING_EVENT].values()))
    assert all(event.keys() - part.keys() <= {"_id", "_rev"} for part in embedded)
    assert any(profile.get("lastPurchaseEvent") for profile in profiles)


def test_point_20_keys_order_differently_by_bytes_and_by_collation(acme: list[State]) -> None:
    keys = list(acme[0][PROFILE])
    collated = sorted(keys, key=lambda key: (key.lower(), [not letter.isupper() for letter in key]))
    assert sorted(keys) != collated


def test_point_21_the_watermark_stands_on_a_tie_and_one_more_arrives_there_later(
    acme: list[State], log: dict[int, Said]
) -> None:
    for collection in (PROFILE, CONVERSION):
        times = Counter(document["updatedAt"] for document in acme[0][collection].values())
        assert times[max(times)] >= 5
        assert max(times) == iso(demo.batch_instant(0))
    for step in range(1, STEPS + 1):
        ((_, key),) = log[step]["new_at_old_watermark"]
        previous = max(profile["updatedAt"] for profile in acme[step - 1][PROFILE].values())
        arrived = acme[step][PROFILE][key]
        assert key not in acme[step - 1][PROFILE]
        assert arrived["createdAt"] == previous


def test_profiles_are_as_large_as_real_ones(profiles: list[Document]) -> None:
    sizes = sorted(len(msgspec.json.encode(profile)) for profile in profiles)
    assert 5_000 < sizes[len(sizes) // 2] < 12_000
