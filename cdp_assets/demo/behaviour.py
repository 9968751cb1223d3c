"""What people do on the shop's pages: sessions with their events, and imported events of orders made elsewhere.

Belongs here: visits with and without a purchase, by known people and anonymous visitors. Does not belong here: the
orders themselves (`purchases`), what people write (`reviews`), tracking documents (`leo`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.calendar_vn import shopping_time
from cdp_assets.demo.dice import Dice, Weighted
from cdp_assets.demo.keys import friendly_id
from cdp_assets.demo.model import WORLD_END, Event, Product, Profile, Purchase, Session
from cdp_assets.demo.purchases import Shelf
from cdp_assets.demo.sizes import TenantSpec
from cdp_assets.vocabulary.event_types import LEO_CONVERSIONS, LEO_NAMES

_VISIT_STEPS = Weighted(
    [("page-view", 30.0), ("item-view", 40.0), ("search", 12.0), ("add-to-cart", 8.0), ("add-wishlist", 4.0),
     ("remove-from-cart", 2.0), ("content-view", 4.0), ("", 6.0)]
)  # fmt: skip
"""The blank one is any of the others that LEO has a name for."""
_OTHERS = sorted(LEO_NAMES.keys() - set(LEO_CONVERSIONS) - set(_VISIT_STEPS.items) - {"order-checkout"})
_WITH_PRODUCT = {"item-view", "add-to-cart", "add-wishlist", "remove-from-cart"}


class Journal:
    """Makes the events of one tenant; keys follow from a running number, so order of drawing is part of the seed."""

    def __init__(self, spec: TenantSpec, seed: int, shelf: Shelf, dice: Dice, label: str = "base") -> None:
        self._hint = (spec.name, seed, label)
        self._shelf = shelf
        self._dice = dice
        self._numbers = count()

    def _key(self) -> str:
        return friendly_id("event", *self._hint, next(self._numbers))

    def _session(self, profile: Profile, started: datetime) -> Session:
        device = self._dice.weighted(words.DEVICES)
        key = friendly_id("session", *self._hint, next(self._numbers))[:10]
        return Session(key, profile, device, self._dice.weighted(words.SOURCES), started)

    def _event(
        self,
        session: Session,
        kind: str,
        at: datetime,
        product: Product | None,
        purchase: Purchase | None = None,
    ) -> Event:
        query = ""
        if kind == "search":
            query = self._dice.pick(words.QUERIES)[session.profile.person.language == "en"]
        seconds = self._dice.whole(1, 240)
        return Event(self._key(), kind, at, session.profile, session, product, purchase, query, seconds)

    def visit(self, profile: Profile, started: datetime) -> Iterator[Event]:
        """A session without a purchase: one to five steps."""
        session = self._session(profile, started)
        at = started
        for position in range(1 + int(self._dice.rng.poisson(1.2))):
            kind = self._dice.weighted(_VISIT_STEPS) if position else "page-view"
            kind = kind or self._dice.pick(_OTHERS)
            product = self._dice.weighted(self._shelf.all) if kind in _WITH_PRODUCT else None
            yield self._event(session, kind, at, product)
            at += timedelta(milliseconds=self._dice.whole(2_000, 300_000))

    def checkout(self, purchase: Purchase) -> Iterator[Event]:
        """What tracking knows of an order: the whole funnel on the web, one imported event from elsewhere."""
        if not purchase.tracked:
            return
        if purchase.channel != "web":
            yield Event(self._key(), purchase.metric, purchase.at, purchase.profile, None, None, purchase)
            return
        product = purchase.lines[0].product
        funnel: list[tuple[str, Product | None]] = [("order-checkout", None)]
        if self._dice.chance(0.6):
            funnel.append(("add-to-cart", product))
        if self._dice.chance(0.5):
            funnel.append(("item-view", product))
        at = purchase.at
        steps = []
        for kind, item in funnel:
            at -= timedelta(milliseconds=self._dice.whole(5_000, 240_000))
            steps.append((kind, item, at))
        session = self._session(purchase.profile, at)
        for kind, item, instant in reversed(steps):
            yield self._event(session, kind, instant, item)
        yield self._event(session, purchase.metric, purchase.at, None, purchase)


def draw_behaviour(
    profiles: Sequence[Profile],
    purchases_of: Mapping[str, list[Purchase]],
    journal: Journal,
    visits_per_profile: float,
    dice: Dice,
) -> dict[str, list[Event]]:
    """Events by profile key, each list in order of time. Every visitor without a name has one visit at least."""
    events_of: dict[str, list[Event]] = {}
    for profile in profiles:
        events: list[Event] = []
        for purchase in purchases_of.get(profile.key, ()):
            events.extend(journal.checkout(purchase))
        last = min(profile.person.quits, profile.merged_at or WORLD_END)
        if profile.kind == 0:
            last = WORLD_END
        visits = int(dice.rng.poisson(visits_per_profile)) + (profile.kind == 0)
        for _ in range(visits):
            started = shopping_time(profile.created, last, dice)
            if started is not None:
                events.extend(journal.visit(profile, started))
        if events:
            events_of[profile.key] = sorted(events, key=lambda event: (event.at, event.key))
    return events_of
