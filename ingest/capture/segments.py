"""Segments: files of captured lines that `zstd -dc` reads, and that tell which of their bytes are whole.

A segment is a row of blocks. Each is a frame of zstd, and before it a *skippable* frame, which zstd passes over, with
the length and CRC-32 of the one that follows (RFC 8878, 3.1.2). So a file that ends in the middle of a block, because
its machine or its process did, is read up to the last whole one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

from ares.clock import DAY_NS, isoformat
from ingest.framed import HEAD, framed, next_framed

SUFFIX = ".zst"
SKIPPABLE = 0x184D2A5A
"""One of the sixteen numbers that zstd skips."""
PREFIX = struct.pack("<II", SKIPPABLE, HEAD.size)
BLOCK_BYTES = 256 * 1024
"""Lines are gathered to this before they are packed: larger ones pack no better."""
LINES_BYTES_MAX = 64 * 1024 * 1024
"""No block holds more; a head that says so is spoiled."""
LEVEL = 1
"""Of zstd. Frames of a market pack 9:1 at 600 MB/s; the third level packs no better at 480."""


class Codec(Protocol):
    """What is used of pyarrow's."""

    def compress(self, buf: bytes, *, asbytes: bool) -> bytes: ...
    def decompress(self, buf: bytes, decompressed_size: int, *, asbytes: bool) -> bytes: ...


def codec() -> Codec:
    """zstd, which packs without the interpreter's lock."""
    return cast("Codec", pa.Codec("zstd", compression_level=LEVEL))


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, which lie packed from `start` to `end` (bytes)."""

    start: int
    end: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class Hole:
    """From `start` to `end` (bytes) a segment is not whole; `end` None: to its end, where it was being written."""

    start: int
    end: int | None


def name_of(started_ns: int) -> str:
    """A segment's name: when it was begun, so that names sort by time.

    >>> name_of(1_723_161_600_000_000_001)
    '2024-08-09T000000.000000001Z.zst'
    """
    return isoformat(started_ns).replace(":", "") + SUFFIX


def day_of(started_ns: int) -> str:
    """The folder of a day (UTC)."""
    return isoformat(started_ns)[:10]


class SegmentFile:
    """A segment that is being written. Raises `OSError`; what was whole before stays whole."""

    def __init__(self, folder: Path, started_ns: int) -> None:
        day = folder / day_of(started_ns)
        day.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = day / name_of(started_ns)
        self.started_ns = started_ns
        self.size = 0
        self._codec = codec()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def append(self, lines: bytes) -> int:
        """Write whole lines as a block; returns its bytes on disk."""
        packed = framed(self._codec.compress(lines, asbytes=True), len(lines))
        block = PREFIX + packed
        try:
            written = os.write(self._file, block)
            while written < len(block):
                written += os.write(self._file, block[written:])
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(block)
        return len(block)

    def is_over(self, now_ns: int, bytes_max: int, age_ns_max: int) -> bool:
        """Whether the next block belongs into another file: this one is large, old, or of another day."""
        old = now_ns - self.started_ns >= age_ns_max or now_ns // DAY_NS != self.started_ns // DAY_NS
        return old or self.size >= bytes_max

    def close(self) -> None:
        """Let go of the file; one without a block does not stay."""
        try:
            os.fdatasync(self._file)
        finally:
            os.close(self._file)
            if self.size == 0:
                self.path.unlink(missing_ok=True)


def blocks_of(path: Path) -> Iterator[Block | Hole]:
    """The lines of a segment, block by block, and where it is not whole. Raises `OSError`."""
    unpacker = codec()
    size = path.stat().st_size
    with path.open("rb") as file:
        while (start := file.tell()) < size:
            lines = _next_block(file, unpacker)
            if lines is None:
                end = _next_whole(file, start + 1)
                yield Hole(start, end)
                if end is None:
                    return
                file.seek(end)
            else:
                yield Block(start, file.tell(), lines)


def is_segment(head: bytes) -> bool:
    """Whether a file that begins like this is one of ours."""
    return head.startswith(PREFIX[:4])


def _next_block(file: BinaryIO, unpacker: Codec) -> bytes | None:
    if file.read(len(PREFIX)) != PREFIX:
        return None
    found = next_framed(file)
    if found is None:
        return None
    packed, length = found
    if not 0 < length <= LINES_BYTES_MAX:
        return None
    try:
        lines = unpacker.decompress(packed, length, asbytes=True)
    except (OSError, pa.ArrowException):
        return None
    return lines if len(lines) == length and lines.endswith(b"\n") else None


def _next_whole(file: BinaryIO, start: int) -> int | None:
    """Where the next whole block begins; None where none follows."""
    file.seek(start)
    rest = file.read()
    unpacker = codec()
    place = rest.find(PREFIX)
    while place >= 0:
        file.seek(start + place)
        if _next_block(file, unpacker) is not None:
            return start + place
        place = rest.find(PREFIX, place + 1)
    return None
