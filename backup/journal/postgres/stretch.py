"""A stretch: a base copy and all WAL since, as it lies on the disk of the service, ready for the repository."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from ares.clock import Clock
from ares.control.postgres import Address
from ares.files import write_whole
from backup.journal.postgres import wal
from backup.journal.postgres.primary import Standing
from backup.journal.postgres.programs import Programs, run

STRETCH, BASE, WAL, FACTS = "stretch", "base", "wal", "stretch.json"


@dataclass(frozen=True, slots=True)
class StretchFacts:
    """What a restore must know. `begin`: the segment that recovery begins with; to moments (UTC ns) from `from_ns` on
    it can be stopped; `database`, `role`: the control store's own.
    """

    system: str
    major: int
    segment_bytes: int
    begin: str
    made_ns: int
    from_ns: int
    database: str
    role: str

    @classmethod
    def read(cls, stretch: Path) -> Self | None:
        """Of a stretch's folder; None if there is no stretch."""
        try:
            return cls(**orjson.loads((stretch / FACTS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things lie. `received`: where the WAL comes in."""

    root: Path

    @property
    def received(self) -> Path:
        return self.root / "received"

    @property
    def stretch(self) -> Path:
        return self.root / STRETCH

    @property
    def draft(self) -> Path:
        return self.root / "stretch.new"

    @property
    def lock(self) -> Path:
        """Held by who lets WAL come in."""
        return self.root / "receiver.lock"


@dataclass(frozen=True, slots=True)
class BaseCopy:
    """How a base copy is made."""

    programs: Programs
    address: Address
    seconds_max: float

    async def make(self, draft: Path, standing: Standing, database: tuple[str, str], clock: Clock) -> None:
        """A stretch without WAL in `draft`, complete when this returns. Raises what `programs.run` does."""
        await asyncio.to_thread(_emptied, draft)
        made_ns = clock.now_ns()
        quietly = ("--no-password", "--checkpoint=fast", "--wal-method=none", "--manifest-checksums=SHA256")
        command = (self.programs["pg_basebackup"], "-D", str(draft / BASE), *quietly, "-d", self.address.conninfo())
        await run(command, self.address, self.seconds_max)
        await asyncio.to_thread(_described, draft, standing, (made_ns, clock.now_ns()), database)


def _emptied(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)


def _described(draft: Path, standing: Standing, span: tuple[int, int], database: tuple[str, str]) -> None:
    begin = wal.begin_of((draft / BASE / "backup_label").read_text(encoding="utf-8"))
    facts = StretchFacts(standing.system, standing.major, standing.segment_bytes, begin, *span, *database)
    write_whole(draft / FACTS, orjson.dumps(asdict(facts)), 0o600)


def take_up(folders: Folders) -> None:
    """The new stretch takes the old one's place, and WAL before it goes. To be called with the lock of journals."""
    facts = StretchFacts.read(folders.draft)
    assert facts is not None, "a stretch was made"
    shutil.rmtree(folders.stretch, ignore_errors=True)
    folders.draft.rename(folders.stretch)
    wal.forget_before(folders.received, facts.begin, facts.segment_bytes)


def forget(folders: Folders) -> None:
    """Take away all that came before: no WAL will follow it. To be called with the receiver's lock."""
    for folder in (folders.stretch, folders.received):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
    folders.received.mkdir(mode=0o700, parents=True)
