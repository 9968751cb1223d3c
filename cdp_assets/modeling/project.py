"""The dbt project's place and its manifest.

Belongs here: making sure that a manifest of the present models is there before definitions are loaded. Does not belong
here: running models (`assets`), the connection (`environment`).
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent / "dbt_project"

EXECUTABLE = str(Path(sys.executable).parent / "dbt")
"""The dbt of this environment, whatever the PATH says."""

SOURCES = ("dbt_project.yml", "profiles.yml", "macros", "models", "snapshots", "tests")


class ProjectError(Exception):
    """The dbt project cannot be used. The message names what is wrong and the remedy."""


def prepared_manifest() -> Path:
    """The manifest of the project as it is; parsed (6 s) when files have changed since, by one process at a time.

    An image has it baked in: there nothing is written.

    Raises:
        ProjectError: the project is not there, or does not parse.
    """
    _parse_once(PROJECT / "target", digest_of_files())
    return PROJECT / "target" / "manifest.json"


def parsed_for(target: Path, dsn: str) -> None:
    """Parse into `target` in the present environment, unless it was done for these files and this connection.

    dbt starts from what is parsed there, in 2 s instead of 6. It takes it only if the connection is the same, so the
    manifest above, which knows of none, will not do.
    """
    _parse_once(target, hashlib.sha256(f"{digest_of_files()} {dsn}".encode()).hexdigest())


def digest_of_files() -> str:
    """Digest of everything that dbt parses.

    Raises:
        ProjectError: there is no project.
    """
    if not (PROJECT / "dbt_project.yml").is_file():
        raise ProjectError(
            f"there is no dbt project beside the package: {PROJECT.name}/dbt_project.yml is missing"
        )
    files = [
        path
        for source in SOURCES
        for path in sorted(
            (PROJECT / source).rglob("*") if (PROJECT / source).is_dir() else [PROJECT / source]
        )
        if path.is_file()
    ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _parse_once(target: Path, digest: str) -> None:
    done = target / "parsed.sha256"

    def is_done() -> bool:
        return (target / "manifest.json").is_file() and done.is_file() and done.read_text() == digest

    if is_done():
        return
    target.mkdir(parents=True, exist_ok=True)
    with (target / "parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_done():
            _parse(target)
            done.write_text(digest)


def _parse(target: Path) -> None:
    """`dbt parse` reads no database: profiles.yml has a default for everything."""
    found = subprocess.run(
        [EXECUTABLE, "--quiet", "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
         "--target-path", str(target), "--log-path", str(target)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        said = (found.stdout + found.stderr).strip()
        raise ProjectError(f"dbt cannot parse {PROJECT.name}:\n{said}")
