"""From images of articles to one vector each; an image that has its vector is never embedded again.

Belongs here: the delta, and the table. Does not belong here: finding and decoding images (`images`), the model
(`embedding.providers.images`). Unlike other builds this one reads files beside its inputs: those that the table names
by their hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from itertools import islice

import numpy as np
import polars as pl

from cdp_assets.datasets.articles import images
from cdp_assets.datasets.articles.contract import ArticlesImageVectors
from cdp_assets.datasets.articles.images import ImageError
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.model import Built, Scope
from cdp_assets.embedding.providers.images import ImageModel, open_image_model
from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.options import TenantOptions

TABLE = "articles_image_vectors.parquet"
REFUSED = "images_refused.parquet"

READERS = 8
"""Files that are read at once: from an object store, waiting dominates."""

PART = 64
"""Images in memory at once: 200 MB when all are new and as large as `images.MAX_SIDE` allows."""

DECIMALS = 6
"""Of a component. What lies beyond is the rounding of the machine; lengths move by 1e-5 at most."""


def configured() -> ImageModel | None:
    """The model of the settings; None where they name none."""
    return open_image_model(get_settings())


def reads_files(options: TenantOptions) -> bool:
    """Whether the images of a tenant with these options are looked at."""
    return bool(options.image_root) and bool(get_settings().image_model_id)


def build(
    scope: Scope,
    articles_content: pl.DataFrame,
    previous: Mapping[str, bytes],
    *,
    open_model: Callable[[], ImageModel | None] = configured,
) -> Built:
    """One row per article that has a readable image.

    Files: `images_refused.parquet` (article_id, file, reason): images that cannot be read or decoded.

    Raises:
        ImageError: the folder of images is not there.
        ProviderError: the model cannot be had, or answers with what is no vector.
    """
    root = scope.options.image_root
    if not root:
        return _nothing("the tenant has no option image_root")
    model = open_model()
    if model is None:
        return _nothing("CDP_IMAGE_MODEL_ID is blank")
    found = images.of_articles(articles_content, images.listed(root))
    vectors = _known(previous.get(TABLE), model.spec.model_id, model.spec.dimension)
    before = len(vectors)
    hashes, refused = _embed(found, model, vectors)
    table = _table(hashes, vectors, model)
    return Built(
        table,
        files={REFUSED: parquet(refused)},
        numbers={
            "articles": articles_content.height,
            "coverage": round(table.height / articles_content.height, 4) if articles_content.height else 1.0,
            "images": table["image_sha256"].n_unique(),
            "embedded": len(vectors) - before,
            "refused": refused.height,
            "model": model.spec.model_id,
        },
    )


def _nothing(reason: str) -> Built:
    return Built(ArticlesImageVectors.create_empty(), off=reason, numbers={"no_images": reason})


def _known(published: bytes | None, model_id: str, dimension: int) -> dict[str, np.ndarray]:
    """sha256 of an image -> its vector, of the published version and the same model."""
    if published is None:
        return {}
    rows = pl.read_parquet(BytesIO(published), columns=["model_id", "image_sha256", "vector"])
    rows = rows.filter(pl.col("model_id") == model_id, pl.col("vector").list.len() == dimension).unique(
        "image_sha256", keep="first", maintain_order=True
    )
    return dict(zip(rows["image_sha256"], _matrix(rows["vector"], dimension), strict=True))


def _matrix(vectors: pl.Series, dimension: int) -> Vectors:
    return vectors.explode(empty_as_null=False).to_numpy().reshape(-1, dimension)


def _embed(
    found: pl.DataFrame, model: ImageModel, vectors: dict[str, np.ndarray]
) -> tuple[dict[str, str], pl.DataFrame]:
    """Adds what is new to `vectors`; gives article -> sha256 of its image, and who was refused."""
    hashes: dict[str, str] = {}
    refused: list[tuple[str, str, str]] = []
    rows = found.iter_rows()
    with ThreadPoolExecutor(READERS) as pool:
        while part := list(islice(rows, PART)):
            new = {}
            for (article_id, path), content in zip(
                part, pool.map(images.read, [path for _, path in part]), strict=True
            ):
                try:
                    if isinstance(content, ImageError):
                        raise content
                    digest = sha256(content).hexdigest()
                    if digest not in vectors and digest not in new:
                        new[digest] = images.decoded(content)
                    hashes[article_id] = digest
                except ImageError as error:
                    refused.append((article_id, path.rpartition("/")[2], str(error)))
            vectors.update(zip(new, model.embed(list(new.values())).round(DECIMALS), strict=True))
    schema = {"article_id": pl.String, "file": pl.String, "reason": pl.String}
    return hashes, pl.DataFrame(refused, schema=schema, orient="row")


def _table(hashes: Mapping[str, str], vectors: Mapping[str, np.ndarray], model: ImageModel) -> pl.DataFrame:
    dimension = model.spec.dimension
    matrix = np.array([vectors[digest] for digest in hashes.values()], np.float32).reshape(-1, dimension)
    return pl.DataFrame(
        {
            "article_id": pl.Series(list(hashes), dtype=pl.String),
            "model_id": pl.Series([model.spec.model_id] * len(hashes), dtype=pl.String),
            "model_revision": pl.Series([model.spec.revision] * len(hashes), dtype=pl.String),
            "modality": pl.Series(["image"] * len(hashes), dtype=pl.String),
            "dim": pl.Series([dimension] * len(hashes), dtype=pl.Int64),
            "vector": pl.Series(matrix, dtype=pl.Array(pl.Float32, dimension)).cast(pl.List(pl.Float32)),
            "vector_norm": np.linalg.norm(matrix.astype(np.float64), axis=1).round(4),
            "image_sha256": pl.Series(list(hashes.values()), dtype=pl.String),
        }
    )
