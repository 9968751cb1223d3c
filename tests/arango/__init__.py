"""A server that speaks ArangoDB's HTTP API and evaluates AQL, for tests; `ArangoServer` is its one entrance.

Belongs here: what stands in for a real ArangoDB 3.11, without its network, disk and cluster. Does not belong
here: anything of the product. Whatever it does not know is an error in ArangoDB's form, never an empty result.
"""

from __future__ import annotations

from tests.arango.dumpload import load_dump
from tests.arango.errors import ApiError
from tests.arango.faults import Faults
from tests.arango.routing import Request
from tests.arango.server import ArangoServer
from tests.arango.store import Collection, Database, Written

__all__ = [
    "ApiError",
    "ArangoServer",
    "Collection",
    "Database",
    "Faults",
    "Request",
    "Written",
    "load_dump",
]
