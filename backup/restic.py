"""Runs the program restic: secrets by its environment, never by its arguments; its death with ours; a bound in time."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import IO
from urllib.parse import quote, urlsplit, urlunsplit

from ares.config.backup import FORMS, BackupConfig
from ares.errors import BackupIncomplete, ConfigError, RepositoryUnavailable
from ares.redaction import redact

PR_SET_PDEATHSIG = 1
OUTPUT_LINES_MAX = 2_000
"""Of what it complains about; the newest count."""

Line = Callable[[str], None]
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of restic ended."""

    code: int
    complaints: str


class Live:
    """What runs for one repository. Once it was ended nothing begins any more: who waits for a lock just now would
    otherwise copy when nobody holds the checkpoint.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._ended = False
        self._running: set[subprocess.Popen[bytes]] = set()

    def begin(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Start a process. Raises `BackupIncomplete` after the end."""
        with self._lock:
            self.require_wanted()
            process = start()
            self._running.add(process)
        return process

    def gone(self, process: subprocess.Popen[bytes]) -> None:
        """It ended by itself."""
        with self._lock:
            self._running.discard(process)

    def end(self, *, at_once: bool) -> None:
        """End all of it; `at_once` without time to clean up."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.send_signal(signal.SIGKILL if at_once else signal.SIGINT)

    def require_wanted(self) -> None:
        """Raises `BackupIncomplete` after the end."""
        if self._ended:
            raise BackupIncomplete("it was asked to end")


@dataclass(frozen=True, slots=True)
class Restic:
    """The program with what it needs to reach one repository."""

    config: BackupConfig
    password: str
    cache_dir: Path
    live: Live

    def run(self, arguments: Sequence[str], heard: Line, seconds_max: float, target: IO[bytes] | None = None) -> Ended:
        """One run; `heard` gets each line of standard output, or it goes to the file `target`.

        Raises `RepositoryUnavailable` after `seconds_max`, `BackupIncomplete` if its end was asked for.
        """
        with self._started(arguments, target) as process, _bounded(process, seconds_max) as late:
            assert process.stderr is not None, "it was asked for"
            with _complaints(process.stderr) as said:
                for line in process.stdout or ():
                    heard(line.decode(errors="replace"))
                code = process.wait()
        if late():
            raise RepositoryUnavailable(
                f"repository {self.config.repository}: restic {arguments[0]} did not end in {seconds_max:g} s. "
                "Way out: check that it answers; raise backup.answer_s_max or copy_s_max if it is only slow"
            )
        if code:
            self.live.require_wanted()
        return Ended(code, redact("".join(said)))

    @contextmanager
    def _started(self, arguments: Sequence[str], out: IO[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        process = self.live.begin(
            lambda: subprocess.Popen(  # noqa: S603 - our own command line, no shell
                [program(self.config), *self._global(), *arguments],
                env=environment(self.config, self.password, self.cache_dir),
                stdin=subprocess.DEVNULL,
                stdout=out if out is not None else subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - one prctl call, of a library that is loaded already
            )
        )
        try:
            yield process
        finally:
            self.live.gone(process)
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def _global(self) -> list[str]:
        config = self.config
        given = {
            "--limit-upload": config.upload_kib_s_max,
            "--limit-download": config.download_kib_s_max,
            "--cacert": config.ca_file,
            "--option": sftp_command(config),
        }
        return [f"{name}={value}" for name, value in given.items() if value]


def die_with_parent(parent: int) -> None:
    """A copy must not go on, and be called whole, when nobody is left who holds the checkpoint."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it was asked for
            os._exit(1)


def program(config: BackupConfig) -> str:
    """Where restic is. Raises `ConfigError`."""
    found = shutil.which(config.restic)
    if found is None:
        raise ConfigError("backup.restic", config.restic, "no such program", "apt-get install restic, or name its path")
    return found


def environment(config: BackupConfig, password: str, cache_dir: Path) -> Mapping[str, str]:
    """Its variables: the repository too, for it may hold a password by then."""
    if config.repository is None:
        raise ConfigError("backup.repository", None, "there is nowhere to copy to", f"Set it to {FORMS}")
    given = {
        "RESTIC_REPOSITORY": _with_login(config.repository, config),
        "RESTIC_PASSWORD": password,
        "RESTIC_CACHE_DIR": str(cache_dir),
        "RESTIC_PROGRESS_FPS": "2",
        "AWS_DEFAULT_REGION": config.s3_region,
        "AWS_ACCESS_KEY_ID": config.s3_key_id.get_secret_value() if config.s3_key_id else "",
        "AWS_SECRET_ACCESS_KEY": config.s3_secret.get_secret_value() if config.s3_secret else "",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RESTIC_", "ARES_"))}
    return {**kept, **{name: value for name, value in given.items() if value}}


def sftp_command(config: BackupConfig) -> str:
    """The option that makes ssh use our key and our list of hosts, and never ask anybody; empty for other kinds."""
    repository = config.repository or ""
    if not repository.startswith("sftp:"):
        return ""
    host, port = _sftp_host(repository)
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "-o", "ConnectTimeout=15"]
    if config.sftp_key_file is not None:
        words += ["-o", "IdentitiesOnly=yes", "-i", str(config.sftp_key_file)]
    if config.sftp_known_hosts_file is not None:
        words += ["-o", f"UserKnownHostsFile={config.sftp_known_hosts_file}", "-o", "StrictHostKeyChecking=yes"]
    if port:
        words += ["-p", str(port)]
    return f"sftp.command={shlex.join([*words, host, '-s', 'sftp'])}"


def _sftp_host(repository: str) -> tuple[str, int | None]:
    """`sftp://user@host:port//folder`, or `sftp:user@host:/folder` as ssh writes it."""
    if not repository.startswith("sftp://"):
        return repository.removeprefix("sftp:").partition(":")[0], None
    address = urlsplit(repository)
    user = f"{address.username}@" if address.username else ""
    return f"{user}{address.hostname}", address.port


def _with_login(repository: str, config: BackupConfig) -> str:
    if not repository.startswith("rest:") or not config.rest_user or config.rest_password is None:
        return repository
    address = urlsplit(repository.removeprefix("rest:"))
    login = f"{quote(config.rest_user, safe='')}:{quote(config.rest_password.get_secret_value(), safe='')}"
    return f"rest:{urlunsplit(address._replace(netloc=f'{login}@{address.netloc}'))}"


@contextmanager
def _bounded(process: subprocess.Popen[bytes], seconds_max: float) -> Iterator[Callable[[], bool]]:
    """Kills what takes too long; tells whether it did."""
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        with suppress(ProcessLookupError):
            process.kill()

    timer = Timer(seconds_max, end)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: bool(ended)
    finally:
        timer.cancel()


@contextmanager
def _complaints(pipe: IO[bytes]) -> Iterator[list[str]]:
    """Reads standard error beside the work: a full pipe would stop it."""
    said: list[str] = []

    def read() -> None:
        for line in pipe:
            said.append(line.decode(errors="replace"))
            del said[:-OUTPUT_LINES_MAX]

    reader = Thread(target=read, name="restic-complaints", daemon=True)
    reader.start()
    try:
        yield said
    finally:
        reader.join(5)
