"""Vectors without meaning: the hash of each text, stretched to a vector.

Belongs here: what tests of plumbing and benchmarks of everything but the model need. Does not belong here: anything
that a search would be judged by; equal texts are near each other, alike texts are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from cdp_assets.embedding.providers.model import Kind, ModelSpec, Vectors, checked

NAME = "blake2b"
DIMENSION = 64


class PlaceholderProvider:
    """Deterministic on every machine; without prefixes passage and query of one text get the same vector.

    Args:
        spec: its dimension may be any.
        batch_size: what `Provider.batch_size` says.
    """

    def __init__(self, spec: ModelSpec, batch_size: int) -> None:
        self.spec = spec
        self.batch_size = batch_size

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        rows = [_numbers(text, self.spec.dimension) for text in self.spec.prefixed(texts, kind)]
        return checked(rows, texts=len(texts), dimension=self.spec.dimension)

    def close(self) -> None:
        """Nothing is held."""


def _numbers(text: str, dimension: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`dimension` numbers in (-1, 1), none of them 0, read off the text's hash."""
    blocks = (dimension * 4 + 63) // 64
    encoded = text.encode()
    raw = b"".join(blake2b(encoded, salt=block.to_bytes(8, "big")).digest() for block in range(blocks))
    whole = np.frombuffer(raw, dtype=">i4", count=dimension).astype(np.float64)
    return (whole + 0.5) / 2**31
