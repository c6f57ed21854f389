"""A channel's connection to a venue, and the one that may be about to take its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ingest.venues.handover import Handover
from ingest.venues.socket import Socket


@dataclass(slots=True)
class Line:
    """One open connection of a channel. `second`, with its `handover`, is the connection that will relieve it.

    `number` is that of the last frame, where the venue counts them; so many of those that come next are `counted`.
    """

    socket: Socket
    confirmed: bool = False
    spoken_s: float = 0.0
    wanted: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    asked_for: set[str] = field(default_factory=set)
    number: int | None = None
    counted: int = 0
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    second: Line | None = None
    handover: Handover | None = None

    def relieve(self) -> None:
        """Go on with the second connection: what the first one brought comes first, then what only the second did."""
        second, handover = self.second, self.handover
        assert second is not None
        assert handover is not None
        rest = self.socket.retire()
        handover.brought(rest)
        before = [*rest, *handover.news()]
        self.socket.tell_of(second.socket)
        second.socket.put_first(before)
        self.socket, self.spoken_s = second.socket, second.spoken_s
        self.number, self.counted = second.number, len(before)
        if second.leaving.is_set():
            self.leaving.set()
        self.second = self.handover = None

    def relieve_lost(self) -> bool:
        """The first connection ended by itself: whether the second one takes over without anything being missed.

        Only if both were heard at the same time is it known that nothing was.
        """
        if self.handover is None or not self.handover.overlapped:
            return False
        self.relieve()
        return True
