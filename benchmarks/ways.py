"""Three ways from page bytes to committed rows: the pipeline, seed 000, and the server's own limit.

Belongs here: one timed pass of each. Each pass runs in a process of its own, so that its peak of memory is its own.
Does not belong here: which passes are made and how they are compared.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.phases import Phases
from benchmarks.source import BenchmarkSource, State
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.model import CONVERSION, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant

TENANT = "bench"
SEED_CHUNK = 200
COPY_CHUNK = 1 << 18


@dataclass(slots=True)
class Measured:
    """One pass.

    Attributes:
        documents: documents that the pass stands for: all of the collection, also where few had to be read.
        rows: rows of the table that it wrote.
        wal: bytes of write-ahead log.
        peak: peak resident memory of the client process, bytes.
        phases: seconds by phase; phases of the preparing thread run beside those of the main thread.
    """

    documents: int
    rows: int
    seconds: float
    wal: int = 0
    peak: int = 0
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Documents per second."""
        return self.documents / self.seconds


def peak_memory() -> int:
    """Peak resident memory of this process in bytes. `getrusage` would count the parent's at the fork, too."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def settle(conn: psycopg.Connection[Any]) -> None:
    """Bring the server to rest: what a pass leaves behind is not to be paid for by the next one.

    The first to read a row that was written a moment ago marks its page, and with checksums that writes WAL; on a
    server in use the autovacuum has done it long before the next run.
    """
    tables = conn.execute(
        "select format('%I.%I', schemaname, relname) from pg_stat_user_tables "
        "where schemaname in ('cdp', 'ops', 'seed') and n_mod_since_analyze > 0"
    ).fetchall()
    for (table,) in tables:
        conn.execute(f"vacuum (analyze) {table}")
    conn.execute("checkpoint")


def wal_position(conn: psycopg.Connection[Any]) -> int:
    """Bytes of write-ahead log since the server was made."""
    row = conn.execute("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


# -- (a) the pipeline ------------------------------------------------------------------------------------------------


def pipeline(pipeline_dsn: str, folder: Path, collection: str, state: State) -> Measured:
    """A sweep by `CollectionSync` as role cdp_pipeline, under row level security."""
    source = BenchmarkSource(folder, state)
    with Warehouse(pipeline_dsn) as warehouse:
        put_tenant(warehouse, Tenant(TENANT, "Benchmark", "active", "dump", {"folder": "none"}), replace=True)
        with warehouse.session(TENANT) as session, Phases() as phases:
            began = perf_counter()
            result = CollectionSync(session, source, CONTRACTS[collection]).run("sweep")
            seconds = perf_counter() - began
    assert result.written.rejected == 0, result
    documents = source.size(collection)[0]
    return Measured(documents, result.written.rows, seconds, peak=peak_memory(), phases=phases.seconds())


# -- (b) the way of seed 000, without embedding ----------------------------------------------------------------------

SEED_TABLES = """
create schema if not exists seed;
create table seed.customer_profile (
    cdp_profile_id varchar(50) primary key, tenant_id varchar(50) not null, full_name text, email text, phone text,
    country text, gender text, age int, metadata jsonb,
    created_at timestamptz default now(), updated_at timestamptz default now()
);
create index on seed.customer_profile (tenant_id);
create table seed.transactional_context (
    tenant_id varchar(50) not null, user_id varchar(50) not null, txn_id varchar(50) not null,
    cdp_profile_id varchar(50), source_system varchar(255), txn_type varchar(100) not null,
    txn_status varchar(50) default 'completed', txn_timestamp timestamptz default now(),
    amount numeric(18, 4) default 0,
    currency varchar(10) default 'USD', context_data jsonb not null, category_label varchar(255),
    intent_label varchar(255), intent_confidence numeric(5, 4) default 0 check (intent_confidence between 0 and 1),
    created_at timestamptz default now(), updated_at timestamptz default now(), updated_by text default 'system',
    primary key (tenant_id, user_id, txn_id)
);
create index on seed.transactional_context (tenant_id, user_id, txn_timestamp desc);
create index on seed.transactional_context (txn_type, txn_status);
create index on seed.transactional_context using gin (context_data jsonb_path_ops);
"""

SEED_UPSERT = {
    PROFILE: """
        insert into seed.customer_profile (cdp_profile_id, tenant_id, full_name, email, phone, country, gender, age,
            metadata, created_at, updated_at)
        values (%(cdp_profile_id)s, %(tenant_id)s, %(full_name)s, %(email)s, %(phone)s, %(country)s, %(gender)s,
            %(age)s, %(metadata)s, now(), now())
        on conflict (cdp_profile_id) do update set tenant_id = excluded.tenant_id, full_name = excluded.full_name,
            email = excluded.email, phone = excluded.phone, country = excluded.country, gender = excluded.gender,
            age = excluded.age, metadata = excluded.metadata, updated_at = now()""",
    CONVERSION: """
        insert into seed.transactional_context (tenant_id, user_id, txn_id, cdp_profile_id, source_system, txn_type,
            txn_status, txn_timestamp, amount, currency, context_data, intent_confidence, updated_by)
        values (%(tenant_id)s, %(user_id)s, %(txn_id)s, %(user_id)s, 'ArangoDB', %(txn_type)s, 'completed',
            %(txn_timestamp)s, %(amount)s, %(currency)s, %(context_data)s, 0, 'arango_ingest')
        on conflict (tenant_id, user_id, txn_id) do update set cdp_profile_id = excluded.cdp_profile_id,
            source_system = excluded.source_system, txn_type = excluded.txn_type, txn_status = excluded.txn_status,
            txn_timestamp = excluded.txn_timestamp, amount = excluded.amount, currency = excluded.currency,
            context_data = excluded.context_data, updated_by = excluded.updated_by, updated_at = now()""",
}


def _seed_profile(document: dict[str, Any]) -> dict[str, Any]:
    first, last = document.get("firstName"), document.get("lastName")
    return {
        "cdp_profile_id": document.get("_key")
        or document.get("cdp_profile_id")
        or document.get("customer_id"),
        "tenant_id": document.get("tenant_id") or document.get("tenant") or "default",
        "full_name": f"{first} {last}" if first and last else document.get("full_name"),
        "email": document.get("primaryEmail") or "",
        "phone": document.get("primaryPhone") or "",
        "country": document.get("primaryNationality") or document.get("livingCountry"),
        "gender": {1: "Male", 2: "Female"}.get(document.get("gender", 0)),
        "age": document.get("age"),
        "metadata": json.dumps(document),
    }


def _seed_transaction(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "tenant_id": document.get("tenant_id") or "default",
        "user_id": document.get("_from", "").split("/")[-1],
        "txn_id": document.get("transactionId") or document.get("_key"),
        "txn_type": document.get("eventMetricId") or "transaction",
        "txn_timestamp": document.get("createdAt"),
        "amount": document.get("transactionValue"),
        "currency": document.get("currencyCode") or "USD",
        "context_data": json.dumps(document),
    }


def seed(owner_dsn: str, folder: Path, collection: str, state: State) -> Measured:
    """Every document, every run: decode, map, upsert in chunks of 200, all in one transaction.

    Seed 000 holds the whole collection in lists between its tasks; here each chunk is written as it comes, which
    spares it that memory.
    """
    source = BenchmarkSource(folder, state)
    transform = _seed_profile if collection == PROFILE else _seed_transaction
    written = 0
    with psycopg.connect(owner_dsn) as conn, conn.cursor() as cur:
        began = perf_counter()
        for page in source.scan(collection):
            for start in range(0, len(page), SEED_CHUNK):
                chunk = [transform(json.loads(raw)) for raw in page[start : start + SEED_CHUNK]]
                cur.executemany(SEED_UPSERT[collection], chunk)
                written += cur.rowcount
        conn.commit()
        seconds = perf_counter() - began
    return Measured(written, written, seconds, peak=peak_memory())


# -- (c) the limit ---------------------------------------------------------------------------------------------------


def limit(owner_dsn: str, collection: str) -> Measured:
    """COPY BINARY of the rows that (a) landed, encoded beforehand, into an empty table with the same indexes.

    The owner copies straight into the table, which row level security does not allow to the pipeline.
    """
    table = CONTRACTS[collection].target.table
    with (
        tempfile.TemporaryFile() as encoded,
        psycopg.connect(owner_dsn, autocommit=True) as conn,
        conn.cursor() as cur,
    ):
        with cur.copy(f"copy cdp.{table} to stdout (format binary)") as copy:
            for block in copy:
                encoded.write(block)
        encoded.seek(0)
        cur.execute("create schema if not exists bare")
        cur.execute(f"create table bare.{table} (like cdp.{table} including all)")
        cur.execute("checkpoint")
        wal = wal_position(conn)
        began = perf_counter()
        with cur.copy(f"copy bare.{table} from stdin (format binary)") as copy:
            for block in _blocks(encoded):
                copy.write(block)
        seconds = perf_counter() - began
        rows = cur.rowcount
        wal = wal_position(conn) - wal
        cur.execute(f"drop table bare.{table}")
    return Measured(rows, rows, seconds, wal=wal, peak=peak_memory())


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(COPY_CHUNK):
        yield block
