"""Datasets A to F and audiences: their tables, and which files each run made."""

from cdp_assets.warehouse.migrate import run_files

revision = "0004"
down_revision = "0003"

FILES = (
    "0004_artifacts.sql",
    "0004_interactions.sql",
    "0004_customers.sql",
    "0004_audience.sql",
    "0004_timeseries.sql",
    "0004_articles.sql",
    "0004_reviews.sql",
    "0004_events.sql",
    "0004_grants.sql",
)


def upgrade() -> None:
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: which version was published when is told nowhere else."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
