"""Recency, frequency, monetary value: scores 1 to 5 and the segment that they make.

Belongs here: mid-rank quintiles and the map of segments. Equal values always get equal scores, and the order of rows
moves nothing, where NTILE splits ten equal customers over five scores.
"""

from __future__ import annotations

import polars as pl

SCORES = {"r_score": "recency_days", "f_score": "total_orders", "m_score": "total_amount_spent"}
"""Score -> the raw value that it ranks."""

PROSPECT = "prospect"
"""Who has not bought yet."""

SEGMENTS = (
    "champions", "loyal", "potential_loyalist", "new", "promising", "needs_attention", "about_to_sleep", "at_risk",
    "cant_lose", "hibernating", "lost",
)  # fmt: skip
"""From the best to the worst."""


def score(value: pl.Expr, *, smallest_is_best: bool = False) -> pl.Expr:
    """Quintile of a value among all that are not null, 5 the best: min(5, 1 + floor(5 * (midrank - 0.5) / n)).

    Midrank is the mean rank of equal values: five distinct values get 1 to 5, any number of equal ones 3.
    """
    midrank = value.rank("average", descending=smallest_is_best)
    quintile = 1 + (5 * (midrank - 0.5) / value.count()).floor()
    return quintile.clip(upper_bound=5).cast(pl.Int8)


def segment(r: pl.Expr, f: pl.Expr, m: pl.Expr) -> pl.Expr:
    """The named segment of three scores; the first rule that matches wins, and each of the 125 cells has one."""
    fm = (f + m) / 2
    rarely = (f == 1) | (fm < 2)
    return (
        pl.when(r.is_null())
        .then(pl.lit(PROSPECT))
        .when((r == 1) & (fm >= 4))
        .then(pl.lit("cant_lose"))
        .when((r >= 4) & (fm >= 4))
        .then(pl.lit("champions"))
        .when((r == 3) & (fm >= 4))
        .then(pl.lit("loyal"))
        .when((r <= 2) & (fm >= 3))
        .then(pl.lit("at_risk"))
        .when((r == 5) & rarely)
        .then(pl.lit("new"))
        .when((r == 4) & rarely)
        .then(pl.lit("promising"))
        .when(r >= 4)
        .then(pl.lit("potential_loyalist"))
        .when((r == 3) & (fm >= 2))
        .then(pl.lit("needs_attention"))
        .when(r == 3)
        .then(pl.lit("about_to_sleep"))
        .when(r == 2)
        .then(pl.lit("hibernating"))
        .otherwise(pl.lit("lost"))
    )


def with_rfm(customers: pl.DataFrame) -> pl.DataFrame:
    """Scores, their sum (3 to 15), the cell ("545") and the segment; null and `prospect` for who has not bought."""
    bought = pl.col("total_orders") > 0
    r, f, m = (pl.col(name) for name in SCORES)
    return (
        customers.with_columns(
            score(pl.when(bought).then(pl.col(value)), smallest_is_best=value == "recency_days").alias(name)
            for name, value in SCORES.items()
        )
        .with_columns((r + f + m).alias("rfm_score"), pl.concat_str(r, f, m).alias("rfm_cell"))
        .with_columns(segment(r, f, m).alias("rfm_segment"))
    )


def thresholds(customers: pl.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Score -> quintile -> smallest and largest raw value: why a customer has the score, kept with the version."""
    return {
        name: {
            str(quintile): [str(low), str(high)]
            for quintile, low, high in customers.filter(pl.col(name).is_not_null())
            .group_by(name)
            .agg(pl.col(value).min().alias("low"), pl.col(value).max().alias("high"))
            .sort(name)
            .iter_rows()
        }
        for name, value in SCORES.items()
    }
