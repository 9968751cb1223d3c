"""Silent changes of segments: joins, leaves, renames, deletions, new segments, and the hourly refresh of their sizes.

Belongs here: writes to `inSegments` and to segment documents. None of them moves a profile's `updatedAt`. Does not
belong here: deleted or merged profiles that drop out of their segments (`day_removals`).
"""

from __future__ import annotations

from collections.abc import Callable

from cdp_assets.demo.day import Day
from cdp_assets.demo.keys import friendly_id, iso
from cdp_assets.demo.leo import Document
from cdp_assets.demo.leo_content import segment_document
from cdp_assets.demo.leo_history import segment_reference
from cdp_assets.demo.model import Membership, Segment
from cdp_assets.demo.segments import DELETED_PREFIX, rule_text
from cdp_assets.sources.model import PROFILE, SEGMENT

_FEWEST_SEGMENTS = 5
"""No more deletions once only so many are left."""


class SegmentChanges:
    """The changes of one day to segments and memberships."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.database = day.database
        self.members = day.tenant.members
        by_size = sorted((len(keys), key) for key, keys in self.members.items() if keys)
        self.order = [key for _, key in by_size]
        """Segments with members, smallest first: renaming and deleting one rewrites all of its members."""

    def run(self) -> None:
        largest = self.order[-1]
        renamed, *others = self.order
        self._join(largest)
        self._leave(self.order[len(self.order) // 2])
        self._rename(renamed)
        if self.day.step % 2 and len(self.order) > _FEWEST_SEGMENTS:
            self._delete(others[0])
        else:
            self._create()
        self._refresh_sizes()

    def _rewrite(self, profile: str, change: str, alter: Callable[[list[Document]], list[Document]]) -> None:
        references = self.database.get(PROFILE, profile)["inSegments"]
        self.database.patch(PROFILE, profile, {"inSegments": alter(list(references))}, change)

    def _join(self, segment: str) -> None:
        """Appended by the hourly job: without `type`."""
        document = self.database.get(SEGMENT, segment)
        reference = {
            "id": segment,
            "indexScore": document["indexScore"],
            "lastDataSynch": 0,
            "name": document["name"],
            "queryHashedId": document["queryHashedId"],
        }
        for profile in self.day.some_profiles(
            self.day.share(0.005, 2), lambda p: p.key not in self.members[segment]
        ):
            self._rewrite(profile.key, "segment_joined", lambda references: [*references, reference])
            self.members[segment].add(profile.key)

    def _leave(self, segment: str) -> None:
        for profile in self.day.some_profiles(
            self.day.share(0.003, 1), lambda p: p.key in self.members[segment]
        ):
            self._drop(profile.key, segment, "segment_left")
            self.members[segment].discard(profile.key)

    def _drop(self, profile: str, segment: str, change: str) -> None:
        self._rewrite(profile, change, lambda references: [r for r in references if r["id"] != segment])

    def _rename(self, segment: str) -> None:
        old = self.database.get(SEGMENT, segment)["name"]
        name = f"{old.partition(' (')[0]} ({self.day.step})"
        self.database.patch(SEGMENT, segment, {"name": name}, "renamed")
        for profile in sorted(self.members[segment]):
            self._rewrite(
                profile,
                "segment_renamed",
                lambda references: [{**r, "name": name} if r["id"] == segment else r for r in references],
            )

    def _delete(self, segment: str) -> None:
        name = DELETED_PREFIX + self.database.get(SEGMENT, segment)["name"]
        self.database.patch(SEGMENT, segment, {"name": name, "status": -4, "totalCount": 0}, "deleted")
        for profile in sorted(self.members.pop(segment)):
            self._drop(profile, segment, "segment_deleted")

    def _create(self) -> None:
        """A new segment, named like an old one every other time, with its first members."""
        number = len(self.day.tenant.model.segments) + sum(len(day.segments) for day in self.day.tenant.days)
        segment = Segment(
            key=friendly_id("segment", self.day.tenant.seed, self.day.tenant.spec.name, number),
            name="Happy Customers" if number % 2 else f"Đợt {number}",
            description="ad hoc audience",
            kind=0,
            status=1,
            rule=rule_text("totalLeadScore", "greater", number),
            created=self.day.instant(),
            score=number,
        )
        joiners = self.day.some_profiles(self.day.share(0.02, 2))
        self.database.insert(SEGMENT, segment_document(segment, len(joiners), self.day.batch), "new")
        reference = segment_reference(Membership(segment, typed=False))
        for profile in joiners:
            self._rewrite(profile.key, "segment_joined", lambda references: [*references, reference])
        self.members[segment.key] = {profile.key for profile in joiners}
        self.day.record.segments.append(segment)

    def _refresh_sizes(self) -> None:
        """The only write of the day that moves a segment's `updatedAt`, all at one instant."""
        for segment, members in sorted(self.members.items()):
            if self.database.get(SEGMENT, segment)["totalCount"] != len(members):
                fields = {"totalCount": len(members), "updatedAt": iso(self.day.batch)}
                self.database.patch(SEGMENT, segment, fields, "size_refreshed")
