"""Every check of the landing stage: which table has which, what it says, what to do, whether it blocks.

Belongs here: the decisions, as data. A check blocks when what it finds would make downstream tables wrong in a way
that nobody sees there: rows missing without a trace, rows of others, money that does not add up, consent that was
refused. It does not block for single bad values, for what the quarantine holds (rejects never stop the rest), or for
age: old rows are right rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from cdp_assets.checks import common, derived, drift, money, profiles, ranges
from cdp_assets.checks.subject import SourceFacts, Subject, Table
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.quality import Check, Measure
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE, SEGMENT, TRACKING_EVENT
from cdp_assets.warehouse.connection import Warehouse, without_loops
from cdp_assets.warehouse.options import TenantOptions

_SWEEP = "Materialize cdp.{table} for {tenant} with mode SWEEP."
_QUARANTINE = (
    "`cdp quarantine list` shows the reasons. Mend the documents in LEO or extend the contract, "
    "then `cdp quarantine replay`."
)

KEYS = Check(
    "keys_unique_and_present",
    "Every row has a key, and no key occurs twice within the tenant.",
    "The primary key of cdp.{table} must have been dropped: restore it (`cdp migrate` on a fresh database shows it), "
    "delete the rows in the sample, then sweep.",
    common.keys_unique_and_present,
    blocking=True,
)

COLLECTION = (
    KEYS,
    Check(
        "row_count",
        "Live rows and documents rejected whole are, together, exactly as many as the source's documents. A "
        "difference warns while the source has changed since the last full sweep, and is an error once it has not. "
        "What was never swept is an error.",
        _SWEEP
        + " While the source is ahead the next sync does. Where the sample names lost rows, delete their keys "
        "from ops.ledger first: a document whose revision is known is not read again.",
        common.row_count,
        blocking=True,
        reads_source=True,
    ),
    Check(
        "tenant_leakage",
        "Every visible row carries this tenant's id, and every live row is what the ledger says was landed for it.",
        "Stop the pipeline for {tenant}. Check that row level security on cdp.{table} is enabled and forced, and who "
        "writes to the warehouse beside the pipeline. Delete the rows in the sample, then sweep.",
        common.tenant_leakage,
        blocking=True,
    ),
    Check(
        "schema_drift",
        "Top-level attributes of up to 2,000 stored documents are those that LEO is known to write. Warns of a new "
        "attribute in more than 1 % of them, and of one that half of the older and none of the newer ones have.",
        "Ask which LEO release wrote it. Map a new attribute in the contract of {collection} or add it to "
        "checks/leo_attributes.py; for a vanished one look for its new name before its column goes null.",
        drift.schema_drift,
    ),
    Check(
        "quarantine_share",
        "Documents rejected whole stay within the tolerated share (CDP_QUARANTINE_SHARE). Warns when there are any.",
        _QUARANTINE,
        common.quarantine_share,
    ),
    Check(
        "mass_delete_guard",
        "The last sweep withheld no deletes. It withholds them when more of {collection} vanished than the tenant's "
        "max_delete_share, or all of it.",
        "Look at the source first: is it the right database, is it complete? If the deletes are meant, materialize "
        "cdp.{table} for {tenant} with allow_mass_delete.",
        common.mass_delete_guard,
        blocking=True,
    ),
    Check(
        "freshness",
        "The last full sweep is at most 26 hours old (error), the last load of any kind at most 2 hours (warning).",
        "See whether the schedules and the daemon run, and what the last runs of cdp.{table} say. " + _SWEEP,
        common.freshness,
    ),
)
"""Checks of every table that a collection lands in."""

RANGE = Check(
    "value_range",
    "Values lie where they can: ages 1 to 130, no times in the future beyond a day, known currencies, amounts below "
    "10^12, counts not negative. Negative amounts only warn: LEO has no refund, imports write them so.",
    "Correct the documents in the sample at the source. If the values are right, widen the rule in checks/ranges.py; "
    "if they can never be right, let the contract reject them.",
    ranges.value_range,
)

LEAKAGE = Check(
    "tenant_leakage",
    "Every visible row carries this tenant's id and belongs to a profile that was landed for this tenant.",
    "Stop the pipeline for {tenant}. Check that row level security on cdp.{table} is enabled and forced. Delete the "
    "rows in the sample, then materialize cdp.{table} again.",
    derived.derived_leakage,
    blocking=True,
)

_AGAIN = (
    "Materialize cdp.{table} for {tenant} again, after what it is made from. If it fails still, its SQL function "
    "is wrong."
)

CHECKS: dict[Table, tuple[Check[Subject], ...]] = {
    Table.of(CONTRACTS[SEGMENT]): (*COLLECTION, RANGE),
    Table.of(CONTRACTS[PROFILE]): (
        *COLLECTION,
        RANGE,
        Check(
            "contact_null_rate",
            "E-mails and phones that the documents hold have landed in their columns. Warns of any that did not; an "
            "error when they are more than 3 and more than CDP_QUARANTINE_SHARE of those given.",
            "Many at once mean that the mapping or the tenant's default_region is wrong: compare the sample with "
            "landing/profile.py. Single ones are typos: " + _QUARANTINE,
            profiles.contact_null_rate,
            blocking=True,
        ),
        Check(
            "merges_resolved",
            "Every merged profile leads to a living profile that is not merged itself.",
            "Look at the profiles in LEO: a winner that was removed or that was merged back. Their purchases stay "
            "with the profile in the sample until LEO names another winner.",
            profiles.merges_resolved,
        ),
    ),
    Table.of(CONTRACTS[PRODUCT_ITEM]): (*COLLECTION, RANGE),
    Table.of(CONTRACTS[TRACKING_EVENT]): (
        *COLLECTION,
        RANGE,
        Check(
            "duplicate_events",
            "No two live events are equal in all but their key. LEO salts the keys of live events, so an event that "
            "was delivered twice is stored twice.",
            "Nothing is wrong here; count distinct events where it matters. Many at once: look for a tracker that "
            "sends twice, or an import that was repeated.",
            profiles.duplicate_events,
        ),
        Check(
            "order_status_known",
            "The state of every order that an event names is a word that the vocabulary knows. Warns of the others, "
            "with their money: they are no revenue.",
            "Add the words in the sample to cdp_assets/vocabulary/order_statuses.py, where what they mean is certain, "
            "then materialize cdp.{table} for {tenant} with mode SWEEP.",
            money.order_status_known,
        ),
    ),
    Table.of(CONTRACTS[CONVERSION]): (
        *COLLECTION,
        RANGE,
        Check(
            "amount_reconciliation",
            "Per currency, documents and money that landed, plus those of rejected documents, equal the source's own "
            "sums, to 0.005 per 1,000 documents. Warns while the source has changed since the last full sweep.",
            _SWEEP
            + " While the source is ahead the next sync does. If the difference stays, compare the mapping of "
            "transactionValue and currencyCode in landing/conversion.py with the edges of the currency.",
            money.amount_reconciliation,
            blocking=True,
            reads_source=True,
        ),
    ),
    Table.of(CONTRACTS[FEEDBACK]): (*COLLECTION, RANGE),
    Table("profile_segment", ("cdp_profile_id", "segment_id", "joined_at")): (
        KEYS,
        Check(
            "members_match_profiles",
            "Open stays are exactly the segments that the active profiles name.",
            _AGAIN,
            derived.members_match_profiles,
            blocking=True,
        ),
        Check(
            "reported_size",
            "Members of each segment in use are as many as LEO counted, within 5 % or 2, and within the number of "
            "rejected profiles. Only warns: LEO counts hourly.",
            "If it lasts for hours, let LEO refresh the segment, and look for rejected profiles: "
            + _QUARANTINE,
            derived.reported_size,
        ),
        LEAKAGE,
    ),
    Table("consent", ("cdp_profile_id", "channel")): (
        KEYS,
        Check(
            "consent_covers_profiles",
            "Every active profile has one row for each of the five channels, no other profile has any.",
            _AGAIN,
            derived.consent_covers_profiles,
            blocking=True,
        ),
        Check(
            "denials_hold",
            "No channel is allowed that the profile, or any profile merged into it, refuses.",
            "Hold campaigns of {tenant}. " + _AGAIN,
            derived.denials_hold,
            blocking=True,
        ),
        LEAKAGE,
    ),
    Table("customer_metrics", ("cdp_profile_id",)): (
        KEYS,
        Check(
            "one_row_per_profile",
            "Every active profile has one row, no other profile has any.",
            _AGAIN,
            derived.one_row_per_profile,
            blocking=True,
        ),
        # Blocking here: these values are ours, so one out of range means that the formula is wrong for all.
        replace(
            RANGE,
            description="Counts and money are not negative, scores lie within what the formula can give, segments and "
            "currencies are known, no purchase lies in the future.",
            remedy="The formula in cdp.refresh_customer_metrics is wrong for the rows in the sample: mend it in a "
            "migration, then materialize cdp.{table} for {tenant}.",
            blocking=True,
        ),
        Check(
            "money_matches_transactions",
            "Each profile has as many orders as it has distinct accepted orders in cdp.transactional_context.",
            _AGAIN,
            derived.money_matches_transactions,
            blocking=True,
        ),
        Check(
            "freshness",
            "The last successful computation is at most 26 hours old (error), better 2 (warning): recency and 90-day "
            "sums move with the calendar.",
            "See what the last runs of cdp.{table} say. Materialize it for {tenant}.",
            derived.metrics_freshness,
        ),
        LEAKAGE,
    ),
}
"""The checks by table, in the order of the flow."""


def evaluate(
    warehouse: Warehouse,
    tenant_id: str,
    table: Table,
    *,
    quarantine_share: float,
    options: TenantOptions,
    source: SourceFacts | None = None,
    names: Collection[str] | None = None,
) -> Iterator[tuple[Check[Subject], Measure]]:
    """Measure the checks of one table of one tenant, all or those named, in one transaction.

    Args:
        warehouse: where the rows are.
        tenant_id: whose rows.
        table: one of `CHECKS`.
        quarantine_share: share of rejects that the installation tolerates.
        options: of the tenant's registration.
        source: what the source says; needed by checks that read the source.
        names: the checks wanted; None takes all.
    """
    with warehouse.tenant(tenant_id) as conn, without_loops(conn):
        subject = Subject(conn, tenant_id, table, options, quarantine_share, source)
        for check in CHECKS[table]:
            if names is None or check.name in names:
                yield check, check.measure(subject)
