"""A real PostgreSQL on a folder of its own, from the system's package; loopback only, no password of anybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

INSTALL = "apt-get install postgresql"
USER = "ares"
NOBODY = "nobody"


def postgres_bin() -> Path | None:
    """The folder with initdb and pg_ctl, newest version first; Debian keeps it off the path."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if packaged:
        return packaged[0]
    found = shutil.which("initdb")
    return None if found is None else Path(found).parent


class RunningPostgres:
    """A server; every `database()` is a new, empty one."""

    def __init__(self, folder: Path, port: int, programs: Path, segment_mb: int = 16) -> None:
        self._data = folder / "data"
        self._port = port
        self._programs = programs
        self._folder = folder
        self._segment_mb = segment_mb

    def start(self) -> None:
        layout = f"--wal-segsize={self._segment_mb}"
        self._run("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", layout)
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder} -p {self._port}"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def database(self, user: str = USER, password: str = "") -> str:
        """The URL of a new database, owned by `user`; their password is in it."""
        name = f"ares_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} OWNER {user}")
        login = f"{user}:{password}" if password else user
        return f"postgresql+psycopg://{login}@127.0.0.1:{self._port}/{name}"

    def execute(self, *statements: str) -> None:
        """Statements of whoever may do everything."""
        with psycopg.connect(f"host=127.0.0.1 port={self._port} user={USER} dbname=postgres", autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement)

    def fill_wal(self, segments: int) -> None:
        """So many whole segments, and then a checkpoint, which throws away what nobody needs."""
        switch = ("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000))", "SELECT pg_switch_wal()")
        self.execute(*switch * segments, "CHECKPOINT")

    def let_in(self, *lines: str) -> None:
        """Who is let in, first line first; the superuser comes in from here without a password."""
        (self._data / "pg_hba.conf").write_text("\n".join([f"host all {USER} 127.0.0.1/32 trust", *lines, ""]))
        self.execute("SELECT pg_reload_conf()")

    def _run(self, program: str, *words: str) -> None:
        """As nobody where we are root: PostgreSQL refuses to be root's."""
        user = NOBODY if os.getuid() == 0 else None
        command = [str(self._programs / program), *words]
        done = subprocess.run(
            command,
            cwd=self._folder,
            user=user,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@contextmanager
def running_postgres(port: int, programs: Path, segment_mb: int = 16) -> Iterator[RunningPostgres]:
    """Started, and ended with the block. Its folder is short and open to `nobody`, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.getuid() == 0:
        shutil.chown(folder, NOBODY)
    server = RunningPostgres(folder, port, programs, segment_mb)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
