"""The trader's door to a venue that speaks Binance's USD-M futures protocol: perpetuals, long and short, on margin."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import ccxt

from ares.clock import NANOS_PER_MILLI, Clock
from ares.config.settings import VenueConfig
from ares.errors import ConfigError, OrderOutcomeUnknown, VenueRejected
from ares.resilience import Rate, Use
from trader.execution.ids import is_ours
from trader.portfolio.orders import OrderReport
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import currencies
from trader.portfolio.sizing import Grid
from trader.venues import usdm_words
from trader.venues.binance_words import info, text
from trader.venues.ccxt_client import UsdmClient, create_usdm_client
from trader.venues.ccxt_gateway import PAGE_ROWS, CcxtGateway
from trader.venues.errors import FOREIGN, describe
from trader.venues.gateway import OrderRequest, PairRequest, VenuePosition
from trader.venues.words import Raw

NOT_FOUND = ccxt.OrderNotFound.__name__
ALGO_ROWS = 500
"""The newest conditional orders of a symbol among which the one is looked for that placed a stranger's order."""
HISTORY_PAGES_MAX = 100
"""Pages of old executions that are gone through to find the newest, where the last week shows none."""

WEIGHTS = {
    "load_markets": 1,
    "venue_status": 0,
    "exchange_info": 1,
    "key_rights": 0,
    "create_order": 0,
    "cancel_order": 1,
    "fetch_order": 1,
    "fetch_open_orders": 40,
    "fetch_my_trades": 5,
    "fetch_balance": 5,
    "fetch_bids_asks": 5,
    "position_mode": 30,
    "position_risk": 5,
    "income": 30,
    "leverage": 1,
    "cancel_algo_order": 1,
    "fetch_algo_order": 1,
    "fetch_open_algo_orders": 40,
    "fetch_algo_orders": 5,
}
"""What each call weighs at Binance's futures; /sapi has counts of its own."""
LIMITS = {Rate("weight", 60): 2_400, Rate("orders", 10): 300, Rate("orders", 60): 1_200}
"""Those of Binance's futures, until the venue has told its own."""


class UsdmGateway(CcxtGateway):
    """`VenueGateway` over ccxt's class `binanceusdm`, in one-way position mode.

    `leverage` is set for each symbol when it is connected to: margin is notional over it.
    """

    words = usdm_words.USDM
    weights = WEIGHTS
    limits = LIMITS

    def __init__(
        self,
        name: str,
        config: VenueConfig,
        clock: Clock,
        leverage: int,
        *,
        client: UsdmClient | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._usdm: UsdmClient = client or create_usdm_client(name, config)
        self._leverage = leverage
        super().__init__(name, config, clock, client=self._usdm, rng=rng)

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        """Raises `ConfigError` for an account in hedge mode, and where the venue keeps another leverage than ours."""
        found = await super().connect(symbols)
        mode = await self._read("position_mode", self._usdm.fapiprivate_get_positionside_dual)
        if self._understood("position_mode", lambda: usdm_words.is_hedged(mode)):
            problem = "the account is in hedge mode, where a symbol has two positions at once"
            way_out = "Close what is open and set position mode to one-way at the venue"
            raise ConfigError(f"venues.{self.name}", "dualSidePosition = true", problem, way_out)
        for symbol in symbols:
            await self._set_leverage(symbol)
        return found

    async def last_fill_id(self, symbol: str) -> int:
        """Asked without an id the venue tells the last week only: where that is empty all are gone through."""
        newest = await super().last_fill_id(symbol)
        for _ in range(0 if newest else HISTORY_PAGES_MAX):
            page = await self.executions_after(symbol, newest)
            if not page:
                break
            newest = int(page[-1].fill_id)
        return newest

    async def submit(self, request: OrderRequest) -> OrderReport:
        if request.type not in usdm_words.CONDITIONAL:
            return await super().submit(request)
        amount, params = f"{request.quantity:f}", usdm_words.algo_params(request)
        answer = await self._write(
            "create_order",
            Use.CLOSE if self._closes(request) else Use.OPEN,
            lambda: self._usdm.create_order(request.symbol, "market", request.side, amount, None, params),
        )
        try:
            return usdm_words.algo_order(info(answer), request.symbol)
        except FOREIGN as error:
            raise OrderOutcomeUnknown(f"answer to create_order not understood: {describe(error)}") from None

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """At the book first: what is not there may wait for its price."""
        try:
            await super().cancel(symbol, client_order_id)
        except VenueRejected as error:
            if error.reason != NOT_FOUND:
                raise
            params = {"clientAlgoId": client_order_id, "trigger": True}
            await self._write("cancel_algo_order", Use.CLOSE, lambda: self._usdm.cancel_order(None, symbol, params))

    async def find_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> OrderReport | None:
        """By our id at both doors: a conditional order is followed to the order that it became.

        By the venue's id an order of the book, under the name of the conditional order that placed it, if one did.
        """
        found = await super().find_order(symbol, client_order_id=client_order_id, venue_order_id=venue_order_id)
        if client_order_id is None:
            return found if found is None or is_ours(found.client_order_id) else await self._named(found)
        if found is not None:
            return found
        params = {"clientAlgoId": client_order_id, "trigger": True}
        try:
            answer = await self._read("fetch_algo_order", lambda: self._usdm.fetch_order(None, symbol, params))
        except VenueRejected as error:
            if error.reason == NOT_FOUND:
                return None
            raise
        order_id = self._understood("fetch_algo_order", lambda: usdm_words.became(info(answer)))
        placed = None if order_id is None else await super().find_order(symbol, venue_order_id=order_id)
        if placed is not None:
            return replace(placed, client_order_id=client_order_id)
        return self._understood("fetch_algo_order", lambda: usdm_words.algo_order(info(answer), symbol))

    async def open_orders(self) -> list[OrderReport]:
        """Those that wait before those of the book: one that is triggered meanwhile is told twice rather than never."""
        params = {"trigger": True}
        answer = await self._read(
            "fetch_open_algo_orders", lambda: self._usdm.fetch_open_orders(None, None, None, params)
        )
        rows = [info(raw) for raw in answer]
        waiting = self._understood(
            "fetch_open_algo_orders",
            lambda: [usdm_words.algo_order(row, self._symbol(text(row, "symbol"))) for row in rows],
        )
        return [*waiting, *await super().open_orders()]

    async def submit_pair(self, request: PairRequest) -> tuple[OrderReport, OrderReport]:
        raise VenueRejected("NotSupported", f"{self.name} takes no pair of orders in {request.above.symbol}")

    async def amend(self, symbol: str, client_order_id: str, quantity: Decimal) -> None:
        asked = f"{client_order_id} smaller, to {quantity:f} {symbol}"
        raise VenueRejected("NotSupported", f"{self.name} makes no order {asked}")

    async def positions(self) -> Mapping[str, VenuePosition]:
        answer = await self._read("position_risk", self._usdm.fapiprivatev3_get_positionrisk)
        return self._understood("position_risk", lambda: usdm_words.positions(answer, self._symbol))

    async def funding_after(self, ts_ns: int) -> list[Funding]:
        params = {"incomeType": "FUNDING_FEE", "startTime": ts_ns // NANOS_PER_MILLI, "limit": PAGE_ROWS}
        answer = await self._read("income", lambda: self._usdm.fapiprivate_get_income(params))
        found = self._understood("income", lambda: [usdm_words.funding(row, self._symbol) for row in answer])
        return sorted(found, key=lambda each: (each.ts_ns, each.symbol))

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        """A pair without a market of its own, as fees in a third currency ask for, has its perpetual's price."""
        asked = {symbol: symbol if ":" in symbol else f"{symbol}:{currencies(symbol)[1]}" for symbol in symbols}
        found = await super().marks(list(dict.fromkeys(asked.values())))
        return {symbol: found[told] for symbol, told in asked.items() if told in found}

    def _new_client(self, config: VenueConfig) -> UsdmClient:
        return create_usdm_client(self.name, config)

    async def _named(self, found: OrderReport) -> OrderReport:
        """The order under the name that a conditional one bore that placed it, if the venue named it otherwise."""
        answer = await self._read(
            "fetch_algo_orders",
            lambda: self._usdm.fetch_orders(found.symbol, None, ALGO_ROWS, {"trigger": True}),
        )
        rows = [info(raw) for raw in answer]

        def name() -> str:
            ours = (text(row, "clientAlgoId") for row in rows if usdm_words.became(row) == found.venue_order_id)
            return next(ours, found.client_order_id)

        return replace(found, client_order_id=self._understood("fetch_algo_orders", name))

    def _params(self, request: OrderRequest) -> dict[str, object]:
        params: dict[str, object] = {"newClientOrderId": request.client_order_id}
        if request.type == "limit":
            params["timeInForce"] = request.time_in_force
        if request.reduce_only:
            params["reduceOnly"] = "true"  # the venue takes the word; what is not reduce-only is not said
        return params

    def _closes(self, request: OrderRequest) -> bool:
        return request.reduce_only

    def _exchange_info(self, _venue_symbols: Sequence[str]) -> Awaitable[Raw]:
        return self._usdm.fapipublic_get_exchangeinfo()  # it tells all symbols or none

    async def _set_leverage(self, symbol: str) -> None:
        """Set the same again is no change, so this may be repeated."""
        venue_symbol = next(theirs for theirs, ours in self._symbols.items() if ours == symbol)
        params = {"symbol": venue_symbol, "leverage": self._leverage}
        answer = await self._read("leverage", lambda: self._usdm.fapiprivate_post_leverage(params))
        kept = self._understood("leverage", lambda: usdm_words.leverage(answer))
        if kept != self._leverage:
            problem = f"the venue keeps {symbol} at {kept:f}"
            raise ConfigError("trading.leverage", self._leverage, problem, "Set one that the venue allows")
