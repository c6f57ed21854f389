"""What a venue lists, as instruments: by ccxt's words for its symbols."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from ares.errors import UnknownSymbol
from ares.model.market import Instrument
from ingest.venues.client import Market
from ingest.venues.rest import RestWords

NEAR_NAMES = 5


def instruments_of(
    words: RestWords, venue: str, markets: Mapping[str, Market], symbols: Sequence[str]
) -> list[Instrument]:
    """The instruments of these symbols. Raises `UnknownSymbol` with near names for one that is not listed."""
    instruments: list[Instrument] = []
    for symbol in symbols:
        market = markets.get(symbol)
        if market is None:
            near = difflib.get_close_matches(symbol, markets, NEAR_NAMES, 0.4) or sorted(markets)[:NEAR_NAMES]
            raise UnknownSymbol(venue, symbol, near)
        instruments.append(words.read_instrument(market, venue, symbol))
    return instruments


def perpetuals_of(markets: Mapping[str, Market]) -> Mapping[str, Market]:
    """Those that pay funding: a future that is delivered has the same words and no rate."""
    return {symbol: market for symbol, market in markets.items() if market.get("swap")}
