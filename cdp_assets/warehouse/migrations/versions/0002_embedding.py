"""Embedding: texts, models, vectors per tenant and model, the queue and its triggers, search; marketing events."""

from pathlib import Path
from typing import Any

from alembic import op

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
    """Run the numbered SQL files of this release in order."""
    folder = Path(__file__).parent.parent / "sql"
    for name in FILES:
        connection: Any = op.get_bind().connection.dbapi_connection
        connection.execute((folder / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    """Refuse: the vectors would have to be embedded again."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
