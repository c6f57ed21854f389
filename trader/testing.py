"""A venue in memory that users of this package may test with, and the contract that it and every gateway pass."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, TypeVar

from ares.clock import Clock
from ares.errors import OrderOutcomeUnknown, StoreError, UnknownSymbol, VenueRejected, VenueUnavailable
from ares.model.market import Side
from ares.resilience import Rate
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderReport, OrderState
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.reader import MarketSeen
from trader.venues.gateway import Balance, KeyRights, OrderRequest, PairRequest, VenueGateway, VenuePosition

Fault = Literal["accept_timeout", "hang", "lost", "reject", "late"]
"""What befalls the next submit: executed but unanswered, or unanswered for ever; never arrived; refused; arrives after
`late_looks` looks.
"""

PAGE_ROWS = 1_000
E = TypeVar("E", bound=Exception)
HARMLESS = KeyRights(trade=True, withdraw=False)
GRID = Grid(Decimal("0.01"), Decimal("0.00001"), Decimal(5))


@dataclass(slots=True)
class PaperVenue:
    """`VenueGateway` on one price a symbol. IOC and market orders fill at once, as far as `depth` (base) reaches."""

    clock: Clock
    prices: dict[str, Decimal]
    holdings: dict[str, Decimal]
    steps: dict[str, Grid] = field(default_factory=dict)
    fee_share: Decimal = Decimal("0.001")
    depth: Decimal = Decimal(1_000_000)
    faults: deque[Fault] = field(default_factory=deque)
    late_looks: int = 1
    key: KeyRights = HARMLESS
    closed: dict[str, str] = field(default_factory=dict)
    """Why symbols are not traded; told to who looks around."""
    away: bool = False
    """While True, every look fails as if the network were down."""
    submissions: Counter[str] = field(default_factory=Counter)
    """How often each client id was sent."""
    orders: dict[str, OrderReport] = field(default_factory=dict)
    fills: list[Execution] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    _obstacles: dict[str, str] = field(default_factory=dict)
    _hidden: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, OrderRequest] = field(default_factory=dict)

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        self._look()
        for symbol in symbols:
            if symbol not in self.prices:
                raise UnknownSymbol("paper", symbol, sorted(self.prices))
        return await self.grids(symbols)

    async def grids(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        self._look()
        return {symbol: self.steps.get(symbol, GRID) for symbol in symbols if symbol in self.prices}

    def obstacle(self, symbol: str) -> str | None:
        return self._obstacles.get(symbol)

    async def look_around(self, symbols: Sequence[str]) -> None:
        self._look()
        self._obstacles = {symbol: why for symbol, why in self.closed.items() if symbol in symbols}

    def rates(self) -> Sequence[tuple[Rate, int, int]]:
        return ()

    async def rights(self) -> KeyRights:
        self._look()
        return self.key

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.submissions[request.client_order_id] += 1
        fault = self.faults.popleft() if self.faults else None
        if fault == "reject":
            raise VenueRejected("InvalidOrder", "refused on request")
        if fault == "lost":
            raise OrderOutcomeUnknown("the request never arrived")
        if fault == "late":
            self._hidden[request.client_order_id] = self.late_looks
            self._waiting[request.client_order_id] = request
            raise OrderOutcomeUnknown("the request is under way")
        report = self._accept(request)
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "accept_timeout":
            raise OrderOutcomeUnknown("no answer in time")
        return report

    async def submit_pair(self, request: PairRequest) -> tuple[OrderReport, OrderReport]:
        self.submissions.update((request.above.client_order_id, request.below.client_order_id))
        raise VenueRejected("NotSupported", "this venue knows no pairs")

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        self._look()
        self.cancels.append(client_order_id)
        report = self.orders.get(client_order_id)
        if report is None or report.symbol != symbol or report.state.final:
            raise VenueRejected("OrderNotFound", "Unknown order sent.")
        self.orders[client_order_id] = replace(report, state=OrderState.CANCELED, ts_ns=self.clock.now_ns())

    async def amend(self, symbol: str, client_order_id: str, quantity: Decimal) -> None:
        raise VenueRejected("NotSupported", f"{client_order_id}: this venue makes no {symbol} order {quantity:f}")

    async def find_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> OrderReport | None:
        self._look()
        self._arrive(client_order_id)
        for report in self.orders.values():
            named = report.client_order_id == client_order_id or report.venue_order_id == venue_order_id
            if report.symbol == symbol and named:
                return replace(report, executions=())
        return None

    async def open_orders(self) -> list[OrderReport]:
        self._look()
        return [replace(r, executions=()) for r in self.orders.values() if not r.state.final]

    async def executions_of(self, symbol: str, venue_order_id: str) -> list[Execution]:
        self._look()
        return [f for f in self.fills if (f.symbol, f.venue_order_id) == (symbol, venue_order_id)]

    async def executions_after(self, symbol: str, fill_id: int) -> list[Execution]:
        self._look()
        return [f for f in self.fills if f.symbol == symbol and int(f.fill_id) > fill_id][:PAGE_ROWS]

    async def last_fill_id(self, symbol: str) -> int:
        self._look()
        return max((int(f.fill_id) for f in self.fills if f.symbol == symbol), default=0)

    async def balances(self) -> Mapping[str, Balance]:
        self._look()
        return {currency: Balance(amount, ZERO) for currency, amount in self.holdings.items() if amount}

    async def positions(self) -> Mapping[str, VenuePosition]:
        self._look()
        return {}

    async def funding_after(self, ts_ns: int) -> list[Funding]:
        assert ts_ns >= 0, "moments are since 1970"
        self._look()
        return []

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        self._look()
        return {symbol: self.prices[symbol] for symbol in symbols if symbol in self.prices}

    async def close(self) -> None:
        """Nothing to let go."""

    def rest(self, order: OrderRequest) -> None:
        """Put an order of whoever into the book, unexecuted."""
        self.orders[order.client_order_id] = self._report(order, OrderState.ACCEPTED, ZERO, ZERO, ())

    def _look(self) -> None:
        if self.away:
            raise VenueUnavailable("the venue is away on request")

    def _arrive(self, client_order_id: str | None) -> None:
        """Let a late order arrive once it was looked for often enough."""
        if client_order_id in self._hidden:
            self._hidden[client_order_id] -= 1
            if self._hidden[client_order_id] < 0:
                del self._hidden[client_order_id]
                self._accept(self._waiting.pop(client_order_id))

    def _accept(self, request: OrderRequest) -> OrderReport:
        standing = self.orders.get(request.client_order_id)
        if standing is not None and not standing.state.final:
            raise OrderOutcomeUnknown("Duplicate order sent.")
        price = self.prices[request.symbol]
        grid = self.steps.get(request.symbol, GRID)
        if request.type not in ("limit", "market"):
            raise VenueRejected("InvalidOrder", f"this venue knows no {request.type}")
        if request.quantity % grid.amount_step or (request.price or ZERO) % grid.price_tick:
            raise VenueRejected("InvalidOrder", "off the grid")
        self._check_funds(request, price)
        marketable = request.price is None or _crosses(request.side, request.price, price)
        quantity = self._reach(request) if marketable else ZERO
        executions = (self._execute(request, quantity, price),) if quantity else ()
        state = OrderState.FILLED if quantity == request.quantity else OrderState.EXPIRED
        if quantity < request.quantity and request.time_in_force != "IOC":
            state = OrderState.PARTIALLY_FILLED if quantity else OrderState.ACCEPTED
        report = self._report(request, state, quantity, quantity * price, executions)
        self.orders[request.client_order_id] = report
        return report

    def _check_funds(self, request: OrderRequest, price: Decimal) -> None:
        base, quote = request.symbol.split("/")
        gives, least = (quote, request.quantity * price) if request.side == "buy" else (base, request.quantity)
        if self.holdings.get(gives, ZERO) < least:
            raise VenueRejected("InsufficientFunds", "Account has insufficient balance for requested action.")

    def _reach(self, request: OrderRequest) -> Decimal:
        """How much of an order is executed at once, in base."""
        return min(request.quantity, self.depth)

    def _execute(self, request: OrderRequest, quantity: Decimal, price: Decimal) -> Execution:
        base, quote = request.symbol.split("/")
        cost = quantity * price
        received, fee_currency = (quantity, base) if request.side == "buy" else (cost, quote)
        fee = received * self.fee_share
        sign = 1 if request.side == "buy" else -1
        self.holdings[base] = self.holdings.get(base, ZERO) + sign * quantity
        self.holdings[quote] = self.holdings.get(quote, ZERO) - sign * cost
        self.holdings[fee_currency] -= fee
        return self._filled(request, quantity, price, (fee, fee_currency))

    def _filled(self, request: OrderRequest, quantity: Decimal, price: Decimal, fee: tuple[Decimal, str]) -> Execution:
        execution = Execution(
            fill_id=str(len(self.fills) + 1),
            symbol=request.symbol,
            side=request.side,
            venue_order_id=str(len(self.orders) + 1),
            quantity=quantity,
            price=price,
            cost=quantity * price,
            fee=fee[0],
            fee_currency=fee[1],
            maker=False,
            ts_ns=self.clock.now_ns(),
        )
        self.fills.append(execution)
        return execution

    def _report(
        self,
        request: OrderRequest,
        state: OrderState,
        filled: Decimal,
        cost: Decimal,
        executions: tuple[Execution, ...],
    ) -> OrderReport:
        return OrderReport(
            client_order_id=request.client_order_id,
            venue_order_id=str(len(self.orders) + 1),
            symbol=request.symbol,
            side=request.side,
            state=state,
            quantity=request.quantity,
            filled_quantity=filled,
            filled_cost=cost,
            ts_ns=self.clock.now_ns(),
            executions=executions,
        )


def _crosses(side: Side, limit: Decimal, price: Decimal) -> bool:
    return limit >= price if side == "buy" else limit <= price


@dataclass(slots=True)
class StaticReader:
    """`MarketReader` that shows what a test put there, or fails as QuestDB would."""

    market: MarketSeen = field(default_factory=MarketSeen)
    error: StoreError | None = None

    async def read(self, now_ns: int) -> MarketSeen:
        assert now_ns > 0, "a cycle reads as of now"
        if self.error is not None:
            raise self.error
        return self.market

    async def newest_signal_ns(self, now_ns: int) -> int:
        seen = (await self.read(now_ns)).signals.values()
        return max((signal.known_at_ns for signal in seen), default=0)

    async def close(self) -> None:
        """Nothing to let go."""


@dataclass(frozen=True, slots=True)
class ContractBench:
    """A gateway on the contract's bench. `break_next_submit` makes the venue take the next order and not answer.

    The account must hold quote currency for a few orders of `quantity`; `symbol` must have a live market.
    """

    gateway: VenueGateway
    symbol: str
    quantity: Decimal
    break_next_submit: Callable[[], Awaitable[None]]
    name: Callable[[], str]
    """A new client id of ours with each call."""


async def market_order_fills_with_its_executions(bench: ContractBench) -> None:
    """What the answer to a submit tells agrees with every later look; whether it tells executions is the venue's."""
    request = OrderRequest(bench.name(), bench.symbol, "buy", "market", "IOC", bench.quantity, None)
    report = await bench.gateway.submit(request)
    assert report.state is OrderState.FILLED
    assert report.filled_quantity == bench.quantity
    found = await bench.gateway.find_order(bench.symbol, client_order_id=request.client_order_id)
    assert found is not None
    assert (found.state, found.filled_quantity, found.filled_cost) == (
        report.state,
        report.filled_quantity,
        report.filled_cost,
    )
    executions = await bench.gateway.executions_of(bench.symbol, report.venue_order_id)
    assert sum(e.quantity for e in executions) == bench.quantity
    told = [(e.fill_id, e.quantity, e.price, e.fee, e.fee_currency) for e in report.executions]
    assert told in ([], [(e.fill_id, e.quantity, e.price, e.fee, e.fee_currency) for e in executions])
    last = max(int(e.fill_id) for e in executions)
    assert await bench.gateway.last_fill_id(bench.symbol) == last
    assert [e.fill_id for e in await bench.gateway.executions_after(bench.symbol, last - 1)] == [str(last)]


async def limit_ioc_far_from_the_market_expires_unfilled(bench: ContractBench) -> None:
    """An order that nobody meets leaves nothing behind."""
    mark = (await bench.gateway.marks([bench.symbol]))[bench.symbol]
    grid = (await bench.gateway.connect([bench.symbol]))[bench.symbol]
    price = (mark * Decimal("0.9")) // grid.price_tick * grid.price_tick
    request = OrderRequest(bench.name(), bench.symbol, "buy", "limit", "IOC", bench.quantity, price)
    report = await bench.gateway.submit(request)
    assert report.state is OrderState.EXPIRED
    assert report.filled_quantity == 0
    assert await bench.gateway.open_orders() == []


async def resting_order_is_open_until_it_is_cancelled(bench: ContractBench) -> None:
    """A cancel ends it, and a second cancel of it is refused without harm."""
    mark = (await bench.gateway.marks([bench.symbol]))[bench.symbol]
    grid = (await bench.gateway.connect([bench.symbol]))[bench.symbol]
    price = (mark * Decimal("0.9")) // grid.price_tick * grid.price_tick
    request = OrderRequest(bench.name(), bench.symbol, "buy", "limit", "GTC", bench.quantity, price)
    report = await bench.gateway.submit(request)
    assert report.state is OrderState.ACCEPTED
    assert [o.client_order_id for o in await bench.gateway.open_orders()] == [request.client_order_id]
    await bench.gateway.cancel(bench.symbol, request.client_order_id)
    found = await bench.gateway.find_order(bench.symbol, venue_order_id=report.venue_order_id)
    assert found is not None
    assert found.state is OrderState.CANCELED
    assert found.client_order_id == request.client_order_id
    refused = await _raised(VenueRejected, bench.gateway.cancel(bench.symbol, request.client_order_id))
    assert refused.reason == "OrderNotFound"


async def unanswered_submit_is_unknown_and_found_by_its_client_id(bench: ContractBench) -> None:
    """The venue took the order and did not say so: the doubt is named, and a look resolves it."""
    await bench.break_next_submit()
    request = OrderRequest(bench.name(), bench.symbol, "buy", "market", "IOC", bench.quantity, None)
    await _raised(OrderOutcomeUnknown, bench.gateway.submit(request))
    found = await bench.gateway.find_order(bench.symbol, client_order_id=request.client_order_id)
    assert found is not None
    assert found.state is OrderState.FILLED


async def unaffordable_order_is_rejected(bench: ContractBench) -> None:
    """A considered no is no doubt, and leaves no order."""
    request = OrderRequest(bench.name(), bench.symbol, "sell", "market", "IOC", bench.quantity * 1000, None)
    refused = await _raised(VenueRejected, bench.gateway.submit(request))
    assert refused.reason == "InsufficientFunds"
    assert await bench.gateway.find_order(bench.symbol, client_order_id=request.client_order_id) is None


async def unknown_symbol_is_named(bench: ContractBench) -> None:
    """A symbol that the venue does not list is the user's error."""
    assert "NO/SUCH" in str(await _raised(UnknownSymbol, bench.gateway.connect(["NO/SUCH"])))


async def key_says_what_it_may_do(bench: ContractBench) -> None:
    """A key to trade with; one that may withdraw is nothing to trade with."""
    assert await bench.gateway.rights() == KeyRights(trade=True, withdraw=False)


async def _raised(kind: type[E], action: Awaitable[object]) -> E:
    """The error that an action must end with."""
    try:
        await action
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


CONTRACT: tuple[Callable[[ContractBench], Awaitable[None]], ...] = (
    market_order_fills_with_its_executions,
    limit_ioc_far_from_the_market_expires_unfilled,
    resting_order_is_open_until_it_is_cancelled,
    unanswered_submit_is_unknown_and_found_by_its_client_id,
    unaffordable_order_is_rejected,
    unknown_symbol_is_named,
    key_says_what_it_may_do,
)
