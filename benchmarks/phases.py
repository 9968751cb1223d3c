"""Where the time of a sync goes, taken from outside: the product's functions are wrapped while a pass runs.

Belongs here: which functions, under which name. The product itself carries no timers.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest.mock import patch

import psycopg

from benchmarks.source import BenchmarkSource
from cdp_assets.landing import batch, sync, writer
from cdp_assets.warehouse.bulk import BulkLoader
from cdp_assets.warehouse.ledger import Ledger, Sweep

THREAD = "thread: "
"""Prefix of phases that run in the preparing thread, beside the others."""


class Phases:
    """While open, adds up seconds by phase of every sync in this process."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._stack = ExitStack()

    def __enter__(self) -> Phases:
        self._wrap(sync, "prepare", THREAD + "decode, map, hash")
        self._wrap(batch, "_broken_rules", THREAD + "of it, rules")
        self._wrap(batch, "show_signs", THREAD + "of it, search for secrets")
        self._wrap(Ledger, "lookup", "ledger: look up")
        self._wrap(Ledger, "record", "ledger: record")
        self._wrap(BulkLoader, "merge", "copy and merge")
        self._wrap(Sweep, "add", "keys: stage")
        self._wrap(Sweep, "compare", "keys: compare")
        self._wrap(sync.CollectionSync, "_derive_in", "derive")
        self._wrap(writer.Writer, "write", "write, all")
        self._stack.enter_context(patch.object(psycopg.Cursor, "copy", self._timed_copy(psycopg.Cursor.copy)))
        scan = BenchmarkSource.scan
        self._stack.enter_context(
            patch.object(
                BenchmarkSource, "scan", lambda *args: self._timed_pages(scan(*args), THREAD + "read pages")
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _wrap(self, owner: Any, name: str, phase: str) -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._seconds[phase] += perf_counter() - began

        self._stack.enter_context(patch.object(owner, name, timed))

    def _timed_copy(self, copy: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            began = perf_counter()
            with copy(*args, **kwargs) as opened:
                yield opened
            self._seconds["copy"] += perf_counter() - began

        return timed

    def _timed_pages(self, pages: Iterator[Any], phase: str) -> Iterator[Any]:
        while True:
            began = perf_counter()
            page = next(pages, None)
            self._seconds[phase] += perf_counter() - began
            if page is None:
                return
            yield page

    def seconds(self) -> dict[str, float]:
        """Seconds by phase; what is counted inside another phase is taken out of it."""
        found = dict(self._seconds)
        if "copy and merge" in found:
            stage = found.pop("copy") - found.get("keys: stage", 0.0)
            found["copy to stage"], found["merge into table"] = stage, found.pop("copy and merge") - stage
        else:
            found.pop("copy", None)
        if "write, all" in found:
            inside = ("ledger: look up", "ledger: record", "copy to stage", "merge into table")
            found["commit and rest of write"] = found.pop("write, all") - sum(
                found.get(name, 0.0) for name in inside
            )
        return found
