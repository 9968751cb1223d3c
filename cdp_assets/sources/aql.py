"""Every AQL text that the product sends, and how values are written for it.

Belongs here: the queries as constants. Values travel as bind variables only, collection names come from the
allow list in `model`. Does not belong here: cursors, paging and retries (`arango`). `dump` evaluates the same
conditions in Python; a change here needs the same change there, and the contract tests compare the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

KEYS = "FOR d IN @@collection RETURN [d._key, d._rev]"

SCAN = "FOR d IN @@collection RETURN d"

SINCE = "FOR d IN @@collection FILTER d.@field >= @since SORT d.@field RETURN d"

FETCH = "FOR k IN @keys LET d = DOCUMENT(@@collection, k) FILTER d != null RETURN d"

MEMBERS = "FOR d IN @@collection FILTER @segment IN d.inSegments[*].id AND d.status > 0 RETURN d"

EDGES_OF = "FOR e IN @@collection FILTER e._from IN @profiles RETURN e"

TOTALS = (
    "FOR e IN @@collection"
    " COLLECT currency = e.currencyCode"
    " AGGREGATE documents = COUNT(1), amount = SUM(IS_NUMBER(e.transactionValue) ? e.transactionValue : 0)"
    " RETURN { currency, documents, amount }"
)


def instant_text(instant: datetime) -> str:
    """The instant as LEO writes it, `YYYY-MM-DDTHH:MM:SS.mmmZ`, rounded down so that nothing falls out.

    Raises:
        ValueError: `instant` has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone: give the window's start as an aware datetime")
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
