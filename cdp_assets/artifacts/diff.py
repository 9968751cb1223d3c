"""What changed between two versions of a dataset: columns, rows, values.

Belongs here: comparing two tables by their key. Does not belong here: which column is the key (`datasets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cdp_assets.quality import SAMPLE_ROWS

SAMPLE_LENGTH = 60
"""Signs of a value in the sample."""


@dataclass(frozen=True, slots=True)
class Diff:
    """Two versions compared.

    Attributes:
        added, removed, changed, same: rows, by their key.
        columns_added, columns_removed: names.
        columns_retyped: (name, type before, type after); not compared by value.
        changes: column -> rows in which its value differs, most first; columns without any are left out.
        sample: (key, column, before, after) of the first values that differ, in the order of the key.
    """

    added: int
    removed: int
    changed: int
    same: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[tuple[str, str, str], ...]
    changes: dict[str, int]
    sample: tuple[tuple[str, str, str, str], ...]

    @property
    def is_empty(self) -> bool:
        """Whether the tables are the same."""
        return not (
            self.added
            or self.removed
            or self.changed
            or self.columns_added
            or self.columns_removed
            or self.columns_retyped
        )


def diff(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str]) -> Diff:
    """Compare two tables; nulls are equal to each other, and so are NaN.

    Raises:
        polars.exceptions.ColumnNotFoundError: one of them lacks a column of the key.
    """
    key = list(key)
    common = [name for name in before.columns if name in after.columns and name not in key]
    retyped = [name for name in common if before.schema[name] != after.schema[name]]
    compared = [name for name in common if name not in retyped]
    both = (
        before.select(*key, *compared)
        .join(after.select(*key, *compared), on=key, suffix="\0after", nulls_equal=True)
        .sort(key)
    )
    differs = both.select(pl.col(name).ne_missing(pl.col(f"{name}\0after")).alias(name) for name in compared)
    counts = {name: int(differs[name].sum()) for name in compared}
    changed = differs.select(pl.any_horizontal(compared)).to_series().sum() if compared else 0
    return Diff(
        added=after.join(before, on=key, how="anti", nulls_equal=True).height,
        removed=before.join(after, on=key, how="anti", nulls_equal=True).height,
        changed=int(changed),
        same=both.height - int(changed),
        columns_added=tuple(name for name in after.columns if name not in before.columns),
        columns_removed=tuple(name for name in before.columns if name not in after.columns),
        columns_retyped=tuple((name, str(before.schema[name]), str(after.schema[name])) for name in retyped),
        changes=dict(
            sorted(
                ((name, count) for name, count in counts.items() if count),
                key=lambda each: (-each[1], each[0]),
            )
        ),
        sample=_sample(both, differs, key),
    )


def _sample(
    both: pl.DataFrame, differs: pl.DataFrame, key: Sequence[str]
) -> tuple[tuple[str, str, str, str], ...]:
    found: list[tuple[str, str, str, str]] = []
    rows = (
        differs.with_row_index("\0row").filter(pl.any_horizontal(differs.columns))
        if differs.width
        else differs
    )
    for mark in rows.head(SAMPLE_ROWS).iter_rows(named=True):
        row = both.row(mark["\0row"], named=True)
        name_of_row = "/".join(str(row[name]) for name in key)
        found += [
            (name_of_row, name, _shown(row[name]), _shown(row[f"{name}\0after"]))
            for name in differs.columns
            if mark[name]
        ]
    return tuple(found[:SAMPLE_ROWS])


def _shown(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= SAMPLE_LENGTH else f"{text[: SAMPLE_LENGTH - 3]}..."
