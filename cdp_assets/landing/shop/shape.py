"""What a given shop has of a table: which columns are landed how, what has drifted, or why the table is blocked.

Belongs here: comparing a spec with the shop's catalog, and the words for what differs. Pure: no database. Does not
belong here: the queries that follow from it (`queries`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from difflib import SequenceMatcher

from cdp_assets.cleaning import secrets
from cdp_assets.cleaning.secret_names import is_secret_name
from cdp_assets.landing.shop.specs import Column, TableSpec
from cdp_assets.sources.model import SourceRejected
from cdp_assets.sources.shop_catalog import SourceColumn, SourceTable

PLAIN_TYPES = frozenset(
    {
        "int2",
        "int4",
        "int8",
        "numeric",
        "float4",
        "float8",
        "bool",
        "date",
        "timestamp",
        "timestamptz",
        "uuid",
    }
)
"""Types of which a value is no text: it holds no secret under a name of its own, and no bytes of another encoding."""


class Blocked(SourceRejected):
    """The table is not what can be landed; nothing of it is read until a person acts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One table of one shop, fit to be landed.

    Attributes:
        columns: the shop's columns by the name of the landing column; columns of the spec that it lacks are absent.
        extra: columns that the spec does not know, kept in `_extra`.
        is_unique: no two rows have the same `id`, and none has none.
        any_bytes: texts may be of any encoding.
        version: changes when spec, columns, time zone, region (with keys) or what a secret is (with extra columns) do:
            rows have to be read again.
        notes: what a person may want to know.
        drift: what somebody should act on.
    """

    spec: TableSpec
    columns: dict[str, SourceColumn]
    extra: tuple[SourceColumn, ...]
    is_unique: bool
    any_bytes: bool
    version: str
    notes: tuple[str, ...]
    drift: tuple[str, ...]


def shape_of(spec: TableSpec, table: SourceTable, timezone: str, region: str) -> Shape:
    """Compare a table with its spec.

    Args:
        spec: what is landed of the table.
        table: what the shop has of it.
        timezone: IANA name of the zone of the shop's times.
        region: country of telephone numbers without a country code.

    Raises:
        Blocked: a required column is missing or may not be read, or a type is outside its column's family. Names all
            such columns, and the remedy.
    """
    unknown = _unknown(spec, table)
    columns, faults, notes, missing = {}, [], [], []
    for column in spec.columns:
        found = table.columns.get(column.name)
        if found is None or not (found.is_readable or column.required):
            missing.append(column.name)
            if column.required:
                faults.append(_missing(column, unknown))
        elif not found.is_readable:
            faults.append(f"{column.name} may not be read: grant select on it")
        elif found.type not in column.kind.family or (column.name == "updated_at" and found.type == "date"):
            faults.append(_wrong_type(column, found))
        else:
            columns[column.name] = found
            if found.type not in column.kind.usual:
                notes.append(
                    f"{column.name} is {found.type}, landed as {column.kind.value}; usual is "
                    + " or ".join(sorted(column.kind.usual))
                )
    if faults:
        raise Blocked(f"public.{spec.table} is not landed: {'; '.join(faults)}")
    if missing:
        notes.append(f"the shop has no {', '.join(missing)}: null")
    secret = [column.name for column in unknown if is_secret_name(column.name)]
    extra = tuple(column for column in unknown if column.is_readable and column.name not in secret)
    drift = []
    if extra:
        drift.append(
            f"unknown columns are kept in _extra: {', '.join(column.name for column in extra)}; add them to the "
            "spec to give them columns of their own"
        )
    if secret:
        drift.append(f"left out, since their names are those of secrets: {', '.join(secret)}")
    key = table.columns["id"]
    return Shape(
        spec, columns, extra, key.is_unique and not key.is_nullable, table.any_bytes,
        _version(spec, table, timezone, region, extra),
        tuple(notes), tuple(drift),
    )  # fmt: skip


def _unknown(spec: TableSpec, table: SourceTable) -> list[SourceColumn]:
    known = {column.name for column in spec.columns}
    return [column for name, column in table.columns.items() if name not in known]


def _missing(column: Column, unknown: list[SourceColumn]) -> str:
    alike = sorted(
        (found.name for found in unknown if found.type in column.kind.family),
        key=lambda name: -SequenceMatcher(None, column.name, name).ratio(),
    )
    hint = f" (renamed to {' or '.join(alike[:3])}?)" if alike else ""
    return f"it has no column {column.name}{hint}: bring it back, for example as a view, or change the spec"


def _wrong_type(column: Column, found: SourceColumn) -> str:
    allowed = column.kind.family - ({"date"} if column.name == "updated_at" else set())
    return (
        f"{column.name} is {found.type}, which cannot be landed as {column.kind.value}: "
        f"make it one of {', '.join(sorted(allowed))}, or change the spec"
    )


def _version(
    spec: TableSpec, table: SourceTable, timezone: str, region: str, extra: tuple[SourceColumn, ...]
) -> str:
    found = sorted((column.name, column.type, column.is_readable) for column in table.columns.values())
    inputs: list[object] = [found, timezone]
    if spec.keys:
        inputs.append(region)
    if extra:
        inputs.append([secrets.VERSION, [column.name for column in extra]])
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    return f"{spec.collection}/{spec.version}/{digest[:12]}"
