"""One spelling of a text: composed letters, no invisible characters, no letters that only look like the right ones.

Belongs here: which characters stand for others. Does not belong here: what a text means, and what is personal in it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Characters without width that carry meaning between emoji and in some scripts; they are kept there."""

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters without width that carry no meaning (soft hyphen, zero width, direction, byte order mark, variants, tags),
as the inside of a character class."""

_UNSEEN = re.compile(f"[{INVISIBLE}]|(?<=[0-9A-Za-z\u00c0-\u024f\u1e00-\u1eff\\s])[{JOINERS}]+")
_ALL_UNSEEN = re.compile(f"[{INVISIBLE}{JOINERS}]")
_COMPATIBLE = re.compile(
    "[\u2100-\u214f\u2460-\u24ff\uff01-\uff5e\ufb00-\ufb06\U0001d400-\U0001d7ff\U0001f100-\U0001f16f]"
)
_ETH = re.compile(
    "(?<![^\\W\\d_])(?:[\u00d0\u0189]|D[\u0335\u0336])|(?<![^\\W\\d_])(?:[\u00f0\u0256]|d[\u0335\u0336])"
)
"""Eth, African D and a struck d at the head of a word: Vietnamese has its Đ there and nowhere else, and the languages
that own Eth never begin a word with it."""

_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХҮԚԜӀасԁеһіјӏорԛѕԝхукΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρικυϲϳ\u0261\u0251",
    "ABESIJKMHOPCTYXYQWIacdehijlopqswxykABEZHIKMNOPTYXoavpikucjga",
)  # fmt: skip
_FOREIGN = re.compile("[\u0370-\u052f\u0261\u0251]")
_WORD = re.compile("(?:[^\\W_]|[\u0300-\u036f])+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")

_ODD = re.compile(
    f"[{INVISIBLE}{JOINERS}\u00d0\u00f0\u0189\u0256\u0251\u0261\u0335\u0336\u0370-\u052f\u2100-\u214f\u2460-\u24ff"
    "\uff01-\uff5e\ufb00-\ufb06\U0001d400-\U0001d7ff\U0001f100-\U0001f16f]"
)
"""One of them occurs in every composed text that `spelled` would change."""

_MARKS = re.compile("[\u0300-\u036f]+")
_PLAIN = str.maketrans(
    {
        "đ": "d",
        "ð": "d",
        "ɖ": "d",
        "ø": "o",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ħ": "h",
        "ı": "i",
        "ŧ": "t",
    }
)
"""Small letters that Unicode does not take apart."""


def spelled(text: str) -> str:
    """The text in composed letters (NFC), without invisible characters and look-alikes. Blanks stay as they are.

    Eth at the head of a word becomes Đ. Cyrillic and Greek letters within a Latin word, letters and digits of full
    width, ligatures and mathematical letters become the plain ones.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    return text if _ODD.search(text) is None else _mended(text)


def _mended(text: str) -> str:
    text = _UNSEEN.sub("", text)
    text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    if _FOREIGN.search(text):
        text = _WORD.sub(_in_latin, text)
    text = _ETH.sub(lambda found: "Đ" if found[0][0] in "\u00d0\u0189D" else "đ", text)
    # what was taken out may have stood between a letter and its accent
    return unicodedata.normalize("NFC", text)


def _in_latin(found: re.Match[str]) -> str:
    """A word of Latin letters and look-alikes in Latin letters; any other word as it is."""
    word = found[0]
    if not (_FOREIGN.search(word) and _LATIN.search(word)):
        return word
    latin = word.translate(_LOOK_ALIKES)
    return word if _FOREIGN.search(latin) else latin


def bare(text: str) -> str:
    """The text as `spelled`, in compatibility form (NFKC), without any character that has no width."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _ALL_UNSEEN.sub("", spelled(text)))


@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    """What all ways of writing a text share: small letters without accents (đ as d), single blanks, none at the ends.

    For comparing words, statuses, names of attributes: `Ðã  Hoàn tiền` and `da hoan tien` are one.
    """
    small = bare(text).casefold()
    if not small.isascii():
        small = _MARKS.sub("", unicodedata.normalize("NFD", small)).translate(_PLAIN)
    return " ".join(small.split())
