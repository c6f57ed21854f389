"""Which feed collects a venue: ours, where its dialect is known, or ccxt's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.clock import Clock
from ares.config.settings import IngestConfig, VenueConfig
from ares.model.market import Instrument
from ingest.feed import Feed
from ingest.venues.binance.ccxt_feed import BinanceFeed
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.binance.history import BinanceHistory
from ingest.venues.binance.markets import instruments_of, load
from ingest.venues.dialect import Snapshots
from ingest.venues.native_feed import NativeFeed, Parts


def create_feed(venue: str, config: VenueConfig, ingest: IngestConfig, clock: Clock) -> Feed:
    """The live side of a venue, unconnected."""
    if config.feed == "ccxt":
        return BinanceFeed(venue, config, ingest, clock)

    async def markets(symbols: Sequence[str]) -> Sequence[Instrument]:
        _, listed = await load(venue, config)
        return instruments_of(venue, listed, symbols)

    def snapshots(venue_symbols: Mapping[str, str]) -> Snapshots:
        return BinanceHistory(venue, config, venue_symbols, clock)

    return NativeFeed(venue, Parts(BinanceDialect(), markets, snapshots), config, ingest, clock)
