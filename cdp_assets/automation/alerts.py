"""The words of alerts about runs.

Belongs here: what an alert says, and keeping personal data and secrets out of it (it leaves the warehouse for chat and
mail). Does not belong here: delivery (`notify`), when an alert is due (`decisions`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdp_assets.notify import Alert

OWN_ERRORS = frozenset(
    {"Failure", "SourceRejected", "SourceUnavailable", "CursorLost", "TenantError", "WarehouseError", "Busy",
     "DagsterAssetCheckFailedError"}
)  # fmt: skip
"""Errors whose messages are written here or by Dagster and quote names, never values of a document."""

_LATER = "Nothing is lost: the next run continues where this one stopped. If it lasts, look at the source."
_NEXT_STEPS = {
    "SourceUnavailable": _LATER,
    "CursorLost": _LATER,
    "SourceRejected": "Mend what the message names, then re-execute the run.",
    "TenantError": "Mend what the message names, then re-execute the run.",
    "WarehouseError": "Mend what the message names, then re-execute the run.",
    "Failure": "Mend what the message names, then re-execute the run.",
    "DagsterAssetCheckFailedError": "The check's metadata shows count, sample and remedy.",
}
_USUAL_STEP = (
    "Read the error in the run's log. Every step is safe to repeat: re-execute the run from failure."
)

_MASKS = (
    (re.compile(r"//[^/@\s]*@"), "//"),
    (
        re.compile(r"\b(\w*(?:password|passwd|secret|token|api_?key))\b\s*[=:]\s*\S+", re.IGNORECASE),
        r"\1=***",
    ),
    (re.compile(r"\bhttps://hooks\.\S+"), "<webhook>"),
    (re.compile(r"[^\s@<>\"'(]+@[^\s@<>\"')]+\.[A-Za-z]{2,}"), "<e-mail>"),
    (re.compile(r"(?<![\w-])\+?\d{8,15}(?![\w-])"), "<number>"),
    (re.compile(r"\+\d[\d ().-]{6,}\d"), "<number>"),
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True, slots=True)
class RunError:
    """Where and how a run failed: step ("" = outside of any), class of the error, its message."""

    step: str
    error_class: str
    message: str


def safe_line(error: RunError) -> str:
    """First line of the error, fit to leave the warehouse; 300 characters at most.

    Databases and parsers quote the value that they stumble over, and document it in the lines below the first.
    """
    line = next((line.strip() for line in error.message.splitlines() if line.strip()), "")
    for pattern, replacement in _MASKS:
        line = pattern.sub(replacement, line)
    if error.error_class not in OWN_ERRORS:
        line = _QUOTED.sub("'...'", line)
    return f"{error.error_class}: {line}"[:300] if line else error.error_class


def failure_alert(
    job: str, tenant_id: str | None, run_id: str, error: RunError, *, failures_in_a_row: int, is_retried: bool
) -> Alert:
    """What people are told of a failed run."""
    often = f" ({failures_in_a_row} times in a row)" if failures_in_a_row > 1 else ""
    next_step = (
        "Dagster starts the run again by itself."
        if is_retried
        else _NEXT_STEPS.get(error.error_class, _USUAL_STEP)
    )
    return Alert(
        title=f"{job} failed{_for(tenant_id)}{often}",
        details="\n".join(
            (
                f"Run: {run_id}",
                f"Step: {error.step or 'none, the run itself'}",
                f"Error: {safe_line(error)}",
                f"Next: {next_step}",
            )
        ),
        is_problem=True,
    )


def recovery_alert(job: str, tenant_id: str | None, run_id: str) -> Alert:
    """What people are told once a run succeeds that failed the last time."""
    return Alert(
        title=f"{job} works again{_for(tenant_id)}",
        details=f"Run: {run_id}\nThe run before it had failed. Nothing is left to do.",
        is_problem=False,
    )


def _for(tenant_id: str | None) -> str:
    return f" for tenant {tenant_id}" if tenant_id else ""
