"""Paper trading put together: a market fed by a venue, and what its clients may ask of it."""

from __future__ import annotations

from ares.clock import Clock
from simulator.clock import MarketClock
from simulator.desk import Desk
from simulator.hub import Hub
from simulator.market import Fees
from simulator.paper.feed import Feed
from simulator.paper.market import PaperMarket
from simulator.paper.public_api import PaperPublicApi
from simulator.paper.upstream import FeedOptions, Upstream


class PaperVenue:
    """`open` first, then `serve` a desk, `run` until cancelled, `close`."""

    def __init__(self, options: FeedOptions, hub: Hub, clock: Clock) -> None:
        self._options = options
        self._hub = hub
        self._clock = clock
        self._upstream = Upstream(options, clock)
        self._feed: Feed | None = None

    async def open(self, market_clock: MarketClock, fees: Fees) -> PaperMarket:
        """Learn the venue's rules. Raises `VenueError` or `MalformedFrame`."""
        rules = await self._upstream.rules(fees)
        market = PaperMarket(rules, market_clock, round(self._options.silence_s_max * 1_000))
        self._feed = Feed(self._options, self._upstream, market, self._hub, self._clock)
        return market

    def serve(self, market: PaperMarket, desk: Desk) -> PaperPublicApi:
        """Let the account's orders meet the market."""
        assert self._feed is not None, "open() comes first"
        self._feed.serve(desk)
        return PaperPublicApi(market, self._upstream)

    @property
    def trouble(self) -> str:
        """Why the venue is not followed now, "" if it is."""
        return "" if self._feed is None else self._feed.trouble

    async def run(self) -> None:
        """Follow the venue until cancelled."""
        assert self._feed is not None, "open() comes first"
        await self._feed.run()

    async def close(self) -> None:
        """Let go of the venue; harmless twice."""
        await self._upstream.close()
