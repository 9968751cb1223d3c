"""One later day of one tenant: its clock, its dice and the helpers that every kind of change uses.

Belongs here: what the kinds of changes share. Does not belong here: the changes (`day_growth`, `day_removals`,
`day_segments`, `day_edits`) and their order (`advance`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cdp_assets.demo.calendar_vn import time_of_day
from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.keys import iso
from cdp_assets.demo.leo import SEPARATOR, Document
from cdp_assets.demo.model import Profile, batch_instant, end_of_step
from cdp_assets.demo.tenant import DayRecord, TenantWorld
from cdp_assets.sources.model import PROFILE


class Day:
    """The day that leads to `step`. Everything written today says so in the database's change log."""

    def __init__(self, tenant: TenantWorld, step: int) -> None:
        self.tenant = tenant
        self.database = tenant.database
        self.step = step
        self.start = end_of_step(step) - timedelta(days=1)
        self.batch = batch_instant(step)
        self.dice = Dice(tenant.seed, tenant.spec.number, Purpose.ADVANCE, step)
        self.record = DayRecord()

    def instant(self) -> datetime:
        """Some time today, before the quiet hour."""
        return time_of_day(self.start, self.dice)

    def share(self, share: float, least: int) -> int:
        """`share` of the living profiles, at least `least`."""
        return max(least, round(len(self.tenant.live) * share))

    def some_profiles(
        self, count: int, suits: Callable[[Profile], bool] = lambda profile: True
    ) -> list[Profile]:
        """Up to `count` different living profiles that suit."""
        return self.dice.some([profile for profile in self.tenant.live.values() if suits(profile)], count)

    def touched(self, collection: str, key: str) -> bool:
        return (collection, key) in self.database.changes

    def save_profile(self, key: str, instant: datetime, fields: Document, change: str) -> None:
        """A save by the application: `updatedAt` moves, references get their `type`, the joined names are renewed."""
        document = self.database.get(PROFILE, key)
        references = [
            {**reference, "type": reference.get("type", "")} for reference in document["inSegments"]
        ]
        saved = {
            "inSegments": references,
            "inSegmentsAsStr": SEPARATOR.join(reference["name"] for reference in references),
            **fields,
            "updatedAt": iso(instant),
        }
        self.database.patch(PROFILE, key, saved, change)
