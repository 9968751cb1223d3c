"""How far an extract of a shop may go, and what it did.

Belongs here: options and results as plain values. Does not belong here: how they come about (`load`, `extract`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Mode = Literal["window", "sweep", "full"]
Progress = Callable[[str], None]

ABSENT = "absent"
"""Mode of a table that the shop lacks."""
SKIPPED = "skipped"
"""Mode of a table that another run is loading."""


@dataclass(frozen=True, slots=True)
class ShopOptions:
    """How far an extract may go.

    Attributes:
        overlap: how far a window reaches back behind the watermark.
        safety_lag: how far the watermark stays behind the shop's clock, at least.
        default_region: country in which the shop's telephone numbers without a country code are dialled.
        page_rows: rows per transaction of the warehouse; 250,000 order lines are 25 MB there.
        max_workers: tables that are read at the same time.
        max_delete_share: share of a table's live rows above which vanished ones are withheld.
        allow_mass_delete: tombstone whatever the share (a person has checked that the deletes are meant).
        attempts: how often a table that fails in passing is tried, in all.
        first_wait_s: seconds before the second attempt; doubled each time, up to 30, with jitter.
    """

    overlap: timedelta = timedelta(minutes=5)
    safety_lag: timedelta = timedelta(seconds=60)
    default_region: str = "VN"
    page_rows: int = 250_000
    max_workers: int = 4
    max_delete_share: float = 0.2
    allow_mass_delete: bool = False
    attempts: int = 4
    first_wait_s: float = 1.0


@dataclass(slots=True)
class TableResult:
    """What an extract did with one table. Counts include what earlier attempts of the same run committed.

    Attributes:
        table: name in the shop; the landing table is `raw.<table>`.
        mode: window, sweep, full, absent (an optional table that the shop lacks), or skipped (another run has it).
        read: rows that came from the shop, repeated ones each time.
        added, changed, unchanged: rows that landed: new, different from the table (or back from a tombstone), the same.
        rejected: rows in the shop that must not land; each counts once.
        recovered: quarantine entries closed because the row landed.
        tombstoned: rows marked as gone.
        withheld: vanished rows that the delete guard did not tombstone.
        absent: why there is nothing to load; blank where the shop has the table.
        notes: what a person may want to know.
        drift: what somebody should act on: unknown columns, secrets among them.
        error: why the table was not finished; what was committed stays.
    """

    table: str
    mode: str
    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    recovered: int = 0
    tombstoned: int = 0
    withheld: int = 0
    absent: str = ""
    notes: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def rows(self) -> int:
        """Rows of the landing table that were written."""
        return self.added + self.changed + self.tombstoned
