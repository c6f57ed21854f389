"""OKX swaps' words over REST. Pure.

https://www.okx.com/docs-v5/en/#public-data-rest-api-get-funding-rate-history
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Bar, Funding, Instrument
from ingest.venues.okx.decoder import decode_bar
from ingest.venues.okx.rest import OkxWords
from ingest.venues.okxswap.decoder import decode_payment, decode_swap
from ingest.venues.rest import Asked, Question
from ingest.venues.wire import fee


class SwapWords(OkxWords):
    """Spot's words for swaps, and the rates that were paid; amounts of trades in contracts, of candles not."""

    market_types: Sequence[str] = ("swap",)
    page_funding_max = 100

    def funding(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Rates paid between two moments, both exclusive."""
        params = {
            "instId": venue_symbol,
            "before": start_ns // NANOS_PER_MILLI - 1,
            "after": end_ns // NANOS_PER_MILLI + 1,
            "limit": self.page_funding_max,
        }
        return Question("publicGetPublicFundingRateHistory", params)

    def read_funding(self, answer: object, asked: Asked) -> Sequence[Funding]:
        """Rows of `funding-rate-history`."""
        rows = self.rows_of(answer)
        return [decode_payment(row, asked.venue, asked.symbol, asked.received_at_ns) for row in rows]

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """Rows of `history-candles` whose minute is over, their volume in the base currency."""
        rows = self.rows_of(answer)
        bars = [decode_bar(row, asked.venue, asked.symbol, asked.received_at_ns, contracts=True) for row in rows]
        return [bar for bar in bars if bar is not None]

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A swap of `instruments`, with the fees as ccxt knows them."""
        return decode_swap(market.get("info"), venue, symbol, (fee(market.get("maker")), fee(market.get("taker"))))
