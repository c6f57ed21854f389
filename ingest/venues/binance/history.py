"""Binance's past over REST, by ccxt's raw endpoints: no detour through its unified dictionaries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, Clock
from ares.config.settings import VenueConfig
from ares.errors import MalformedFrame, VenueUnavailable
from ares.model.market import Bar, Trade
from ares.resilience import Guard, GuardPolicy, to_the_end
from ingest.books import BookUpdate
from ingest.feed import Rejected, TradePage, raw_text
from ingest.venues.binance.client import BinanceClient, create_client
from ingest.venues.binance.decoder import decode_bar, decode_snapshot, trade_of
from ingest.venues.errors import FOREIGN, translated

MINUTE_NS = 60 * NANOS_PER_SECOND
PAGE_MAX = 1_000
SNAPSHOT_LEVELS = 1_000
"""Depth of a snapshot that a book is built on: enough that the levels we keep never run dry."""


class BinanceHistory:
    """The asking side of a venue that speaks Binance's spot protocol. Needs no markets: symbols are told here."""

    def __init__(self, venue: str, config: VenueConfig, venue_symbols: Mapping[str, str], clock: Clock) -> None:
        self._venue = venue
        self._venue_symbols = venue_symbols
        self._clock = clock
        self._client: BinanceClient = create_client(venue, config)
        self._guard = Guard(f"{venue}-history", clock, GuardPolicy(deadline_s=config.request_timeout_s * 2))

    async def trades(self, symbol: str, from_seq: int, count: int) -> TradePage:
        """Trades with ids from `from_seq` on, at most `count` (≤ 1000). Raises `VenueUnavailable`, `VenueRejected`."""
        params = {"symbol": self._venue_symbols[symbol], "fromId": from_seq, "limit": count}
        return self._page(await self._ask("agg_trades", self._client.publicGetAggTrades, params), symbol)

    async def latest_trade(self, symbol: str) -> Trade | None:
        """The newest trade, or None if there never was one."""
        params = {"symbol": self._venue_symbols[symbol], "limit": 1}
        page = self._page(await self._ask("latest_trade", self._client.publicGetAggTrades, params), symbol)
        return page.trades[-1] if page.trades else None

    async def bars(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """The venue's one-minute candles that start in [start_ns, end_ns), in order; at most 1000."""
        params = {
            "symbol": self._venue_symbols[symbol],
            "interval": "1m",
            "startTime": start_ns // NANOS_PER_MILLI,
            "endTime": end_ns // NANOS_PER_MILLI - 1,
            "limit": PAGE_MAX,
        }
        answer = await self._ask("klines", self._client.publicGetKlines, params)
        now_ns = self._clock.now_ns()
        try:
            bars = [decode_bar(row, self._venue, symbol, now_ns) for row in _rows(answer)]
        except MalformedFrame as error:
            raise VenueUnavailable(f"klines of {symbol}: {error}") from None
        return [bar for bar in bars if start_ns <= bar.ts_ns and bar.ts_ns + MINUTE_NS <= end_ns]

    async def book(self, symbol: str) -> BookUpdate:
        """A snapshot of the book. Raises `VenueUnavailable`, `VenueRejected`."""
        params = {"symbol": self._venue_symbols[symbol], "limit": SNAPSHOT_LEVELS}
        answer = await self._ask("depth", self._client.publicGetDepth, params)
        try:
            return decode_snapshot(answer, self._venue, symbol, self._clock.now_ns())
        except MalformedFrame as error:
            raise VenueUnavailable(f"depth of {symbol}: {error}") from None

    async def close(self) -> None:
        """Let go of the connection."""
        await to_the_end(self._client.close())

    def _page(self, answer: object, symbol: str) -> TradePage:
        now_ns = self._clock.now_ns()
        trades: list[Trade] = []
        rejected: list[Rejected] = []
        for row in _rows(answer):
            try:
                trades.append(trade_of(row, self._venue, symbol, now_ns, "rest"))
            except MalformedFrame as error:
                rejected.append(Rejected("trades", error.field, str(error), raw_text(row), now_ns, symbol))
        trades.sort(key=lambda trade: trade.seq)
        return TradePage(trades, rejected)

    async def _ask(
        self,
        operation: str,
        endpoint: Callable[[Mapping[str, object]], Awaitable[object]],
        params: Mapping[str, object],
    ) -> object:
        return await self._guard.call(operation, partial(self._call, endpoint, params), idempotent=True)

    async def _call(
        self, endpoint: Callable[[Mapping[str, object]], Awaitable[object]], params: Mapping[str, object]
    ) -> object:
        try:
            return await endpoint(params)
        except FOREIGN as error:
            raise translated(error, self._client.last_response_headers) from None


def _rows(answer: object) -> Sequence[object]:
    """A list, which both endpoints answer with; anything else is not from the venue (a proxy's page, say)."""
    if not isinstance(answer, list):
        raise VenueUnavailable("the venue answered something that is not a list")
    return answer
