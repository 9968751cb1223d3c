"""What a day brings: people, orders, visits, reviews, late imports, and the saves that go with them.

Belongs here: insertions and the ordinary writes of activity. Does not belong here: silent changes (`day_segments`,
`day_edits`), merges and deletions (`day_removals`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from cdp_assets.demo.behaviour import Journal
from cdp_assets.demo.calendar_vn import time_of_day
from cdp_assets.demo.day import Day
from cdp_assets.demo.keys import iso
from cdp_assets.demo.leo import JOURNEY, Document, edge_document, edge_key, event_document
from cdp_assets.demo.leo_content import feedback_document
from cdp_assets.demo.leo_profile import profile_document
from cdp_assets.demo.model import WORLD_END, Event, Person, Profile, Purchase, batch_instant
from cdp_assets.demo.people import draw_person, profile_key, record, visitor
from cdp_assets.demo.purchases import Shelf, draw_purchase
from cdp_assets.demo.reviews import Voice
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, TRACKING_EVENT


class Growth:
    """The growth of one day."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.tenant = day.tenant
        self.spec = day.tenant.spec
        self.shelf = Shelf(day.tenant.model.products)
        label = f"day{day.step}"
        self.journal = Journal(self.spec, day.tenant.seed, self.shelf, day.dice, label)
        self.voice = Voice(self.spec, day.tenant.seed, day.dice, label)

    def people(self) -> None:
        """Newcomers, one visitor, a second profile of somebody known, and one at the old watermark.

        The second profile will be merged some day. The last one arrives with the `updatedAt` of the previous night's
        batch, so a window that starts behind the watermark misses it.
        """
        for _ in range(self.day.share(0.003, 1)):
            self._arrive(self._newcomer(), self.day.instant(), "new")
        self._arrive(self._newcomer(), self.day.instant(), "new", named=False)
        self._arrive(self._newcomer(), batch_instant(self.day.step - 1), "new_at_old_watermark")
        known = self.day.some_profiles(1, lambda p: bool(p.kind and p.email) and p.created < self.day.start)
        for profile in known:
            self._arrive(profile.person, self.day.instant(), "new")

    def _newcomer(self) -> Person:
        number = len(self.tenant.model.people) + sum(len(day.people) for day in self.tenant.days)
        number += len(self.day.record.people)
        person = draw_person(self.spec, number, 1.0, self.day.dice)
        self.day.record.people.append(person)
        return person

    def _arrive(self, person: Person, created: datetime, change: str, named: bool = True) -> None:
        number = len(self.tenant.model.profiles) + sum(len(day.profiles) for day in self.tenant.days)
        number += len(self.day.record.profiles)
        key = profile_key(self.spec, self.tenant.seed, number)
        dice = self.day.dice
        profile = record(person, key, 2, created, dice) if named else visitor(person, key, created, dice)
        profile.updated = created
        self.day.record.profiles.append(profile)
        self.tenant.live[key] = profile
        self.day.database.insert(PROFILE, profile_document(self.spec, profile, [], []), change)

    def orders(self) -> None:
        """Today's orders: edges, events, saved buyers, products written at every line."""
        for profile in self.day.some_profiles(self.day.share(0.0015, 1), lambda p: p.kind != 0):
            at = self.day.instant()
            purchase = self._purchase(profile, at)
            events = list(self.journal.checkout(purchase))
            self._insert_edges(purchase, "new")
            self._insert_events(events, "new")
            self._save_buyer(profile, purchase, events, at + timedelta(seconds=3))
            for line in purchase.lines:
                self._resell(line.product.key, at + timedelta(seconds=2))

    def _purchase(self, profile: Profile, at: datetime) -> Purchase:
        number = len(self.tenant.model.purchases) + sum(len(day.purchases) for day in self.tenant.days)
        number += len(self.day.record.purchases)
        purchase = draw_purchase(self.spec, number, profile, at, self.shelf, self.day.dice, first=False)
        self.day.record.purchases.append(purchase)
        return purchase

    def _insert_edges(self, purchase: Purchase, change: str) -> None:
        for line in purchase.lines:
            document = edge_document(edge_key(purchase, line), purchase, line, moved=False)
            self.day.database.insert(CONVERSION, document, change)

    def _insert_events(self, events: Iterable[Event], change: str, updated: datetime | None = None) -> None:
        for event in events:
            document = event_document(self.spec, event)
            if updated is not None:
                document["updatedAt"] = iso(updated)
            self.day.record.events.append(event)
            self.day.database.insert(TRACKING_EVENT, document, change)

    def _save_buyer(
        self, profile: Profile, purchase: Purchase, events: Sequence[Event], at: datetime
    ) -> None:
        document = self.day.database.get(PROFILE, profile.key)
        total = float(purchase.total)
        skus = {line.product.sku for line in purchase.lines}
        fields = self._activity(document, events)
        fields["totalTransactionValue"] = document.get("totalTransactionValue", 0.0) + total
        fields["purchasedItemIds"] = sorted(skus.union(document.get("purchasedItemIds") or ()))
        fields["timeseriesTransactionValue"] = {
            **(document.get("timeseriesTransactionValue") or {}),
            f"{at:%Y-%m-%d}": total,
        }
        self.day.save_profile(profile.key, at, fields, "saved")

    def _activity(self, document: Document, events: Sequence[Event]) -> Document:
        statistics = dict(document.get("eventStatistics") or {})
        names = list(document.get("behavioralEvents") or ())
        for event in events:
            metric = f"{JOURNEY}-{event.kind}"
            statistics[metric] = statistics.get(metric, 0) + 1
            if event.kind not in names:
                names.append(event.kind)
        fields: Document = {"eventStatistics": statistics, "behavioralEvents": names}
        if events:
            last = event_document(self.spec, events[-1])
            fields["lastTrackingEvent"] = {k: v for k, v in last.items() if k not in ("_id", "_rev")}
        return fields

    def _resell(self, product: str, at: datetime) -> None:
        """LEO upserts the product at every purchase: counters and `updatedAt`, nothing that means anything."""
        document = self.day.database.get(PRODUCT_ITEM, product)
        sold = document["transactionCount"] + 1
        fields = {"transactionCount": sold, "viewCount": document["viewCount"] + 3, "updatedAt": iso(at)}
        self.day.database.patch(PRODUCT_ITEM, product, fields, "counters_only")

    def visits(self) -> None:
        """Visits without an order, of known people and of visitors."""
        for profile in self.day.some_profiles(self.day.share(0.01, 2)):
            events = list(self.journal.visit(profile, self.day.instant()))
            self._insert_events(events, "new")
            fields = self._activity(self.day.database.get(PROFILE, profile.key), events)
            self.day.save_profile(profile.key, events[-1].at + timedelta(seconds=3), fields, "saved")

    def reviews(self) -> None:
        """Reviews of earlier purchases, and one message of an anonymous visitor."""
        bought = self.tenant.model.purchases_of
        for profile in self.day.some_profiles(self.day.share(0.002, 1), lambda p: p.key in bought):
            review = self.voice.write(profile, self.day.instant(), bought[profile.key][-1], "RATING")
            self.day.record.reviews.append(review)
            self.day.database.insert(FEEDBACK, feedback_document(self.spec, review), "new")
        for profile in self.day.some_profiles(1, lambda p: p.kind == 0):
            review = self.voice.write(profile, self.day.instant(), None, "CONTACT")
            self.day.record.reviews.append(review)
            self.day.database.insert(FEEDBACK, feedback_document(self.spec, review), "new")

    def late_imports(self) -> None:
        """Old orders of the store that are imported today.

        Their edges have `createdAt` = `updatedAt` of long ago, and no profile is saved. Their events, where there are
        any, say when they were really written.
        """
        for profile in self.day.some_profiles(self.day.share(0.002, 1), lambda p: p.kind != 0):
            old_day = WORLD_END - timedelta(days=self.day.dice.whole(30, 400))
            purchase = self._purchase(profile, time_of_day(old_day, self.day.dice))
            if purchase.channel == "web":
                purchase.channel = "store"
            self._insert_edges(purchase, "late_import")
            self._insert_events(self.journal.checkout(purchase), "late_import", updated=self.day.instant())

    def catalog(self) -> None:
        """Products saved with nothing but counters, and one real price change."""
        keys = self.day.database.keys(PRODUCT_ITEM)
        faulty = {
            defect.key for defect in self.tenant.defects if defect.collection == PRODUCT_ITEM and defect.mend
        }
        chosen = self.day.dice.some([key for key in keys if key not in faulty], 2 + len(keys) // 50)
        for key in chosen[1:]:
            self._resell(key, self.day.batch)
        document = self.day.database.get(PRODUCT_ITEM, chosen[0])
        step = Decimal(1_000) if document["priceCurrency"] == "VND" else Decimal(1)
        price = Decimal(str(document["salePrice"])) + step
        fields = {"salePrice": float(price), "updatedAt": iso(self.day.instant())}
        self.day.record.repriced.append((chosen[0], price))
        self.day.database.patch(PRODUCT_ITEM, chosen[0], fields, "repriced")
