"""Whether paper trading can be fed as the settings say."""

from __future__ import annotations

from urllib.parse import urlsplit

from ares.config.hosts import is_here
from ares.config.settings import AresConfig
from ares.errors import ConfigError

RECORDINGS = "Set simulator.feed for paper trading on a venue, or the recordings to play, not both"


def refuse_impossible_feed(config: AresConfig) -> None:
    """A feed is another venue of Binance's spot protocol, with symbols to follow. Raises `ConfigError`."""
    simulator, name = config.simulator, config.simulator.feed
    if name is None:
        return
    if simulator.recordings:
        played = ", ".join(map(str, simulator.recordings))
        raise ConfigError("simulator.recordings", played, f"simulator.feed = {name!r} is set too", RECORDINGS)
    if simulator.perpetuals.enabled:
        way_out = "Set it to false: a feed is of coins"
        raise ConfigError("simulator.perpetuals.enabled", "true", f"simulator.feed = {name!r} is set", way_out)
    venue = config.venues.get(name)
    if venue is None:
        way_out = f"Known: {', '.join(sorted(config.venues)) or 'none'}. Declare it under [venues.{name}]"
        raise ConfigError("simulator.feed", name, "no such venue", way_out)
    if venue.protocol != "binance":
        way_out = 'Name a venue whose protocol is "binance"'
        raise ConfigError("simulator.feed", name, f"its protocol is {venue.protocol}, which cannot feed", way_out)
    address = urlsplit(venue.rest_url or "")
    if address.port == simulator.port and is_here(address.hostname or ""):
        way_out = "Name the venue whose market is to be followed; the exchange is another one"
        raise ConfigError("simulator.feed", name, f"{venue.rest_url} is the exchange itself", way_out)
    if not config.ingest.symbols:
        way_out = 'Set it to those to be traded, like ["BTC/USDT"]'
        raise ConfigError("ingest.symbols", (), "a feed needs symbols to follow", way_out)
