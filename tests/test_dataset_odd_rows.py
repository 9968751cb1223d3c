"""One odd row of a source stops no dataset: it is set aside or taken for unknown, named, and all others are published.

Belongs here: what sources may send that cannot be reckoned with, through every dataset that reads it, and how it is
read from the warehouse. What a dataset makes of rows that can be is in the tests of the dataset.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from psycopg import sql

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets import frames, limits
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.common_checks import FEW, inputs_are_usable
from cdp_assets.datasets.frames import FRAMES, MONEY, TIME
from cdp_assets.datasets.model import Audit, Built, Scope
from cdp_assets.datasets.publish import REFUSED, Outcome, build
from cdp_assets.quality import Measure, Severity
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.frames import LARGEST_AMOUNT, read_frame
from cdp_assets.warehouse.tenants import Tenant
from tests import customers_support as world
from tests.customers_support import AS_OF, SCOPE, ago, line, person

LONG_AGO, TO_COME = datetime(1900, 1, 1, tzinfo=UTC), datetime(2062, 1, 1, tzinfo=UTC)
HUGE = Decimal(10**30)

BUILT = (
    "articles_content", "reviews_nlp", "user_item_interactions", "customer_features", "timeseries_daily",
    "timeseries_weekly", "timeseries_forecast",
)  # fmt: skip

LOST: dict[str, list[dict[str, Any]]] = {
    "purchases": [
        line("leo:001", ago(5), "1e30") | {"purchase_key": "amount", "unit_price": Decimal(1)},
        line("leo:001", ago(5), 10, quantity=10**15) | {"purchase_key": "quantity"},
        line("leo:001", LONG_AGO) | {"purchase_key": "long ago"},
        line("leo:001", TO_COME) | {"purchase_key": "to come"},
        line("leo:001", ago(5)) | {"purchase_key": "never", "purchased_at": None},
    ],
    "articles": [{"article_id": None, "sku": "nameless"}],
    "events": [
        {"event_type": "page-view", "event_at": when, "customer_id": f"leo:{when.year}"}
        for when in (LONG_AGO, TO_COME)
    ],
    "reviews": [
        {"review_id": name, "customer_id": "leo:001", "rating": 5.0, "created_at": when}
        for name, when in (("long ago", LONG_AGO), ("to come", TO_COME), ("never", None))
    ],
    "promotions": [
        {"promotion_id": 91, "starts_at": None, "ends_at": ago(1)},
        {"promotion_id": 92, "starts_at": ago(1), "ends_at": ago(2)},
    ],
}  # fmt: skip
"""Rows that no dataset can use."""

ODD: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "purchases": [
        (line("leo:002", ago(6), 50, quantity=-1) | {"purchase_key": "paid back"}, {"line_total": Decimal(-50)}),
        (line("leo:002", ago(6), 50) | {"purchase_key": "dear", "unit_price": HUGE}, {"unit_price": None}),
        (line("leo:002", ago(6), 50, channel="a@b.vn") | {"purchase_key": "channel"}, {"channel": None}),
    ],
    "customers": [
        (person("leo:901", birth_date=date(1800, 1, 1)), {"birth_date": None}),
        (person("leo:902", birth_date=date(2062, 1, 1)), {"birth_date": None}),
        (person("leo:903", TO_COME), {"customer_since": None}),
        (person("leo:904", LONG_AGO), {"customer_since": None}),
        (person("leo:905", country="me@here.vn"), {"country": None}),
    ],
    "articles": [
        ({"article_id": "shop:91", "unit_price": Decimal(-1), "currency": "VND"}, {"unit_price": None}),
        ({"article_id": "shop:92", "unit_price": HUGE, "currency": "VND"}, {"unit_price": None}),
        ({"article_id": "shop:93", "stock_quantity": 2**62}, {"stock_quantity": None}),
        ({"article_id": "shop:94", "product_since": TO_COME}, {"product_since": None}),
        ({"article_id": "shop:95", "brand": "info@brand.vn"}, {"brand": None}),
    ],
    "reviews": [
        ({"review_id": f"rated {rating}", "customer_id": "leo:003", "rating": rating, "created_at": ago(9)},
         {"rating": None})
        for rating in (0.0, 11.0, float("nan"))
    ],
    "promotions": [
        ({"promotion_id": number, "starts_at": LONG_AGO, "ends_at": None, "discount_percent": percent},
         {"discount_percent": None})
        for number, percent in ((93, 150.0), (94, -5.0))
    ],
}  # fmt: skip
"""Rows with a value that cannot be true, and what is made of it."""


def rows_of(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of an input, days from times as the query has them."""
    if name == "reviews":
        rows = [{"source": "shop"} | row for row in rows]
    if name in world.CUSTOMER_FEATURES.reads:
        return world.frames(**{name: rows})[name]
    return pl.DataFrame(rows, schema=dict(FRAMES[name].schema), orient="row")


@pytest.fixture(scope="module")
def sound() -> dict[str, pl.DataFrame]:
    """Every input, up to the end of `as_of`, without anything odd."""
    rows = world.random_rows(11)
    inputs = {**world.audit_of(world.frames(**rows)).inputs, "reviews": rows_of("reviews", rows["reviews"])}
    categories = pl.DataFrame(
        [(1, "A", None), (2, "B", 1)], schema=dict(FRAMES["categories"].schema), orient="row"
    )
    return limits.screened(SCOPE, {**inputs, "categories": categories})[0]


def published(warehouse: Warehouse, folder: Path, name: str, inputs: dict[str, pl.DataFrame]) -> Outcome:
    dataset = DATASETS[name]
    chosen = {each: inputs[each] for each in dataset.reads}
    return build(warehouse, ArtifactStore(folder), dataset, SCOPE, chosen, uuid4().hex)


def usable(outcome: Outcome) -> Measure:
    return next(found for check, found in outcome.measures if check.name == "inputs_are_usable")


@pytest.mark.parametrize("name", BUILT)
def test_odd_rows_of_every_kind_are_named_and_the_rest_is_published(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path, sound: dict[str, pl.DataFrame], name: str
) -> None:
    """The same table as of the sources with unknown in place of the odd values, and without the rows that are lost."""
    reads = DATASETS[name].reads
    odd, mended, told = dict(sound), dict(sound), set()
    for each in set(reads) & (set(LOST) | set(ODD)):
        lost = rows_of(each, LOST.get(each, []))
        spoilt = rows_of(each, [row for row, _ in ODD.get(each, [])])
        right = rows_of(each, [row | change for row, change in ODD.get(each, [])])
        odd[each] = pl.concat([sound[each], lost, spoilt])
        mended[each] = pl.concat([sound[each], right])
        key = limits.KEYS.get(each, lost.columns[0])
        told |= {
            (each, str(row[key])) for row in [*LOST.get(each, []), *(row for row, _ in ODD.get(each, []))]
        }
    found = published(warehouse, tmp_path / "odd", name, odd)
    expected = published(warehouse, tmp_path / "mended", name, mended)
    assert found.is_published, {
        check.name: measure.says for check, measure in found.measures if not measure.passed
    }
    assert found.audit.refused.is_empty()
    assert found.audit.table.equals(expected.audit.table)
    measure = usable(found)
    assert measure.severity is Severity.WARN
    assert {(each, key or "None") for each, key, *_ in found.audit.aside.rows()} == told
    assert measure.failing == found.audit.aside.height == len(measure.sample) or measure.failing > 20
    stored = pl.read_parquet(BytesIO(found.audit.built.files[REFUSED]))
    assert stored.equals(found.audit.aside)
    assert REFUSED not in expected.audit.built.files
    assert usable(expected).passed


def test_they_are_in_quarantine_until_they_are_mended(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path, sound: dict[str, pl.DataFrame]
) -> None:
    spoilt = rows_of("purchases", [*LOST["purchases"][:1], *(row for row, _ in ODD["purchases"][:1])])
    people = rows_of("customers", [row for row, _ in ODD["customers"][:1]])
    odd = {
        **sound,
        "purchases": pl.concat([sound["purchases"], spoilt]),
        "customers": pl.concat([sound["customers"], people]),
    }
    published(warehouse, tmp_path, "customer_features", odd)
    entries = "select key, reason, fields, landed, document from ops.quarantine where resolved_at is null order by key"
    with warehouse.tenant("acme") as conn:
        found = conn.execute(entries).fetchall()
    assert [entry[:4] for entry in found] == [
        ("customers/leo:901", "birth_date is before 1900", ["birth_date"], True),
        ("purchases/amount", "line_total is outside -1,000,000,000,000,000 to 1,000,000,000,000,000", ["line_total"],
         False),
        ("purchases/paid back", "line_total is above 0 in a return: taken for money given back", ["line_total"], True),
    ]  # fmt: skip
    assert "1800" not in str(found)
    published(warehouse, tmp_path, "customer_features", sound)
    with warehouse.tenant("acme") as conn:
        assert conn.execute(entries).fetchall() == []


def audit_of(**inputs: pl.DataFrame) -> Audit:
    kept, aside = limits.screened(SCOPE, inputs)
    return Audit(
        SCOPE, pl.DataFrame(), pl.DataFrame(), kept, Built(pl.DataFrame()), (), lambda: None, aside=aside
    )


@pytest.mark.parametrize(
    ("odd", "rows", "blocks"), [(FEW, 0, False), (FEW + 1, 100, True), (FEW + 1, 700, False)]
)
def test_many_rows_that_cannot_be_used_are_a_fault_of_the_source(odd: int, rows: int, blocks: bool) -> None:
    lines = [line("a", LONG_AGO) for _ in range(odd)] + [line("a", ago(3)) for _ in range(rows)]
    found = inputs_are_usable(audit_of(purchases=rows_of("purchases", lines)))
    assert (found.failing, found.severity is Severity.ERROR) == (odd, blocks)


def test_rows_of_days_to_come_and_odd_values_are_no_fault_however_many() -> None:
    lines = [line("a", TO_COME) for _ in range(50)]
    people = [person(f"c{number}", birth_date=date(1800, 1, 1)) for number in range(50)]
    found = inputs_are_usable(
        audit_of(purchases=rows_of("purchases", lines), customers=rows_of("customers", people))
    )
    assert (found.failing, found.severity) == (100, Severity.WARN)
    assert found.numbers == {"rows": 0, "rows_ahead": 50, "values": 50}


def test_today_is_the_tenants_and_never_the_newest_row() -> None:
    """Rows of today, which has not ended, are neither ahead nor lost; those of tomorrow are ahead."""
    scope = replace(SCOPE, today=AS_OF + timedelta(days=1))
    lines = [line("a", world.at(AS_OF + timedelta(days=days), hour)) for days in (1, 2) for hour in (0, 23)]
    kept, aside = limits.screened(scope, {"purchases": rows_of("purchases", lines)})
    assert kept["purchases"].height == 2
    assert aside["reason"].to_list() == ["lies ahead"] * 2
    back = replace(scope, as_of=AS_OF - timedelta(days=300))
    assert limits.screened(back, {"purchases": rows_of("purchases", lines)})[1].height == 2


# -- from the warehouse ------------------------------------------------------------------------------------------------


def test_what_no_frame_can_hold_is_read_as_what_cannot_be(warehouse: Warehouse, acme: Tenant) -> None:
    query = sql.SQL(
        "select * from (values "
        "(1, 'infinity'::timestamptz, 'infinity'::date, 12345678901234567890123456789012345::numeric), "
        "(2, '-infinity', '0044-03-15 BC', 'NaN'), (3, '294276-01-01', '5874897-01-01', -1e40), "
        "(4, '2026-01-01 00:00:00.000001+00', '2026-01-01', 1.5), (5, null, null, null)) as v (id, at, day, amount) "
        "order by id"
    )
    schema = {"id": pl.Int64, "at": TIME, "day": pl.Date, "amount": MONEY}
    with warehouse.tenant("acme") as conn:
        found = read_frame(conn, query, schema)
    first, last, most = date(1, 1, 2), date(9999, 12, 31), Decimal(LARGEST_AMOUNT)
    assert found["day"].to_list() == [last, first, last, date(2026, 1, 1), None]
    assert found["at"].dt.date().to_list() == [last, first, last, date(2026, 1, 1), None]
    assert found["at"].dt.microsecond().to_list() == [0, 0, 0, 1, None]
    assert found["amount"].to_list() == [most, most, -most, Decimal("1.5"), None]


def test_inputs_are_read_up_to_as_of_and_from_after_today_on(
    warehouse: Warehouse, acme: Tenant, owner_dsn: str
) -> None:
    """Between the two lies what happened since: it counts on the day that it is of."""
    with psycopg.connect(owner_dsn) as conn:
        conn.execute(
            "create table staging.stg_promotions (promotion_id bigint, promotion_code text, promotion_name text, "
            "discount_percent numeric, starts_at timestamptz, ends_at timestamptz, created_at timestamptz)"
        )
        conn.cursor().executemany(
            "insert into staging.stg_promotions values (%s, 'x', 'x', %s, %s, %s, %s)",
            [
                (1, 10, ago(3), None, ago(3)), (2, "1e200", ago(3), "infinity", None),
                (3, 10, ago(3), None, SCOPE.until), (4, 10, ago(3), None, SCOPE.ahead),
                (5, 10, ago(3), None, "infinity"),
            ],
        )  # fmt: skip
        conn.execute("grant usage on schema staging to cdp_pipeline")
        conn.execute("grant select on staging.stg_promotions to cdp_pipeline")
    with warehouse.tenant("acme") as conn:
        found = frames.read(conn, SCOPE, "promotions")
    assert sorted(found["promotion_id"]) == [1, 2, 4, 5]
    kept, aside = limits.screened(SCOPE, {"promotions": found})
    assert aside.select("key", "column", "reason").rows() == [
        ("2", "discount_percent", "is outside 0 to 100"),
        ("4", "created_at", "lies ahead"),
        ("5", "created_at", "lies ahead"),
    ]
    assert kept["promotions"].height == 4


@pytest.mark.parametrize("name", sorted(limits.LIMITS))
def test_limits_are_of_columns_that_are_read(name: str) -> None:
    assert {limit.column for limit in limits.LIMITS[name]} <= set(FRAMES[name].schema)
    assert limits.KEYS.get(name, "") in {"", *FRAMES[name].schema}


def test_every_time_and_amount_of_the_sources_has_a_limit() -> None:
    """What a new column of an input needs, too.

    A promotion may begin and end when it likes; the stamp of a change is the source's clock, later than any day's end.
    """
    free = {("promotions", "starts_at"), ("promotions", "ends_at"), ("articles", "last_updated")}
    for name, frame in FRAMES.items():
        if frame.made_by is None:
            limited = {limit.column for limit in limits.LIMITS.get(name, ())}
            asked = {
                column
                for column, type_ in frame.schema.items()
                if type_ in {TIME, MONEY, pl.Float64} or column == "quantity"
            }
            assert asked - limited <= {column for of, column in free if of == name}, name


def test_a_scope_without_a_today_takes_the_day_after_as_of_for_it() -> None:
    assert Scope("acme", AS_OF, "UTC", "VND").ahead == datetime(2026, 7, 1, tzinfo=UTC)
    assert Scope("acme", AS_OF, "UTC", "VND", today=date(2026, 8, 1)).ahead == datetime(
        2026, 8, 2, tzinfo=UTC
    )
