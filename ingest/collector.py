"""The main loop of a channel: frames in, rows out, until cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType

from ares.errors import VenueError, VenueRejected
from ares.model.market import Entry, TradeRun
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from ingest.desk import EVER_NS, Desk
from ingest.feed import ChainBroken, Channel, Feed, Silence
from ingest.gaps import Cause
from ingest.history import wait_of
from ingest.sink import Sink

log = get_logger(__name__)

SHED_FROM: Mapping[Channel, float] = MappingProxyType({"books": 0.8, "quotes": 0.9})
"""Books and quotes are worth least later: what they said is soon said again."""


async def collect(feed: Feed, channel: Channel, desk: Desk, sink: Sink, backoff: Backoff) -> None:
    """Stream one channel into the store until cancelled.

    Every frame received becomes rows: what it says, or a `quarantine` row that keeps it. Every outage becomes a
    `gaps` row per symbol, so a hole can be told from a quiet market. `sink.put` is bounded: it waits, never grows.
    """
    while True:
        try:
            async with aclosing(feed.frames(channel)) as batches:
                async for frames in batches:
                    desk.shed = shed_channels(sink.pressure)
                    rows = desk.rows_of(feed, frames)
                    if channel == "books" and not frames:
                        rows = desk.books_due(desk.clock.now_ns())
                    count_gaps(rows)
                    await sink.put(rows)
                    backoff.reset()
        except VenueError as error:
            cause = cause_of(error)
            last = desk.books_due(EVER_NS) if channel == "books" else ()
            opened = [*last, *desk.interrupted(channel, cause)]
            count_gaps(opened)
            await sink.put(opened)
            wait_s = wait_of(error, backoff)
            metrics.INGEST_CONNECTS.labels(channel, cause).inc()
            log.warning("feed_lost", venue=desk.venue, channel=channel, cause=cause, error=str(error), wait_s=wait_s)
            await desk.clock.sleep(wait_s)
        else:
            raise AssertionError("Feed.frames() returned; it must raise VenueError")


def shed_channels(pressure: float) -> frozenset[Channel]:
    """What is dropped when so much of the room is taken: books first, then quotes. Trades wait until there is room.

    >>> sorted(shed_channels(0.95))
    ['books', 'quotes']
    """
    return frozenset(channel for channel, share in SHED_FROM.items() if pressure >= share)


def cause_of(error: VenueError) -> Cause:
    """Why a stream was lost, as a word for rows and metrics."""
    if isinstance(error, Silence):
        return "silence"
    if isinstance(error, ChainBroken):
        return "id_jump"
    return "refused" if isinstance(error, VenueRejected) else "disconnect"


def count_gaps(rows: Sequence[Entry]) -> None:
    """Metrics of the gap rows among these."""
    for row in rows:
        if row.table == "gaps" and not isinstance(row, TradeRun):
            metrics.INGEST_GAPS.labels(row.symbols["channel"], row.symbols["status"], row.symbols["cause"]).inc()
