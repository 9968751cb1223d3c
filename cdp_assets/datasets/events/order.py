"""Events in order of whose they are and when they happened: what sessions and funnels both go by.

Belongs here: the one sort of dataset F. All that follows looks at neighbouring rows and keeps their order.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cdp_assets.datasets.event_types import canonical, converted
from cdp_assets.datasets.events.vocabulary import PLACES


def in_order(events: pl.DataFrame) -> pl.DataFrame:
    """Rows visitor by visitor in order of time; imported ones behind all others.

    Those of one instant come in the order of a visit (`PLACES`): who views, fills the cart and pays at one instant did
    so in this order. What is left is in order of `event_id`.
    """
    key = _key(events)
    row = np.argsort(key)
    key = key[row]
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))[: key.size]
    if tied.size:
        rows = events.select("event_at", "event_id", "source_event_type", "source_is_conversion")[row[tied]]
        kind = converted(canonical(pl.col("source_event_type")), pl.col("source_is_conversion"))
        place = kind.cast(pl.String).replace_strict(PLACES, default=len(PLACES), return_dtype=pl.Int8)
        row[tied] = row[tied][
            rows.select(pl.arg_sort_by(pl.Series(key[tied]), "event_at", place, "event_id")).to_series()
        ]
    # fetching rows from many small chunks takes ten times as long
    return events.rechunk()[row]


def _key(events: pl.DataFrame) -> np.ndarray:
    """Imported or not, visitor and time in one integer, which sorts five times as fast as three columns.

    Time is as fine as the bits allow that the visitors' numbers leave: to the microsecond over 100 days for a million
    visitors, to 16 microseconds over four years. Which visitor comes first does not matter.
    """
    if events.is_empty():
        return np.empty(0, np.uint64)
    owner = events["visitor_key"].cast(pl.Categorical).to_physical().to_numpy().astype(np.uint64)
    at = events["event_at"].to_physical().to_numpy()
    since = (at - at.min()).astype(np.uint64)
    bits = 63 - int(owner.max()).bit_length()
    too_fine = max(int(since.max()).bit_length() - bits, 0)
    imported = events["is_imported"].to_numpy().astype(np.uint64)
    key: np.ndarray = (
        (imported << np.uint64(63)) | (owner << np.uint64(bits)) | (since >> np.uint64(too_fine))
    )
    return key
