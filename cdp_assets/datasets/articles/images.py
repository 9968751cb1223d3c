"""Images of articles: which there are, their bytes, and what a model is handed.

Belongs here: the tenant's folder of images (option `image_root`) and decoding. An image is found by its name in that
folder; addresses in the sources are never fetched, since whoever can write a product there would choose what this
machine connects to. No source value becomes part of a path either: names are compared with those that are listed.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from upath import UPath

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
"""Suffix -> Pillow's name: the formats of shops. Every other decoder stays closed to files of unknown origin."""

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
"""A camera's largest; decoded it takes 150 MB. A bomb of a few kilobytes says so in its first bytes."""

MAX_SIDE = 1024
"""Four times what the model looks at, so that an image takes 3 MB whatever the camera made."""


class ImageError(Exception):
    """Images cannot be had. The message says why and, where it is the folder, what to do."""


def listed(root: str) -> pl.DataFrame:
    """Images below a folder: name (lower case, without suffix) and path, the first path where a name occurs twice.

    Raises:
        ImageError: it is neither a folder nor an s3:// address, or is not there.
    """
    folder = UPath(root, use_listings_cache=False) if root.startswith("s3://") else UPath(root)
    if folder.protocol not in {"", "file", "s3"}:
        raise ImageError(f"image_root is {root!r}: it must be a folder or an s3:// address")
    # an object store has no empty folders: nothing listed is nothing there
    paths = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in FORMATS)
    if not paths and not folder.exists():
        raise ImageError(f"image_root {root!r} is not there: mount or correct it, or take the option away")
    names = pl.Series("path", paths, dtype=pl.String)
    return (
        names.to_frame()
        .with_columns(
            pl.col("path").str.extract(r"([^/\\]+)\.[^.]+$").str.to_lowercase().alias("name"),
        )
        .unique("name", keep="first", maintain_order=True)
    )


def of_articles(articles: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """article_id and path of every article that has an image, by its id or else by its stock code (`sku`)."""
    found = articles.select("article_id", pl.col("article_id", "sku").str.to_lowercase().name.suffix("_name"))
    for name in ("article_id", "sku"):
        found = found.join(
            images.select(pl.col("name").alias(f"{name}_name"), pl.col("path").alias(f"{name}_path")),
            on=f"{name}_name",
            how="left",
        )
    return (
        found.select("article_id", pl.coalesce("article_id_path", "sku_path").alias("path"))
        .drop_nulls()
        .sort("article_id")
    )


def read(path: str) -> bytes | ImageError:
    """A file's bytes, or why not: what a thread hands back."""
    try:
        with UPath(path).open("rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except OSError as error:
        return ImageError(f"cannot be read ({type(error).__name__})")
    return content if len(content) <= MAX_BYTES else ImageError(f"is larger than {MAX_BYTES:,} bytes")


def decoded(content: bytes) -> Image:
    """What a model is handed: RGB, upright, on white where it is transparent, at most `MAX_SIDE` on its longer side.

    Raises:
        ImageError: it is damaged, of another format or too large.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # Pillow's own limit only warns; the one below is lower, and looked at before a pixel is decoded
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=sorted(set(FORMATS.values()))) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise ImageError(f"has {opened.width} x {opened.height} pixels")
                # JPEG alone: decodes an eighth where that is enough
                opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
                image: Image.Image = opened
                if opened.mode.startswith("I"):
                    image = _of_eight_bits(ImageOps.exif_transpose(opened))
                image.thumbnail((MAX_SIDE, MAX_SIDE))
                image = ImageOps.exif_transpose(image)
    except ImageError:
        raise
    except Exception as error:  # damaged files raise whatever the decoder of their format meets
        raise ImageError(f"cannot be decoded ({type(error).__name__})") from error
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _of_eight_bits(deep: Image) -> Image:
    """A grey image of 16 bits, scaled: Pillow's own conversion cuts all above 255 to white.

    The one grey that such a file may declare as transparent becomes so.
    """
    from PIL import Image

    greys = np.asarray(deep)
    image = Image.fromarray((greys >> 8).astype(np.uint8))
    clear = deep.info.get("transparency")
    if clear is not None:
        image.putalpha(Image.fromarray(np.where(greys == clear, 0, 255).astype(np.uint8)))
    return image
