"""Facts about venues: endpoints, how their client must be set up, their words. No sockets."""

from ares.venues.ccxt_settings import binance_urls, binance_usdm_urls, ccxt_settings, keys
from ares.venues.usdm_settings import usdm_settings

__all__ = ["binance_urls", "binance_usdm_urls", "ccxt_settings", "keys", "usdm_settings"]
