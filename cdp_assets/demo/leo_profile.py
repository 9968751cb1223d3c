"""A profile as LEO CDP stores it: all of its attributes, with the dirt of real documents.

Belongs here: the whole document, and who the person is: identity, contact, age, place, work. Does not belong here: the
attributes that follow from what the person did (`leo_history`), later writes (`advance`), planted defects (`defects`):
everything here must land.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from cdp_assets.demo import leo_history as history
from cdp_assets.demo import vocabulary as words
from cdp_assets.demo.keys import digest, friendly_id, hexadecimal, iso
from cdp_assets.demo.leo import SEPARATOR, Document, stamp
from cdp_assets.demo.model import WORLD_END, Event, Profile, Purchase
from cdp_assets.demo.sizes import TenantSpec
from cdp_assets.sources.model import PROFILE

SECRET_MARKER = "DEMOSECRET"  # noqa: S105 - it marks secrets, it is none
"""Part of every stored password and government id: it must not be found anywhere in a warehouse."""

_AGE_GROUPS = ((11, 1), (18, 2), (25, 3), (35, 4), (45, 5), (55, 6), (65, 7), (75, 8))
_NEVER_SPARSE = {"rootProfileId", "status", "type", "createdAt", "updatedAt", "inSegments", "age", "gender"}


def profile_document(
    spec: TenantSpec, profile: Profile, purchases: Sequence[Purchase], events: Sequence[Event]
) -> Document:
    """The document after the last save of the profile. `purchases` and `events` are its own, in order of time."""
    marks = digest("profile", profile.key)
    body: Document = {
        **_identity(profile, marks),
        **_person(profile),
        **_place_and_work(profile, marks),
        **history.classification(profile, purchases, marks),
        **history.marketing(profile, purchases, marks),
        **history.commerce(spec, purchases),
        **history.scores(purchases, events, marks),
        **history.behaviour(spec, events, marks),
        "extAttributes": history.odd_attributes(marks),
        "notes": "Gọi lại sau Tết" if marks[12] % 12 == 0 else "",
        "authorizedViewers": ["superadmin"] if marks[13] % 3 == 0 else [],
        "authorizedEditors": [],
        "createdAt": iso(profile.created),
        "updatedAt": iso(profile.updated),
        "updatedByCrmAt": iso(profile.created) if profile.crm_id else None,
    }
    return stamp(PROFILE, profile.key, _dialect(body, marks))


def _dialect(body: Document, marks: bytes) -> Document:
    """Absent, null and empty mean the same in LEO: one in fifteen documents leaves defaults out, another says null."""
    if marks[15] % 15 == 1:
        return {k: v for k, v in body.items() if k in _NEVER_SPARSE or v not in ("", None, [], {})}
    if marks[15] % 15 == 2:
        return {k: None if v == "" and k not in _NEVER_SPARSE else v for k, v in body.items()}
    return body


def identities(profile: Profile) -> list[str]:
    """Prefixed identities; LEO adds the profile's own key."""
    known = [
        f"email:{profile.email.lower()}" if profile.email else "",
        f"phone:{profile.phone}" if profile.phone else "",
        f"crm:{profile.crm_id}" if profile.crm_id else "",
        f"visitor:{hexadecimal('visitor', profile.key)}",
        profile.key,
    ]
    return [identity for identity in known if identity]


def _identity(profile: Profile, marks: bytes) -> Document:
    visitor = hexadecimal("visitor", profile.key)
    known = identities(profile)
    citizen = (
        [f"citizen:{SECRET_MARKER}{profile.person.number:06d}"] if profile.kind and marks[0] % 8 == 0 else []
    )
    facebook = f"10{int.from_bytes(marks[:4], 'big'):010d}" if profile.kind and marks[1] % 4 == 0 else ""
    known += citizen + ([f"facebook:{facebook}"] if facebook else [])
    password = f"$2a$10${SECRET_MARKER}{marks.hex()}" if profile.kind == 1 else ""
    device = friendly_id("device", profile.key, "iPhone")
    return {
        "rootProfileId": profile.merged_into.key if profile.merged_into else "",
        "crmRefId": profile.crm_id,
        "schemaType": "general",
        "type": profile.kind,
        "mergeCode": 11 if profile.merged_into else 0,
        "status": profile.status,
        "dataContext": profile.context,
        "partitionId": 0,
        "dataVerification": False,
        "identities": known,
        "identitiesAsStr": SEPARATOR.join(known),
        "visitorId": visitor,
        "visitorIds": [visitor],
        "fingerprintId": hexadecimal("fingerprint", profile.key),
        "applicationIDs": [f"app:ios-{marks[:2].hex()}"] if marks[2] % 6 == 0 else [],
        "loyaltyIDs": [f"LOY-{profile.person.number:05d}"] if profile.kind == 2 else [],
        "fintechSystemIDs": [],
        "governmentIssuedIDs": citizen,
        "lastUsedDeviceId": device,
        "usedDeviceIds": [device],
        "socialMediaProfiles": {"facebook": facebook} if facebook else {},
        "webCookies": {},
        "primaryUsername": profile.email.lower() if profile.kind == 1 else "",
        "password": password,
        "contextSessionKeys": {},
    }


def _age(born: date | None) -> int:
    return (WORLD_END.date() - born).days * 100 // 36_525 if born else 0


def _person(profile: Profile) -> Document:
    person = profile.person
    named = profile.kind != 0
    age = _age(person.born) if named else 0
    groups = [group for limit, group in _AGE_GROUPS if age < limit]
    born = datetime.combine(person.born, time(), UTC) if named and person.born else None
    return {
        "firstName": profile.first,
        "middleName": profile.middle,
        "lastName": profile.last,
        "gender": person.gender if named else 7,
        "genderProbability": 100 if named else 50,
        "maritalStatus": 7 if age > 32 else 6,
        "age": age,
        "ageGroup": 0 if age == 0 else groups[0] if groups else 9,
        "dateOfBirth": iso(born) if born else None,
        "primaryEmail": profile.email,
        "secondaryEmails": [f"work.{profile.email.lower()}"]
        if profile.email and person.number % 9 == 0
        else [],
        "primaryPhone": profile.phone,
        "secondaryPhones": [],
        "primaryLanguage": person.language,
        "personalContacts": {},
        "businessContacts": {},
        "primaryNationality": person.place.nationality if named else "",
        "personalInterests": [words.INTERESTS[person.number % 8], words.INTERESTS[person.number % 5]]
        if named
        else [],
        "primaryAvatar": "",
    }


def _place_and_work(profile: Profile, marks: bytes) -> Document:
    place = profile.person.place
    street = (words.STREETS_VI if profile.person.language == "vi" else words.STREETS_EN)[marks[3] % 5]
    address = ", ".join(part for part in (f"{marks[4]} {street}", place.district, place.city) if part)
    known = profile.kind != 0 and bool(place.city)
    return {
        "livingLocation": address if known else "",
        "livingLocationType": "home" if known else "",
        "permanentLocation": "",
        "livingCountry": place.country,
        "livingProvince": place.province,
        "livingState": "",
        "livingCity": place.city,
        "livingDistrict": place.district,
        "livingWard": place.ward,
        "livingCounty": "",
        "currentZipCode": place.postal_code,
        "locationCode": place.plus_code,
        "contactAddresses": [{"type": "home", "address": address, "zipCode": place.postal_code}] if known else [],
        "jobTitles": [profile.person.job] if profile.kind and profile.person.job else [],
        "workingHistory": [],
        "jobType": marks[5] % 4 if profile.kind else -1,
        **{name: [] for name in ("softSkills", "studyCertificates", "learningHistory", "learningCourses",
                                 "businessIndustries")},
        "businessData": {},
        "incomeHistory": {"2025": marks[6] * 1_000_000.0} if marks[6] % 10 == 0 else {},
    }  # fmt: skip
