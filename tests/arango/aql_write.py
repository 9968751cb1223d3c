"""AQL's INSERT, UPDATE, REPLACE, REMOVE and UPSERT.

Belongs here: which document is meant and what becomes of it. Does not belong here: how it is stored (`store`),
undoing the query when it fails (`aql_query`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tests.arango import aql_ast as ast
from tests.arango import errors
from tests.arango.aql_eval import Evaluate, Row, Scope
from tests.arango.aql_values import as_object, equal, truth
from tests.arango.errors import ApiError, bad_parameter
from tests.arango.store import MODES, Collection, Written

if TYPE_CHECKING:
    from tests.arango.aql_operations import QueryCompiler, Stage

OLD, NEW = "OLD", "NEW"

_OPTIONS = frozenset(
    ("keepNull", "mergeObjects", "ignoreErrors", "ignoreRevs", "waitForSync", "overwriteMode", "exclusive")
)


def write_stage(compiler: QueryCompiler, node: ast.Write, scope: Scope) -> tuple[Stage, Scope]:
    """The stage: it writes for all rows before it passes the first one on, with OLD and NEW in it."""
    context = compiler.context
    name = compiler.collection_name(node.collection, scope)
    if name is None:
        raise ApiError(400, errors.PARSE, "AQL: a write needs a collection (while parsing)")
    collection = context.database.collection(name)
    options = _options(compiler, node.options)
    write = _writer(compiler, node, scope, collection, options)
    context.modified.add(name)
    ignore_errors = truth(options.get("ignoreErrors"))

    def stage(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
        done: list[Row] = []
        for row in list(rows):
            try:
                written = write(row)
            except ApiError as error:
                if not ignore_errors:
                    raise ApiError(
                        error.status, error.number, f"AQL: {error.message} (while executing)"
                    ) from error
                context.ignored += 1
                continue
            context.written += 1
            done.append({**row, OLD: written.old, NEW: written.new})
        yield from done

    return stage, scope.plus(OLD, NEW)


def _options(compiler: QueryCompiler, node: ast.Node | None) -> dict[str, Any]:
    options = {} if node is None else as_object(compiler.expression(node, Scope())({}))
    if options is None or not _OPTIONS.issuperset(options):
        raise bad_parameter(f"AQL: OPTIONS {options!r}: known here are {', '.join(sorted(_OPTIONS))}")
    if options.get("overwriteMode", "conflict") not in MODES:
        raise bad_parameter(f"AQL: overwriteMode is one of {', '.join(MODES)}")
    return options


def _writer(
    compiler: QueryCompiler,
    node: ast.Write,
    scope: Scope,
    collection: Collection,
    options: dict[str, Any],
) -> Callable[[Row], Written]:
    target = compiler.expression(node.target, scope)
    merge = {
        "keep_null": truth(options.get("keepNull", True)),
        "merge_objects": truth(options.get("mergeObjects", True)),
    }
    if node.kind == "INSERT":
        mode = options.get("overwriteMode", "conflict")
        return lambda row: collection.insert(_object(target(row)), mode=mode, **merge)
    if node.kind == "UPSERT":
        return _upserter(compiler, node, scope, collection, merge)
    change = target if node.change is None else compiler.expression(node.change, scope)
    check = not truth(options.get("ignoreRevs", True))

    def write(row: Row) -> Written:
        meant = target(row)
        key = _key(meant)
        if check:
            _check_revision(collection, key, meant)
        if node.kind == "REMOVE":
            return collection.remove(key)
        if node.kind == "REPLACE":
            return collection.replace(key, _object(change(row)))
        return collection.update(key, _object(change(row)), **merge)

    return write


def _upserter(
    compiler: QueryCompiler, node: ast.Write, scope: Scope, collection: Collection, merge: dict[str, bool]
) -> Callable[[Row], Written]:
    assert node.insert is not None
    assert node.change is not None
    example: Evaluate = compiler.expression(node.target, scope)
    insert = compiler.expression(node.insert, scope)
    change = compiler.expression(node.change, Scope(scope.visible | {OLD}))

    def write(row: Row) -> Written:
        wanted = _object(example(row))
        for document in collection.snapshot().values():
            if all(equal(document.value.get(name), value) for name, value in wanted.items()):
                new = _object(change({**row, OLD: document}))
                if node.replaces:
                    return collection.replace(document.key, new)
                return collection.update(document.key, new, **merge)
        return collection.insert(_object(insert(row)))

    return write


def _object(value: Any) -> dict[str, Any]:
    attributes = as_object(value)
    if attributes is None:
        raise ApiError(400, errors.BAD_TYPE, "invalid document type")
    return attributes


def _key(meant: Any) -> str:
    """The key of a key string or of an object with `_key`."""
    attributes = as_object(meant)
    key = meant if attributes is None else attributes.get("_key")
    if key is None:
        raise ApiError(400, errors.KEY_MISSING, "missing document key")
    if not isinstance(key, str) or "/" in key:
        raise ApiError(400, errors.BAD_KEY, "illegal document key")
    return key


def _check_revision(collection: Collection, key: str, meant: Any) -> None:
    said = (as_object(meant) or {}).get("_rev")
    if said is not None and said != collection.document(key).rev:
        raise ApiError(409, errors.CONFLICT, "conflict, _rev values do not match")
