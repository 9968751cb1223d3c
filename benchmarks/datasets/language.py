"""The language of a text in plain Python: the rules of `cdp_assets.datasets.reviews.language`, text by text.

Belongs here: the benchmark's counterpart of product code that works on columns. Its patterns and lists are those of
the product; what a word says is remembered, as one would write it in a notebook.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from cdp_assets.datasets.reviews import language as rules
from cdp_assets.datasets.reviews import lexicon_vi

_SYLLABLE = re.compile(rules.SYLLABLE)
_ACCENT = re.compile(rules.ACCENT)
_FOREIGN = re.compile(rules.FOREIGN)
_LOANS, _EITHER, _BARE = (set(words.split()) for words in (rules.LOANS, rules.EITHER, rules.BARE))
_ENGLISH = rules.english()
_CLAUSE = re.compile(r"[!?;…\n]+|\.+(?:\s|$)|,")
_TURN = re.compile(rf"(?i)(?<!\w)(?={'|'.join(sorted(lexicon_vi.CONTRAST, key=len, reverse=True))}(?!\w))")
_WORD = re.compile(r"[^\W_]+")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")


@cache
def _evidence(word: str) -> tuple[float, float, bool, bool, bool, bool]:
    """vi, en, accented, english, foreign, letters."""
    plain = folded(word)
    is_syllable = bool(_SYLLABLE.match(plain))
    is_accented = is_syllable and bool(_ACCENT.search(word))
    is_foreign = bool(_FOREIGN.search(word))
    is_loan, is_either, is_english = word in _LOANS, word in _EITHER, word in _ENGLISH
    is_chat = word in lexicon_vi.CHAT and not is_english
    is_word = any(map(str.isalpha, word))
    is_bare = is_syllable and plain in _BARE
    if not is_word or is_loan or is_foreign:
        vi = en = 0.0
    elif is_accented:
        vi, en = 2.0, 0.0
    elif is_either:
        vi, en = 0.3, 0.0 if is_chat else 0.5
    else:
        vi = 1.2 if is_bare else 0.7 if is_chat or (is_syllable and not is_english) else 0.2 * is_syllable
        en = 0.0 if is_chat else (0.3 if is_bare else 1.2) if is_english else 0.4 * (not is_syllable)
    is_strange = not is_syllable and bool(_ACCENT.search(word))
    return vi, en, is_word and is_accented, is_word and is_english and not is_loan, (
        is_word and (is_foreign or is_strange)
    ), is_word  # fmt: skip


def detect(text: str) -> str:
    """Language of one text."""
    clauses = [
        [sum(of) for of in zip(*map(_evidence, words), strict=True)]
        for sentence in _CLAUSE.split(text)
        for clause in _TURN.split(sentence)
        if (words := _WORD.findall(_STRETCHED.sub(r"\1", clause.lower())))
    ]
    if not clauses:
        return rules.NONE
    vi, en, accented, english, foreign, letters = (sum(of) for of in zip(*clauses, strict=True))
    in_en = sum(clause[5] for clause in clauses if clause[1] > clause[0])
    least = min(in_en, letters - in_en)
    if letters == 0:
        return rules.NONE
    if foreign * 2 > letters:
        return rules.OTHER
    if vi + en == 0:
        return rules.NONE
    if least >= 2 and least / letters >= 0.2:
        return rules.MIXED
    if en > vi:
        return rules.OTHER if not english and (letters >= 4 or foreign) else rules.EN
    return rules.VI if accented * 8 >= letters else rules.VI_NOACCENT


def folded(text: str) -> str:
    """Without accents, of lower case."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
