"""One HTTP connection: reads requests, lets the server answer, and spoils the answer when a fault says so.

Belongs here: bytes on the socket. Does not belong here: what the answer is (`routing`), which fault (`faults`).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.arango.faults import Fault
from tests.arango.routing import Request, Response, read_request

if TYPE_CHECKING:
    from tests.arango.listener import Listener


@dataclass(frozen=True, slots=True)
class Service:
    """What a connection needs of the server.

    Attributes:
        receive: Told of every request, and says which fault happens to it.
        process: Gives the answer.
        closing: Set when the server closes: whoever waits stops waiting.
    """

    receive: Callable[[Request], Fault | None]
    process: Callable[[Request], Response]
    closing: threading.Event


class Connection(BaseHTTPRequestHandler):
    """Handles the requests of one connection, in its own thread."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a request's second packet waits 40 ms for the first one's receipt
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: tests look at `ArangoServer.requests`."""

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:  # the client has died in the middle of its body
            self.close_connection = True
            return
        request = read_request(self.command, self.path, dict(self.headers.items()), raw)
        service = self.server.service
        fault = service.receive(request)
        kind = None if fault is None else fault.kind
        if fault is None or kind is None:
            self._send(request, service.process(request))
        elif kind == "answer":
            assert fault.response is not None
            self._send(request, fault.response)
        elif kind == "delay":
            if not service.closing.wait(fault.seconds):
                self._send(request, service.process(request))
        elif kind in ("cut", "hang"):
            if fault.processed:
                service.process(request)
            if kind == "hang":
                service.closing.wait()
            self._cut(reset=fault.reset)
        else:
            self._send_spoilt(request, service.process(request), fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, request: Request, response: Response) -> None:
        request.status = response.status
        body = b"" if request.method == "HEAD" else response.body
        self._write(self._head(response, len(response.body)) + body)

    def _send_spoilt(self, request: Request, response: Response, fault: Fault) -> None:
        request.status = response.status
        body, half = response.body, len(response.body) // 2
        if fault.kind == "truncate":
            self._write(self._head(response, half) + body[:half])
        elif fault.kind == "cut_body":
            self._write(self._head(response, len(body)) + body[:half])
            self._cut(reset=False)
        else:
            self._write(self._head(response, len(body)))
            for start in range(0, len(body), fault.size):
                self._write(body[start : start + fault.size])
                if self.server.service.closing.wait(fault.seconds):
                    return

    def _head(self, response: Response, length: int) -> bytes:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"content-type: {response.content_type}",
            f"content-length: {length}",
            "server: ArangoDB",
            "connection: Keep-Alive",
            "x-arango-queue-time-seconds: 0.000000",
            *(f"{name}: {value}" for name, value in response.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
        except ConnectionError:  # the client has given up: its time-out, or its test is over
            self.close_connection = True

    def _cut(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Lingering for 0 seconds: closing sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
