"""Reading one attribute of a LEO document as a typed value.

Belongs here: conversions that every collection shares, each raising `FieldError` with the attribute and what is
wrong with it. Does not belong here: which attribute goes where (the contracts), codes (`codes`).

LEO writes "unknown" as a missing attribute, null or "" and means the same by each; all three read as None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from cdp_assets.cleaning import contacts
from cdp_assets.cleaning.secrets import cleaned, is_government_id
from cdp_assets.cleaning.spelling import spelled

Document = Mapping[str, Any]

MIN_YEAR, MAX_YEAR = 1900, 2100
MAX_TEXT = 10_000
INT32 = 2**31 - 1
INT64 = 2**63 - 1
MAX_AMOUNT = Decimal(10) ** 14
"""numeric(18, 4) holds fourteen digits before the point."""

_CURRENCY = re.compile(r"^[A-Z]{3}$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


class FieldError(ValueError):
    """An attribute that cannot be read. `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        # the name may come from a broken document, and PostgreSQL takes no NUL in the quarantine either
        self.field = field.replace("\x00", "?")
        super().__init__(f"{self.field}: {problem}")


def shown(value: object) -> str:
    """A value for an error message: short, on one line, without secrets."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(cleaned(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def text(document: Document, field: str, *, limit: int = MAX_TEXT) -> str | None:
    """Text in one spelling, without blanks around it; None when empty, or a government id. `limit`: characters."""
    value = document.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldError(field, f"expected text, got {shown(value)}")
    value = spelled(value).strip()
    if len(value) > limit:
        raise FieldError(field, f"{len(value)} characters, at most {limit} are kept")
    return None if not value or (":" in value and is_government_id(value)) else value


NO_ORDER = "empty-transaction"
"""What LEO writes when an event had no order id. It is shared by unrelated orders, so it must not name one."""


def order_number(document: Document, field: str) -> str | None:
    """The number of an order; None where LEO says that there is none."""
    number = text(document, field)
    return None if number == NO_ORDER else number


def web_address(document: Document, field: str) -> str | None:
    """An address as text; the values of parameters that are secrets (`?access_token=`) are taken out."""
    value = text(document, field)
    return None if value is None else cleaned(value)


def required_text(document: Document, field: str, *, limit: int = MAX_TEXT) -> str:
    """Text that must be there."""
    value = text(document, field, limit=limit)
    if value is None:
        raise FieldError(field, "is missing")
    return value


def integer(
    document: Document, field: str, *, default: int | None = None, low: int = -INT32, high: int = INT32
) -> Any:
    """A whole number within `low` and `high`; a double with an integral value counts as one."""
    value = document.get(field)
    if value is None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError(field, f"expected a whole number, got {shown(value)}")
    if not low <= value <= high:
        raise FieldError(field, f"{shown(value)} is outside {low} to {high}")
    return value


def boolean(document: Document, field: str) -> bool:
    """True or false; missing is false, as in LEO's Java model."""
    value = document.get(field)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise FieldError(field, f"expected true or false, got {shown(value)}")
    return value


def decimal(
    document: Document, field: str, *, default: Decimal | None = None, places: str = "0.0001"
) -> Decimal | None:
    """A number as the exact decimal that the source prints (LEO stores doubles), rounded to `places`."""
    value = document.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldError(field, f"expected a number, got {shown(value)}")
    try:
        amount = Decimal(repr(value))
        if not amount.is_finite() or abs(amount) >= MAX_AMOUNT:
            raise FieldError(field, f"{shown(value)} is not an amount below {MAX_AMOUNT:.0E}")
        return amount.quantize(Decimal(places))
    except InvalidOperation as error:
        raise FieldError(field, f"{shown(value)} is not a decimal number") from error


def instant(document: Document, field: str) -> datetime | None:
    """An ISO-8601 time with its zone, as UTC; LEO writes `2026-03-11T09:49:24.956Z`."""
    value = document.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise FieldError(field, f"expected ISO-8601 text, got {shown(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise FieldError(field, f"{shown(value)} is not an ISO-8601 time") from error
    if moment.tzinfo is None:
        raise FieldError(field, f"{shown(value)} has no time zone")
    if not MIN_YEAR <= moment.year <= MAX_YEAR:
        raise FieldError(field, f"{shown(value)} is outside the years {MIN_YEAR} to {MAX_YEAR}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def required_instant(document: Document, field: str) -> datetime:
    """A time that must be there."""
    value = instant(document, field)
    if value is None:
        raise FieldError(field, "is missing")
    return value


def day(document: Document, field: str, *, zone: str) -> date | None:
    """The calendar day that an ISO-8601 day or time stands for.

    LEO stores a day as its midnight where the server stands that wrote it. A time that is written as midnight is that
    day; any other one is the day that it is in `zone`.
    """
    value = document.get(field)
    if isinstance(value, str) and _DAY.match(value):
        document = {field: f"{value}T00:00:00Z"}
    moment = instant(document, field)
    if moment is None:
        return None
    written = datetime.fromisoformat(document[field])
    return written.date() if written.time() == time.min else moment.astimezone(ZoneInfo(zone)).date()


def texts(document: Document, field: str) -> list[str]:
    """An unordered list of texts: sorted, without blanks, duplicates and government ids; LEO's sets have no order."""
    value = document.get(field)
    if value is None or value == []:
        return []
    if not isinstance(value, list):
        raise FieldError(field, f"expected a list, got {shown(value)}")
    for item in value:
        if item is not None and not isinstance(item, str):
            raise FieldError(field, f"expected a list of texts, it holds {shown(item)}")
    found = {spelled(item).strip() for item in value if item and not (":" in item and is_government_id(item))}
    found.discard("")
    return sorted(found)


def references(document: Document, field: str) -> list[str]:
    """The ids of a list of references such as `inSegments`: sorted, each once."""
    value = document.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise FieldError(field, f"expected a list of references, got {shown(value)}")
    ids = set()
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise FieldError(field, f"a reference without an id: {shown(item)}")
        ids.add(item["id"])
    return sorted(ids)


def handle(document: Document, field: str, collection: str) -> str:
    """The key in a document handle `collection/key`."""
    value = document.get(field)
    if not isinstance(value, str):
        raise FieldError(field, f"expected {collection}/<key>, got {shown(value)}")
    name, _, key = value.partition("/")
    if name != collection or not key:
        raise FieldError(field, f"expected {collection}/<key>, got {shown(value)}")
    return key


def currency(document: Document, field: str, *, default: str | None) -> str | None:
    """An ISO-4217 code; `default` when the source has none."""
    value = text(document, field)
    if value is None:
        return default
    code = value.upper()
    if not _CURRENCY.match(code):
        raise FieldError(field, f"{shown(value)} is not a three-letter currency code")
    return code


def email(document: Document, field: str) -> str | None:
    """An e-mail address in its one form (`cleaning.contacts.email`)."""
    value = text(document, field)
    try:
        return None if value is None else contacts.email(value)
    except contacts.NotAContact as error:
        raise FieldError(field, str(error)) from error


def phone(document: Document, field: str, *, region: str) -> str | None:
    """A phone number as E.164; numbers without a country code are read as dialled in `region`.

    A JSON number counts as the digits that it shows.
    """
    number = document.get(field)
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    value = repr(number) if is_number else text(document, field)
    try:
        return None if value is None else contacts.phone(value, region)
    except contacts.NotAContact as error:
        raise FieldError(field, str(error)) from error
