"""The dbt macros of the vocabularies, written from the tables here; a test compares the file with them.

Belongs here: rendering. `python -m cdp_assets.vocabulary.macros` writes the file anew.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from cdp_assets.vocabulary.order_statuses import BY_KEY, STATUSES, UNKNOWN
from cdp_assets.vocabulary.spelling import key_sql

FILE = Path(__file__).parent.parent.parent / "dbt_project" / "macros" / "vocabulary.sql"

MONEY_BACK = {"refunded": "cancelled"}
"""Marts have one word for orders that brought nothing: an order whose money was given back counts as cancelled."""


_TEXT = """\
{#- Written by `python -m cdp_assets.vocabulary.macros` from cdp_assets/vocabulary: change the tables there. -#}


{#- A source's word for the state of an order, in ours. Money given back counts as cancelled: it is no revenue. Other
    words are unknown, never guessed at. -#}
{% macro order_status(value) -%}
    (
        select
            case
<whens>
                else '<unknown>'
            end
        from (
            select
<key> as word
            offset 0
        ) as w
    )
{%- endmacro %}


{#- The states of an order: name, whether it is open, whether it is revenue, place in an order's life. -#}
{% macro order_statuses() -%}
    values
<rows>
{%- endmacro %}
"""


def rendered() -> str:
    """Text of the file."""
    parts = {
        "<whens>": _whens(), "<unknown>": UNKNOWN, "<key>": indent(key_sql("{{ value }}"), " " * 16),
        "<rows>": _rows(),
    }  # fmt: skip
    text = _TEXT
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _whens() -> str:
    words: dict[str, list[str]] = {}
    for word, status in sorted(BY_KEY.items()):
        words.setdefault(MONEY_BACK.get(status, status), []).append(f"'{word}'")
    return "\n".join(
        f"                when w.word in (\n                    {_lines(words[status.name])}\n"
        f"                ) then '{status.name}'"
        for status in STATUSES
        if status.name in words
    )


def _lines(items: list[str], width: int = 98) -> str:
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > width:
            lines.append("")
        lines[-1] += f"{item}, "
    return "\n                    ".join(line.rstrip() for line in lines).rstrip(",")


def _rows() -> str:
    shown = [status for status in STATUSES if status.name not in MONEY_BACK]
    return ",\n".join(
        f"    ('{status.name}', '{status.name.title()}', {str(status.is_open).lower()}, "
        f"{str(status.is_revenue).lower()}, {place})"
        for place, status in enumerate(shown, start=1)
    )


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
