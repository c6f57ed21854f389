"""The constructor argument of ccxt's exchange classes, as the class `binance` needs it."""

from __future__ import annotations

from pydantic import SecretStr

from ares.config.settings import VenueConfig
from ares.errors import ConfigError

DEAD = "http://127.0.0.1:9"
"""Where every address goes that we did not mean to call: nobody listens there (RFC 863's discard port)."""

OTHER_APIS = (
    *("dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate", "fapiPublic"),
    *("fapiPublicV2", "fapiPublicV3", "fapiPrivate", "fapiPrivateV2", "fapiPrivateV3", "fapiData", "papi"),
    *("papiV2", "sapiV2", "sapiV3", "sapiV4"),
)
OTHER_STREAMS = (*("margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi"),)
RECV_WINDOW_MS = 5_000
TRADES_KEPT = 10_000
"""ccxt drops the oldest of more trades than this between two calls; the default of 1000 is a burst of seconds."""


def ccxt_settings(name: str, venue: VenueConfig, *, private: bool) -> dict[str, object]:
    """Settings for `ccxt.async_support.binance` and `ccxt.pro.binance`, spot only.

    A client that trades (`private`) has no queue of ccxt's: an order would wait in it behind looks before it is signed,
    and so leave, valid for a whole recvWindow more, when the lease that was looked at for it may be another's. Who
    trades counts by himself what the venue allows.

    Raises `ConfigError` for a venue of another protocol, and when `private` is asked for one without keys.
    """
    if venue.protocol != "binance":
        way_out = "Trade on a venue that speaks binance or binanceusdm; this one can be collected"
        raise ConfigError(f"venues.{name}.protocol", venue.protocol, "cannot be traded on yet", way_out)
    settings: dict[str, object] = {
        "timeout": round(venue.request_timeout_s * 1000),
        "enableRateLimit": not private and venue.rest_url is None,
        "newUpdates": True,
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
            "createOrder": {"quoteOrderQty": False},
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            "adjustForTimeDifference": True,
            "recvWindow": RECV_WINDOW_MS,
            "tradesLimit": TRADES_KEPT,
        },
        "streaming": {"keepAlive": round(venue.ping_s * 1000)},
    }
    if venue.rest_url is not None and venue.ws_url is not None:
        settings["urls"] = {"api": binance_urls(venue.rest_url.rstrip("/"), venue.ws_url.rstrip("/"))}
    if private:
        settings["apiKey"], settings["secret"] = keys(name, venue)
    return settings


def binance_urls(rest: str, ws: str) -> dict[str, object]:
    """ccxt's `urls.api` of the class `binance`: spot at these addresses, every other API nowhere."""
    streams = dict.fromkeys(OTHER_STREAMS, DEAD)
    ws_api = dict.fromkeys(("linear", "inverse"), DEAD)
    return {
        **dict.fromkeys(OTHER_APIS, DEAD),
        "public": f"{rest}/api/v3",
        "private": f"{rest}/api/v3",
        "v1": f"{rest}/api/v1",
        "sapi": f"{rest}/sapi/v1",
        "ws": {**streams, "spot": f"{ws}/stream/ws", "ws-api": {**ws_api, "spot": f"{ws}/ws-api/v3"}},
    }


def binance_usdm_urls(rest: str) -> dict[str, object]:
    """ccxt's `urls.api` of the class `binanceusdm`: USD-M futures at this address, every other API nowhere."""
    spot = dict.fromkeys(("public", "private", "v1", "sapi"), DEAD)
    return {**binance_urls(rest, ""), **spot, "fapiPublic": f"{rest}/fapi/v1"}


def keys(name: str, venue: VenueConfig) -> tuple[str, str]:
    """Key and secret of a venue. Raises `ConfigError` if it has none."""
    found: list[str] = []
    for field in ("api_key", "api_secret"):
        secret: SecretStr | None = getattr(venue, field)
        if secret is None:
            variable = f"ARES_VENUES__{name.upper()}__{field.upper()}"
            problem = "this venue has no key, so it cannot be traded on"
            raise ConfigError(f"venues.{name}.{field}", None, problem, f"Set {variable}")
        found.append(secret.get_secret_value())
    key, secret_key = found
    return key, secret_key
