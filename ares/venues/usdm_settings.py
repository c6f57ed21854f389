"""The constructor argument of ccxt's class `binanceusdm`, as trading needs it."""

from __future__ import annotations

from ares.config.settings import VenueConfig
from ares.errors import ConfigError
from ares.venues.ccxt_settings import RECV_WINDOW_MS, binance_usdm_urls, keys

SIGNED_APIS = {"fapiPrivate": "/fapi/v1", "fapiPrivateV2": "/fapi/v2", "fapiPrivateV3": "/fapi/v3", "sapi": "/sapi/v1"}
"""What an account is asked under; what a key may do is told by spot's address alone."""


def usdm_settings(name: str, venue: VenueConfig) -> dict[str, object]:
    """Settings for `ccxt.async_support.binanceusdm` with keys. Raises `ConfigError` for a venue without them."""
    if venue.protocol != "binanceusdm":
        problem = "is not the protocol of USD-M futures"
        raise ConfigError(f"venues.{name}.protocol", venue.protocol, problem, 'Set protocol = "binanceusdm"')
    key, secret = keys(name, venue)
    settings: dict[str, object] = {
        "timeout": round(venue.request_timeout_s * 1000),
        "enableRateLimit": False,  # as of `ccxt_settings` that trade
        "options": {
            "fetchMarkets": {"types": ["linear"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            "adjustForTimeDifference": True,
            "recvWindow": RECV_WINDOW_MS,
        },
        "apiKey": key,
        "secret": secret,
    }
    if venue.rest_url is not None:
        base = venue.rest_url.rstrip("/")
        signed = {api: f"{base}{path}" for api, path in SIGNED_APIS.items()}
        settings["urls"] = {"api": {**binance_usdm_urls(base), **signed}}
    return settings
