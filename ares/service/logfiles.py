"""Log files that do not grow for ever: <name>.log, then <name>.log.1.gz (newest) up to the oldest that is kept.

A service rotates its own: it renames the file and opens a new one in its place, in one system call for each stream, so
no line is lost or split. A program that cannot reopen its log (QuestDB) has the head of it cut off by the file system,
while it goes on appending to the end; only where the file system cannot do that is the file copied and emptied, and
what is written in between is lost.
"""

from __future__ import annotations

import asyncio
import ctypes
import gzip
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ares.config.settings import MonitoringConfig
from ares.service.types import ServiceContext
from ares.telemetry import get_logger

LOOK_S = 10.0
MIB = 2**20
COLLAPSE_RANGE = 0x08
"""FALLOC_FL_COLLAPSE_RANGE of linux/falloc.h: take a range out of a file, as if it had never been there."""
MODE = 0o600

log = get_logger(__name__)


def log_file(state_dir: Path, name: str) -> Path:
    """Where what a process says is kept."""
    return state_dir / "logs" / f"{name}.log"


@asynccontextmanager
async def own_log_kept_small(context: ServiceContext, path: Path) -> AsyncIterator[None]:
    """Rotate the file that this process' output goes to, as long as the block lasts; harmless if it goes elsewhere."""
    async with _looked_after(context, path, lambda: _is_ours(path), rotate_own):
        yield


@asynccontextmanager
async def foreign_log_kept_small(context: ServiceContext, path: Path) -> AsyncIterator[None]:
    """Cut the log of a program that cannot reopen it, as long as the block lasts."""
    async with _looked_after(context, path, lambda: True, cut_head):
        yield


@asynccontextmanager
async def _looked_after(
    context: ServiceContext, path: Path, ours: Callable[[], bool], work: Callable[[Path, int], None]
) -> AsyncIterator[None]:
    async def look() -> None:
        while True:
            await context.clock.sleep(LOOK_S)
            config = context.config.monitoring
            if ours() and _is_too_large(path, config):
                await asyncio.to_thread(_said, work, path, config.log_files_max)

    looking = asyncio.create_task(look(), name="logs")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def rotate_own(path: Path, files_max: int) -> None:
    """Begin a new log for this process' standard output and error. Raises `OSError`."""
    moved = path.with_name(f"{path.name}.1")
    if moved.exists():  # a rotation that was cut off
        _pack_away(moved, path, files_max)
    path.rename(moved)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    _pack_away(moved, path, files_max)


def cut_head(path: Path, files_max: int) -> None:
    """Move what is in a log that somebody appends to into an archive. Raises `OSError`."""
    _make_room(path, files_max)
    facts = os.statvfs(path)
    size = path.stat().st_size
    whole_blocks = (size - 1) // facts.f_bsize * facts.f_bsize
    packed = _pack(path.with_name(f"{path.name}.1"), whole_blocks, source=path)
    descriptor = os.open(path, os.O_RDWR)
    try:
        if not _collapse(descriptor, whole_blocks):
            with gzip.open(packed, "ab") as archive, path.open("rb") as file:
                file.seek(whole_blocks)
                shutil.copyfileobj(file, archive)
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _is_ours(path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(2), path.stat())
    except OSError:
        return False


def _is_too_large(path: Path, config: MonitoringConfig) -> bool:
    try:
        return path.stat().st_size > config.log_mb_max * MIB
    except OSError:
        return False


def _said(work: Callable[[Path, int], None], path: Path, files_max: int) -> None:
    try:
        work(path, files_max)
    except OSError as error:
        log.error("log_not_rotated", path=str(path), cause=error.strerror)


def _pack_away(moved: Path, path: Path, files_max: int) -> None:
    _make_room(path, files_max)
    _pack(moved, moved.stat().st_size)
    moved.unlink()


def _make_room(path: Path, files_max: int) -> None:
    """Number the archives up; the oldest goes."""
    for number in range(files_max, 0, -1):
        archive = path.with_name(f"{path.name}.{number}.gz")
        if number == files_max:
            archive.unlink(missing_ok=True)
        elif archive.exists():
            archive.rename(path.with_name(f"{path.name}.{number + 1}.gz"))


def _pack(target: Path, size: int, source: Path | None = None) -> Path:
    """The first `size` bytes of a file, packed beside it."""
    packed = target.with_name(f"{target.name}.gz")
    descriptor = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    with os.fdopen(descriptor, "wb") as raw, gzip.open(raw, "wb") as archive, (source or target).open("rb") as file:
        left = size
        while chunk := file.read(min(MIB, left)):
            archive.write(chunk)
            left -= len(chunk)
    return packed


def _collapse(descriptor: int, length: int) -> bool:
    """Take the head out of a file; False where the file system cannot."""
    if not sys.platform.startswith("linux") or length == 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    fallocate = libc.fallocate64 if hasattr(libc, "fallocate64") else libc.fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return bool(fallocate(descriptor, COLLAPSE_RANGE, 0, length) == 0)
