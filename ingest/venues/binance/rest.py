"""Binance spot's words over REST. Pure.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Trade
from ares.venues import binance_urls
from ingest.books import BookUpdate
from ingest.venues.binance.decoder import decode_bar, decode_instrument, decode_snapshot, trade_of
from ingest.venues.rest import Asked, Paging, Question

SNAPSHOT_LEVELS = 1_000
"""Depth of a snapshot that a book is built on: enough that the levels we keep never run dry."""


class BinanceWords:
    """Aggregate trades by id, candles, snapshots of books."""

    ccxt_id = "binance"
    api = "publicGet"
    """What ccxt's names of the raw endpoints begin with."""
    market_types: Sequence[str] = ("spot",)
    paging: Paging = "id"
    page_trades_max = 1_000
    page_bars_max = 1_000

    def urls(self, base: str) -> Mapping[str, object]:
        """Spot's addresses; every other API of the class leads nowhere."""
        return binance_urls(base, "")

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        """Aggregate trades from an id on."""
        return Question(f"{self.api}AggTrades", {"symbol": venue_symbol, "fromId": since, "limit": count})

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest aggregate trade."""
        return Question(f"{self.api}AggTrades", {"symbol": venue_symbol, "limit": 1})

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Klines; the venue's end is inclusive."""
        params = {
            "symbol": venue_symbol,
            "interval": "1m",
            "startTime": start_ns // NANOS_PER_MILLI,
            "endTime": end_ns // NANOS_PER_MILLI - 1,
            "limit": self.page_bars_max,
        }
        return Question(f"{self.api}Klines", params)

    def book(self, venue_symbol: str) -> Question:
        """A snapshot, which the stream does not bring."""
        return Question(f"{self.api}Depth", {"symbol": venue_symbol, "limit": SNAPSHOT_LEVELS})

    def rows_of(self, answer: object) -> Sequence[object]:
        """The answer is the list of trades."""
        return listed(answer)

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A row of `aggTrades`."""
        return trade_of(row, asked.venue, asked.symbol, asked.received_at_ns, "rest")

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `klines`."""
        return [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in listed(answer)]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:
        """An answer of `depth`."""
        return decode_snapshot(answer, asked.venue, asked.symbol, asked.received_at_ns)

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A symbol of `exchangeInfo`, with the fees as ccxt knows them."""
        return decode_instrument(market.get("info"), venue, symbol, (market.get("maker"), market.get("taker")))


def listed(answer: object) -> Sequence[object]:
    """An answer that must be a list. Raises `MalformedFrame`."""
    if not isinstance(answer, list):
        raise MalformedFrame("answer", "not a list")
    return answer
