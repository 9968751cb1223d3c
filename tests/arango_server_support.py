"""What tests of the ArangoDB test server share: ten documents in it, and the cursor over their numbers.

Belongs here: filling a server in process, asking for what was filled in. Does not belong here: connecting and reading
(`tests.arango.client`), what the server should do.
"""

from __future__ import annotations

from arango.cursor import Cursor
from arango.database import StandardDatabase

from tests.arango import ArangoServer, Collection
from tests.arango.client import stream


def ten_things(server: ArangoServer) -> Collection:
    """Collection `things` of database `leo`, ten documents, filled in process."""
    things = server.create_database("leo").create_collection("things")
    things.insert_many({"_key": f"k{n}", "n": n} for n in range(10))
    return things


def numbers(database: StandardDatabase, size: int = 4) -> Cursor:
    return stream(database, "FOR d IN things SORT d.n RETURN d.n", size)
