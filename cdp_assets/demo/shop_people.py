"""The shop's customers: who has an account, and how the shop wrote the person down.

Belongs here: opening accounts at step 0 and later, second accounts of one person, dirt in names and contacts. Does not
belong here: what customers do. Not everybody in LEO has an account: those do who registered or gave an order number;
some customers are strangers to LEO.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.calendar_vn import shopping_time
from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.model import WORLD_END, WORLD_START, Model, Person, Profile, Purchase
from cdp_assets.demo.people import SEPARATORS, draw_person, fold, national, with_eth
from cdp_assets.demo.shop_schema import CustomerRow
from cdp_assets.demo.shop_state import Planted, Shop

STRANGERS = 1_000_000
"""Numbers of persons whom LEO does not know start here."""

REGISTERED = 1
"""Kind of a LEO profile whose person logs in to the shop."""

COUNTRY_CODES = {"VN": "+84", "GB": "+44"}

_STRANGER_SHARE = 0.08
_TWIN_SHARE = 0.015
_INVALID_SHARE = 0.005
_TWINS = ("email_case", "plus_tag", "phone_format", "accents_lost")
_INVALID = ("khach{}.example.com", "guest{}@", "{}@@example.com")


@dataclass(frozen=True, slots=True)
class _Account:
    """What an account says, before it has an id."""

    person: int
    created: datetime
    name: str
    email: str
    phone: str | None
    address: str | None
    crm_id: str | None = None
    twin: str = ""
    """Kind of the second account; blank for a first one."""
    fault: str = ""


def open_accounts(shop: Shop, model: Model, purchases: Sequence[Purchase]) -> None:
    """The customers of step 0: ids in order of their creation."""
    applicants: dict[int, tuple[Person, datetime]] = {}

    def apply(person: Person, at: datetime) -> None:
        known = applicants.get(person.number)
        applicants[person.number] = (person, min(at, known[1]) if known else at)

    for profile in model.profiles:
        if profile.kind == REGISTERED:
            apply(profile.person, profile.created)
    for purchase in purchases:
        apply(purchase.profile.person, purchase.at)
    for person, created in _strangers(shop, len(applicants)):
        apply(person, created)
    crm_ids = _crm_ids(model.profiles)
    firsts = [
        _write_down(shop, person, shop.local(created), crm_ids) for person, created in applicants.values()
    ]
    twins = _twins(shop, firsts)
    doubled = {twin.person for twin in twins}
    single = [account for account in firsts if account.person not in doubled]
    invalid = {account.person for account in _chosen(shop, single, _INVALID_SHARE, 1, "invalid")}
    accounts = [_spoil(account) if account.person in invalid else account for account in firsts]
    for account in sorted([*accounts, *twins], key=lambda account: (account.created, account.person)):
        _open(shop, account, _last_edit(shop, account))


def _strangers(shop: Shop, others: int) -> Iterable[tuple[Person, datetime]]:
    dice = Dice(shop.seed, shop.spec.number, Purpose.SHOP)
    last = WORLD_END - timedelta(days=2)
    for position in range(max(2, round(others * _STRANGER_SHARE / (1 - _STRANGER_SHARE)))):
        created = shopping_time(WORLD_START, last, dice)
        assert created is not None, "two years hold a whole day"
        yield draw_person(shop.spec, STRANGERS + position, 0.0, dice), created


def open_account(shop: Shop, person: Person, created: datetime, profiles: Iterable[Profile] = ()) -> int:
    """A first account on a later day, `created` in the shop's time; `profiles` are the person's in LEO."""
    return _open(shop, _write_down(shop, person, created, _crm_ids(profiles)), created)


def new_stranger(shop: Shop, created: datetime) -> int:
    """Somebody registers whom LEO has never seen."""
    taken = [number for number in shop.accounts if number >= STRANGERS]
    number = max(taken) + 1
    dice = Dice(shop.seed, shop.spec.number, Purpose.SHOP, number)
    return open_account(shop, draw_person(shop.spec, number, 0.0, dice), created)


def _crm_ids(profiles: Iterable[Profile]) -> dict[int, str]:
    return {p.person.number: p.crm_id for p in profiles if p.crm_id and p.status == 1}


def _write_down(shop: Shop, person: Person, created: datetime, crm_ids: dict[int, str]) -> _Account:
    """What the shop knows of a person.

    Most can be found in LEO by the CRM id, some by e-mail or phone only, a few by nothing.
    """
    number = person.number
    own_address = person.email and shop.chance(0.8, "same e-mail", number)
    email = person.email if own_address else f"{fold(person.first)}{number}.shop@example.net"
    phone = person.phone if shop.chance(0.8, "phone", number) else ""
    known = shop.chance(0.6, "crm", number)
    return _Account(
        person=number,
        created=created,
        name=_captured_name(shop, person),
        email=email,
        phone=_typed_phone(shop, phone, number) or None,
        address=_address(shop, person),
        crm_id=crm_ids.get(number) if known else None,
    )


def _full_name(person: Person) -> str:
    parts = (
        [person.last, person.middle, person.first] if person.language == "vi" else [person.first, person.last]
    )
    return " ".join(part for part in parts if part)


def _captured_name(shop: Shop, person: Person) -> str:
    name = _full_name(person)
    mark = shop.mark("name", person.number)
    if mark < 0.03:
        return unicodedata.normalize("NFD", name)
    if mark < 0.05:
        return f"{name}  "
    if mark < 0.06:
        return name.replace(" ", "  ", 1)
    return with_eth(name) if mark < 0.2 else name


def _typed_phone(shop: Shop, phone: str, number: int) -> str:
    """A fifth of the numbers of the shop's country lacks the country code, some with blanks."""
    mark = shop.mark("phone format", number)
    typed = national(phone)
    if typed is None or mark >= 0.2:
        return phone
    return typed[0] if mark < 0.15 else typed[1].replace(" ", SEPARATORS[number % len(SEPARATORS)])


def _other_format(shop: Shop, phone: str) -> str:
    """The same number written in another way."""
    digits = re.sub(r"[^+\d]", "", phone)
    if digits.startswith("0"):
        return f"{COUNTRY_CODES[shop.spec.region]}{digits[1:]}"
    typed = national(digits)
    return typed[0] if typed else f"+1 ({digits[2:5]}) {digits[5:8]}-{digits[8:]}"


def _address(shop: Shop, person: Person) -> str | None:
    place = person.place
    streets = words.STREETS_VI if person.language == "vi" else words.STREETS_EN
    house = 1 + int(shop.mark("house", person.number) * 240)
    parts = (f"{house} {streets[house % len(streets)]}", place.ward, place.district, place.city)
    return ", ".join(part for part in parts if part) if place.city else None


def _twins(shop: Shop, firsts: Sequence[_Account]) -> list[_Account]:
    """Second accounts of people with an e-mail and a phone; every kind where there is room for four."""
    last = shop.local(WORLD_END) - timedelta(days=60)
    able = [a for a in firsts if a.phone and a.created < last]
    chosen = _chosen(shop, able, _TWIN_SHARE, min(len(_TWINS), 1 + len(firsts) // 12), "twin")
    return [_twin(shop, account, _TWINS[position % len(_TWINS)]) for position, account in enumerate(chosen)]


def _twin(shop: Shop, account: _Account, kind: str) -> _Account:
    assert account.phone is not None, "only people with a phone are doubled"
    local, _, domain = account.email.partition("@")
    other = f"{local}.2@{domain}"
    created = account.created + timedelta(days=1 + int(shop.mark("twin opened", account.person) * 50))
    twin = replace(account, created=created, crm_id=None, twin=kind)
    if kind == "email_case":
        return replace(twin, email=f"{local.capitalize()}@{domain.upper()}", phone=None)
    if kind == "plus_tag":
        return replace(twin, email=f"{local}+shop@{domain}", phone=None)
    if kind == "phone_format":
        return replace(twin, email=other, phone=_other_format(shop, account.phone))
    plain = unicodedata.normalize("NFD", account.name.replace("đ", "d").replace("Đ", "D"))
    return replace(twin, email=other, name="".join(c for c in plain if not unicodedata.combining(c)))


def _spoil(account: _Account) -> _Account:
    pattern = _INVALID[account.person % len(_INVALID)]
    return replace(account, email=pattern.format(account.person), fault="email_invalid")


def _chosen(
    shop: Shop, accounts: Sequence[_Account], share: float, least: int, purpose: str
) -> list[_Account]:
    """Accounts to plant a fault in."""
    by_person = {account.person: account for account in accounts}
    wanted = 0 if shop.clean else max(least, round(len(accounts) * share))
    return [by_person[number] for number in shop.shuffled(by_person, purpose)[:wanted]]


def _last_edit(shop: Shop, account: _Account) -> datetime:
    """A third edited the account later; one in twenty of all was touched by the last nightly batch."""
    mark = shop.mark("edited", account.person, account.twin)
    if mark < 0.05:
        return shop.batch
    return account.created + (shop.batch - account.created) * mark if mark < 0.35 else account.created


def _open(shop: Shop, account: _Account, updated: datetime) -> int:
    row_id = shop.customers.new_id()
    shop.customers.add(
        CustomerRow(
            id=row_id,
            created_at=account.created,
            updated_at=updated.replace(microsecond=updated.microsecond // 1000 * 1000),
            name=account.name,
            email=account.email,
            phone=account.phone,
            address=account.address,
            crm_id=account.crm_id,
        )
    )
    accounts = shop.accounts.setdefault(account.person, [])
    if account.twin:
        shop.twins[row_id] = accounts[0]
        shop.planted.append(
            Planted("customers", row_id, f"customer_twice_{account.twin}", "customer_is_unique")
        )
    if account.fault:
        shop.planted.append(Planted("customers", row_id, account.fault, "email_is_valid"))
    accounts.append(row_id)
    shop.person_of[row_id] = account.person
    return row_id


def buyer(shop: Shop, person: int, at: datetime, number: str) -> int | None:
    """The account that a person used for an order at a local time; people with two use either. None: has none yet."""
    accounts = [
        row_id for row_id in shop.accounts.get(person, ()) if shop.customers.rows[row_id].created_at <= at
    ]
    if not accounts:
        # Accounts opened later than the order are of people whose orders were imported.
        accounts = shop.accounts.get(person, [])[:1]
    return accounts[int(shop.mark("account", number) * len(accounts))] if accounts else None
