"""What the environment of a process is made of: Dagster's home, and which code this is."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cdp_assets.environment import INSTANCE_FILE, dagster_environment
from cdp_assets.settings import Settings
from cdp_assets.warehouse import registry

# --- Dagster's home


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://nobody@/nothing")
    return Settings(data_dir=tmp_path)


def home_of(settings: Settings) -> Path:
    return Path(dagster_environment(settings)["DAGSTER_HOME"])


def test_dagsters_settings_are_written_once(settings: Settings) -> None:
    file = home_of(settings) / "dagster.yaml"
    assert file.read_bytes() == INSTANCE_FILE.read_bytes()
    first = file.stat()
    home_of(settings)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)


def test_settings_of_another_release_are_replaced_as_a_whole(settings: Settings) -> None:
    """A daemon that reads the file at that moment sees the old one or the new one, never half of it."""
    file = home_of(settings) / "dagster.yaml"
    file.write_text("of: another release\n")
    with file.open() as opened:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: home_of(settings), range(8)))
        assert opened.read() == "of: another release\n"
    assert file.read_bytes() == INSTANCE_FILE.read_bytes()
    assert {path.name for path in file.parent.iterdir()} == {"dagster.yaml"}


# --- Which code this is


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is taken for the registry's, inside of a repository with one commit."""
    file = tmp_path / ".venv" / "registry.py"
    file.parent.mkdir()
    file.write_text("# code\n")
    (tmp_path / "own.txt").write_text("a project of somebody else\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "own.txt")
    git(tmp_path, "commit", "-q", "-m", "theirs")
    monkeypatch.setattr(registry, "__file__", str(file))
    registry.git_state.cache_clear()
    monkeypatch.setattr(registry, "git_state", registry.git_state.__wrapped__)
    return file


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_repository_that_an_environment_lies_in_is_not_taken_for_ours(module: Path) -> None:
    assert registry.git_state() == (None, None)


def test_the_repository_that_keeps_the_code_is_named(module: Path) -> None:
    git(module.parent, "add", "-f", module.name)
    git(module.parent, "commit", "-q", "-m", "ours")
    commit = git(module.parent, "rev-parse", "HEAD")
    assert registry.git_state() == (commit, False)
    module.write_text("# changed\n")
    assert registry.git_state() == (commit, True)
