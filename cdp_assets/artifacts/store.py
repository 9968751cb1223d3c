"""Versions under `<root>/<dataset>/<tenant>/v=<version>/`, each with a manifest; `LATEST` names the published one.

Belongs here: writing, naming, reading and removing versions. A version is named by its content, so that the same
inputs and code give the same name and nothing is written twice. The manifest is written last: a folder without one is
the rest of a process that died. Local folders and `s3://` differ in nothing but the root.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from upath import UPath

from cdp_assets import keys

MANIFEST = "_manifest.json"
LATEST = "LATEST"
UNFINISHED_AGE = timedelta(days=1)
"""No run takes this long between two files: what is older and unfinished is of a process that died."""

_NAME = "v="
_DATASET = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class ArtifactError(Exception):
    """An artifact is missing or is not what its manifest says. The message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a version: name, size in bytes, sha256 of its bytes."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is, and of what it was made.

    Attributes:
        version: `<as_of as YYYYMMDD>-<first 12 digits of sha256>`.
        sha256: over the names and hashes of the files: equal for equal content.
        rows: of the dataset's table.
        columns: (name, type) of the dataset's table in order.
        min_time, max_time: first and last event that the rows tell of; None where they tell of none.
        inputs: input -> number of its rows and sha256 of its content.
        made_at: when; not part of the content.
        key: columns that make a row of the table unique.
        letter: A to F, as the seeds call the dataset; blank for what they do not know.
    """

    dataset: str
    tenant_id: str
    version: str
    as_of: date
    sha256: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    min_time: datetime | None
    max_time: datetime | None
    inputs: Mapping[str, Mapping[str, Any]]
    code_version: str
    git_sha: str | None
    git_dirty: bool | None
    made_at: datetime
    files: tuple[File, ...] = field(default=())
    key: tuple[str, ...] = ()
    letter: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.bytes for file in self.files)

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps(asdict(self), default=_text, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, stored: bytes) -> Manifest:
        """As it was stored."""
        found = json.loads(stored)
        times = {
            name: found[name] and datetime.fromisoformat(found[name]) for name in ("min_time", "max_time")
        }
        return cls(
            **{
                **found,
                **times,
                "as_of": date.fromisoformat(found["as_of"]),
                "made_at": datetime.fromisoformat(found["made_at"]),
                "columns": tuple((name, type_) for name, type_ in found["columns"]),
                "files": tuple(File(**file) for file in found["files"]),
                "key": tuple(found["key"]),
            }
        )


def _text(value: date) -> str:
    return value.isoformat()


def content_of(files: Mapping[str, bytes]) -> tuple[str, tuple[File, ...]]:
    """The hash of all files together, and each of them, in the order of their names."""
    listed = tuple(File(name, len(files[name]), sha256(files[name]).hexdigest()) for name in sorted(files))
    together = sha256("".join(f"{file.name}\0{file.sha256}\n" for file in listed).encode())
    return together.hexdigest(), listed


class ArtifactStore:
    """The versions of all datasets and tenants under one root."""

    def __init__(self, root: str | Path) -> None:
        # An object store's listing is remembered by default: versions of other processes would stay unseen.
        is_remote = "://" in str(root)
        self.root = UPath(root, use_listings_cache=False) if is_remote else UPath(root)

    def folder(self, dataset: str, tenant_id: str) -> UPath:
        """Where the versions of one dataset of one tenant lie.

        Raises:
            ArtifactError: no dataset can have this name.
        """
        if not _DATASET.fullmatch(dataset):
            raise ArtifactError(
                f"{dataset!r} cannot name a dataset: `cdp artifacts list` shows those there are"
            )
        return self.root / dataset / keys.tenant_id(tenant_id)

    def uri(self, dataset: str, tenant_id: str, version: str) -> str:
        """Address of one version."""
        return str(self._folder(dataset, tenant_id, version))

    def put(self, manifest: Manifest, files: Mapping[str, bytes]) -> bool:
        """Write a version, unless it is there; files of one that is there are mended where they were damaged.

        Returns:
            Whether anything was written.
        """
        folder = self._folder(manifest.dataset, manifest.tenant_id, manifest.version)
        is_there = _manifest(folder) is not None
        wanted = {
            name: content
            for name, content in files.items()
            if not is_there or not _holds(folder / name, content)
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in wanted.items():
            _replace(folder / name, content)
        if not is_there:
            _replace(folder / MANIFEST, manifest.to_json())
        return bool(wanted) or not is_there

    def publish(self, dataset: str, tenant_id: str, version: str) -> None:
        """Make a version the latest: readers see the one before or this one, never something between.

        Raises:
            ArtifactError: there is no such version.
        """
        self.manifest(dataset, tenant_id, version)
        _replace(self.folder(dataset, tenant_id) / LATEST, f"{version}\n".encode())

    def latest(self, dataset: str, tenant_id: str) -> str | None:
        """The published version; None before the first."""
        with suppress(FileNotFoundError):
            return str((self.folder(dataset, tenant_id) / LATEST).read_bytes().decode()).strip()
        return None

    def versions(self, dataset: str, tenant_id: str) -> list[Manifest]:
        """All complete versions, the one made last at the end."""
        folder = self.folder(dataset, tenant_id)
        if not folder.exists():
            return []
        found = [_manifest(path) for path in folder.iterdir() if path.name.startswith(_NAME)]
        return sorted(filter(None, found), key=lambda manifest: (manifest.made_at, manifest.version))

    def manifest(self, dataset: str, tenant_id: str, version: str) -> Manifest:
        """What a version is.

        Raises:
            ArtifactError: there is no such version.
        """
        found = _manifest(self._folder(dataset, tenant_id, version))
        if found is None:
            raise ArtifactError(
                f"{dataset} of {tenant_id} has no version {version}: "
                f"`cdp artifacts list --dataset {dataset} --tenant {tenant_id}` shows those it has"
            )
        return found

    def read(self, manifest: Manifest, name: str) -> bytes:
        """One file of a version.

        Raises:
            ArtifactError: it is missing, or its bytes are not those that were written.
        """
        listed = next((file for file in manifest.files if file.name == name), None)
        path = self._folder(manifest.dataset, manifest.tenant_id, manifest.version) / name
        if listed is None or not path.exists():
            raise ArtifactError(
                f"{path} is missing: materialize {manifest.dataset} of {manifest.tenant_id} again"
            )
        content: bytes = path.read_bytes()
        if sha256(content).hexdigest() != listed.sha256:
            raise ArtifactError(
                f"{path} is not what was written: materialize {manifest.dataset} of {manifest.tenant_id} again, which "
                "writes the file anew; where that needs the file itself, bring it back from a backup or delete the "
                f"folder of the version and {LATEST} first"
            )
        return content

    def names(self) -> list[tuple[str, str]]:
        """Every (dataset, tenant) that has a folder."""
        if not self.root.exists():
            return []
        return sorted(
            (dataset.name, tenant.name)
            for dataset in self.root.iterdir()
            if _DATASET.fullmatch(dataset.name) and dataset.is_dir()
            for tenant in dataset.iterdir()
            if re.fullmatch(keys.TENANT_PATTERN, tenant.name) and tenant.is_dir()
        )

    def unfinished(self, dataset: str, tenant_id: str) -> list[tuple[str, datetime]]:
        """Versions without a manifest, and when something of them was last written: of runs that died, or go on."""
        found = []
        for path in self.folder(dataset, tenant_id).iterdir():
            if path.name.startswith(_NAME) and _manifest(path) is None:
                written = [each.stat().st_mtime for each in path.iterdir()] or [path.stat().st_mtime]
                found.append((path.name.removeprefix(_NAME), datetime.fromtimestamp(max(written), UTC)))
        return sorted(found)

    def remove(self, dataset: str, tenant_id: str, version: str) -> None:
        """Remove a version; the manifest first, so that what is left of a half removal is no version.

        Raises:
            ArtifactError: it is the latest.
        """
        if self.latest(dataset, tenant_id) == version:
            raise ArtifactError(f"{dataset} of {tenant_id}: version {version} is the latest and stays")
        folder = self._folder(dataset, tenant_id, version)
        (folder / MANIFEST).unlink(missing_ok=True)
        _remove(folder)

    def remove_tenant(self, tenant_id: str) -> int:
        """Remove every version of a tenant, published or not, and what says which was.

        Returns:
            Datasets of which there was something.
        """
        folders = [self.folder(dataset, tenant) for dataset, tenant in self.names() if tenant == tenant_id]
        for folder in folders:
            # the pointer first: nobody follows it to what is half gone
            (folder / LATEST).unlink(missing_ok=True)
            _remove(folder)
        return len(folders)

    def _folder(self, dataset: str, tenant_id: str, version: str) -> UPath:
        if not _VERSION.fullmatch(version):
            raise ArtifactError(
                f"{version!r} cannot name a version: "
                f"`cdp artifacts list --dataset {dataset} --tenant {tenant_id}` shows those there are"
            )
        return self.folder(dataset, tenant_id) / f"{_NAME}{version}"


def _remove(folder: UPath) -> None:
    """A folder with all that is in it; an object store has no folders to remove."""
    for path in list(folder.iterdir()):
        if path.is_dir():
            _remove(path)
        else:
            path.unlink()
    if isinstance(folder, Path):
        folder.rmdir()


def _manifest(folder: UPath) -> Manifest | None:
    """What a version is; None where there is none, or where its manifest cannot be read: the rest of one."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return Manifest.from_json((folder / MANIFEST).read_bytes())
    return None


def _holds(path: UPath, content: bytes) -> bool:
    return bool(path.exists() and path.read_bytes() == content)


def _replace(path: UPath, content: bytes) -> None:
    """Write a file whole or not at all: a rename in a folder, one PUT in an object store."""
    if not isinstance(path, Path):
        path.write_bytes(content)
        return
    # no process id in the name: containers that share the folder share the ids
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            # else a machine that loses power may keep the new name and lose what it names
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    for left in path.parent.glob(f".{path.name}.*"):
        # of a process that was killed between the two
        with suppress(FileNotFoundError):
            if datetime.now(UTC) - datetime.fromtimestamp(left.stat().st_mtime, UTC) > UNFINISHED_AGE:
                left.unlink()
