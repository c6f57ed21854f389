"""Files of captures as one stream of records, in order of receipt."""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import IO, cast

from ares.errors import UsageError
from ingest.capture.records import About, MalformedRecord, Record, about_of, record_of
from ingest.capture.segments import SUFFIX, Hole, blocks_of, is_segment
from ingest.replay.foreign import Foreign, reader_of

LineReader = Callable[[bytes], Iterator[Record]]

GZIP = b"\x1f\x8b"
LINE_BYTES_MAX = 64 * 2**20
KNOWN = "Segments of a capture, hftbacktest's and cryptofeed's captures of Binance are read"


@dataclass(frozen=True, slots=True)
class Damage:
    """What of a file could not be read, in bytes; `end` None: its end, where it was being written."""

    file: str
    start: int
    end: int | None


@dataclass(slots=True)
class Reader:
    """Reads files; `share` is how much of them was read, from 0 to 1.

    Raises `UsageError`, naming file and place, for what is no capture, and for one that is damaged in the middle unless
    `skip_damaged`. A file that ends while it was being written is no error, see `damaged`.
    """

    files: Sequence[Path]
    skip_damaged: bool = False
    foreign: Foreign | None = None
    damaged: list[Damage] = field(default_factory=list)
    _whole: int = 0
    _read: int = 0

    def __post_init__(self) -> None:
        self._whole = max(1, sum(path.stat().st_size for path in self.files))

    @property
    def share(self) -> float:
        return min(1.0, self._read / self._whole)

    def abouts(self) -> list[About]:
        """What the segments among the files say of themselves; files of others say nothing."""
        return [about for path in self.files for about in self._about(path)]

    def records(self) -> Iterator[Record]:
        """Everything, merged by time of receipt; what is in one channel's segments stays in their order."""
        chains: dict[Path, list[Path]] = {}
        for path in self.files:
            chains.setdefault(path.parent.parent if self._is_ours(path) else path, []).append(path)
        streams = [self._chain(sorted(chain, key=attrgetter("name"))) for chain in chains.values()]
        yield from heapq.merge(*streams, key=attrgetter("at_ns"))

    def _chain(self, paths: Sequence[Path]) -> Iterator[Record]:
        for path in paths:
            yield from self._ours(path) if self._is_ours(path) else self._text(path)

    def _is_ours(self, path: Path) -> bool:
        with path.open("rb") as file:
            return is_segment(file.read(4))

    def _about(self, path: Path) -> Iterator[About]:
        if not self._is_ours(path):
            return
        first = next(self._ours(path, counted=False), None)
        if first is not None:
            if first.kind != "begin":
                raise UsageError(f"FILE = {str(path)!r}: does not begin like a segment. {KNOWN}")
            yield self._checked(path, first)

    def _checked(self, path: Path, record: Record) -> About:
        try:
            return about_of(record)
        except MalformedRecord as error:
            raise UsageError(f"FILE = {str(path)!r}: {error}. {KNOWN}") from None

    def _ours(self, path: Path, *, counted: bool = True) -> Iterator[Record]:
        for piece in blocks_of(path):
            if isinstance(piece, Hole):
                if counted:
                    self._hole(path, piece)
                continue
            for line in piece.lines[:-1].split(b"\n"):
                try:
                    yield record_of(line)
                except MalformedRecord as error:
                    place = f"in the block at byte {piece.start}"
                    raise UsageError(f"FILE = {str(path)!r}: {place}: {error}. {KNOWN}") from None
            if counted:
                self._read += piece.end - piece.start

    def _hole(self, path: Path, hole: Hole) -> None:
        self.damaged.append(Damage(path.name, hole.start, hole.end))
        if hole.end is not None and not self.skip_damaged:
            raise UsageError(
                f"FILE = {str(path)!r}: damaged from byte {hole.start} to byte {hole.end}. "
                "Fetch it again, or leave that out by --skip-damaged"
            )

    def _text(self, path: Path) -> Iterator[Record]:
        """Lines of others, or ours when somebody unpacked them."""
        number, before, packed = 0, self._read, path.stat().st_size
        try:
            with path.open("rb") as raw:
                zipped = raw.read(2) == GZIP
                raw.seek(0)
                lines = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if zipped else raw
                reader = None
                while line := lines.readline(LINE_BYTES_MAX):
                    number += 1
                    reader = reader or self._line_reader(path, line)
                    yield from reader(line.rstrip(b"\r\n"))
                    self._read = before + min(packed, raw.tell())
        except MalformedRecord as error:
            raise UsageError(f"FILE = {str(path)!r}: line {number}: {error}. {KNOWN}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"FILE = {str(path)!r}: cannot be read after line {number}: {error}. {KNOWN}") from None

    def _line_reader(self, path: Path, first: bytes) -> LineReader:
        try:
            record_of(first.rstrip(b"\n"))
        except MalformedRecord:
            found = None if self.foreign is None else reader_of(first, self.foreign)
            if found is None:
                raise UsageError(f"FILE = {str(path)!r}: no capture. {KNOWN}") from None
            return found
        return one_record


def one_record(line: bytes) -> Iterator[Record]:
    """A line of ours."""
    yield record_of(line)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Files, and all segments in folders. Raises `UsageError`."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{SUFFIX}"))
            if not inside:
                raise UsageError(f"FILE = {str(path)!r}: no segment (*{SUFFIX}) in this folder. Name another, or files")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"FILE = {str(path)!r}: neither a file nor a folder. Check the name")
    return list(dict.fromkeys(files))
