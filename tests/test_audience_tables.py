"""What a segment is like, how far its members get, and who is like them: each beside a plain count."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import psycopg
import pytest

from cdp_assets import current
from cdp_assets.audience.current import READS
from cdp_assets.audience.lookalike import K
from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.embedding.store import VectorStore
from cdp_assets.embedding.vectors import VectorBatch
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.audience_support import Segments, failing, materialized
from tests.rows import insert
from tests.vector_support import vectors

BUYERS = {"c1": 10.0, "c2": 20.0, "c3": 60.0, "c4": 10.0}
"""Customer -> days since the last purchase."""


@pytest.fixture
def segments(warehouse: Warehouse, acme: Tenant, owner_dsn: str) -> Iterator[Segments]:
    with dg.DagsterInstance.ephemeral() as instance:
        found = Segments(warehouse, owner_dsn, instance)
        found.define("vip")
        found.fill("vip", "p1", "p2")
        yield found


def customers(owner_dsn: str, **columns: dict[str, object]) -> None:
    """Rows of datasets.customer_features: column -> customer -> value."""
    with psycopg.connect(owner_dsn) as conn:
        for customer in BUYERS:
            values = {name: of_customer[customer] for name, of_customer in columns.items()}
            insert(conn, "datasets.customer_features", tenant_id="acme", customer_id=customer, **values)


def told(segments: Segments, feature: str) -> dict[str, tuple[object, ...]]:
    """Level -> (members known, customers known, value, customers' value, difference)."""
    rows = segments.rows(
        "select level, members_known, customers_known, value, customers_value, difference "
        "from audience.segment_features where segment_id = 'vip' and feature = %s",
        feature,
    )
    return {level: row for level, *row in rows}  # type: ignore[misc]


def test_numbers_are_compared_by_mean_and_deviation(segments: Segments, owner_dsn: str) -> None:
    customers(owner_dsn, recency_days=BUYERS)
    result = segments.run("vip", "segment_member", "segment_features")
    assert result.success
    assert not failing(result)
    (found,) = told(segments, "recency_days").values()
    mean, deviation = statistics.mean(BUYERS.values()), statistics.pstdev(BUYERS.values())
    assert found == pytest.approx([2, 4, 15.0, mean, (15.0 - mean) / deviation], abs=1e-6)


def test_the_order_of_the_rows_changes_no_figure(segments: Segments, owner_dsn: str) -> None:
    values = {"c1": 0.1, "c2": 1e15, "c3": 0.3, "c4": -1e15}
    customers(owner_dsn, avg_order_value=values)
    segments.run("vip", "segment_member", "segment_features")
    segments.owner("create table kept as table datasets.customer_features")
    segments.owner("delete from datasets.customer_features")
    segments.owner("insert into datasets.customer_features select * from kept order by customer_id desc")
    result = segments.run("vip", "segment_member", "segment_features")
    assert materialized(result)["segment_features"]["rows_written"] == 0


def test_words_are_compared_by_share(segments: Segments, owner_dsn: str) -> None:
    customers(owner_dsn, rfm_segment={"c1": "loyal", "c2": "lost", "c3": "lost", "c4": "lost"})
    segments.run("vip", "segment_member", "segment_features")
    found = told(segments, "rfm_segment")
    assert found["loyal"] == pytest.approx([2, 4, 0.5, 0.25, 0.25 / (0.25 * 0.75) ** 0.5], abs=1e-6)
    assert found["lost"][2:4] == [0.5, 0.75]


def test_what_all_share_tells_nobody_apart(segments: Segments, owner_dsn: str) -> None:
    customers(owner_dsn, recency_days=dict.fromkeys(BUYERS, 5))
    segments.run("vip", "segment_member", "segment_features")
    (found,) = told(segments, "recency_days").values()
    assert found == [2, 4, 5.0, 5.0, None]


def test_members_without_features_are_named(segments: Segments, owner_dsn: str) -> None:
    customers(owner_dsn)
    segments.fill("vip", "p1", "p2", "p75", "p76", "p77")
    result = segments.run("vip", "segment_member", "segment_features")
    assert result.success
    assert failing(result) == {"members_have_features"}


def test_another_segment_keeps_its_rows(segments: Segments, owner_dsn: str) -> None:
    customers(owner_dsn, recency_days=BUYERS)
    segments.define("other")
    segments.fill("other", "p3")
    for segment_id in ("vip", "other", "vip"):
        segments.run(segment_id, "segment_member", "segment_features")
    rows = segments.rows(
        "select segment_id, value from audience.segment_features where feature = 'recency_days' order by 1"
    )
    assert rows == [("other", 60.0), ("vip", 15.0)]
    written = "select rows_out from ops.etl_runs where dataset = 'audience.segment_features' order by started_at desc"
    assert segments.rows(written + " limit 1") == [(0,)]


def test_a_segment_is_due_again_when_its_members_changed(segments: Segments, acme: Tenant) -> None:
    for segment_id in ("vip", "other"):
        segments.define(segment_id)
        segments.fill(segment_id, "p1", "p2")
    for segment_id in ("vip", "other"):
        segments.run(segment_id, *READS)
    assert current.segment_is_current(segments.warehouse, acme, "vip")
    assert current.segment_is_current(segments.warehouse, acme, "other")
    segments.define("vip", rules="city = Vinh")
    assert not current.segment_is_current(segments.warehouse, acme, "vip")


def enter(
    owner_dsn: str, customer: str, reached: int, state: str = "dropped", day: str = "2026-06-29"
) -> None:
    """One entry into the funnel `buy`."""
    with psycopg.connect(owner_dsn) as conn:
        (number,) = conn.execute("select count(*) from datasets.funnel_member").fetchone() or (0,)
        insert(
            conn, "datasets.funnel_member", tenant_id="acme", funnel_id="buy", day=day, member_id=f"s{number}",
            customer_id=customer, reached=reached, state=state,
        )  # fmt: skip


def set_clock(segments: Segments, acme: Tenant, as_of: str) -> None:
    """The tenant's clock stands still there."""
    put_tenant(segments.warehouse, replace(acme, given={"as_of": as_of}), replace=True)


def test_entries_beyond_the_clock_do_not_push_the_others_out(
    segments: Segments, acme: Tenant, owner_dsn: str
) -> None:
    test_funnels_count_the_entries_of_members(segments, acme, owner_dsn)
    before = segments.rows(
        "select step, entries, first_day, last_day from audience.segment_funnel order by step"
    )
    enter(owner_dsn, "c1", 3, "completed", day="2031-01-01")
    segments.owner("update datasets.funnel_daily set day = '2031-01-01' where step = 1")
    assert segments.run("vip", "segment_member", "segment_funnel").success
    assert before == segments.rows(
        "select step, entries, first_day, last_day from audience.segment_funnel order by step"
    )


def test_funnels_count_the_entries_of_members(segments: Segments, acme: Tenant, owner_dsn: str) -> None:
    set_clock(segments, acme, "2026-06-30T05:00:00Z")
    with psycopg.connect(owner_dsn) as conn:
        for step, event_type in enumerate(("view", "add_to_cart", "purchase"), 1):
            insert(
                conn, "datasets.funnel_daily", tenant_id="acme", funnel_id="buy", day="2026-06-29", step=step,
                event_type=event_type, count_by="session",
            )  # fmt: skip
    enter(owner_dsn, "c1", 3, "completed")
    enter(owner_dsn, "c1", 1)
    enter(owner_dsn, "c2", 2, "open")
    enter(owner_dsn, "c9", 1)
    enter(owner_dsn, "unknown", 2)
    enter(owner_dsn, "c1", 3, "completed", day="2026-05-30")
    result = segments.run("vip", "segment_member", "segment_funnel")
    assert result.success
    assert not failing(result)
    rows = segments.rows(
        "select step, entries, open, rate_first, customers_entries, customers_rate_first, first_day::text "
        "from audience.segment_funnel order by step"
    )
    assert rows == [
        (1, 3, 0, 1.0, 5, 1.0, "2026-05-31"),
        (2, 2, 1, 2 / 3, 3, 3 / 5, "2026-05-31"),
        (3, 1, 0, 1 / 3, 1, 1 / 5, "2026-05-31"),
    ]


def test_counts_that_are_not_the_members_fail(segments: Segments, acme: Tenant, owner_dsn: str) -> None:
    test_funnels_count_the_entries_of_members(segments, acme, owner_dsn)
    segments.owner("update datasets.funnel_member set customer_id = 'c9' where state = 'completed'")
    with segments.warehouse.tenant("acme") as conn:
        from cdp_assets.audience.checks import Audience, counts_are_members

        found = counts_are_members(Audience(conn, "acme", "vip"))
    assert [row[:2] for row in found.sample] == [("buy", 1), ("buy", 2), ("buy", 3)]


def test_lookalikes_are_the_nearest_who_are_no_members(segments: Segments) -> None:
    spec = ModelSpec("placeholder", "lookalike", "", 8)
    models.ensure_active(segments.warehouse, "acme", spec)
    profiles = [f"p{number}" for number in range(1, 30)]
    found = vectors(len(profiles), 8)
    with segments.warehouse.session("acme") as session:
        hashes = [profile.encode().ljust(32, b"0") for profile in profiles]
        VectorStore(session).write(VectorBatch("acme", "profile", spec.model_id, profiles, hashes, found))
    segments.fill("everybody", *profiles)
    result = segments.run("vip", "segment_member", "segment_lookalike")
    assert result.success
    assert not failing(result)
    rows = segments.rows(
        "select place, customer_id, cdp_profile_id, score from audience.segment_lookalike order by place"
    )
    assert len(rows) == len(profiles) - 2 <= K
    assert [place for place, *_ in rows] == list(range(1, len(rows) + 1))
    assert not {"c1", "c2"} & {customer for _, customer, *_ in rows}
    scores = [score for *_, score in rows]
    assert scores == sorted(scores, reverse=True)
    metadata = materialized(result)["segment_lookalike"]
    assert metadata["best_score"] == pytest.approx(scores[0])
