"""What one running query knows: its snapshot, its parameters, its warnings and counters.

Belongs here: state of one execution. Does not belong here: evaluating.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.arango.aql_values import TextOrder
from tests.arango.errors import KILLED, ApiError, collection_not_found
from tests.arango.store import Database
from tests.arango.wire import Document

MOST_WARNINGS = 10


@dataclass
class Context:
    """State of one query.

    Attributes:
        database: Where writes go.
        snapshot: Documents by collection and key, as of the query's start.
        binds: Bind parameters, a collection's with one leading `@`.
        text: Order of strings.
        fail_on_warning: A warning ends the query.
        max_runtime: Seconds until the query is killed, 0 for never.
        modified: Collections that the query writes to.
    """

    database: Database
    snapshot: dict[str, dict[str, Document]]
    binds: dict[str, Any]
    text: TextOrder
    fail_on_warning: bool = False
    max_runtime: float = 0.0
    modified: set[str] = field(default_factory=set)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    scanned: int = 0
    filtered: int = 0
    lookups: int = 0
    written: int = 0
    ignored: int = 0
    full_count: int | None = None
    started: float = field(default_factory=time.monotonic)

    def documents(self, collection: str) -> dict[str, Document]:
        found = self.snapshot.get(collection)
        if found is None:
            raise collection_not_found(collection)
        return found

    def warn(self, number: int, message: str) -> None:
        """Notes a warning, or ends the query with it."""
        if self.fail_on_warning:
            raise ApiError(400, number, f"AQL: {message} (while executing)")
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append({"code": number, "message": message})

    def check_time(self) -> None:
        if self.max_runtime and time.monotonic() - self.started > self.max_runtime:
            raise ApiError(410, KILLED, "AQL: query killed (while executing)")

    def extra(self) -> dict[str, Any]:
        """`extra` of a cursor's answer."""
        stats: dict[str, Any] = {
            "writesExecuted": self.written,
            "writesIgnored": self.ignored,
            "documentLookups": self.lookups,
            "seeks": 0,
            "scannedFull": self.scanned,
            "scannedIndex": 0,
            "cursorsCreated": 0,
            "cursorsRearmed": 0,
            "cacheHits": 0,
            "cacheMisses": 0,
            "filtered": self.filtered,
            "httpRequests": 0,
            "executionTime": time.monotonic() - self.started,
            "peakMemoryUsage": 0,
            "intermediateCommits": 0,
        }
        if self.full_count is not None:
            stats["fullCount"] = self.full_count
        return {"warnings": self.warnings, "stats": stats}
