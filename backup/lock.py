"""One backup at a time on a machine: a locked file, which a dead holder cannot keep."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ares.clock import Clock
from ares.errors import RepositoryLocked

POLL_S = 0.2
LOCK = "run.lock"
"""Held by whoever takes a checkpoint, in the folder `backup` of the state directory."""


@asynccontextmanager
async def only_one(path: Path, clock: Clock, wait_s: float) -> AsyncIterator[int]:
    """Hold the file `path` locked; gives its descriptor, which a guard may hold on to after our death.

    Raises `RepositoryLocked` if somebody else holds it for longer than `wait_s`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _locked(descriptor, path, clock, wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


async def _locked(descriptor: int, path: Path, clock: Clock, wait_s: float) -> None:
    until_s = clock.monotonic_s() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic_s() >= until_s:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
                raise RepositoryLocked(
                    f"another backup runs (pid {holder}, {path}): waited {wait_s:g} s. "
                    "Way out: let it end, or raise backup.lock_wait_s"
                ) from None
            await clock.sleep(POLL_S)
        else:
            return
