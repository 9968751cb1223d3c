"""Artifact stores in a test: in a local folder, and in an S3 that moto plays on this machine.

Belongs here: opening stores, and versions from the little that a test says of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import polars as pl
import pytest

from cdp_assets.artifacts.store import ArtifactStore, Manifest, content_of

MADE = datetime(2026, 7, 1, 3, tzinfo=UTC)
DATASET, TENANT = "customer_features", "acme"


@contextmanager
def moto_bucket(name: str) -> Iterator[str]:
    """Address of an empty bucket; nothing leaves the machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            patch.setenv(variable, value)
        import boto3
        from s3fs import S3FileSystem

        # a file system of an earlier server is remembered by its arguments, which are the same
        S3FileSystem.clear_instance_cache()
        boto3.client("s3").create_bucket(Bucket=name)
        try:
            yield f"s3://{name}"
        finally:
            S3FileSystem.clear_instance_cache()
            server.stop()


def parquet_of(table: pl.DataFrame) -> bytes:
    """A table as a file."""
    buffer = BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def version(
    files: dict[str, bytes], *, dataset: str = DATASET, tenant: str = TENANT, hours: int = 0,
    as_of: date = date(2026, 6, 30), key: tuple[str, ...] = ("customer_id",), letter: str = "C",
) -> Manifest:  # fmt: skip
    """The manifest of files, made so many hours after `MADE`."""
    digest, listed = content_of(files)
    return Manifest(
        dataset=dataset, tenant_id=tenant, version=f"{as_of:%Y%m%d}-{digest[:12]}", as_of=as_of, sha256=digest,
        rows=1, columns=(("customer_id", "String"),), min_time=MADE - timedelta(days=9), max_time=None,
        inputs={"purchases": {"rows": 3, "sha256": "0" * 64}}, code_version="1", git_sha=None, git_dirty=None,
        made_at=MADE + timedelta(hours=hours), files=listed, key=key, letter=letter,
    )  # fmt: skip


def put(store: ArtifactStore, content: bytes, *, publish: bool = True, **of: object) -> Manifest:
    """A version with one file, published unless told otherwise."""
    files = {"table.bin": content}
    manifest = version(files, **of)  # type: ignore[arg-type]
    store.put(manifest, files)
    if publish:
        store.publish(manifest.dataset, manifest.tenant_id, manifest.version)
    return manifest
