"""Coinbase spot's words over REST: the Exchange's public endpoints, which need no key. Pure.

https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import MINUTE_NS, isoformat
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Trade
from ingest.books import BookUpdate
from ingest.venues.coinbase.decoder import decode_bar, decode_instrument, trade_of
from ingest.venues.rest import Asked, Paging, Question
from ingest.venues.wire import Wire, fee

ROWS = Wire(list[object], {})


class CoinbaseWords:
    """Single trades by id, candles; snapshots of books come on the stream."""

    ccxt_id = "coinbaseexchange"
    market_types: Sequence[str] = ("spot",)
    paging: Paging = "id"
    page_trades_max = 1_000
    page_bars_max = 300

    def urls(self, base: str) -> Mapping[str, object]:
        """One address for everything."""
        return {"public": base, "private": base}

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        """Single trades; the venue counts back from an id, which is not among them."""
        return Question("publicGetProductsIdTrades", {"id": venue_symbol, "after": since + count, "limit": count})

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest single trade."""
        return Question("publicGetProductsIdTrades", {"id": venue_symbol, "limit": 1})

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Candles between two moments, both inclusive. A minute without trades has none."""
        params = {
            "id": venue_symbol,
            "granularity": 60,
            "start": _second(start_ns),
            "end": _second(end_ns - MINUTE_NS),
        }
        return Question("publicGetProductsIdCandles", params)

    def book(self, venue_symbol: str) -> None:
        """The stream brings it."""

    def rows_of(self, answer: object) -> Sequence[object]:
        """The answer is the list of trades, newest first."""
        return ROWS.read(answer)

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """A row of `trades`."""
        return trade_of(row, asked.venue, asked.symbol, asked.received_at_ns)

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `candles`, newest first."""
        return [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns) for row in ROWS.read(answer)]

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:  # noqa: ARG002 - never asked for
        """Never asked for."""
        raise MalformedFrame("book", "the stream brings it")

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A product, with the fees as ccxt knows them."""
        fees = fee(market.get("maker")), fee(market.get("taker"))
        return decode_instrument(market.get("info"), venue, symbol, fees)


def _second(ns: int) -> str:
    return f"{isoformat(ns)[:19]}Z"
