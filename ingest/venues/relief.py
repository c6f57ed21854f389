"""Replaces a connection while it runs: before the venue ends it at some age, and when the venue says that it will."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from ares.clock import Clock
from ares.errors import VenueError, VenueUnavailable
from ares.resilience import Backoff, to_the_end
from ares.telemetry import get_logger, metrics
from ingest.feed import Channel, Frame, Frames
from ingest.history import wait_of
from ingest.venues.handover import Handover
from ingest.venues.line import Line
from ingest.venues.socket import Socket

log = get_logger(__name__)

YOUNGEST = 0.9
"""A connection is replaced between this share of its greatest age and all of it: channels do not do it at once."""
POLL_S = 0.05
CONFIRM_S_MAX = 10.0
"""So long the venue has to answer the second subscription."""

DataOf = Callable[[Line, Frames, float], Frames]
"""What of a second line's frames is data, given when it was last heard; marks it as confirmed. Raises `VenueError`."""


@dataclass(slots=True)
class Relief:
    """Watches over the age of one channel's line. `recycle_s`: its greatest age, 0: none.

    The second connection is opened and subscribed while the first one still brings everything; only once nothing can be
    missed by it (`Handover`) does it take over, and the first one is closed. If it is refused the first one stays, and
    it is tried again.
    """

    channel: Channel
    dial: Callable[[], Awaitable[Socket]]
    data_of: DataOf
    handover: Callable[[], Handover]
    recycle_s: float
    backoff: Backoff
    clock: Clock
    rng: Random

    async def run(self, line: Line) -> None:
        """Replace the line's connection whenever it is time, until cancelled."""
        while True:
            await self._due(line)
            line.leaving.clear()
            try:
                await self._replace(line)
            except VenueError as error:
                metrics.INGEST_RECYCLES.labels(self.channel, error.code).inc()
                wait_s = wait_of(error, self.backoff)
                log.warning("recycling_waits", channel=self.channel, cause=str(error), wait_s=wait_s)
                await self.clock.sleep(wait_s)
                line.leaving.set()
            else:
                self.backoff.reset()
                metrics.INGEST_RECYCLES.labels(self.channel, "ok").inc()
                log.info("feed_recycled", channel=self.channel)

    async def _due(self, line: Line) -> None:
        """Wait until the connection is old enough, or the venue says that it will end it."""
        age_s = self.recycle_s * self.rng.uniform(YOUNGEST, 1.0) if self.recycle_s > 0 else None
        try:
            async with asyncio.timeout(age_s):
                await line.leaving.wait()
        except TimeoutError:
            return

    async def _replace(self, line: Line) -> None:
        first = line.socket
        handover = self.handover()
        line.handover = handover
        second: Line | None = None
        try:
            second = line.second = Line(await self.dial())
            dialled_s = heard_s = self.clock.monotonic_s()
            while True:
                frames = await second.socket.next(POLL_S)
                if line.socket is second.socket:  # the first one was lost meanwhile, and who reads it now is not us
                    second.socket.put_first(frames)
                    return
                now_s = self.clock.monotonic_s()
                data = self.data_of(second, frames, heard_s)
                heard_s = now_s if frames else heard_s
                self._take_in(handover, second, data, now_s - dialled_s)
                if handover.is_ready(now_s):
                    line.relieve()
                    return
                if handover.is_late(now_s):
                    raise VenueUnavailable(f"{self.channel}: the second connection does not bring what the first does")
        finally:
            line.second = line.handover = None
            for socket in (first, second.socket if second else None):
                if socket is not None and socket is not line.socket:
                    await to_the_end(socket.close())

    def _take_in(self, handover: Handover, second: Line, data: Sequence[Frame], open_s: float) -> None:
        handover.hold(data)
        if second.confirmed:
            handover.confirm(self.clock.monotonic_s())
        elif open_s > CONFIRM_S_MAX:
            raise VenueUnavailable(f"{self.channel}: no answer on the second connection for {CONFIRM_S_MAX} s")
