"""Checks that every dataset shares: rows that break the contract, number of rows, drift of the columns.

Belongs here: what can be said of a table from its contract and from the versions before it. Does not belong here: what
the columns mean (`checks` of each dataset).
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import polars as pl
from scipy.special import chdtri

from cdp_assets.datasets import limits
from cdp_assets.datasets.model import Audit
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MAX_REFUSED, FEW = 0.01, 5
"""Share of rows that may break the contract, and how many may whatever their share: a few odd inputs, no fault of the
build. One of the 42 articles of a small shop is above the share."""

HISTORY = 5
"""Versions from which a usual number of rows can be told."""

BAND = 0.5
"""A number of rows outside half and one and a half of the usual is asked about: seasons and campaigns move less."""

PSI_WARN = 0.1
"""The customary reading of the population stability index: below 0.1 nothing has moved."""

PSI_BINS = 10
CHANCE = 0.01
"""How often chance alone may alarm in a comparison of two versions, all of their columns together."""

TOLERANCE = 0.1
"""Standard deviations by which the edges of bins are widened: a smoothed rate that is the same for most customers moves
in its fourth digit every day, and with it all of them from one bin to the next."""

RESOLUTION = 1e-4
"""Of the mean size of the values: the least by which edges are widened. Where nobody leaves, every customer is alive by
0.9999990 to 1, and which of the last digits it is says nothing."""

MIN_PSI_ROWS = 100
"""Rows below which ten bins hold a handful each, and their shares move by chance."""


def inputs_are_usable(audit: Audit) -> Measure:
    """Rows and values of the sources that cannot be reckoned with; too many rows of one input are an error.

    Rows of days to come are no loss: they will be read when their day has ended.
    """
    lost = audit.aside.filter(pl.col("what") == limits.ROW).group_by("input").agg(pl.col("key").len())
    over = sorted(
        name
        for name, rows in lost.iter_rows()
        if rows > max(FEW, MAX_REFUSED * (audit.inputs[name].height + rows))
    )
    kinds = (limits.ROW, limits.AHEAD, limits.VALUE)
    rows, ahead, values = (audit.aside.filter(pl.col("what") == what).height for what in kinds)
    named = audit.aside.sort(pl.col("input").is_in(over), descending=True, maintain_order=True)
    return Measure(
        audit.aside.height,
        f"{rows} rows of the inputs cannot be used and {ahead} lie ahead: they are left out; {values} values are "
        "taken for unknown or put right" + (f"; too many rows of {', '.join(over)}" if over else ""),
        {"rows": rows, "rows_ahead": ahead, "values": values},
        ("input", "key", "column", "value", "reason", "what"),
        named.head(SAMPLE_ROWS).rows(),
        Severity.ERROR if over else Severity.WARN,
    )


def contract_kept(audit: Audit) -> Measure:
    """Rows that a rule of the contract refuses."""
    refused, rows = audit.refused.height, audit.table.height + audit.refused.height
    share = refused / rows if rows else 0.0
    rules = [name for name in audit.refused.columns if name not in audit.table.columns]
    key = audit.table.columns[:2]
    broken = [
        (", ".join(rule for rule in rules if row[rule] == "invalid"), *(row[name] for name in key))
        for row in audit.refused.head(SAMPLE_ROWS).iter_rows(named=True)
    ]
    return Measure(
        refused,
        f"{refused} of {rows} rows break the contract and are in quarantine ({share:.2%}; {FEW} rows or "
        f"{MAX_REFUSED:.0%} are tolerated)",
        {"refused": refused, "share": share, "max_share": MAX_REFUSED},
        ("rules", *key),
        broken,
        Severity.ERROR if refused > max(FEW, MAX_REFUSED * rows) else Severity.WARN,
    )


def row_count_band(audit: Audit) -> Measure:
    """Rows against the median of the last versions; nothing is an error once there were more than a few."""
    rows = audit.table.height
    if audit.built.off:
        return Measure(0, f"no rows: {audit.built.off}", {"rows": rows})
    if not rows and audit.history and audit.history[-1]:
        before = audit.history[-1]
        severity = Severity.ERROR if before > FEW else Severity.WARN
        return Measure(1, f"no rows, and {before} in the version before", {"rows": 0}, severity=severity)
    if len(audit.history) < HISTORY:
        return Measure(
            0,
            f"{rows} rows; a band is known after {HISTORY} versions, there are {len(audit.history)}",
            {"rows": rows},
        )
    usual = median(audit.history)
    low, high = math.floor(usual * (1 - BAND)), math.ceil(usual * (1 + BAND))
    return Measure(
        int(not low <= rows <= high),
        f"{rows} rows, where {low} to {high} are usual",
        {"rows": rows, "low": low, "high": high},
        ("rows", "least", "most"),
        [(rows, low, high)],
        Severity.WARN,
    )


def drift(audit: Audit) -> Measure:
    """Population stability index of every numeric column that is not pooled against the version before."""
    before = audit.previous
    if before is None or min(before.height, audit.table.height) < MIN_PSI_ROWS:
        return Measure(0, "nothing to compare with: no version before, or too few rows")
    names = [
        name
        for name, type_ in audit.table.schema.items()
        if type_.is_numeric() and name in before.columns and name not in audit.pooled
    ]
    key = [name for name in audit.key if audit.table.schema[name] != pl.Date]
    # what was drawn: 28 days of one series are one thing
    before_things, things = (
        table.select(key).n_unique() if key else table.height for table in (before, audit.table)
    )
    moved = []
    for name in names:
        edges = _edges(before[name])
        by_chance = chance_of(edges.size + 1, before_things, things, CHANCE / len(names))
        moved.append((_index(edges, before[name], audit.table[name]), PSI_WARN + by_chance, name))
    moved.sort(reverse=True)
    over = [(name, f"{value:.3f}", f"{limit:.3f}") for value, limit, name in moved if value > limit]
    highest, limit, _ = moved[0] if moved else (0.0, PSI_WARN, "")
    return Measure(
        len(over),
        f"{len(over)} of {len(names)} columns have moved since the version before (highest PSI {highest:.3f})",
        {"highest_psi": highest, "warns_from": limit},
        ("column", "PSI", "warns from"),
        over[:SAMPLE_ROWS],
        Severity.WARN,
    )


def chance_of(bins: int, before: int, now: int, chance: float) -> float:
    """How far the index of two samples of one population comes with such a chance.

    The index is distributed as chi-square with bins - 1 degrees of freedom times 1 / before + 1 / now (Yurdakul, 2018).
    """
    return float(chdtri(max(bins - 1, 1), chance)) * (1 / max(before, 1) + 1 / max(now, 1))


def psi(before: pl.Series, now: pl.Series) -> float:
    """Population stability index: sum over bins of (q - p) ln(q / p), p and q the shares before and now.

    Bins are deciles of `before` (equal values share a bin), missing values a bin of their own; an empty bin counts as
    half a row, so that the index stays finite.
    """
    return _index(_edges(before), before, now)


def _edges(before: pl.Series) -> np.ndarray:
    known = before.drop_nulls().cast(pl.Float64).to_numpy()
    if not known.size:
        return np.array([])
    inner = np.quantile(known, np.linspace(0, 1, PSI_BINS + 1)[1:-1])
    slack = max(TOLERANCE * known.std(), RESOLUTION * np.abs(known).mean())
    # what lies below all that there was has a bin of its own, as what lies above has: a constant can move down as well
    return np.unique(np.append(np.nextafter(known.min() - slack, -np.inf), inner + slack))


def _index(edges: np.ndarray, before: pl.Series, now: pl.Series) -> float:
    p, q = _shares(before, edges), _shares(now, edges)
    return float(((q - p) * np.log(q / p)).sum())


def _shares(values: pl.Series, edges: np.ndarray) -> np.ndarray:
    known = values.drop_nulls().cast(pl.Float64).to_numpy()
    counts = np.append(
        np.bincount(np.searchsorted(edges, known, side="left"), minlength=edges.size + 1), values.null_count()
    )
    shares: np.ndarray = np.maximum(counts, 0.5) / max(values.len(), 1)
    return shares


COMMON_CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "inputs_are_usable",
        "Rows of the sources without a time, an amount or a quantity that can be true, and other odd values: named; "
        "more than 5 rows and 1 % of an input fail.",
        "mend the rows at the source; `cdp quarantine list --tenant {tenant} --collection datasets.{table}` has all of "
        "them. Many at once are a column that is mapped wrong, or another unit",
        inputs_are_usable,
        blocking=True,
    ),
    Check(
        "contract_kept",
        "Rows that a rule of the contract refuses, against 1 % of all and 5 rows.",
        "look at the rows with `cdp quarantine list --tenant {tenant} --collection datasets.{table}`; mend the source, "
        "or the build if the rule is broken by what is right",
        contract_kept,
        blocking=True,
    ),
    Check(
        "row_count_band",
        "Rows against half to one and a half of the median of the last versions; none after more than 5 fails.",
        "compare the inputs on the asset's page with the run before: a source that was not synced, or a filter that "
        "changed",
        row_count_band,
        blocking=True,
    ),
    Check(
        "drift",
        "Population stability index of each numeric column against the version before: 0.1 above chance warns. Ranks "
        "among the rows, and estimates that all rows share, are left out.",
        "look at the columns in the sample: a source that changed its meaning, or a season; retrain what uses them",
        drift,
    ),
)
"""Numbers, drift and contract of any dataset. Drift never blocks: what has moved may be the truth."""
