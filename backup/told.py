"""What restic tells of its work: snapshots, sizes, progress, and which of its complaints count."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import orjson

from ares.clock import to_ns
from backup.outcome import failure
from backup.restic import Ended

ID_DIGITS = 8
"""Of a snapshot's name, as restic prints it; enough to find it again."""

ERRORS_TOLD_MAX = 3

Progress = Callable[[int, int], None]
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy in the repository."""

    snapshot_id: str
    ts_ns: int
    host: str
    tags: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def backup_id(self) -> str:
        """The backup that made it, as its row names it; empty if it does not say."""
        return "".join(tag.removeprefix("id=") for tag in self.tags if tag.startswith("id="))


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What a backup made. Sizes in bytes; added: new to the repository. Unreadable: what was said of missing files."""

    snapshot_id: str
    files: int
    bytes_total: int
    bytes_added: int
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What retention leaves and takes of one kind of backups."""

    tag: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]


class Told:
    """Listens to `restic backup --json`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._summary: Json | None = None

    def hear(self, line: str) -> None:
        try:
            said = cast("Json", orjson.loads(line))
        except ValueError:
            return
        if said.get("message_type") == "summary":
            self._summary = said
        elif said.get("message_type") == "status":
            self._progress(_number(said, "bytes_done"), _number(said, "total_bytes"))

    def result(self, location: str, ended: Ended) -> SnapshotInfo:
        """The snapshot that was made, with what could not be read. Raises `BackupError` if there is none."""
        summary = self._summary
        if summary is None:
            raise failure("backup", location, ended.complaints)
        return SnapshotInfo(
            str(summary["snapshot_id"])[:ID_DIGITS],
            _number(summary, "total_files_processed"),
            _number(summary, "total_bytes_processed"),
            _number(summary, "data_added"),
            tuple(_unreadable(ended.complaints)) if ended.code else (),
        )


def _unreadable(complaints: str) -> list[str]:
    """What was said of files that are there and could not be read.

    With --json restic does not say why a file could not be read, or only by a number. One that is not there any more is
    gone, whatever was said: QuestDB takes away versions of a partition that were made, and replaced, since its
    checkpoint; those of the checkpoint it keeps.
    """
    errors = [line for line in complaints.splitlines() if re.search(r"error", line, re.IGNORECASE)]
    errors = [line for line in errors if "at least one source file could not be read" not in line]
    return [line.strip() for line in errors if not _gone(line)]


def _gone(line: str) -> bool:
    try:
        item = cast("Json", orjson.loads(line)).get("item")
    except (ValueError, AttributeError):
        return "no such file or directory" in line
    return isinstance(item, str) and not Path(item).exists()


def snapshots_in(text: str) -> list[Snapshot]:
    """The answer of `snapshots --json`, oldest first."""
    found = cast("list[Json]", orjson.loads(text) or [])
    return sorted((_snapshot(each) for each in found), key=lambda snapshot: snapshot.ts_ns)


def forgotten_in(tag: str, text: str) -> Forgotten:
    """The answer of `forget --json`."""
    groups = _groups(text)
    return Forgotten(tag, _ids(groups, "keep"), _ids(groups, "remove"))


def _snapshot(said: Json) -> Snapshot:
    return Snapshot(
        str(said["id"])[:ID_DIGITS],
        to_ns(datetime.fromisoformat(_microseconds(str(said["time"])))),
        str(said["hostname"]),
        tuple(cast("list[str]", said.get("tags") or [])),
        tuple(cast("list[str]", said.get("paths") or [])),
    )


def _microseconds(text: str) -> str:
    """Python reads six digits of a second at most."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _groups(text: str) -> list[Json]:
    """`forget --json` says nothing where there is nothing, and more lines after a deletion."""
    first = text.strip().splitlines()
    return cast("list[Json]", orjson.loads(first[0]) or []) if first and first[0].startswith("[") else []


def _ids(groups: Sequence[Json], name: str) -> tuple[str, ...]:
    found = (each for group in groups for each in cast("list[Json]", group.get(name) or []))
    return tuple(str(each["id"])[:ID_DIGITS] for each in found)


def _number(said: Json, name: str) -> int:
    value = said.get(name, 0)
    return value if isinstance(value, int) else 0
