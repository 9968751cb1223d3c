"""What went wrong at a PostgreSQL server, in the words of `model`: try again, or call a person.

Belongs here: the one decision which error is transient, and messages with their remedies. Does not belong here:
repeating (`landing.shop.extract`). Messages never quote a value: those are customers' data.
"""

from __future__ import annotations

import psycopg

from cdp_assets.sources.model import SourceError, SourceRejected, SourceUnavailable

TRANSIENT_STATES = frozenset({"40001", "40P01"})
"""Serialization failure (also: a standby cancels a query that is in the way of replay) and deadlock."""
TRANSIENT_CLASSES = ("08", "57P0")
"""Connection failures; the server is stopping, has crashed or is starting."""

SNAPSHOT_GONE = frozenset({"42704", "55000", "22023"})
"""What is said to who joins a snapshot that is no more; the last by older servers."""

REFUSED_FOR_NOW = ("starting up", "shutting down", "recovery mode", "too many", "remaining connection slots")
"""What a server that answers a new connection with FATAL says when the next one may succeed."""

REMEDIES = {
    "42501": "Grant the role select on the shop's tables.",
    "57014": "The statement ran into the time limit, or was cancelled: raise the limit or look for what holds it up.",
}


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same work may succeed when it is done again."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)  # the connection broke without a word
    return state in TRANSIENT_STATES or state.startswith(TRANSIENT_CLASSES)


def shop_error(error: psycopg.Error, name: str) -> SourceError:
    """The error of `model` for what a statement met."""
    state = error.sqlstate
    if state is None and is_transient(error):
        return SourceUnavailable(f"{name}: the connection broke. Is the server up and reachable?")
    # Class 22 quotes the value that could not be converted.
    said = "a value cannot be converted" if (state or "").startswith("22") else _first_line(error)
    what = f"{name}: {said} (SQLSTATE {state or 'none'})"
    if is_transient(error):
        return SourceUnavailable(f"{what}. Try again later.")
    return SourceRejected(f"{what}. {REMEDIES.get(state or '', 'Reading again will not help.')}")


def connect_error(error: psycopg.Error, name: str) -> SourceError:
    """The error of `model` for a connection that was not made; libpq gives no SQLSTATE for it."""
    said = _first_line(error)
    if "FATAL" in said and not any(words in said for words in REFUSED_FOR_NOW):
        return SourceRejected(
            f"{name}: {said}. Correct the shop's dsn, its secret or the server's pg_hba.conf."
        )
    return SourceUnavailable(f"{name}: {said}. Is the server up and reachable?")


def snapshot_error(error: psycopg.Error, name: str) -> SourceError:
    """The error of `model` for a snapshot that was not joined: it ends with the connection that holds it."""
    if error.sqlstate in SNAPSHOT_GONE:
        return SourceUnavailable(
            f"{name}: the snapshot ended with the connection that held it; it has to be taken anew"
        )
    return shop_error(error, name)


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
