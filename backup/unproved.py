"""Copies that nobody has found whole yet.

A backup may die between the end of its copy and the look at whether its checkpoint held, or be kept from letting a bad
copy go. So it notes its name before it copies, and takes the note away in the end: the next one lets go what is noted.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from ares.files import write_whole
from ares.telemetry import get_logger
from backup.repository import Repository

log = get_logger(__name__)


class Unproved:
    """The note of one kind of backups; whoever uses it holds their lock."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._file = folder / f"unproved-{kind}.json"
        self._kind = kind

    def begin(self, backup_id: str) -> None:
        """From now on a snapshot of this name is not to be trusted."""
        write_whole(self._file, orjson.dumps(backup_id), 0o600)

    def end(self) -> None:
        """It is whole, or there is none."""
        self._file.unlink(missing_ok=True)

    def let_go(self, repository: Repository) -> int:
        """Discard what was left; returns how many snapshots that were. Raises `BackupError`."""
        try:
            backup_id = str(orjson.loads(self._file.read_bytes()))
        except (OSError, ValueError):
            return 0
        left = repository.snapshots(f"id={backup_id}")
        for each in left:
            repository.discard(each.snapshot_id)
            log.warning("unproved_copy_let_go", kind=self._kind, backup_id=backup_id, snapshot_id=each.snapshot_id)
        self.end()
        return len(left)
