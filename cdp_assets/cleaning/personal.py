"""Which columns hold personal data, table by table: one list for tombstones, previews, samples and erasure.

Belongs here: columns of landing tables that say something of a person, beside the key of the record itself. Does not
belong here: names of secrets, which are never landed (`secret_names`).
"""

from __future__ import annotations

PERSONAL: dict[str, tuple[str, ...]] = {
    "cdp.customer_profile": (
        "full_name", "first_name", "last_name", "email", "email_key", "phone", "gender", "age", "age_group",
        "birth_date", "marital_status", "nationality", "country", "province", "city", "crm_id", "visitor_id",
        "identities", "job_titles", "data_labels",
        "content_keywords", "product_keywords", "media_channels", "segment_ids",
        "metadata",
    ),
    "cdp.tracking_event": ("visitor_id", "session_key", "touchpoint_name", "touchpoint_url", "metadata"),
    "cdp.feedback": ("visitor_id", "comment", "touchpoint_name", "touchpoint_url", "metadata"),
    "cdp.transactional_context": ("context_data",),
    "raw.customers": (
        "name", "email", "phone", "address", "crm_id", "_email_key", "_phone_key", "_name_key", "_extra",
    ),
    "raw.orders": ("shipping_address", "_extra"),
    "raw.reviews": ("title", "comment", "_extra"),
    "raw.events": ("visitor_id", "session_id", "url", "_extra"),
}  # fmt: skip
"""Table -> columns that are cleared once the source no longer has the row, and never shown as they are."""


def personal_columns(table: str) -> tuple[str, ...]:
    """The personal columns of `schema.table`; none for a table that holds no personal data."""
    return PERSONAL.get(table, ())
