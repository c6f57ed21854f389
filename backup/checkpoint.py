"""QuestDB's checkpoint: while it is held its files may be copied, though everybody goes on writing.

It must never stay behind: a held checkpoint keeps every old version of every partition on the disk. So whoever takes
one has a guard, a process of its own that sees our death on a pipe and releases it, whatever killed us. Both hold the
lock of backups, so no other backup begins in between. If the guard died too, the next backup finds the note that a
checkpoint is ours and releases it. QuestDB itself forgets a checkpoint when it ends.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import cast

import orjson

from ares.config.settings import DatabaseConfig
from ares.errors import BackupIncomplete, StoreError, StoreUnavailable
from ares.files import write_whole
from ares.store import Database, load_queries
from ares.store.encryption import scheme
from ares.telemetry import get_logger
from backup.guard import RELEASED, Orders

APPLIED_S_MAX = 30.0
NOTE = "checkpoint.json"
QUERIES = load_queries("backup", "queries/checkpoint.sql")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that is held. `started_us` names it (UTC microseconds): another one is not it."""

    database: Database
    started_us: int

    async def require_held(self) -> None:
        """Raises `BackupIncomplete` if it was released meanwhile, or QuestDB ended and forgot it."""
        try:
            now = await in_progress(self.database)
        except StoreError as error:
            raise BackupIncomplete(f"QuestDB went away while it was copied ({error}). Try again") from None
        if now != self.started_us:
            raise BackupIncomplete(
                "the checkpoint ended while its files were copied: QuestDB was restarted, or somebody said "
                "CHECKPOINT RELEASE. Try again"
            )


async def in_progress(database: Database) -> int | None:
    """When the checkpoint was taken that QuestDB holds (UTC microseconds), or None."""
    status = await database.fetch_one(QUERIES["status"])
    return cast("int", status["started_us"]) if status and status["in_progress"] else None


@asynccontextmanager
async def checkpoint(config: DatabaseConfig, folder: Path, lock: int, seconds_max: float) -> AsyncIterator[Checkpoint]:
    """Hold a checkpoint for the block; `lock` is the descriptor of the lock of backups, `folder` where notes lie.

    Raises `StoreError` if QuestDB is away, `BackupIncomplete` if somebody else holds one.
    """
    slow = config.model_copy(update={"statement_s_max": seconds_max, "pool_size_max": 1})
    async with await Database.connect(slow) as database:
        await left_over_released(database, folder)
        guard = await asyncio.to_thread(_start_guard, config, folder, lock)
        try:
            write_whole(folder / NOTE, orjson.dumps({"pid": os.getpid()}), 0o600)
            await database.execute(QUERIES["create"])
            started_us = await in_progress(database)
            if started_us is None:
                raise BackupIncomplete("QuestDB took a checkpoint and does not hold it: was it restarted? Try again")
            yield Checkpoint(database, started_us)
        finally:
            await _let_go(database, folder, guard)


async def left_over_released(database: Database, folder: Path) -> bool:
    """Release a checkpoint of ours that nobody holds any more; call it with the lock of backups. True if there was one.

    Raises `BackupIncomplete` for one that is not ours: another tool may be copying.
    """
    if await in_progress(database) is None:
        (folder / NOTE).unlink(missing_ok=True)
        return False
    if not (folder / NOTE).exists():
        raise BackupIncomplete(
            "QuestDB holds a checkpoint that no backup of ours took. Way out: let the other tool end, "
            "or end it with `ares backup release`"
        )
    await release(database, folder)
    log.warning("checkpoint_of_a_dead_backup_released")
    return True


async def release(database: Database, folder: Path) -> None:
    """End the checkpoint, and see that it ended."""
    await database.execute(QUERIES["release"])
    if await in_progress(database) is not None:
        raise BackupIncomplete("QuestDB still holds its checkpoint after CHECKPOINT RELEASE. Say it again")
    (folder / NOTE).unlink(missing_ok=True)


async def _let_go(database: Database, folder: Path, guard: subprocess.Popen[bytes]) -> None:
    """Release; what we cannot is left to the guard, which has more patience."""
    try:
        await release(database, folder)
        word = RELEASED
    except (StoreError, BackupIncomplete) as error:
        log.warning("checkpoint_left_to_its_guard", cause=str(error))
        word = b""
    await asyncio.to_thread(_dismiss, guard, word)


def _start_guard(config: DatabaseConfig, folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the guard and wait until it is able to help. Raises `BackupIncomplete` if it is not."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "backup.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock,),
        cwd=Path(__file__).resolve().parents[1],
    )
    assert guard.stdin is not None, "it was asked for"
    assert guard.stdout is not None, "it was asked for"
    guard.stdin.write(orjson.dumps(_orders(config, folder)) + b"\n")
    guard.stdin.flush()
    if not guard.stdout.readline():
        guard.kill()
        guard.wait()
        raise BackupIncomplete("the guard of the checkpoint did not start: is memory short? Try again")
    return guard


def _dismiss(guard: subprocess.Popen[bytes], word: bytes) -> None:
    assert guard.stdin is not None, "it was asked for"
    assert guard.stdout is not None, "it was asked for"
    try:
        guard.stdin.write(word)
        guard.stdin.close()
    except BrokenPipeError:
        log.warning("guard_of_the_checkpoint_was_gone")
    guard.stdout.close()
    Thread(target=guard.wait, name="guard-ends", daemon=True).start()  # it may have to be patient; we need not


def _orders(config: DatabaseConfig, folder: Path) -> Orders:
    return {
        "url": f"{scheme(config)}://{config.host}:{config.http_port}/exec",
        "user": config.user,
        "password": config.password.get_secret_value(),
        "encrypted": config.tls == "verified",
        "ca_file": None if config.tls_ca_file is None else str(config.tls_ca_file),
        "release": QUERIES["release"],
        "status": QUERIES["status"],
        "note": str(folder / NOTE),
    }


async def applied(database: Database) -> bool:
    """Wait until all that was acknowledged before the call can be read; False if that takes too long, or will not be.

    What is acknowledged and not applied is in the log of its table, which is copied too; but only what is applied is
    sure to be in the copy.
    """
    try:
        await database.wait_applied(None, APPLIED_S_MAX)
    except StoreUnavailable as error:
        log.warning("tables_behind_their_logs", cause=str(error))
        return False
    return True
