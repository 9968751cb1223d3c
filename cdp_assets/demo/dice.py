"""Seeded chance for the demo world: one independent stream per tenant, purpose and step.

Belongs here: the streams (numpy PCG64) and the few draws that the generators need. Does not belong here: what is
drawn. There is no other source of randomness in the package, and no clock at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")

_BUFFER = 4096
"""Uniform doubles drawn at once: a scalar numpy draw costs 20 times a list access."""


class Purpose(IntEnum):
    """One stream each, so that drawing more people does not reshuffle the catalogue. Never renumber."""

    PEOPLE = 0
    CATALOG = 1
    PURCHASES = 2
    BEHAVIOUR = 3
    REVIEWS = 4
    SEGMENTS = 5
    DEFECTS = 6
    ADVANCE = 7
    SHOP = 8


class Weighted(Generic[T]):
    """A finite distribution: `items` with unnormalised `weights`, ready to be drawn from."""

    def __init__(self, pairs: Sequence[tuple[T, float]]) -> None:
        self.items = [item for item, _ in pairs]
        self.cumulative = list(accumulate(weight for _, weight in pairs))


class Dice:
    """Draws from one stream. `rng` is the numpy generator for whatever is not covered."""

    def __init__(self, seed: int, tenant: int, purpose: Purpose, step: int = 0) -> None:
        # The spawn key is what SeedSequence(seed).spawn would hand out; naming it needs no shared parent object.
        sequence = np.random.SeedSequence(seed, spawn_key=(tenant, int(purpose), step))
        self.rng = np.random.Generator(np.random.PCG64(sequence))
        self._uniform: list[float] = []

    def uniform(self) -> float:
        if not self._uniform:
            self._uniform = self.rng.random(_BUFFER).tolist()
        return self._uniform.pop()

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.uniform() * len(items))]

    def weighted(self, distribution: Weighted[T]) -> T:
        point = self.uniform() * distribution.cumulative[-1]
        return distribution.items[bisect_right(distribution.cumulative, point)]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items (fewer if there are fewer), in random order."""
        pool = list(items)
        chosen = []
        for _ in range(min(count, len(pool))):
            position = int(self.uniform() * len(pool))
            pool[position], pool[-1] = pool[-1], pool[position]
            chosen.append(pool.pop())
        return chosen
