"""Finds streams that are open, and silent about what there is: by each symbol's own pace, and by asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ares.clock import Clock
from ares.errors import VenueError, VenueRejected
from ares.model.market import Trade
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from ingest.books import BookUpdate
from ingest.desk import Desk
from ingest.feed import Channel, Feed
from ingest.freshness import Suspicion, Top
from ingest.history import SoundHistory, wait_of
from ingest.intakes import Intake
from ingest.pace import Pace
from ingest.venues.budget import Pacer

log = get_logger(__name__)

LOOK_S = 0.5
PATIENCE_S_MIN = 5.0
"""However quick a market is: a connection is worth a look at this silence, and not at every pause of the network."""
CATCH_UP_S = 2.0
"""The stream may come later than the answer: so long it has for what the answer told of."""
VIEWS_PER_MINUTE_MAX = 30
"""Of all symbols together: a snapshot of a book weighs more than a trade (Binance: 50 of 6,000 a minute)."""
RARER_MAX = 16
"""A silence that was found to be none is asked about again after twice the time, at most so many times the patience."""


@dataclass(slots=True)
class StallWatch:
    """Watches one venue's streams; one task per channel and symbol.

    A venue can drop one subscription and go on with the others, and nothing in the connection shows it. A silence that
    is unusual for the channel of a symbol is a question to the venue: is there something that we were not told of? Only
    then is the connection given up, which records the gap; a quiet market costs a request per silence, and those for a
    book become rarer the longer it lasts.
    """

    desk: Desk
    feed: Feed
    history: SoundHistory
    clock: Clock
    patience_s_max: Callable[[], float]
    views: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self.views = Pacer(VIEWS_PER_MINUTE_MAX, self.clock)

    async def run(self, channel: Channel, symbol: str, backoff: Backoff) -> None:
        """Watch until cancelled."""
        pace = Pace()
        last: int | None = None
        heard_s = asked_s = self.clock.monotonic_s()
        rarer = 1
        while True:
            await self.clock.sleep(LOOK_S)
            position, now_s = self.desk.position(channel, symbol), self.clock.monotonic_s()
            if not self.desk.is_current(channel, symbol) or not self.feed.is_live(channel):
                pace.pause()
                heard_s = asked_s = now_s
                continue
            if position != last:
                last, heard_s, rarer = position, now_s, 1
                pace.saw(now_s)
            patience_s = pace.patience_s(PATIENCE_S_MIN, self.patience_s_max())
            metrics.INGEST_FRESHNESS.labels(channel, symbol).set(now_s - heard_s)
            metrics.INGEST_FRESHNESS_LIMIT.labels(channel, symbol).set(patience_s)
            if now_s - max(heard_s, asked_s) < patience_s * rarer:
                continue
            try:
                await self._ask(channel, symbol, now_s - heard_s)
            except VenueError as error:
                log.warning("stall_not_checked", channel=channel, symbol=symbol, cause=str(error))
                await self.clock.sleep(wait_of(error, backoff))
            else:
                backoff.reset()
                asked_s = self.clock.monotonic_s()
                rarer = 1 if channel == "trades" else min(RARER_MAX, rarer * 2)

    async def _ask(self, channel: Channel, symbol: str, silent_s: float) -> None:
        """Give the connection up if the venue has something that the stream does not bring."""
        before = self.desk.position(channel, symbol)
        withheld = self._keeps_a_trade(symbol) if channel == "trades" else self._keeps_a_change(channel, symbol)
        if await withheld and self.desk.is_current(channel, symbol):
            metrics.INGEST_STALLS.labels(channel, symbol).inc()
            log.warning("stream_stalled", channel=channel, symbol=symbol, silent_s=round(silent_s, 1), last_id=before)
            self.feed.renew(channel)

    async def _keeps_a_trade(self, symbol: str) -> bool:
        intake = self.desk.intakes[symbol]
        latest = await self.history.latest_trade(symbol)
        if latest is None or not self._is_newer(latest, intake):
            return False
        await self.clock.sleep(CATCH_UP_S)
        return self._is_newer(latest, intake)

    def _is_newer(self, latest: Trade, intake: Intake) -> bool:
        """Whether a trade came after all that we have: by its time, where ids may say nothing of that."""
        return latest.seq > (intake.last or 0) if self.desk.dense_ids else latest.ts_ns > intake.last_ts_ns

    async def _keeps_a_change(self, channel: Channel, symbol: str) -> bool:
        suspicion = Suspicion()
        while not suspicion.is_certain:
            if suspicion.looks:
                await self.clock.sleep(CATCH_UP_S)
            theirs = await self._view(channel, symbol)
            if not suspicion.grows(self.desk.top(channel, symbol), theirs):
                return False
        return True

    async def _view(self, channel: Channel, symbol: str) -> Top | None:
        """The book as REST has it; where the venue has no snapshots, as our other channel has it."""
        await self.views.turn()
        try:
            snapshot = await self.history.book(symbol)
        except VenueRejected:
            other = self.desk.top("books" if channel == "quotes" else "quotes", symbol)
            return None if other is None else Top(other.bid, other.ask)
        return top_of(snapshot, with_id=channel == "books")


def top_of(snapshot: BookUpdate, *, with_id: bool) -> Top | None:
    """Best bid and ask of a snapshot; its id can be compared with that of a book, not with a quote's: the best prices
    stand still while other levels change."""
    if not snapshot.bids or not snapshot.asks:
        return None
    bid, ask = max(price for price, _ in snapshot.bids), min(price for price, _ in snapshot.asks)
    return Top(bid, ask, snapshot.last_id if with_id else None)
