"""The warehouse: server, connections with tenant scope, bulk load, migrations, ledger, registry.

Knows PostgreSQL and the `ops` schema. Knows nothing of LEO documents, of stages or of Dagster.
"""
