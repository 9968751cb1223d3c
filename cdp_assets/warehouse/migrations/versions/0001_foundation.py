"""Foundation: tenants, ledger, quarantine, registry, and the landing tables of LEO CDP."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0001"
down_revision = None

FILES = (
    "0001_ops.sql",
    "0001_cdp.sql",
    "0001_functions.sql",
    "0001_metrics.sql",
    "0001_comments.sql",
    "0001_grants.sql",
)


def upgrade() -> None:
    """Run the numbered SQL files of this release in order."""
    folder = Path(__file__).parent.parent / "sql"
    for name in FILES:
        # the raw connection: SQLAlchemy would read `%` and `:` in the SQL as parameters
        connection: Any = op.get_bind().connection.dbapi_connection
        connection.execute((folder / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    """Refuse: dropping the landing tables would lose what the source no longer has."""
    raise NotImplementedError("the foundation is not taken back; drop the database instead")
