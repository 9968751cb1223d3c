"""A migrated database that the tests of one module share, for those that leave it as it was or keep to their tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.conftest import Server


@contextmanager
def shared_database(postgres: Server, name: str) -> Iterator[str]:
    """A copy of the migrated template under this name, dropped in the end; gives the name."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} template template_cdp strategy file_copy")
        yield name
        conn.execute(f"drop database {name} with (force)")
