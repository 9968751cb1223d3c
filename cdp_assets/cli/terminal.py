"""How the command line looks: tables, one-block errors, times. Nothing here knows what is shown.

What is shown comes from documents, rows and servers of others: text is never read as markup, and characters that would
command the terminal are spelled out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

_COMMANDS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls, marks that turn the direction of writing, and halves of characters, which no terminal can be sent."""


def visible(text: str) -> str:
    r"""The text with what a terminal would obey spelled out, as `\x1b`."""
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Plain(Console):
    """A console that shows each string as it is."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed, in a table and a frame as well, comes by here."""
        return super().render_str(visible(text), **options | {"markup": False, "emoji": False})

    def status(self, status: object, **options: Any) -> Status:
        """A line with a spinner, which would read a string as markup."""
        return super().status(Text(visible(str(status))), **options)


# In a pipe or a CI log there is no window to fit: 80 columns would fold every table.
out = _Plain(highlight=False, width=None if sys.stdout.isatty() else 150)
err = _Plain(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 150)


def fail(message: str) -> None:
    """Show an error as one block on standard error."""
    err.print(Panel(message, title="cdp", title_align="left", border_style="red", expand=False))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Sequence[str] = ()
) -> None:
    """Print a table below its title; `numeric` columns are set flush right."""
    if title:
        out.print(title, style="bold")
    grid = Table()
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
