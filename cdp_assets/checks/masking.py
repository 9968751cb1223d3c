"""Personal data made unreadable for samples in check results.

Belongs here: how a contact or a free text is shown to an operator: enough to recognise the kind of fault, too little
to recognise the person. Document keys are not masked: without them nobody finds the document.
"""

from __future__ import annotations

import re

_CURRENCY = re.compile(r"[A-Z]{3}")


def masked_text(value: str) -> str:
    """`Lan Tran` -> `L***`."""
    return f"{value[:1]}***" if value else ""


def masked_email(value: str) -> str:
    """`lan.tran@example.com` -> `l***@e***.com`; what has not exactly one `@` is masked as text."""
    local, at, domain = value.strip().partition("@")
    if not at or "@" in domain:
        return masked_text(value.strip())
    name, dot, top = domain.rpartition(".")
    # A top-level domain says nothing of a person; anything longer or odder than one may be a second address.
    if dot and top.isalpha() and len(top) <= 6:
        return f"{masked_text(local)}@{masked_text(name)}.{top}"
    return f"{masked_text(local)}@{masked_text(domain)}"


def masked_phone(value: str) -> str:
    """`+84901234567` -> `***67`; the last two digits, and nothing of what is no digit."""
    digits = "".join(character for character in value if character.isdigit())
    return f"***{digits[-2:]}" if len(digits) > 6 else "***"


def masked_currency(value: str) -> str:
    """A currency code as it is; what the source holds in its place may be anything, and is masked."""
    return value if _CURRENCY.fullmatch(value) else f"{masked_text(value)} (no currency code)"
