"""Strength of Vietnamese clauses by our lexicon, with or without accents.

Belongs here: how stems, negators and intensifiers add up. Does not belong here: the words (`lexicon_vi`). All clauses
are looked up in one pass: the lexicon becomes an automaton whose longest match wins, so that `không trả lời` is one
complaint and not a negated reply.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl

from cdp_assets.datasets.reviews import lexicon_vi
from cdp_assets.datasets.reviews.clauses import bare, wrapped

NEGATED = -0.74
"""VADER's factor: not good is less bad than bad."""

COMPLAINT = -1.8
"""Strength of `not as in the picture`: that goods are not what was shown is a complaint, not a lesser praise."""

_UNIT = r"(\d)  (k|kg) "
"""A thousand or a kilogram after a number; elsewhere both are short for `không`."""

_MARK = "\ue000"


def keys(listed: str) -> dict[str, str]:
    """Spelling -> stem, of stems separated by commas: with accents, and without where the stem allows it (no `=`)."""
    stems = [" ".join(stem.split()) for stem in listed.split(",")]
    written = {stem.rstrip("="): stem.rstrip("=") for stem in stems if stem}
    plain = [stem for stem in stems if stem and not stem.endswith("=")]
    return {**dict(zip(bare(plain), plain, strict=True)), **written}


@cache
def lexicon() -> pl.DataFrame:
    """Spelling, code and meaning: strength (0 for neutral marks), negates, compares, joins, before, after (factors)."""
    meaning: dict[str, dict[str, Any]] = {}

    def add(listed: str, name: str, value: float | bool) -> None:
        for spelling in keys(listed):
            meaning.setdefault(spelling, {}).setdefault(name, value)

    add(lexicon_vi.INNOCENT, "innocent", True)
    for strength, stems in lexicon_vi.STEMS.items():
        add(stems, "strength", strength)
    add(lexicon_vi.NEUTRAL, "strength", 0.0)
    for strength, faces in lexicon_vi.FACES.items():
        add(",".join(faces), "strength", strength)
    add(lexicon_vi.NEGATORS, "negates", True)
    add(lexicon_vi.COMPARISONS, "compares", True)
    add(lexicon_vi.JOINS, "joins", True)
    for name, factors in (("before", lexicon_vi.BEFORE), ("after", lexicon_vi.AFTER)):
        for factor, listed in factors.items():
            add(listed, name, factor)
    longest_first = sorted(meaning, key=lambda spelling: (-len(spelling.split()), -len(spelling), spelling))
    return pl.DataFrame(
        [{"spelling": spelling, **meaning[spelling]} for spelling in longest_first],
        schema={
            "spelling": pl.String, "strength": pl.Float64, "negates": pl.Boolean, "compares": pl.Boolean,
            "joins": pl.Boolean, "before": pl.Float64, "after": pl.Float64,
        },
    ).with_columns(pl.format("{}{}", pl.lit(_MARK), pl.int_range(pl.len())).alias("token"))  # fmt: skip


def strengths(clauses: pl.DataFrame) -> pl.DataFrame:
    """Sum of strengths of each clause (clause_id, words): clause_id, strength; clauses without an opinion are left out.

    A stem counts -0.74 times itself when a negator stands among the three words before it, with no other stem between,
    and is strengthened or weakened by intensifiers among the two words on its side of it. The negation holds to the end
    of its phrase: for the comparison that follows (`không đẹp như hình`, -1.8), and for a stem of the same sign that is
    joined to it (`không đẹp và bền`).
    """
    known = lexicon()
    tokens = (
        clauses.select(
            "clause_id",
            pl.col("words")
            .str.replace_all(_UNIT, "${1}${2} ")
            .str.replace_many(
                [wrapped(word) for word in lexicon_vi.CHAT],
                [wrapped(meant) for meant in lexicon_vi.CHAT.values()],
                leftmost=True,
            )
            .str.replace_many(
                [wrapped(spelling) for spelling in known["spelling"]],
                [wrapped(code) for code in known["token"]],
                leftmost=True,
            )
            .str.strip_chars()
            .str.split("  ")
            .alias("token"),
        )
        .explode("token")
        .join(known.drop("spelling"), on="token", how="left", maintain_order="left")
    )

    def near(column: str, places: int) -> pl.Expr:
        """The value so many words before (after, if negative), within the clause."""
        same = pl.col("clause_id") == pl.col("clause_id").shift(places)
        return pl.when(same).then(pl.col(column).shift(places))

    def negator(places: int) -> pl.Expr:
        return near("negates", places).fill_null(False)

    def stem(places: int) -> pl.Expr:
        return near("strength", places).is_not_null()

    is_negated = negator(1) | (negator(2) & ~stem(1)) | (negator(3) & ~stem(1) & ~stem(2))
    # two places at most lie between the stem that is negated and what belongs to its phrase
    goes_on = (near("negated", 1) & stem(1)) | (near("negated", 2) & stem(2) & ~stem(1))
    is_joined = (
        near("joins", 1).fill_null(False)
        & near("negated", 2)
        & (near("strength", 2).sign() == pl.col("strength").sign())
    )
    compares = pl.col("compares").fill_null(False)
    factor = pl.coalesce(near("before", 1), near("before", 2), pl.lit(1.0)) * pl.coalesce(
        near("after", -1), near("after", -2), pl.lit(1.0)
    )
    return (
        tokens.with_columns(is_negated.alias("negated"))
        .with_columns(
            (pl.col("negated") | (compares & goes_on) | is_joined).fill_null(False).alias("negated")
        )
        .with_columns(
            pl.when(pl.col("negated") & compares)
            .then(COMPLAINT)
            .otherwise(pl.col("strength") * factor * pl.when("negated").then(NEGATED).otherwise(1.0))
            .alias("weighed")
        )
        .filter(pl.col("strength").is_not_null())
        .group_by("clause_id")
        .agg(pl.col("weighed").sum().alias("strength"))
    )
