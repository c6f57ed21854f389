"""What a running process allocates, and where: stacks in the collapsed form that flame graph tools read."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Mapping

FRAMES = 25
STACKS_MAX = 2_000
PROFILE_S_MAX = 300.0


class Busy(Exception):
    """Allocations are watched already; one at a time."""


async def allocations(seconds: float) -> Mapping[str, int]:
    """Bytes that were allocated within `seconds` and are still held, by stack: `file:line;file:line;…`, root first.

    Watching costs about half of the process' speed while it lasts. Raises `Busy`.
    """
    if tracemalloc.is_tracing():
        raise Busy
    tracemalloc.start(FRAMES)
    try:
        await asyncio.sleep(seconds)
        snapshot = await asyncio.to_thread(tracemalloc.take_snapshot)
    finally:
        tracemalloc.stop()
    return await asyncio.to_thread(collapsed, snapshot)


def collapsed(snapshot: tracemalloc.Snapshot) -> Mapping[str, int]:
    """The largest stacks of a snapshot; our own watching left out."""
    ours = tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)
    sizes: dict[str, int] = {}
    for held in snapshot.filter_traces([ours]).statistics("traceback")[:STACKS_MAX]:
        stack = ";".join(f"{frame.filename}:{frame.lineno}" for frame in held.traceback)
        sizes[stack] = sizes.get(stack, 0) + held.size
    return sizes
