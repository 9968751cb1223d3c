"""The demo world: reproducible to the byte, with a truth that is true and days that do what they say.

That every trap of the LEO checklist is in it is tested in `test_demo_checklist`.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cdp_assets import demo
from cdp_assets.demo.database import OWNED
from cdp_assets.demo.dumpfile import file_stem
from cdp_assets.demo.keys import iso
from cdp_assets.landing.batch import prepare
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import COLLECTIONS, CONVERSION, PROFILE, TRACKING_EVENT
from cdp_assets.warehouse.options import TenantOptions
from tests.demo_history import STEPS, Said, State, as_state, history


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


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _read_dump(folder: Path) -> State:
    state: State = {}
    for collection in COLLECTIONS:
        with gzip.open(folder / f"{file_stem(collection)}.data.json.gz") as file:
            state[collection] = {document["_key"]: document for document in map(json.loads, file)}
    return state


# Reproducible


def test_one_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    for name, seed in (("first", 7), ("second", 7), ("third", 8)):
        demo.generate(tmp_path / name, size="tiny", seed=seed)
    first, second, third = (_bytes(tmp_path / name) for name in ("first", "second", "third"))
    assert first == second
    assert first.keys() == third.keys()
    data = [name for name in first if name.endswith(".data.json.gz")]
    assert len(data) == 3 * len(COLLECTIONS)
    assert all(first[name] != third[name] for name in data)


def test_five_advances_of_a_folder_give_the_same_bytes_as_five_advances_of_another(tmp_path: Path) -> None:
    for name in ("first", "second"):
        demo.generate(tmp_path / name, size="tiny", tenants=["nova-demo"])
        for _ in range(5):
            summary = demo.advance(tmp_path / name)
    assert summary.step == 5
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")


def test_a_tenant_does_not_depend_on_the_others_being_generated(tmp_path: Path) -> None:
    demo.generate(tmp_path / "all", size="tiny")
    demo.generate(tmp_path / "one", size="tiny", tenants=["lotus-demo"])
    assert _bytes(tmp_path / "all" / "lotus-demo") == _bytes(tmp_path / "one" / "lotus-demo")
    assert not (tmp_path / "one" / "acme-demo").exists()


def test_the_folder_holds_what_the_memory_holds_at_every_step(tmp_path: Path) -> None:
    demo.generate(tmp_path, size="tiny", tenants=["nova-demo"])
    for step in range(4):
        assert _read_dump(tmp_path / "nova-demo") == as_state(
            demo.tenant_at("nova-demo", size="tiny", step=step)
        )
        demo.advance(tmp_path)


def test_a_file_whose_content_stays_keeps_its_time(tmp_path: Path) -> None:
    demo.generate(tmp_path, size="tiny", tenants=["nova-demo"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "nova-demo").iterdir()}
    demo.generate(tmp_path, size="tiny", tenants=["nova-demo"])
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "nova-demo").iterdir()}


def test_the_dump_source_reads_the_folder(tmp_path: Path) -> None:
    summary = demo.generate(tmp_path, size="tiny", tenants=["nova-demo"])
    source = DumpSource(tmp_path / "nova-demo")
    for collection, count in summary.documents["nova-demo"].items():
        assert source.signature(collection).count == count
    source.close()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(demo.WorldError, match="cdp demo generate"):
        demo.advance(tmp_path)
    with pytest.raises(ValueError, match="choose one of tiny, small"):
        demo.generate(tmp_path, size="huge")
    with pytest.raises(ValueError, match="no tenant 'zeta'"):
        demo.generate(tmp_path, size="tiny", tenants=["zeta"])


def test_tenants_have_the_stated_number_of_profiles_and_keys_like_leo(world: demo.World) -> None:
    for name, tenant in world.tenants.items():
        assert tenant.database.count(PROFILE) == demo.SIZES["tiny"].profiles[name]
        for collection in COLLECTIONS:
            for document in tenant.database.documents(collection):
                assert document["_id"] == f"{collection}/{document['_key']}"
                assert 17 <= len(document["_key"]) <= 22
                assert document["_key"].isalnum()


def test_nothing_but_planted_defects_is_later_than_the_end_of_the_world(acme: list[State]) -> None:
    for step, state in enumerate(acme):
        end = iso(demo.batch_instant(step))
        for documents in state.values():
            for document in documents.values():
                assert document.get("updatedAt", "") <= end
                assert document["createdAt"] <= end or document["createdAt"].startswith("2099")


# The truth


@pytest.mark.parametrize("step", [0, STEPS])
def test_landing_refuses_exactly_what_the_ledger_says(step: int) -> None:
    for tenant in demo.world_at("tiny", step=step).tenants.values():
        ledger = {(d.collection, d.key): d.expected for d in tenant.defects if d.expected != "landed"}
        found = {}
        for collection, documents in demo.leo_documents(tenant).items():
            batch = prepare(
                CONTRACTS[collection], TenantOptions(), [msgspec.json.encode(d) for d in documents]
            )
            assert len(batch.rows) == demo.truth_of(tenant)["collections"][collection]["landed"]
            for reject in batch.rejects:
                found[collection, reject.key] = "field-nulled" if reject.landed else "quarantined"
        assert found == ledger


def test_every_kind_of_defect_is_planted_and_every_entry_has_its_document(tmp_path: Path) -> None:
    demo.generate(tmp_path, size="tiny")
    for step in range(2):
        ledger = _lines(tmp_path / "_truth" / "defects.jsonl")
        states = {
            tenant: _read_dump(tmp_path / tenant) for tenant in ("acme-demo", "lotus-demo", "nova-demo")
        }
        for entry in ledger:
            assert entry["key"] in states[entry["tenant"]][entry["collection"]]
        if step == 0:
            kinds = {entry["defect"] for entry in ledger if entry["tenant"] == "acme-demo"}
            assert kinds == {kind.name for kind in demo.DEFECT_KINDS} | {
                "event_redelivered",
                "key_of_another_tenant",
            }
        demo.advance(tmp_path)


def test_faults_stay_below_five_per_cent_of_a_collection(world: demo.World) -> None:
    for tenant in world.tenants.values():
        refused = Counter(d.collection for d in tenant.defects if d.expected == "quarantined")
        for collection, count in refused.items():
            assert count < 0.05 * tenant.database.count(collection)


def test_the_figures_of_the_truth_are_those_of_the_dump(tmp_path: Path) -> None:
    demo.generate(tmp_path, size="tiny")
    demo.advance(tmp_path)
    truth = json.loads((tmp_path / "_truth" / "world.json").read_text())
    refused = {
        (entry["tenant"], entry["collection"], entry["key"])
        for entry in _lines(tmp_path / "_truth" / "defects.jsonl")
        if entry["expected"] == "quarantined"
    }
    assert truth["step"] == 1
    for name, figures in truth["tenants"].items():
        state = _read_dump(tmp_path / name)
        for collection, counts in figures["collections"].items():
            landed = [key for key in state[collection] if (name, collection, key) not in refused]
            assert counts["documents"] == len(state[collection])
            assert counts["landed"] == len(landed)
            assert counts["quarantined"] == len(state[collection]) - len(landed)
        totals: dict[str, Decimal] = {}
        for key, edge in state[CONVERSION].items():
            if (name, CONVERSION, key) not in refused:
                amount = Decimal(str(edge["transactionValue"]))
                totals[edge["currencyCode"]] = totals.get(edge["currencyCode"], Decimal(0)) + amount
        assert {c: Decimal(t["amount"]) for c, t in figures["landed_totals"].items()} == totals
        for key, segment in figures["segments"].items():
            members = [
                profile["_key"]
                for profile in state[PROFILE].values()
                if profile["status"] > 0
                and isinstance(profile["inSegments"], list)
                and key in {reference["id"] for reference in profile["inSegments"]}
            ]
            assert segment["members"] == len(members)
            assert segment["landed_members"] == sum((name, PROFILE, key) not in refused for key in members)
        for loser, winner in figures["merged"].items():
            assert state[PROFILE][loser]["status"] == 0
            assert state[PROFILE][winner]["status"] == 1


def test_the_order_total_of_a_clean_event_is_the_sum_of_its_edges(world: demo.World) -> None:
    for tenant in world.tenants.values():
        faulty = {d.key for d in tenant.defects if d.check == "order_total_matches_lines"}
        lines: dict[str, float] = {}
        for edge in tenant.database.documents(CONVERSION):
            if edge["transactionId"] != "empty-transaction":
                number = edge["transactionId"]
                lines[number] = round(lines.get(number, 0.0) + edge["transactionValue"], 2)
        for event in tenant.database.documents(TRACKING_EVENT):
            if event["orderedItems"]:
                same = event["transactionValue"] == lines[event["transactionId"]]
                assert same == (event["_key"] not in faulty)


# Advancing


def test_an_advance_changes_exactly_what_it_says(tmp_path: Path) -> None:
    tenants = ("lotus-demo", "nova-demo")
    demo.generate(tmp_path, size="tiny", tenants=tenants)
    assert _lines(tmp_path / "_truth" / "changes.jsonl") == []
    before = {tenant: _read_dump(tmp_path / tenant) for tenant in tenants}
    for step in range(1, STEPS + 1):
        summary = demo.advance(tmp_path)
        said = {
            (c["tenant"], c["collection"], c["key"]) for c in _lines(tmp_path / "_truth" / "changes.jsonl")
        }
        after = {tenant: _read_dump(tmp_path / tenant) for tenant in tenants}
        changed = {
            (tenant, collection, key)
            for tenant in tenants
            for collection in COLLECTIONS
            for key in before[tenant][collection].keys() | after[tenant][collection].keys()
            if before[tenant][collection].get(key) != after[tenant][collection].get(key)
        }
        assert changed == said
        assert summary.changes == len(said)
        assert summary.step == step
        before = after


def test_a_revision_changes_when_the_document_was_written_and_only_then(
    acme: list[State], log: dict[int, Said]
) -> None:
    for step in range(1, STEPS + 1):
        written = set().union(*log[step].values())
        for collection, documents in acme[step].items():
            for key, document in documents.items():
                old = acme[step - 1][collection].get(key)
                if old is not None:
                    assert ((collection, key) in written) == (old["_rev"] != document["_rev"])
                    assert (old["_rev"] == document["_rev"]) == (old == document)


def test_every_kind_of_change_happens_in_the_first_two_days(log: dict[int, Said]) -> None:
    expected = {
        "late_import", "segment_joined", "segment_left", "segment_renamed", "segment_deleted", "renamed", "deleted",
        "soft_deleted", "purged", "removed_directly", "removed_with_profile", "merged_away", "merge_winner",
        "moved_by_merge", "rewritten", "counters_only", "repriced", "new", "new_at_old_watermark", "refired",
        "restated", "redelivered", "consent_withdrawn", "consent_withdrawn_silently", "mended", "saved",
        "saved_by_batch", "size_refreshed",
    }  # fmt: skip
    assert log[1].keys() | log[2].keys() == expected


def test_no_day_removes_five_per_cent_of_a_collection(acme: list[State]) -> None:
    for step in range(1, STEPS + 1):
        for collection in (PROFILE, *OWNED):
            gone = acme[step - 1][collection].keys() - acme[step][collection].keys()
            assert len(gone) < 0.05 * len(acme[step - 1][collection])


def test_mended_documents_leave_the_ledger_and_land(acme: list[State], log: dict[int, Said]) -> None:
    for step in range(1, STEPS + 1):
        for collection, key in log[step]["mended"]:
            raw = msgspec.json.encode(acme[step][collection][key])
            batch = prepare(CONTRACTS[collection], TenantOptions(), [raw])
            assert [row.key for row in batch.rows] == [key]


def test_an_edge_that_fires_again_keeps_its_amount(acme: list[State], log: dict[int, Said]) -> None:
    for collection, key in log[1]["refired"]:
        before, after = acme[0][collection][key], acme[1][collection][key]
        assert after["eventScore"] > before["eventScore"]
        assert after["totalEvent"] == before["totalEvent"] + 1
        assert after["transactionValue"] == before["transactionValue"]
        assert after["updatedAt"] > before["updatedAt"]
