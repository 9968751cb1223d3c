"""Queries over HTTP.

Belongs here: the cursor routes, the options of a query. Does not belong here: batches (`cursors`), AQL.
"""

from __future__ import annotations

from typing import Any

from tests.arango.aql_query import Query
from tests.arango.errors import CURSOR_NOT_FOUND, EMPTY_QUERY, ApiError, bad_parameter
from tests.arango.routing import Call, Response, answer, route

DEFAULT_BATCH = 1000
DEFAULT_TTL = 30.0

_ATTRIBUTES = frozenset(("query", "bindVars", "batchSize", "count", "ttl", "memoryLimit", "cache", "options"))
_OPTIONS = frozenset(("stream", "maxRuntime", "allowRetry", "fullCount", "failOnWarning"))
# Hints that do not change the result: taken and forgotten. Anything else is refused.
_HINTS = frozenset(("fillBlockCache", "cache", "maxNumberOfPlans", "maxWarningCount", "optimizer", "profile"))


@route("POST", "/_api/cursor")
def _create(call: Call) -> Response:
    body = call.request.body
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise ApiError(400, EMPTY_QUERY, "query is empty")
    options = body.get("options") or {}
    # python-arango repeats the options on top, where the server does not look.
    unknown = (body.keys() - _ATTRIBUTES - options.keys()) | (options.keys() - _OPTIONS - _HINTS)
    if unknown:
        raise ApiError(501, 10, f"the test server does not know the option {sorted(unknown)}")
    binds = body.get("bindVars") or {}
    if not isinstance(binds, dict):
        raise ApiError(400, 1550, "AQL: invalid structure of bind parameters (while parsing)")
    size = body.get("batchSize", DEFAULT_BATCH)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise bad_parameter("expecting a positive value for 'batchSize'")
    stream = bool(options.get("stream"))
    query = Query(
        call.database,
        body["query"],
        binds,
        locale=call.core.locale,
        fail_on_warning=bool(options.get("failOnWarning")),
        max_runtime=float(options.get("maxRuntime") or 0),
        full_count=bool(options.get("fullCount")) and not stream,
    )
    first = call.core.cursors.start(
        query,
        size=size,
        ttl=float(body.get("ttl") or DEFAULT_TTL),
        stream=stream,
        count=bool(body.get("count")),
        allow_retry=bool(options.get("allowRetry")),
    )
    return Response(201, first)


def _next(call: Call) -> Response:
    number: Any = call.names.get("number")
    if number is not None and not number.isdigit():
        raise ApiError(404, CURSOR_NOT_FOUND, "cursor not found")
    return Response(200, call.core.cursors.next(call.names["id"], None if number is None else int(number)))


route("POST", "/_api/cursor/{id}")(_next)
route("PUT", "/_api/cursor/{id}")(_next)
route("POST", "/_api/cursor/{id}/{number}")(_next)


@route("DELETE", "/_api/cursor/{id}")
def _delete(call: Call) -> Response:
    call.core.cursors.close(call.names["id"])
    return answer({"id": call.names["id"], "error": False, "code": 202}, 202)
