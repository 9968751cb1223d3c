"""Which tenants the demo world has and how large it is made.

Belongs here: figures and names only. Does not belong here: how anything is drawn from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantSpec:
    """What distinguishes one shop from another. `name` and `number` seed what is drawn: never change either."""

    name: str
    number: int
    title: str
    host: str
    range: str
    """The part of the vocabulary that the shop sells: see `vocabulary.GOODS`."""
    vietnamese: float
    """Share of people who speak Vietnamese."""
    dollar_products: float
    """Share of products priced in USD; all others are priced in `currency`."""
    currency: str
    """Of amounts that name none."""
    region: str
    """Country of phone numbers that name none."""
    timezone: str
    """IANA name of the zone of the shop's naive times."""
    many_words: bool = False
    """Its shop names events and states of orders as many tools do, each in its own way."""
    small_shop: bool = False
    """Its shop has the four tables that every shop needs, and no column for currencies."""

    @property
    def id(self) -> str:
        """The tenant's id: one that no customer would choose, and no part of which selects all of the demo's."""
        return f"{self.name}-demo"


VIETNAM = ("VND", "VN", "Asia/Ho_Chi_Minh")

TENANTS: tuple[TenantSpec, ...] = (
    TenantSpec("acme", 0, "ACME Store", "shop.acme.example.com", "home", 0.85, 0.15, *VIETNAM),
    TenantSpec(
        "lotus", 1, "Lotus Beauty", "lotus.example.com", "beauty", 0.95, 0.10, *VIETNAM, many_words=True
    ),
    TenantSpec(
        "nova",
        2,
        "Nova Outdoor",
        "nova.example.com",
        "outdoor",
        0.0,
        0.0,
        "GBP",
        "GB",
        "Europe/London",
        small_shop=True,
    ),
)
"""From the largest to the smallest."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. Orders, sessions and reviews are expected values, the rest is exact."""

    profiles: Mapping[str, int]
    products: Mapping[str, int]
    orders_per_profile: float = 0.75
    visits_per_profile: float = 0.35
    """Sessions without a purchase."""
    reviews_per_order: float = 0.3


SIZES: dict[str, Size] = {
    "tiny": Size(
        {"acme-demo": 120, "lotus-demo": 60, "nova-demo": 25},
        {"acme-demo": 40, "lotus-demo": 25, "nova-demo": 20},
        reviews_per_order=0.5,
    ),
    "small": Size(
        {"acme-demo": 1_500, "lotus-demo": 500, "nova-demo": 800},
        {"acme-demo": 200, "lotus-demo": 100, "nova-demo": 80},
    ),
    "medium": Size(
        {"acme-demo": 20_000, "lotus-demo": 5_000, "nova-demo": 1_000},
        {"acme-demo": 1_200, "lotus-demo": 500, "nova-demo": 150},
    ),
    # 100,000 profiles and 300,000 edges for the landing benchmark: generate it for `acme-demo` alone.
    "large": Size(
        {"acme-demo": 100_000, "lotus-demo": 20_000, "nova-demo": 2_000},
        {"acme-demo": 3_000, "lotus-demo": 1_000, "nova-demo": 300},
        orders_per_profile=1.6,
        visits_per_profile=0.2,
        reviews_per_order=0.1,
    ),
}


def tenant_spec(tenant: str) -> TenantSpec:
    """The spec of a tenant id.

    Raises:
        ValueError: the id is not one of the demo world's.
    """
    for spec in TENANTS:
        if spec.id == tenant:
            return spec
    known = ", ".join(spec.id for spec in TENANTS)
    raise ValueError(f"the demo world has no tenant {tenant!r}; it has {known}")


def size_named(name: str) -> Size:
    """The size of that name.

    Raises:
        ValueError: there is no such size.
    """
    if name not in SIZES:
        raise ValueError(f"there is no demo size {name!r}; choose one of {', '.join(SIZES)}")
    return SIZES[name]
