"""What tests of the landing stage share: a LEO CDP in memory, landing all of it, and comparing what landed.

Belongs here: the source that tests change at will, syncs, snapshots of tables. Does not belong here: documents
(`leo_documents`), expectations; they stand in the tests.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from cdp_assets.landing import derived
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.derived import Derived
from cdp_assets.landing.sync import CollectionSync, Mode, SyncOptions, SyncResult
from cdp_assets.sources import aql, rules
from cdp_assets.sources.model import (
    COLLECTIONS,
    CONVERSION,
    PROFILE,
    KeyPage,
    Page,
    Signature,
    Source,
    Total,
)
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.ledger import Ledger, Watermark
from cdp_assets.warehouse.options import TenantOptions
from tests.leo_documents import Document

Table = dict[tuple[str, ...], dict[str, Any]]
"""Primary key without the tenant -> the row's values."""

AS_OF = datetime(2026, 10, 1, tzinfo=UTC)

KEYS: dict[str, tuple[str, ...]] = {
    **{contract.table: (contract.key,) for contract in CONTRACTS.values()},
    "profile_segment": ("cdp_profile_id", "segment_id"),
    "consent": ("cdp_profile_id", "channel"),
    "customer_metrics": ("cdp_profile_id",),
}
OUR_TIMES = {
    **{table: {"landed_at", "changed_at", "deleted_at"} for table in KEYS},
    "profile_segment": {"joined_at", "left_at"},
    "customer_metrics": {"updated_at"},
}
"""Columns that say when the pipeline did something, and so differ between two ways to the same state."""


class MemorySource:
    """One LEO CDP in memory. What the queries of `sources.aql` mean in ArangoDB, this means too.

    Attributes:
        documents: collection -> key -> document. Change them through `put`, `patch` and `remove`, which give revisions.
        between: called before each page with (what is read, collection, number of the page from 0); it may raise.
        given: documents (or keys) handed out so far, by what is read.
    """

    def __init__(
        self, documents: Mapping[str, Iterable[Document]] | None = None, *, page: int = 1000
    ) -> None:
        self.name = "memory"
        self.page = page
        self.documents: dict[str, dict[str, Document]] = {name: {} for name in COLLECTIONS}
        self.between: Callable[[str, str, int], object] = lambda reading, collection, number: None
        self.given: Counter[str] = Counter()
        self._revisions = itertools.count(1)
        for collection, found in (documents or {}).items():
            self.put(collection, *found)

    def put(self, collection: str, *documents: Document) -> None:
        """Insert or replace documents; those without a revision get a new one."""
        for document in documents:
            key = document["_key"]
            rev = document.get("_rev") or f"_m{next(self._revisions):07}"
            self.documents[collection][key] = {**document, "_id": f"{collection}/{key}", "_rev": rev}

    def patch(self, collection: str, key: str, **fields: Any) -> None:
        """Replace attributes of one document; without any, LEO saved it as it was."""
        self.put(collection, {**self.documents[collection][key], **fields, "_rev": None})

    def remove(self, collection: str, *keys: str) -> None:
        for key in keys:
            del self.documents[collection][key]

    # -- Source ------------------------------------------------------------------------------------------------------

    def signature(self, collection: str) -> Signature:
        found = self.documents[rules.allowed(collection)]
        return Signature(len(found), str(hash(tuple(document["_rev"] for document in found.values()))))

    def keys(self, collection: str) -> Iterator[KeyPage]:
        found = self.documents[rules.allowed(collection)].values()
        pairs = [(document["_key"], document["_rev"]) for document in found]
        return self._paged("keys", collection, pairs)

    def strays(self, collection: str) -> frozenset[str]:
        rules.allowed(collection)
        return frozenset()

    def scan(self, collection: str) -> Iterator[Page]:
        return self._pages("scan", collection, self.documents[rules.allowed(collection)].values())

    def since(self, collection: str, field: str, instant: datetime) -> Iterator[Page]:
        name, text = rules.time_field(field), aql.instant_text(instant)
        found = self.documents[rules.allowed(collection)].values()
        inside = [document for document in found if _rank(document.get(name)) >= _rank(text)]
        return self._pages("since", collection, sorted(inside, key=lambda document: _rank(document[name])))

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        found = self.documents[rules.allowed(collection)]
        return self._pages("fetch", collection, [found[key] for key in keys if key in found])

    def segment_members(self, segment_id: str) -> Iterator[Page]:
        members = [
            document
            for document in self.documents[PROFILE].values()
            if _rank(document.get("status")) > _rank(0)
            and isinstance(document.get("inSegments"), list)
            and any(isinstance(r, dict) and r.get("id") == segment_id for r in document["inSegments"])
        ]
        return self._pages("segment_members", PROFILE, members)

    def conversions_of(self, profile_keys: Sequence[str]) -> Iterator[Page]:
        handles = {f"{PROFILE}/{key}" for key in profile_keys}
        edges = [edge for edge in self.documents[CONVERSION].values() if edge.get("_from") in handles]
        return self._pages("conversions_of", CONVERSION, edges)

    def totals(self) -> list[Total]:
        found = rules.Totals()
        for edge in self.documents[CONVERSION].values():
            found.add(edge.get("currencyCode"), 1, Decimal(repr(edge.get("transactionValue") or 0)))
        return found.in_order()

    def close(self) -> None:
        pass

    def _pages(self, reading: str, collection: str, documents: Iterable[Document]) -> Iterator[Page]:
        return self._paged(reading, collection, [msgspec.json.encode(document) for document in documents])

    def _paged(self, reading: str, collection: str, items: Sequence[Any]) -> Iterator[list[Any]]:
        for number, start in enumerate(range(0, len(items), self.page)):
            self.between(reading, collection, number)
            page = list(items[start : start + self.page])
            self.given[reading] += len(page)
            yield page


def _rank(value: Any) -> tuple[int, Any]:
    """AQL's order: null < false < true < numbers < texts < arrays < objects."""
    if value is None or isinstance(value, bool):
        return 0, (value is not None) + (value is True)
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3 if isinstance(value, list) else 4, "")


# -- landing -----------------------------------------------------------------------------------------------------------


def land_one(
    warehouse: Warehouse,
    tenant: str,
    source: Source,
    collection: str,
    mode: Mode = "sweep",
    *,
    allow_mass_delete: bool = False,
    tenant_options: TenantOptions | None = None,
) -> SyncResult:
    """One sync of one collection."""
    with warehouse.session(tenant) as session:
        options = SyncOptions(allow_mass_delete=allow_mass_delete)
        contract = CONTRACTS[collection]
        return CollectionSync(session, source, contract, tenant_options=tenant_options, options=options).run(
            mode
        )


def land(
    warehouse: Warehouse,
    tenant: str,
    source: Source,
    mode: Mode = "sweep",
    *,
    allow_mass_delete: bool = False,
) -> dict[str, SyncResult | Derived]:
    """All collections in the order in which the assets land them, then what is derived from them."""
    results: dict[str, SyncResult | Derived] = {}
    options = SyncOptions(allow_mass_delete=allow_mass_delete)
    with warehouse.session(tenant) as session:
        for name, contract in CONTRACTS.items():
            results[name] = CollectionSync(session, source, contract, options=options).run(mode)
        results["profile_segment"] = derived.refresh_profile_segment(session)
        results["consent"] = derived.refresh_consent(session)
        results["customer_metrics"] = derived.refresh_customer_metrics(session, AS_OF)
    return results


def rows_written(result: SyncResult | Derived) -> int:
    return result.written + result.removed if isinstance(result, Derived) else result.written.rows


def watermark(warehouse: Warehouse, tenant: str, collection: str) -> Watermark:
    with warehouse.tenant(tenant) as conn:
        return Ledger(tenant, collection).watermark(conn)


def open_rejects(warehouse: Warehouse, tenant: str) -> dict[tuple[str, str], quarantine.Entry]:
    """Open entries of the quarantine by collection and key."""
    with warehouse.tenant(tenant) as conn:
        entries = quarantine.open_entries(conn, tenant, limit=100_000)
    return {(entry.collection, entry.key): entry for entry in entries}


# -- comparing ---------------------------------------------------------------------------------------------------------


def snapshot(conn: Connection, table: str) -> Table:
    """The live rows of one table as comparable values; `conn` is open for a tenant. Of stays, the open ones."""
    live = {"profile_segment": "left_at is null", "consent": "true", "customer_metrics": "true"}
    cursor = conn.execute(f"select * from cdp.{table} where {live.get(table, 'deleted_at is null')}")  # type: ignore[call-overload]
    names = [column.name for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    left_out = OUR_TIMES[table] | {"tenant_id"}
    return {
        tuple(row[name] for name in KEYS[table]): {k: v for k, v in row.items() if k not in left_out}
        for row in rows
    }


def snapshots(warehouse: Warehouse, tenant: str) -> dict[str, Table]:
    with warehouse.tenant(tenant) as conn:
        return {table: snapshot(conn, table) for table in KEYS}


def versions(warehouse: Warehouse, tenant: str, table: str) -> set[tuple[str, str]]:
    """Physical places and writers of all rows: equal sets mean that not one row was written."""
    schema = "cdp" if table in KEYS else "ops"
    with warehouse.tenant(tenant) as conn:
        return set(conn.execute(f"select ctid::text, xmin::text from {schema}.{table}").fetchall())  # type: ignore[call-overload]


def assert_same(
    found: Mapping[str, Table], expected: Mapping[str, Table], *, but: Iterable[str] = ()
) -> None:
    """Equal tables, row by row; a difference is shown by its first few keys."""
    for table in set(expected) - set(but):
        assert found[table].keys() == expected[table].keys(), table
        wrong = {
            key: {name: (value, other[name]) for name, value in row.items() if value != other[name]}
            for key, row in found[table].items()
            if row != (other := expected[table][key])
        }
        assert not wrong, (table, dict(itertools.islice(wrong.items(), 3)))


def kept_refusals(warehouse: Warehouse, tenant: str) -> dict[tuple[str, str], list[str]]:
    """Profile and channel -> who said no and was merged into it, where a profile on the way has been removed since.

    No fresh load can know them: they are the one difference that the warehouse means to keep.
    """
    with warehouse.tenant(tenant) as conn:
        rows = conn.execute(
            "select cdp_profile_id, merged_into, deleted_at is null, array[receive_email, receive_sms, "
            "receive_web_push, receive_app_push, receive_ads] from cdp.customer_profile order by 1"
        ).fetchall()
    merged_into = {row[0]: row[1] for row in rows}
    removed = {row[0] for row in rows if not row[2]}
    kept: dict[tuple[str, str], list[str]] = {}
    for key, _, _, said in rows:
        path = [key]
        while (winner := merged_into[path[-1]]) in merged_into and winner not in path:
            path.append(winner)
            if removed.intersection(path):
                for channel, value in zip(("email", "sms", "web_push", "app_push", "ads"), said, strict=True):
                    if value < 0:
                        kept.setdefault((winner, channel), []).append(key)
    return kept


def with_kept_refusals(consent: Table, kept: Mapping[tuple[str, str], list[str]]) -> Table:
    """The consent of a fresh load, as it must be where removed profiles had refused."""
    expected = dict(consent)
    for key, refused_by in kept.items():
        if key in consent:
            others = consent[key]["decided_by"] if consent[key]["decision"] == "denied" else []
            expected[key] = {
                **consent[key],
                "decision": "denied",
                "is_allowed": False,
                "decided_by": sorted({*others, *refused_by}),
            }
    return expected
