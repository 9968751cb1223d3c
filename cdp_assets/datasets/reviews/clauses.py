"""Texts taken apart: into clauses, each with an opinion of its own, and words.

Belongs here: where a clause ends, and how words are written so that a search finds whole words only. Does not belong
here: what they mean. Everything is done once per distinct clause: people say the same few things.
"""

from __future__ import annotations

from unicodedata import normalize

import polars as pl

from cdp_assets.datasets.reviews import lexicon_vi
from cdp_assets.datasets.reviews.normalise import folded

_END, _TURN = "\x1f", "\x1e"
_FACE = r"\p{Extended_Pictographic}"
_FACES = rf"((?:{_FACE}[\x{{FE0F}}\x{{200D}}\x{{1F3FB}}-\x{{1F3FF}}]*)+)"
_SMILE, _FROWN = r"[:=;]['’]?-?[)\]D]+|\^\^|\^_\^|=\)+", r"[:=]['’]?-?[(\[]+|T_T"
# `\b` would know all letters, too, but is ten times slower in texts with accents
_CONTRAST = (
    r"(?i)(^|[^\p{L}])(" + "|".join(sorted(lexicon_vi.CONTRAST, key=len, reverse=True)) + r")([^\p{L}]|$)"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyzăâêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
_STRETCHED = "|".join(
    f"({letter})[{letter}{plain}]{{2,}}"
    for letter, plain in ((each, normalize("NFD", each)[0]) for each in _LETTERS)
)
"""A letter and two or more of the same, or of its plain form: people stretch `quá` to `quáaaa`."""
_ONE_EACH = "".join(f"${{{number}}}" for number in range(1, len(_LETTERS) + 1))
_TONES = {
    f"{old} ": f"{new} "
    for pair in ("oà òa", "oá óa", "oả ỏa", "oã õa", "oạ ọa", "oè òe", "oé óe", "oẻ ỏe", "oẽ õe", "oẹ ọe")
    for old, new in [pair.split()]
}
"""Where the tone stands in open syllables: both spellings are in use, and the lexicon has the first."""


def split(texts: pl.DataFrame) -> pl.DataFrame:
    """Clauses of texts (text_id, said), in order: text_id, clause, is_turn (it follows a `but`).

    A clause ends at punctuation, before a `but`, and around faces. `review_text` with typed faces as pictures goes in.
    """
    said = (
        pl.col("said")
        .str.replace_all(_SMILE, " 🙂 ")
        .str.replace_all(_FROWN, " 🙁 ")
        .str.replace_all("<3", " ❤ ", literal=True)
        .str.replace_all(r"([!?;…\n]+|\.+(?:\s|$)|,)", "${1}" + _END)
        .str.replace_all(_FACES, _END + "${1}" + _END)
        .str.replace_all(_CONTRAST, "${1}" + _END + _TURN + "${2}${3}")
    )
    return (
        texts.select("text_id", said.str.split(_END).alias("clause"))
        .explode("clause")
        .with_columns(pl.col("clause").str.starts_with(_TURN).alias("is_turn"))
        .with_columns(pl.col("clause").str.replace_all(_TURN, "", literal=True).str.strip_chars(" \n,;"))
        .filter(pl.col("clause").str.contains(rf"[\p{{L}}\p{{N}}{_FACE}]"))
    )


def words(clause: pl.Expr) -> pl.Expr:
    """Words of a clause in lower case, each between blanks of its own: ` giao  hàng `; a face is a word.

    So ` giao  hàng ` is found in it and ` gia ` is not, and neighbours that are found share no blank. Stretched letters
    (`đẹpppp`) are written once.
    """
    spaced = (
        clause.str.to_lowercase()
        .str.replace_all(r"[\x{FE0F}\x{200D}\x{1F3FB}-\x{1F3FF}]", "")
        .str.replace_all(rf"({_FACE})", " ${1} ")
        .str.replace_all(rf"[^\p{{L}}\p{{M}}\p{{N}}{_FACE}]+", " ")
        .str.strip_chars()
        .str.replace_all(_STRETCHED, _ONE_EACH)
        .str.replace_all(" ", "  ", literal=True)
    )
    return pl.concat_str(pl.lit(" "), spaced, pl.lit(" ")).str.replace_many(_TONES)


def wrapped(phrase: str) -> str:
    """A phrase as `words` writes it."""
    return f" {'  '.join(phrase.split())} "


def bare(phrases: list[str]) -> list[str]:
    """Phrases without accents."""
    return pl.select(folded(pl.lit(pl.Series(phrases, dtype=pl.String)))).to_series().to_list()
