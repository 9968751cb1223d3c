"""Foundation: tenants, ledger, quarantine, registry, and the landing tables of LEO CDP."""

from cdp_assets.warehouse.migrate import run_files

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
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: dropping the landing tables would lose what the source no longer has."""
    raise NotImplementedError("the foundation is not taken back; drop the database instead")
