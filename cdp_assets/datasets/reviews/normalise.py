"""What people typed, made readable without changing what it says: one spelling, no markup, nothing personal.

Belongs here: repair, and the two simpler forms of a text (words only; words without accents). Does not belong here:
what is personal in a text (`cleaning.redaction`), what a text means. Letters, accents, capitals, punctuation and faces
stay: they carry the opinion.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable

import ftfy
import polars as pl

from cdp_assets.cleaning import redaction

PERSONAL = (redaction.EMAIL, redaction.PHONE, redaction.ORDER, redaction.NUMBER, redaction.ID)
"""What stands where something was that leads to a person."""

_AFTER = r"\x{0080}-\x{00BF}€‚ƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ"
_QUOTES = "‘’“”•–—…"
BROKEN = (
    # a quote behind a capital with accent ends a good text: `MUA RỒI Ã”` is rare, `ĐÃ”` is not
    rf"[ÃÂÆ][{_AFTER}]|Ä[{_AFTER}{_QUOTES}]|á[º»][{_AFTER}{_QUOTES}]|â[\x{{0080}}€]"
    "|&(?:#\\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,8});"
)
"""UTF-8 that was read as Latin-1 or Windows-1252, and HTML entities. Repair costs Python 50 microseconds a text."""

_PLAIN = {"đ": "d"} | {
    letter: plain
    for letter in map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)))
    if letter.islower() and (plain := unicodedata.normalize("NFD", letter)[0]) != letter
}
"""Accented letter -> plain one: three times faster than taking letters apart."""

_TOKENS = r"\[(?:email|phone|order|number|id|link)\]"


def normalise(comments: pl.Series) -> pl.DataFrame:
    """One row per distinct comment.

    Returns:
        comment; review_text (NFKC, single blanks, redacted; null when nothing is left); said (the same without tokens);
        clean_text (its words in lower case, accents kept; null without a letter); folded (clean_text without accents, đ
        as d); pii_found; has_link.
    """
    texts = pl.DataFrame({"comment": comments.drop_nulls().unique(maintain_order=True)})
    return (
        texts.with_columns(redacted(repaired(texts["comment"])).alias("review_text"))
        .with_columns(
            pl.col("review_text").str.replace_all(_TOKENS, " ").alias("said"),
            pl.any_horizontal(
                pl.col("review_text").str.contains(token, literal=True) for token in PERSONAL
            ).alias("pii_found"),
            pl.col("review_text").str.contains(redaction.LINK, literal=True).alias("has_link"),
        )
        .with_columns(
            _filled(pl.col("said").str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}]+", " ")).alias("clean_text"),
            _filled(pl.col("review_text")).alias("review_text"),
        )
        .with_columns(folded(pl.col("clean_text")).alias("folded"))
    )  # fmt: skip


def repaired(texts: pl.Series) -> pl.Series:
    """Double encoding and HTML entities undone, where there are any."""
    return _where(
        texts,
        texts.str.contains(BROKEN),
        lambda broken: pl.Series([_mended(html.unescape(text)) for text in broken], dtype=pl.String),
    )


def _mended(text: str) -> str:
    """The text in the encoding it was written in; unchanged where a repair would bring letters of another script."""
    mended: str = ftfy.fix_encoding(text)
    strange = {letter for letter in mended if letter.isalpha() and letter not in text}
    return text if any(not unicodedata.name(letter, "").startswith("LATIN") for letter in strange) else mended


def redacted(texts: pl.Series) -> pl.Series:
    """`cleaning.redaction.redacted` of every text; nine in ten have nothing that it would change."""
    return _where(
        texts,
        texts.str.contains(redaction.UNUSUAL),
        lambda unusual: pl.Series([redaction.redacted(text) for text in unusual], dtype=pl.String),
    )


def _where(texts: pl.Series, is_concerned: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Texts of which those concerned are changed: what nine in ten do not need is not looked for in them."""
    concerned = is_concerned.fill_null(False)
    if not concerned.any():
        return texts
    places = pl.concat([(~concerned).arg_true(), concerned.arg_true()])
    return pl.concat([texts.filter(~concerned), change(texts.filter(concerned))]).gather(places.arg_sort())


def folded(text: pl.Expr) -> pl.Expr:
    """Lower case without accents, of composed letters; đ, which Unicode does not take apart, becomes d."""
    return text.str.to_lowercase().str.replace_many(_PLAIN)


def _filled(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)
