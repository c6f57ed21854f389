"""What `ccxt_feed` uses of ccxt's untyped class, said in types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

import ccxt.pro

from ares.config.settings import VenueConfig
from ares.venues import ccxt_settings
from ingest.venues.client import Market

Handler = Callable[[object, object], None]


class BinanceClient(Protocol):
    """`ccxt.pro.binance`."""

    handle_message: Handler
    orderbooks: Mapping[str, Mapping[str, object]]
    last_response_headers: Mapping[str, str] | None

    def load_markets(self) -> Awaitable[Mapping[str, Market]]: ...
    def set_markets_from_exchange(self, source: BinanceClient) -> object: ...
    def watch_trades_for_symbols(
        self, symbols: Sequence[str], since: None, limit: None, params: Mapping[str, str]
    ) -> Awaitable[object]: ...
    def watch_bids_asks(self, symbols: Sequence[str]) -> Awaitable[object]: ...
    def watch_order_book_for_symbols(self, symbols: Sequence[str], limit: int) -> Awaitable[object]: ...
    def close(self) -> Awaitable[None]: ...


def create_client(name: str, config: VenueConfig) -> BinanceClient:
    """A new, unconnected client for public data."""
    factory = cast("Callable[[Mapping[str, object]], BinanceClient]", ccxt.pro.binance)
    return factory(ccxt_settings(name, config, private=False))
