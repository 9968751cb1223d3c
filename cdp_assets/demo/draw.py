"""Draws the whole model of one tenant: the order of the parts, and the nightly batch that ties instants.

Belongs here: what needs several parts at once. Does not belong here: the parts (`people`, `catalog`, `purchases`,
`behaviour`, `reviews`, `segments`), their documents (`leo_base`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cdp_assets.demo.behaviour import Journal, draw_behaviour
from cdp_assets.demo.catalog import draw_catalog
from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.model import WORLD_END, Model, Purchase, batch_instant
from cdp_assets.demo.people import draw_population
from cdp_assets.demo.purchases import Shelf, draw_purchases
from cdp_assets.demo.reviews import Voice, draw_reviews
from cdp_assets.demo.segments import draw_segments, join_segments
from cdp_assets.demo.sizes import Size, TenantSpec

_SAVE_DELAY = timedelta(seconds=3, milliseconds=417)
_BATCH_SHARE = 0.04
_MIN_BATCH = 8


def draw_model(spec: TenantSpec, size: Size, seed: int) -> Model:
    """People, products, purchases, visits, reviews and segments of one tenant at the end of step 0."""

    def dice(purpose: Purpose) -> Dice:
        return Dice(seed, spec.number, purpose)

    count = size.profiles[spec.id]
    people, profiles = draw_population(spec, seed, count, size.orders_per_profile, dice(Purpose.PEOPLE))
    products = draw_catalog(spec, seed, size.products[spec.id], dice(Purpose.CATALOG))
    shelf = Shelf(products)
    purchases_of = draw_purchases(spec, profiles, shelf, dice(Purpose.PURCHASES))
    _batch_import(purchases_of)
    walk = dice(Purpose.BEHAVIOUR)
    journal = Journal(spec, seed, shelf, walk)
    events_of = draw_behaviour(profiles, purchases_of, journal, size.visits_per_profile, walk)
    talk = dice(Purpose.REVIEWS)
    reviews_of = draw_reviews(profiles, purchases_of, Voice(spec, seed, talk), size.reviews_per_order, talk)
    segments = draw_segments(spec, seed)
    join_segments(profiles, purchases_of, segments, dice(Purpose.SEGMENTS))
    model = Model(
        people=people,
        profiles=profiles,
        products=products,
        purchases=[purchase for purchases in purchases_of.values() for purchase in purchases],
        events=[event for events in events_of.values() for event in events],
        reviews=[review for reviews in reviews_of.values() for review in reviews],
        segments=segments,
        purchases_of=purchases_of,
        events_of=events_of,
        reviews_of=reviews_of,
    )
    _set_updated(model)
    return model


def _batch_import(purchases_of: dict[str, list[Purchase]]) -> None:
    """Store purchases of the last night that were imported in one batch: many edges with one instant."""
    wanted = max(_MIN_BATCH, sum(map(len, purchases_of.values())) // 100)
    for purchases in purchases_of.values():
        last = purchases[-1]
        profile = last.profile
        if not last.tracked and profile.status == 1 and profile.person.quits >= WORLD_END and wanted > 0:
            last.at = batch_instant(0)
            wanted -= 1


def _set_updated(model: Model) -> None:
    """A profile is saved after its last activity or the merge that it won.

    One in 25 is saved by the nightly batch, all at the same instant.
    """
    active = [profile for profile in model.profiles if profile.status == 1]
    batch = max(_MIN_BATCH, round(len(active) * _BATCH_SHARE))
    stride = len(active) // batch
    in_batch = {profile.key for profile in active[::stride][:batch]} if stride else set()
    merges: dict[str, datetime] = {}
    for profile in model.profiles:
        if profile.merged_into and profile.merged_at:
            winner = profile.merged_into.key
            merges[winner] = max(profile.merged_at, merges.get(winner, profile.merged_at))
    for profile in model.profiles:
        if profile.key in in_batch:
            profile.updated = batch_instant(0)
            continue
        times = [profile.created, merges.get(profile.key, profile.created)]
        times += [purchase.at for purchase in model.purchases_of.get(profile.key, ())]
        times += [event.at for event in model.events_of.get(profile.key, ())]
        profile.updated = min(max(times) + _SAVE_DELAY, batch_instant(0))
