"""The test suite: hermetic (embedded PostgreSQL, the project's own ArangoDB test server), deterministic, no network."""
