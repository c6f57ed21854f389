"""What the feed uses of ccxt.pro's untyped classes, said in types, and how one is set up."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

import ccxt
import ccxt.pro

from ares.config.settings import VenueConfig
from ares.errors import ConfigError
from ingest.venues.ccxt.decoder import Precision
from ingest.venues.client import Market

Handler = Callable[[object, object], None]

NEAR_NAMES = 5
SAME_IDS: Mapping[str, Mapping[str, object]] = {"binance": {"fetchTradesMethod": "publicGetTrades"}}
"""Where ccxt would ask REST for trades by other ids than the stream's: options by ccxt id that make them the same."""


class Exchange(Protocol):
    """A class of ccxt.pro, as far as all of them are alike."""

    has: Mapping[str, object]
    urls: dict[str, object]
    precisionMode: int  # noqa: N815 - ccxt's name
    handle_message: Handler
    on_close: Handler
    on_error: Handler
    trades: dict[str, object]
    bidsasks: dict[str, object]
    tickers: dict[str, object]
    orderbooks: Mapping[str, Mapping[str, object]]
    last_response_headers: Mapping[str, str] | None

    def load_markets(self) -> Awaitable[Mapping[str, Market]]: ...
    def set_markets_from_exchange(self, source: Exchange) -> object: ...
    def set_sandbox_mode(self, enabled: bool) -> None: ...
    def watch_trades(self, symbol: str) -> Awaitable[object]: ...
    def watch_trades_for_symbols(self, symbols: Sequence[str]) -> Awaitable[object]: ...
    def watch_bids_asks(self, symbols: Sequence[str]) -> Awaitable[object]: ...
    def watch_order_book(self, symbol: str) -> Awaitable[object]: ...
    def watch_order_book_for_symbols(self, symbols: Sequence[str]) -> Awaitable[object]: ...
    def close(self) -> Awaitable[None]: ...


def create_exchange(name: str, config: VenueConfig) -> Exchange:
    """A new, unconnected exchange for public data. Raises `ConfigError` for an id that ccxt.pro does not have."""
    known = cast("Sequence[str]", ccxt.pro.exchanges)
    if config.ccxt_id not in known:
        near = ", ".join(difflib.get_close_matches(config.ccxt_id, known, NEAR_NAMES, 0.4) or known[:NEAR_NAMES])
        problem = "no exchange that ccxt.pro streams from"
        raise ConfigError(f"venues.{name}.ccxt_id", config.ccxt_id, problem, f"It has, for example, {near}")
    factory = cast("Callable[[Mapping[str, object]], Exchange]", getattr(ccxt.pro, config.ccxt_id))
    exchange = factory(
        {
            "timeout": round(config.request_timeout_s * 1_000),
            "enableRateLimit": config.rest_url is None,
            "streaming": {"keepAlive": round(config.ping_s * 1_000)},
            "options": dict(SAME_IDS.get(config.ccxt_id, {})),
        }
    )
    if config.ccxt_sandbox:
        try:
            exchange.set_sandbox_mode(enabled=True)
        except (ccxt.NotSupported, TypeError):  # where its addresses are said to be nothing, ccxt copies nothing
            field, value, way_out = (
                f"venues.{name}.ccxt_sandbox",
                config.ccxt_sandbox,
                "Unset it, or name another venue",
            )
            raise ConfigError(field, value, f"{config.ccxt_id} has none", way_out) from None
    exchange.urls["api"] = moved(exchange.urls["api"], config.rest_url, config.ws_url)
    return exchange


def precision_of(exchange: Exchange) -> Precision:
    """How ccxt says of a market in which steps prices and amounts go."""
    modes: Mapping[int, Precision] = {ccxt.TICK_SIZE: "step", ccxt.DECIMAL_PLACES: "places"}
    return modes.get(exchange.precisionMode, "digits")


def moved(urls: object, rest: str | None, ws: str | None) -> object:
    """ccxt's addresses with another host before each path; unchanged where that is None."""
    if isinstance(urls, dict):
        return {name: moved(value, rest, ws) for name, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    base = ws if urls.startswith("ws") else rest
    return urls if base is None else base.rstrip("/") + urlsplit(urls).path
