"""What is asked of the shop: the queries of one table, composed of identifiers and literals.

Belongs here: SQL for the shop's server, whose session stands in the time zone of the shop's times (`sources.shop`), so
that a cast to `timestamptz` is right for times with and without a zone (at half the cost of `at time zone`). Does not
belong here: SQL for the warehouse (`stage`, `compare`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from cdp_assets.landing.shop.shape import Shape
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
            self._source = sql.SQL(
                "(select x.*, row_number() over "
                "(partition by x.id order by x.updated_at desc nulls last, x::text desc) as _nth from {} as x)"
            ).format(table)
            self._stray = sql.SQL("(t.id is null or t._nth > 1)")
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
        if found.type in ("float4", "float8"):  # PostgreSQL 13 has no numeric for infinity
            return sql.SQL("case when {0} - {0} = 0 then {0}::numeric end").format(name)
        return sql.SQL("{}::{}").format(name, sql.SQL(column.kind.value))

    def _instant(self, name: str) -> sql.Composed:
        return sql.SQL("case when {0} between {1} and {2} then {0}::timestamptz end").format(
            sql.Identifier("t", name), sql.Literal(FIRST_TIME), sql.Literal(LAST_TIME)
        )

    def _problems(self) -> list[tuple[sql.Composed, str]]:
        """Condition and words for all that keeps a row from landing."""
        found = [(sql.SQL("t.updated_at is null").format(), "updated_at: missing")]
        if not self._shape.is_unique:
            found.append((sql.SQL("t.id is null").format(), "id: missing"))
            found.append(
                (sql.SQL("t._nth > 1").format(), "id: another row has it, too; the newest is landed")
            )
        for column in self._shape.spec.columns:
            if column.name not in self._shape.columns:
                continue
            name = sql.Identifier("t", column.name)
            if column.kind is Kind.NUMBER:
                # neither NaN nor infinity gives 0; both are cheaper to meet so than by comparison with each
                found.append((sql.SQL("{0} - {0} <> 0").format(name), f"{column.name}: not a finite number"))
            elif column.kind is Kind.TIME:
                condition = sql.SQL("{} not between {} and {}").format(
                    name, sql.Literal(FIRST_TIME), sql.Literal(LAST_TIME)
                )
                found.append((condition, f"{column.name}: not a time between the years 1 and 9999"))
        return found

    def _json(self, columns: Sequence[SourceColumn]) -> sql.Composed:
        """The columns as one JSON object."""
        names = sql.SQL(", ").join(sql.Identifier("t", column.name) for column in columns)
        return sql.SQL("(select to_jsonb(r) from (select {}) as r)").format(names)
