"""Entries that wait on disk while the store does not take them: segments of records, each with its length and CRC.

One folder belongs to one process. What a process leaves behind, the next one finds: a record that was being written
when the machine died is cut off, everything before it is there. A segment goes when all of it is acknowledged, so that
after a crash at most one segment is written to the store again, which changes nothing there.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ares.clock import Clock
from ares.errors import StateDirUnusable
from ares.model.market import Entry, rows_in
from ares.telemetry import get_logger
from ingest.entries import decoded, encoded
from ingest.framed import HEAD, framed, next_framed

log = get_logger(__name__)

MAGIC = b"ARES-SPOOL-1\n"
SEGMENT_BYTES = 16 * 1024 * 1024
FIRST_NUMBER = 10**9
"""Numbers below are for what is older than the first."""


class SpoolFull(Exception):
    """The spool has no room: its own bound, or the disk's. Nothing of what was to enter is in it."""


@dataclass(slots=True)
class Segment:
    """A file of records: `end` is behind its last whole one, `at` before the next to hand out, `rows` are still in."""

    path: Path
    end: int
    rows: int = 0
    at: int = len(MAGIC)


@dataclass(slots=True)
class Spool:
    """First in, first out; `take` hands out what lies longest, `forget` deletes what was handed out before.

    Its methods wait for the disk and may be called from any thread. `bytes_max` bounds the files, `sync_s` is how much
    time a power cut may cost.
    """

    folder: Path
    bytes_max: int
    sync_s: float
    clock: Clock
    rows: int = 0
    size: int = 0
    fault: str = ""
    _segments: deque[Segment] = field(default_factory=deque)
    _file: int = -1
    _lock: int = -1
    _synced_s: float = 0.0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        """Take the folder and find what was left in it. Raises `StateDirUnusable`, if another process has it too."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StateDirUnusable(str(self.folder), "another process collects this venue from here") from None
        except OSError as error:
            raise StateDirUnusable(str(self.folder), str(error.strerror)) from None
        for path in sorted(self.folder.glob("*.seg")):
            segment = scanned(path)
            if segment.rows:
                self._enter(segment, self._segments.append)
            else:
                path.unlink()

    @property
    def share(self) -> float:
        """How full it is, from 0 to 1; 1 while nothing can enter."""
        return 1.0 if self.fault else min(1.0, self.size / self.bytes_max)

    def append(self, entries: Sequence[Entry]) -> None:
        """Put these behind all others. Raises `SpoolFull`, and then nothing has changed."""
        record = _record(entries)
        with self._turn:
            try:
                self._append(record)
            except OSError as error:
                self.fault = f"the spool's disk takes nothing more: {error.strerror}"
                raise SpoolFull(self.fault) from None
            except SpoolFull as error:
                self.fault = str(error)
                raise
            self.fault = ""
            self._segments[-1].rows += rows_in(entries)
            self.rows += rows_in(entries)
            if self.clock.monotonic_s() - self._synced_s >= self.sync_s:
                self._sync()

    def prepend(self, entries: Sequence[Entry]) -> None:
        """Put these before all others. Raises `SpoolFull`."""
        number = int(self._segments[0].path.stem) - 1 if self._segments else FIRST_NUMBER
        path = self._path(number)
        try:
            path.write_bytes(MAGIC + _record(entries))
        except OSError as error:
            path.unlink(missing_ok=True)
            raise SpoolFull(f"the spool's disk takes nothing more: {error.strerror}") from None
        with self._turn:
            self._enter(Segment(path, path.stat().st_size, rows_in(entries)), self._segments.appendleft)

    def take(self, rows_max: int) -> list[Entry]:
        """What lies longest, at least one record if there is any; it stays on disk until `forget`."""
        taken: list[Entry] = []
        with self._turn:
            for segment in self._segments:
                before = segment.rows
                taken += _read(segment, rows_max - rows_in(taken))
                self.rows -= before - segment.rows
                if segment.at < segment.end:
                    break
        return taken

    def forget(self) -> None:
        """What was taken is acknowledged: delete the segments that hold nothing else."""
        with self._turn:
            while self._segments and self._segments[0].at >= self._segments[0].end:
                if len(self._segments) == 1:
                    self._close_file()
                gone = self._segments.popleft()
                self.size -= gone.end
                gone.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder; what lies in it stays."""
        with self._turn:
            if self._file >= 0:
                self._sync()
            self._close_file()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def _enter(self, segment: Segment, put: Callable[[Segment], None]) -> None:
        put(segment)
        self.rows += segment.rows
        self.size += segment.end

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:020}.seg"

    def _append(self, record: bytes) -> None:
        if self.size + len(record) > self.bytes_max:
            raise SpoolFull(f"the spool holds its {self.bytes_max // 2**20} MB; see ingest.spool_mb_max")
        if self._file < 0 or self._segments[-1].end >= SEGMENT_BYTES:
            self._next_file()
        segment = self._segments[-1]
        try:
            written = os.write(self._file, record)
            while written < len(record):
                written += os.write(self._file, record[written:])
        except OSError:
            os.ftruncate(self._file, segment.end)
            os.lseek(self._file, segment.end, os.SEEK_SET)
            raise
        segment.end += len(record)
        self.size += len(record)

    def _next_file(self) -> None:
        if self._file >= 0:
            self._sync()
        number = int(self._segments[-1].path.stem) + 1 if self._segments else FIRST_NUMBER
        path = self._path(number)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, MAGIC)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        self._close_file()
        self._file = file
        self._enter(Segment(path, len(MAGIC)), self._segments.append)

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _sync(self) -> None:
        """What the disk says of it is not about what enters next: that is refused by itself."""
        try:
            os.fdatasync(self._file)
        except OSError as error:
            log.warning("spool_not_synced", cause=str(error))
        self._synced_s = self.clock.monotonic_s()


def scanned(path: Path) -> Segment:
    """A file that was left behind, cut behind its last whole record. Raises `StateDirUnusable` for another kind."""
    size = path.stat().st_size
    segment = Segment(path, len(MAGIC))
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
        if not MAGIC.startswith(magic):
            raise StateDirUnusable(str(path), "not a spool of this version; move the file away")
        while (record := next_framed(file)) is not None:
            payload, rows = record
            segment.end += HEAD.size + len(payload)
            segment.rows += rows
    if segment.end < size:
        log.warning("spool_segment_cut", path=str(path), kept=segment.end, cut=size - segment.end)
        os.truncate(path, segment.end)
    return segment


def _read(segment: Segment, rows_max: int) -> list[Entry]:
    """Records from where was read last; one that the disk spoiled ends the segment."""
    taken: list[Entry] = []
    with segment.path.open("rb") as file:
        file.seek(segment.at)
        while segment.at < segment.end and rows_max > 0:
            record = next_framed(file)
            if record is None:
                log.error("spool_segment_spoiled", path=str(segment.path), at=segment.at, rows=segment.rows)
                segment.at, segment.rows = segment.end, 0
                break
            payload, rows = record
            taken += decoded(payload)
            rows_max -= rows
            segment.at += HEAD.size + len(payload)
            segment.rows -= rows
    return taken


def _record(entries: Sequence[Entry]) -> bytes:
    """Of the number in a record's head: how many rows it holds."""
    return framed(encoded(entries), rows_in(entries))
