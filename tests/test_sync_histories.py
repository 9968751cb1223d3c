"""Random histories of a source, with syncs at any point: after a last sweep nothing tells them from a fresh load."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_assets.landing.batch import prepare
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions
from tests.conftest import Server
from tests.databases import shared_database
from tests.landing_support import (
    MemorySource,
    assert_same,
    kept_refusals,
    land,
    open_rejects,
    snapshots,
    with_kept_refusals,
)
from tests.leo_documents import MAKE, Document, at, members_of

OWNED = (CONVERSION, TRACKING_EVENT, FEEDBACK)
BAD: dict[str, Document] = {
    PROFILE: {"status": 5}, CONVERSION: {"transactionValue": "1,234.56"}, TRACKING_EVENT: {"metricName": None},
    FEEDBACK: {"feedbackScore": "five"}, PRODUCT_ITEM: {"salePrice": "liên hệ"}, SEGMENT: {"status": 77},
}  # fmt: skip
WORDS = ["b", "a", "c"]


class History:
    """A small LEO CDP and what happened to it. Choices are numbers: each step takes of them what it can use."""

    def __init__(self) -> None:
        self.source = MemorySource(page=3)
        self.written: dict[tuple[str, str], list[Document]] = {}
        """Every version of every document that there ever was."""
        self.removed: list[tuple[str, Document]] = []
        self._minutes = itertools.count(60)
        self._names = itertools.count()
        for collection, number in (
            [(SEGMENT, 0), (SEGMENT, 1), (PRODUCT_ITEM, 0)] + [(PROFILE, n) for n in range(5)]
        ) + [(collection, n) for collection in OWNED for n in range(3)]:
            self.insert(list(CONTRACTS).index(collection), number)

    # what a step works on ---------------------------------------------------------------------------------------

    def now(self) -> str:
        return at(minutes=next(self._minutes))

    def one(self, choice: int, *collections: str) -> tuple[str, str] | None:
        """Some document of these collections, of all if none is named."""
        found = [(name, key) for name in collections or CONTRACTS for key in self.source.documents[name]]
        return found[choice % len(found)] if found else None

    def write(self, collection: str, key: str, **fields: Any) -> None:
        self.source.patch(collection, key, **fields)
        self.written.setdefault((collection, key), []).append(self.source.documents[collection][key])

    # steps ------------------------------------------------------------------------------------------------------

    def insert(self, a: int, b: int, moment: str | None = None) -> None:
        collection = list(CONTRACTS)[a % len(CONTRACTS)]
        key = f"{collection[4:8]}{next(self._names)}"
        owner = self.one(b, PROFILE)
        document = MAKE[collection](key, *([owner[1] if owner else "p"] if collection in OWNED else []))
        document |= dict.fromkeys({"createdAt", "updatedAt"} & document.keys(), moment or self.now())
        if collection == PROFILE:
            document |= {"dataLabels": WORDS, "inSegments": members_of("segm0"), "receiveSMS": b % 3 - 1}
        elif collection in (CONVERSION, TRACKING_EVENT):
            document |= {"transactionId": f"order-{b % 3}"}
        self.source.documents[collection][key] = document
        self.write(collection, key)

    def insert_of_long_ago(self, a: int, b: int) -> None:
        self.insert(a, b, at(days=-40))

    def update(self, a: int, b: int) -> None:
        self._edit(a, b, updatedAt=self.now())

    def update_silently(self, a: int, b: int) -> None:
        self._edit(a, b)

    def _edit(self, a: int, b: int, **times: str) -> None:
        if place := self.one(a):
            field, value = {
                PROFILE: ("receiveSMS", b % 3 - 1), CONVERSION: ("transactionValue", float(b)),
                TRACKING_EVENT: ("transactionStatus", ["refunded", "paid", "?"][b % 3]),
                FEEDBACK: ("comment", f"comment {b}"), PRODUCT_ITEM: ("title", f"title {b}"),
                SEGMENT: ("name", f"name {b}"),
            }[place[0]]  # fmt: skip
            self.write(*place, **{field: value}, **times)

    def rewrite(self, a: int, b: int) -> None:
        if place := self.one(a):
            self.write(*place)

    def permute_a_set(self, a: int, b: int) -> None:
        if place := self.one(a, PROFILE):
            self.write(*place, dataLabels=WORDS[b % 3 :] + WORDS[: b % 3])

    def delete(self, a: int, b: int) -> None:
        if place := self.one(a):
            self._delete(*place)

    def delete_a_loser(self, a: int, b: int) -> None:
        losers = [key for key, document in self.source.documents[PROFILE].items() if document["status"] == 0]
        if losers:
            self._delete(PROFILE, losers[a % len(losers)])

    def _delete(self, collection: str, key: str) -> None:
        self.removed.append((collection, self.source.documents[collection][key]))
        self.source.remove(collection, key)

    def resurrect(self, a: int, b: int) -> None:
        if self.removed:
            collection, document = self.removed.pop(a % len(self.removed))
            self.source.documents[collection][document["_key"]] = document
            self.write(collection, document["_key"])

    def merge(self, a: int, b: int) -> None:
        """In chains and circles too; LEO moves what the loser owns, but leaves some edges behind."""
        loser, winner = self.one(a, PROFILE), self.one(b, PROFILE)
        if loser and winner and loser != winner:
            self.write(*loser, status=0, rootProfileId=winner[1])
            for name in (TRACKING_EVENT, FEEDBACK):
                for key, document in list(self.source.documents[name].items()):
                    if document["refProfileId"] == loser[1] and b % 2:
                        self.write(name, key, refProfileId=winner[1])

    def unmerge(self, a: int, b: int) -> None:
        if (place := self.one(a, PROFILE)) and self.source.documents[PROFILE][place[1]]["status"] == 0:
            self.write(*place, status=1, rootProfileId="")

    def move_an_edge(self, a: int, b: int) -> None:
        if (place := self.one(a, CONVERSION)) and (owner := self.one(b, PROFILE)):
            self.write(*place, _from=f"{PROFILE}/{owner[1]}")

    def change_segments(self, a: int, b: int) -> None:
        if place := self.one(a, PROFILE):
            self.write(*place, inSegments=members_of(*[f"segm{n}" for n in range(3) if b >> n & 1]))

    def spoil(self, a: int, b: int) -> None:
        if place := self.one(a):
            self.write(*place, **BAD[place[0]])

    def mend(self, a: int, b: int) -> None:
        bad = [place for place in self.written if self._is_bad(*place)]
        if bad:
            collection, key = bad[a % len(bad)]
            good = MAKE[collection](key, "x") if collection in OWNED else MAKE[collection](key)
            self.write(collection, key, **{name: good[name] for name in BAD[collection]})

    def spoil_an_address(self, a: int, b: int) -> None:
        if place := self.one(a, PROFILE):
            self.write(*place, primaryEmail=["null", "someone@example.com"][b % 2])

    def _is_bad(self, collection: str, key: str) -> bool:
        document = self.source.documents[collection].get(key)
        return document is not None and BAD[collection].items() <= document.items()

    # what must be so in the end ---------------------------------------------------------------------------------

    def expected_rejects(self) -> dict[tuple[str, str], bool]:
        """Quarantined documents, and whether they landed with a field left null."""
        expected = {place: False for place in self.written if self._is_bad(*place)}
        for key, document in self.source.documents[PROFILE].items():
            if document["primaryEmail"] == "null" and not self._is_bad(PROFILE, key):
                expected[PROFILE, key] = True
        return expected

    def as_it_was_good(self, warehouse: Warehouse, tenant: str) -> MemorySource:
        """The source with each bad document replaced by the version of it that landed last, if any did."""
        source = MemorySource(page=3)
        tables = snapshots(warehouse, tenant)
        for collection, found in self.source.documents.items():
            for key, document in found.items():
                source.put(collection, document)
                row = tables[CONTRACTS[collection].table].get((key,))
                if row is not None and self._is_bad(collection, key):
                    landed = [
                        v
                        for v in self.written[collection, key]
                        if _hash(collection, v) == row["content_hash"]
                    ]
                    assert landed, f"the row of {collection}/{key} is no version of its document"
                    source.put(collection, landed[-1])
        return source


def _hash(collection: str, document: Document) -> bytes | None:
    batch = prepare(CONTRACTS[collection], TenantOptions(), [msgspec.json.encode(document)])
    return batch.rows[0].content_hash if batch.rows else None


STEPS: list[Callable[[History, int, int], None]] = [
    History.insert, History.insert_of_long_ago, History.update, History.update_silently, History.rewrite,
    History.permute_a_set, History.delete, History.delete_a_loser, History.resurrect, History.merge, History.merge,
    History.unmerge, History.move_an_edge, History.change_segments, History.spoil, History.mend,
    History.spoil_an_address,
]  # fmt: skip
STEP = st.tuples(st.sampled_from(STEPS), st.integers(0, 23), st.integers(0, 7))
CHAPTER = st.tuples(st.lists(STEP, min_size=7, max_size=10), st.sampled_from(["window", "sweep"]))

_examples = itertools.count()


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[Warehouse]:
    """A warehouse in which every history is a tenant of its own."""
    with (
        shared_database(postgres, "test_histories") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chapters=st.lists(CHAPTER, min_size=3, max_size=4))
def test_whatever_happened_a_last_sweep_equals_a_fresh_load(
    shared: Warehouse, chapters: list[tuple[list[Any], Any]]
) -> None:
    tenant = f"history-{next(_examples)}"
    history = History()
    for steps, mode in chapters:
        land(shared, tenant, history.source, mode, allow_mass_delete=True)
        for step, a, b in steps:
            step(history, a, b)
    land(shared, tenant, history.source, allow_mass_delete=True)

    rejects = open_rejects(shared, tenant)
    assert {place: entry.landed for place, entry in rejects.items()} == history.expected_rejects()
    land(shared, f"{tenant}-fresh", history.as_it_was_good(shared, tenant))
    found, expected = snapshots(shared, tenant), snapshots(shared, f"{tenant}-fresh")
    assert_same(found, expected, but=["consent"])
    assert found["consent"] == with_kept_refusals(expected["consent"], kept_refusals(shared, tenant))
