"""The rule for time zones: a name of the IANA list, spelled as the list has it.

Belongs here: checking a name, and naming the likely one for what people type instead. An offset is no zone: PostgreSQL
reads `GMT+7` as seven hours *behind* Greenwich, and no offset knows of summer time.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

NO_PLACES = {"localtime", "Factory", "posixrules"}
"""Names in the list that depend on the machine, or mean that nothing is set."""

LARGE_CITIES = (
    "UTC", "Europe/London", "Africa/Lagos", "Europe/Berlin", "Europe/Paris", "Africa/Johannesburg", "Africa/Cairo",
    "Europe/Istanbul", "Africa/Nairobi", "Europe/Moscow", "Asia/Tehran", "Asia/Dubai", "Asia/Kabul", "Asia/Karachi",
    "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Yangon", "Asia/Ho_Chi_Minh", "Asia/Bangkok", "Asia/Jakarta",
    "Asia/Shanghai", "Asia/Singapore", "Asia/Manila", "Asia/Tokyo", "Asia/Seoul", "Australia/Adelaide",
    "Australia/Sydney", "Pacific/Guadalcanal", "Pacific/Auckland", "Pacific/Tongatapu", "Pacific/Kiritimati",
    "Atlantic/Azores", "Atlantic/South_Georgia", "America/Sao_Paulo", "America/Argentina/Buenos_Aires",
    "America/St_Johns", "America/Halifax", "America/New_York", "America/Bogota", "America/Chicago",
    "America/Mexico_City", "America/Denver", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu",
    "Pacific/Pago_Pago",
)  # fmt: skip
"""What an offset is likely to mean: at least one city of each that many people live by."""

_WESTWARD = re.compile(r"Etc/GMT([+-])([1-9]\d?)")
_OFFSET = re.compile(r"(?:(?:utc|gmt|z)\s*)?([+-])\s*(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)


class ZoneError(ValueError):
    """Text that names no time zone. The message says what would, and the likely name."""


def zone_name(text: object) -> str:
    """The name of a zone as the IANA list spells it, whatever the case of `text`.

    Raises:
        ZoneError: it is not in the list.
    """
    found = _names().get(text.strip().casefold()) if isinstance(text, str) else None
    if found is None:
        hint = _hint(text) if isinstance(text, str) else ""
        raise ZoneError(
            f"{text!r} is not the name of a time zone of the IANA list, such as Asia/Ho_Chi_Minh{hint}"
        )
    return found


def westward(name: str) -> str:
    """What `Etc/GMT+7` means, in words, since it is the opposite of what most people read; blank for other zones."""
    found = _WESTWARD.fullmatch(name)
    if found is None:
        return ""
    side = "behind" if found[1] == "+" else "ahead of"
    return f"{name} is {found[2]} hours {side} Greenwich: these names count to the west"


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(available_timezones() - NO_PLACES)}


def _hint(text: str) -> str:
    offset = _OFFSET.fullmatch(text.strip())
    if offset:
        sign, hours, minutes = offset.groups()
        wanted = timedelta(hours=int(hours), minutes=int(minutes or 0)) * (1 if sign == "+" else -1)
        likely = [name for name in LARGE_CITIES if _standard_offset(name) == wanted]
    else:
        word = re.sub(r"\s+", "_", text.strip()).casefold()
        by_city = {key.rpartition("/")[2]: name for key, name in _names().items()}
        known = {**by_city, **_names()}
        likely = [known[key] for key in get_close_matches(word, known, n=3, cutoff=0.75)]
    return f"; likely {' or '.join(dict.fromkeys(likely))}" if likely else ""


def _standard_offset(name: str) -> timedelta:
    """The offset of the winter, wherever winter is."""
    zone = ZoneInfo(name)
    return min(zone.utcoffset(datetime(2026, month, 1)) or timedelta() for month in (1, 7))  # noqa: DTZ001
