"""Whether rows that a source no longer shows may be tombstoned: the one decision for LEO and for the shop.

Belongs here: the guard against a source that is broken rather than emptied. Does not belong here: marking the rows.
"""

from __future__ import annotations

MIN_GUARDED = 10
"""Up to this many vanished keys are tombstoned whatever their share: small collections lose single rows."""


def may_delete(*, total: int, known: int, vanished: int, max_share: float, allow_mass_delete: bool) -> bool:
    """Whether `vanished` of `known` keys may be tombstoned.

    Args:
        total: keys in the source now.
        known: keys that the warehouse has.
        vanished: those of them that the source no longer has.
        max_share: share of the known keys above which vanished ones are withheld.
        allow_mass_delete: a person has checked that the deletes are meant.
    """
    if vanished == 0 or allow_mass_delete:
        return True
    if total == 0:
        return False  # an empty source is a broken source until a person says otherwise
    return vanished <= max(MIN_GUARDED, max_share * known)
