"""Which feed and which history a venue has, by the protocol it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ares.clock import Clock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError
from ares.model.market import Instrument
from ingest.capture.tap import NO_TAP, Tap
from ingest.feed import Feed
from ingest.venues.binance.ccxt_feed import BinanceFeed
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.binance.rest import BinanceWords
from ingest.venues.binanceusdm.dialect import UsdmDialect
from ingest.venues.binanceusdm.rest import UsdmWords
from ingest.venues.bybit.dialect import BybitDialect
from ingest.venues.bybit.rest import BybitWords, LinearWords
from ingest.venues.ccxt.client import create_exchange
from ingest.venues.ccxt.feed import CcxtFeed
from ingest.venues.ccxt.words import CcxtWords
from ingest.venues.client import create_client, load_markets
from ingest.venues.coinbase.dialect import CoinbaseDialect
from ingest.venues.coinbase.rest import CoinbaseWords
from ingest.venues.dialect import Dialect, Snapshots
from ingest.venues.kraken.dialect import KrakenDialect
from ingest.venues.kraken.rest import KrakenWords
from ingest.venues.markets import instruments_of, perpetuals_of
from ingest.venues.native_feed import NativeFeed, Parts
from ingest.venues.okx.dialect import OkxDialect
from ingest.venues.okx.rest import OkxWords
from ingest.venues.okxswap.dialect import SwapDialect
from ingest.venues.okxswap.rest import SwapWords
from ingest.venues.rest import RestWords, channels_of
from ingest.venues.rest_history import RestHistory


@dataclass(frozen=True, slots=True)
class Language:
    """What a venue says on its stream and over REST."""

    dialect: Dialect
    words: RestWords
    recycle_hours: float = 0.0
    """How old a connection becomes before another takes its place, where the venue ends it at some age; 0: never."""


LANGUAGES: Mapping[str, Language] = {
    "binance": Language(BinanceDialect(), BinanceWords(), recycle_hours=23.0),
    "binanceusdm": Language(UsdmDialect(), UsdmWords(), recycle_hours=23.0),
    "bybit": Language(BybitDialect("spot"), BybitWords("spot")),
    "bybitlinear": Language(BybitDialect("linear"), LinearWords()),
    "coinbase": Language(CoinbaseDialect(), CoinbaseWords()),
    "kraken": Language(KrakenDialect(), KrakenWords()),
    "okx": Language(OkxDialect(), OkxWords()),
    "okxswap": Language(SwapDialect(), SwapWords()),
}
"""By `venues.<name>.protocol`."""


def create_feed(venue: str, config: VenueConfig, ingest: IngestConfig, clock: Clock, tap: Tap = NO_TAP) -> Feed:
    """The live side of a venue, unconnected; `tap` is told what its lines say."""
    if config.protocol == "ccxt":
        return CcxtFeed(venue, config, ingest, clock)
    if config.feed == "ccxt":
        if config.protocol != "binance":
            way_out = 'Take feed = "native"'
            raise ConfigError(f"venues.{venue}.feed", "ccxt", f"only for binance, not for {config.protocol}", way_out)
        return BinanceFeed(venue, config, ingest, clock)
    language = LANGUAGES[config.protocol]

    channels = channels_of(language.words)

    async def markets(symbols: Sequence[str]) -> Sequence[Instrument]:
        listed = await load_markets(create_client(language.words, config))
        if "funding" in channels:
            listed = perpetuals_of(listed)
        return instruments_of(language.words, venue, listed, symbols)

    def snapshots(venue_symbols: Mapping[str, str]) -> Snapshots:
        return create_history(venue, config, venue_symbols, clock, tap)

    parts = Parts(language.dialect, markets, snapshots, channels, tap, language.recycle_hours)
    return NativeFeed(venue, parts, config, ingest, clock)


def words_of(config: VenueConfig) -> RestWords:
    """What a venue is asked over REST."""
    return CcxtWords(config.ccxt_id) if config.protocol == "ccxt" else LANGUAGES[config.protocol].words


def create_history(
    venue: str, config: VenueConfig, venue_symbols: Mapping[str, str], clock: Clock, tap: Tap = NO_TAP
) -> RestHistory:
    """The asking side of a venue, unconnected; `venue_symbols`: ours ("BTC/USDT") → the venue's own ("BTCUSDT")."""
    client = create_exchange(venue, config) if config.protocol == "ccxt" else None
    history = RestHistory(venue, words_of(config), config, venue_symbols, clock, client=client)
    history.tap = tap
    return history
