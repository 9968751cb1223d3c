"""The listening socket and the threads of its connections.

Belongs here: accepting, and closing everything without leaving a socket or a thread behind. Does not belong here:
HTTP (`connection`).
"""

from __future__ import annotations

import socket
import threading
from socketserver import TCPServer
from typing import Any

from tests.arango.connection import Connection, Service

CLOSE_SECONDS = 5.0


class Listener(TCPServer):
    """Listens on a free port of 127.0.0.1 and serves each connection in a daemon thread."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.service = service
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._accepting = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="arango", daemon=True
        )
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._converse, args=(request, client_address), name="arango connection", daemon=True
        )
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def close(self) -> None:
        """Stops listening, ends every connection and waits for the threads."""
        self.service.closing.set()
        self.shutdown()
        self.server_close()
        self._accepting.join(CLOSE_SECONDS)
        with self._lock:
            open_now = dict(self._connections)
            for connection in open_now:
                _end(connection)
        for thread in open_now.values():
            thread.join(CLOSE_SECONDS)

    def drop_connections(self) -> None:
        """Ends every connection; new ones are accepted."""
        with self._lock:
            for connection in self._connections:
                _end(connection)

    def _converse(self, connection: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(connection, client_address)
        except ConnectionError:  # the client went away
            pass
        finally:
            with self._lock:
                del self._connections[connection]
                connection.close()


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client was faster
        return
