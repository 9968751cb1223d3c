"""AQL functions on objects and documents.

Belongs here: attributes, merging, keys and handles, reading by key. Does not belong here: writing.
"""

from __future__ import annotations

from typing import Any

from tests.arango.aql_context import Context
from tests.arango.aql_dates import iso_text
from tests.arango.aql_functions import MANY
from tests.arango.aql_registry import function, wrong_type
from tests.arango.aql_values import as_object, truth
from tests.arango.revisions import decode_revision
from tests.arango.wire import Document


@function("HAS", 2)
def _has(context: Context, value: Any, name: Any) -> Any:
    attributes = as_object(value)
    if attributes is None:
        wrong_type(context, "HAS")
        return False
    return isinstance(name, str) and name in attributes


@function("KEEP", 2, MANY)
def _keep(context: Context, value: Any, *names: Any) -> Any:
    attributes = as_object(value)
    if attributes is None:
        return wrong_type(context, "KEEP")
    wanted = _names(names)
    return {name: item for name, item in attributes.items() if name in wanted}


@function("UNSET", 2, MANY)
def _unset(context: Context, value: Any, *names: Any) -> Any:
    attributes = as_object(value)
    if attributes is None:
        return wrong_type(context, "UNSET")
    unwanted = _names(names)
    return {name: item for name, item in attributes.items() if name not in unwanted}


def _names(arguments: tuple[Any, ...]) -> set[str]:
    lists = (name if isinstance(name, list) else [name] for name in arguments)
    return {name for names in lists for name in names if isinstance(name, str)}


@function("ATTRIBUTES KEYS", 1, 3)
def _attributes(context: Context, value: Any, no_system: Any = False, in_order: Any = False) -> Any:
    attributes = as_object(value)
    if attributes is None:
        return wrong_type(context, "ATTRIBUTES")
    names = [name for name in attributes if not (truth(no_system) and name.startswith("_"))]
    return sorted(names) if truth(in_order) else names


@function("VALUES", 1, 2)
def _values(context: Context, value: Any, no_system: Any = False) -> Any:
    attributes = as_object(value)
    if attributes is None:
        return wrong_type(context, "VALUES")
    return [item for name, item in attributes.items() if not (truth(no_system) and name.startswith("_"))]


@function("MERGE", 1, MANY)
def _merge(context: Context, *values: Any) -> Any:
    return _merged(context, "MERGE", values, deep=False)


@function("MERGE_RECURSIVE", 1, MANY)
def _merge_recursive(context: Context, *values: Any) -> Any:
    return _merged(context, "MERGE_RECURSIVE", values, deep=True)


def _merged(context: Context, name: str, values: tuple[Any, ...], *, deep: bool) -> Any:
    if len(values) == 1 and isinstance(values[0], list):
        values = tuple(values[0])
    merged: dict[str, Any] = {}
    for value in values:
        attributes = as_object(value)
        if attributes is None:
            return wrong_type(context, name)
        merged = _merged_pair(merged, attributes) if deep else {**merged, **attributes}
    return merged


def _merged_pair(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    merged = dict(left)
    for name, value in right.items():
        held, new = as_object(merged.get(name)), as_object(value)
        merged[name] = value if held is None or new is None else _merged_pair(held, new)
    return merged


@function("ZIP", 2)
def _zip(context: Context, names: Any, values: Any) -> Any:
    if not isinstance(names, list) or not isinstance(values, list) or len(names) != len(values):
        return wrong_type(context, "ZIP")
    return dict(zip(map(str, names), values, strict=True))


@function("PARSE_IDENTIFIER", 1)
def _parse_identifier(context: Context, value: Any) -> Any:
    parts = _handle(value)
    if parts is None:
        return wrong_type(context, "PARSE_IDENTIFIER")
    return {"collection": parts[0], "key": parts[1]}


@function("PARSE_COLLECTION", 1)
def _parse_collection(context: Context, value: Any) -> Any:
    parts = _handle(value)
    return wrong_type(context, "PARSE_COLLECTION") if parts is None else parts[0]


@function("PARSE_KEY", 1)
def _parse_key(context: Context, value: Any) -> Any:
    parts = _handle(value)
    return wrong_type(context, "PARSE_KEY") if parts is None else parts[1]


def _handle(value: Any) -> tuple[str, str] | None:
    attributes = as_object(value)
    handle = value if attributes is None else attributes.get("_id")
    if not isinstance(handle, str) or handle.count("/") != 1:
        return None
    collection, key = handle.split("/")
    return (collection, key) if collection and key else None


@function("DECODE_REV", 1)
def _decode_rev(context: Context, value: Any) -> Any:
    number = decode_revision(value) if isinstance(value, str) else None
    if number is None:
        return wrong_type(context, "DECODE_REV")
    return {"date": iso_text(number >> 20), "count": number & 0xFFFFF}


@function("DOCUMENT", 1, 2)
def _document(context: Context, first: Any, second: Any = None) -> Any:
    collection, wanted = (None, first) if second is None else (first, second)
    if collection is not None and not isinstance(collection, str):
        return None
    if isinstance(wanted, list):
        found = (_one_document(context, collection, item) for item in wanted)
        return [document for document in found if document is not None]
    return _one_document(context, collection, wanted)


def _one_document(context: Context, collection: str | None, wanted: Any) -> Document | None:
    if not isinstance(wanted, str):
        return None
    context.lookups += 1
    if "/" in wanted:
        collection, wanted = wanted.split("/", 1)
    return None if collection is None else context.documents(collection).get(wanted)


@function("COLLECTION_COUNT", 1)
def _collection_count(context: Context, collection: Any) -> Any:
    if not isinstance(collection, str):
        return wrong_type(context, "COLLECTION_COUNT")
    return len(context.documents(collection))


@function("CURRENT_DATABASE", 0)
def _current_database(context: Context) -> str:
    return context.database.name
