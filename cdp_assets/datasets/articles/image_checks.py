"""What is checked of image vectors before they are published.

Belongs here: vectors by themselves, and how much of the catalogue has one. The neighbours of an image cannot have moved
since the version before: a vector stays until its image or the model is another.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import polars as pl

from cdp_assets.datasets.articles.image_vectors import REFUSED
from cdp_assets.datasets.model import Audit
from cdp_assets.embedding.vectors import UNIT
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MIN_COVERAGE = 0.995
MAX_REFUSED = 0.01
MAX_DUPLICATES = 0.01
FEW = 3
"""Images that may be damaged, or look alike to the model, whatever their share: one is 5 % of 20."""

SEARCHED = 300
MIN_RETRIEVED = 0.99
TIE = 1e-6


def _judged(table: pl.DataFrame) -> pl.DataFrame:
    """The rows with `problem`: what makes a vector unfit, or null."""
    components = pl.element()
    measured = table.with_columns(
        pl.col("vector").list.len().cast(pl.Int64).alias("components"),
        pl.col("vector").list.eval(components.is_finite()).list.all().alias("is_finite"),
        pl.col("vector").list.eval(components.cast(pl.Float64).pow(2)).list.sum().sqrt().alias("length"),
    )
    return measured.with_columns(
        pl.when(pl.col("components") != pl.col("dim"))
        .then(pl.lit("not of the declared dimension"))
        .when(~pl.col("is_finite"))
        .then(pl.lit("not finite"))
        .when(pl.col("length") == 0)
        .then(pl.lit("zero"))
        .when((pl.col("length") - 1).abs() >= UNIT)
        .then(pl.lit("not of length 1"))
        .alias("problem")
    )


def vectors_are_sound(audit: Audit) -> Measure:
    """Vectors of another dimension than declared, not finite, zero, or of another length than 1."""
    wrong = _judged(audit.table).filter(pl.col("problem").is_not_null()).sort("article_id")
    return Measure(
        wrong.height,
        f"{wrong.height} of {audit.table.height} vectors are not of the declared dimension, not finite, zero, or not "
        "of length 1",
        {"vectors": audit.table.height, "tolerance": UNIT},
        ("article_id", "problem", "length"),
        wrong.select("article_id", "problem", "length").head(SAMPLE_ROWS).rows(),
    )


def images_differ(audit: Audit) -> Measure:
    """Different images with one vector, as a share of all images."""
    images = audit.table.unique("image_sha256", keep="first", maintain_order=True)
    alike = images.filter(pl.col("vector").is_duplicated()).sort("article_id")
    share = alike.height / max(images.height, 1)
    is_over = alike.height > FEW and share > MAX_DUPLICATES
    return Measure(
        alike.height if is_over else 0,
        f"{alike.height} of {images.height} different images share their vector with another ({share:.1%}, "
        f"{MAX_DUPLICATES:.0%} are tolerated)",
        {"images": images.height, "share": share, "max_share": MAX_DUPLICATES},
        ("article_id", "image_sha256"),
        alike.select("article_id", "image_sha256").head(SAMPLE_ROWS).rows() if is_over else (),
    )


def images_find_themselves(audit: Audit) -> Measure:
    """Sampled images for which an exact search with their own vector finds another one first."""
    fit = _judged(audit.table).filter(pl.col("problem").is_null() & (pl.col("dim") == pl.col("dim").first()))
    if not fit.height:
        return Measure(0, "no vector to search with")
    dimension = int(fit["dim"][0])
    vectors = fit["vector"].explode(empty_as_null=False).to_numpy().reshape(-1, dimension)
    asked = np.unique(np.linspace(0, fit.height - 1, min(SEARCHED, fit.height)).astype(np.int64))
    scores = vectors[asked] @ vectors.T
    lost = asked[scores.max(axis=1) > scores[np.arange(asked.size), asked] + TIE]
    share = 1 - lost.size / asked.size
    is_under = share < MIN_RETRIEVED
    return Measure(
        lost.size if is_under else 0,
        f"{share:.1%} of {asked.size} sampled images are found first by their own vector ({MIN_RETRIEVED:.0%} are "
        "asked for)",
        {"searched": asked.size, "share": share, "min_share": MIN_RETRIEVED},
        ("article_id",),
        fit[lost[:SAMPLE_ROWS]].select("article_id").rows() if is_under else (),
        Severity.ERROR if lost.size > FEW else Severity.WARN,
    )


def images_cover_the_catalogue(audit: Audit) -> Measure:
    """Articles without a vector of an image; none is looked for where images are off."""
    if audit.built.off:
        return Measure(0, f"no images: {audit.built.off}")
    articles = audit.inputs["articles_content"].select("article_id")
    without = articles.join(audit.table, on="article_id", how="anti").sort("article_id")
    share = 1 - without.height / max(articles.height, 1)
    is_under = share < MIN_COVERAGE
    return Measure(
        without.height if is_under else 0,
        f"{share:.1%} of {articles.height} articles have a vector of their image ({MIN_COVERAGE:.1%} are asked for)",
        {"coverage": share, "min_coverage": MIN_COVERAGE, "without": without.height},
        ("article_id",),
        without.head(SAMPLE_ROWS).rows() if is_under else (),
        Severity.WARN,
    )


def images_are_readable(audit: Audit) -> Measure:
    """Images that were refused: warn when few, fail above 1 %, which is the mark of a folder or a copy gone wrong."""
    if audit.built.off:
        return Measure(0, f"no images: {audit.built.off}")
    refused = pl.read_parquet(BytesIO(audit.built.files[REFUSED]))
    images = audit.table.height + refused.height
    share = refused.height / max(images, 1)
    is_much = refused.height > FEW and share > MAX_REFUSED
    return Measure(
        refused.height,
        f"{refused.height} of {images} images cannot be read or decoded ({share:.1%}, {MAX_REFUSED:.0%} are tolerated)",
        {"refused": refused.height, "share": share, "max_share": MAX_REFUSED},
        ("article_id", "file", "reason"),
        refused.head(SAMPLE_ROWS).rows(),
        Severity.ERROR if is_much else Severity.WARN,
    )


_MODEL = "look at what CDP_IMAGE_MODEL_ID names: a damaged model, or one that is no CLIP"

CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "vectors_are_sound",
        "Every vector has the declared dimension, finite components and length 1 (to 0.001).",
        f"{_MODEL}; delete the folder of the version and LATEST, and materialize datasets.{{table}} again",
        vectors_are_sound,
        blocking=True,
    ),
    Check(
        "images_differ",
        "Different images with one vector: 1 % at most, three or fewer pass.",
        f"open the images of the sample: one placeholder in many sizes can be taken away; else {_MODEL}",
        images_differ,
        blocking=True,
    ),
    Check(
        "images_find_themselves",
        "At least 99 % of 300 sampled images are found first by an exact search for their own vector; three or fewer "
        "that are not warn.",
        f"see vectors_are_sound first; {_MODEL}",
        images_find_themselves,
        blocking=True,
    ),
    Check(
        "images_cover_the_catalogue",
        "Articles with a vector of their image, against 99.5 %; nothing is asked where the tenant names no images.",
        "put the images of the articles in the sample, named by article_id or stock code, into the folder that the "
        "option image_root of {tenant} names",
        images_cover_the_catalogue,
    ),
    Check(
        "images_are_readable",
        "Images that cannot be read or decoded: warns; more than 1 % (and three) fail.",
        "replace the files of the sample; where there are many, see whether the folder of {tenant} was copied whole",
        images_are_readable,
        blocking=True,
    ),
)
