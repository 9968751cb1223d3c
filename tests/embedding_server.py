"""A local server that speaks the wire formats of OpenAI's and Vertex AI's embeddings, with planned faults.

Belongs here: real sockets, recorded requests, answers that go wrong as services' do. Does not belong here: anything
of the product; a vector is read off its text by `vector_of`.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Items = list[dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Args:
        status: other than 200: an error of that status.
        headers: sent with it.
        body: instead of the usual one.
        edit: changes the items of a good answer.
        delay_s: waits before the answer.
        drip_s: sends the answer byte by byte, that long apart.
        reset: breaks the connection instead of answering.
        endless: a good status and then bytes without end.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    edit: Callable[[Items], Items] | None = None
    delay_s: float = 0.0
    drip_s: float = 0.0
    reset: bool = False
    endless: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: Any
    connection: tuple[str, int]


class EmbeddingServer:
    """Answers `POST /v1/embeddings` and `POST /v1/projects/...:predict`; `plan` holds the faults to come."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.plan: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.closing = threading.Event()
        server = self

        class Handler(_Handler):
            service = server

        self._listener = _Listener(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join(5)


@contextmanager
def embedding_server(dimension: int) -> Iterator[EmbeddingServer]:
    server = EmbeddingServer(dimension)
    try:
        yield server
    finally:
        server.close()


def vector_of(text: str, dimension: int) -> list[float]:
    """What the server says a text is; not of unit length."""
    dice = random.Random(text)
    return [dice.uniform(-1, 1) for _ in range(dimension)]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away, as it may."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: EmbeddingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        service = self.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.requests.append(Request(self.path, headers, body, self.client_address))
        fault = service.plan.popleft() if service.plan else Fault()
        service.closing.wait(fault.delay_s)
        if fault.reset:
            self._reset()
        elif fault.endless:
            self._endless()
        elif fault.status != 200:
            self._answer(
                fault, fault.body if fault.body is not None else _complaint(self.path, body, headers)
            )
        else:
            self._answer(fault, fault.body if fault.body is not None else self._vectors(body, fault))

    def _vectors(self, body: Any, fault: Fault) -> bytes:
        def edited(items: Items) -> Items:
            return fault.edit(items) if fault.edit is not None else items

        if self.path.endswith("/embeddings"):
            dimension = body.get("dimensions", self.service.dimension)
            items = [
                {"object": "embedding", "index": index, "embedding": vector_of(text, dimension)}
                for index, text in enumerate(body["input"])
            ]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            answer = {"object": "list", "model": body["model"], "usage": usage, "data": edited(items)}
        else:
            dimension = body.get("parameters", {}).get("outputDimensionality", self.service.dimension)
            answer = {
                "predictions": edited(
                    [
                        {
                            "embeddings": {
                                "values": vector_of(one["content"], dimension),
                                "statistics": {"truncated": False, "token_count": 1},
                            }
                        }
                        for one in body["instances"]
                    ]
                )
            }
        return json.dumps(answer).encode()

    def _answer(self, fault: Fault, body: bytes) -> None:
        self.send_response(fault.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault.drip_s:
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.service.closing.wait(fault.drip_s):
                    return
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        # linger of zero seconds: the peer sees a reset, not an orderly end
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _endless(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-length", str(10**12))
        self.end_headers()
        while not self.service.closing.is_set():
            self.wfile.write(b" " * 65536)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


def _complaint(path: str, body: Any, headers: dict[str, str]) -> bytes:
    """An error as the services write it: they repeat the key and the text."""
    message = f"Incorrect request: {headers.get('authorization')} {body}"
    if path.endswith("/embeddings"):
        error = {"message": message, "type": "invalid_request_error", "code": None}
    else:
        error = {"message": message, "code": 400, "status": "INVALID_ARGUMENT"}
    return json.dumps({"error": error}).encode()
