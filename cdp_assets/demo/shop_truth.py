"""What is true of a shop, alone and beside LEO: figures, planted faults, who is who, which orders both know.

Belongs here: one pass over the shop's rows and LEO's documents of the same step. Does not belong here: the rows
(`shop`), LEO's own truth (`truth`). A document that landing refuses is one that LEO does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import Any

from cdp_assets.demo.defects import LANDED, QUARANTINED
from cdp_assets.demo.model import EMPTY_TRANSACTION
from cdp_assets.demo.shop import shop_at
from cdp_assets.demo.shop_people import COUNTRY_CODES, STRANGERS
from cdp_assets.demo.shop_schema import CustomerRow, columns_of
from cdp_assets.demo.shop_state import Shop
from cdp_assets.demo.tenant import TenantWorld
from cdp_assets.sources.model import CONVERSION, PROFILE

LEO_ORDERS = "cdp.transactional_context"
"""Collection of a defect that is an order of LEO alone; its key is the order number."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class ShopTruth:
    """The shop of a tenant, looked at once: its figures and its faults."""

    def __init__(self, tenant: TenantWorld) -> None:
        self._tenant = tenant
        self._shop = shop_at(tenant)
        leo = _leo_orders(tenant)
        here = {order.order_number for order in self._shop.orders.rows.values()}
        self._shared = sorted(here & leo)
        self._only_shop = sorted(here - leo)
        self._only_leo = sorted(leo - here)

    def defects(self) -> list[dict[str, str]]:
        """See `shop_defects`."""
        shop = self._shop
        faults = [(f"raw.{p.table}", str(p.id), p.name, p.check) for p in shop.planted]
        for number in self._only_shop:
            name = "order_by_telephone" if number.startswith("TEL-") else "order_removed_from_leo"
            faults.append(("raw.orders", str(shop.order_of[number]), name, "shop_order_in_leo"))
        held = {order.order_number for order in shop.orders.held}
        for number in self._only_leo:
            name = (
                "order_missing"
                if number in shop.missing
                else "order_late"
                if number in held
                else "order_deleted"
            )
            faults.append((LEO_ORDERS, number, name, "leo_order_in_shop"))
        return [
            {
                "tenant": self._tenant.spec.id,
                "collection": collection,
                "key": key,
                "defect": name,
                "expected": LANDED,
                "expected_check": check,
            }
            for collection, key, name, check in sorted(faults)
        ]

    def figures(self) -> dict[str, Any]:
        """See `shop_truth`."""
        shop = self._shop
        orders, customers = shop.orders.rows, shop.customers.rows
        return {
            "rows": {name: len(shop.tables[name].rows) for name in columns_of(shop.spec.small_shop)},
            "orders": _amounts(shop),
            "statuses": dict(sorted(Counter(shop.status_of[order] for order in orders).items())),
            "misspelt_statuses": sum(order.status != shop.status_of[order.id] for order in orders.values()),
            "persons": len({shop.person_of[customer] for customer in customers}),
            "strangers": sum(shop.person_of[customer] >= STRANGERS for customer in customers),
            "twins": {str(twin): first for twin, first in sorted(shop.twins.items())},
            "links": _links(self._tenant, shop),
            "shared_orders": self._shared,
            "only_in_shop": self._only_shop,
            "only_in_leo": self._only_leo,
        }


def shop_defects(tenant: TenantWorld) -> list[dict[str, str]]:
    """Every fault of the shop at this step, and every order that only one of the two sources has, sorted.

    Keys: tenant, collection (`raw.<table>`, or `LEO_ORDERS`), key (id as text, or order number), defect, expected,
    expected_check.
    """
    return ShopTruth(tenant).defects()


def shop_truth(tenant: TenantWorld) -> dict[str, Any]:
    """Exact figures of the shop, ready for JSON; amounts are decimal texts.

    Keys: `rows` (table -> count), `orders` (currency -> orders, total_amount, lines, lines_not_cancelled), `statuses`
    (clean word -> orders), `misspelt_statuses` (an unknown word is one of them), `persons` (human beings among the
    customers), `strangers` (customers whom LEO does not know), `twins` (customer id -> id of the account that it
    repeats), `links` (customer id -> profiles, rule), `shared_orders`, `only_in_shop`, `only_in_leo` (order numbers).
    """
    return ShopTruth(tenant).figures()


def _amounts(shop: Shop) -> dict[str, dict[str, Any]]:
    lines: dict[int, Decimal] = {}
    for item in shop.order_items.rows.values():
        lines[item.order_id] = lines.get(item.order_id, Decimal(0)) + item.quantity * item.unit_price
    found: dict[str, dict[str, Any]] = {}
    for currency in sorted({order.currency for order in shop.orders.rows.values()}):
        orders = [order for order in shop.orders.rows.values() if order.currency == currency]
        kept = [order.id for order in orders if shop.status_of[order.id] != "cancelled"]
        found[currency] = {
            "orders": len(orders),
            "total_amount": str(sum((order.total_amount for order in orders), Decimal(0))),
            "lines": str(sum((lines[order.id] for order in orders), Decimal(0))),
            "lines_not_cancelled": str(sum((lines[order] for order in kept), Decimal(0))),
        }
    return found


def _leo_orders(tenant: TenantWorld) -> set[str]:
    """Order numbers that LEO's edges carry."""
    refused = {d.key for d in tenant.defects if (d.collection, d.expected) == (CONVERSION, QUARANTINED)}
    return {
        edge["transactionId"]
        for edge in tenant.database.documents(CONVERSION)
        if edge["transactionId"] != EMPTY_TRANSACTION and edge["_key"] not in refused
    }


def email_key(text: str) -> str:
    """An address without capitals and plus tag; blank if it is none."""
    if not _ADDRESS.fullmatch(text.strip()):
        return ""
    local, _, domain = text.strip().lower().partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def phone_key(text: str, region: str) -> str:
    """A number with its country code, of `region` where it names none; blank if there are letters in it."""
    if re.search(r"[^\W\d_]", text):
        return ""
    digits = re.sub(r"\D", "", text)
    return (
        f"{COUNTRY_CODES[region]}{digits[1:]}" if digits.startswith("0") else f"+{digits}" if digits else ""
    )


def _links(tenant: TenantWorld, shop: Shop) -> dict[str, dict[str, Any]]:
    """Customer id -> `profiles`: active LEO profiles of the same person; `rule`: the first that finds exactly one.

    Rules in their order: crm_id, email, phone. `ambiguous`: a rule finds several profiles and none finds one; `none`:
    no rule finds any; `stranger`: LEO does not know the person.
    """
    refused = {d.key for d in tenant.defects if (d.collection, d.expected) == (PROFILE, QUARANTINED)}
    recorded = [*tenant.model.profiles, *(profile for day in tenant.days for profile in day.profiles)]
    person_of = {profile.key: profile.person.number for profile in recorded}
    profiles: dict[int, list[str]] = {}
    holders: dict[str, dict[str, list[str]]] = {"crm_id": {}, "email": {}, "phone": {}}
    for document in tenant.database.documents(PROFILE):
        key = document["_key"]
        if document["status"] == 1 and key not in refused:
            profiles.setdefault(person_of[key], []).append(key)
            for rule, value in (
                ("crm_id", document.get("crmRefId") or ""),
                ("email", email_key(document.get("primaryEmail") or "")),
                ("phone", phone_key(document.get("primaryPhone") or "", shop.spec.region)),
            ):
                if value:
                    holders[rule].setdefault(value, []).append(key)

    def rule_of(row: CustomerRow) -> str:
        keys = {
            "crm_id": row.crm_id or "",
            "email": email_key(row.email),
            "phone": phone_key(row.phone or "", shop.spec.region),
        }
        found = {rule: holders[rule].get(value, []) for rule, value in keys.items()}
        unique = [rule for rule, matches in found.items() if len(matches) == 1]
        return unique[0] if unique else "ambiguous" if any(found.values()) else "none"

    return {
        str(customer): {
            "profiles": profiles.get(shop.person_of[customer], []),
            "rule": "stranger" if shop.person_of[customer] >= STRANGERS else rule_of(row),
        }
        for customer, row in sorted(shop.customers.rows.items())
    }
