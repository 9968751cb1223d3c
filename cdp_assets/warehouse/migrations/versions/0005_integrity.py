"""Gates, change counters, locks and one spelling of what people typed: what keeps stages honest with each other."""

from cdp_assets.warehouse.migrate import run_files

revision = "0005"
down_revision = "0004"

FILES = (
    "0005_changes.sql",
    "0005_clearing.sql",
    "0005_gates.sql",
    "0005_transform.sql",
    "0005_keys.sql",
    "0005_options.sql",
    "0005_events.sql",
    "0005_contracts.sql",
    "0005_removal.sql",
    "0005_statuses.sql",
    "0005_tenants.sql",
    "0005_reviews.sql",
    "0005_redaction.sql",
)


def upgrade() -> None:
    """Run the SQL files of this release in order."""
    run_files(FILES)


def downgrade() -> None:
    """Refuse: results of checks and counters cannot be told from what is left."""
    raise NotImplementedError("this release is not taken back; restore the database from before it instead")
