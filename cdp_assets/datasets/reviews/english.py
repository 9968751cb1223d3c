"""VADER with the words that shopping adds: strength of English clauses.

Belongs here: the one instance of the analyser and the phrases it cannot see. VADER's rules for negation, degree,
capitals and exclamation marks stay as they are.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from cdp_assets.datasets.reviews import lexicon_en

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

ALPHA = 15.0
"""VADER's: compound = s / sqrt(s * s + 15), s the sum of strengths."""


@cache
def _analyser() -> SentimentIntensityAnalyzer:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()
    for strength, listed in lexicon_en.WORDS.items():
        analyser.lexicon.update(dict.fromkeys(_listed(listed), strength))
    return analyser


def lexicon() -> dict[str, float]:
    """Word -> strength, VADER's and ours."""
    found: dict[str, float] = _analyser().lexicon
    return found


@cache
def _phrases() -> dict[str, str]:
    known = [word for listed in lexicon_en.WORDS.values() for word in _listed(listed) if "_" in word]
    return {word.replace("_", " "): word for word in sorted(known, key=len, reverse=True)}


def strengths(clauses: pl.Series) -> pl.Series:
    """Sum of strengths of each English clause, VADER's compound before its normalisation; null with no known word."""
    joined = pl.select(
        pl.lit(clauses)
        .str.replace_all("[’']t\\b", "t")
        .str.replace_many(
            list(_phrases()), list(_phrases().values()), ascii_case_insensitive=True, leftmost=True
        )
    ).to_series()
    # a clause without a known word is 0 to VADER, which takes 100 microseconds to find that out
    return pl.Series(
        "strength", [_strength(clause) if _has_word(clause) else None for clause in joined], pl.Float64
    )


def _listed(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def _has_word(clause: str) -> bool:
    known = lexicon()
    return any(word.strip(".,!?;:'\"()").lower() in known for word in clause.split())


def _strength(clause: str) -> float:
    compound = max(-0.999, min(0.999, _analyser().polarity_scores(clause)["compound"]))
    return float(compound * math.sqrt(ALPHA / (1 - compound * compound)))
