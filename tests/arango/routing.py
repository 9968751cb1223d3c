"""Requests, responses and the table of routes.

Belongs here: finding the handler for a method and path, reading parameters. Does not belong here: handlers
(`routes_*`), sockets (`server`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from tests.arango.auth import Gate
from tests.arango.cursors import Cursors
from tests.arango.errors import BAD_PARAMETER, MALFORMED_JSON, SYSTEM_ONLY, ApiError, bad_parameter
from tests.arango.store import Database, Store
from tests.arango.wire import encode


@dataclass
class Request:
    """One request, as tests find it in `ArangoServer.requests`.

    Attributes:
        method: Upper case.
        path: As sent, without the query string.
        database: Name from the `/_db/` prefix, `_system` without one.
        route: The path without that prefix, unquoted: `/_api/cursor/70001/2`.
        params: Query string.
        headers: Names in lower case.
        raw: Body.
        status: Status of the answer; None while there is none, or when none was sent.
    """

    method: str
    path: str
    database: str
    route: str
    params: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    status: int | None = None
    segments: tuple[str, ...] = ()

    @property
    def body(self) -> Any:
        """The decoded JSON body, None for an empty one; error 600 when it is no JSON."""
        if not self.raw:
            return None
        try:
            return msgspec.json.decode(self.raw)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, MALFORMED_JSON, f"VPackError error: {error}") from error


def read_request(method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Request:
    path, _, query = target.partition("?")
    segments = tuple(unquote(part) for part in path.split("/")[1:])
    database = "_system"
    if len(segments) >= 2 and segments[0] == "_db":
        database, segments = segments[1], segments[2:]
    return Request(
        method=method,
        path=path,
        database=database,
        route="/" + "/".join(segments),
        params=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in headers.items()},
        raw=raw,
        segments=segments,
    )


@dataclass
class Response:
    """An answer; `body` is sent as it is."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; underscores in the names of headers stand for hyphens."""
    return Response(status, encode(body), {name.replace("_", "-"): text for name, text in headers.items()})


def refusal(error: ApiError) -> Response:
    headers = {"www-authenticate": 'Basic, realm="ArangoDB"'} if error.status == 401 else {}
    return Response(error.status, encode(error.body()), headers)


@dataclass
class Core:
    """What the handlers work on.

    Attributes:
        version: What `/_api/version` says.
        locale: Order of strings in AQL.
    """

    store: Store
    cursors: Cursors
    gate: Gate
    version: str
    locale: str


@dataclass
class Call:
    """One request on its way to its handler; `names` are the variable parts of the path."""

    core: Core
    request: Request
    names: dict[str, str]

    @property
    def database(self) -> Database:
        return self.core.store.database(self.request.database)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean parameter of the query string."""
        text = self.request.params.get(name)
        return default if text is None else text.lower() in ("1", "true", "yes", "on", "y")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """A parameter of the query string that is one of these words."""
        text = self.request.params.get(name, default)
        if text not in choices:
            raise bad_parameter(f"invalid value {text!r} for {name!r}: use one of {', '.join(choices)}")
        return text

    def need_system(self) -> None:
        if self.request.database != "_system":
            raise ApiError(403, SYSTEM_ONLY, "operation only allowed in system database")

    def refuse(self, *names: str) -> None:
        """Refuses parameters whose effect this server does not have, instead of ignoring them."""
        for name in names:
            if name in self.request.params:
                raise ApiError(501, BAD_PARAMETER, f"the test server does not know the parameter {name!r}")

    def json_object(self) -> dict[str, Any]:
        body = self.request.body
        if not isinstance(body, dict):
            raise bad_parameter("expecting a JSON object as the body")
        return body


Handler = Callable[[Call], Response]

_routes: list[tuple[str, tuple[str, ...], Handler]] = []


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Registers a handler; `{name}` in the path stands for any one segment."""

    def register(handler: Handler) -> Handler:
        _routes.append((method, tuple(path.split("/")[1:]), handler))
        return handler

    return register


def dispatch(core: Core, request: Request) -> Response:
    """Finds and calls the handler.

    Raises:
        ApiError: what the handler raises; 404 for an unknown path, 405 for one with another method.
    """
    allowed: list[str] = []
    for method, pattern, handler in _routes:
        names = _match(pattern, request.segments)
        if names is None:
            continue
        if method == request.method:
            core.store.database(request.database)
            return handler(Call(core, request, names))
        allowed.append(method)
    if allowed:
        raise ApiError(405, 405, "method not supported")
    raise ApiError(404, 404, f"unknown path '{request.route}'")


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    names: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            names[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return names
