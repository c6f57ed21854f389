"""Postgres' own programs: where they are, how they learn the password, and what they mean by what they say."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ares.control.postgres import Address
from ares.errors import AresError, BackupIncomplete, ConfigError, ControlUnavailable
from ares.redaction import redact
from backup.restic import die_with_parent

PACKAGED = "/usr/lib/postgresql"
"""Where Debian keeps programs of several versions side by side."""

WORDS_MAX = 400
SAID_BYTES_MAX = 65_536
STOP_S_MAX = 10.0
VERSION_S_MAX = 10.0

_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"no pg_hba\.conf entry for replication|pg_hba\.conf rejects replication",
        "it lets nobody in for replication from this machine",
        "add to its pg_hba.conf `host replication ROLE ADDRESS scram-sha-256`, then SELECT pg_reload_conf()",
    ),
    (
        r"must be superuser or replication role|permission denied to start wal sender",
        "the role may not follow its WAL",
        "ALTER ROLE ... REPLICATION, or name another one in backup.postgres_url",
    ),
    (r"password authentication failed|no password supplied", "the password is refused", "Correct it in the URL"),
    (
        r"exceeds max_wal_senders|remaining connection slots are reserved|too many connections",
        "all its connections are taken",
        "Raise max_wal_senders there, and restart it",
    ),
    (r"incompatible server version", "its programs here are older than it", "Install those of its version"),
)
_AWAY = r"connection to server|could not connect|server closed the connection|terminating|shutting down|starting up"


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs that fit a server."""

    folder: Path

    @classmethod
    def to_follow(cls, configured: Path | None, major: int) -> Programs:
        """pg_receivewal and pg_basebackup: of the server's version or later. Raises `ConfigError`."""
        return cls(_folder(configured, "pg_receivewal", major, exact=False))

    @classmethod
    def to_serve(cls, configured: Path | None, major: int) -> Programs:
        """postgres itself: of that version, for no other reads its files. Raises `ConfigError`."""
        return cls(_folder(configured, "postgres", major, exact=True))

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def _folder(configured: Path | None, program: str, major: int, *, exact: bool) -> Path:
    found: list[str] = []
    for folder in _places(configured, program, major):
        version = _version(folder / program)
        if version == major or (not exact and version > major):
            return folder
        if version:
            found.append(f"{folder} is of version {version}")
    package = "postgresql" if exact else "postgresql-client"
    wanted = f"no {program} of version {major}{'' if exact else ' or later'}"
    raise ConfigError(
        "backup.postgres_bin",
        str(configured) if configured else None,
        f"{wanted} is there{': ' if found else ''}{', '.join(found)}",
        f"apt-get install {package}-{major}, or name the folder that has it",
    )


def _places(configured: Path | None, program: str, major: int) -> Iterator[Path]:
    if configured is not None:
        yield configured
        return
    yield Path(PACKAGED, str(major), "bin")
    on_path = shutil.which(program)
    if on_path is not None:
        yield Path(on_path).resolve().parent
    newest_first = sorted(Path(PACKAGED).glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    yield from newest_first


def _version(program: Path) -> int:
    """Its major version; 0 if it is none."""
    try:
        told = subprocess.run(  # noqa: S603 - our own command line, no shell
            [str(program), "--version"], capture_output=True, text=True, timeout=VERSION_S_MAX, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", told)
    return int(found[1]) if found else 0


@contextmanager
def _environment(password: str) -> Iterator[tuple[Mapping[str, str], tuple[int, ...]]]:
    """Variables and open files of a child. The password is in a file of memory that only it and we have open."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RESTIC_", "ARES_"))}
    kept["LC_ALL"] = "C"
    if not password:  # libpq has ways of its own, and the store uses them too
        yield kept, ()
        return
    kept.pop("PGPASSWORD", None)
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    file = os.memfd_create("passfile")
    try:
        os.fchmod(file, 0o600)
        os.write(file, f"*:*:*:*:{escaped}\n".encode())
        yield {**kept, "PGPASSFILE": f"/proc/self/fd/{file}"}, (file,)
    finally:
        os.close(file)


@asynccontextmanager
async def started(
    command: Sequence[str], password: str = "", pass_fds: Sequence[int] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program at work, ended with the block and with us. Its complaints are in `stderr`."""
    with _environment(password) as (variables, files):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=variables,
            pass_fds=(*files, *pass_fds),
            limit=SAID_BYTES_MAX,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S_MAX)
            except TimeoutError:
                process.kill()
        await process.wait()


async def complaints(process: asyncio.subprocess.Process) -> str:
    """What it says until it ends; the newest of much."""
    assert process.stderr is not None, "it was asked for"
    said = b""
    while some := await process.stderr.read(SAID_BYTES_MAX):
        said = (said + some)[-SAID_BYTES_MAX:]
    await process.wait()
    return str(redact(said.decode(errors="replace")))


async def run(command: Sequence[str], address: Address, seconds_max: float) -> None:
    """One run to the end. Raises what `meaning` makes of its complaints, `ControlUnavailable` if it takes too long."""
    async with started(command, address.password) as process:
        try:
            said = await asyncio.wait_for(complaints(process), seconds_max)
        except TimeoutError:
            name = Path(command[0]).name
            raise ControlUnavailable(f"control store: {name} did not end in {seconds_max:g} s. Try again") from None
        if process.returncode:
            raise meaning(Path(command[0]).name, said)


def meaning(program: str, said: str) -> AresError:
    """The error for a program's last words; those that nobody knows stay as they are."""
    lines = (line.strip() for line in said.splitlines())
    text = " | ".join(line for line in lines if line and "NOTICE:" not in line)
    short = text if len(text) <= WORDS_MAX else f"... {text[-WORDS_MAX:]}"
    for pattern, problem, way_out in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return ConfigError("control.url", "(hidden)", f"{program}: {problem} ({short})", way_out)
    if re.search(_AWAY, text, re.IGNORECASE):
        return ControlUnavailable(f"control store: {program}: {short}")
    return BackupIncomplete(f"{program} failed: {short or 'it said nothing'}")
