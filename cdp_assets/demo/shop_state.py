"""One tenant's shop at one step: its tables, and what is true of them.

Belongs here: the tables together, the shop's clock, and choices that depend on a name only. Does not belong here: what
rows say and when they change (`shop_people`, `shop_catalog`, `shop_orders`, `shop_pages`, `shop_days`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from cdp_assets.demo.keys import digest
from cdp_assets.demo.model import batch_instant, end_of_step
from cdp_assets.demo.shop_schema import (
    ROWS,
    CategoryRow,
    CustomerRow,
    EventRow,
    OrderItemRow,
    OrderRow,
    ProductRow,
    PromotionRow,
    ReviewRow,
    Row,
    Table,
)
from cdp_assets.demo.sizes import TenantSpec

_BUSY_SECONDS = 22 * 3600
"""Single changes happen in the first 22 hours of a day; the nightly batch comes after them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault in a row: where, which, and the check that must find it."""

    table: str
    id: int
    name: str
    check: str


@dataclass(slots=True)
class Shop:
    """The tables, with the truth that they do not tell."""

    spec: TenantSpec
    seed: int
    clean: bool = False
    """No fault is planted."""
    step: int = 0
    categories: Table[CategoryRow] = field(default_factory=Table)
    promotions: Table[PromotionRow] = field(default_factory=Table)
    customers: Table[CustomerRow] = field(default_factory=Table)
    products: Table[ProductRow] = field(default_factory=Table)
    orders: Table[OrderRow] = field(default_factory=Table)
    order_items: Table[OrderItemRow] = field(default_factory=Table)
    reviews: Table[ReviewRow] = field(default_factory=Table)
    events: Table[EventRow] = field(default_factory=Table)

    accounts: dict[int, list[int]] = field(default_factory=dict)
    """Number of the person -> its customer ids, the oldest first."""
    person_of: dict[int, int] = field(default_factory=dict)
    """Customer id -> number of the person; strangers to LEO have numbers from `shop_people.STRANGERS` on."""
    twins: dict[int, int] = field(default_factory=dict)
    """Customer id -> id of the same person's account that it repeats."""
    product_of: dict[str, int] = field(default_factory=dict)
    """LEO key of the product -> product id."""
    order_of: dict[str, int] = field(default_factory=dict)
    """Order number -> order id; it stays when the order is deleted."""
    status_of: dict[int, str] = field(default_factory=dict)
    """Order id -> its status in clean words; `unknown` where the shop's word says nothing."""
    missing: set[str] = field(default_factory=set)
    """Numbers of tracked orders that never reached the shop."""
    deleted: list[tuple[OrderRow, list[OrderItemRow]]] = field(default_factory=list)
    """What the last step deleted: the next one may bring it back."""
    planted: list[Planted] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    """Type of events -> how many the log has: each takes the next of the type's names."""

    _zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        self._zone = ZoneInfo(self.spec.timezone)

    @property
    def tables(self) -> dict[str, Table[Row]]:
        """Every table by name; one comes after those that it refers to."""
        return {name: getattr(self, name) for name in ROWS}

    def local(self, instant: datetime) -> datetime:
        """An instant as the shop writes it."""
        return instant.astimezone(self._zone).replace(tzinfo=None)

    @property
    def batch(self) -> datetime:
        """When the nightly batch of this step wrote, in local time: many rows share it."""
        return self.local(batch_instant(self.step))

    def moment(self, *hint: object) -> datetime:
        """Some local time of today, always the same for a hint."""
        start = end_of_step(self.step) - timedelta(days=1)
        return self.local(
            start + timedelta(milliseconds=int(self.mark(self.step, *hint) * _BUSY_SECONDS * 1000))
        )

    def mark(self, *hint: object) -> float:
        """A number from 0 to 1 that depends on the world and the hint only."""
        marks = digest("shop", self.seed, self.spec.name, *hint)
        return int.from_bytes(marks[:6], "big") / 2**48

    def chance(self, probability: float, *hint: object) -> bool:
        """Whether a thing of this probability happens to the hint."""
        return self.mark(*hint) < probability

    def shuffled(self, items: Iterable[T], *hint: object) -> list[T]:
        """The items in an order that depends on the hint and on each item alone."""
        return sorted(items, key=lambda item: self.mark(*hint, item))

    def faulty(self, table: str) -> set[int]:
        """Ids with a planted fault: they are left as they are, so that the ledger stays true."""
        return {planted.id for planted in self.planted if planted.table == table}

    def close_account(self, customer_id: int) -> None:
        """Deletes a customer."""
        self.customers.remove(customer_id)
        self.accounts[self.person_of.pop(customer_id)].remove(customer_id)
