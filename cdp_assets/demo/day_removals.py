"""What a day takes away: merged duplicates, soft deletes, and documents that vanish without a trace.

Belongs here: merges, soft deletes, the cleaning job, direct deletions. Does not belong here: members that leave a
segment (`day_segments`). A day never removes more than a share of any collection, so a guard against mass deletes stays
quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cdp_assets.demo.database import OWNED
from cdp_assets.demo.day import Day
from cdp_assets.demo.keys import iso
from cdp_assets.demo.leo import Document, left_behind
from cdp_assets.demo.model import Profile
from cdp_assets.demo.people import SHARED_KEYS
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PROFILE, TRACKING_EVENT

MOST_REMOVED = 0.04
"""Share of a collection that one day may remove."""


class Removals:
    """The removals of one day."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.tenant = day.tenant
        self.database = day.database
        self.room = self._room()
        shared = {profile.key for profile in self.tenant.model.profiles[:SHARED_KEYS]}
        self.spared = self.tenant.roots | shared
        """Removing a winner of a merge or a key of two tenants would blur those points."""

    def cleaning_job(self) -> None:
        """Physically removes profiles that were softly deleted on an earlier day, as far as today's room goes."""
        for key in list(self.tenant.doomed):
            if self._fits(key, 1):
                self._remove(key, "purged")
                self.tenant.doomed.remove(key)

    def direct_deletes(self) -> None:
        """Profiles that vanish from one day to the next, never having said so."""
        self._victims(self._few(), 1, lambda key: self._remove(key, "removed_directly"))

    def soft_deletes(self) -> None:
        """Status -4 and no segments, `updatedAt` unmoved. With half of the room, so that tomorrow can remove them."""

        def delete(key: str) -> None:
            self.database.patch(PROFILE, key, {"status": -4, "inSegments": []}, "soft_deleted")
            self.tenant.doomed.append(key)
            self._forget(key)

        self.room = self._room()  # Nothing is removed here: what today used up does not count.
        self._victims(self._few(), 2, delete)

    def _few(self) -> int:
        """One in two thousand, in small tenants one every other day: else few would be left after some weeks."""
        return self.day.share(0.0005, self.day.step % 2)

    def _room(self) -> dict[str, int]:
        return {c: int(self.database.count(c) * MOST_REMOVED) for c in (PROFILE, *OWNED)}

    def _victims(self, count: int, factor: int, act: Callable[[str], None]) -> None:
        candidates = self.day.some_profiles(40 * count, lambda p: p.key not in self.spared)
        # buyers first: their orders stay in the shop
        for profile in sorted(candidates, key=lambda p: not self.database.owned(CONVERSION, p.key)):
            if count and self._fits(profile.key, factor):
                act(profile.key)
                count -= 1

    def _fits(self, key: str, factor: int) -> bool:
        """Whether the room holds `factor` times what hangs on the profile, and the profile itself once."""
        hanging = {collection: len(self.database.owned(collection, key)) for collection in OWNED}
        return self.room[PROFILE] > 0 and all(n * factor <= self.room[c] for c, n in hanging.items())

    def _remove(self, key: str, change: str) -> None:
        """The profile with its events and feedback; then the edges that hang in the air."""
        for collection in (TRACKING_EVENT, FEEDBACK, CONVERSION):
            for owned in self.database.owned(collection, key):
                self.database.remove(collection, owned, "removed_with_profile")
                self.room[collection] -= 1
        self.database.remove(PROFILE, key, change)
        self.room[PROFILE] -= 1
        self.day.record.removed.append(key)
        self._forget(key)

    def _forget(self, key: str) -> None:
        self.tenant.live.pop(key, None)
        for members in self.tenant.members.values():
            members.discard(key)

    def merges(self) -> None:
        """People with two living profiles: the younger wins. Winners of old lose to new ones, which makes chains."""
        by_person: dict[int, list[Profile]] = {}
        for profile in self.tenant.live.values():
            if profile.kind:
                by_person.setdefault(profile.person.number, []).append(profile)
        doubles = [profiles for _, profiles in sorted(by_person.items()) if len(profiles) > 1]
        for profiles in doubles[: self.day.share(0.001, 1)]:
            oldest, *_, youngest = sorted(profiles, key=lambda profile: (profile.created, profile.key))
            self._merge(oldest, youngest, self.day.instant())

    def _merge(self, loser: Profile, winner: Profile, at: datetime) -> None:
        fields: Document = {"status": 0, "mergeCode": 11, "rootProfileId": winner.key}
        lost, won = self.database.get(PROFILE, loser.key), self.database.get(PROFILE, winner.key)
        self.database.patch(PROFILE, loser.key, fields, "merged_away")
        edges = self.database.owned(CONVERSION, loser.key)
        for position, key in enumerate(edges):
            if not left_behind(position, len(edges)):
                fields = {"_from": f"{PROFILE}/{winner.key}", "updatedAt": iso(at)}
                self.database.patch(CONVERSION, key, fields, "moved_by_merge")
        for key in self.database.owned(TRACKING_EVENT, loser.key):
            self.database.patch(
                TRACKING_EVENT, key, {"refProfileId": winner.key, "state": 0}, "moved_by_merge"
            )
        for key in self.database.owned(FEEDBACK, loser.key):
            self.database.patch(FEEDBACK, key, {"refProfileId": winner.key}, "moved_by_merge")
        self.day.save_profile(winner.key, at, _united(lost, won), "merge_winner")
        self.tenant.roots.add(winner.key)
        self.day.record.merged.append((loser.key, winner.key))
        self._forget(loser.key)


def _united(lost: Document, won: Document) -> Document:
    """What a winner takes over.

    Of the consents LEO carries e-mail and ads only, and only upwards: the -1 of a loser is lost at the source.
    """
    union = list(dict.fromkeys([*(won.get("identities") or ()), *(lost.get("identities") or ())]))
    fields: Document = {
        "identities": union,
        "totalTransactionValue": won.get("totalTransactionValue", 0.0)
        + lost.get("totalTransactionValue", 0.0),
    }
    for consent in ("receiveEmail", "receiveAds"):
        if won[consent] == 0 and lost[consent] > 0:
            fields[consent] = lost[consent]
    return fields
