"""Vectors on their way: a batch of keys, text hashes and vectors of one entity, tenant and model.

Belongs here: the batch, what it refuses, its way from and to a frame. Does not belong here: SQL (`store`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cdp_assets.embedding.providers.model import Vectors

UNIT = 1e-3
"""Deviation of a norm from 1 that is rounding: half precision keeps three digits."""


class VectorError(Exception):
    """Vectors that must not be stored. The message names entity, row and remedy, never a value."""


@dataclass(frozen=True, slots=True)
class Lease:
    """By what right a batch completes jobs: the worker that holds them, and each job's generation at the claim."""

    worker: str
    generations: Sequence[int]


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Vectors of one entity of one tenant under one model.

    Attributes:
        keys: (n) entity keys, each once.
        text_hashes: (n) hashes of the texts that were embedded.
        vectors: (n, dimension) float32, C-contiguous, of unit length.
        lease: the jobs that these vectors complete; None for vectors that come without jobs (a bulk fill).
    """

    tenant_id: str
    entity: str
    model_id: str
    keys: Sequence[str]
    text_hashes: Sequence[bytes]
    vectors: Vectors
    lease: Lease | None = None

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, *, tenant_id: str, entity: str, model_id: str) -> VectorBatch:
        """A frame's rows, without copying the vectors where they lie in one chunk.

        Args:
            frame: entity_key (String), text_hash (Binary), embedding (Array of Float32); a column tenant_id or
                model_id, where there is one, must hold nothing but the batch's own.
            tenant_id: whose vectors they are.
            entity: of which entity.
            model_id: under which model.

        Raises:
            VectorError: a column is missing or of another type, or rows are of another tenant or model.
        """
        for column, own in (("tenant_id", tenant_id), ("model_id", model_id)):
            if column in frame.columns and frame.filter(pl.col(column).ne_missing(own)).height:
                strays = frame.filter(pl.col(column).ne_missing(own)).height
                raise VectorError(
                    f"{entity}: {strays} of {frame.height} rows have another {column} than {own!r}; "
                    "write each tenant's and each model's vectors in a frame of their own"
                )
        missing = {"entity_key", "text_hash", "embedding"} - set(frame.columns)
        if missing:
            raise VectorError(f"{entity}: the frame has no column {', '.join(sorted(missing))}")
        if not isinstance(frame.schema["embedding"], pl.Array):
            raise VectorError(
                f"{entity}: column embedding is {frame.schema['embedding']}, it must be an Array of Float32, "
                "so that every vector has the same dimension"
            )
        for column, type_ in (("entity_key", pl.String), ("text_hash", pl.Binary)):
            if frame.schema[column] != type_:
                raise VectorError(f"{entity}: column {column} is {frame.schema[column]}, it must be {type_}")
        for column, what in (
            ("entity_key", "entity_key"),
            ("text_hash", "text_hash"),
            ("embedding", "vector"),
        ):
            if frame[column].null_count():
                raise VectorError(f"{entity}: {frame[column].null_count()} rows have no {what}")
        return cls(
            tenant_id,
            entity,
            model_id,
            frame["entity_key"].to_list(),
            frame["text_hash"].to_list(),
            np.ascontiguousarray(frame["embedding"].to_numpy(), dtype=np.float32),
        )

    def parts(self, rows: int) -> Iterator[VectorBatch]:
        """The batch in pieces of so many rows, without copying vectors; only for one that comes without jobs."""
        assert self.lease is None
        for start in range(0, len(self.keys), rows):
            part = slice(start, start + rows)
            yield replace(
                self, keys=self.keys[part], text_hashes=self.text_hashes[part], vectors=self.vectors[part]
            )

    def frame(self) -> pl.DataFrame:
        """entity_key, text_hash, embedding."""
        return frame_of(self.keys, self.text_hashes, self.vectors)

    def require_fit(self, dimension: int) -> None:
        """Refuse what must not reach a table.

        Raises:
            VectorError: lengths differ, a key occurs twice, or a vector has another dimension than the model, is not
                finite, or is not of unit length (a zero vector among them).
        """
        rows = len(self.keys)
        if not rows == len(self.text_hashes) == len(self.vectors) or (
            self.lease is not None and len(self.lease.generations) != rows
        ):
            raise VectorError(f"{self.entity}: keys, hashes, vectors and generations differ in number")
        if len(set(self.keys)) < rows:
            raise VectorError(f"{self.entity}: a key occurs twice in the batch")
        if not rows:
            return
        if self.vectors.ndim != 2 or self.vectors.shape[1] != dimension:
            raise VectorError(
                f"{self.entity}: vectors of shape {self.vectors.shape}, model {self.model_id} has {dimension} "
                "dimensions"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        unfit = ~(np.abs(norms - 1) <= UNIT)  # so written, NaN is unfit
        if unfit.any():
            first = int(unfit.argmax())
            raise VectorError(
                f"{self.entity}: {int(unfit.sum())} of {rows} vectors are not of unit length (zero, not finite, or "
                f"not normalised), the first is that of key {self.keys[first]!r}"
            )


def frame_of(keys: Sequence[str], text_hashes: Sequence[bytes], vectors: Vectors) -> pl.DataFrame:
    """Columns entity_key (String), text_hash (Binary), embedding (Array of Float32); the vectors are not copied."""
    return pl.DataFrame(
        {
            "entity_key": pl.Series(keys, dtype=pl.String),
            "text_hash": pl.Series(text_hashes, dtype=pl.Binary),
            "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1])),
        }
    )
