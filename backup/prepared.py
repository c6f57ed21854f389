"""What a kind of backup is: what to copy, and whether the copy can be trusted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


async def _whole() -> None:
    """Nothing can have happened to it."""


@dataclass(slots=True)
class Prepared:
    """What may be copied now. `covers_to_ns`: all that was acknowledged before is in it; None: not known.

    `require_whole` is asked when the copy is there; it raises `BackupIncomplete` if the copy is none. `kept` is told
    once it is in the repository. `tags` say what else is to be known of it.
    """

    paths: Sequence[Path]
    covers_to_ns: int | None
    require_whole: Callable[[], Awaitable[None]] = field(default=_whole)
    read_all: bool = False
    checkpoint_s: float | None = None
    tags: Sequence[str] = ()
    kept: Callable[[], Awaitable[None]] = field(default=_whole)


class Source(Protocol):
    """A kind of backup: its name is the tag of its snapshots and `kind` in its rows."""

    @property
    def name(self) -> str: ...

    @property
    def lock(self) -> str:
        """The file that only one of these backups holds: kinds with the same one wait for each other."""
        ...

    def prepared(self, lock: int) -> AbstractAsyncContextManager[Prepared]:
        """What to copy, held still for the block; `lock` is the descriptor of the lock of backups."""
        ...
