"""Documents over HTTP: one, many, import.

Belongs here: parameters, preconditions, the shape of answers. Does not belong here: the writes (`store`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from tests.arango import errors
from tests.arango.errors import ApiError, bad_parameter
from tests.arango.routing import Call, Response, answer, route
from tests.arango.store import MODES, Collection, Written
from tests.arango.wire import Document

NOT_FOUND = {"error": True, "errorNum": errors.DOCUMENT_NOT_FOUND, "errorMessage": "document not found"}

Write = Callable[[dict[str, Any]], Written]


def _collection(call: Call) -> Collection:
    call.refuse("versionAttribute")
    return call.database.collection(call.names["name"])


def _identity(collection: Collection, document: Document) -> dict[str, Any]:
    return {"_id": f"{collection.name}/{document.key}", "_key": document.key, "_rev": document.rev}


def _check_revision(collection: Collection, key: str, wanted: object) -> None:
    document = collection.document(key)
    if wanted is not None and wanted != document.rev:
        raise ApiError(
            412,
            errors.CONFLICT,
            "conflict, _rev values do not match",
            **_identity(collection, document),
        )


def _if_match(call: Call) -> str | None:
    """The revision of If-Match, quoted or bare."""
    header = call.request.headers.get("if-match")
    return None if header is None else header.strip('"')


def _read(call: Call) -> Response:
    collection = _collection(call)
    document = collection.document(call.names["key"])
    _check_revision(collection, document.key, _if_match(call))
    etag = f'"{document.rev}"'
    if call.request.headers.get("if-none-match") in (etag, document.rev):
        return Response(304, b"", {"etag": etag})
    return Response(200, document.raw, {"etag": etag})


route("GET", "/_api/document/{name}/{key}")(_read)
route("HEAD", "/_api/document/{name}/{key}")(_read)


def _read_many(call: Call, handles: list[Any]) -> Response:
    collection = _collection(call)
    found: list[Any] = []
    for handle in handles:
        named = handle.get("_key") or handle.get("_id") if isinstance(handle, dict) else handle
        key = named.removeprefix(f"{collection.name}/") if isinstance(named, str) else ""
        found.append(collection.find(key) or NOT_FOUND)
    return answer(found)


def _merge_options(call: Call) -> dict[str, bool]:
    return {
        "keep_null": call.flag("keepNull", default=True),
        "merge_objects": call.flag("mergeObjects", default=True),
    }


def _inserter(call: Call) -> Write:
    collection = _collection(call)
    mode = call.choice("overwriteMode", "replace" if call.flag("overwrite") else "conflict", MODES)
    return lambda document: collection.insert(document, mode=mode, **_merge_options(call))


def _changer(call: Call, key: str | None) -> Write:
    """UPDATE, REPLACE or REMOVE of the document with this key, or with each body's own."""
    collection = _collection(call)
    check = not call.flag("ignoreRevs", default=True)

    def write(body: dict[str, Any]) -> Written:
        named = key if key is not None else body.get("_key") or str(body.get("_id", "")).rpartition("/")[2]
        if not isinstance(named, str) or not named:
            raise ApiError(400, errors.BAD_KEY, "illegal document key")
        _check_revision(collection, named, _if_match(call) if key is not None else None)
        if check:
            _check_revision(collection, named, body.get("_rev"))
        if call.request.method == "DELETE":
            return collection.remove(named)
        if call.request.method == "PUT":
            return collection.replace(named, body)
        return collection.update(named, body, **_merge_options(call))

    return write


def _outcome(call: Call, collection: Collection, written: Written) -> dict[str, Any]:
    outcome = _identity(collection, written.document)
    if written.old is not None and written.new is not None:
        outcome["_oldRev"] = written.old.rev
    if call.flag("returnOld") and written.old is not None:
        outcome["old"] = written.old
    if call.flag("returnNew") and written.new is not None:
        outcome["new"] = written.new
    return outcome


def _status(call: Call) -> int:
    in_sync = 200 if call.request.method == "DELETE" else 201
    return in_sync if call.flag("waitForSync") else 202


def _write_one(call: Call, write: Write, body: Any) -> Response:
    if not isinstance(body, dict):
        raise ApiError(400, errors.BAD_TYPE, "invalid document type")
    with call.core.store.lock:
        written = write(body)
    etag = f'"{written.rev}"'
    if call.flag("silent"):
        return answer({}, _status(call), etag=etag)
    return answer(_outcome(call, _collection(call), written), _status(call), etag=etag)


def _write_many(call: Call, write: Write, bodies: list[Any]) -> Response:
    collection = _collection(call)
    results: list[Any] = []
    failures: Counter[int] = Counter()
    with call.core.store.lock:
        for body in bodies:
            try:
                if isinstance(body, str):
                    body = {"_key": body.rpartition("/")[2]}  # noqa: PLW2901
                if not isinstance(body, dict):
                    raise ApiError(400, errors.BAD_TYPE, "invalid document type")
                results.append(_outcome(call, collection, write(body)))
            except ApiError as error:
                failures[error.number] += 1
                # Without `_id`: by that the client tells a result from an error.
                results.append({"error": True, "errorNum": error.number, "errorMessage": error.message})
    if call.flag("silent"):
        results = [result for result in results if result.get("error")]
    status = 200 if call.request.method == "DELETE" else _status(call)
    if not failures:
        return answer(results, status)
    codes = {str(number): count for number, count in failures.items()}
    return answer(results, status, x_arango_error_codes=msgspec.json.encode(codes).decode())


@route("POST", "/_api/document/{name}")
def _insert(call: Call) -> Response:
    body = call.request.body
    if isinstance(body, list):
        return _write_many(call, _inserter(call), body)
    return _write_one(call, _inserter(call), body)


def _change_one(call: Call) -> Response:
    body = {} if call.request.method == "DELETE" else call.request.body
    return _write_one(call, _changer(call, call.names["key"]), body)


def _change_many(call: Call) -> Response:
    body = call.request.body
    if not isinstance(body, list):
        raise bad_parameter("expecting an array as the body")
    if call.request.method == "PUT" and call.flag("onlyget"):
        return _read_many(call, body)
    return _write_many(call, _changer(call, None), body)


for method in ("PATCH", "PUT", "DELETE"):
    route(method, "/_api/document/{name}/{key}")(_change_one)
    route(method, "/_api/document/{name}")(_change_many)


@route("POST", "/_api/import")
def _import(call: Call) -> Response:
    """Arrays and lines of documents; the first failure undoes all of it with `complete`."""
    params = call.request.params
    call.refuse("line")
    kind = call.choice("type", "auto", ("array", "list", "documents", "auto"))
    mode = call.choice("onDuplicate", "error", ("error", *MODES[1:]))
    collection = call.database.collection(params.get("collection", ""))
    lines = kind == "documents" or (kind == "auto" and not call.request.raw.lstrip().startswith(b"["))
    bodies = msgspec.json.Decoder().decode_lines(call.request.raw) if lines else call.request.body
    if not isinstance(bodies, list):
        raise bad_parameter("expecting an array of documents")
    counts = dict.fromkeys(("created", "errors", "empty", "updated", "ignored"), 0)
    details: list[str] = []
    with call.database.atomic():
        if call.flag("overwrite"):
            collection.truncate()
        for place, body in enumerate(bodies):
            try:
                counts[_import_one(collection, body, mode, params)] += 1
            except ApiError as error:
                if call.flag("complete"):
                    raise
                counts["errors"] += 1
                details.append(f"at position {place}: {error.message}")
    more = {"details": details} if call.flag("details") else {}
    return answer({"error": False, **counts, **more}, 201)


def _import_one(collection: Collection, body: Any, mode: str, params: dict[str, str]) -> str:
    """Stores one document; returns which count it belongs to."""
    if not isinstance(body, dict):
        raise ApiError(400, errors.BAD_TYPE, "invalid document type")
    for name, prefix in (("_from", params.get("fromPrefix")), ("_to", params.get("toPrefix"))):
        if prefix and "/" not in str(body.get(name, "")):
            body[name] = f"{prefix.rstrip('/')}/{body.get(name, '')}"
    written = collection.insert(body, mode="conflict" if mode == "error" else mode)
    if written.old is None:
        return "created"
    return "ignored" if written.new is written.old and mode == "ignore" else "updated"
