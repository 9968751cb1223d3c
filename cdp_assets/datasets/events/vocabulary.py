"""What counts as a session, a repeat, an automaton: stages and thresholds with their reasons.

Does not belong here: what is done with them; the names of event types (`event_types`).
"""

from __future__ import annotations

from datetime import timedelta

STAGES = ("view", "click", "wishlist", "add_to_cart", "checkout_start", "purchase")
"""From the first look to the order: the deepest one that a session reached is its stage."""

GAP = timedelta(minutes=30)
"""A session goes on while no gap is strictly longer: the customary half hour; exactly 30:00.000 stays."""

LONGEST = timedelta(hours=24)
"""A session ends with the last event within a day of its first: a page that never sleeps is not one visit."""

MOST_EVENTS = 1_000
"""Counted events from which a session is in quarantine: nobody does so much in a day."""

REPEAT = timedelta(seconds=1)
"""The same visitor, type and article within a second are one act told twice: a double click, or both sources."""

SHARED = 3
"""Customers of one device up to which its anonymous events are the last one's; more of them share a kiosk."""

BOT_EVENTS_PER_MINUTE = 60
BOT_VIEWS_PER_DAY = 500
BOT_REGULAR_EVENTS = 10
BOT_REGULAR_SPREAD = timedelta(milliseconds=10)
"""So many events or more with gaps that differ by less: people are not clocks, timers jitter by milliseconds."""

BOT_BROWSER = r"(?i)bot\b|crawl|spider|slurp|headless|phantomjs|python-requests|curl/|wget|monitor|preview"
"""Names that automata give themselves in the user agent."""
