"""What people typed, made readable without changing what it says: one spelling, no markup, nothing personal.

Belongs here: repair, redaction, and the two simpler forms of a text (words only; words without accents). Does not
belong here: what a text means. Letters, accents, capitals, punctuation and faces stay: they carry the opinion.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable

import ftfy
import polars as pl

EMAIL, PHONE, ORDER, NUMBER, ID, LINK = "[email]", "[phone]", "[order]", "[number]", "[id]", "[link]"
PERSONAL = (EMAIL, PHONE, ORDER, NUMBER, ID)
"""What stands where something was that leads to a person."""

_AFTER = r"\x{0080}-\x{00BF}€‚ƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ"
_QUOTES = "‘’“”•–—…"
BROKEN = (
    # a quote behind a capital with accent ends a good text: `MUA RỒI Ã”` is rare, `ĐÃ”` is not
    rf"[ÃÂÆ][{_AFTER}]|Ä[{_AFTER}{_QUOTES}]|á[º»][{_AFTER}{_QUOTES}]|â[\x{{0080}}€]"
    "|&(?:#\\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,8});"
)
"""UTF-8 that was read as Latin-1 or Windows-1252, and HTML entities. Repair costs Python 50 microseconds a text."""

_INVISIBLE = r"[\x{00AD}\x{200B}\x{200E}\x{200F}\x{2060}\x{FEFF}]"
_GAP = r"[\]\s.()\[/_*·•–—\x{200C}\x{200D}\x{FE0F}\x{20E3}-]*"
_REDACTIONS = (
    # not an address: what people type for wide eyes
    (r"@{2,}", " "),
    (
        r"(?i)[^\s,;<>\x22]+\s*[\[(]at[\])]\s*[^\s,;<>\x22]+|[^\s,;<>\x22]+\s+@\s+[^\s,;<>\x22]*\.[^\s,;<>\x22]+"
        r"|[^\s,;<>\x22]*@[^\s,;<>\x22]*",
        EMAIL,
    ),
    (
        r"(?i)(?:[a-z][a-z0-9+.-]*://|www\.)\S+|\b[a-z0-9-]+\.[a-z]{2,}/\S*"
        r"|\b[a-z0-9-]+\.(?:com|net|org|info|vn)\b",
        LINK,
    ),
    (r"(?i)\beyJ\S{13,}|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?-u:[a-z0-9_]){21,}\b", ID),
    (r"(?i)\b(?-u:[a-z]){1,5}[-_]?\d{4,}(?:[-_]\d+)*\b|#\s?\d{4,}", ORDER),
    (r"(?i)\b((?:mã|đơn|order|vận đơn|ma don|don hang|bill)\D{0,12}?)\d{4,}", "${1}" + ORDER),
    (rf"(?:\+{_GAP}\d{{1,3}}|\b84|\b0){_GAP}\d(?:{_GAP}\d){{7,9}}[\x{{FE0F}}\x{{20E3}}]*", PHONE),
    # dates of birth, cards, government numbers, amounts in millions: seven digits or more, however they are spaced
    (rf"[+(]*\d(?:{_GAP}\d){{6,}}[\x{{FE0F}}\x{{20E3}}]*", NUMBER),
)  # fmt: skip
"""Patterns as `embedding.redacted` has them in SQL, so that no text is safer in one place than in the other."""

_SUSPECT = r"@|(?i)[\[(]at[\])]|://|www\.|\.[a-z]{2}|eyJ|(?:\d\D*){4}|[0-9A-F]{4}-[0-9A-F]{4}-|[A-Z0-9_]{21}"
"""What every text has that a redaction would change; the look costs a hundredth of the redactions."""

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
            pl.col("review_text").str.contains(LINK, literal=True).alias("has_link"),
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
    """One spelling (NFKC: also of letters of full width), no markup, tokens for what is personal."""
    text = pl.col("text")
    spelled = (
        text.str.normalize("NFKC")
        .str.replace_all(_INVISIBLE, "")
        .str.replace_all(r"(?i)</?[a-z][^<>]*>", " ")
    )
    squeezed = (
        text.str.replace_all(r"[ \t\p{Cc}--\n]+", " ").str.replace_all(r" ?\n[ \n]*", "\n").str.strip_chars()
    )
    plain = _changed(texts, spelled)
    return _changed(_where(plain, plain.str.contains(_SUSPECT), _without_personal), squeezed)


def _without_personal(texts: pl.Series) -> pl.Series:
    text = pl.col("text")
    for pattern, token in _REDACTIONS:
        text = text.str.replace_all(pattern, token)
    return _changed(texts, text)


def _changed(texts: pl.Series, change: pl.Expr) -> pl.Series:
    return texts.to_frame("text").select(change).to_series()


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
