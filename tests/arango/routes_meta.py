"""Login, version, databases, collections and indexes.

Belongs here: what is asked about the server and its collections. Does not belong here: documents
(`routes_documents`), queries (`routes_cursor`).
"""

from __future__ import annotations

from typing import Any

from tests.arango.errors import INDEX_NOT_FOUND, MALFORMED_JSON, ApiError, bad_parameter
from tests.arango.routing import Call, Response, answer, route
from tests.arango.store import Collection

EDGE = 3
DOCUMENTS = 2
LOADED = 3

OK = {"error": False, "code": 200}


@route("POST", "/_open/auth")
def _login(call: Call) -> Response:
    body = call.request.body
    if not isinstance(body, dict) or not {"username", "password"} <= body.keys():
        raise ApiError(400, MALFORMED_JSON, "expecting username and password")
    return answer({"jwt": call.core.gate.token(body["username"], body["password"])})


@route("GET", "/_api/version")
def _version(call: Call) -> Response:
    return answer({"server": "arango", "license": "community", "version": call.core.version})


@route("GET", "/_api/database")
def _databases(call: Call) -> Response:
    call.need_system()
    return answer({**OK, "result": list(call.core.store.databases)})


@route("GET", "/_api/database/user")
def _databases_of_user(call: Call) -> Response:
    return answer({**OK, "result": list(call.core.store.databases)})


@route("GET", "/_api/database/current")
def _current_database(call: Call) -> Response:
    database = call.database
    result = {
        "name": database.name,
        "id": database.id,
        "path": "none",
        "isSystem": database.name == "_system",
    }
    return answer({**OK, "result": result})


@route("POST", "/_api/database")
def _create_database(call: Call) -> Response:
    call.need_system()
    call.core.store.create_database(call.json_object().get("name", ""))
    return answer({"error": False, "code": 201, "result": True}, 201)


@route("DELETE", "/_api/database/{name}")
def _drop_database(call: Call) -> Response:
    call.need_system()
    call.core.store.drop_database(call.names["name"])
    return answer({**OK, "result": True})


def _basics(collection: Collection) -> dict[str, Any]:
    return {
        "id": collection.id,
        "name": collection.name,
        "status": LOADED,
        "type": EDGE if collection.edge else DOCUMENTS,
        "isSystem": False,
        "globallyUniqueId": f"hTEST/{collection.id}",
    }


def _properties(collection: Collection) -> dict[str, Any]:
    return {
        **OK,
        **_basics(collection),
        "waitForSync": False,
        "keyOptions": {"type": "traditional", "allowUserKeys": True, "lastValue": 0},
        "schema": None,
        "computedValues": None,
        "cacheEnabled": False,
        "writeConcern": 1,
        "objectId": collection.id,
        "statusString": "loaded",
        "syncByRevision": True,
        "usesRevisionsAsDocumentIds": True,
    }


def _collection(call: Call) -> Collection:
    return call.database.collection(call.names["name"])


@route("GET", "/_api/collection")
def _collections(call: Call) -> Response:
    return answer({**OK, "result": [_basics(held) for held in list(call.database.collections.values())]})


@route("POST", "/_api/collection")
def _create_collection(call: Call) -> Response:
    body = call.json_object()
    kind = body.get("type", DOCUMENTS)
    if kind not in (DOCUMENTS, EDGE):
        raise bad_parameter(f"invalid collection type {kind!r}")
    return answer(_properties(call.database.create_collection(body.get("name", ""), edge=kind == EDGE)))


@route("GET", "/_api/collection/{name}")
def _collection_info(call: Call) -> Response:
    return answer({**OK, **_basics(_collection(call))})


@route("GET", "/_api/collection/{name}/properties")
def _collection_properties(call: Call) -> Response:
    return answer(_properties(_collection(call)))


@route("GET", "/_api/collection/{name}/count")
def _collection_count(call: Call) -> Response:
    collection = _collection(call)
    return answer({**_properties(collection), "count": collection.count})


@route("GET", "/_api/collection/{name}/revision")
def _collection_revision(call: Call) -> Response:
    collection = _collection(call)
    return answer({**_properties(collection), "revision": collection.revision})


@route("PUT", "/_api/collection/{name}/truncate")
def _truncate(call: Call) -> Response:
    collection = _collection(call)
    collection.truncate()
    return answer({**OK, **_basics(collection)})


@route("DELETE", "/_api/collection/{name}")
def _drop_collection(call: Call) -> Response:
    return answer({**OK, "id": call.database.drop_collection(call.names["name"]).id})


def _indexes_of(collection: Collection) -> list[dict[str, Any]]:
    def index(number: int, kind: str, fields: list[str], unique: bool) -> dict[str, Any]:
        return {
            "id": f"{collection.name}/{number}",
            "type": kind,
            "name": kind,
            "fields": fields,
            "unique": unique,
            "sparse": False,
        }

    primary = [index(0, "primary", ["_key"], unique=True)]
    edges = [index(1, "edge", ["_from", "_to"], unique=False)] if collection.edge else []
    return primary + edges + collection.indexes


def _indexed(call: Call) -> Collection:
    return call.database.collection(call.request.params.get("collection", ""))


@route("GET", "/_api/index")
def _indexes(call: Call) -> Response:
    indexes = _indexes_of(_indexed(call))
    return answer({**OK, "indexes": indexes, "identifiers": {index["id"]: index for index in indexes}})


@route("GET", "/_api/index/{name}/{number}")
def _index(call: Call) -> Response:
    return answer({**OK, **_find_index(call)})


@route("POST", "/_api/index")
def _create_index(call: Call) -> Response:
    """Keeps the definition only: queries here are as fast without, and nothing enforces uniqueness."""
    collection, wanted = _indexed(call), call.json_object()
    fields = wanted.get("fields")
    if not isinstance(fields, list) or not fields or wanted.get("type") not in ("persistent", "ttl"):
        raise bad_parameter("expecting fields, and type 'persistent' or 'ttl'")
    if wanted.get("unique"):
        raise ApiError(501, 10, "the test server has no unique indexes but the primary one")
    for index in collection.indexes:
        if (index["type"], index["fields"]) == (wanted["type"], fields):
            return answer({**index, "isNewlyCreated": False, **OK})
    number = next(call.core.store.identifiers)
    index = {"sparse": False, "name": f"idx_{number}", **wanted, "unique": False}
    index["id"] = f"{collection.name}/{number}"
    collection.indexes.append(index)
    return answer({**index, "isNewlyCreated": True, "error": False, "code": 201}, 201)


@route("DELETE", "/_api/index/{name}/{number}")
def _drop_index(call: Call) -> Response:
    index = _find_index(call)
    collection = _collection(call)
    if index not in collection.indexes:
        raise ApiError(403, 11, "forbidden")
    collection.indexes.remove(index)
    return answer({**OK, "id": index["id"]})


def _find_index(call: Call) -> dict[str, Any]:
    wanted = f"{call.names['name']}/{call.names['number']}"
    for index in _indexes_of(_collection(call)):
        if index["id"] == wanted:
            return index
    raise ApiError(404, INDEX_NOT_FOUND, "index not found")
