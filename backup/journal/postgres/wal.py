"""Segments of WAL as files: which there are, which are needed, and what of them can be copied now.

A segment's name is its timeline and its number, in hexadecimal digits; the one that is being written ends in
`.partial`. Positions are bytes from the beginning of the WAL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ares.errors import BackupIncomplete

PARTIAL = ".partial"
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")
_BEGIN = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", re.MULTILINE)
_LOG_BYTES = 1 << 32
CHUNK_BYTES = 1 << 20


def begin_of(backup_label: str) -> str:
    """The segment that a base copy's recovery begins with. Raises `BackupIncomplete`."""
    found = _BEGIN.search(backup_label)
    if found is None:
        raise BackupIncomplete("the base copy does not say where its WAL begins. Make another one")
    return found[1]


def number_of(name: str, segment_bytes: int) -> int:
    """The place of a segment, whatever its timeline."""
    return int(name[8:16], 16) * (_LOG_BYTES // segment_bytes) + int(name[16:24], 16)


def segments(folder: Path) -> Iterator[Path]:
    """Whole segments and those in the making, in order."""
    yield from (path for path in sorted(folder.glob("*")) if _SEGMENT.fullmatch(path.name.removesuffix(PARTIAL)))


def bytes_in(folder: Path) -> int:
    """What they take."""
    total = 0
    for path in segments(folder):
        with suppress(FileNotFoundError):  # one in the making is renamed once it is whole
            total += path.stat().st_size
    return total


def mend(folder: Path, segment_bytes: int) -> None:
    """Take away what a killed receiver left half laid out: no receiver goes on from it, and it holds nothing yet."""
    for path in segments(folder):
        if path.suffix == PARTIAL and path.stat().st_size != segment_bytes:
            path.unlink()


def forget_before(folder: Path, begin: str, segment_bytes: int) -> None:
    """Take away what no recovery from `begin` needs."""
    first = number_of(begin, segment_bytes)
    for path in segments(folder):
        if number_of(path.name, segment_bytes) < first:
            path.unlink(missing_ok=True)


def stage(received: Path, target: Path, begin: str, position: int, segment_bytes: int) -> None:
    """Have in `target` all WAL from the segment `begin` up to `position`, in files that change no more.

    Whole segments are the same files; of the one in the making it is a copy. Raises `BackupIncomplete` for a hole.
    """
    target.mkdir(mode=0o700, exist_ok=True)
    first, last = number_of(begin, segment_bytes), (position - 1) // segment_bytes
    whole = {path.name for path in segments(received) if path.suffix != PARTIAL}
    wanted = {name for name in whole if first <= number_of(name, segment_bytes) <= last}
    histories = {path.name for path in received.glob("*.history") if _HISTORY.fullmatch(path.name)}
    for name in sorted(wanted | histories):
        with suppress(FileExistsError):
            os.link(received / name, target / name)
    there = {number_of(name, segment_bytes) for name in wanted}
    current = None
    if last not in there:
        current = _copied(received, target, last, position, segment_bytes)
        there.add(last)
    for path in segments(target):
        if path.suffix == PARTIAL and path != current:
            path.unlink()
    holes = set(range(first, last + 1)) - there
    if holes:
        raise BackupIncomplete(
            f"{len(holes)} segments of WAL are missing since the base copy: somebody took them away. "
            "The next journal begins with a new base copy"
        )


def _copied(received: Path, target: Path, number: int, position: int, segment_bytes: int) -> Path | None:
    """The segment in the making up to a position, laid out as a whole one; None if it is not there."""
    mine = [path for path in segments(received) if number_of(path.name, segment_bytes) == number]
    if not mine:
        return None
    source = mine[-1]
    copy = target / f"{source.name.removesuffix(PARTIAL)}{PARTIAL}"
    draft = target / ".copying"
    try:
        content = source.open("rb")
    except FileNotFoundError:  # it became whole since
        content = source.with_name(source.name.removesuffix(PARTIAL)).open("rb")
    left = position - number * segment_bytes
    with content, draft.open("wb") as file:
        while some := content.read(min(left, CHUNK_BYTES)):
            file.write(some)
            left -= len(some)
        file.truncate(segment_bytes)
    draft.chmod(0o600)
    draft.replace(copy)
    return copy
