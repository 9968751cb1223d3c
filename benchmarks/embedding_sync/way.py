"""What every way is, and the embedder that all of them call.

Belongs here: the protocol of a way, the stand-in embedder. Does not belong here: a way, the comparison.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.embedding_sync.documents import Documents

DIMENSION = 384
BATCH = 64
TOKENS = 32
"""Rows of the matrix that a text costs: 32 x 384 by 384 x 384 is 0.2 ms on one core of the measuring machine."""


class Embedder:
    """Stands in for a model: a text's hash through one real matrix multiply, so that a text has a price.

    A vector has 384 dimensions and length 1 and depends on its text alone, to the last bit. Each text of a batch is
    multiplied by itself, on one thread: no way gains or loses by how it cuts its batches.

    Attributes:
        calls: batches so far.
        texts: texts so far.
        seconds: time spent here.
    """

    def __init__(self) -> None:
        threadpool_limits(1)
        dice = np.random.default_rng(384)
        self._positions = dice.standard_normal((TOKENS, DIMENSION), dtype=np.float32)
        self._weights = dice.standard_normal((DIMENSION, DIMENSION), dtype=np.float32)
        self.calls = 0
        self.texts = 0
        self.seconds = 0.0

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text."""
        began = perf_counter()
        digests = b"".join(hashlib.shake_256(text.encode()).digest(DIMENSION) for text in texts)
        values = np.frombuffer(digests, np.uint8).reshape(-1, 1, DIMENSION).astype(np.float32) - 127.5
        vectors = ((values * self._positions) @ self._weights).mean(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.calls += 1
        self.texts += len(texts)
        self.seconds += perf_counter() - began
        return vectors


class Way(ABC):
    """One way from documents to vectors. It lives in a process of its own, for all steps.

    Attributes:
        name: what it is called in the report.
        vectors: SQL that gives one row per document with a vector: its `_key`, its vector as text.
        embedder: the only embedder that the way may call.
    """

    name: ClassVar[str]
    vectors: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """`folder` is an empty one, for what the way keeps outside the database."""
        self.folder = folder
        self.embedder = Embedder()

    @abstractmethod
    def prepare(self, dsn: str) -> None:
        """Imports, tables, connections: what is done once and not timed. The owner's database is the way's alone."""

    @abstractmethod
    def run(self, documents: Documents) -> None:
        """Bring the database in step with the documents, committed. This is timed."""

    def close(self) -> None:  # noqa: B027 -- most ways keep nothing open
        """Give back what `prepare` opened."""
