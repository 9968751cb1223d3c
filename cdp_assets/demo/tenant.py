"""One tenant of the demo world: its model, its LEO database and what the next day needs to know.

Belongs here: putting the parts together at step 0, and the bookkeeping between steps. Does not belong here: the parts
themselves, the steps (`advance`), files (`dumpfile`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from cdp_assets.demo.database import LeoDatabase
from cdp_assets.demo.draw import draw_model
from cdp_assets.demo.leo_base import base_collections
from cdp_assets.demo.model import Event, Model, Person, Profile, Purchase, Review, Segment
from cdp_assets.demo.sizes import Size, TenantSpec


@dataclass(frozen=True, slots=True)
class Defect:
    """A planted fault: where it is, which check must find it, what landing must make of it."""

    collection: str
    key: str
    name: str
    expected: str
    check: str
    mend: dict[str, object] = field(default_factory=dict)
    """The attributes as they should be; empty if nobody ever repairs it."""


@dataclass(slots=True)
class DayRecord:
    """What one later day added to the model, for sources that are rendered from the model."""

    people: list[Person] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    merged: list[tuple[str, str]] = field(default_factory=list)
    """(loser, winner) profile keys."""
    removed: list[str] = field(default_factory=list)
    """Profile keys."""
    restated: list[tuple[str, str]] = field(default_factory=list)
    """(order id, new status)."""
    repriced: list[tuple[str, Decimal]] = field(default_factory=list)
    """(product key, new price)."""


@dataclass(slots=True)
class TenantWorld:
    """One tenant at one step."""

    spec: TenantSpec
    size: Size
    seed: int
    model: Model
    database: LeoDatabase
    clean: bool = False
    """No fault is planted, at step 0 or later; dirt that is normal in LEO and in a shop stays."""
    step: int = 0
    days: list[DayRecord] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    live: dict[str, Profile] = field(default_factory=dict)
    """Active profiles without a planted fault: those that later days may act on."""
    doomed: list[str] = field(default_factory=list)
    """Softly deleted profiles that the cleaning job has not removed yet."""
    roots: set[str] = field(default_factory=set)
    """Profiles into which others were merged."""
    members: dict[str, set[str]] = field(default_factory=dict)
    """Segment key -> keys of its active members, for every segment that is not deleted."""


def build_tenant(spec: TenantSpec, size: Size, seed: int, *, clean: bool = False) -> TenantWorld:
    """The tenant at step 0, without planted defects so far; `clean`: for ever."""
    model = draw_model(spec, size, seed)
    tenant = TenantWorld(spec, size, seed, model, LeoDatabase(base_collections(spec, model)), clean)
    tenant.live = {profile.key: profile for profile in model.profiles if profile.status == 1}
    tenant.doomed = [profile.key for profile in model.profiles if profile.status in (-1, -4)]
    tenant.roots = {profile.merged_into.key for profile in model.profiles if profile.merged_into}
    tenant.members = {segment.key: set() for segment in model.segments if segment.status >= 0}
    for profile in model.profiles:
        for membership in profile.memberships:
            tenant.members[membership.segment.key].add(profile.key)
    return tenant
