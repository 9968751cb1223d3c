"""What a segment is like: every feature of its members beside all customers of the tenant.

Belongs here: the comparison, for whatever columns `datasets.customer_features` has: means of numbers, shares of words.
One scan in the database for all columns, since a million customers with a hundred features do not travel well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import polars as pl
from psycopg import sql

from cdp_assets.warehouse.connection import Connection, without_loops
from cdp_assets.warehouse.tables import Column, columns_of

FEATURES = "datasets.customer_features"

KEY = "customer_id"

MAX_LEVELS = 25
"""Values of a feature in words, at most: a feature with more (a free text, an id) is not told."""

NUMBERS = {"bigint", "integer", "smallint", "double precision", "real", "numeric"}

PER_QUERY = 200
"""Columns per statement: five figures each, and PostgreSQL takes 1,664."""

DECIMALS = 6
"""Of a difference in standard deviations."""

SCHEMA = {
    "feature": pl.String,
    "level": pl.String,
    "members_known": pl.Int64,
    "customers_known": pl.Int64,
    "value": pl.Float64,
    "customers_value": pl.Float64,
    "difference": pl.Float64,
}

_JOINED = sql.SQL(
    "from datasets.customer_features as f left join audience.members(%(segment)s) as m "
    "on f.customer_id = m.customer_id where f.tenant_id = %(tenant)s"
)


def compare(connection: Connection, tenant_id: str, segment_id: str) -> pl.DataFrame:
    """One row per feature (and level of a feature in words), columns as `audience.segment_features`.

    `difference` is (members' mean - all customers' mean) / standard deviation over all customers; a share is the mean
    of an indicator, so that numbers and words can be ranked together. Yes and no are the share of yes.
    """
    columns = [column for column in columns_of(connection, FEATURES) if column[0] not in {"tenant_id", KEY}]
    scope = {"tenant": tenant_id, "segment": segment_id}
    numbers = [column for column in columns if column[1] in NUMBERS or column[1] == "boolean"]
    rows: list[tuple[object, ...]] = []
    with without_loops(connection):
        for start in range(0, len(numbers), PER_QUERY):
            rows += _means(connection, scope, numbers[start : start + PER_QUERY])
        words = [name for name, type_, *_ in columns if type_ == "text"]
        if words:
            rows += _shares(connection, scope, words)
    # A sum of doubles depends on the order in which the server meets the rows: digits that say nothing are cut, so that
    # the same members give the same rows.
    return (
        pl.DataFrame(rows, schema=SCHEMA, orient="row")
        .with_columns(
            pl.col("value", "customers_value").round_sig_figs(10), pl.col("difference").round(DECIMALS)
        )
        .sort("feature", "level")
    )


def _means(
    connection: Connection, scope: Mapping[str, str], columns: Sequence[Column]
) -> list[tuple[object, ...]]:
    figures = []
    for name, type_, *_ in columns:
        value = sql.SQL("f.{}::int::float8" if type_ == "boolean" else "f.{}::float8").format(
            sql.Identifier(name)
        )
        figures.append(
            sql.SQL(
                "count({value}) filter (where m.customer_id is not null), count({value}), "
                "avg({value}) filter (where m.customer_id is not null), avg({value}), stddev_pop({value})"
            ).format(value=value)
        )
    query = sql.SQL("select {} {}").format(sql.SQL(", ").join(figures), _JOINED)
    found = connection.execute(query, scope).fetchone()
    assert found is not None
    return [
        (name, "", *found[place * 5 : place * 5 + 4], _difference(*found[place * 5 + 2 : place * 5 + 5]))
        for place, (name, *_) in enumerate(columns)
    ]


def _shares(
    connection: Connection, scope: Mapping[str, str], names: Sequence[str]
) -> list[tuple[object, ...]]:
    """All of them in one scan: a row per customer and feature, counted by level."""
    pairs = sql.SQL(", ").join(
        sql.SQL("({}, f.{})").format(sql.Literal(name), sql.Identifier(name)) for name in names
    )
    found = connection.execute(
        sql.SQL(
            "select feature, level, members, customers from (select l.feature, l.level, "
            "count(*) filter (where m.customer_id is not null) as members, count(*) as customers, "
            "count(*) over (partition by l.feature) as levels from datasets.customer_features as f "
            "left join audience.members(%(segment)s) as m on f.customer_id = m.customer_id "
            "cross join lateral (values {pairs}) as l (feature, level) "
            "where f.tenant_id = %(tenant)s and l.level is not null group by l.feature, l.level) as counted "
            "where levels <= %(most)s order by 1, 2"
        ).format(pairs=pairs),
        {**scope, "most": MAX_LEVELS},
    ).fetchall()
    rows: list[tuple[object, ...]] = []
    for name, of_feature in groupby(found, lambda row: str(row[0])):
        levels = list(of_feature)
        members, customers = sum(row[2] for row in levels), sum(row[3] for row in levels)
        for _, level, of_members, of_customers in levels:
            value = of_members / members if members else None
            share = of_customers / customers
            deviation = (share * (1 - share)) ** 0.5
            rows.append((name, level, members, customers, value, share, _difference(value, share, deviation)))
    return rows


def _difference(value: float | None, customers_value: float | None, deviation: float | None) -> float | None:
    if value is None or customers_value is None or not deviation:
        return None
    return (value - customers_value) / deviation
