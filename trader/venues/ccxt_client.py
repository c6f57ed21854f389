"""What we use of ccxt's untyped class, said in types; nothing else in this package touches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

import ccxt.async_support

from ares.config.settings import VenueConfig
from ares.venues import ccxt_settings, usdm_settings

Raw = Mapping[str, object]
Params = Mapping[str, object]


class CcxtClient(Protocol):
    """`ccxt.async_support.binance`: amounts and prices go in as strings, and come out exact in `info`."""

    last_response_headers: Mapping[str, str] | None
    apiKey: str  # noqa: N815 - ccxt's word
    secret: str

    def load_markets(self, reload: bool, /) -> Awaitable[Mapping[str, Raw]]: ...
    def load_time_difference(self) -> Awaitable[object]: ...
    def create_order(  # noqa: PLR0917 - the signature of ccxt
        self, symbol: str, kind: str, side: str, amount: str, price: str | None, params: Params, /
    ) -> Awaitable[Raw]: ...
    def cancel_order(self, order_id: str | None, symbol: str, params: Params, /) -> Awaitable[object]: ...
    def fetch_order(self, order_id: str | None, symbol: str, params: Params, /) -> Awaitable[Raw]: ...
    def fetch_open_orders(self) -> Awaitable[Sequence[Raw]]: ...
    def fetch_my_trades(self, symbol: str, since: None, limit: int, params: Params, /) -> Awaitable[Sequence[Raw]]: ...
    def fetch_balance(self) -> Awaitable[Raw]: ...
    def fetch_bids_asks(self, symbols: Sequence[str]) -> Awaitable[Mapping[str, Raw]]: ...
    def public_get_exchangeinfo(self, params: Params, /) -> Awaitable[Raw]: ...
    def sapi_get_system_status(self) -> Awaitable[Raw]: ...
    def sapi_get_account_apirestrictions(self) -> Awaitable[Raw]: ...
    def market(self, symbol: str) -> Raw: ...
    def close(self) -> Awaitable[None]: ...


def create_client(name: str, config: VenueConfig) -> CcxtClient:
    """A new, unconnected client that may trade. Raises `ConfigError` for a venue without keys."""
    factory = cast("Callable[[Mapping[str, object]], CcxtClient]", ccxt.async_support.binance)
    return factory(ccxt_settings(name, config, private=True))


class UsdmClient(CcxtClient, Protocol):
    """`ccxt.async_support.binanceusdm`: the same, and what only futures have, in the venue's own words."""

    def fapipublic_get_exchangeinfo(self) -> Awaitable[Raw]: ...
    def fapiprivate_get_positionside_dual(self) -> Awaitable[Raw]: ...
    def fapiprivatev3_get_positionrisk(self) -> Awaitable[Sequence[Raw]]: ...
    def fapiprivate_get_income(self, params: Params, /) -> Awaitable[Sequence[Raw]]: ...
    def fapiprivate_post_leverage(self, params: Params, /) -> Awaitable[Raw]: ...


def create_usdm_client(name: str, config: VenueConfig) -> UsdmClient:
    """A new, unconnected client of USD-M futures. Raises `ConfigError` for a venue without keys.

    ccxt knows what futures' errors mean by Binance's own addresses alone, so that is said for any.
    """
    factory = cast("Callable[[Mapping[str, object]], UsdmClient]", ccxt.async_support.binanceusdm)
    meanings = cast("Mapping[str, Mapping[str, object]]", ccxt.async_support.binanceusdm().exceptions["linear"])
    return factory({**usdm_settings(name, config), "exceptions": {"exact": meanings["exact"]}})
