"""What a dbt run says of itself in `run_results.json`: which nodes failed, and whether trying again may help.

Belongs here: reading that file. Does not belong here: running dbt (`resources.Transform`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

FAILED = {"error", "fail", "runtime error"}

PASSING = re.compile(
    r"deadlock detected|could not serialize|tuple concurrently updated|server closed the connection|"
    r"connection .* (?:failed|refused)|terminating connection|the database system is (?:starting up|shutting down)|"
    r"relation .* already exists"
)
"""Messages of faults that may be gone at the next try; dbt hands on PostgreSQL's words, not its codes. The last one is
what the second of two tenants hears that build a new mart for the first time at once."""

SHOWN = 10


class BuildFailed(Exception):
    """Models or tests failed; the message names each with what dbt said.

    Attributes:
        is_transient: whether every failure may be gone at the next try.
    """

    def __init__(self, failures: list[tuple[str, str]]) -> None:
        lines = [f"{node}: {said}" for node, said in failures[:SHOWN]]
        if len(failures) > SHOWN:
            lines.append(f"and {len(failures) - SHOWN} more")
        super().__init__(f"{len(failures)} dbt nodes failed\n" + "\n".join(lines))
        self.is_transient = all(PASSING.search(said) for _, said in failures)


def failure_of(target: Path) -> BuildFailed | None:
    """The failures of the run that wrote into `target`; None when dbt died before it could say."""
    results = target / "run_results.json"
    if not results.is_file():
        return None
    failures = [
        (_name(result["unique_id"]), " ".join((result["message"] or "").split()))
        for result in json.loads(results.read_text(encoding="utf-8"))["results"]
        if result["status"] in FAILED
    ]
    return BuildFailed(failures) if failures else None


def _name(unique_id: str) -> str:
    """`test.cdp.name.hash` -> `test name`."""
    kind, _, name, *_ = unique_id.split(".")
    return f"{kind} {name}"
