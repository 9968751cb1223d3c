"""What tests of the contracts share: one document through `prepare`, and what came of it.

Belongs here: short words for it. Does not belong here: documents (`documents`), expectations.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cdp_assets.landing.batch import Batch, Row, prepare
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.quarantine import Reject
from tests.documents import (
    Document,
    as_bytes,
)

Build = Callable[..., Document]
"""A builder of `documents`."""

OPTIONS = TenantOptions()
COLLECTIONS = sorted(CONTRACTS)


def collection_of(document: Document) -> str:
    return str(document["_id"]).partition("/")[0]


def prepared(collection: str, *documents: Document | bytes, options: TenantOptions = OPTIONS) -> Batch:
    page = [document if isinstance(document, bytes) else as_bytes(document) for document in documents]
    return prepare(CONTRACTS[collection], options, page)


def columns(row: Row, collection: str) -> dict[str, Any]:
    return dict(zip(CONTRACTS[collection].target.columns, row.values, strict=True))


def landed(document: Document, *, options: TenantOptions = OPTIONS) -> dict[str, Any]:
    """The columns of a document that must land without complaint."""
    collection = collection_of(document)
    batch = prepared(collection, document, options=options)
    assert batch.rejects == []
    return columns(batch.rows[0], collection)


def stored(document: Document) -> dict[str, Any]:
    """What is kept of the document itself."""
    found: dict[str, Any] = json.loads(landed(document)[CONTRACTS[collection_of(document)].document_column])
    return found


def rejected(document: Document | bytes, collection: str = "cdp_profile") -> Reject:
    """The reject of a document that must not land."""
    if isinstance(document, dict) and "_id" in document:
        collection = collection_of(document)
    batch = prepared(collection, document)
    assert batch.rows == []
    (reject,) = batch.rejects
    assert not reject.landed
    return reject


def nulled(document: Document) -> tuple[dict[str, Any], Reject]:
    """The columns and the complaint of a document that lands with an attribute left null."""
    collection = collection_of(document)
    batch = prepared(collection, document)
    (row,), (reject,) = batch.rows, batch.rejects
    assert reject.landed
    assert reject.key == row.key
    return columns(row, collection), reject


def content_hash(document: Document) -> bytes:
    return bytes(landed(document)["content_hash"])
