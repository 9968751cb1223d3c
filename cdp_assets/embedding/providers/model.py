"""What every provider of vectors keeps: the protocol, the identity of a model, the errors, the check of an answer.

Belongs here: types that the rest of the package may import at no cost. Does not belong here: any provider.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

Kind = Literal["passage", "query"]
"""A passage is stored and found; a query finds. Some models want to be told which one a text is."""

Vectors = npt.NDArray[np.float32]
"""(texts, dimension), C-contiguous, every row of unit length."""

MIN_NORM = 1e-12
"""A row below this has no direction: what is left of it is rounding."""


class ProviderError(Exception):
    """A provider did not give vectors. The message names provider, model and remedy, never a text or the key."""


class RateLimited(ProviderError):
    """The service asks to wait; no attempt was used up.

    Args:
        message: what to tell a person.
        retry_after_s: seconds that the service asks for; None when it does not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(ProviderError):
    """The service fails or cannot be reached; this may pass by itself."""


class ProviderMisconfigured(ProviderError):
    """Key, address, model or dimension are not as they must be: a person must act."""


class TextRefused(ProviderError):
    """Something in this batch is refused for good; the others may pass without it."""


class BadVectors(ProviderError):
    """The answer cannot be stored: too few rows, rows of unknown order, wrong dimension, not finite, or zero."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that decides which vector a text gets.

    Args:
        provider: bundled | sentence-transformers | openai | vertex | placeholder.
        name: as the provider knows it, e.g. `intfloat/multilingual-e5-base`.
        revision: commit of a hub model, short SHA-256 of a local model's files, "" when the provider has none.
        dimension: components of a vector.
        passage_prefix: put before a passage.
        query_prefix: put before a query.
    """

    provider: str
    name: str
    revision: str
    dimension: int
    passage_prefix: str = ""
    query_prefix: str = ""

    @property
    def model_id(self) -> str:
        """Readable slug, `[a-z0-9._-]{1,63}`, that differs wherever a vector could; the same on every machine."""
        digest = blake2b(msgspec.json.encode(self), digest_size=5).hexdigest()
        tail = f"-{self.dimension}-{digest}"
        base = re.sub(r"[^a-z0-9._-]+", "-", self.name.lower().rstrip("/").rpartition("/")[2]).strip("-._")
        return (base or self.provider)[: 63 - len(tail)] + tail

    @property
    def who(self) -> str:
        """Provider and model, as messages name them."""
        return f"{self.provider} {self.name}"

    def prefixed(self, texts: Sequence[str], kind: Kind) -> list[str]:
        """The texts as the model wants them.

        Raises:
            TextRefused: a text holds half a surrogate pair, which no tokenizer and no JSON takes.
        """
        prefix = self.query_prefix if kind == "query" else self.passage_prefix
        found = [prefix + text for text in texts]
        try:
            "".join(found).encode()
        except UnicodeEncodeError:
            raise TextRefused(f"{self.who}: a text of the batch is no valid Unicode") from None
        return found


class Provider(Protocol):
    """Turns texts into vectors of one model. Close it with `contextlib.closing`; one thread at a time."""

    spec: ModelSpec
    batch_size: int
    """How many texts a caller best hands over at once; any number is taken."""

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        """One row per text, in the order of the texts.

        Raises:
            ProviderError: one of its classes, which says what to do.
        """
        ...

    def close(self) -> None: ...


def known_prefixes(name: str) -> tuple[str, str]:
    """Before a passage, before a query: the e5 family was trained with these words and is poor without them."""
    words = re.split(r"[-_/]", name.lower())
    return ("passage: ", "query: ") if "e5" in words and "instruct" not in words else ("", "")


def checked(vectors: Any, *, texts: int, dimension: int, who: str = "provider") -> Vectors:
    """The one door for every provider's answer: right shape, finite, not zero; brought to unit length.

    Args:
        vectors: array or nested lists of numbers.
        texts: rows that were asked for.
        dimension: components that the model's spec promises.
        who: provider and model, for the message.

    Raises:
        BadVectors: the answer is unfit; the message gives positions, never values.
    """
    try:
        # In float64: the square of a large float32 would overflow.
        found = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadVectors(f"{who}: the answer is no table of numbers, or its rows differ in length") from None
    if texts == 0 and found.size == 0:
        return np.empty((0, dimension), np.float32)
    if found.ndim != 2:
        raise BadVectors(f"{who}: the answer has {found.ndim} dimensions instead of rows of numbers")
    if len(found) != texts:
        raise BadVectors(f"{who}: {texts} texts were sent, {len(found)} vectors came back")
    if found.shape[1] != dimension:
        raise BadVectors(f"{who}: the vectors have {found.shape[1]} components, the model's are {dimension}")
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        raise BadVectors(
            f"{who}: {np.count_nonzero(~finite)} of {texts} vectors are not finite, first row {finite.argmin()}"
        )
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(found, axis=1, keepdims=True)
    usable = (norms[:, 0] > MIN_NORM) & np.isfinite(norms[:, 0])
    if not usable.all():
        raise BadVectors(
            f"{who}: {np.count_nonzero(~usable)} of {texts} vectors are zero, first row {usable.argmin()}"
        )
    return np.ascontiguousarray(found / norms, dtype=np.float32)
