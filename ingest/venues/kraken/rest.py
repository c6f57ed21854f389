"""Kraken spot's words over REST. Pure.

https://docs.kraken.com/api-reference/market-data/get-recent-trades
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ares.clock import NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Trade
from ingest.books import BookUpdate
from ingest.venues.kraken.decoder import decode_bar, decode_instrument, rest_pair, trade_of
from ingest.venues.rest import Asked, Paging, Question
from ingest.venues.wire import Wire, fee


class Answer(msgspec.Struct):
    """What every answer is wrapped in: the rows under REST's name of the pair, and where to go on."""

    result: dict[str, object]


ANSWER = Wire(Answer, {})
ROWS = Wire(list[object], {})


class KrakenWords:
    """Single trades from a moment on, the newest candles; snapshots of books come on the stream."""

    ccxt_id = "kraken"
    market_types: Sequence[str] = ("spot",)
    paging: Paging = "time"
    page_trades_max = 1_000
    page_bars_max = 720

    def urls(self, base: str) -> Mapping[str, object]:
        """One address for everything."""
        return {"public": base, "private": base}

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        """Single trades after a moment, oldest first."""
        return Question("publicGetTrades", {"pair": rest_pair(venue_symbol), "since": since, "count": count})

    def latest_trade(self, venue_symbol: str) -> Question:
        """The last thousand trades: that fewer are the last ones is not documented."""
        return Question("publicGetTrades", {"pair": rest_pair(venue_symbol)})

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:  # noqa: ARG002 - the venue knows no end
        """Candles after a moment. The venue keeps the last 720; of older minutes it has none."""
        since_s = start_ns // NANOS_PER_SECOND - 1
        return Question("publicGetOHLC", {"pair": rest_pair(venue_symbol), "interval": 1, "since": since_s})

    def book(self, venue_symbol: str) -> None:
        """The stream brings it."""

    def rows_of(self, answer: object) -> Sequence[object]:
        """The rows of the one pair that was asked for."""
        rows = [rows for name, rows in ANSWER.read(answer).result.items() if name != "last"]
        if len(rows) != 1:
            raise MalformedFrame("answer", f"{len(rows)} pairs, not one")
        return ROWS.read(rows[0])

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A row of `Trades`."""
        return trade_of(row, asked.venue, asked.symbol, asked.received_at_ns)

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `OHLC`, the last of them still open."""
        return [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in self.rows_of(answer)]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:  # noqa: ARG002 - never asked for
        """Never asked for."""
        raise MalformedFrame("book", "the stream brings it")

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A pair, with the fees as ccxt knows them."""
        fees = fee(market.get("maker")), fee(market.get("taker"))
        return decode_instrument(market.get("info"), venue, symbol, fees)
