"""Event types in frames: names as columns of canonical types.

Does not belong here: the names (`cdp_assets.vocabulary.event_types`), and what a type is worth.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.vocabulary.event_types import ALIASES, EVENT_TYPES, ON_THE_WAY, event_type

__all__ = ["ALIASES", "EVENT_TYPES", "EventType", "canonical", "converted"]

EventType = pl.Enum(EVENT_TYPES)


def canonical(name: pl.Expr) -> pl.Expr:
    """The canonical type (`EventType`) of a source's name, however it is spelt; null for unknown names."""
    return name.map_batches(_canonical, return_dtype=EventType)


def converted(kind: pl.Expr, is_conversion: pl.Expr) -> pl.Expr:
    """Canonical types, given whether LEO counts the event as a conversion (null: it does not say).

    What it counts is a purchase, whatever its name, unless the name says that somebody is only on the way to one.
    """
    only_on_the_way = kind.is_in(sorted(ON_THE_WAY)).fill_null(value=False)
    is_purchase = is_conversion.fill_null(value=False) & ~only_on_the_way
    return pl.when(is_purchase).then(pl.lit("purchase", EventType)).otherwise(kind)


def _canonical(names: pl.Series) -> pl.Series:
    # a handful of names, millions of events
    told = names.unique()
    meant = pl.Series([event_type(name) for name in told], dtype=EventType)
    # without any name polars gives text, whatever it is asked for
    return names.replace_strict(told, meant, return_dtype=EventType).cast(EventType)
