"""What packages do to a state that was restored from a backup, before anything runs on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import metadata

from ares.control import ControlStore
from ares.service.types import ServiceContext

RESTORED_GROUP = "ares.restored"

Hold = Callable[[ServiceContext, ControlStore, str], Awaitable[list[str]]]
"""Given why, makes sure that nothing acts on it unasked; returns what it did, in words."""


async def hold_restored(context: ServiceContext, control: ControlStore, why: str) -> list[str]:
    """Ask all packages: entry points of the group `ares.restored`, each a `Hold`."""
    done: list[str] = []
    for point in sorted(metadata.entry_points(group=RESTORED_GROUP), key=lambda point: point.name):
        hold: Hold = point.load()
        done += await hold(context, control, why)
    return done
