"""What counts as a session, a repeat, a bot: stages and thresholds with their reasons.

Does not belong here: what is done with them; names of event types and of bots (`cdp_assets.vocabulary`).
"""

from __future__ import annotations

from datetime import timedelta

STAGES = ("view", "click", "wishlist", "add_to_cart", "checkout_start", "purchase")
"""From the first look to the order: the deepest one that a session reached is its stage."""

PLACES = {
    name: place
    for place, name in enumerate(
        (
            "campaign_click",
            "session_start",
            "login",
            "sign_up",
            "search",
            "view",
            "video",
            "click",
            "wishlist",
            "share",
            "contact",
            "add_to_cart",
            "remove_from_cart",
            "checkout_start",
            "purchase",
            "refund",
        )
    )
}
"""Places in a visit: in what order things were done that happened at one instant; all other types come last."""

GAP = timedelta(minutes=30)
"""A session goes on while no gap is strictly longer: the customary half hour; exactly 30:00.000 stays."""

LONGEST = timedelta(hours=24)
"""A session ends with the last event within a day of its first: a page that never sleeps is not one visit."""

BY_ITSELF = "engagement"
"""Type of events that a page reports by itself, every second perhaps: they are no acts of a busy visitor."""

MOST_EVENTS = 1_000
"""Counted acts from which a session is in quarantine: nobody does so much in a day."""

REPEAT = timedelta(seconds=1)
"""So long after its first telling an act may be told of again: a double click, or both sources; see `acts`."""

AHEAD = timedelta(minutes=5)
"""Events later than the tenant's clock by more are set aside: clocks differ by minutes, wrong ones by years."""

SHARED = 3
"""Customers of one device up to which its anonymous events are the last one's; more of them share a kiosk."""

BOT_EVENTS_PER_MINUTE = 60
BOT_VIEWS_PER_DAY = 500
BOT_REGULAR_EVENTS = 10
BOT_REGULAR_SPREAD = timedelta(milliseconds=10)
"""So many events or more with gaps that differ by less: people are not clocks, timers jitter by milliseconds."""
