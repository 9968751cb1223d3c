"""Dataset B, images: which are found, what of them reaches a model, and what is refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from PIL import Image

from cdp_assets.datasets.articles import images
from cdp_assets.datasets.articles.images import MAX_PIXELS, MAX_SIDE, ImageError
from tests.clip_support import encoded, swatch


def folder_of(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def articles(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"article_id": pl.String, "sku": pl.String}, orient="row")


def test_an_image_is_found_by_id_before_stock_code_in_any_case_and_depth(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        "leo:1.png",
        "sku-2.JPG",
        "010/0108775015.webp",
        "sku-4.png",
        "leo:4.jpeg",
        "notes.txt",
        "sku-5",
    )
    found = images.of_articles(
        articles(
            ("leo:1", None), ("b", "SKU-2"), ("0108775015", "X"), ("leo:4", "SKU-4"), ("e", "SKU-5"), ("f", "SKU-2"),
        ),
        images.listed(str(tmp_path)),
    )  # fmt: skip
    named = [(article, path.rpartition("/")[2]) for article, path in found.iter_rows()]
    assert named == [
        ("0108775015", "0108775015.webp"),
        ("b", "sku-2.JPG"),
        ("f", "sku-2.JPG"),
        ("leo:1", "leo:1.png"),
        ("leo:4", "leo:4.jpeg"),
    ]


def test_a_stock_code_that_is_a_path_leads_nowhere(tmp_path: Path) -> None:
    folder_of(tmp_path, "secret.png", "shop/a.png")
    hostile = articles(("a/../../secret", "../SECRET"), ("/etc/passwd", "https://inside.example.com/x.png"))
    assert images.of_articles(hostile, images.listed(str(tmp_path / "shop"))).is_empty()


@pytest.mark.parametrize(
    ("root", "match"),
    [("https://cdn.example.com/images", "folder or an s3://"), ("gone", "is not there")],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, root: str, match: str) -> None:
    with pytest.raises(ImageError, match=match):
        images.listed(root if "://" in root else str(tmp_path / root))


def test_an_object_store_is_read_as_a_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        store = s3fs.S3FileSystem()
        store.mkdir("pictures")
        store.pipe("pictures/shop/red/SKU-1.png", encoded(swatch(1)))
        listed = images.listed("s3://pictures/shop")
        assert listed.rows() == [("s3://pictures/shop/red/SKU-1.png", "sku-1")]
        assert images.read(listed["path"][0]) == encoded(swatch(1))
        with pytest.raises(ImageError, match="is not there"):
            images.listed("s3://pictures/other")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


def test_a_file_that_is_gone_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, "a.png")
    assert images.read(str(tmp_path / "a.png")) == b"x"
    assert "cannot be read" in str(images.read(str(tmp_path / "gone.png")))
    monkeypatch.setattr(images, "MAX_BYTES", 0)
    assert "larger than" in str(images.read(str(tmp_path / "a.png")))


# --- Decoding


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_every_format_of_shops_comes_out_the_same(kind: str) -> None:
    image = images.decoded(encoded(swatch(3), kind))
    assert (image.mode, image.size) == ("RGB", (48, 48))
    difference = np.asarray(image, np.int16) - np.asarray(swatch(3), np.int16)
    assert np.abs(difference).mean() < 10


def test_large_images_shrink_and_keep_their_shape() -> None:
    assert images.decoded(encoded(Image.new("RGB", (4000, 1000)), "JPEG")).size == (MAX_SIDE, MAX_SIDE // 4)
    assert images.decoded(encoded(Image.new("L", (30, 20)))).size == (30, 20)


def test_what_is_transparent_is_white_and_what_lies_on_its_side_stands_up() -> None:
    assert images.decoded(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )
    lying = Image.new("RGB", (40, 20))
    exif = lying.getexif()
    exif[0x0112] = 6
    assert images.decoded(encoded(lying, "JPEG")).size == (40, 20)
    assert images.decoded(encoded(lying, "JPEG", exif=exif)).size == (20, 40)


def deep_grey(**options: Any) -> bytes:
    """A PNG of 16 bits: a ramp from black to white over 256 columns."""
    ramp = np.tile((np.arange(256) * 257).astype(np.uint16), (16, 1))
    held = BytesIO()
    Image.fromarray(ramp).save(held, "PNG", **options)
    return held.getvalue()


def test_sixteen_bits_of_grey_are_scaled() -> None:
    image = images.decoded(deep_grey())
    assert [image.getpixel((column, 8)) for column in (0, 64, 128, 255)] == [
        (grey, grey, grey) for grey in (0, 64, 128, 255)
    ]


def test_a_transparent_grey_of_sixteen_bits_is_white() -> None:
    image = images.decoded(deep_grey(transparency=64 * 257))
    assert image.getpixel((64, 8)) == (255, 255, 255)
    assert image.getpixel((65, 8)) == (65, 65, 65)


def bomb(side: int) -> bytes:
    """A PNG of some bytes that says it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [int(MAX_PIXELS**0.5) + 1, 10_000, 30_000])
def test_a_bomb_is_refused_before_a_pixel_is_decoded(side: int) -> None:
    with pytest.raises(ImageError, match=r"pixels|DecompressionBomb"):
        images.decoded(bomb(side))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not found</html>",
        encoded(swatch(1))[:60],
        encoded(swatch(1), "GIF"),
        encoded(swatch(1), "TIFF"),
    ],
)
def test_what_is_no_image_of_a_shop_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError):
        images.decoded(content)


@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
@settings(max_examples=150)
def test_damaged_bytes_are_refused_or_decoded_and_nothing_else(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(swatch(5), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = images.decoded(bytes(content[: data.draw(st.integers(1, len(content)))]))
    except ImageError:
        return
    assert image.mode == "RGB"
