"""Edits of a day that are easily missed: withdrawn consent, rewrites without content, repairs, re-fired events.

Belongs here: patches of single documents. Does not belong here: segments (`day_segments`), merges and deletions
(`day_removals`), activity (`day_growth`).
"""

from __future__ import annotations

from cdp_assets.demo.day import Day
from cdp_assets.demo.defects import duplicate_defect, nameless, redelivered
from cdp_assets.demo.keys import iso
from cdp_assets.demo.leo import PURCHASE_SCORE, Document
from cdp_assets.sources.model import CONVERSION, PROFILE, TRACKING_EVENT

_SETS = ("identities", "inSegments", "dataLabels", "mediaChannels", "contentKeywords", "behavioralEvents")
"""Java hash sets: their order means nothing and changes with any rewrite."""


class Edits:
    """The edits of one day."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.tenant = day.tenant
        self.database = day.database

    def consents(self) -> None:
        """Refusals of channels that were agreed to: some by a save, some by the attribute API, which moves no time."""
        wanted = self.day.share(0.003, 2)
        agreed = self.day.some_profiles(4 * wanted, lambda p: p.consent.email == 1 or p.consent.sms == 1)
        for profile in agreed:
            document = self.database.get(PROFILE, profile.key)
            refused: Document = {n: -1 for n in ("receiveEmail", "receiveSMS") if document[n] == 1}
            if not refused or not wanted:
                continue  # Refused on an earlier day.
            wanted -= 1
            if wanted % 2:
                self.day.save_profile(profile.key, self.day.instant(), refused, "consent_withdrawn")
            else:
                self.database.patch(PROFILE, profile.key, refused, "consent_withdrawn_silently")

    def refire(self) -> None:
        """An edge that fires again: the same line, a higher score, `updatedAt` of today."""
        wanted = self.day.share(0.001, 1)
        for profile in self.day.some_profiles(20 * wanted, lambda p: p.kind != 0):
            edges = self.database.owned(CONVERSION, profile.key)
            if edges and wanted:
                edge = self.database.get(CONVERSION, edges[0])
                fields = {
                    "eventScore": edge["eventScore"] + PURCHASE_SCORE,
                    "totalEvent": edge["totalEvent"] + 1,
                    "updatedAt": iso(self.day.instant()),
                }
                self.database.patch(CONVERSION, edges[0], fields, "refired")
                wanted -= 1

    def restate(self) -> None:
        """Orders whose status changes: only their tracking event says so."""
        wanted = self.day.share(0.002, 1)
        faulty = {defect.key for defect in self.tenant.defects}
        for profile in self.day.some_profiles(20 * wanted, lambda p: p.kind != 0):
            for key in self.database.owned(TRACKING_EVENT, profile.key):
                event = self.database.get(TRACKING_EVENT, key)
                if wanted and key not in faulty and event["orderedItems"]:
                    status = "refunded" if event["transactionStatus"] != "refunded" else "completed"
                    fields = {"transactionStatus": status, "updatedAt": iso(self.day.instant())}
                    self.database.patch(TRACKING_EVENT, key, fields, "restated")
                    self.day.record.restated.append((event["transactionId"], status))
                    wanted -= 1

    def redeliver(self) -> None:
        """A live event that is received a second time, today."""
        for profile in self.day.some_profiles(20):
            for key in self.database.owned(TRACKING_EVENT, profile.key):
                event = self.database.get(TRACKING_EVENT, key)
                if event["isActiveTracked"] and not self._known_twice(key):
                    copy = redelivered(event, f"{self.tenant.spec.name}-{self.day.step}")
                    copy["updatedAt"] = iso(self.day.instant())
                    self.database.insert(TRACKING_EVENT, copy, "redelivered")
                    self.tenant.defects.append(duplicate_defect(copy["_key"]))
                    return

    def spoil(self) -> None:
        """A new event that arrives without its name: the quarantine never runs dry."""
        for profile in self.day.some_profiles(20):
            for key in self.database.owned(TRACKING_EVENT, profile.key):
                event = self.database.get(TRACKING_EVENT, key)
                if not event["orderedItems"] and event.get("metricName"):
                    label = f"{self.tenant.spec.name}-{self.day.step}"
                    document, defect = nameless(event, label, self.day.instant())
                    self.database.insert(TRACKING_EVENT, document, "new")
                    self.tenant.defects.append(defect)
                    return

    def _known_twice(self, key: str) -> bool:
        return any(defect.key == key for defect in self.tenant.defects)

    def mends(self) -> None:
        """A sixth of the quarantined documents (rounded up) is right now; every other one without a new `updatedAt`."""
        mendable = [defect for defect in self.tenant.defects if defect.mend]
        for position, defect in enumerate(self.day.dice.some(mendable, -(-len(mendable) // 6))):
            document = self.database.get(defect.collection, defect.key)
            fields: Document = dict(defect.mend)
            if position % 2 and "updatedAt" in document:
                fields["updatedAt"] = iso(self.day.instant())
            self.database.patch(defect.collection, defect.key, fields, "mended")
            self.tenant.defects.remove(defect)
            if defect.collection == PROFILE:
                self._revive(defect.key)

    def _revive(self, key: str) -> None:
        for profile in self.tenant.model.profiles:
            if profile.key == key:
                self.tenant.live[key] = profile

    def nightly_batch(self) -> None:
        """Saves at one instant, the latest of the day: the watermark will stand on a tie."""
        for profile in self.day.some_profiles(self.day.share(0.01, 3)):
            score = self.database.get(PROFILE, profile.key).get("dataQualityScore", 0)
            self.day.save_profile(
                profile.key, self.day.batch, {"dataQualityScore": score + 1}, "saved_by_batch"
            )

    def rewrites(self) -> None:
        """New `_rev`, same content: sets in another order, or nothing at all; on documents untouched today."""
        untouched = self.day.some_profiles(
            self.day.share(0.01, 3), lambda profile: not self.day.touched(PROFILE, profile.key)
        )
        for profile in untouched:
            document = self.database.get(PROFILE, profile.key)
            fields = {name: list(reversed(document[name])) for name in _SETS if document.get(name)}
            self.database.patch(PROFILE, profile.key, fields, "rewritten")
            for collection in (CONVERSION, TRACKING_EVENT):
                for key in self.database.owned(collection, profile.key)[:1]:
                    if not self.day.touched(collection, key):
                        self.database.patch(collection, key, {}, "rewritten")

    def forget_gone(self) -> None:
        """Faults of documents that were removed today are no longer in the world."""
        gone = [
            defect for defect in self.tenant.defects if not self.database.has(defect.collection, defect.key)
        ]
        for defect in gone:
            self.tenant.defects.remove(defect)
