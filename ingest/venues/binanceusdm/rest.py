"""Binance USD-M futures' words over REST. Pure.

https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Funding, Instrument
from ares.venues import binance_usdm_urls
from ingest.venues.binance.rest import BinanceWords, listed
from ingest.venues.binanceusdm.decoder import decode_payment, decode_perpetual
from ingest.venues.rest import Asked, Question


class UsdmWords(BinanceWords):
    """Spot's words at the addresses of futures, and the rates that were paid."""

    ccxt_id = "binanceusdm"
    api = "fapiPublicGet"
    market_types: Sequence[str] = ("linear",)
    page_funding_max = 1_000

    def urls(self, base: str) -> Mapping[str, object]:
        """USD-M's addresses; every other API of the class leads nowhere."""
        return binance_usdm_urls(base)

    def funding(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """Rates paid between two moments, both inclusive."""
        params = {
            "symbol": venue_symbol,
            "startTime": start_ns // NANOS_PER_MILLI,
            "endTime": end_ns // NANOS_PER_MILLI,
            "limit": self.page_funding_max,
        }
        return Question("fapiPublicGetFundingRate", params)

    def read_funding(self, answer: object, asked: Asked) -> Sequence[Funding]:
        """Rows of `fundingRate`."""
        return [decode_payment(row, asked.venue, asked.symbol, asked.received_at_ns) for row in listed(answer)]

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """A symbol of `exchangeInfo`, with the fees as ccxt knows them."""
        return decode_perpetual(market.get("info"), venue, symbol, (market.get("maker"), market.get("taker")))
