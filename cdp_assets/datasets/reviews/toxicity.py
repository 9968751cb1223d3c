"""Insults and curses: a baseline by word list.

Belongs here: counting them. The score is the share of a text's words, so a long complaint with one curse is not a
tirade.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.reviews import lexicon_vi
from cdp_assets.datasets.reviews.clauses import wrapped


def insults(clauses: pl.DataFrame) -> pl.DataFrame:
    """Words of insult in each clause (clause_id, words): clause_id, insults; clauses without any are left out."""
    listed = [" ".join(phrase.split()) for phrase in lexicon_vi.INSULTS.split(",")]
    longest_first = sorted(listed, key=lambda phrase: (-len(phrase), phrase))
    found = pl.col("words").str.extract_many([wrapped(phrase) for phrase in longest_first], leftmost=True)
    return (
        clauses.select("clause_id", found.alias("phrase"))
        .explode("phrase")
        .drop_nulls()
        .group_by("clause_id")
        .agg(
            (pl.col("phrase").str.strip_chars().str.count_matches("  ") + 1)
            .sum()
            .cast(pl.Float64)
            .alias("insults")
        )
    )
