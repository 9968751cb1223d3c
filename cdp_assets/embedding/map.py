"""A map of a tenant's profiles: each a dot, near each other where their vectors are, coloured by segment.

Belongs here: the picture. It shows at a glance whether vectors mean anything: with a broken provider all segments
lie in one cloud. No key and no name of a profile is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cdp_assets.embedding.entities import PROFILE
from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.embedding.samples import draw
from cdp_assets.pictures import COLOURS, OTHER_COLOUR, markdown, panel
from cdp_assets.warehouse.connection import Connection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS = 3_000
FITTED = 1_000
"""Profiles from which the axes are found: two axes need no more, and 3,072 dimensions take a second."""

SEGMENTS = 6
OTHER = "other"
NAME_LENGTH = 32


def profile_map(conn: Connection, tenant_id: str, model_id: str) -> str | None:
    """The map as Markdown with the picture (PNG) inside; None when fewer than three profiles have a vector."""
    sample = draw(conn, tenant_id, model_id, PROFILE.name, DOTS, one_per_text=False)
    if len(sample.keys) < 3:
        return None
    places, shares = principal_axes(sample.vectors)
    return markdown(_picture(places, shares, _segments(conn, tenant_id, sample.keys)), "Profiles by segment")


def principal_axes(vectors: Vectors) -> tuple[np.ndarray, tuple[float, float]]:
    """(n, 2) places on the two axes along which the vectors differ most, and each axis' share of the variance.

    An axis has no direction of its own: its largest weight is made positive, so that a map does not flip.
    """
    centred = vectors.astype(np.float64) - vectors[:FITTED].mean(axis=0, dtype=np.float64)
    fitted = centred[:FITTED]
    _, scales, axes = np.linalg.svd(fitted, full_matrices=False)
    axes = np.vstack([axes, np.zeros((2, axes.shape[1]))])[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[[0, 1], largest] < 0, -1.0, 1.0)[:, None]
    variance = scales**2
    total = variance.sum() or 1.0
    first, second = (float(part / total) for part in np.pad(variance, (0, 2))[:2])
    return centred @ axes.T, (first, second)


def _segments(conn: Connection, tenant_id: str, keys: Sequence[str]) -> list[str]:
    """Per profile the name of the smallest of the shown segments that it is in: a large one would hide the others."""
    rows = conn.execute(
        "select m.cdp_profile_id, coalesce(s.name, m.segment_id) from cdp.profile_segment as m "
        "left join cdp.segment as s on s.tenant_id = m.tenant_id and s.segment_id = m.segment_id "
        "where m.tenant_id = %s and m.left_at is null and m.cdp_profile_id = any(%s)",
        (tenant_id, list(keys)),
    ).fetchall()
    sizes = Counter(name for _, name in rows)
    shown = dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:SEGMENTS])
    chosen: dict[str, str] = {}
    for key, name in rows:
        if name in shown and (key not in chosen or (shown[name], name) < (shown[chosen[key]], chosen[key])):
            chosen[key] = name
    return [chosen.get(key, OTHER) for key in keys]


def _picture(places: np.ndarray, shares: tuple[float, float], segments: Sequence[str]) -> Figure:
    figure, (axes,) = panel(height=4.4)
    named = np.array(segments, dtype=object)
    counts = Counter(segments)
    names = sorted(counts, key=lambda name: (name == OTHER, -counts[name], name))
    colours = dict(zip((name for name in names if name != OTHER), COLOURS, strict=False))
    for name in sorted(names, key=lambda name: (name != OTHER, -counts[name], name)):
        dots = places[named == name]
        axes.scatter(
            dots[:, 0],
            dots[:, 1],
            s=min(30, max(6, 6_000 / len(segments))),
            linewidths=0,
            alpha=0.75,
            color=colours.get(name, OTHER_COLOUR),
            label=f"{name[:NAME_LENGTH]} ({counts[name]:,})",
        )
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    labels = [f"{name[:NAME_LENGTH]} ({counts[name]:,})" for name in names]
    legend = figure.legend(
        [handles[label] for label in labels], labels, loc="outside right upper", frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name with two dollar signs is no formula
        text.set_fontsize(8)
    axes.set_title(f"{len(segments):,} profiles by segment", fontsize=10)
    axes.set_xlabel(f"first axis ({shares[0]:.0%} of the variance)", fontsize=8)
    axes.set_ylabel(f"second axis ({shares[1]:.0%})", fontsize=8)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    return figure
