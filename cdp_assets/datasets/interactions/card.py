"""The card of dataset A: how large, how sparse and how uneven it is, before anybody trains on it.

Belongs here: figures of the whole dataset. Figures of a customer and article are in the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

CORE = 5
SHARES = (0.01, 0.10, 0.20)


def card(pairs: pl.DataFrame, parts: pl.DataFrame) -> dict[str, Any]:
    """Figures over pairs and signals that speak for an article.

    Returns:
        n_users, n_items, n_pairs, n_signals; density = n_pairs / (n_users * n_items); item_gini and item_share_top_*:
        how unevenly signals fall on articles; repeat_purchase_share: pairs bought at least twice among those bought;
        median_history: signals of a customer; core_*: what is left when customers and articles with fewer than 5
        partners are dropped until none is.
    """
    liked, signals = (
        rows.select("user", "item", "strength").filter(pl.col("strength") > 0) for rows in (pairs, parts)
    )
    users, items = liked["user"].n_unique(), liked["item"].n_unique()
    per_user, per_item = _counts(signals["user"]), np.sort(_counts(signals["item"]))[::-1]
    bought = pairs["purchase_count"].to_numpy()
    return {
        "n_users": users,
        "n_items": items,
        "n_pairs": liked.height,
        "n_signals": signals.height,
        "density": _share(liked.height, users * items),
        "item_gini": gini(per_item),
        **{f"item_share_top_{share:.0%}".rstrip("%"): top_share(per_item, share) for share in SHARES},
        "repeat_purchase_share": _share((bought > 1).sum(), (bought > 0).sum()),
        "median_history": float(np.median(per_user)) if per_user.size else 0.0,
        **core(liked["user"].to_numpy(), liked["item"].to_numpy(), CORE),
    }


def _counts(ids: pl.Series) -> np.ndarray:
    """How often each id is there, of those that are."""
    counts = np.bincount(ids.to_numpy())
    return counts[counts > 0]


def to_json(figures: Mapping[str, Any]) -> bytes:
    """As it lies in a version."""
    return json.dumps(figures, indent=2).encode() + b"\n"


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of counts in falling order: 0 when all are equal, near 1 when one has everything."""
    n, total = counts.size, counts.sum()
    if not total:
        return 0.0
    return float((n + 1 - 2 * (np.arange(1, n + 1) * counts).sum() / total) / n)


def top_share(counts: np.ndarray, share: float) -> float:
    """What part of all falls on the given share of articles (one at least), counts in falling order."""
    return _share(counts[: max(1, round(share * counts.size))].sum(), counts.sum())


def core(users: np.ndarray, items: np.ndarray, k: int) -> dict[str, int]:
    """Size of the k-core: the pairs left when everybody with fewer than k partners is dropped, again and again."""
    while users.size:
        keeps = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
        if keeps.all():
            break
        users, items = users[keeps], items[keeps]
    return {
        f"core_{k}_users": int(np.unique(users).size),
        f"core_{k}_items": int(np.unique(items).size),
        f"core_{k}_pairs": int(users.size),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
