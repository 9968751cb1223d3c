"""What a dataset is: inputs, a pure function, a contract, checks, pictures; and what one build of it yields.

Belongs here: the types that every dataset shares. Does not belong here: any dataset's columns or formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl

from cdp_assets.quality import Check
from cdp_assets.warehouse.options import TenantOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Frames = Mapping[str, pl.DataFrame]
"""Input -> rows; the names are those of `frames.FRAMES`."""

ASIDE = dict.fromkeys(("input", "key", "column", "value", "reason", "what"), pl.String)
"""What of the inputs cannot be reckoned with: the row's key, the column, its value where it may be told, why, and what
was set aside for it (`limits`)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose dataset is built, and as of when.

    Attributes:
        as_of: the last day that counts, in the tenant's time zone; a day that has ended.
        timezone: IANA name of the zone in which the tenant's days begin.
        currency: the tenant's main currency.
        options: of the tenant's registration.
        today: the tenant's day on which the dataset is built; the day after `as_of` when left out.
    """

    tenant_id: str
    as_of: date
    timezone: str
    currency: str
    options: TenantOptions = field(default_factory=TenantOptions)
    today: date | None = None

    @property
    def until(self) -> datetime:
        """The first instant after `as_of`, UTC: nothing at or after it may move a value."""
        return first_instant(self.as_of + timedelta(days=1), self.timezone)

    @property
    def ahead(self) -> datetime:
        """The first instant after the tenant's today, UTC: what says that it happened then has not happened."""
        return first_instant(
            (self.today or self.as_of + timedelta(days=1)) + timedelta(days=1), self.timezone
        )

    @property
    def is_newest(self) -> bool:
        """Whether `as_of` is known to be the last day that has ended for the tenant."""
        return self.today == self.as_of + timedelta(days=1)


def first_instant(day: date, timezone: str) -> datetime:
    """When a day begins in a zone, UTC."""
    return datetime.combine(day, time.min, ZoneInfo(timezone)).astimezone(UTC)


def last_whole_day(now: datetime, timezone: str) -> date:
    """The newest day of a zone that has ended at `now`."""
    return now.astimezone(ZoneInfo(timezone)).date() - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build yields.

    Attributes:
        table: the dataset's rows in any order, columns as the contract has them.
        files: further files of the version (exports, matrices), by name; the same input gives the same bytes.
        time_column: column of `table` with the time or day that a row tells of; None where it tells of none.
        numbers: what the asset's page shows beside the row count.
        off: why there are no rows, where nobody asked for any; blank where there should be some.
    """

    table: pl.DataFrame
    files: Mapping[str, bytes] = field(default_factory=dict)
    time_column: str | None = None
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    off: str = ""


@dataclass(frozen=True)
class Audit:
    """What the checks of a dataset look at, before anything of it can be seen by others.

    Attributes:
        table: the rows that keep the contract: what will be published.
        refused: the rows that break it, with a column per rule: `valid`, `invalid` or `unknown`.
        inputs: the frames that it was built of.
        built: files and numbers of the build.
        history: rows of the versions that were published before, oldest first.
        read_previous: reads the version that is published now; None before the first.
        key: columns that make a row of `table` unique.
        pooled: columns that one number of all rows moves; see `Dataset`.
        aside: what of the sources' rows is not in `inputs` (`ASIDE`).
    """

    scope: Scope
    table: pl.DataFrame
    refused: pl.DataFrame
    inputs: Frames
    built: Built
    history: tuple[int, ...]
    read_previous: Callable[[], pl.DataFrame | None]
    key: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    aside: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ASIDE))

    def all_rows(self, *columns: str) -> pl.DataFrame:
        """Rows that keep the contract and those that break it, some columns or all: a refused row is not lost."""
        wanted = columns or self.table.columns
        return pl.concat([self.table.select(wanted), self.refused.select(wanted)])

    @property
    def rows_set_aside(self) -> int:
        """Rows of the sources that the build did not see."""
        return self.aside.filter(pl.col("what") != "value").height

    @cached_property
    def previous(self) -> pl.DataFrame | None:
        """The rows that are published now; None before the first version."""
        return self.read_previous()


@dataclass(frozen=True)
class Dataset:
    """One dataset: one table of schema `datasets`, one asset, one folder of versions.

    Attributes:
        name: of the table.
        letter: A to F, as the seeds call it.
        description: for the asset's page; begins with the grain.
        contract: columns, primary key and rules of a row; rows that break a rule go to quarantine.
        reads: inputs, by their names in `frames.FRAMES`; the build takes them by keyword.
        build: pure: (scope, **frames) -> what is built.
        checks: beside those that all datasets share (`common_checks`).
        pictures: for the asset's page, by title; of what was published.
        shows: columns of the preview, none of them personal.
        deps: assets that the build depends on, as schema.table, where the inputs do not say it.
        continues: files of the published version that the build takes as `previous` (name -> bytes, of those that are
            there), where ids or history go on from version to version.
        sorts_by: order of the rows in the file; the key when left out.
        pooled: columns in which one number of all rows stands for most of the value: an estimate that they share, a
            rank or a place among them, a calendar. It moves every row at once, which is one number's chance, not that
            of so many rows. Drift looks at the columns they are made of.
        reads_files: whether, by a tenant's options, the build reads files beside its inputs; None where it never does.
            Nothing counts their changes, so such a build is repeated whenever it is asked for.
    """

    name: str
    letter: str
    description: str
    contract: type[dy.Schema]
    reads: tuple[str, ...]
    build: Callable[..., Built]
    checks: tuple[Check[Audit], ...] = ()
    pictures: Callable[[Audit], dict[str, Figure]] | None = None
    shows: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    continues: tuple[str, ...] = ()
    sorts_by: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    reads_files: Callable[[TenantOptions], bool] | None = None

    @property
    def key(self) -> list[str]:
        """Columns that make a row unique within the tenant."""
        return self.contract.primary_key()
