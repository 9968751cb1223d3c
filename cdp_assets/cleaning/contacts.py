"""Telephone numbers, e-mail addresses and names in the form by which records of one person meet.

Belongs here: reading a contact that somebody typed, whichever source sent it. Both landings use these functions, so
that one contact links its person in both sources. Does not belong here: which columns hold contacts, and the links.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from cdp_assets.cleaning.spelling import bare, folded

_PLAIN_EMAIL = re.compile(
    r"(?=.{1,254}$)(?=[^@]{1,64}@)[a-z0-9_%+-]+(?:\.[a-z0-9_%+-]+)*"
    r"@(?:(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}"
)
_VIETNAMESE_MOBILE = re.compile(r"(?:\+84|0)([35789][0-9]{8})")
_NUMBER = re.compile(r"(\+?[0-9]{7,})[.,]0{1,2}|([0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2})")
"""Numbers that a spreadsheet or a data frame has made of a telephone number: 912345678.0, 8.4912345678E+10."""

VIETNAMESE_PREFIXES = {
    "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
    "182": "52", "186": "56", "188": "58", "199": "59",
}  # fmt: skip
"""Prefixes of mobile numbers of eleven digits -> of ten, in force since 15 September 2018; the old ones are dead."""

_OLD_VIETNAMESE = re.compile(rf"\+84({'|'.join(VIETNAMESE_PREFIXES)})([0-9]{{7}})")
_WORDS = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'`´\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u2032")


class NotAContact(ValueError):
    """The text is no contact of its kind; the message says why, without quoting it."""


def phone(text: str, region: str) -> str:
    """A telephone number as E.164, `+84912345678`.

    Args:
        text: as typed, with whatever stands between the digits.
        region: two-letter code of the country in which a number without a country code is dialled.

    Raises:
        NotAContact: no number, one that is too short or too long for its country, or one digit repeated.
    """
    plain = _VIETNAMESE_MOBILE.fullmatch(text)
    if plain is not None and (text[0] == "+" or region == "VN"):
        return f"+84{plain[1]}"  # what the library says of every such number, forty times as fast
    return _read_phone(text, region)


@lru_cache(maxsize=65_536)
def _read_phone(text: str, region: str) -> str:
    import phonenumbers

    value = _as_dialled(bare(text).strip())
    if len({digit for digit in value if digit.isdigit()}) == 1:
        raise NotAContact("one digit repeated is no phone number")
    try:
        number = phonenumbers.parse(f"+{value[2:]}" if value.startswith("00") else value, region)
    except phonenumbers.NumberParseException as error:
        raise NotAContact("not a phone number") from error
    if not phonenumbers.is_possible_number(number):
        raise NotAContact(f"not a possible phone number in {region}")
    found = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    old = _OLD_VIETNAMESE.fullmatch(found)
    if old is not None:
        found = f"+84{VIETNAMESE_PREFIXES[old[1]]}{old[2]}"
    return found


def _as_dialled(value: str) -> str:
    number = _NUMBER.fullmatch(value)
    if number is None:
        return value
    if number[1] is not None:
        return number[1]
    exact = Decimal(number[2])
    return str(int(exact)) if exact == exact.to_integral_value() else value


def email(text: str) -> str:
    """An e-mail address in small letters with its domain in Unicode, also where that was typed as `xn--`.

    Raises:
        NotAContact: mail cannot be sent to it.
    """
    address = text.lower()
    return address if _PLAIN_EMAIL.fullmatch(address) else _read_email(text)


@lru_cache(maxsize=65_536)
def _read_email(text: str) -> str:
    address = bare(text).strip().lower()
    if _PLAIN_EMAIL.fullmatch(address):
        return address
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(address, check_deliverability=False, strict=True).normalized.lower()
    except EmailNotValidError as error:
        raise NotAContact(f"not an e-mail address ({error})") from error


def mailbox(address: str) -> str:
    """What spellings of one mailbox share: `ana+news@x.vn` is `ana@x.vn`. `address` is as `email` gives it."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def name_key(text: str) -> str | None:
    """What spellings of one name share: its words in small letters without accents; None when it has none."""
    return " ".join(_WORDS.findall(folded(text.translate(_APOSTROPHES)))) or None


def email_key(text: str | None) -> str | None:
    """The mailbox of an address as typed; None when mail cannot be sent to it."""
    try:
        return None if text is None else mailbox(email(text))
    except NotAContact:
        return None


def phone_key(text: str | None, region: str) -> str | None:
    """The E.164 form of a number as typed; None when it is none."""
    try:
        return None if text is None else phone(text, region)
    except NotAContact:
        return None
