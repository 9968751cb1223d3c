"""The shop database: landing tables `raw`, what dbt may do in staging, intermediate and marts."""

from cdp_assets.warehouse.migrate import run_files

revision = "0003"
down_revision = "0002"

FILES = ("0003_raw.sql", "0003_transform.sql", "0003_grants.sql")


def upgrade() -> None:
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: the shop's deleted rows are nowhere else."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
