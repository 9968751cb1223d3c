"""Datasets A to F: their tables, and which files each run made."""

from cdp_assets.warehouse.migrate import run_files

revision = "0004"
down_revision = "0003"

FILES = (
    "0004_artifacts.sql",
    "0004_interactions.sql",
    "0004_grants.sql",
)


def upgrade() -> None:
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: which version was published when is told nowhere else."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
