"""Free text without what leads to a person: addresses, numbers of phones, cards and papers, order numbers, links.

Belongs here: the one table of rules, for Python (`redacted`) and for PostgreSQL (`sql`, which writes the function
`embedding.redacted`). Patterns keep to what both engines read alike: plain classes, no flags, no classes by a letter,
no lazy repetition, alternatives only where at most one can match. Does not belong here: secrets by name (`secrets`).

Where rules meet, a leak is worse than a lost number: nine digits or more always go, unless they are a date of 2010 or
later with its time (earlier ones are dates of birth). Seven and eight go, unless they are an amount with its currency
or a list of sizes.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from cdp_assets.cleaning.spelling import INVISIBLE, spelled

EMAIL, PHONE, ORDER, NUMBER, ID, LINK = "[email]", "[phone]", "[order]", "[number]", "[id]", "[link]"
_SIGNS = {EMAIL: "\ue000", PHONE: "\ue001", ORDER: "\ue002", NUMBER: "\ue003", ID: "\ue004", LINK: "\ue005"}
"""One sign stands for each token while rules are applied, so that a token parts digits no more than a blank does."""

_LETTER = (
    "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u037d\u037f-\u0481\u048a-\u0556"
    "\u0561-\u0587\u05d0-\u05f2\u0620-\u064a\u066e-\u06d3\u0904-\u0939\u0e01-\u0e2f\u0e40-\u0e44\u1100-\u11ff"
    "\u1e00-\u1ffe\u2d00-\u2dde\u3041-\u3096\u30a1-\u30fa\u3105-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\ufe70-\ufefc"
)
"""Inside of a class. What is not listed counts as a sign that may part digits: unknown never means harmless."""

_S = '[^ \n,;<>"\ue000-\uf8ff]'
_U = "[^ \n\ue000-\uf8ff]"
_NO_WORD = "(?<![A-Za-z0-9_])"

_GAP = f"[^0-9{_LETTER}]"
_MOST = 6
"""Signs that may stand between two digits of one number."""

_STARTS = "".join(f"(?<![0-9]{_GAP * length})" for length in range(_MOST + 1))
_NEXT = f"{_GAP}{{0,{_MOST}}}[0-9]"
_ENDS = f"(?!{_NEXT})"
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "20[1-9][0-9]"
_DATE = f"(?:{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_MONTH}[-/.]{_YEAR})"
_TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_WHEN = f"(?:{_TIME}[ ,–-]{{1,3}})?{_DATE}(?:[ ,]{{1,2}}{_TIME})?"
_DATES = f"{_WHEN}(?:[ ,–-]{{1,3}}{_WHEN})?(?:[ ,;.()-]{{1,3}}[0-9]{{1,2}})?{_ENDS}"
_FEW = f"(?![0-9](?:{_NEXT}){{8}})"
_SIZES = f"{_FEW}[0-9]{{1,2}}(?:{_GAP}{{1,{_MOST}}}[0-9]{{1,2}})*{_ENDS}"
_AMOUNT = "[1-9][0-9]{0,2}(?:[.,][0-9]{3})+(?:[.,][0-9]{1,2})?"
_CURRENCY = f"(?:[đĐ₫$€£¥]|[vV][nN][dDđĐ]|[uU][sS][dD]|[eE][uU][rR]|[đĐ]ồng|[dD]ong)(?![{_LETTER}])"
_MONEY = f"{_FEW}(?:(?<=[$€£¥₫])|(?<=[$€£¥₫] )){_AMOUNT}{_ENDS}|{_FEW}{_AMOUNT} ?{_CURRENCY}{_ENDS}"
_NUMBER = f"[+(]{{0,3}}{_STARTS}(?!{_DATES}|{_SIZES}|{_MONEY})[0-9](?:{_NEXT}){{6,}}[\ufe0f\u20e3]*"

_ORDER_WORDS = "[mM][ãÃ]|[đĐ][ơƠ][nN]|[oO]rder|ORDER|[mM]a don|[dD]on hang|[bB]ill|BILL"

RULES: tuple[tuple[str, str], ...] = (
    # not an address: what people type for wide eyes
    ("@{2,}", " "),
    (f"{_S}{{1,64}}[ \n]?[\\[(][aA][tT][\\])][ \n]?{_S}+", _SIGNS[EMAIL]),
    (f"{_S}{{1,64}}[ \n]@[ \n]{_S}*\\.{_S}+", _SIGNS[EMAIL]),
    (f"[A-Za-z][A-Za-z0-9+.-]{{0,15}}://{_U}+", _SIGNS[LINK]),
    (f"(?<!{_S}){_S}*@{_S}*", _SIGNS[EMAIL]),
    (f"[wW][wW][wW]\\.{_U}+", _SIGNS[LINK]),
    (f"(?<![A-Za-z0-9-])[A-Za-z0-9-]+\\.[A-Za-z]{{2,}}/{_U}*", _SIGNS[LINK]),
    ("(?<![A-Za-z0-9_.-])[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)*\\.(?:com|net|org|info|vn)(?![A-Za-z0-9_])", _SIGNS[LINK]),
    ("eyJ[A-Za-z0-9_-]{13,}(?:\\.[A-Za-z0-9_-]+)*", _SIGNS[ID]),
    ("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", _SIGNS[ID]),
    (f"{_NO_WORD}(?=[A-Za-z_]*[0-9])(?=[0-9_]*[A-Za-z])[A-Za-z0-9_]{{16,}}", _SIGNS[ID]),
    ("[A-Za-z0-9_]{21,}", _SIGNS[ID]),
    # numbers of orders and papers: letters before six digits, or before several groups
    (f"{_NO_WORD}[A-Za-z]{{1,5}}[-_]?(?:[0-9]{{6,}}(?:[-_][0-9]+)*|[0-9]{{4,5}}(?:[-_][0-9]+)+)", _SIGNS[ORDER]),
    ("#[ \n]?[0-9]{4,}", _SIGNS[ORDER]),
    (
        f"{_NO_WORD}((?:{_ORDER_WORDS})[^0-9]{{0,12}})(?!{_YEAR}[-/.]{_MONTH}[-/.])[0-9]{{4,}}",
        "\\1" + _SIGNS[ORDER],
    ),
    # last, since what went before may have stood between the digits
    (_NUMBER, _SIGNS[NUMBER]),
)  # fmt: skip
"""Pattern and what takes the place of each match, in order; the last is that of numbers."""

UNUSUAL = (
    r"[^ -~À-ÏÑ-ïñ-ÿĂăĐđĨĩŨũƠơƯưẠ-ỹ]|^ |  | $"
    r"|[0-9](?:[^A-Za-z]{0,6}[0-9]){6}|@|[\[(][aA][tT][\])]|[A-Za-z0-9_]{16}|[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-"
    r"|[wW][wW][wW]\.|://|\.[A-Za-z]{2,}/|\.(?:com|net|org|info|vn)|<[A-Za-z/]|[0-9]{6}|[0-9]{4,5}[-_][0-9]|# ?[0-9]{4}"
    rf"|(?:{_ORDER_WORDS})[^0-9]{{0,12}}[0-9]{{4}}"
)
"""Occurs in every text that `redacted` would change; also for polars, whose patterns cannot look around."""

_DIGITS = (
    (
        0x0660,
        0x06F0,
        0x07C0,
        0x0966,
        0x09E6,
        0x0A66,
        0x0AE6,
        0x0B66,
        0x0BE6,
        0x0C66,
        0x0CE6,
        0x0D66,
        0x0DE6,
        0x0E50,
    ),
    (
        0x0ED0,
        0x0F20,
        0x1040,
        0x1090,
        0x17E0,
        0x1810,
        0x1946,
        0x19D0,
        0x1A80,
        0x1A90,
        0x1B50,
        0x1BB0,
        0x1C40,
        0x1C50,
    ),
    (
        0xA620,
        0xA8D0,
        0xA900,
        0xA9D0,
        0xA9F0,
        0xAA50,
        0xABF0,
        0x104A0,
        0x10D30,
        0x11066,
        0x110F0,
        0x11136,
        0x111D0,
    ),
    (
        0x112F0,
        0x11450,
        0x114D0,
        0x11650,
        0x116C0,
        0x11730,
        0x118E0,
        0x11950,
        0x11C50,
        0x11D50,
        0x11DA0,
        0x11F50,
    ),
    (0x16A60, 0x16AC0, 0x16B50, 0x1E140, 0x1E2F0, 0x1E4D0, 0x1E950),
)
"""The zeros of other scripts; nine digits follow each. Digits of full width and the like are plain ones in NFKC."""
_OTHERS = "".join(chr(zero + digit) for line in _DIGITS for zero in line for digit in range(10))
_ONES = (0x1369, 0x2776, 0x2780, 0x278A, 0x24F5, 0x10E60, 0x11052)
"""The ones of digits in circles and of scripts without a zero; eight digits follow each."""
_OTHERS += "".join(chr(one + digit) for one in _ONES for digit in range(9)) + "\u24ff\u19da"
_PLAIN = "0123456789" * sum(map(len, _DIGITS)) + "123456789" * len(_ONES) + "01"
_OTHER_DIGIT = re.compile(
    "["
    + "".join(f"{chr(zero)}-{chr(zero + 9)}" for line in _DIGITS for zero in line)
    + "".join(f"{chr(one)}-{chr(one + 8)}" for one in _ONES)
    + "\u24ff\u19da]"
)
_TO_PLAIN = str.maketrans(_OTHERS, _PLAIN)

_UNSEEN = re.compile(f"[{INVISIBLE}]")
_BLANKS = "[\x01-\x09\x0b-\x20\x7f-\x9f\u1680\u2028\u2029\ue000-\uf8ff]"
_BLANK = re.compile(_BLANKS.replace("\x01", "\x00", 1))
_MARKUP = "</?[A-Za-z][^<>]*>"
_COMPILED = [(re.compile(pattern), token) for pattern, token in (("" + _MARKUP, " "), *RULES[:-1])]
_RUN = re.compile(_NUMBER)
_UNUSUAL = re.compile(UNUSUAL)
_TOKENS = str.maketrans({sign: token for token, sign in _SIGNS.items()})


def redacted(text: str) -> str:
    """The text in one spelling (NFKC), on its lines, without markup, with a token for what is personal."""
    if _UNUSUAL.search(text) is None:
        return text
    return squeezed(signed(spelled(unicodedata.normalize("NFKC", text))).translate(_TOKENS))


def redacted_path(path: str) -> str:
    """The path of an address, each part of it redacted: `/unsubscribe/lan@x.vn` becomes `/unsubscribe/[email]`."""
    parts = ((part, redacted(unquote(part))) for part in path.split("/"))
    return "/".join(found if found != unquote(part) else part for part, found in parts)


def squeezed(text: str) -> str:
    """Single blanks and line ends, none at the ends of the text."""
    return re.sub(" *\n[ \n]*", "\n", re.sub(" +", " ", text)).strip(" \n")


def signed(text: str) -> str:
    """The text with one sign (U+E000 to U+E005) for all that is personal: `embedding.redacted` but for the signs."""
    text = unicodedata.normalize("NFKC", text)
    text = unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).translate(_TO_PLAIN)
    text = squeezed(_BLANK.sub(" ", text))
    for pattern, token in _COMPILED:
        text = pattern.sub(token, text)
    return _RUN.sub(_number_sign, text)


def _number_sign(found: re.Match[str]) -> str:
    digits = "".join(filter(str.isdecimal, found[0]))
    is_phone = (
        found[0].startswith(("+", "(+"))
        or (digits.startswith("0") and len(digits) in (10, 11))
        or (digits.startswith("84") and len(digits) in (11, 12))
    )
    return _SIGNS[PHONE if is_phone and len(digits) <= 15 else NUMBER]


def sql() -> str:
    """The SQL that defines `embedding.redacted` and `embedding.is_plain` by these rules."""
    unseen = f"regexp_replace(normalize(p_text, nfkc), {_literal(f'[{INVISIBLE}]')}, '', 'g')"
    body = f"embedding.plain_digits(normalize({unseen}, nfkc))"
    steps = [(_BLANKS.replace("\x0b", "\x0a") + "+", " "), ("^ | $", ""), (_MARKUP, " "), *RULES]
    for pattern, token in steps:
        body = f"regexp_replace(\n    {body},\n    {_literal(pattern)}, {_literal(token)}, 'g')"
    signs = "".join(_SIGNS.values())
    return (
        "-- Written by cdp_assets.cleaning.redaction, whose rules it holds: change them there.\n\n"
        "create or replace function embedding.plain_digits(p_text text) returns text\n"
        "language sql immutable parallel safe\n"
        f"return case when p_text ~ {_literal(_OTHER_DIGIT.pattern)} then\n"
        f"    translate(p_text, {_literal(_OTHERS)}, {_literal(_PLAIN)})\nelse p_text end;\n\n"
        "comment on function embedding.plain_digits(text) is 'A text with the digits of other scripts as 0 to 9';\n\n"
        "create or replace function embedding.redacted(p_text text) returns text\n"
        "language sql immutable parallel safe\n"
        f"return translate({body}, {_literal(signs)}, '{' ' * len(signs)}');\n\n"
        "create or replace function embedding.is_plain(p_text text) returns boolean\n"
        "language sql immutable parallel safe\n"
        "-- Latin letters with Vietnamese ones, single blanks, and nothing that `redacted` would look for.\n"
        f"return length(p_text) between 1 and 8000 and p_text !~ {_literal(UNUSUAL)};\n"
    )


def _literal(text: str) -> str:
    """An SQL literal in which every character outside printable ASCII is escaped."""
    if all(" " <= letter <= "~" for letter in text):
        return "'" + text.replace("'", "''") + "'"
    return "U&'" + "".join(map(_escaped, text)) + "'"


def _escaped(letter: str) -> str:
    if letter in "'\\":
        return letter * 2
    if " " <= letter <= "~":
        return letter
    return f"\\{ord(letter):04X}" if ord(letter) < 0x10000 else f"\\+{ord(letter):06X}"
