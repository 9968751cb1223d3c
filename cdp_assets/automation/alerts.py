"""Alerts about runs: when one is due, and what it says.

Belongs here: rules over how runs ended, the words, and keeping personal data and secrets out of them (an alert leaves
the warehouse for chat and mail). Does not belong here: delivery (`notify`). No Dagster, as in `decisions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and the assets that it was restricted to (None: all of its job)."""

    succeeded: bool
    assets: frozenset[str] | None


def _covers(these: frozenset[str] | None, those: frozenset[str] | None) -> bool:
    return these is None or (those is not None and those <= these)


def failures_in_a_row(assets: frozenset[str] | None, earlier: Iterable[Outcome]) -> int:
    """How often these assets have failed since they last succeeded, with the failure at hand.

    `earlier` holds the runs before it, newest first. A sweep of the products that works does not end a row of failed
    sweeps of the profiles.
    """
    count = 1
    for outcome in earlier:
        if outcome.succeeded and _covers(outcome.assets, assets):
            break
        if not outcome.succeeded and (_covers(outcome.assets, assets) or _covers(assets, outcome.assets)):
            count += 1
    return count


def is_recovery(assets: frozenset[str] | None, earlier: Iterable[Outcome]) -> bool:
    """Whether a run of these assets that succeeded mends an earlier failure; `earlier` is newest first."""
    mended: list[frozenset[str] | None] = []
    for outcome in earlier:
        if outcome.succeeded:
            if _covers(outcome.assets, assets):
                return False  # whatever failed before it was mended by it already
            mended.append(outcome.assets)
        elif _covers(assets, outcome.assets) and not any(_covers(each, outcome.assets) for each in mended):
            return True
    return False


def is_alert_due(failures_in_a_row: int) -> bool:
    """Alert at the 1st, 2nd, 4th, 8th ... failure in a row.

    A source that is down for a day fails 96 syncs per tenant; 96 mails teach people to ignore mails, 7 do not.
    """
    return failures_in_a_row & (failures_in_a_row - 1) == 0
