"""Embedding: texts, models, vectors per tenant and model, the queue and its triggers, search; marketing events."""

from cdp_assets.warehouse.migrate import run_files

revision = "0002"
down_revision = "0001"

FILES = (
    "0002_activation.sql",
    "0002_embedding_texts.sql",
    "0002_embedding_tables.sql",
    "0002_embedding_partitions.sql",
    "0002_embedding_queue.sql",
    "0002_embedding_triggers.sql",
    "0002_embedding_search.sql",
    "0002_comments.sql",
    "0002_grants.sql",
)


def upgrade() -> None:
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: the vectors would have to be embedded again."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
