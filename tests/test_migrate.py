"""Migrations as a running installation meets them: released files never change, waits end, the remedy is right."""

from __future__ import annotations

import hashlib
import threading

import psycopg
import pytest

from cdp_assets.warehouse import migrate as module
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.migrate import HEAD, MIGRATIONS, migrate

RELEASED = {
    "0001_cdp.sql": "5664094621b1d8d31370f0d2cb1b8c6ba30c908271edeb00cb4c6e2ea1f8570b",
    "0001_comments.sql": "7448acf86105269e82bf68811ee4d2b46e960b9c9ec1bc438b87ec6eee634219",
    "0001_functions.sql": "385906ac9a231b8709daecde3a3e0db63bbef27ea83d3e6b287722c88f7dc7d4",
    "0001_grants.sql": "ba4fa2741061b48b6d02f78242c115f255cc86e6ce23af48099bb33fd8de0ddc",
    "0001_metrics.sql": "40b271c053ba8a7ef8e6993d9bfd748a265110e88a547bf325455d5651b50196",
    "0001_ops.sql": "b358dd3a7123220bf656c194185256be601f99b9e261be1f3ad1d9391f3c137a",
    "0002_activation.sql": "3a070d3f6808ed865a10a3cfe2a808adc6b79af8e89544d8bc213975a00c0916",
    "0002_comments.sql": "98f9d1bc6d1159de5e91cad0e7a298ad8ba0edf17f6fd215c9545dafa7155a06",
    "0002_embedding_partitions.sql": "985ebf04cbb1fd1dd199028ce07d3f8b108758a4ab8857f3f9f75029178cea3d",
    "0002_embedding_queue.sql": "4ec2b2b1e030a516d6e0e191558c590743ae1d4f77fc9e0b8564cb3e81737fd6",
    "0002_embedding_search.sql": "7595ad9caa6673be69296720d869380b50b93a5063614649a705992aa31ab1c7",
    "0002_embedding_tables.sql": "75d1aa4c6a764f788f0abc64a159b6d6aa585c7ba24c1680d33ba54ab897dc1a",
    "0002_embedding_texts.sql": "6f1a2121d7f66678897cf5925b7a46358a4fdc082fcd6fa059cb41e68bdb1584",
    "0002_embedding_triggers.sql": "00cf74b6b61f4352a30fa497bc41e3784ba298f77f9b23c31cb170b2f75a99d5",
    "0002_grants.sql": "f31b23f461b3b3b23af42ed363a13a54342d57c232dd49b13e7a725c762fce78",
    "0003_grants.sql": "b86c08462bc9956e8387ab36f38be540eeb4bdb8ec260cbf6603f32d015a8c30",
    "0003_raw.sql": "cc53ac50d2170c6bb4270377c43d7ad5fced392693328569c190265df25674b4",
    "0003_transform.sql": "265021aeaea6faf3f0208a94b5d5c313376039a18a5858c56c12ba6b08f3f98b",
    "0004_articles.sql": "02da34a6387b0b4663c2dabb3e52cb58c759870e41a9bc2bac1c14b6c67d28d8",
    "0004_artifacts.sql": "ee161f2240fd71bb1dd673a262b380076dd6eb1e1c9ba901aa5cda395b827bcb",
    "0004_audience.sql": "c319266a3fc3d1b3a370dc85b2b5545c3136cd752df6c3e507cce325e883f93f",
    "0004_customers.sql": "f489e13ebcf48fb85db19f0917d7f694a53f4bc599119d2bb09496b1bed27105",
    "0004_events.sql": "094c3b9ea3d94cc20016ae1f70fd297174c788997824f15ac663b455e9ba9380",
    "0004_grants.sql": "3bdab2546a6b505615949657c5ecc2c6789da868f5526b0982e1f0e23cdaaf2e",
    "0004_interactions.sql": "a89734ad485e8f2e7eaf7529cb614d2acf4f68aa1cf5f867d374733997ef1427",
    "0004_reviews.sql": "9f2c850248fd40de8da509ac820bd2091c627af8db1199e0d396c55204e5dc49",
    "0004_timeseries.sql": "71131a43e2234f7ba8f8220ed9ef02a502bff21ea637f36e58d7a3748ae07d5a",
    "0001_foundation.py": "08e1182ba5bc1e93758c22f36c979b9e6a00722ea365d3d34d233b24563df316",
    "0002_embedding.py": "2028b8d1c10674dc3808595aa2b1f41d2d58be87e2858b6998f32e2ad090967a",
    "0003_shop.py": "35b6008d6b81bf46f5a65def728d4435475f8b10d83a5c37120be50050daa7dc",
    "0004_datasets.py": "c5dcd212083115d7c47e5e10ecfda9ec9af6214326cc17a92461406180d39a2f",
}
"""Files of the releases before this one, and what was in them. Databases have run them: a change reaches none of those,
and a file that other files build on breaks their upgrade. Mend with a new migration; a release adds its files here.
"""


def digests() -> dict[str, str]:
    files = [*(MIGRATIONS / "sql").glob("[0-9]*.sql"), *(MIGRATIONS / "versions").glob("[0-9]*.py")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_released_migrations_are_what_they_were() -> None:
    assert {name: digest for name, digest in digests().items() if name < HEAD} == RELEASED


def test_no_released_migration_runs_files_of_another() -> None:
    for path in (MIGRATIONS / "versions").glob("[0-9]*.py"):
        text = path.read_text()
        number = path.name[:4]
        assert f'revision = "{number}"' in text
        assert {name[:4] for name in digests() if f'"{name}"' in text} == {number}


# --- Tables in use


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of a tenth of a second."""
    for name, value in (("LOCK_S", 0.1), ("PAUSE_S", 0.05), ("TURNS", 3)):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def touching(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose next migration changes a table of the registry."""

    def upgrade(conn: psycopg.Connection) -> None:
        conn.execute("alter table ops.tenant add column told int")

    monkeypatch.setattr(module, "_upgrade", upgrade)


def columns(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        return len(conn.execute("select * from ops.tenant limit 0").description or ())


def test_a_table_in_use_ends_the_migration_with_a_remedy_and_nothing_done(
    quick: None, touching: None, owner_dsn: str
) -> None:
    before = columns(owner_dsn)
    with psycopg.connect(owner_dsn) as busy:
        busy.execute("select count(*) from ops.tenant")  # as a session that is idle in a transaction
        with pytest.raises(
            WarehouseError, match=r"in use .* Nothing of it was done. .*run `cdp migrate` again"
        ):
            migrate(owner_dsn)
    assert columns(owner_dsn) == before


def test_a_table_that_becomes_free_is_waited_for(
    quick: None, touching: None, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = columns(owner_dsn)
    with psycopg.connect(owner_dsn) as busy:
        busy.execute("select count(*) from ops.tenant")
        monkeypatch.setattr(module, "sleep", lambda _: busy.commit())
        migrate(owner_dsn)
    assert columns(owner_dsn) == before + 1


def test_while_a_migration_waits_others_reach_the_table(
    quick: None, touching: None, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting `alter table` stands in the queue before every reader."""
    monkeypatch.setattr(module, "LOCK_S", 0.5)
    with psycopg.connect(owner_dsn) as busy:
        busy.execute("select count(*) from ops.tenant")
        failed: list[Exception] = []

        def try_it() -> None:
            try:
                migrate(owner_dsn)
            except WarehouseError as error:
                failed.append(error)

        thread = threading.Thread(target=try_it)
        thread.start()
        with psycopg.connect(owner_dsn, options="-c statement_timeout=20s") as reader:
            for _ in range(20):
                reader.execute("select count(*) from ops.tenant")
                reader.commit()
        thread.join()
    assert failed


# --- Newer schemas


@pytest.fixture
def newer(owner_dsn: str) -> str:
    """A warehouse that the next release migrated."""
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("update ops.alembic_version set version_num = '9999'")
    return owner_dsn


@pytest.mark.parametrize("how", ["migrate", "open"])
def test_a_schema_newer_than_the_code_asks_for_the_newer_release(
    newer: str, pipeline_dsn: str, how: str
) -> None:
    with pytest.raises(
        WarehouseError, match=r"at migration 9999, which is newer than this release"
    ) as caught:
        migrate(newer) if how == "migrate" else Warehouse(pipeline_dsn).require_ready(HEAD)
    assert "cdp migrate" not in str(caught.value)
    assert "install the release that made it" in str(caught.value)


def test_an_older_schema_asks_for_a_migration(owner_dsn: str, pipeline_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("update ops.alembic_version set version_num = '0001'")
    with pytest.raises(WarehouseError, match="run `cdp migrate`"):
        Warehouse(pipeline_dsn).require_ready(HEAD)


# --- The pool


def test_a_connection_that_the_server_closed_is_not_handed_out(owner_dsn: str, warehouse: Warehouse) -> None:
    with warehouse.control() as conn:
        conn.execute("select 1")
    with psycopg.connect(owner_dsn, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'cdp_assets' "
            "and datname = current_database()"
        )
    for _ in range(3):
        with warehouse.control() as conn:
            assert conn.execute("select 1").fetchone() == (1,)
