"""Checks that every dataset shares: rows that break the contract, number of rows, drift of the columns.

Belongs here: what can be said of a table from its contract and from the versions before it. Does not belong here: what
the columns mean (`checks` of each dataset).
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import polars as pl

from cdp_assets.datasets.model import Audit
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MAX_REFUSED = 0.01
"""Share of rows that may break the contract: a few odd inputs, not a fault of the build."""

HISTORY = 5
"""Versions from which a usual number of rows can be told."""

BAND = 0.5
"""A number of rows outside half and one and a half of the usual is asked about: seasons and campaigns move less."""

PSI_WARN, PSI_ERROR = 0.1, 0.25
"""The customary reading of the population stability index: below 0.1 nothing has moved, above 0.25 much has."""

PSI_BINS = 10
CHANCE = 21.67
"""99th percentile of chi-square with 9 degrees of freedom: times (1 / n + 1 / m), how far the index of two samples of
one population comes by chance (Yurdakul 2018)."""

TOLERANCE = 0.1
"""Standard deviations by which the edges of bins are widened: a smoothed rate that is the same for most customers moves
in its fourth digit every day, and with it all of them from one bin to the next."""

RESOLUTION = 1e-4
"""Of the mean size of the values: the least by which edges are widened. Where nobody leaves, every customer is alive by
0.9999990 to 1, and which of the last digits it is says nothing."""

MIN_PSI_ROWS = 100
"""Rows below which ten bins hold a handful each, and their shares move by chance."""


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
        f"{refused} of {rows} rows break the contract and are in quarantine ({share:.2%}, {MAX_REFUSED:.0%} "
        "are tolerated)",
        {"refused": refused, "share": share, "max_share": MAX_REFUSED},
        ("rules", *key),
        broken,
        Severity.ERROR if share > MAX_REFUSED else Severity.WARN,
    )


def row_count_band(audit: Audit) -> Measure:
    """Rows against the median of the last versions; nothing is an error once there was something."""
    rows = audit.table.height
    if audit.built.off:
        return Measure(0, f"no rows: {audit.built.off}", {"rows": rows})
    if not rows and audit.history and audit.history[-1]:
        return Measure(1, f"no rows, and {audit.history[-1]} in the version before", {"rows": 0})
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
    names = [name for name in audit.key if audit.table.schema[name] != pl.Date]

    def _things(table: pl.DataFrame) -> int:
        """What was drawn: 28 days of one series are one thing."""
        return table.select(names).n_unique() if names else table.height

    if before is None or min(before.height, audit.table.height) < MIN_PSI_ROWS:
        return Measure(0, "nothing to compare with: no version before, or too few rows")
    moved = {
        name: psi(before[name], audit.table[name])
        for name, type_ in audit.table.schema.items()
        if type_.is_numeric() and name in before.columns and name not in audit.pooled
    }
    chance = CHANCE * (1 / _things(before) + 1 / _things(audit.table))
    over = sorted(((value, name) for name, value in moved.items() if value > PSI_WARN + chance), reverse=True)
    worst = over[0][0] if over else max(moved.values(), default=0.0)
    return Measure(
        len(over),
        f"{len(over)} of {len(moved)} columns have moved since the version before (highest PSI {worst:.3f})",
        {"highest_psi": worst, "warns_from": PSI_WARN + chance, "fails_from": PSI_ERROR + chance},
        ("column", "PSI"),
        [(name, f"{value:.3f}") for value, name in over[:SAMPLE_ROWS]],
        Severity.ERROR if worst > PSI_ERROR + chance else Severity.WARN,
    )


def psi(before: pl.Series, now: pl.Series) -> float:
    """Population stability index: sum over bins of (q - p) ln(q / p), p and q the shares before and now.

    Bins are deciles of `before` (equal values share a bin), missing values a bin of their own; an empty bin counts as
    half a row, so that the index stays finite.
    """
    known = before.drop_nulls().cast(pl.Float64).to_numpy()
    edges = np.array([])
    if known.size:
        inner = np.quantile(known, np.linspace(0, 1, PSI_BINS + 1)[1:-1])
        slack = max(TOLERANCE * known.std(), RESOLUTION * np.abs(known).mean())
        # what lies below all that there was has a bin of its own, as what lies above has: a constant can move down, too
        edges = np.unique(np.append(np.nextafter(known.min() - slack, -np.inf), inner + slack))
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
        "contract_kept",
        "Rows that a rule of the contract refuses, against 1 % of all.",
        "look at the rows with `cdp quarantine list --tenant {tenant} --collection datasets.{table}`; mend the source, "
        "or the build if the rule is broken by what is right",
        contract_kept,
        blocking=True,
    ),
    Check(
        "row_count_band",
        "Rows against half to one and a half of the median of the last versions; none at all fails.",
        "compare the inputs on the asset's page with the run before: a source that was not synced, or a filter that "
        "changed",
        row_count_band,
        blocking=True,
    ),
    Check(
        "drift",
        "Population stability index of each numeric column against the version before: 0.1 above chance warns, 0.25 "
        "fails.",
        "look at the columns in the sample: a source that changed its meaning, or a season; retrain what uses them",
        drift,
    ),
)
"""Numbers, drift and contract of any dataset. Drift never blocks: what has moved may be the truth."""
