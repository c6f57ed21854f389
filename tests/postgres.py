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

    def __init__(self, folder: Path, port: int, programs: Path) -> None:
        self._data = folder / "data"
        self._port = port
        self._programs = programs
        self._folder = folder

    def start(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder} -p {self._port}"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def database(self) -> str:
        """The URL of a new database."""
        name = f"ares_{uuid.uuid4().hex}"
        with psycopg.connect(f"host=127.0.0.1 port={self._port} user={USER} dbname=postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self._port}/{name}"

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
def running_postgres(port: int, programs: Path) -> Iterator[RunningPostgres]:
    """Started, and ended with the block. Its folder is short and open to `nobody`, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.getuid() == 0:
        shutil.chown(folder, NOBODY)
    server = RunningPostgres(folder, port, programs)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
