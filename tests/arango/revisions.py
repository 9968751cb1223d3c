"""`_rev`: `(milliseconds << 20) | counter` in base 64, strictly increasing within one server.

Belongs here: making and reading revisions. Does not belong here: who gets one (`store`).
"""

from __future__ import annotations

import string
import threading
import time

_ALPHABET = "-_" + string.ascii_uppercase + string.ascii_lowercase + string.digits
_DIGIT = {letter: digit for digit, letter in enumerate(_ALPHABET)}

NEVER_WRITTEN = "54"
"""What the revision call of a collection says before its first write."""


class RevisionClock:
    """Gives out revision numbers; safe for threads."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def tick(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000 << 20)
            return self._last


def encode_revision(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 64)
        letters = _ALPHABET[digit] + letters
    return letters


def decode_revision(text: str) -> int | None:
    """The number behind a `_rev`; None when it is no revision of ArangoDB's making."""
    number = 0
    for letter in text:
        digit = _DIGIT.get(letter)
        if digit is None:
            return None
        number = number * 64 + digit
    return number if 0 < number < 2**64 else None
