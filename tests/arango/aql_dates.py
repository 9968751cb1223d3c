"""AQL's date functions: instants as ISO 8601 text or as milliseconds since 1970, always UTC.

Belongs here: DATE_* and IS_DATESTRING. Does not belong here: comparing ISO texts as text (`aql_values`).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.arango.aql_context import Context
from tests.arango.aql_registry import function
from tests.arango.aql_values import is_number, to_number, truth

_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d+))?)?)?"
    r"(?P<zone>Z|[+-]\d{1,2}:\d{2})?",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,3}))?S)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (
    ("year", "y"),
    ("month", "m"),
    ("week", "w"),
    ("day", "d"),
    ("hour", "h"),
    ("minute", "i"),
    ("second", "s"),
    ("millisecond", "f"),
)
_NAMES = {alias: unit for unit, short in _UNITS for alias in (unit, f"{unit}s", short)}
_MILLISECONDS = {"week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000}
_MILLISECONDS |= {"millisecond": 1, "month": 2_629_746_000, "year": 31_556_952_000}


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def iso_text(milliseconds: float) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    moment = _EPOCH + timedelta(milliseconds=math.floor(milliseconds))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(value: Any) -> datetime | None:
    """The instant of an ISO text or of milliseconds; None for what is no date."""
    try:
        if is_number(value):
            return _EPOCH + timedelta(milliseconds=math.floor(value))
        match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            return None
        part = match.groupdict()
        moment = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int((part["fraction"] or "0")[:3].ljust(3, "0")) * 1000,
            tzinfo=UTC,
        )
        zone = part["zone"]
        if zone and zone not in "Zz":
            hours, minutes = zone[1:].split(":")
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            moment += offset if zone[0] == "-" else -offset
        return moment
    except (ValueError, OverflowError):
        return None


def _invalid(context: Context) -> None:
    context.warn(1572, "invalid date value")


def _on_date(name: str, compute: Callable[[datetime], Any]) -> None:
    def call(context: Context, value: Any) -> Any:
        moment = parse(value)
        return _invalid(context) if moment is None else compute(moment)

    function(name, 1)(call)


_on_date("DATE_ISO8601", lambda moment: iso_text(_milliseconds(moment)))
_on_date("DATE_TIMESTAMP", _milliseconds)
_on_date("DATE_YEAR", lambda moment: moment.year)
_on_date("DATE_MONTH", lambda moment: moment.month)
_on_date("DATE_DAY", lambda moment: moment.day)
_on_date("DATE_HOUR", lambda moment: moment.hour)
_on_date("DATE_MINUTE", lambda moment: moment.minute)
_on_date("DATE_SECOND", lambda moment: moment.second)
_on_date("DATE_MILLISECOND", lambda moment: moment.microsecond // 1000)
_on_date("DATE_DAYOFWEEK", lambda moment: moment.isoweekday() % 7)

function("DATE_NOW", 0)(lambda _: time.time_ns() // 1_000_000)
function("IS_DATESTRING", 1)(lambda _, value: isinstance(value, str) and parse(value) is not None)


@function("DATE_ADD", 2, 3)
def _date_add(context: Context, value: Any, amount: Any, unit: Any = None) -> Any:
    return _shifted(context, value, amount, unit, 1)


@function("DATE_SUBTRACT", 2, 3)
def _date_subtract(context: Context, value: Any, amount: Any, unit: Any = None) -> Any:
    return _shifted(context, value, amount, unit, -1)


def _shifted(context: Context, value: Any, amount: Any, unit: Any, sign: int) -> Any:
    moment = parse(value)
    steps = _duration(amount) if unit is None else {_unit(unit): to_number(amount)}
    if moment is None or steps is None or None in steps:
        return _invalid(context)
    months = int(12 * steps.pop("year", 0) + steps.pop("month", 0)) * sign
    rest = sum(count * _MILLISECONDS[str(name)] for name, count in steps.items()) * sign
    try:
        years, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
        # The 31st of a month of 30 days is the 1st of the next.
        moved = moment.replace(year=years, month=month + 1, day=1) + timedelta(days=moment.day - 1)
        return iso_text(_milliseconds(moved + timedelta(milliseconds=rest)))
    except (ValueError, OverflowError):
        return _invalid(context)


def _duration(text: Any) -> dict[str | None, float] | None:
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    counts = [*match.groups()[:7], (match.group(8) or "0").ljust(3, "0")]
    return {unit: float(count or 0) for (unit, _), count in zip(_UNITS, counts, strict=True)}


def _unit(name: Any) -> str | None:
    return _NAMES.get(name.lower()) if isinstance(name, str) else None


@function("DATE_TRUNC", 2)
def _date_trunc(context: Context, value: Any, unit: Any) -> Any:
    moment, name = parse(value), _unit(unit)
    if moment is None or name is None or name == "week":
        return _invalid(context)
    firsts = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    finer = list(firsts)[("year", *firsts, "millisecond").index(name) :]
    kept = moment.microsecond if name == "millisecond" else 0
    parts: dict[str, Any] = {part: firsts[part] for part in finer}
    cut = moment.replace(microsecond=kept, **parts)
    return iso_text(_milliseconds(cut))


@function("DATE_DIFF", 3, 4)
def _date_diff(context: Context, first: Any, last: Any, unit: Any, as_float: Any = False) -> Any:
    begin, end, name = parse(first), parse(last), _unit(unit)
    if begin is None or end is None or name is None:
        return _invalid(context)
    difference = (_milliseconds(end) - _milliseconds(begin)) / _MILLISECONDS[name]
    return difference if truth(as_float) else math.trunc(difference)


@function("DATE_COMPARE", 3, 4)
def _date_compare(context: Context, first: Any, second: Any, coarse: Any, fine: Any = None) -> Any:
    one, other = parse(first), parse(second)
    order = [unit for unit, _ in _UNITS if unit != "week"]
    low, high = _unit(coarse), _unit(coarse if fine is None else fine)
    if one is None or other is None or low not in order or high not in order:
        return _invalid(context)
    compared = order[order.index(low) : order.index(high) + 1]
    parts = [part if part != "millisecond" else "microsecond" for part in compared]
    return all(getattr(one, part) == getattr(other, part) for part in parts)
