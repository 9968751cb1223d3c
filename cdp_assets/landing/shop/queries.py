"""What is asked of the shop: the queries of one table, composed of identifiers and literals.

Belongs here: SQL for the shop's server, whose session stands in the time zone of the shop's times (`sources.shop`), so
that a cast to `timestamptz` is right for times with and without a zone (at half the cost of `at time zone`). Does not
belong here: SQL for the warehouse (`stage`, `compare`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from cdp_assets.landing.shop.shape import PLAIN_TYPES, Shape
from cdp_assets.landing.shop.specs import Column, Kind
from cdp_assets.sources.shop_catalog import SCHEMA, SourceColumn

LOWEST_ID = -(2**63)

FIRST_TIME, LAST_TIME = "0001-01-02", "9999-12-30"
"""Times outside cannot be read by most clients; infinity lies outside, too."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a window stands: `updated_at` as the shop's text, so that no clock change alters it, and `id`."""

    time: str
    id: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """How the keys of a table are divided for comparison: `id`s from `low` to `high`, `width` to a bucket."""

    low: int
    high: int
    width: int

    def number(self, column: sql.Composable) -> sql.Composed:
        """Number of the bucket of an id; ids beyond the ends belong to the first and the last."""
        return sql.SQL("least(greatest({}, {}), {}) / {}").format(column, self.low, self.high, self.width)


CHECKSUM = sql.SQL("count(*), sum({micros} % 2147483647 * ({id}::bigint % 2147483629 + 1))")
"""Two numbers that differ when keys or times do, also when rows exchange their times. The product of two residues below
2^31 fits a bigint, and costs a third of a hash that any two servers would agree on."""


def micros(instant: sql.Composable) -> sql.Composed:
    """Microseconds since 1970 of an instant; a double holds them exactly up to the year 2255."""
    return sql.SQL("(date_part('epoch', {}) * 1000000)::bigint").format(instant)


_UTF8 = (
    "^([0-7].|(c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|(e[1-9a-cef])[89ab].[89ab].|ed[89].[89ab].|f0[9ab].[89ab].[89ab]."
    "|f[1-3][89ab].[89ab].[89ab].|f48.[89ab].[89ab].)*$"
)
"""Bytes of well-formed UTF-8, two hexadecimal digits each (Unicode, table 3-7)."""


def _is_utf8(name: sql.Composable) -> sql.Composed:
    """Whether a text is UTF-8, or null: a database of encoding SQL_ASCII holds whatever bytes it was given."""
    return sql.SQL("coalesce(encode(convert_to({}::text, 'SQL_ASCII'), 'hex') ~ {}, true)").format(
        name, sql.Literal(_UTF8)
    )


def _escaped(name: sql.Composable) -> sql.Composed:
    return sql.SQL("encode(convert_to({}::text, 'SQL_ASCII'), 'escape')").format(name)


def _names(stem: str) -> Iterator[str]:
    yield from (f"{stem}{number or ''}" for number in itertools.count())


class Queries:
    """The queries of one table of one shop.

    A landed row has the columns of the spec, then `_extra` (jsonb of the unknown ones), `_position` (`updated_at` as it
    stands in the shop), `_problems` (what keeps the row from landing, or null) and then `_document` (the row as JSON).
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        table = sql.Identifier(SCHEMA, shape.spec.table)
        self._stray: sql.Composable = sql.SQL("false")
        self._source: sql.Composable = table
        if not shape.is_unique:
            # Without a unique key, the newest of the rows with one id counts; the others are strays.
            taken = {column.name for column in (*shape.columns.values(), *shape.extra)}
            self._nth = next(name for name in _names("_nth") if name not in taken)
            # (x.*), since a bare x would be a column of that name
            self._source = sql.SQL(
                "(select x.*, row_number() over "
                "(partition by x.id order by x.updated_at desc nulls last, (x.*)::text desc) as {} from {} as x)"
            ).format(sql.Identifier(self._nth), table)
            self._stray = sql.SQL("(t.id is null or {} > 1)").format(sql.Identifier("t", self._nth))
        self._select = sql.SQL("select {} from {} as t where").format(self._expressions(), self._source)

    @property
    def has_strays(self) -> bool:
        """Whether there may be rows without an id, or with one that another row has."""
        return not self._shape.is_unique

    def lower(self, since: datetime, overlap: timedelta) -> sql.Composed:
        """Text of the shop's time from which on a window reads.

        When a clock is put back, times without a zone repeat: what is written within the next hours may carry an
        earlier time than now.
        """
        if self._shape.columns["updated_at"].type == "timestamptz":
            return sql.SQL("select ({}::timestamptz - {}::interval)::text").format(since, overlap)
        return sql.SQL(
            "select (least({0}::timestamptz::timestamp, "
            "({0}::timestamptz + interval '2 hours')::timestamp - interval '2 hours') - {1}::interval)::text"
        ).format(since, overlap)

    def window(self, after: Position, limit: int) -> sql.Composed:
        """The next rows in the order of (updated_at, id)."""
        return sql.SQL(
            "{} not {} and (t.updated_at, t.id) > ({}::{}, cast({} as bigint)) "
            "order by t.updated_at, t.id fetch first {} rows only"
        ).format(self._select, self._stray, after.time, self.position_type, after.id, sql.Literal(limit))

    def by_id(self, after: int | None, limit: int) -> sql.Composed:
        """The next rows in the order of id."""
        beyond = sql.SQL("t.id > cast({} as bigint)").format(after) if after is not None else sql.SQL("true")
        return sql.SQL("{} not {} and {} order by t.id fetch first {} rows only").format(
            self._select, self._stray, beyond, sql.Literal(limit)
        )

    def of(self, ids: Sequence[int]) -> sql.Composed:
        """The rows with these ids."""
        return sql.SQL("{} not {} and t.id = any({}::bigint[])").format(
            self._select, self._stray, sql.Literal(list(ids))
        )

    def strays(self) -> sql.Composed:
        """Rows without an id, and older ones of those that share one."""
        return sql.SQL("{} {}").format(self._select, self._stray)

    def extent(self) -> sql.Composed:
        """One row: least and greatest id."""
        return sql.SQL("select min(t.id)::bigint, max(t.id)::bigint from {} as t").format(
            sql.Identifier(SCHEMA, self._shape.spec.table)
        )

    def checksums(self, buckets: Buckets) -> sql.Composed:
        """One row per bucket: number, then `CHECKSUM`."""
        return sql.SQL("select {}, {} from {} as t where not {} group by 1").format(
            buckets.number(sql.SQL("t.id::bigint")),
            CHECKSUM.format(micros=micros(self._instant("updated_at")), id=sql.SQL("t.id")),
            self._source,
            self._stray,
        )

    def pairs(self, buckets: Buckets, numbers: Sequence[int]) -> sql.Composed:
        """Id and instant of `updated_at` of the rows in these buckets."""
        return sql.SQL("select t.id::bigint, {} from {} as t where not {} and {} = any({}::bigint[])").format(
            self._instant("updated_at"),
            self._source,
            self._stray,
            buckets.number(sql.SQL("t.id::bigint")),
            sql.Literal(list(numbers)),
        )

    @property
    def position_type(self) -> sql.SQL:
        """Type of `_position`: that of the shop's `updated_at`."""
        is_instant = self._shape.columns["updated_at"].type == "timestamptz"
        return sql.SQL("timestamptz") if is_instant else sql.SQL("timestamp")

    # -- expressions -----------------------------------------------------------------------------------------------

    def _expressions(self) -> sql.Composed:
        values = [self._value(column) for column in self._shape.spec.columns]
        problems = self._problems()
        return sql.SQL(", ").join(
            [
                *values,
                self._json(self._shape.extra) if self._shape.extra else sql.SQL("null::jsonb"),
                sql.SQL("t.updated_at::{}").format(self.position_type),
                sql.SQL(
                    "case when {bad} then array_remove(array[{each}]::text[], null) end, "
                    "case when {bad} then {row}::text end"
                ).format(
                    bad=sql.SQL(" or ").join(bad for bad, _ in problems),
                    each=sql.SQL(", ").join(
                        sql.SQL("case when {} then {} end").format(bad, sql.Literal(words))
                        for bad, words in problems
                    ),
                    row=self._json((*self._shape.columns.values(), *self._shape.extra)),
                ),
            ]
        )

    def _value(self, column: Column) -> sql.Composable:
        found = self._shape.columns.get(column.name)
        if found is None:
            return sql.SQL("null::{}").format(sql.SQL(column.kind.value))
        if column.kind is Kind.TIME:
            return self._instant(column.name)
        name = sql.Identifier("t", column.name)
        if self._shape.any_bytes and column.kind is Kind.TEXT:
            return sql.SQL("case when {} then {}::text else {} end").format(
                _is_utf8(name), name, _escaped(name)
            )
        if found.type in ("float4", "float8"):  # PostgreSQL 13 has no numeric for infinity
            return sql.SQL("case when {0} - {0} = 0 then {0}::numeric end").format(name)
        return sql.SQL("{}::{}").format(name, sql.SQL(column.kind.value))

    def _instant(self, name: str) -> sql.Composed:
        return sql.SQL("case when {0} between {1} and {2} then {0}::timestamptz end").format(
            sql.Identifier("t", name), sql.Literal(FIRST_TIME), sql.Literal(LAST_TIME)
        )

    def _problems(self) -> list[tuple[sql.Composable, str]]:
        """Condition and words for all that keeps a row from landing."""
        found: list[tuple[sql.Composable, str]] = [(sql.SQL("t.updated_at is null"), "updated_at: missing")]
        if not self._shape.is_unique:
            found.append((sql.SQL("t.id is null"), "id: missing"))
            found.append(
                (
                    sql.SQL("{} > 1").format(sql.Identifier("t", self._nth)),
                    "id: another row has it, too; the newest is landed",
                )
            )
        for column in self._shape.spec.columns:
            if column.name not in self._shape.columns:
                continue
            name = sql.Identifier("t", column.name)
            if column.kind is Kind.NUMBER:
                # neither NaN nor infinity gives 0; both are cheaper to meet so than by comparison with each
                found.append((sql.SQL("{0} - {0} <> 0").format(name), f"{column.name}: not a finite number"))
            elif column.kind is Kind.TIME:
                # what lies beyond the open end of a span is no end, and lands as null
                bounds = {"<": FIRST_TIME, ">": LAST_TIME}
                outside = [
                    sql.SQL("{} {} {}").format(name, sql.SQL(sign), sql.Literal(bound))
                    for sign, bound in bounds.items()
                    if sign != column.open_end
                ]
                words = f"{column.name}: not a time from {FIRST_TIME} to {LAST_TIME}"
                found.append((sql.SQL(" or ").join(outside), words))
        if self._shape.any_bytes:
            for source in (*self._shape.columns.values(), *self._shape.extra):
                if source.type not in PLAIN_TYPES:
                    is_bad = sql.SQL("not {}").format(_is_utf8(sql.Identifier("t", source.name)))
                    found.append(
                        (is_bad, f"{source.name}: its bytes are no UTF-8; the shop's encoding is SQL_ASCII")
                    )
        return found

    def _json(self, columns: Sequence[SourceColumn]) -> sql.Composed:
        """The columns as one JSON object, by their names as text: an alias could be the name of one of them."""
        pairs = [
            sql.SQL("{}::text, {}").format(sql.Literal(column.name), self._json_value(column))
            for column in columns
        ]
        # a function takes 100 arguments
        objects = [
            sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs[start : start + 50]))
            for start in range(0, len(pairs), 50)
        ]
        return sql.SQL("({})").format(sql.SQL(" || ").join(objects))

    def _json_value(self, column: SourceColumn) -> sql.Composable:
        name = sql.Identifier("t", column.name)
        if not self._shape.any_bytes or column.type in PLAIN_TYPES:
            return name
        return sql.SQL("case when {} then to_jsonb({}) else to_jsonb({}) end").format(
            _is_utf8(name), name, _escaped(name)
        )
