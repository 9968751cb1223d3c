"""An export that holds one `_key` twice: whichever way it is read, the first document is the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync, Mode
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import PROFILE
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.dump_support import line, write_lines
from tests.landing_support import land_one
from tests.leo_documents import at


def repeated(folder: Path, *, later: int) -> DumpSource:
    """Key `twice` as Ann, then as Bea; `later` says which of them has the later time."""
    people = [("Ann", later == 0), ("Bea", later == 1)]
    segments = [{"id": "vip", "name": "VIP"}]
    write_lines(
        folder / f"{PROFILE}.jsonl",
        [
            line(PROFILE, "other", firstName="Eve", status=1, createdAt=at(), updatedAt=at()),
            *(
                line(
                    PROFILE, "twice", firstName=name, status=1, createdAt=at(), inSegments=segments,
                    updatedAt=at(minutes=60 if is_later else 0),
                )
                for name, is_later in people
            ),
        ],
    )  # fmt: skip
    return DumpSource(folder)


def name_of(warehouse: Warehouse) -> str:
    with warehouse.tenant("acme") as conn:
        row = conn.execute(
            "select first_name from cdp.customer_profile where cdp_profile_id = 'twice'"
        ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("later", [0, 1])
@pytest.mark.parametrize("modes", [("sweep", "window", "sweep", "window"), ("window", "sweep", "window")])
def test_the_row_never_flips(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path, later: int, modes: tuple[Mode, ...]
) -> None:
    source = repeated(tmp_path, later=later)
    written = []
    for mode in modes:
        written.append(land_one(warehouse, acme.tenant_id, source, PROFILE, mode).written.rows)
        assert name_of(warehouse) == "Ann"
    assert written == [2, *[0] * (len(modes) - 1)]
    with warehouse.tenant(acme.tenant_id) as conn:
        (entry,) = quarantine.open_keys(conn, acme.tenant_id)[PROFILE]
    assert entry.startswith("sha:")


def test_a_segments_members_are_read_by_the_same_rule(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path
) -> None:
    source = repeated(tmp_path, later=1)
    land_one(warehouse, acme.tenant_id, source, PROFILE)
    with warehouse.session(acme.tenant_id) as session:
        result = CollectionSync(session, source, CONTRACTS[PROFILE]).run_segment("vip")
    assert (result.written.rows, name_of(warehouse)) == (0, "Ann")
