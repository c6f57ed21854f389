"""`A..B`: a range of time, and which segments of a capture it needs. Pure but for a look into the segments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ares.clock import to_ns
from ares.errors import UsageError
from ingest.capture.segments import SUFFIX, Block, blocks_of

EXAMPLE = "Write A..B in UTC, such as 2026-03-01T12:00..2026-03-01T13:30"
OPENED = b" open "


@dataclass(frozen=True, slots=True)
class Span:
    """From `from_ns` on, before `to_ns` (UTC ns)."""

    from_ns: int = 0
    to_ns: int = 2**63 - 1


EVER = Span()


def span_of(text: str) -> Span | None:
    """The range that a text says; None if it is none. Raises `UsageError` for one that holds nothing."""
    first, dots, last = text.partition("..")
    if not dots or not first[:4].isdigit():
        return None
    try:
        span = Span(to_ns(datetime.fromisoformat(first)), to_ns(datetime.fromisoformat(last)))
    except ValueError as error:
        raise UsageError(f"RANGE = {text!r}: {error}. {EXAMPLE}") from None
    if span.from_ns >= span.to_ns:
        raise UsageError(f"RANGE = {text!r}: ends before it begins. {EXAMPLE}")
    return span


def segments_of(folder: Path, span: Span) -> list[Path]:
    """The segments of a venue that hold records of a span, and of books those before, from when the line was opened.

    Raises `UsageError` if there are none.
    """
    found: list[Path] = []
    for channel in sorted(path for path in folder.glob("*") if path.is_dir()):
        paths = sorted(channel.glob(f"*/*{SUFFIX}"))
        inside = [place for place, path in enumerate(paths) if overlaps(paths, place, span)]
        if inside:
            first = opened_before(paths, inside[0]) if channel.name == "books" else inside[0]
            found += paths[first : inside[-1] + 1]
    if not found:
        raise UsageError(f"RANGE: {folder} holds no capture of that time. Look there for what it holds; see --venue")
    return found


def overlaps(paths: list[Path], place: int, span: Span) -> bool:
    """Whether a segment may hold something of a span: it ends, at the latest, when it was last written."""
    return started_ns(paths[place]) < span.to_ns and paths[place].stat().st_mtime_ns >= span.from_ns


def started_ns(path: Path) -> int:
    """When a segment was begun, by its name; 0 for a name that is not ours, which is then always looked into."""
    whole, _, fraction = path.name.removesuffix(SUFFIX).removesuffix("Z").partition(".")
    try:
        return to_ns(datetime.strptime(whole, "%Y-%m-%dT%H%M%S")) + int(fraction or 0)  # noqa: DTZ007 - UTC by `to_ns`
    except ValueError:
        return 0


def opened_before(paths: list[Path], place: int) -> int:
    """The newest segment up to `place` in which a line was opened: a book is known from there on."""
    for earlier in range(place, -1, -1):
        if any(isinstance(piece, Block) and OPENED in piece.lines for piece in blocks_of(paths[earlier])):
            return earlier
    return 0
