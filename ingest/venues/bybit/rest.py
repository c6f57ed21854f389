"""Bybit's words over REST, version 5. Pure.

https://bybit-exchange.github.io/docs/v5/market/recent-trade
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Funding, Instrument, Trade
from ingest.books import BookUpdate
from ingest.venues.bybit.decoder import (
    Category,
    decode_bar,
    decode_instrument,
    linear_trade_of,
    placed_rows,
    spot_trade_of,
)
from ingest.venues.bybit.funding import decode_payment
from ingest.venues.rest import Asked, Paging, Question
from ingest.venues.wire import Wire, fee

TRADES_MAX: Mapping[Category, int] = {"spot": 60, "linear": 1_000}


class Result(msgspec.Struct):
    """What was asked for."""

    rows: list[object] = msgspec.field(name="list")


class Answer(msgspec.Struct):
    """What every answer is wrapped in."""

    result: Result


ANSWER = Wire(Answer, {})


class BybitWords:
    """The newest trades of a market of one category, and candles; snapshots of books come on the stream."""

    ccxt_id = "bybit"
    paging: Paging = "newest"
    page_bars_max = 1_000

    def __init__(self, category: Category) -> None:
        self._category = category
        self.market_types: Sequence[str] = (category,)
        self.page_trades_max = TRADES_MAX[category]

    def urls(self, base: str) -> Mapping[str, object]:
        """One address for everything."""
        return {"public": base, "private": base}

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:  # noqa: ARG002 - only the newest are told
        """The newest trades."""
        return Question(
            "publicGetV5MarketRecentTrade",
            {"category": self._category, "symbol": venue_symbol, "limit": min(count, self.page_trades_max)},
        )

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest trade."""
        return self.trades(venue_symbol, 0, 1)

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Candles that start in a span, both ends inclusive."""
        params = {
            "category": self._category,
            "symbol": venue_symbol,
            "interval": "1",
            "start": start_ns // NANOS_PER_MILLI,
            "end": end_ns // NANOS_PER_MILLI - 1,
            "limit": self.page_bars_max,
        }
        return Question("publicGetV5MarketKline", params)

    def book(self, venue_symbol: str) -> None:
        """The stream brings it."""

    def rows_of(self, answer: object) -> Sequence[object]:
        """The trades, newest first."""
        rows = ANSWER.read(answer).result.rows
        return rows if self._category == "spot" else placed_rows(rows, self.page_trades_max)

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A row of `recent-trade`."""
        read = spot_trade_of if self._category == "spot" else linear_trade_of
        return read(row, asked.venue, asked.symbol, asked.received_at_ns)

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `kline`."""
        rows = ANSWER.read(answer).result.rows
        return [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in rows]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:  # noqa: ARG002 - never asked for
        """Never asked for."""
        raise MalformedFrame("book", "the stream brings it")

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A market of `instruments-info`, with the fees as ccxt knows them."""
        fees = fee(market.get("maker")), fee(market.get("taker"))
        return decode_instrument(market.get("info"), venue, symbol, fees)


class LinearWords(BybitWords):
    """Those of linear perpetuals, and the rates that were paid."""

    page_funding_max = 200

    def __init__(self) -> None:
        super().__init__("linear")

    def funding(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Rates paid in a span; the venue takes both of its ends in."""
        params = {
            "category": self._category,
            "symbol": venue_symbol,
            "startTime": start_ns // NANOS_PER_MILLI,
            "endTime": end_ns // NANOS_PER_MILLI - 1,
            "limit": self.page_funding_max,
        }
        return Question("publicGetV5MarketFundingHistory", params)

    def read_funding(self, answer: object, asked: Asked) -> Sequence[Funding]:
        """Rows of `funding/history`."""
        rows = ANSWER.read(answer).result.rows
        return [decode_payment(row, asked.venue, asked.symbol, asked.received_at_ns) for row in rows]
