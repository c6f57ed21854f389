"""Whether a file that looks unchanged is unchanged.

restic reads a file again if its times or size differ from the last backup's. QuestDB writes through memory maps, and
the kernel moves a file's time only at the first write after a page was clean: bytes written while restic reads may
carry the time that restic noted. So every file that was young when it was read gets a new time afterwards, and is
read again next time. Where a file system moves no times at all for memory maps (tmpfs), everything is read each time.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ares.clock import NANOS_PER_SECOND

MARGIN_S = 60
"""A page stays dirty for half a minute at most, and then its next write moves the time again."""

TICK_S = 0.02
"""Times of files move in steps of a few ms."""


def times_tell(folder: Path, pause: Callable[[float], None] = time.sleep) -> bool:
    """Whether writing through a memory map moves a file's time here; a file system that refuses to be asked does not.

    A page that was written by `write` is dirty, and would be moved no more; so it is made clean first.
    """
    probe = folder / f".times-{os.getpid()}"
    try:
        with probe.open("w+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            os.fsync(file.fileno())
            before_ns = os.fstat(file.fileno()).st_mtime_ns
            pause(TICK_S)
            with mmap.mmap(file.fileno(), mmap.PAGESIZE) as page:
                page[0] = 1
                page.flush()
            return os.fstat(file.fileno()).st_mtime_ns > before_ns
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def renew_young(paths: Sequence[Path], began_ns: int, now_ns: int) -> int:
    """Give files changed shortly before `began_ns` or later a new time; returns how many.

    A file that goes meanwhile needs none. Raises `OSError` where we may not: then nothing must be called unchanged.
    """
    renewed = 0
    since_ns = began_ns - MARGIN_S * NANOS_PER_SECOND
    for path in _files(paths):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns >= since_ns:
                os.utime(path, ns=(now_ns, now_ns))
                renewed += 1
    return renewed


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)
