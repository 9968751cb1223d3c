"""How a picture reaches an asset's page: small, on a white card, so that a dark page changes nothing.

Belongs here: what all pictures share. What they show is with the stage.
"""

from __future__ import annotations

import warnings
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's: apart for every kind of colour vision."""

OTHER_COLOUR = "#b8b8b8"


def panel(columns: int = 1, *, width: float = 6.4, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    """A figure (inches) with so many axes side by side; without pyplot, whose state threads share."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")
    axes = [figure.add_subplot(1, columns, place + 1) for place in range(columns)]
    for each in axes:
        each.tick_params(labelsize=8)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
    return figure, axes


def markdown(figure: Figure, title: str) -> str:
    """The figure as a PNG inside Markdown."""
    return f"![{title}](data:image/png;base64,{b64encode(png(figure)).decode()})"


def png(figure: Figure) -> bytes:
    """The figure as a PNG; signs that the font has not (in names of segments, of products) are drawn as boxes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    out = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        # not print_figure, which lays out and draws twice: the same bytes in four fifths of the time
        FigureCanvasAgg(figure).print_png(out)  # type: ignore[no-untyped-call]
    return out.getvalue()
