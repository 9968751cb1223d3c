"""Reading LEO CDP: the `Source` protocol and its two implementations.

Belongs here: how documents are read from an ArangoDB server or from a dump or export folder, as bytes.
Does not belong here: what a document means (`landing`), where it is stored (`warehouse`), how Dagster asks
for it (`resources`). Nothing in this package writes to a source, reads the environment or imports Dagster.
"""
