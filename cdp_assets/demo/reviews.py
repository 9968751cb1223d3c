"""What people write: product ratings, survey answers, messages to the shop.

Belongs here: drawing reviews with their true sentiment and language. Does not belong here: their documents (`leo`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.dice import Dice, Weighted
from cdp_assets.demo.keys import friendly_id
from cdp_assets.demo.model import QUIET_LEAD, WORLD_END, Profile, Purchase, Review
from cdp_assets.demo.people import fold
from cdp_assets.demo.sizes import TenantSpec

_SENTIMENTS = Weighted([(1, 68.0), (0, 12.0), (-1, 20.0)])
_RATINGS = {1: (4, 5, 5), 0: (3,), -1: (1, 1, 2)}
_CONTRADICTING = 0.07
"""Share of reviews whose stars say the opposite of their words."""
_KINDS = Weighted([("RATING", 80.0), ("SURVEY", 12.0), ("CONTACT", 8.0)])
_LANGUAGES_VI = Weighted([("vi", 68.0), ("vi-plain", 18.0), ("mixed", 9.0), ("emoji", 5.0)])


_CALL_ME = (
    "Gọi em 0912,345,678 nhé",
    "zalo 0903|555|121",
    "Ðẹp! sđt: 0987:654:321",
    "call 0912\N{MINUS SIGN}345\N{MINUS SIGN}678",
)
"""Numbers that people leave in public, with what keeps a filter from seeing them."""


class Voice:
    """Makes the reviews of one tenant; keys follow from a running number."""

    def __init__(self, spec: TenantSpec, seed: int, dice: Dice, label: str = "base") -> None:
        self._hint = (spec.name, seed, label)
        self._dice = dice
        self._numbers = count()

    def write(self, profile: Profile, at: datetime, purchase: Purchase | None, kind: str = "") -> Review:
        dice = self._dice
        kind = kind or dice.weighted(_KINDS)
        sentiment = dice.weighted(_SENTIMENTS)
        language = dice.weighted(_LANGUAGES_VI) if profile.person.language == "vi" else "en"
        text = self._message(language) if kind == "CONTACT" else self._opinion(sentiment, language)
        mood = -sentiment if dice.chance(_CONTRADICTING) else sentiment
        number = next(self._numbers)
        if number % 30 == 17:
            text += f" {_CALL_ME[number // 30 % len(_CALL_ME)]}"
        return Review(
            key=friendly_id("feedback", *self._hint, number),
            kind=kind,
            profile=profile,
            at=at,
            product=purchase.lines[0].product if purchase is not None and kind == "RATING" else None,
            rating=dice.pick(_RATINGS[mood]),
            sentiment=sentiment,
            language=language,
            text="" if dice.chance(0.08) else text,
            status=-1 if dice.chance(0.04) else 0 if dice.chance(0.1) else 1,
        )

    def _opinion(self, sentiment: int, language: str) -> str:
        if language == "emoji":
            return words.EMOJI[sentiment]
        parts = self._dice.some(words.OPINIONS[sentiment], self._dice.whole(1, 3))
        vietnamese = ", ".join(text for _, text, _ in parts)
        if language == "vi":
            return vietnamese
        if language == "vi-plain":
            return " ".join(fold(word) for word in vietnamese.split())
        english = ". ".join(text for _, _, text in parts)
        return f"{english}. {vietnamese} {words.EMOJI[sentiment]}" if language == "mixed" else f"{english}."

    def _message(self, language: str) -> str:
        return self._dice.pick(words.MESSAGES)[language == "en"]


def draw_reviews(
    profiles: Sequence[Profile],
    purchases_of: Mapping[str, list[Purchase]],
    voice: Voice,
    reviews_per_order: float,
    dice: Dice,
) -> dict[str, list[Review]]:
    """Reviews by profile key, written 3 to 14 days after the order, in order of time."""
    reviews_of: dict[str, list[Review]] = {}
    for profile in profiles:
        end = (profile.merged_at or WORLD_END) - QUIET_LEAD
        for purchase in purchases_of.get(profile.key, ()):
            at = purchase.at + timedelta(milliseconds=dice.whole(3 * 86_400_000, 14 * 86_400_000))
            if dice.chance(reviews_per_order) and at < end:
                reviews_of.setdefault(profile.key, []).append(voice.write(profile, at, purchase))
    return reviews_of
