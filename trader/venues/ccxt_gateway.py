"""The trader's door to a venue that speaks Binance's spot protocol, by ccxt's REST client."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import ccxt

from ares.clock import Clock
from ares.config.settings import VenueConfig
from ares.errors import OrderOutcomeUnknown, UnknownSymbol, VenueRejected, VenueUnavailable
from ares.resilience import Guard, GuardPolicy, to_the_end
from ares.telemetry import get_logger
from ares.venues import keys
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderReport
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.venues import binance_words as words
from trader.venues.ccxt_client import CcxtClient, create_client
from trader.venues.errors import FOREIGN, describe, for_read, for_write
from trader.venues.gateway import Balance, KeyRights, OrderRequest

PAGE_ROWS = 1_000
NEVER = 1_000_000_000
ANEW = True
"""To load_markets: ask the venue, whatever was asked before."""
T = TypeVar("T")

log = get_logger(__name__)


class CcxtGateway:
    """`VenueGateway` over ccxt. Looks are retried within bounds; a submit or cancel leaves this process once.

    No circuit breaker guards orders: an open one would refuse without having sent, and the caller could not tell that
    from a deadline, after which the order may stand. `client` and `rng` (of the waits between looks) are ccxt's and
    unseeded unless given.
    """

    def __init__(
        self,
        name: str,
        config: VenueConfig,
        clock: Clock,
        *,
        client: CcxtClient | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self._client: CcxtClient = client or create_client(name, config)
        deadline_s = config.request_timeout_s + 1
        self._reads = Guard(f"{name}_account", clock, GuardPolicy(deadline_s=deadline_s, attempts_max=2), rng)
        policy = GuardPolicy(deadline_s=deadline_s, attempts_max=1, failures_to_open=NEVER)
        self._orders = Guard(f"{name}_orders", clock, policy, rng)
        self._symbols: dict[str, str] = {}
        self._clock_is_off = False

    def rekey(self, config: VenueConfig) -> None:
        """Sign with these keys from the next request on; what is under way was signed already. Raises `ConfigError`."""
        self._client.apiKey, self._client.secret = keys(self.name, config)

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        found = await self.grids(symbols)
        for symbol in symbols:
            if symbol not in found:
                raise UnknownSymbol(self.name, symbol, sorted(self._symbols.values())[:3])
        return found

    async def grids(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        markets = await self._read("load_markets", lambda: self._client.load_markets(ANEW))
        self._symbols = self._understood("load_markets", lambda: {words.text(m, "id"): s for s, m in markets.items()})
        listed = [symbol for symbol in symbols if symbol in markets]
        return self._understood("load_markets", lambda: {symbol: words.grid(markets[symbol]) for symbol in listed})

    async def rights(self) -> KeyRights:
        answer = await self._read("key_rights", self._client.sapi_get_account_apirestrictions)
        return self._understood("key_rights", lambda: words.key_rights(answer))

    async def submit(self, request: OrderRequest) -> OrderReport:
        price = None if request.price is None else f"{request.price:f}"
        params: dict[str, object] = {"newClientOrderId": request.client_order_id}
        if request.type == "limit":
            params["timeInForce"] = request.time_in_force
        answer = await self._write(
            "create_order",
            lambda: self._client.create_order(
                request.symbol, request.type, request.side, f"{request.quantity:f}", price, params
            ),
        )
        try:
            return words.order(words.info(answer), request.symbol)
        except FOREIGN as error:
            raise OrderOutcomeUnknown(f"answer to create_order not understood: {describe(error)}") from None

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        params = {"origClientOrderId": client_order_id}
        await self._write("cancel_order", lambda: self._client.cancel_order(None, symbol, params))

    async def find_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> OrderReport | None:
        assert (client_order_id is None) != (venue_order_id is None), "one id is needed, and one is enough"
        params = {} if client_order_id is None else {"origClientOrderId": client_order_id}
        try:
            answer = await self._read("fetch_order", lambda: self._client.fetch_order(venue_order_id, symbol, params))
        except VenueRejected as error:
            if error.reason == ccxt.OrderNotFound.__name__:
                return None
            raise
        return self._understood("fetch_order", lambda: words.order(words.info(answer), symbol))

    async def open_orders(self) -> list[OrderReport]:
        answer = await self._read("fetch_open_orders", self._client.fetch_open_orders)
        raws = [words.info(raw) for raw in answer]
        return self._understood(
            "fetch_open_orders", lambda: [words.order(raw, self._symbol(words.text(raw, "symbol"))) for raw in raws]
        )

    async def executions_of(self, symbol: str, venue_order_id: str) -> list[Execution]:
        return await self._executions(symbol, {"orderId": venue_order_id})

    async def executions_after(self, symbol: str, fill_id: int) -> list[Execution]:
        return await self._executions(symbol, {"fromId": fill_id + 1})

    async def last_fill_id(self, symbol: str) -> int:
        found = await self._executions(symbol, {}, rows_max=1)
        return int(found[-1].fill_id) if found else 0

    async def balances(self) -> Mapping[str, Balance]:
        answer = await self._read("fetch_balance", self._client.fetch_balance)
        return self._understood("fetch_balance", lambda: words.balances(words.info(answer)))

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        listed = [symbol for symbol in symbols if symbol in self._symbols.values()]
        if not listed:
            return {}
        answer = await self._read("fetch_bids_asks", lambda: self._client.fetch_bids_asks(listed))
        tops = {symbol: words.info(answer[symbol]) for symbol in listed if symbol in answer}
        middles = self._understood("fetch_bids_asks", lambda: {s: words.middle(top) for s, top in tops.items()})
        return {symbol: mark for symbol, mark in middles.items() if mark > ZERO}

    async def close(self) -> None:
        await to_the_end(self._client.close())

    async def _executions(
        self, symbol: str, params: Mapping[str, object], rows_max: int = PAGE_ROWS
    ) -> list[Execution]:
        answer = await self._read(
            "fetch_my_trades", lambda: self._client.fetch_my_trades(symbol, None, rows_max, params)
        )
        raws = [words.info(raw) for raw in answer]
        found = self._understood("fetch_my_trades", lambda: [words.execution(raw, symbol) for raw in raws])
        return sorted(found, key=lambda execution: int(execution.fill_id))

    def _symbol(self, venue_symbol: str) -> str:
        return self._symbols.get(venue_symbol, venue_symbol)

    async def _read(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        async def once() -> T:
            try:
                if self._clock_is_off:
                    await self._client.load_time_difference()
                    self._clock_is_off = False
                return await call()
            except FOREIGN as error:
                self._note_clock(error)
                raise for_read(error, self._client.last_response_headers) from None

        return await self._reads.call(operation, once, idempotent=True)

    async def _write(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        async def once() -> T:
            try:
                return await call()
            except FOREIGN as error:
                self._note_clock(error)
                raise for_write(error) from None

        try:
            return await self._orders.call(operation, once, idempotent=False)
        except VenueUnavailable as error:
            raise OrderOutcomeUnknown(str(error)) from None

    def _note_clock(self, error: Exception) -> None:
        """A refused timestamp: our offset to the venue's clock is measured anew before the next look."""
        if isinstance(error, ccxt.InvalidNonce):
            self._clock_is_off = True
            log.warning("venue_clock_differs", venue=self.name)

    def _understood(self, operation: str, parse: Callable[[], T]) -> T:
        """An answer that is not what the venue documents tells nothing: as if there were none."""
        try:
            return parse()
        except FOREIGN as error:
            raise VenueUnavailable(f"answer to {operation} not understood: {describe(error)}") from None
