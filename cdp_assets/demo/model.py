"""The model of the demo world: people, what they buy, do and say, apart from any source's way to store it.

Belongs here: the dataclasses and the world's calendar. Does not belong here: how entities are drawn (`people`,
`catalog`, `purchases`, `behaviour`, `segments`) and how LEO stores them (`leo`, `leo_profile`). Amounts are in units
of the currency; instants are UTC with whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

WORLD_END = datetime(2026, 6, 30, tzinfo=UTC)
"""Where step 0 ends. Step n ends n days later; nothing in a step is later than its end, save planted defects."""

HISTORY_DAYS = 730
WORLD_START = WORLD_END - timedelta(days=HISTORY_DAYS)

BATCH_LEAD = timedelta(minutes=10)
"""The nightly batch writes its documents at one instant, this long before the end of the day: no document of the day
has a later `updatedAt`, so the watermark lands exactly on a tie."""

QUIET_LEAD = timedelta(hours=1)
"""Nothing but the batch happens this close to the end of a day."""

EMPTY_TRANSACTION = "empty-transaction"


def end_of_step(step: int) -> datetime:
    """Midnight UTC at which the state of `step` was taken."""
    return WORLD_END + timedelta(days=step)


def batch_instant(step: int) -> datetime:
    """When the nightly batch of the day before `end_of_step(step)` wrote."""
    return end_of_step(step) - BATCH_LEAD


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person lives; blanks where nothing is known."""

    country: str
    nationality: str
    province: str
    city: str
    district: str
    ward: str
    postal_code: str
    plus_code: str


@dataclass(slots=True, eq=False)
class Person:
    """A human being: the truth behind one or more profiles."""

    number: int
    language: str
    gender: int
    first: str
    middle: str
    last: str
    born: date | None
    email: str
    phone: str
    place: Place
    job: str
    orders_per_year: float
    quits: datetime
    """True churn: no purchase and no session later than this."""
    untracked: bool
    """Buys in the store without giving an order number: every such edge says `empty-transaction`."""


@dataclass(frozen=True, slots=True)
class Consent:
    """1 agreed, 0 unset, -1 refused."""

    email: int
    sms: int
    web_push: int
    app_push: int
    ads: int


@dataclass(slots=True, eq=False)
class Profile:
    """A record of a person in the CDP, as it was captured: names and contacts may be misspelt or missing."""

    key: str
    person: Person
    kind: int
    created: datetime
    first: str
    middle: str
    last: str
    email: str
    phone: str
    consent: Consent
    status: int = 1
    context: int = 1
    """1 production, 0 test, -1 fake."""
    crm_id: str = ""
    labels: tuple[str, ...] = ()
    updated: datetime = WORLD_START
    merged_into: Profile | None = None
    merged_at: datetime | None = None
    memberships: list[Membership] = field(default_factory=list)

    @property
    def winner(self) -> Profile:
        """The profile at the end of the chain of merges; itself if it was never merged."""
        profile = self
        while profile.merged_into is not None:
            profile = profile.merged_into
        return profile


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A category of goods in both languages."""

    key: str
    vietnamese: str
    english: str


@dataclass(slots=True, eq=False)
class Product:
    """Something for sale, in one language and currency."""

    key: str
    number: int
    sku: str
    category: Category
    brand: str
    title: str
    description: str
    keywords: tuple[str, ...]
    language: str
    currency: str
    list_price: Decimal
    price: Decimal
    stock: int
    launched: datetime
    popularity: float


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A product in an order."""

    product: Product
    quantity: int
    price: Decimal
    """Paid per piece, after discount; zero for a gift."""

    @property
    def value(self) -> Decimal:
        return self.price * self.quantity


@dataclass(slots=True, eq=False)
class Purchase:
    """An order with its lines, all in one currency."""

    number: int
    order_id: str
    profile: Profile
    at: datetime
    channel: str
    """`web` (has a session), `store`, `phone` or `marketplace`."""
    metric: str
    currency: str
    status: str
    payment: str
    shipping: Decimal
    lines: tuple[Line, ...]
    tracked: bool
    """Whether a tracking event carries the order; an untracked one has no order number in LEO either."""

    @property
    def total(self) -> Decimal:
        """Goods only: the sum of the lines. Shipping comes on top, discounts are already inside the line prices."""
        return sum((line.value for line in self.lines), Decimal(0))

    @property
    def transaction_id(self) -> str:
        return self.order_id if self.tracked else EMPTY_TRANSACTION


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One visit to the shop's pages on one device."""

    key: str
    profile: Profile
    device: str
    source: str
    started: datetime


@dataclass(slots=True, eq=False)
class Event:
    """Something that happened on the shop's pages, or was imported (`session` is then None)."""

    key: str
    kind: str
    at: datetime
    profile: Profile
    session: Session | None
    product: Product | None = None
    purchase: Purchase | None = None
    query: str = ""
    seconds: int = 0


@dataclass(slots=True, eq=False)
class Review:
    """What a person said: a rating of a product, a survey answer or a message."""

    key: str
    kind: str
    profile: Profile
    at: datetime
    product: Product | None
    rating: int
    sentiment: int
    """Truth: -1 bad, 0 mixed, 1 good; the rating contradicts it in some reviews."""
    language: str
    text: str
    status: int


@dataclass(slots=True, eq=False)
class Segment:
    """A named group of profiles with a rule."""

    key: str
    name: str
    description: str
    kind: int
    status: int
    rule: str
    created: datetime
    score: int

    @property
    def query_hash(self) -> str:
        return self.key[:8]


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """A profile in a segment.

    `typed`: written by a save of the profile (its reference then has a `type`), not by the hourly refresh.
    """

    segment: Segment
    typed: bool


@dataclass(slots=True, eq=False)
class Model:
    """One tenant's world at the end of step 0. Never changed afterwards: later days are recorded beside it."""

    people: list[Person]
    profiles: list[Profile]
    products: list[Product]
    purchases: list[Purchase]
    events: list[Event]
    reviews: list[Review]
    segments: list[Segment]

    purchases_of: dict[str, list[Purchase]] = field(default_factory=dict)
    """Profile key -> its own purchases in order of time (before any merge moved them)."""
    events_of: dict[str, list[Event]] = field(default_factory=dict)
    reviews_of: dict[str, list[Review]] = field(default_factory=dict)
