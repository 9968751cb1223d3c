"""Measures of vectors against the texts they stand for: none missing, none of an older text.

Belongs here: what is made of `VectorSubject.compared`. A text that changed keeps its old vector until the queue has
brought the new one: for as long as its job is young, both checks only warn.
"""

from __future__ import annotations

from collections.abc import Callable

from cdp_assets.checks.vector_subject import PATIENCE_H, Comparison, Difference, State, VectorSubject
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity

SAID: dict[State, str] = {
    "queued": "in the queue",
    "late": f"in the queue for more than {PATIENCE_H} h",
    "dead": "given up",
    "lost": "no job asks for it",
}


def coverage(subject: VectorSubject) -> Measure:
    """Texts that have no vector, or that of an older text."""
    compared = subject.compared
    by_state, sample = _chosen(compared, lambda found: found.has_text)
    missing = sum(by_state.values())
    covered = compared.texts - missing
    return Measure(
        missing,
        f"{covered} of {compared.texts} texts have their vector" + _listed(by_state),
        {
            "texts": compared.texts,
            "texts_without_vector": missing,
            "coverage": covered / compared.texts if compared.texts else 1.0,
            **{f"jobs_{state}": count for state, count in by_state.items()},
        },
        ("key", "problem", "error"),
        [(found.key, SAID[found.state], found.error) for found in sample],
        _severity(by_state),
    )


def staleness(subject: VectorSubject) -> Measure:
    """Vectors of an older text, or of something that has no text any more."""
    compared = subject.compared
    by_state, sample = _chosen(compared, lambda found: found.has_vector)
    stale = sum(by_state.values())
    return Measure(
        stale,
        f"{stale} of {compared.vectors} vectors are not those of a present text" + _listed(by_state),
        {"vectors": compared.vectors, **{f"stale_{state}": count for state, count in by_state.items()}},
        ("key", "vector of", "problem"),
        [
            (found.key, "an older text" if found.has_text else "a text that is gone", SAID[found.state])
            for found in sample
        ],
        _severity(by_state),
    )


def _chosen(
    compared: Comparison, is_counted: Callable[[Difference], bool]
) -> tuple[dict[State, int], list[Difference]]:
    counted = [found for found in compared.differences if is_counted(found)]
    kinds = {(found.has_text, found.has_vector, found.state): found.count for found in counted}
    by_state: dict[State, int] = dict.fromkeys(SAID, 0)
    for (_, _, state), count in kinds.items():
        by_state[state] += count
    return by_state, counted[:SAMPLE_ROWS]


def _listed(by_state: dict[State, int]) -> str:
    found = ", ".join(f"{count} {SAID[state]}" for state, count in by_state.items() if count)
    return f": {found}" if found else ""


def _severity(by_state: dict[State, int]) -> Severity:
    return Severity.WARN if sum(by_state.values()) == by_state["queued"] else Severity.ERROR
