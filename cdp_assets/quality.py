"""What a check says of what it looked at, whatever the stage.

Belongs here: the types that measures and catalogues of all stages share. A measure is a function from what it looks at
to `Measure`, and writes nothing. How Dagster shows one is in `asset_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

SAMPLE_ROWS = 20

Looked = TypeVar("Looked")
"""What a check looks at: a table of landing, a table of vectors, a dataset."""


class Severity(Enum):
    """WARN: someone should look. ERROR: rows are missing or wrong; blocks what follows if the check is blocking."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a check found.

    Attributes:
        failing: exact count of what is wrong; 0 passes.
        says: what was found, in one line.
        numbers: observed values and thresholds; names stay the same for ever, they are plotted.
        columns, sample: at most `SAMPLE_ROWS` rows of what is wrong, personal data masked.
        severity: how bad it is, should it fail.
    """

    failing: int
    says: str
    numbers: dict[str, float] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    sample: Sequence[Sequence[Any]] = ()
    severity: Severity = Severity.ERROR

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.failing == 0


@dataclass(frozen=True, slots=True)
class Check(Generic[Looked]):
    """One check of one table.

    Attributes:
        description: what is compared, and what passes.
        remedy: what to do when it fails; `{tenant}`, `{table}` and other names of the stage are filled in.
        blocking: after an ERROR nothing is built on the asset, in this run or in another.
        reads_source: needs `Subject.source`.
    """

    name: str
    description: str
    remedy: str
    measure: Callable[[Looked], Measure]
    blocking: bool = False
    reads_source: bool = False


def sampled(rows: Sequence[tuple[Any, ...]]) -> tuple[int, list[tuple[Any, ...]]]:
    """Split rows whose first column is `count(*) over ()` into the exact count and the sample."""
    return (int(rows[0][0]) if rows else 0), [row[1:] for row in rows[:SAMPLE_ROWS]]
