"""ccxt's unified calls as a venue's words over REST. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import MINUTE_NS, NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Trade
from ingest.books import BookUpdate
from ingest.venues.ccxt.decoder import Precision, decode_bar, decode_instrument, trade_of
from ingest.venues.rest import Asked, Paging, Question
from ingest.venues.wire import Wire

ROWS = Wire(list[object], {})


class CcxtWords:
    """The newest trades, as many as the venue tells unasked, and candles; whatever venue it is.

    `precision`: what ccxt counts this venue's steps in.
    """

    paging: Paging = "newest"
    market_types: Sequence[str] = ("spot",)
    page_trades_max = 1_000
    page_bars_max = 100
    """So few that no venue tells less."""

    def __init__(self, ccxt_id: str, precision: Precision = "step") -> None:
        self.ccxt_id = ccxt_id
        self._precision: Precision = precision

    def urls(self, base: str) -> Mapping[str, object]:
        """The exchange is made elsewhere, with its addresses."""
        raise AssertionError(f"{self.ccxt_id} is not made for {base} here")

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:  # noqa: ARG002 - venues differ in both
        """The newest trades."""
        return Question("fetch_trades", {"symbol": venue_symbol}, unified=True)

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest trades: that fewer are the newest ones is not so everywhere."""
        return self.trades(venue_symbol, 0, 1)

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Candles from a moment on."""
        since, limit = start_ns // NANOS_PER_MILLI, (end_ns - start_ns) // MINUTE_NS
        params = {"symbol": venue_symbol, "timeframe": "1m", "since": since, "limit": limit}
        return Question("fetch_ohlcv", params, unified=True)

    def book(self, venue_symbol: str) -> None:
        """ccxt fetches it where the stream needs one; its number cannot be compared with anything."""

    def rows_of(self, answer: object) -> Sequence[object]:
        """ccxt's list."""
        return ROWS.read(answer)

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A trade of `fetch_trades`."""
        return trade_of(row, asked.venue, asked.symbol, asked.received_at_ns)

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `fetch_ohlcv`, the last of which may be open."""
        return [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in ROWS.read(answer)]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:  # noqa: ARG002 - never asked for
        """Never asked for."""
        raise MalformedFrame("book", "the stream brings it")

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A pair of `load_markets`."""
        return decode_instrument(market, venue, symbol, self._precision)
