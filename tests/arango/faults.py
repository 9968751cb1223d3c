"""Faults that a test switches on: what the server does wrong, to which requests, how often.

Belongs here: the switches and choosing one for a request. Does not belong here: doing it to a socket
(`connection`).

Every switch takes `times` (None: until `clear`), `after` (let so many matching requests pass first), `method`
and `path` (beginning of the path, with or without `/_db/<name>`). The first switch that matches is used up first.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from tests.arango.cursors import Cursors
from tests.arango.errors import ApiError
from tests.arango.routing import Request, Response, answer, refusal

HTML = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class Match(TypedDict, total=False):
    """To which requests a fault happens."""

    times: int | None
    after: int
    method: str | None
    path: str | None


@dataclass
class Fault:
    """One switch.

    Attributes:
        kind: `answer`, `cut`, `delay`, `hang`, `cut_body`, `truncate`, `drip` or `lose_cursors`.
        times: Requests still to come that it happens to, None for all.
        after: Matching requests still to be let through.
        method: Only requests of this method.
        path: Only requests whose path begins like this.
        processed: The server does the work first, so a cursor has moved on.
        response: What `answer` sends.
        seconds: Of `delay`, and between the pieces of `drip`.
        size: Bytes per piece of `drip`.
        reset: `cut` with a TCP reset instead of a regular end.
    """

    kind: str
    times: int | None = 1
    after: int = 0
    method: str | None = None
    path: str | None = None
    processed: bool = False
    response: Response | None = None
    seconds: float = 0.0
    size: int = 0
    reset: bool = False

    def matches(self, request: Request) -> bool:
        if self.method is not None and self.method.upper() != request.method:
            return False
        return self.path is None or request.route.startswith(self.path) or request.path.startswith(self.path)


class Faults:
    """The switches of one server; safe for threads. `fired` counts the faults that happened."""

    def __init__(self, cursors: Cursors) -> None:
        self.fired = 0
        self._cursors = cursors
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def status(self, status: int, number: int, message: str = "fault", **match: Unpack[Match]) -> None:
        """Answers with this HTTP status and errorNum; the request is not processed."""
        self._add("answer", match, response=refusal(ApiError(status, number, message)))

    def html(self, status: int = 502, **match: Unpack[Match]) -> None:
        """Answers with a proxy's page instead of JSON; the request is not processed."""
        self._add("answer", match, response=Response(status, HTML, content_type="text/html"))

    def json(self, body: Any, status: int = 200, **match: Unpack[Match]) -> None:
        """Answers with this JSON value, whatever was asked; the request is not processed."""
        self._add("answer", match, response=answer(body, status))

    def cut(self, *, processed: bool = False, reset: bool = False, **match: Unpack[Match]) -> None:
        """Closes the connection without an answer, before the request is processed or after it."""
        self._add("cut", match, processed=processed, reset=reset)

    def delay(self, seconds: float, **match: Unpack[Match]) -> None:
        """Waits before processing."""
        self._add("delay", match, seconds=seconds)

    def hang(self, *, processed: bool = False, **match: Unpack[Match]) -> None:
        """Never answers: holds the connection open until the server is closed."""
        self._add("hang", match, processed=processed)

    def truncate(self, **match: Unpack[Match]) -> None:
        """Processes, then sends the first half of the body as if it were the whole: broken JSON."""
        self._add("truncate", match)

    def cut_body(self, **match: Unpack[Match]) -> None:
        """Processes, then closes the connection in the middle of the body."""
        self._add("cut_body", match)

    def drip(self, seconds: float, size: int = 64, **match: Unpack[Match]) -> None:
        """Processes, then sends the body in pieces of `size` bytes with `seconds` between them."""
        self._add("drip", match, seconds=seconds, size=size)

    def lose_cursors(self, **match: Unpack[Match]) -> None:
        """Forgets all cursors just before processing, as a server does that has restarted."""
        self._add("lose_cursors", match)

    def empty_last_batch(self, times: int = 1) -> None:
        """So many cursors to come say `hasMore` at their end, and an empty batch follows."""
        self._cursors.empty_last_batches += times

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._cursors.empty_last_batches = 0

    def choose(self, request: Request) -> Fault | None:
        """The fault for this request, used up by one."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(request):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                self.fired += 1
                return fault
        return None

    def _add(self, kind: str, match: Match, **details: Any) -> None:
        with self._lock:
            self._faults.append(Fault(kind, **match, **details))
