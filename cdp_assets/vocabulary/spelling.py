"""When two words are the same word: the key that all spellings of one word share, in Python and in SQL.

Belongs here: the comparison. Case, accents, spaces, invisible characters and what separates or encloses words say
nothing. Every other character does: a word with a letter of another script, or a question mark, is another word.
"""

from __future__ import annotations

import re
from unicodedata import normalize

_BARRED_D = "ĐđÐðƉɖ"
"""Letters that people see as a D with a stroke; no decomposition leads from them to a D."""

_SILENT = (
    r"\u0001-\u0020\u0022\u0027-\u0029\u002c-\u002f\u003a\u003b\u005b\u005d\u005f\u0060\u007f-\u00a0\u00ad"
    r"\u0300-\u036f"  # accents, once letters are decomposed
    r"\u115f\u1160\u180e\u200b-\u200f\u2010-\u2015\u2028-\u202e\u2060-\u206f\u2212\ufe00-\ufe0f\ufeff"
)
"""Characters that say nothing, as a class that Python and PostgreSQL read alike."""

_SILENT_RUN = re.compile(f"[{_SILENT}]+")
_TO_D = str.maketrans(dict.fromkeys(_BARRED_D, "d"))
_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
"""As `lower` in PostgreSQL's collation "C", which is the same on every server."""


def key(word: str) -> str:
    """What all spellings of a word share: `Add to Cart`, `add-to-cart` and `AddToCart` are `addtocart`."""
    if word.isascii() and word.isalnum():
        return word.lower()
    plain = normalize("NFKD", word).translate(_TO_D)
    return _SILENT_RUN.sub("", plain).translate(_TO_LOWER)


def key_sql(value: str) -> str:
    """`key` as an SQL expression over an SQL expression; null stays null."""
    d = "d" * len(_BARRED_D)
    # most words need nothing of it, and the test costs a sixth
    return f"""\
case
    when {value} !~ '[^a-z0-9]' then {value}
    else lower(
        regexp_replace(
            translate(normalize({value}, nfkd), '{_BARRED_D}', '{d}'),
            '[{_SILENT}]+',
            '', 'g'
        ) collate "C"
    )
end"""
