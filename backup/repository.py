"""The repository of backups: the one door to restic.

Every call blocks until restic ends; from a coroutine call it through `asyncio.to_thread`. Locks that a dead program
left are taken away, those of a living one are waited for. All raise what `backup.outcome` maps to.

restic lets backups and restores work side by side, and nobody beside a `prune`, a `forget` or a `check` with its lock,
however long that takes. The journal must not wait for the market's: so each kind has a repository of its own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, cast

import orjson

from ares.config.backup import BackupConfig
from ares.errors import BackupIncomplete, RepositoryBroken, RepositoryLocked, RepositoryMissing
from ares.files import make_once, write_whole
from ares.redaction import redact
from ares.telemetry import get_logger
from backup.outcome import failure
from backup.restic import Ended, Live, Restic
from backup.told import ERRORS_TOLD_MAX, Forgotten, Progress, Snapshot, SnapshotInfo, Told, forgotten_in, snapshots_in

LOCK_POLL_S = 1.0
UNREADABLE_SOURCE = 3
"""restic's exit code when it made a snapshot, though not of everything."""

NO_KEY = "(none)"
"""Opens nothing: a repository that is there says that it wants another, one that is not says so."""

MARKET, JOURNAL = "market", "journal"
log = get_logger(__name__)


class Repository:
    """One restic repository, by the settings of `[backup]`.

    >>> repository = Repository(config.backup, state_dir)
    >>> repository.ensure()
    >>> repository.backup([state_dir / "witness"], ["market"]).snapshot_id
    """

    def __init__(self, config: BackupConfig, state_dir: Path, pause: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._folder = state_dir / "backup"
        self._pause = pause
        self._live = Live()

    @property
    def location(self) -> str:
        """Where it is, as set; holds no secret."""
        return self._config.repository or ""

    @property
    def was_here(self) -> bool:
        """Whether this installation has met it."""
        return self.location in self._known()

    def ensure(self) -> None:
        """Make it on first use.

        Raises `RepositoryMissing` where it was before and is no more: a disk that is not mounted must not be taken
        for a new beginning.
        """
        if self.is_there():
            self._know()
            return
        if self.was_here:
            raise RepositoryMissing(
                f"repository {self.location}: it was there before and is not now. Way out: mount its disk; "
                "if it is lost, `ares backup init` begins a new one"
            )
        self.create()

    def is_there(self) -> bool:
        """Whether there is one. Raises `BackupError` where nobody can tell."""
        try:
            self._run(["cat", "config", "--no-lock"])
        except RepositoryMissing:
            return False
        return True

    def create(self) -> None:
        """Make a new repository here. Raises `BackupError` where one is."""
        if self._config.password is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_once(self._key_file, secrets.token_urlsafe(32).encode())
        self._run(["init"])
        self._know()

    def snapshots(self, tag: str | None = None) -> list[Snapshot]:
        """What it holds of this installation, oldest first."""
        wanted = ["--tag", tag] if tag else []
        heard: list[str] = []
        self._run(["snapshots", "--json", "--no-lock", "--host", self._config.host, *wanted], heard.append)
        return snapshots_in("".join(heard))

    def backup(
        self,
        paths: Sequence[Path],
        tags: Sequence[str],
        *,
        read_all: bool = False,
        progress: Progress = lambda _done, _total: None,
    ) -> SnapshotInfo:
        """Copy files and folders into one snapshot; `read_all` reads also those that look unchanged.

        A file that goes while it is read is passed over. Raises `BackupIncomplete`, and leaves no snapshot, for one
        that cannot be read, and for a path that is not there (restic itself would leave it out in silence).
        """
        _require_there(paths)
        told = Told(progress)
        arguments = ["backup", "--json", "--host", self._config.host, *(["--force"] if read_all else [])]
        arguments += [word for tag in tags for word in ("--tag", tag)]
        ended = self._run([*arguments, "--", *map(str, paths)], told.hear, self._config.copy_s_max, UNREADABLE_SOURCE)
        made = told.result(self.location, ended)
        try:
            _require_there(paths)
            if made.unreadable:
                first = "; ".join(made.unreadable[:ERRORS_TOLD_MAX])
                raise BackupIncomplete(f"cannot be read: {first}. Let us read them")
        except BackupIncomplete:
            self.discard(made.snapshot_id)
            raise
        return made

    def restore(self, snapshot_id: str, target: Path, includes: Sequence[str] = ()) -> None:
        """Bring a snapshot back under `target`, by full paths; of `includes` only, if there are some."""
        wanted = [f"--include={pattern}" for pattern in includes]
        self._read(["restore", snapshot_id, "--target", str(target), *wanted])

    def dump(self, snapshot_id: str, path: str, target: IO[bytes]) -> None:
        """Write one file of a snapshot into an open file that is empty; a folder comes as tar."""
        self._read(["dump", snapshot_id, path], target)

    def check(self, part: tuple[int, int] | None = None, *, read_all: bool = False) -> None:
        """Prove it sound: its structure always, the data too of part n of t or of all. Raises `RepositoryBroken`.

        First without a lock, so that backups go on for as long as it takes. What it finds may then be their doing, so
        it must be found again with nobody else there.
        """
        wanted = ["--read-data"] if read_all else []
        if part is not None:
            wanted = [f"--read-data-subset={part[0]}/{part[1]}"]
        try:
            self._run(["check", "--no-lock", *wanted], seconds_max=self._config.copy_s_max)
        except RepositoryBroken:
            self._run(["check", *wanted], seconds_max=self._config.copy_s_max)

    def forget(self, tag: str, *, dry_run: bool = False) -> Forgotten:
        """Let snapshots of one kind go that are older than backup.keep_* wants; `prune` frees their room."""
        config = self._config
        wanted = {
            "--keep-last": config.keep_last,
            "--keep-hourly": config.keep_hourly,
            "--keep-daily": config.keep_daily,
            "--keep-weekly": config.keep_weekly,
            "--keep-monthly": config.keep_monthly,
        }
        keep = [f"{name}={count}" for name, count in wanted.items() if count]
        arguments = ["forget", "--json", "--host", config.host, "--group-by", "host", "--tag", tag, *keep]
        heard: list[str] = []
        self._run([*arguments, *(["--dry-run"] if dry_run else [])], heard.append)
        return forgotten_in(tag, "".join(heard))

    def discard(self, snapshot_id: str) -> None:
        """Let one snapshot go that turned out not to be whole."""
        self._run(["forget", snapshot_id])

    def prune(self) -> None:
        """Free the room of what no snapshot needs; waits until nobody else works here."""
        self._run(["prune"], seconds_max=self._config.copy_s_max)

    def unlock(self) -> None:
        """Take away locks whose program is dead or has not renewed them for half an hour; never a living one's."""
        ended = self._restic().run(["unlock"], lambda _: None, self._config.answer_s_max)
        if ended.code:
            raise failure("unlock", self.location, ended.complaints)

    def abort(self, *, at_once: bool = False) -> None:
        """End what restic does now, and begin nothing any more; whoever waits for it gets `BackupIncomplete`.

        It takes its lock away by itself, unless it has to end `at_once`.
        """
        self._live.end(at_once=at_once)

    def _read(self, arguments: Sequence[str], target: IO[bytes] | None = None) -> None:
        """Run what only reads. A lock that nobody gives up, a dead machine's say, must not keep data from coming back:
        after `lock_wait_s` it is read without one; if it was a living prune's, restic misses something and says so.
        """
        wanted, limit_s = list(arguments), self._config.copy_s_max
        try:
            self._run(wanted, seconds_max=limit_s, target=target)
        except RepositoryLocked:
            log.warning("repository_read_without_its_lock", repository=self.location, verb=wanted[0])
            self._run([wanted[0], "--no-lock", *wanted[1:]], seconds_max=limit_s, target=target)

    def _run(
        self,
        arguments: Sequence[str],
        heard: Callable[[str], None] = lambda _: None,
        seconds_max: float | None = None,
        fine: int = 0,
        *,
        target: IO[bytes] | None = None,
    ) -> Ended:
        """Run restic; a lock in its way is taken away if nobody holds it, else waited for."""
        restic, config = self._restic(), self._config
        waited_s = 0.0
        while True:
            ended = restic.run(arguments, heard, seconds_max or config.answer_s_max, target)
            if ended.code in (0, fine):
                return ended
            error = failure(arguments[0], self.location, ended.complaints)
            if not isinstance(error, RepositoryLocked) or waited_s >= config.lock_wait_s:
                raise error
            if waited_s:
                self._pause(LOCK_POLL_S)
            self.unlock()
            waited_s += LOCK_POLL_S

    def _restic(self) -> Restic:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Restic(self._config, self._password(), self._folder / "cache", self._live)

    def _password(self) -> str:
        """The setting, or in dev the key that was made beside the data."""
        configured = self._config.password
        if configured is not None:
            return configured.get_secret_value()
        try:
            key = self._key_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return NO_KEY
        redact.learn(key)
        return key

    @property
    def _key_file(self) -> Path:
        return self._folder / "repository.key"

    def _known(self) -> list[str]:
        """Where this installation had a repository."""
        try:
            return cast("list[str]", orjson.loads((self._folder / "repositories.json").read_bytes()))
        except (OSError, ValueError):
            return []

    def _know(self) -> None:
        known = self._known()
        if self.location not in known:
            write_whole(self._folder / "repositories.json", orjson.dumps([*known, self.location]), 0o600)


class Repositories:
    """The repositories of one installation: the market's where `backup.repository` says, the journal's inside of it.

    Whoever copies that folder or bucket has both.
    """

    def __init__(self, config: BackupConfig, state_dir: Path) -> None:
        inside = None if config.repository is None else f"{config.repository.rstrip('/')}/{JOURNAL}"
        self.market = Repository(config, state_dir)
        self.journal = Repository(config.model_copy(update={"repository": inside}), state_dir)

    def of(self, kind: str) -> Repository:
        """That of a kind of backups."""
        return self.journal if kind == JOURNAL else self.market

    def all(self) -> dict[str, Repository]:
        """By kind, those that are there: one without journals has the market's alone."""
        return {MARKET: self.market} if self._journals() is None else {MARKET: self.market, JOURNAL: self.journal}

    def snapshots(self, kind: str | None = None) -> list[Snapshot]:
        """What they hold of this installation, or of one kind of it, oldest first."""
        found = [] if kind == JOURNAL else self.market.snapshots(kind)
        found += [] if kind == MARKET else self._journals() or []
        return sorted(found, key=lambda each: each.ts_ns)

    def _journals(self) -> list[Snapshot] | None:
        """None where no journal was ever copied. Raises `RepositoryMissing` where some were."""
        try:
            return self.journal.snapshots(JOURNAL)
        except RepositoryMissing:
            if self.journal.was_here:
                raise
            return None


def _require_there(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise BackupIncomplete(f"backup of {path}: there is no such file or folder. Take it out, or bring it")
