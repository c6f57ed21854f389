"""OKX spot's words over REST. Pure.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Trade
from ingest.books import BookUpdate
from ingest.venues.okx.decoder import decode_bar, decode_instrument, trade_of
from ingest.venues.rest import Asked, Paging, Question
from ingest.venues.wire import Wire, fee


class Answer(msgspec.Struct):
    """What every answer is wrapped in."""

    data: list[object]


ANSWER = Wire(Answer, {})


class OkxWords:
    """Single trades by id, candles; snapshots of books come on the stream."""

    ccxt_id = "okx"
    market_types: Sequence[str] = ("spot",)
    paging: Paging = "id"
    page_trades_max = 100
    page_bars_max = 100

    def urls(self, base: str) -> Mapping[str, object]:
        """One address for everything."""
        return {"rest": base}

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        """Single trades; the venue counts back from an id."""
        params = {"instId": venue_symbol, "type": "1", "after": since + count, "limit": count}
        return Question("publicGetMarketHistoryTrades", params)

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest single trade."""
        return Question("publicGetMarketHistoryTrades", {"instId": venue_symbol, "type": "1", "limit": 1})

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Candles between two moments, both exclusive."""
        params = {
            "instId": venue_symbol,
            "bar": "1m",
            "before": start_ns // NANOS_PER_MILLI - 1,
            "after": end_ns // NANOS_PER_MILLI,
            "limit": self.page_bars_max,
        }
        return Question("publicGetMarketHistoryCandles", params)

    def book(self, venue_symbol: str) -> None:
        """The stream brings it."""

    def rows_of(self, answer: object) -> Sequence[object]:
        """The trades, newest first."""
        return ANSWER.read(answer).data

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A row of `history-trades`."""
        return trade_of(row, asked.venue, asked.symbol, asked.received_at_ns)

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `history-candles` whose minute is over."""
        bars = [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in ANSWER.read(answer).data]
        return [bar for bar in bars if bar is not None]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:  # noqa: ARG002 - never asked for
        """Never asked for."""
        raise MalformedFrame("book", "the stream brings it")

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A pair of `instruments`, with the fees as ccxt knows them."""
        return decode_instrument(
            market.get("info"), venue, symbol, (fee(market.get("maker")), fee(market.get("taker")))
        )
