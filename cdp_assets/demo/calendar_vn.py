"""When people shop: growth, seasons, weekdays, sale days and Tet, and the hours of a Vietnamese day.

Belongs here: sampling of instants. Does not belong here: what happens at them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import date, datetime, timedelta
from itertools import accumulate

from cdp_assets.demo.dice import Dice, Weighted
from cdp_assets.demo.model import HISTORY_DAYS, QUIET_LEAD, WORLD_START

_TET = (date(2025, 1, 29), date(2026, 2, 17))
_SALE_DAYS = {(8, 3): 1.6, (20, 10): 1.7, (11, 11): 3.0, (12, 12): 2.4, (1, 6): 1.3}
"""(day, month) -> factor."""
_BLACK_FRIDAYS = (date(2024, 11, 29), date(2025, 11, 28))

# Hours in UTC; the peaks are lunch and evening in UTC+7. Nothing in the last hour of the UTC day.
_HOURS = Weighted(
    list(enumerate([3, 4, 5, 6, 7, 9, 7, 6, 5, 5, 5, 6, 7, 10, 11, 8, 4, 2, 1, 0.5, 0.5, 0.5, 1, 0.0]))
)


def _weight(day: date) -> float:
    weight: float = 1.2 ** ((day - WORLD_START.date()).days / 365) * (
        1 + 0.1 * math.cos(day.timetuple().tm_yday / 58.1)
    )
    weight *= 1.25 if day.weekday() >= 5 else 1.0
    weight *= _SALE_DAYS.get((day.day, day.month), 1.0) * (2.5 if day in _BLACK_FRIDAYS else 1.0)
    for tet in _TET:
        distance = (tet - day).days
        if 3 < distance <= 28:
            weight *= 1.6
        elif -4 <= distance <= 3:
            weight *= 0.15
    return weight


_CUMULATIVE = [
    0.0,
    *accumulate(_weight(WORLD_START.date() + timedelta(days=number)) for number in range(HISTORY_DAYS)),
]


def shopping_time(first: datetime, last: datetime, dice: Dice) -> datetime | None:
    """An instant strictly between the days of `first` and `last`; None if there is no whole day between them."""
    low = (first - WORLD_START).days + 1
    high = min((last - WORLD_START).days, HISTORY_DAYS)
    if high <= low:
        return None
    point = dice.between(_CUMULATIVE[low], _CUMULATIVE[high])
    day = min(max(bisect_left(_CUMULATIVE, point) - 1, low), high - 1)
    return time_of_day(WORLD_START + timedelta(days=day), dice)


def time_of_day(day: datetime, dice: Dice) -> datetime:
    """An instant of the day that starts at `day`, more than `QUIET_LEAD` before its end."""
    hour = dice.weighted(_HOURS)
    instant = day + timedelta(hours=hour, milliseconds=int(dice.uniform() * 3_600_000))
    return min(instant, day + timedelta(days=1) - QUIET_LEAD - timedelta(milliseconds=1))
