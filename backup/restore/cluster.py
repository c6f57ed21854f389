"""A Postgres from a base copy and its WAL: put together, brought to a moment, and run for as long as it is needed.

It listens to nobody but us: on a socket in a folder of its own, whatever its own settings say. Postgres refuses to be
root's; where we are root it runs as the user `postgres`, who need not be able to look into the folders above: it
reaches its own through a descriptor that we opened.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ares.clock import Clock, to_datetime
from ares.control.postgres import ask, socket_url
from ares.errors import BackupIncomplete, ControlUnavailable, UsageError
from backup.journal.postgres import wal
from backup.journal.postgres.primary import QUERIES
from backup.journal.postgres.programs import Programs
from backup.journal.postgres.stretch import BASE, WAL, StretchFacts
from backup.restic import die_with_parent

USER = "postgres"
POLL_S = 0.2
STOP_S_MAX = 120.0
TOLD_LINES = 5
CONFIGURATION = (
    "# Written by a restore: the one of the lost server lay outside of its data.\nlisten_addresses = '127.0.0.1'\n"
)
ACCESS = "local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n"
OURS = {
    "listen_addresses": "",
    "port": "5432",
    "ssl": "off",
    "archive_mode": "off",
    "hot_standby": "off",
    "huge_pages": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",
    "primary_conninfo": "",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "",
    "synchronous_standby_names": "",
    "restore_command": "false",
    "recovery_target_action": "promote",
    "recovery_target_inclusive": "on",
    "recovery_target_timeline": "latest",
}
"""Stronger than what the lost server was told: we start it beside the real thing, with all WAL already in its place."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Postgres that was put together in `data`, not yet brought to a moment. `record`: its WAL reaches beyond."""

    data: Path
    facts: StretchFacts
    programs: Programs
    record: int = 0


def put_together(stretch: Path, data: Path, postgres_bin: Path | None, record: int) -> Cluster:
    """Move a stretch's parts to where a server expects them; its base copy is verified file by file.

    Raises `ConfigError` where no Postgres of that version is installed, `BackupIncomplete` for a damaged copy.
    """
    facts = StretchFacts.read(stretch)
    if facts is None:
        raise BackupIncomplete("the journal does not say what it is of. Take another with --at")
    programs = Programs.to_serve(postgres_bin, facts.major)
    verified = subprocess.run(  # noqa: S603 - our own command line, no shell
        [programs["pg_verifybackup"], "--no-parse-wal", "--quiet", str(stretch / BASE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if verified.returncode:
        raise BackupIncomplete(f"the base copy is damaged: {_last(verified.stderr)}. Take another journal with --at")
    (stretch / BASE).rename(data)
    for path in (stretch / WAL).iterdir():
        path.rename(data / "pg_wal" / path.name.removesuffix(wal.PARTIAL))
    (data / "recovery.signal").touch(0o600)
    for name, content in (("postgresql.conf", CONFIGURATION), ("pg_hba.conf", ACCESS), ("pg_ident.conf", "")):
        if not (data / name).exists():
            (data / name).write_text(content, encoding="utf-8")
    data.chmod(0o700)
    return Cluster(data, facts, programs, record)


@asynccontextmanager
async def serving(cluster: Cluster, until_ns: int | None, seconds_max: float, clock: Clock) -> AsyncIterator[str]:
    """Bring it to a moment by its own clock (UTC ns; None: to the end of its WAL), and let it serve for the block.

    Gives the URL of the control store in it. When the block ends it is stopped and whole.
    Raises `BackupIncomplete` with its last words if it does not come up.
    """
    owner = _owner()
    await asyncio.to_thread(_give, cluster.data, owner)
    with _own_folder(owner) as folder:
        process = _start(cluster, folder, owner, until_ns)
        url = socket_url(str(folder), cluster.facts.database, cluster.facts.role)
        try:
            position = await _up(process, url, folder, clock, seconds_max)
            if until_ns is None and position < cluster.record:
                missing = cluster.record - position
                raise BackupIncomplete(f"{missing} bytes of WAL cannot be read. Take another journal with --at")
            yield url
        finally:
            await asyncio.shield(asyncio.to_thread(_stop, process))
    for name in ("postmaster.opts", "backup_label.old"):
        (cluster.data / name).unlink(missing_ok=True)


def _start(
    cluster: Cluster, folder: Path, owner: pwd.struct_passwd | None, until_ns: int | None
) -> subprocess.Popen[bytes]:
    """From this thread: the kernel tells a child of the death of the thread that forked it."""
    ours = {**OURS, "config_file": str(folder / "conf"), "hba_file": str(folder / "hba")}
    ours |= {"ident_file": str(folder / "conf"), "unix_socket_directories": str(folder)}
    if until_ns is not None:
        ours["recovery_target_time"] = to_datetime(until_ns).isoformat(sep=" ")
    settings = [word for name, value in ours.items() for word in ("-c", f"{name}={value}")]
    descriptor = os.open(cluster.data, os.O_RDONLY | os.O_DIRECTORY)
    reached = str(cluster.data) if owner is None else f"/proc/self/fd/{descriptor}"
    try:
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own command line, no shell
                [cluster.programs["postgres"], "-D", reached, *settings],
                cwd="/",
                env={**_inherited(), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(descriptor,),
                user=None if owner is None else owner.pw_uid,
                group=None if owner is None else owner.pw_gid,
                extra_groups=None if owner is None else [],
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - one prctl call, of a library that is loaded already
            )
    finally:
        os.close(descriptor)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ARES_", "RESTIC_"))}


async def _up(process: subprocess.Popen[bytes], url: str, folder: Path, clock: Clock, seconds_max: float) -> int:
    """Wait until it has recovered and takes commits; gives up to where it read its WAL."""
    until_s = clock.monotonic_s() + seconds_max
    while True:
        if process.poll() is not None:
            said = (folder / "log").read_text(encoding="utf-8", errors="replace")
            raise BackupIncomplete(f"the restored Postgres ended: {_last(said)}")
        try:
            (facts,) = await asyncio.to_thread(ask, url, QUERIES["recovered"])
            if facts["recovered"]:
                return int(str(facts["position"]))
        except ControlUnavailable as error:
            if clock.monotonic_s() >= until_s:
                raise BackupIncomplete(f"the restored Postgres is not up after {seconds_max:g} s: {error}") from None
        await clock.sleep(POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # a fast shutdown: it writes all it has
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _owner() -> pwd.struct_passwd | None:
    """Whose it is; None: ours. Raises `UsageError`."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise UsageError(
            f"user = 'root': a Postgres refuses to be root's, and there is no user {USER}. "
            "Restore as another user, or make that one"
        ) from None


def _give(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Make it its owner's, with all that is in it."""
    if owner is None:
        return
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(place, name), owner.pw_uid, owner.pw_gid, follow_symlinks=False)


@contextmanager
def _own_folder(owner: pwd.struct_passwd | None) -> Iterator[Path]:
    """For its socket, whose path must be short, and its log; whoever gets in may do everything, so nobody else does."""
    folder = Path(tempfile.mkdtemp(prefix="ares-pg-"))
    try:
        (folder / "conf").touch()
        (folder / "hba").write_text("local all all trust\n", encoding="utf-8")
        (folder / "log").touch()
        _give(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " | ".join(lines[-TOLD_LINES:])
