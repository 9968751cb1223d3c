"""Checks of the landing stage: all pass on a clean world, and each finds the fault that it is there for, alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdp_assets.checks.catalog import CHECKS
from cdp_assets.checks.masking import masked_email, masked_phone
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import PROFILE, SEGMENT
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.checked import Checked, clean_documents, land, landed_world, measure, shape
from tests.conftest import CDNOW, Server

WARN, ERROR = Severity.WARN, Severity.ERROR


@pytest.fixture(scope="module")
def checked(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    """Two landed tenants. Tests here leave them as they are: what they do is rolled back."""
    name, folder = landed_world(postgres, tmp_path_factory)
    with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
        yield Checked(warehouse, postgres.dsn(name, user="postgres"), DumpSource(folder / "acme"), folder)


def first(table: str, key: str, where: str = "true") -> str:
    """SQL condition of acme's first row by key."""
    chosen = f"select min({key}) from cdp.{table} where tenant_id = 'acme' and {where}"
    return f"tenant_id = 'acme' and {key} = ({chosen})"


def set_(table: str, key: str, values: str, where: str = "true") -> str:
    """SQL that changes acme's first row by key."""
    return f"update cdp.{table} set {values} where {first(table, key, where)}"


A_PROFILE = first("customer_profile", "cdp_profile_id")
AN_EDGE = first("transactional_context", "txn_id")
STAY = "insert into cdp.profile_segment (tenant_id, cdp_profile_id, segment_id, joined_at, left_at) "

FAULTS: dict[str, tuple[tuple[str, ...], dict[str, tuple[int, Severity]], str]] = {
    "a key that occurs twice": (
        (
            "alter table cdp.segment drop constraint segment_pkey",
            f"insert into cdp.segment select * from cdp.segment where {first('segment', 'segment_id')}",
            f"update cdp.segment set deleted_at = now() where ctid = (select max(ctid) from cdp.segment "
            f"where {first('segment', 'segment_id')})",
        ),
        {"segment.keys_unique_and_present": (1, ERROR)},
        "occurs twice",
    ),
    "a row that is lost": (
        (f"delete from cdp.feedback where {first('feedback', 'feedback_id')}",),
        {"feedback.row_count": (1, ERROR)},
        "read from the source, but its row is gone",
    ),
    "a row of another tenant": (
        ("update cdp.product_item set tenant_id = 'acme' where tenant_id = 'nova' and product_key = (select "
         "min(product_key) from cdp.product_item as p where tenant_id = 'nova' and not exists (select from "
         "cdp.product_item as o where o.tenant_id = 'acme' and o.product_key = p.product_key))",),
        {"product_item.tenant_leakage": (1, ERROR), "product_item.row_count": (1, ERROR)},
        "no document with this key was read",
    ),
    "a row that something else wrote": (
        (set_("product_item", "product_key", "content_hash = '\\x00'"),),
        {"product_item.tenant_leakage": (1, ERROR)},
        "not what was landed for this key",
    ),
    "deletes that were withheld": (
        ("update ops.watermark set withheld_deletes = 30 where tenant_id = 'acme' and collection = 'cdp_profile'",),
        {"customer_profile.mass_delete_guard": (30, ERROR)},
        "25%",
    ),
    "a sweep that was missed": (
        ("update ops.watermark set sweep_at = now() - interval '30 hours', window_at = now() "
         "where tenant_id = 'acme' and collection = 'cdp_segment'",),
        {"segment.freshness": (1, ERROR)},
        "full sweep",
    ),
    "syncs that were missed": (
        ("update ops.watermark set sweep_at = now() - interval '3 hours' "
         "where tenant_id = 'acme' and collection = 'cdp_segment'",),
        {"segment.freshness": (1, WARN)},
        "3.0 h ago",
    ),
    "a new attribute": (
        ("update cdp.product_item set metadata = metadata || '{\"shelfLife\": 3}' where tenant_id = 'acme' "
         "and product_key in (select product_key from cdp.product_item where tenant_id = 'acme' limit 2)",),
        {"product_item.schema_drift": (1, WARN)},
        "shelfLife",
    ),
    "an attribute that LEO stopped to write": (
        ("update cdp.tracking_event set metadata = metadata - 'deviceType' where tenant_id = 'acme' and updated_at > "
         "(select percentile_disc(0.4) within group (order by updated_at) from cdp.tracking_event "
         "where tenant_id = 'acme')",),
        {"tracking_event.schema_drift": (1, WARN)},
        "deviceType",
    ),
    "an age of nobody": (
        (set_("customer_profile", "cdp_profile_id", "age = 131"),),
        {"customer_profile.value_range": (1, ERROR)},
        "age_out_of_range: 131",
    ),
    "a birthday to come": (
        (set_("customer_profile", "cdp_profile_id", "birth_date = current_date + 30"),),
        {"customer_profile.value_range": (1, ERROR)},
        "birth_date_out_of_range",
    ),
    "a segment from the future": (
        (set_("segment", "segment_id", "created_at = now() + interval '2 days'"),),
        {"segment.value_range": (1, ERROR)},
        "created_at_in_future",
    ),
    "an order in a state that nobody knows": (
        (set_("tracking_event", "event_id", "order_status = 'unknown', transaction_status = 'teleported', "
              "transaction_id = 'O-1', transaction_value = 12.5, currency = 'USD'"),),
        {"tracking_event.order_status_known": (1, WARN)},
        "teleported",
    ),
    "time spent backwards": (
        (set_("tracking_event", "event_id", "time_spent_s = -1, currency = 'XQX'"),),
        {"tracking_event.value_range": (1, ERROR)},
        "time_spent_negative: -1; currency_unknown: XQX",
    ),
    "a negative price": (
        (set_("product_item", "product_key", "sale_price = -1"),),
        {"product_item.value_range": (1, WARN)},
        "sale_price_negative",
    ),
    "a score beyond ten": (
        (set_("feedback", "feedback_id", "score = 11"),),
        {"feedback.value_range": (1, ERROR)},
        "score_out_of_range: 11",
    ),
    "a line without end": (
        (set_("transactional_context", "txn_id", "amount = 2e12"),),
        {"transactional_context.value_range": (1, ERROR), "transactional_context.amount_reconciliation": (1, ERROR)},
        "amount_too_large",
    ),
    "a status of our own making": (
        (set_("transactional_context", "txn_id", "txn_status = 'lost'", "quantity = 0"),
         set_("transactional_context", "txn_id", "quantity = -1"),),
        {"transactional_context.value_range": (1, WARN)},
        "quantity_negative: -1",
    ),
    "money that went missing": (
        (set_("transactional_context", "txn_id", "amount = amount - 1", "currency = 'VND'"),),
        {"transactional_context.amount_reconciliation": (1, ERROR)},
        "+0 documents, -1.00",
    ),
    "money in another currency": (
        (set_("transactional_context", "txn_id", "currency = 'EUR', amount = 1", "currency = 'VND'"),),
        {"transactional_context.amount_reconciliation": (2, ERROR)},
        "-1 documents",
    ),
    "winners who are not there": (
        ("update cdp.customer_profile set merged_into = 'nobody', root_profile_id = cdp_profile_id "
         "where tenant_id = 'acme' and status = 'merged'",),
        {"customer_profile.merges_resolved": (3, WARN)},
        "the winner is not here",
    ),
    "a stay that is lost": (
        ("delete from cdp.profile_segment where ctid = (select min(ctid) from cdp.profile_segment "
         "where tenant_id = 'acme' and left_at is null)",),
        {"profile_segment.members_match_profiles": (1, ERROR)},
        "member without an open stay",
    ),
    "a stay of nobody": (
        (STAY + "values ('acme', 'stranger', 's', now(), now())",),
        {"profile_segment.tenant_leakage": (1, ERROR)},
        "no such profile was landed",
    ),
    "a stay too many": (
        (STAY + f"select 'acme', cdp_profile_id, 'nosuch', now(), null from cdp.customer_profile where {A_PROFILE}",),
        {"profile_segment.members_match_profiles": (1, ERROR)},
        "open stay, but no member",
    ),
    "a size that LEO counts otherwise": (
        (set_("segment", "segment_id", "reported_size = reported_size + 50", "status = 'active'"),),
        {"profile_segment.reported_size": (1, WARN)},
        "",
    ),
    "a channel without a decision": (
        ("delete from cdp.consent where " + first("consent", "cdp_profile_id") + " and channel = 'sms'",),
        {"consent.consent_covers_profiles": (1, ERROR)},
        "4",
    ),
    "consent of a stranger": (
        ("insert into cdp.consent (tenant_id, cdp_profile_id, channel, decision, decided_by) "
         "values ('acme', 'stranger', 'sms', 'granted', '{}')",),
        {"consent.consent_covers_profiles": (1, ERROR), "consent.tenant_leakage": (1, ERROR)},
        "not an active profile",
    ),
    "a refusal that was overruled": (
        ("update cdp.consent set decision = 'granted' where channel = 'sms' and "
         + first("consent", "cdp_profile_id", "channel = 'sms' and decision = 'denied'"),),
        {"consent.denials_hold": (1, ERROR)},
        "sms",
    ),
    "a refusal of a merged profile that was forgotten": (
        (set_("customer_profile", "cdp_profile_id", "receive_app_push = -1", "status = 'merged'"),
         "update cdp.consent set decision = 'granted' where tenant_id = 'acme' and channel = 'app_push' and "
         "cdp_profile_id = (select root_profile_id from cdp.customer_profile where "
         + first("customer_profile", "cdp_profile_id", "status = 'merged'") + ")"),
        {"consent.denials_hold": (1, ERROR)},
        "app_push",
    ),
    "a profile without metrics": (
        ("delete from cdp.customer_metrics where " + first("customer_metrics", "cdp_profile_id"),),
        {"customer_metrics.one_row_per_profile": (1, ERROR)},
        "active",
    ),
    "an order that was counted twice": (
        (set_("customer_metrics", "cdp_profile_id", "orders = orders + 1", "orders > 0"),),
        {"customer_metrics.money_matches_transactions": (1, ERROR)},
        "",
    ),
    "a score that the formula cannot give": (
        (set_("customer_metrics", "cdp_profile_id", "experience_score = 101"),),
        {"customer_metrics.value_range": (1, ERROR)},
        "experience_score_out_of_range: 101",
    ),
    "metrics that are a day old": (
        ("update ops.etl_runs set finished_at = now() - interval '27 hours' where tenant_id = 'acme'",),
        {"customer_metrics.freshness": (1, ERROR)},
        "27.0 h ago",
    ),
    "metrics that are hours old": (
        ("update ops.etl_runs set finished_at = now() - interval '3 hours' where tenant_id = 'acme'",),
        {"customer_metrics.freshness": (1, WARN)},
        "3.0 h ago",
    ),
}  # fmt: skip
"""What is done behind the warehouse's back -> the checks that must fail, with count and severity, and their sample."""


def test_every_check_passes_on_a_clean_world(checked: Checked) -> None:
    measured = measure(checked.warehouse, "acme", checked.source)
    assert len(measured) == sum(map(len, CHECKS.values())) == 67
    assert shape({name: found for name, found in measured.items() if not found.passed}) == {}
    assert all(found.says and not found.sample for found in measured.values())


def test_every_check_passes_on_the_real_sample_landed_twice(warehouse: Warehouse, acme: Tenant) -> None:
    source = DumpSource(CDNOW)
    for _ in range(2):
        land(warehouse, acme.tenant_id, source)
    measured = measure(warehouse, acme.tenant_id, source)
    assert shape({name: found for name, found in measured.items() if not found.passed}) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_warehouse_is_found_by_its_checks_alone(checked: Checked, fault: str) -> None:
    statements, expected, sample = FAULTS[fault]
    failed = checked.failed_after(*statements)
    assert shape(failed) == expected
    assert sample in cells(*failed.values())


def cells(*measures: Measure) -> str:
    return " ".join(str(cell) for found in measures for row in found.sample for cell in row)


def test_without_row_level_security_every_visible_row_of_others_is_counted(checked: Checked) -> None:
    others = len(clean_documents("nova")[SEGMENT])
    failed = checked.failed_after("alter table cdp.segment disable row level security")
    assert shape(failed) == {"segment.tenant_leakage": (others, ERROR)}
    assert cells(*failed.values()) == " ".join(["- belongs to tenant nova"] * others)


def test_a_few_lost_contacts_warn_and_many_block(checked: Checked) -> None:
    lose = "update cdp.customer_profile set email = null, phone = null where tenant_id = 'acme'"
    few = checked.failed_after(
        f"{lose} and {first('customer_profile', 'cdp_profile_id', 'email is not null')}"
    )
    assert few["customer_profile.contact_null_rate"].severity is WARN
    many = checked.failed_after(lose)
    assert list(many) == ["customer_profile.contact_null_rate"]
    found = many["customer_profile.contact_null_rate"]
    assert found.severity is ERROR
    assert found.failing == found.numbers["emails_lost"] + found.numbers["phones_lost"] > 100
    assert found.numbers["email_null_rate"] == found.numbers["phone_null_rate"] == 1
    assert len(found.sample) == SAMPLE_ROWS


def test_a_sample_of_lost_contacts_masks_them(checked: Checked) -> None:
    documents = {document["_key"]: document for document in clean_documents("acme")[PROFILE]}
    failed = checked.failed_after(
        "update cdp.customer_profile set email = null, phone = null where tenant_id = 'acme'"
    )
    for key, attribute, shown in failed["customer_profile.contact_null_rate"].sample:
        given = documents[key][attribute]
        mask = {"primaryEmail": masked_email, "primaryPhone": masked_phone}[attribute]
        assert shown == mask(given)
        assert "***" in shown
        assert given not in shown
