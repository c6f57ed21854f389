"""The trader's door to a venue that speaks Binance's spot protocol, by ccxt's REST client."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import ccxt

from ares.clock import Clock
from ares.config.settings import VenueConfig
from ares.errors import OrderOutcomeUnknown, UnknownSymbol, VenueError, VenueRejected, VenueUnavailable
from ares.resilience import Guard, GuardPolicy, Rate, RateBudget, Use, to_the_end
from ares.resilience.rate import Kind
from ares.telemetry import get_logger
from ares.venues import keys
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderReport
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.venues import binance_words
from trader.venues.ccxt_client import CcxtClient, create_client
from trader.venues.condition import VenueCondition
from trader.venues.errors import FOREIGN, describe, for_read, for_write, hold_s
from trader.venues.gateway import Balance, KeyRights, OrderRequest, PairRequest, VenuePosition
from trader.venues.words import Raw, Words

PAGE_ROWS = 1_000
NEVER = 1_000_000_000
AMEND = "order/amend/keepPriority"
"""Of ccxt neither a unified nor an implicit method."""
ANEW = True
"""To load_markets: ask the venue, whatever was asked before."""
T = TypeVar("T")

WEIGHTS = {
    "load_markets": 20,
    "venue_status": 0,
    "exchange_info": 20,
    "key_rights": 0,
    "create_order": 1,
    "create_order_list": 1,
    "cancel_order": 1,
    "amend_order": 4,
    "fetch_order": 4,
    "fetch_open_orders": 80,
    "fetch_my_trades": 20,
    "fetch_balance": 20,
    "fetch_bids_asks": 4,
}
"""What each call weighs at Binance spot; /sapi has counts of its own."""
LIMITS = {Rate("weight", 60): 6_000, Rate("orders", 10): 100, Rate("orders", 86_400): 200_000}
"""Binance spot's, until the venue has told its own."""
ORDERS = {"create_order": 1, "create_order_list": 2}
"""How many orders a call counts as."""
LOOK_WAITS_S_MAX = 61.0
"""A look waits for the next minute's weight, and no longer."""

log = get_logger(__name__)


class CcxtGateway:
    """`VenueGateway` over ccxt. Looks are retried within bounds; a submit or cancel leaves this process once.

    All calls share what the venue allows (`RateBudget`): looks wait for room, an order without room is refused here,
    and does not exist. For the way out (on spot: a sell) room is kept.

    No circuit breaker guards orders: an open one would refuse without having sent, and the caller could not tell that
    from a deadline, after which the order may stand. `client` and `rng` (of the waits between looks) are ccxt's and
    unseeded unless given.
    """

    words: Words = binance_words.SPOT
    weights: Mapping[str, int] = WEIGHTS
    limits: Mapping[Rate, int] = LIMITS

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
        self._looks = Guard(f"{name}_condition", clock, GuardPolicy(deadline_s=deadline_s, attempts_max=1), rng)
        policy = GuardPolicy(deadline_s=deadline_s, attempts_max=1, failures_to_open=NEVER)
        self._orders = Guard(f"{name}_orders", clock, policy, rng)
        self._budget = RateBudget(name, clock, self.limits)
        self._condition = VenueCondition(name)
        self._symbols: dict[str, str] = {}
        self._clock_is_off = False

    def rekey(self, config: VenueConfig) -> None:
        """Sign with these keys from the next request on; what is under way was signed already. Raises `ConfigError`."""
        self._client.apiKey, self._client.secret = keys(self.name, config)

    def signs_with(self, config: VenueConfig) -> bool:
        """Whether these are the keys in use. Raises `ConfigError`."""
        return keys(self.name, config) == (self._client.apiKey, self._client.secret)

    async def rights_with(self, config: VenueConfig) -> KeyRights:
        """What other keys may do; they sign this question alone. Raises `ConfigError`."""
        client = self._new_client(config)
        try:
            answer = await self._read("key_rights", client.sapi_get_account_apirestrictions)
        finally:
            await to_the_end(client.close())
        return self._understood("key_rights", lambda: self.words.key_rights(answer))

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        found = await self.grids(symbols)
        for symbol in symbols:
            if symbol not in found:
                raise UnknownSymbol(self.name, symbol, sorted(self._symbols.values())[:3])
        return found

    async def grids(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        markets = await self._read("load_markets", lambda: self._client.load_markets(ANEW))
        self._symbols = self._understood(
            "load_markets", lambda: {binance_words.text(m, "id"): s for s, m in markets.items()}
        )
        listed = [symbol for symbol in symbols if symbol in markets]
        return self._understood("load_markets", lambda: {symbol: self.words.grid(markets[symbol]) for symbol in listed})

    def obstacle(self, symbol: str) -> str | None:
        return "venue_asks_to_wait" if self._budget.held_s else self._condition.obstacle(symbol)

    async def look_around(self, symbols: Sequence[str]) -> None:
        maintenance = await self._maintenance()
        if maintenance:
            self._condition.learn(maintenance=True)
        ids = {venue: symbol for venue, symbol in self._symbols.items() if symbol in symbols}
        if ids:
            info = await self._look("exchange_info", lambda: self._exchange_info(sorted(ids)))
            statuses = self._understood("exchange_info", lambda: binance_words.statuses(info))
            self._budget.learn(self._understood("exchange_info", lambda: binance_words.rate_limits(info)))
            self._condition.learn_symbols({ids[venue]: status for venue, status in statuses.items() if venue in ids})
        self._condition.learn(maintenance=maintenance)

    def rates(self) -> Sequence[tuple[Rate, int, int]]:
        return self._budget.used()

    async def rights(self) -> KeyRights:
        answer = await self._read("key_rights", self._client.sapi_get_account_apirestrictions)
        return self._understood("key_rights", lambda: self.words.key_rights(answer))

    async def submit(self, request: OrderRequest) -> OrderReport:
        price = None if request.price is None else f"{request.price:f}"
        params = self._params(request)
        answer = await self._write(
            "create_order",
            Use.CLOSE if self._closes(request) else Use.OPEN,
            lambda: self._client.create_order(
                request.symbol, request.type, request.side, f"{request.quantity:f}", price, params
            ),
        )
        try:
            return self.words.order(binance_words.info(answer), request.symbol)
        except FOREIGN as error:
            raise OrderOutcomeUnknown(f"answer to create_order not understood: {describe(error)}") from None

    async def submit_pair(self, request: PairRequest) -> tuple[OrderReport, OrderReport]:
        params = {"symbol": self._venue_symbol(request.above.symbol), **binance_words.pair_params(request)}
        answer = await self._write(
            "create_order_list",
            Use.CLOSE if self._closes(request.above) else Use.OPEN,
            lambda: self._client.private_post_orderlist_oco(params),
        )
        try:
            return binance_words.pair(answer, request)
        except FOREIGN as error:
            raise OrderOutcomeUnknown(f"answer to create_order_list not understood: {describe(error)}") from None

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        params = {"origClientOrderId": client_order_id}
        await self._write("cancel_order", Use.CLOSE, lambda: self._client.cancel_order(None, symbol, params))

    async def amend(self, symbol: str, client_order_id: str, quantity: Decimal) -> None:
        # Unless it is named anew by its own id, the venue invents one for what is left.
        params = {
            "symbol": self._venue_symbol(symbol),
            "origClientOrderId": client_order_id,
            "newClientOrderId": client_order_id,
            "newQty": f"{quantity:f}",
        }
        await self._write("amend_order", Use.CLOSE, lambda: self._client.request(AMEND, ["private"], "PUT", params))

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
        return self._understood("fetch_order", lambda: self.words.order(binance_words.info(answer), symbol))

    async def open_orders(self) -> list[OrderReport]:
        answer = await self._read("fetch_open_orders", self._client.fetch_open_orders)
        raws = [binance_words.info(raw) for raw in answer]
        return self._understood(
            "fetch_open_orders",
            lambda: [self.words.order(raw, self._symbol(binance_words.text(raw, "symbol"))) for raw in raws],
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
        return self._understood("fetch_balance", lambda: self.words.balances(binance_words.info(answer)))

    async def positions(self) -> Mapping[str, VenuePosition]:
        return {}  # coins are balances

    async def funding_after(self, _ts_ns: int) -> list[Funding]:
        return []  # nobody pays for holding coins

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        listed = [symbol for symbol in symbols if symbol in self._symbols.values()]
        if not listed:
            return {}
        answer = await self._read("fetch_bids_asks", lambda: self._client.fetch_bids_asks(listed))
        tops = {symbol: binance_words.info(answer[symbol]) for symbol in listed if symbol in answer}
        middles = self._understood("fetch_bids_asks", lambda: {s: binance_words.middle(top) for s, top in tops.items()})
        return {symbol: mark for symbol, mark in middles.items() if mark > ZERO}

    async def close(self) -> None:
        await to_the_end(self._client.close())

    async def _executions(
        self, symbol: str, params: Mapping[str, object], rows_max: int = PAGE_ROWS
    ) -> list[Execution]:
        answer = await self._read(
            "fetch_my_trades", lambda: self._client.fetch_my_trades(symbol, None, rows_max, params)
        )
        raws = [binance_words.info(raw) for raw in answer]
        found = self._understood("fetch_my_trades", lambda: [self.words.execution(raw, symbol) for raw in raws])
        return sorted(found, key=lambda execution: int(execution.fill_id))

    def _new_client(self, config: VenueConfig) -> CcxtClient:
        """A client of its own, of this venue's class. Raises `ConfigError` for a venue without keys."""
        return create_client(self.name, config)

    def _params(self, request: OrderRequest) -> dict[str, object]:
        """What a new order says beside its type, side, amount and price."""
        return binance_words.order_params(request)

    def _closes(self, request: OrderRequest) -> bool:
        """Whether an order is a way out, for which room is kept."""
        return request.side == "sell"

    def _exchange_info(self, venue_symbols: Sequence[str]) -> Awaitable[Raw]:
        return self._client.public_get_exchangeinfo({"symbols": json.dumps(venue_symbols, separators=(",", ":"))})

    def _venue_symbol(self, symbol: str) -> str:
        return next(name for name, ours in self._symbols.items() if ours == symbol)

    def _symbol(self, venue_symbol: str) -> str:
        return self._symbols.get(venue_symbol, venue_symbol)

    async def _maintenance(self) -> bool:
        """The venue's word; where it has none to say (a test venue), that it answers other questions will do."""
        try:
            status = await self._look("venue_status", self._client.sapi_get_system_status)
            return self._understood("venue_status", lambda: binance_words.under_maintenance(status))
        except VenueError as error:
            log.info("venue_status_not_told", venue=self.name, cause=str(error))
            return False

    async def _read(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        return await self._asked(self._reads, operation, call)

    async def _look(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        """A question of no account: that it fails again and again must not keep those from being asked."""
        return await self._asked(self._looks, operation, call)

    async def _asked(self, guard: Guard, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        cost: dict[Kind, int] = {"weight": self.weights[operation]}

        async def once() -> T:
            if self._budget.held_s:  # since the attempt before
                raise VenueUnavailable(f"{self.name} asks for no calls", self._budget.held_s)
            try:
                if self._clock_is_off:
                    await self._client.load_time_difference()
                    self._clock_is_off = False
                return await self._counted(cost, call)
            except FOREIGN as error:
                self._note_clock(error)
                raise for_read(error, self._client.last_response_headers) from None

        await self._budget.turn(cost, LOOK_WAITS_S_MAX)
        return await guard.call(operation, once, idempotent=True)

    async def _write(self, operation: str, use: Use, call: Callable[[], Awaitable[T]]) -> T:
        cost: dict[Kind, int] = {"weight": self.weights[operation], "orders": ORDERS.get(operation, 0)}
        refusal = self._budget.refusal(use, cost)
        if refusal is not None:
            raise VenueRejected(RateBudget.__name__, f"not sent: {refusal}")

        async def once() -> T:
            try:
                return await self._counted(cost, call)
            except FOREIGN as error:
                self._note_clock(error)
                raise for_write(error) from None

        try:
            return await self._orders.call(operation, once, idempotent=False)
        except VenueUnavailable as error:
            raise OrderOutcomeUnknown(str(error)) from None

    async def _counted(self, cost: Mapping[Kind, int], call: Callable[[], Awaitable[T]]) -> T:
        """A call of ccxt, and what its answer says of the venue's limits."""
        before = self._client.last_response_headers
        with self._budget.spending(cost) as spent:
            try:
                return await call()
            except FOREIGN as error:
                wait_s = hold_s(error, self._client.last_response_headers)
                if wait_s is not None:
                    self._budget.hold(wait_s)
                self._condition.heed(error)
                raise
            finally:
                headers = self._client.last_response_headers
                if headers is not None and headers is not before:  # else nothing was answered since we asked
                    spent.told = binance_words.rates_told(headers)

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
