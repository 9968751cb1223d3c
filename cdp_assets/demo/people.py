"""People and their CDP profiles: who they are, how they were captured, what they agreed to.

Belongs here: drawing persons, the profiles that record them (duplicates and merged ones too) and visitors without a
name. Does not belong here: what they buy or do; how a profile becomes a document (`leo_profile`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.dice import Dice, Weighted
from cdp_assets.demo.keys import friendly_id
from cdp_assets.demo.model import (
    HISTORY_DAYS,
    WORLD_END,
    WORLD_START,
    Consent,
    Person,
    Profile,
    batch_instant,
)
from cdp_assets.demo.sizes import TenantSpec

ANONYMOUS_SHARE = 0.25
DUPLICATE_SHARE = 0.02
MERGED_SHARE = 0.02
SEPARATORS = (" ", ".", "\N{NON-BREAKING HYPHEN}", "\N{ZERO WIDTH SPACE}", "-")
"""Between the digits of a number, as people and their tools type them."""
SHARED_KEYS = 3
"""So many profiles have the same `_key` in every tenant."""

_GENDERS = Weighted([(0, 52.0), (1, 36.0), (7, 6.0), (2, 1.5), (3, 1.0), (4, 1.5), (5, 1.0), (6, 1.0)])
_KINDS = Weighted(
    [(2, 60.0), (1, 16.0), (4, 10.0), (5, 6.0), (3, 2.0), (6, 1.5), (7, 1.5), (8, 1.0), (9, 1.0), (10, 1.0)]
)
_CONSENTS = Weighted([(1, 55.0), (0, 25.0), (-1, 20.0)])
_ADS = Weighted([(1, 85.0), (0, 5.0), (-1, 10.0)])


def fold(text: str) -> str:
    """Lower-case ASCII letters of a name: `Nguyễn Đức` -> `nguyenduc`."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


def with_eth(name: str) -> str:
    """A name typed with the Icelandic letter that looks like the Vietnamese one."""
    return name.replace("Đ", "\N{LATIN CAPITAL LETTER ETH}").replace("đ", "\N{LATIN SMALL LETTER ETH}")


def national(phone: str) -> tuple[str, str] | None:
    """How people of the country write an international number, without and with blanks; None of other countries."""
    if phone.startswith("+84"):
        return f"0{phone[3:]}", f"0{phone[3:5]} {phone[5:8]} {phone[8:]}"
    return (f"0{phone[3:]}", f"0{phone[3:7]} {phone[7:]}") if phone.startswith("+44") else None


def draw_person(spec: TenantSpec, number: int, orders_per_year: float, dice: Dice) -> Person:
    """A human being. `orders_per_year` is the mean of the population; individuals spread widely around it."""
    vietnamese = dice.chance(spec.vietnamese)
    # The first eight show every gender code once.
    gender = number if number < 8 else dice.weighted(_GENDERS)
    female = dice.chance(0.5) if gender == 7 else gender in (0, 3)
    if vietnamese:
        last = dice.weighted(words.SURNAMES_VI)
        middle = dice.pick(words.MIDDLE_VI_FEMALE if female else words.MIDDLE_VI_MALE)
        first = dice.pick(words.GIVEN_VI_FEMALE if female else words.GIVEN_VI_MALE)
        place = dice.weighted(words.PLACES_VI)
        phone = f"+84{dice.pick(words.MOBILE_PREFIXES_VI)}{dice.whole(0, 9_999_999):07d}"
    else:
        last, middle = dice.pick(words.SURNAMES_EN), ""
        first = dice.pick(words.GIVEN_EN_FEMALE if female else words.GIVEN_EN_MALE)
        place = dice.weighted(words.PLACES_GB if spec.region == "GB" else words.PLACES_EN)
        phone = _english_phone(spec, dice)
    email = f"{fold(first)}.{fold(last)}{number}@{dice.pick(words.MAIL_DOMAINS)}"
    # Gamma(.55): most buy rarely, few buy a lot (NBD model); an exponential life gives real churn.
    rate = float(dice.rng.gamma(0.55)) / 0.55 * orders_per_year
    return Person(
        number=number,
        language="vi" if vietnamese else "en",
        gender=gender,
        first=first,
        middle=middle,
        last=last,
        born=_birthday(dice),
        email=email if dice.chance(0.92) else "",
        phone=phone if dice.chance(0.85) else "",
        place=place,
        job=dice.pick(words.JOBS_VI if vietnamese else words.JOBS_EN),
        orders_per_year=rate,
        quits=WORLD_START + timedelta(days=float(dice.rng.exponential(1_500.0))),
        untracked=number % 20 == 9,
    )


def _english_phone(spec: TenantSpec, dice: Dice) -> str:
    if spec.region == "GB":
        return f"+44{dice.pick(words.MOBILE_PREFIXES_GB)}{dice.whole(0, 999_999):06d}"
    return f"+1{dice.pick(words.AREA_CODES_US)}{dice.whole(2, 9)}{dice.whole(0, 999_999):06d}"


def _birthday(dice: Dice) -> date | None:
    """Two modes as in fashion retail, 20-30 and 45-55; one in eight keeps it to himself."""
    if dice.chance(0.12):
        return None
    years = dice.between(18, 34) if dice.chance(0.7) else dice.between(40, 72)
    return (WORLD_END - timedelta(days=years * 365.25)).date()


def record(person: Person, key: str, kind: int, created: datetime, dice: Dice) -> Profile:
    """The profile that a capture of `person` makes, with the usual misspellings."""
    first, middle, last = person.first, person.middle, person.last
    if dice.chance(0.04):
        first, middle = "", ""  # One-word names: only the family name is known.
    elif dice.chance(0.04):
        first, middle, last = (unicodedata.normalize("NFD", part) for part in (first, middle, last))
    elif dice.chance(0.02):
        first = f"{first} "
    email, phone = person.email, person.phone
    if email and dice.chance(0.03):
        email = email.upper()
    if typed := national(phone):
        spaced = typed[1].replace(" ", SEPARATORS[person.number % len(SEPARATORS)])
        phone = typed[0] if dice.chance(0.15) else spaced if dice.chance(0.05) else phone
    if person.number % 4 == 3:
        first, middle, last = map(with_eth, (first, middle, last))
    return Profile(
        key=key,
        person=person,
        kind=kind,
        created=created,
        first=first,
        middle=middle,
        last=last,
        email=email,
        phone=phone,
        consent=_consent(email, phone, dice),
        context=_context(person.number),
        crm_id=f"CRM-{person.number:06d}" if kind in (2, 4, 8, 10) else "",
        labels=tuple(dice.some(words.LABELS, dice.whole(0, 2))),
    )


def visitor(person: Person, key: str, created: datetime, dice: Dice) -> Profile:
    """An anonymous visitor: a device without a name or contact."""
    return Profile(
        key=key,
        person=person,
        kind=0,
        created=created,
        first="",
        middle="",
        last="",
        email="",
        phone="",
        consent=Consent(0, 0, int(dice.chance(0.1)), 0, 1),
    )


def _consent(email: str, phone: str, dice: Dice) -> Consent:
    """LEO opts in whoever gives a contact; many are changed later, so that every combination occurs."""
    return Consent(
        email=dice.weighted(_CONSENTS) if email else 0,
        sms=dice.weighted(_CONSENTS) if phone else 0,
        web_push=dice.weighted(_CONSENTS) if dice.chance(0.3) else 0,
        app_push=dice.weighted(_CONSENTS) if dice.chance(0.2) else 0,
        ads=dice.weighted(_ADS),
    )


def _context(number: int) -> int:
    """One test profile (0) and one fake profile (-1) in sixty; the rest is production."""
    return {17: 0, 19: -1}.get(number % 60, 1)


def profile_key(spec: TenantSpec, seed: int, number: int) -> str:
    """The first few are the same in every tenant: LEO keys are unique within one database only."""
    return friendly_id("profile", seed, "shared" if number < SHARED_KEYS else spec.name, number)


def draw_population(
    spec: TenantSpec, seed: int, count: int, orders_per_profile: float, dice: Dice
) -> tuple[list[Person], list[Profile]]:
    """Exactly `count` profiles: known people, anonymous visitors, duplicates not yet merged, merged ones."""
    merged = max(3, round(count * MERGED_SHARE))
    duplicates = max(2, round(count * DUPLICATE_SHARE))
    anonymous = round(count * ANONYMOUS_SHARE)
    known = count - merged - duplicates - anonymous
    # On average a person is here for about .8 of the two years: arrival and churn take the rest.
    orders_per_year = orders_per_profile * count / known / 0.8
    people: list[Person] = []
    profiles: list[Profile] = []

    def add(person: Person, kind: int) -> Profile:
        key = profile_key(spec, seed, len(profiles))
        created = _arrival(dice)
        profile = record(person, key, kind, created, dice) if kind else visitor(person, key, created, dice)
        profiles.append(profile)
        return profile

    for number in range(known):
        people.append(draw_person(spec, number, orders_per_year, dice))
        add(people[-1], dice.weighted(_KINDS))
    originals = list(profiles)
    # People with several profiles are buyers, so that merges have edges to move. They come after the shared keys.
    busy = iter(originals[SHARED_KEYS:])
    for position in range(duplicates):
        _double(next(busy), add, orders_per_year)
        if position == 0:
            # Two more of the same person, merged one after the other: a chain.
            chain = originals[SHARED_KEYS]
            first, second = add(chain.person, 2), add(chain.person, 2)
            _merge(second, first, dice)
            _merge(first, chain, dice, after=second.merged_at)
    for _ in range(merged - 2):
        target = next(busy)
        _merge(_double(target, add, orders_per_year), target, dice)
    for number in range(anonymous):
        people.append(draw_person(spec, known + number, 0.0, dice))
        add(people[-1], 0)
    _retire(originals)
    return people, profiles


def _double(original: Profile, add: Callable[[Person, int], Profile], orders_per_year: float) -> Profile:
    """A second profile of a person, who becomes a buyer and an old customer by it."""
    person = original.person
    person.orders_per_year = max(person.orders_per_year, 3.0, orders_per_year)
    person.quits = WORLD_END
    original.created = min(original.created, WORLD_END - timedelta(days=HISTORY_DAYS * 0.8))
    return add(person, 2)


def _merge(loser: Profile, winner: Profile, dice: Dice, after: datetime | None = None) -> None:
    loser.status = 0
    loser.merged_into = winner
    earliest = max(after or WORLD_START, loser.created)
    loser.merged_at = earliest + (batch_instant(0) - timedelta(hours=3) - earliest) * dice.between(0.5, 0.99)
    loser.merged_at = loser.merged_at.replace(microsecond=loser.merged_at.microsecond // 1000 * 1000)


def _arrival(dice: Dice) -> datetime:
    """More people arrive as the shop grows; nobody in the last three days."""
    day = (HISTORY_DAYS - 3) * dice.uniform() ** 0.8
    milliseconds = int(day * 86_400_000)
    return WORLD_START + timedelta(milliseconds=milliseconds)


def _retire(originals: list[Profile]) -> None:
    """Soft-deleted (-4), invalid (-1) and dead (-44) profiles, from the end of the list of known people."""
    removed = max(1, round(len(originals) * 0.004))
    states = [-4] * removed + [-1] * max(1, removed // 2) + [-44]
    for profile, status in zip(reversed(originals), states, strict=False):
        profile.status = status
