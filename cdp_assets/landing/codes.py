"""LEO's numeric codes in our words. An unknown code is a reject, never a guess.

Does not belong here: words that people type, such as the state of an order (`cdp_assets.vocabulary`). Sources:
`PersistentObject`, `ProfileGenderCode`, `Segment`, `AssetItemStatus`, `FeedbackEvent` and `TrackingEventState` of the
LEO CDP framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdp_assets.landing.values import Document, FieldError, integer, shown

PROFILE_STATUS = {1: "active", 0: "merged", -1: "invalid", -4: "removed", -44: "dead"}
PROFILE_TYPE = {
    0: "visitor", 1: "login_user", 2: "customer", 3: "student", 4: "crm_import", 5: "direct_input", 6: "influencer",
    7: "client", 8: "partner", 9: "employee", 10: "key_account", 11: "system_user",
}  # fmt: skip
DATA_CONTEXT = {1: "production", 0: "test", -1: "fake"}
GENDER = {
    0: "female", 1: "male", 2: "lgbt", 3: "lesbian", 4: "gay", 5: "bisexual", 6: "transgender", 7: None, -1: None,
}  # fmt: skip
AGE_GROUP = {
    0: None, 1: "1-10", 2: "11-17", 3: "18-24", 4: "25-34", 5: "35-44", 6: "45-54", 7: "55-64", 8: "65-74", 9: "75+",
    -1: None,
}  # fmt: skip
MARITAL_STATUS = {
    1: "common_law", 5: "single", 6: None, 7: "married", 11: "widowed", 0: None, -1: None,
    **dict.fromkeys((2, 3, 4, 8, 9, 10, 12), "other"),
}  # fmt: skip
"""The names of the codes read as "other" could not be confirmed."""
CONSENT = {1: 1, 0: 0, -1: -1}
SEGMENT_STATUS = {1: "active", 2: "activated", 0: "inactive", -4: "deleted"}
SEGMENT_TYPE = {
    0: "ad_hoc", 1: "dynamic", 2: "static", 3: "hybrid", 4: "legacy", 9: "legacy", 10: "ml", 11: "ml", 12: "ml",
    13: "ml", 14: "ml", 20: "realtime", 21: "realtime", 22: "realtime", 30: "genai", 31: "genai", 32: "genai",
}  # fmt: skip
ASSET_STATUS = {
    0: "draft", 1: "auto_draft", 2: "scheduled", 3: "pending", 4: "deleted", 8: "private", 9: "published",
    10: "inherited",
}  # fmt: skip
FEEDBACK_STATUS = {1: "recorded", 0: "computed", -1: "deleted"}
EVENT_STATE = {0: "raw", 1: "processed", 2: "checked", -1: "archived"}


def code(
    document: Document, field: str, mapping: Mapping[int, str | int | None], *, default: int
) -> str | int | None:
    """The meaning of a code; a missing attribute counts as `default`.

    Raises:
        FieldError: the code is not in the mapping.
    """
    value: Any = document.get(field)
    if value.__class__ is not int:
        value = integer(document, field, default=default)
    try:
        return mapping[value]
    except KeyError:
        raise FieldError(
            field,
            f"unknown code {shown(value)} (known: {', '.join(map(str, sorted(mapping)))}); extend landing/codes.py",
        ) from None
