"""Facts about venues: endpoints, how their client must be set up, their words. No sockets."""

from ares.venues.addresses import BINANCE_REST, BINANCE_STREAMS
from ares.venues.ccxt_settings import binance_urls, binance_usdm_urls, ccxt_settings, keys
from ares.venues.usdm_settings import usdm_settings

__all__ = [
    "BINANCE_REST",
    "BINANCE_STREAMS",
    "binance_urls",
    "binance_usdm_urls",
    "ccxt_settings",
    "keys",
    "usdm_settings",
]
