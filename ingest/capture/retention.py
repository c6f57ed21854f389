"""How much of a capture is kept, and which segments have been kept long enough. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept on disk and for how long, when a file is full, and how much a death may cost."""

    mb_max: int
    days_max: float
    disk_free_mb_min: int
    segment_mb_max: int
    segment_minutes_max: float
    flush_s: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment on disk: its bytes, and when something was written to it last (UTC ns)."""

    path: Path
    size: int
    ended_ns: int
    is_open: bool = False


def outlived(kept: Sequence[Kept], bytes_max: int, from_ns: int) -> list[Kept]:
    """What must go, the oldest first: what ended before `from_ns`, and what is too much for `bytes_max`.

    A segment that is being written stays; it is bounded by its own size.
    """
    gone: list[Kept] = []
    total = sum(each.size for each in kept)
    for each in sorted(kept, key=lambda one: (one.ended_ns, one.path)):
        if not each.is_open and (each.ended_ns < from_ns or total > bytes_max):
            gone.append(each)
            total -= each.size
    return gone
