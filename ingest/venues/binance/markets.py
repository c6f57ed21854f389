"""What Binance lists, by ccxt: its filters, its fees, and our words for its symbols."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from ares.config.settings import VenueConfig
from ares.errors import UnknownSymbol
from ares.model.market import Instrument
from ares.resilience import to_the_end
from ingest.venues.binance.client import BinanceClient, Market, create_client
from ingest.venues.binance.decoder import decode_instrument
from ingest.venues.errors import FOREIGN, translated

NEAR_NAMES = 5


async def load(venue: str, config: VenueConfig) -> tuple[BinanceClient, Mapping[str, Market]]:
    """Everything the venue lists, and the closed client that knows it. Raises `VenueUnavailable`, `VenueRejected`."""
    client = create_client(venue, config)
    try:
        return client, await client.load_markets()
    except FOREIGN as error:
        raise translated(error, client.last_response_headers) from None
    finally:
        await to_the_end(client.close())


def instruments_of(venue: str, markets: Mapping[str, Market], symbols: Sequence[str]) -> list[Instrument]:
    """The instruments of these symbols. Raises `UnknownSymbol` with near names for one that is not listed."""
    instruments: list[Instrument] = []
    for symbol in symbols:
        market = markets.get(symbol)
        if market is None:
            near = difflib.get_close_matches(symbol, markets, NEAR_NAMES, 0.4) or sorted(markets)[:NEAR_NAMES]
            raise UnknownSymbol(venue, symbol, near)
        fees = (market.get("maker"), market.get("taker"))
        instruments.append(decode_instrument(market.get("info"), venue, symbol, fees))
    return instruments
