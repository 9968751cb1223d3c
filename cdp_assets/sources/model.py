"""What a LEO CDP source is: the one reading interface, its vocabulary and its errors.

Belongs here: the `Source` protocol, the collections that may be read, the change signature, the errors that
every implementation raises. Does not belong here: how bytes are fetched (`arango`, `dump`), what a document
means (`landing`), where it is written (`warehouse`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

PROFILE = "cdp_profile"
CONVERSION = "cdp_profile2conversion"
TRACKING_EVENT = "cdp_trackingevent"
SEGMENT = "cdp_segment"
PRODUCT_ITEM = "cdp_productitem"
FEEDBACK = "cdp_feedbackdata"

COLLECTIONS: frozenset[str] = frozenset(
    {PROFILE, CONVERSION, TRACKING_EVENT, SEGMENT, PRODUCT_ITEM, FEEDBACK}
)
"""The allow list: no other collection name ever reaches a source."""

OPTIONAL: frozenset[str] = frozenset({FEEDBACK})
"""What a dump or export may lack: it is read as empty. A collection that a later release begins to read is one of
these, since the dumps of before do not hold it."""

TIME_FIELDS: frozenset[str] = frozenset({"updatedAt", "createdAt"})
"""The attributes by which a window may be read."""

Page = list[bytes]
"""Raw JSON documents, one `bytes` each, as the source stores them (secrets included: strip before storing)."""

KeyPage = list[tuple[str, str]]
"""`(_key, _rev)` pairs. A document whose key is unusable, or taken by one before it, is `("", its fingerprint)`."""


class SourceError(Exception):
    """A source could not be read. The message names the source, what failed and the remedy."""


class SourceUnavailable(SourceError):
    """Transient: time-out, refused or cut connection, 429, 5xx, not the leader. Reading again may succeed."""


class CursorLost(SourceUnavailable):
    """The server forgot the cursor (expired, restarted): the read must start again from its beginning."""


class SourceRejected(SourceError):
    """Permanent until a person acts: bad credentials, unknown database or collection, corrupt dump."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A cheap fingerprint of one collection; compare for equality only.

    `count` is the number of documents. `revision` is opaque: ArangoDB's collection revision, or size and
    modification time of a dump's files. Equal signatures mean "nothing to do" up to the next full sweep.
    """

    count: int
    revision: str


@dataclass(frozen=True, slots=True)
class Total:
    """Documents and money of one currency in the conversion collection, as the source adds them up."""

    currency: str
    documents: int
    amount: Decimal


class Source(Protocol):
    """Reads one tenant's LEO CDP. Not thread-safe: one reader uses it at a time.

    Every method takes a collection from `COLLECTIONS` and raises `SourceRejected` for any other name.
    Iterators may raise `SourceUnavailable` between pages; what they yielded before is valid.
    """

    name: str
    """Where it reads from, without secrets: for messages and metadata."""

    def signature(self, collection: str) -> Signature: ...

    def keys(self, collection: str) -> Iterator[KeyPage]:
        """All `(_key, _rev)` of the collection, one snapshot where the server gives one."""
        ...

    def strays(self, collection: str) -> frozenset[str]:
        """Fingerprints of documents that go by no `_key` of their own: without one, or with one used before.

        Whichever way a collection is read, the first document with a key is the one that counts.
        """
        ...

    def scan(self, collection: str) -> Iterator[Page]:
        """All documents."""
        ...

    def since(self, collection: str, field: str, instant: datetime) -> Iterator[Page]:
        """Documents whose ISO text in `field` (see `TIME_FIELDS`) is >= `instant`, in the order of `field`."""
        ...

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        """The documents with these keys that exist now; keys that are gone are simply not returned."""
        ...

    def segment_members(self, segment_id: str) -> Iterator[Page]:
        """Active profiles (`status > 0`) whose `inSegments[*].id` has `segment_id`."""
        ...

    def conversions_of(self, profile_keys: Sequence[str]) -> Iterator[Page]:
        """Conversion edges that start at these profiles."""
        ...

    def totals(self) -> list[Total]:
        """Per currency code as stored (null and missing as `""`): edges and the sum of `transactionValue`."""
        ...

    def close(self) -> None: ...


FINGERPRINT = "sha:"


def fingerprint(raw: bytes) -> str:
    """Stand-in key of a document whose `_key` is unusable or taken: `sha:` and 40 hex digits of its bytes."""
    return f"{FINGERPRINT}{hashlib.sha256(raw).hexdigest()[:40]}"
