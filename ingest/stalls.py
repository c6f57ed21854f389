"""Finds streams that are open, and silent about trades that there are: by each symbol's own pace, and by asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ares.clock import Clock
from ares.errors import VenueError
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from ingest.desk import Desk
from ingest.feed import Feed
from ingest.history import SoundHistory, wait_of
from ingest.pace import Pace

log = get_logger(__name__)

LOOK_S = 0.5
PATIENCE_S_MIN = 5.0
"""However quick a market is: a connection is worth a look at this silence, and not at every pause of the network."""
CATCH_UP_S = 2.0
"""The stream may come later than the answer: so long it has for the trade that the answer told of."""


@dataclass(slots=True)
class StallWatch:
    """Watches one venue's stream of trades; one task per symbol.

    A venue can drop one subscription and go on with the others, and nothing in the connection shows it. A silence that
    is unusual for the symbol is a question to the venue: is there a trade that we were not told of? Only then is the
    connection given up, which records the gap that is healed afterwards; a quiet market costs one request per silence.
    """

    desk: Desk
    feed: Feed
    history: SoundHistory
    clock: Clock
    patience_s_max: Callable[[], float]

    async def run(self, symbol: str, backoff: Backoff) -> None:
        """Watch until cancelled."""
        pace = Pace()
        last: int | None = None
        heard_s = self.clock.monotonic_s()
        while True:
            await self.clock.sleep(LOOK_S)
            intake, now_s = self.desk.intakes[symbol], self.clock.monotonic_s()
            if not intake.is_current or not self.feed.is_live("trades"):
                pace.pause()
                heard_s = now_s
                continue
            if intake.last != last:
                last, heard_s = intake.last, now_s
                pace.saw(now_s)
                continue
            if now_s - heard_s < pace.patience_s(PATIENCE_S_MIN, self.patience_s_max()):
                continue
            try:
                await self._ask(symbol, now_s - heard_s)
            except VenueError as error:
                log.warning("stall_not_checked", symbol=symbol, cause=str(error))
                await self.clock.sleep(wait_of(error, backoff))
            else:
                backoff.reset()
                heard_s = self.clock.monotonic_s()

    async def _ask(self, symbol: str, silent_s: float) -> None:
        """Give the connection up if the venue has a trade that the stream does not bring."""
        intake = self.desk.intakes[symbol]
        latest = await self.history.latest_trade(symbol)
        if latest is None or latest.seq <= (intake.last or 0):
            return
        await self.clock.sleep(CATCH_UP_S)
        if latest.seq > (intake.last or 0) and intake.is_current:
            metrics.INGEST_STALLS.labels(symbol).inc()
            log.warning("stream_stalled", symbol=symbol, silent_s=round(silent_s, 1), untold_seq=latest.seq)
            self.feed.renew("trades")
