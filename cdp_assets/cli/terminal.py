"""How the command line looks: tables, one-block errors, times. Nothing here knows what is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

# In a pipe or a CI log there is no window to fit: 80 columns would fold every table.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 150)


def fail(message: str) -> None:
    """Show an error as one block on standard error."""
    err.print(Panel(message, title="cdp", title_align="left", border_style="red", expand=False), markup=False)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Sequence[str] = ()
) -> None:
    """Print a table; `numeric` columns are set flush right."""
    grid = Table(title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        is_number = column in numeric
        grid.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    out.print(grid)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def ago(time: datetime | None) -> str:
    """How long ago, in the largest unit that fits."""
    if time is None:
        return "never"
    seconds = (datetime.now(UTC) - time).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
