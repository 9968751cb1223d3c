"""Faults planted into the LEO documents, each with what landing must make of it and the check that must find it.

Belongs here: the kinds of faults and where they are put. Does not belong here: dirt that is normal in LEO and must
land as it is (`leo_profile`); the ledger file (`world`). Shares of a collection are small enough for every share check
that tolerates 5 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cdp_assets.demo.dice import Dice, Purpose
from cdp_assets.demo.keys import epoch_ms, friendly_id, iso
from cdp_assets.demo.leo import Document, stamp
from cdp_assets.demo.model import EMPTY_TRANSACTION
from cdp_assets.demo.people import SHARED_KEYS
from cdp_assets.demo.tenant import Defect, TenantWorld
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT

QUARANTINED = "quarantined"
FIELD_NULLED = "field-nulled"
LANDED = "landed"

DUPLICATE_EVENT = "event_redelivered"
SHARED_KEY = "key_of_another_tenant"

_MOST = 0.045
"""No collection gets more faulty documents of one outcome than this share of it."""


def _always(document: Document) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: `alter` gives the attributes to replace in an `eligible` document, `drop` removes some."""

    name: str
    collection: str
    expected: str
    check: str
    alter: Callable[[Document], Document]
    eligible: Callable[[Document], bool] = _always
    share: float = 0.002
    drop: tuple[str, ...] = ()


def _untracked(edge: Document) -> bool:
    # A faulty line of a tracked order would make its event's total wrong too, which is a fault of another kind.
    return bool(edge["transactionId"] == EMPTY_TRANSACTION and edge["transactionValue"])


def _ordered(event: Document) -> bool:
    return bool(event["orderedItems"])


def _ordered_in_cents(event: Document) -> bool:
    return _ordered(event) and event["transactionCurrency"] != "VND"


def _plain_event(event: Document) -> bool:
    return not event["orderedItems"]


def _total_plus(dong: float, dollars: float) -> Callable[[Document], Document]:
    def alter(event: Document) -> Document:
        plus = dong if event["transactionCurrency"] == "VND" else dollars
        return {"transactionValue": round(event["transactionValue"] + plus, 2)}

    return alter


KINDS: tuple[Kind, ...] = (
    Kind("status_unknown", PROFILE, QUARANTINED, "quarantine_share", lambda d: {"status": 5}),
    Kind("age_is_text", PROFILE, QUARANTINED, "quarantine_share", lambda d: {"age": "abc"}),
    Kind("age_out_of_range", PROFILE, QUARANTINED, "quarantine_share", lambda d: {"age": 217}),
    Kind("segments_is_object", PROFILE, QUARANTINED, "quarantine_share", lambda d: {"inSegments": d["inSegments"][0]},
         lambda d: bool(d["inSegments"])),
    Kind("nul_in_name", PROFILE, QUARANTINED, "quarantine_share", lambda d: {"lastName": "Ng\x00uyen"}),
    Kind("amount_is_text", CONVERSION, QUARANTINED, "quarantine_share", lambda d: {"transactionValue": "1,234.56"},
         _untracked),
    Kind("date_impossible", CONVERSION, QUARANTINED, "quarantine_share",
         lambda d: {"createdAt": "2026-02-31T00:00:00.000Z"}, _untracked),
    Kind("currency_unknown", CONVERSION, QUARANTINED, "quarantine_share",
         lambda d: {"transactionValue": None, "currencyCode": "DONG"}, _untracked),
    Kind("metric_name_missing", TRACKING_EVENT, QUARANTINED, "quarantine_share", lambda d: {}, _plain_event,
         drop=("metricName",)),
    Kind("event_in_future", TRACKING_EVENT, QUARANTINED, "quarantine_share",
         lambda d: {"createdAt": "2099-01-01T00:00:00.000Z", "timestamp": 4_070_908_800}, _plain_event),
    Kind("price_is_text", PRODUCT_ITEM, QUARANTINED, "quarantine_share", lambda d: {"salePrice": "liên hệ"}),
    Kind("score_is_text", FEEDBACK, QUARANTINED, "quarantine_share", lambda d: {"feedbackScore": "five"}),
    Kind("email_is_null_text", PROFILE, FIELD_NULLED, "contact_null_rate", lambda d: {"primaryEmail": "null"},
         lambda d: bool(d.get("primaryEmail"))),
    Kind("email_is_two_addresses", PROFILE, FIELD_NULLED, "contact_null_rate",
         lambda d: {"primaryEmail": f"{d['primaryEmail']}; second@example.com"}, lambda d: bool(d.get("primaryEmail"))),
    Kind("phone_has_letters", PROFILE, FIELD_NULLED, "contact_null_rate",
         lambda d: {"primaryPhone": "gọi sau 17h: zalo"}, lambda d: bool(d.get("primaryPhone"))),
    Kind("attribute_is_new", PROFILE, LANDED, "schema_drift",
         lambda d: {"loyaltyTierV2": {"tier": "gold", "points": 12}}, share=0.02),
    Kind("return_is_positive", CONVERSION, LANDED, "value_range", lambda d: {"quantity": -1}, _untracked),
    Kind("amount_is_negative", CONVERSION, LANDED, "value_range",
         lambda d: {"transactionValue": -d["transactionValue"]}, _untracked),
    Kind("total_off_by_cents", TRACKING_EVENT, LANDED, "order_total_matches_lines", _total_plus(0, 0.02),
         _ordered_in_cents, share=0.001),
    Kind("total_off", TRACKING_EVENT, LANDED, "order_total_matches_lines", _total_plus(-5_000, -5.0),
         _ordered, share=0.0005),
)  # fmt: skip
"""Every fault that alters a document. Beside them: keys shared by tenants and redelivered events."""


def plant_defects(tenant: TenantWorld) -> None:
    """Alters documents of step 0 and records every fault in `tenant.defects`."""
    dice = Dice(tenant.seed, tenant.spec.number, Purpose.DEFECTS)
    for collection in (PROFILE, CONVERSION, TRACKING_EVENT, PRODUCT_ITEM, FEEDBACK):
        keys = tenant.database.keys(collection)
        pool = [keys[position] for position in dice.rng.permutation(len(keys)).tolist()]
        if collection == PROFILE:
            plain = _plain_profiles(tenant)
            pool = [key for key in pool if key in plain]
        for expected in (QUARANTINED, FIELD_NULLED, LANDED):
            _plant(tenant, collection, expected, len(keys), pool)
    _redeliver(tenant, dice)
    for defect in tenant.defects:
        tenant.live.pop(defect.key, None)
        if defect.name == "segments_is_object":
            for members in tenant.members.values():
                members.discard(defect.key)
    _record_shared_keys(tenant)


def _plain_profiles(tenant: TenantWorld) -> set[str]:
    """Active, known, alone of their person, production data: a fault in them disturbs no other point."""
    records = Counter(profile.person.number for profile in tenant.model.profiles)
    return {
        profile.key
        for profile in tenant.model.profiles[SHARED_KEYS:]
        if profile.status == 1
        and profile.kind
        and profile.context == 1
        and records[profile.person.number] == 1
    }


def _plant(tenant: TenantWorld, collection: str, expected: str, count: int, pool: list[str]) -> None:
    """Plants every kind of one outcome, taking the documents out of `pool`."""
    kinds = [kind for kind in KINDS if (kind.collection, kind.expected) == (collection, expected)]
    # Small tenants have room for a few kinds only: each starts with another one.
    turn = tenant.spec.number % len(kinds) if kinds else 0
    room = int(count * _MOST)
    for kind in kinds[turn:] + kinds[:turn]:
        wanted = min(room, max(1, round(count * kind.share)))
        room -= wanted
        position = 0
        while wanted and position < len(pool):
            document = tenant.database.get(collection, pool[position])
            if not kind.eligible(document):
                position += 1
                continue
            _alter(tenant, kind, document)
            del pool[position]
            wanted -= 1


def _alter(tenant: TenantWorld, kind: Kind, document: Document) -> None:
    key = document["_key"]
    fields = kind.alter(document)
    mend: Document = {}
    if kind.expected == QUARANTINED:
        mend = {name: document[name] for name in (*fields, *kind.drop)}
    if "inSegments" in mend:
        mend["inSegments"] = []  # By the time of the repair its segments may be gone.
    altered = {name: value for name, value in {**document, **fields}.items() if name not in kind.drop}
    tenant.database.plant(kind.collection, key, altered)
    tenant.defects.append(Defect(kind.collection, key, kind.name, kind.expected, kind.check, mend))


def redelivered(event: Document, label: str) -> Document:
    """The same live event received twice: live keys are salted, so the copy has another one."""
    body = {name: value for name, value in event.items() if name not in ("_key", "_id", "_rev")}
    return stamp(TRACKING_EVENT, friendly_id("redelivered", label, event["_key"]), body)


def nameless(event: Document, label: str, at: datetime) -> tuple[Document, Defect]:
    """A new event of `at`, made after an old one, that arrives without its name."""
    key = friendly_id("nameless", label, event["_key"])
    times = {"createdAt": iso(at), "updatedAt": iso(at), "timestamp": epoch_ms(at) // 1000}
    left_out = ("_key", "_id", "_rev", "metricName")
    body = {name: value for name, value in {**event, **times}.items() if name not in left_out}
    mend = {"metricName": event["metricName"]}
    defect = Defect(TRACKING_EVENT, key, "metric_name_missing", QUARANTINED, "quarantine_share", mend)
    return stamp(TRACKING_EVENT, key, body), defect


def duplicate_defect(key: str) -> Defect:
    """The ledger entry of a redelivered event."""
    return Defect(TRACKING_EVENT, key, DUPLICATE_EVENT, LANDED, "duplicate_events")


def _redeliver(tenant: TenantWorld, dice: Dice) -> None:
    """One live event in 200 is stored twice."""
    faulty = {defect.key for defect in tenant.defects}
    keys = [key for key in tenant.database.keys(TRACKING_EVENT) if key not in faulty]
    wanted = max(1, len(keys) // 200)
    for position in dice.rng.permutation(len(keys)).tolist():
        event = tenant.database.get(TRACKING_EVENT, keys[position])
        if event["isActiveTracked"] and wanted:
            copy = redelivered(event, tenant.spec.name)
            tenant.database.plant(TRACKING_EVENT, copy["_key"], copy)
            tenant.defects.append(duplicate_defect(copy["_key"]))
            wanted -= 1
        if not wanted:
            break


def _record_shared_keys(tenant: TenantWorld) -> None:
    shared = [(PROFILE, profile.key) for profile in tenant.model.profiles[:SHARED_KEYS]]
    shared += [(PRODUCT_ITEM, tenant.model.products[0].key), (SEGMENT, tenant.model.segments[0].key)]
    for collection, key in shared:
        tenant.defects.append(Defect(collection, key, SHARED_KEY, LANDED, "tenant_leakage"))
