"""One page of raw documents through a contract: rows that may be written, and rejects with their reason.

Belongs here: decode, clean, map, check. Pure: no database, no source, so that it runs in a thread of its own while
the server loads the page before.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import polars as pl

from cdp_assets.cleaning.secrets import show_signs, without_secrets
from cdp_assets.landing.contract import Contract, Mapped
from cdp_assets.landing.document import Unreadable, canonical, content_hash, decode, identity, redacted
from cdp_assets.landing.values import FieldError, instant, shown
from cdp_assets.sources import rawjson
from cdp_assets.sources.model import Page, SourceUnavailable, fingerprint
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.quarantine import Reject

MAX_DOCUMENTS = 5_000
MAX_BYTES = 16 * 2**20
"""Bounds of one batch, and so of memory: three batches are alive at a time (read, mapped, written)."""


class Row(NamedTuple):
    """A document that keeps the contract: values in the order of the target's columns."""

    key: str
    rev: str
    content_hash: bytes
    values: tuple[Any, ...]
    raw: bytes


@dataclass(slots=True)
class Batch:
    """What became of one page.

    Attributes:
        documents: documents in the page.
        repeated: documents that stand in the page byte for byte before; nothing is lost by passing over them.
        rows: rows that keep the contract, each key once.
        rejects: documents rejected whole, and landed ones with fields left null.
        newest: latest window time among the rows.
    """

    documents: int = 0
    repeated: int = 0
    rows: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    newest: datetime | None = None


def regroup(pages: Iterable[Page]) -> Iterator[Page]:
    """Cut and join pages to batches of `MAX_DOCUMENTS` or about `MAX_BYTES`, whichever comes first.

    What was read before the source failed is handed on before the failure is.
    """
    batch: Page = []
    size = 0
    try:
        for page in pages:
            for raw in page:
                batch.append(raw)
                size += len(raw)
                if len(batch) >= MAX_DOCUMENTS or size >= MAX_BYTES:
                    yield batch
                    batch, size = [], 0
    except SourceUnavailable:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def prepare(contract: Contract, options: TenantOptions, page: Page) -> Batch:
    """Apply the contract to one page."""
    with _no_collection():
        return _prepare(contract, options, page)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Decoded documents hold no cycles, but looking for some in them takes a sixth of the time."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


def _prepare(contract: Contract, options: TenantOptions, page: Page) -> Batch:
    batch = Batch(documents=len(page))
    read = _read_all(contract, options, page, batch)
    broken = _broken_rules(contract, [document.mapped.values for document in read.values()])
    signs = show_signs([document.stored for document in read.values()])
    for document, has_sign in zip(read.values(), signs, strict=True):
        mapped = document.mapped
        if document.key in broken:
            rules = broken[document.key]
            fields = tuple(rule.partition("|")[0] for rule in rules)
            reason = _explained(rules, mapped.values)
            batch.rejects.append(
                Reject(
                    document.key, document.rev, reason, fields, landed=False, document=redacted(document.raw)
                )
            )
            continue
        try:
            row = _row(contract, document, has_sign=has_sign)
        except RecursionError as error:
            batch.rejects.append(_reject(document.raw, error))
            continue
        batch.rows.append(row)
        if mapped.nulled:
            reason, fields = "; ".join(mapped.nulled.values()), tuple(mapped.nulled)
            batch.rejects.append(
                Reject(row.key, row.rev, reason, fields, landed=True, document=redacted(row.raw))
            )
        if document.time is not None and (batch.newest is None or document.time > batch.newest):
            batch.newest = document.time
    return batch


def _read_all(contract: Contract, options: TenantOptions, page: Page, batch: Batch) -> dict[str, _Read]:
    """The documents that can be read, by key; the others go to the batch's rejects."""
    read: dict[str, _Read] = {}
    rejected: dict[str, bytes] = {}
    for raw in page:
        try:
            document = _read(contract, options, raw)
        except (Unreadable, FieldError, RecursionError) as error:
            reject = _reject(raw, error)
            if reject.key in read or rejected.get(reject.key, raw) != raw:
                name = fingerprint(raw)
                reject = replace(reject, key=name, rev=name)
        else:
            key = document.key
            if key not in read and key not in rejected:
                read[key] = document
                continue
            if key in read and read[key].raw == raw:
                batch.repeated += 1
                continue
            reject = duplicate(key, raw)
        if rejected.get(reject.key) == raw:
            batch.repeated += 1
        else:
            rejected[reject.key] = raw
            batch.rejects.append(reject)
    return read


def refused(row: Row, reason: str) -> Reject:
    """A row that keeps the contract but that PostgreSQL does not take."""
    return Reject(
        row.key, row.rev, f"PostgreSQL refuses it: {reason}", (), landed=False, document=redacted(row.raw)
    )


def duplicate(key: str, raw: bytes) -> Reject:
    """A second document with a `_key` that was read before; it goes by its fingerprint."""
    reason = f"_key: {shown(key)} occurs twice in the source; the first document is kept"
    name = fingerprint(raw)
    return Reject(name, name, reason, ("_key",), landed=False, document=redacted(raw))


class _Read(NamedTuple):
    key: str
    rev: str
    raw: bytes
    mapped: Mapped
    stored: bytes
    time: datetime | None


def _read(contract: Contract, options: TenantOptions, raw: bytes) -> _Read:
    document = decode(raw)
    key, rev = identity(document, contract.collection)
    return _Read(
        key,
        rev or fingerprint(raw),
        raw,
        contract.map(document, options),
        canonical(document, drop=contract.drop, ordered=contract.ordered),
        instant(document, contract.window_field),
    )


def _row(contract: Contract, document: _Read, *, has_sign: bool) -> Row:
    stored = without_secrets(document.stored) if has_sign else document.stored
    values = tuple(document.mapped.values.values())
    # without the key, which is the first: by it the ledger compares, and an event that came twice has two
    digest = content_hash(stored, values[1:], contract.version)
    return Row(document.key, document.rev, digest, (*values, stored, digest), document.raw)


def _reject(raw: bytes, error: Exception) -> Reject:
    key, rev = rawjson.identity(raw)  # as the sweep sees it, so that the ledger knows that it was read
    reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    fields = (error.field,) if isinstance(error, FieldError) else ()
    return Reject(key or rev, rev, reason, fields, landed=False, document=redacted(raw))


def _broken_rules(contract: Contract, rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Names of the contract's rules that each row breaks, by key; rows that keep all are left out."""
    if not rows:
        return {}
    frame = pl.DataFrame(
        [_series(name, kind, [row[name] for row in rows]) for name, kind in contract.polars_schema.items()]
    )
    good, failure = contract.schema.filter(frame)
    if len(good) == len(frame):
        return {}
    rules = list(failure.counts())
    return {
        entry[contract.key]: [rule for rule in rules if entry[rule] == "invalid"]
        for entry in failure.details().iter_rows(named=True)
    }


def _series(name: str, kind: pl.DataType, values: list[Any]) -> pl.Series:
    if isinstance(kind, pl.List):
        # 0.4 us a list instead of 8: polars takes lists of Python lists apart one by one
        text = msgspec.json.encode(values).decode()
        return pl.Series(name, [text]).str.json_decode(pl.List(kind)).explode()
    return pl.Series(name, values, dtype=kind)


def _explained(rules: list[str], values: dict[str, Any]) -> str:
    parts = []
    for rule in rules:
        column, _, kind = rule.partition("|")
        if kind:
            parts.append(f"{column}: {shown(values.get(column))} breaks the rule {kind}")
        else:
            parts.append(rule.replace("_", " "))
    return "; ".join(parts)
