"""Vectors in the warehouse: written by binary COPY, read back as a frame, indexed when there are many.

Belongs here: how vectors travel. Does not belong here: what is embedded and when (`queue`, `worker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from psycopg import sql
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.embedding.vectors import VectorBatch, VectorError, frame_of
from cdp_assets.warehouse.connection import Connection, TenantSession

INDEX_FROM = 10_000
"""Vectors of one partition from which an index pays. Measured with 384 and 768 dimensions (benchmarks/vectors, ms a
query): exact 3 and 4 for 2,000 vectors, 5 and 7 for 5,000, 8 and 11 for 10,000, 21 and 25 for 20,000; with an index 2
to 3 for any of them. But each text that changes then costs 1.5 ms more, and the recall is no longer 1."""

PART_BYTES = 16 * 2**20
"""Vectors that are staged at once: a larger stage leaves the processor's cache, and writing becomes a fifth slower."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.

    Attributes:
        written: rows inserted or changed.
        unchanged: rows whose vector stood there already.
        superseded: jobs that somebody touched meanwhile (text changed, lease lost): nothing was written for them.
    """

    written: int = 0
    unchanged: int = 0
    superseded: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.written + other.written,
            self.unchanged + other.unchanged,
            self.superseded + other.superseded,
        )


class _PackedDumper(Dumper):
    """Vectors that are in pgvector's binary form already pass through."""

    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def register(conn: Connection) -> None:
    """Let a connection send memoryviews as vectors (see `packed`)."""
    info = TypeInfo.fetch(conn, "public.vector")
    assert info is not None, "pgvector is checked when the warehouse is opened"
    info.register(conn)
    conn.adapters.register_dumper(memoryview, type("PackedDumper", (_PackedDumper,), {"oid": info.oid}))


def packed(vectors: Vectors) -> Iterator[memoryview]:
    """Each row of (n, dimension) in pgvector's binary form: dimension and a zero as uint16, then float32, big-endian.

    Converted by the thousand: row by row it would cost more than sending them, and all at once nothing would be sent
    meanwhile.
    """
    for start in range(0, len(vectors), 1_000):
        rows = vectors[start : start + 1_000]
        dimension = rows.shape[1]
        records = np.zeros(
            len(rows), dtype=[("dimension", ">u2"), ("unused", ">u2"), ("values", ">f4", (dimension,))]
        )
        records["dimension"] = dimension
        records["values"] = rows
        view, size = records.view(np.uint8).data, records.itemsize
        yield from (view[place : place + size] for place in range(0, len(view), size))


class VectorStore:
    """Writes and reads the vectors of one tenant on one connection.

    Args:
        session: used for nothing else that makes temporary tables before.
    """

    def __init__(self, session: TenantSession) -> None:
        self._session = session
        register(session.connection)
        # The stage stays in memory; with 8 MB, the default, it would go through a file.
        session.connection.execute("set temp_buffers = '64MB'")
        # Inline up to a page: a vector that fits is not sent through TOAST on its way, and none is compressed.
        session.connection.execute(
            'create temporary table if not exists vector_stage (entity_key text collate "C", text_hash bytea, '
            "generation bigint, embedding public.vector) with (toast_tuple_target = 8160) on commit delete rows"
        )
        session.connection.execute("alter table vector_stage alter embedding set storage external")

    def write(self, batch: VectorBatch) -> Stored:
        """Write one batch in one transaction; with a lease, complete its jobs in the same one.

        Raises:
            VectorError: the batch is unfit, of another tenant, or of a model that is not registered.
        """
        if batch.tenant_id != self._session.tenant_id:
            raise VectorError(
                f"{batch.entity}: vectors of tenant {batch.tenant_id!r} in a session of {self._session.tenant_id!r}"
            )
        with self._session.transaction() as conn:
            batch.require_fit(self._dimension(conn, batch.model_id))
            if not batch.keys:
                return Stored()
            if batch.lease is not None:
                self._stage(conn, batch)
                return self._complete(conn, batch, batch.lease.worker)
            leaf = _leaf(conn, batch.entity, batch.model_id)
            # Other writers wait (readers do not), so that what a comparison finds is still so when it is acted upon.
            conn.execute(sql.SQL("lock table {} in share row exclusive mode").format(leaf))
            stored = Stored()
            for part in batch.parts(max(1, PART_BYTES // batch.vectors[0].nbytes)):
                self._stage(conn, part)
                stored += self._merge(conn, part, leaf)
                conn.execute("truncate pg_temp.vector_stage")
        return stored

    def _dimension(self, conn: Connection, model_id: str) -> int:
        row = conn.execute(
            "select dimension from embedding.model where tenant_id = %s and model_id = %s",
            (self._session.tenant_id, model_id),
        ).fetchone()
        if row is None:
            raise VectorError(
                f"model {model_id!r} is not registered for tenant {self._session.tenant_id!r}; "
                "`cdp embedding models list` shows which are"
            )
        return int(row[0])

    def _stage(self, conn: Connection, batch: VectorBatch) -> None:
        generations = batch.lease.generations if batch.lease else [0] * len(batch.keys)
        with (
            conn.cursor() as cur,
            cur.copy("copy pg_temp.vector_stage from stdin (format binary)") as copy,
        ):
            copy.set_types(["text", "bytea", "int8", "vector"])
            for row in zip(batch.keys, batch.text_hashes, generations, packed(batch.vectors), strict=True):
                copy.write_row(row)

    def _merge(self, conn: Connection, batch: VectorBatch, leaf: sql.Identifier) -> Stored:
        row = conn.execute(
            sql.SQL(
                "select count(t.entity_key), count(*) filter (where t.text_hash = s.text_hash) "
                "from pg_temp.vector_stage as s left join {} as t on t.tenant_id = %s and t.entity_key = s.entity_key"
            ).format(leaf),
            (batch.tenant_id,),
        ).fetchone()
        assert row is not None
        present, unchanged = row
        if unchanged < len(batch.keys):
            # a key that is known to be new needs no second look into the index: a fill is a fifth faster without
            statement = _INSERT if present == 0 else _UPSERT
            conn.execute(
                statement.format(leaf=leaf, wanted=_DIFFERENT.format(leaf=leaf) if present else sql.SQL("")),
                {"tenant": batch.tenant_id, "model": batch.model_id},
            )
        return Stored(written=len(batch.keys) - unchanged, unchanged=unchanged)

    def _complete(self, conn: Connection, batch: VectorBatch, worker: str) -> Stored:
        # A job that somebody has locked is being touched: waiting for it could deadlock with a landing that touches
        # many, so it is passed over, and claimed again if the other one rolls back.
        row = conn.execute(
            sql.SQL(
                "with held as materialized (select j.entity_key from embedding.job as j "
                "where j.tenant_id = %(tenant)s and j.model_id = %(model)s and j.entity = %(entity)s "
                "and j.entity_key = any(%(keys)s) and j.worker = %(worker)s and j.dead_at is null "
                "and j.generation = (select s.generation from pg_temp.vector_stage as s "
                "where s.entity_key = j.entity_key) for update skip locked), "
                "closed as (delete from embedding.job as j using held as h where j.tenant_id = %(tenant)s "
                "and j.model_id = %(model)s and j.entity = %(entity)s and j.entity_key = any(%(keys)s) "
                "and j.entity_key = h.entity_key), "
                "written as ({insert} returning 1) "
                "select (select count(*) from held), (select count(*) from written)"
            ).format(
                insert=_UPSERT.format(
                    leaf=_leaf(conn, batch.entity, batch.model_id),
                    wanted=sql.SQL("inner join held using (entity_key)"),
                )
            ),
            {
                "tenant": batch.tenant_id,
                "model": batch.model_id,
                "entity": batch.entity,
                "keys": list(batch.keys),
                "worker": worker,
            },
        ).fetchone()
        assert row is not None
        held, written = row
        return Stored(written=written, unchanged=held - written, superseded=len(batch.keys) - held)

    def read(self, entity: str, model_id: str) -> pl.DataFrame:
        """All vectors of an entity under a model, by key.

        Returns:
            entity_key, text_hash, embedding (Array of Float32 of the model's dimension).

        Raises:
            VectorError: the model is not registered for the tenant.
        """
        keys: list[str] = []
        hashes: list[bytes] = []
        raw: list[bytes] = []
        with self._session.transaction() as conn:
            dimension = self._dimension(conn, model_id)
            with conn.cursor(name="vectors", binary=True) as cur:
                cur.itersize = 5_000
                cur.execute(
                    sql.SQL(
                        "select entity_key, text_hash, public.vector_send(embedding) from {} "
                        "where tenant_id = %s and model_id = %s order by entity_key"
                    ).format(_leaf(conn, entity, model_id)),
                    (self._session.tenant_id, model_id),
                )
                for key, text_hash, vector in cur:
                    keys.append(key)
                    hashes.append(text_hash)
                    raw.append(vector)
        records = np.frombuffer(b"".join(raw), dtype=[("head", ">u2", (2,)), ("values", ">f4", (dimension,))])
        return frame_of(keys, hashes, records["values"].astype(np.float32))

    def index(self, entity: str, model_id: str, *, index_from: int = INDEX_FROM) -> bool:
        """Build the partition's index when it holds enough vectors; afterwards, so that a fill writes none.

        Returns:
            Whether the partition has enough of them for an index.
        """
        with self._session.transaction() as conn:
            row = conn.execute(
                sql.SQL("select count(*) from {} where tenant_id = %s and model_id = %s").format(
                    _leaf(conn, entity, model_id)
                ),
                (self._session.tenant_id, model_id),
            ).fetchone()
            assert row is not None
            if row[0] < index_from:
                return False
            conn.execute(
                "call embedding.index_partition(%s, %s, %s)", (self._session.tenant_id, entity, model_id)
            )
        return True


_INSERT = sql.SQL(
    "insert into {leaf} as t (tenant_id, model_id, entity_key, text_hash, embedding) "
    "select %(tenant)s, %(model)s, s.entity_key, s.text_hash, s.embedding from pg_temp.vector_stage as s {wanted}"
)
"""Straight into the partition: through the parent, every row would be routed."""

_UPSERT = sql.SQL(
    _INSERT.as_string() + " on conflict (tenant_id, model_id, entity_key) do update "
    "set text_hash = excluded.text_hash, embedding = excluded.embedding, embedded_at = now() "
    "where t.text_hash is distinct from excluded.text_hash"
)
"""An equal hash is an equal vector: nothing is written, and no index entry made."""

_DIFFERENT = sql.SQL(
    "where not exists (select from {leaf} as c where c.tenant_id = %(tenant)s and c.entity_key = s.entity_key "
    "and c.text_hash = s.text_hash)"
)
"""Before the upsert, which locks every row that it meets, and so writes WAL even for those that it leaves alone."""


def _leaf(conn: Connection, entity: str, model_id: str) -> sql.Identifier:
    row = conn.execute("select embedding.leaf(%s, ops.current_tenant(), %s)", (entity, model_id)).fetchone()
    assert row is not None
    return sql.Identifier("embedding", row[0])
