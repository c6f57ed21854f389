"""`VenueGateway` over the played venue: requests and answers take their time, and nothing is ever lost on the way."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar, cast

from ares.clock import NANOS_PER_MILLI, Clock
from ares.errors import UnknownSymbol, VenueRejected
from ares.resilience import Rate
from backtest.exact.settings import Latency
from backtest.exact.venue import Venue
from simulator.matching import NewOrder, NewPair, Order, Refusal
from simulator.matching.types import Filled, OrderType, Side, TimeInForce
from trader.portfolio.orders import TIMED, OrderReport, OrderState
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.venues.gateway import Balance, KeyRights, OrderRequest, PairRequest, VenuePosition

PAGE_ROWS = 1_000
MONEY = "InsufficientFunds"
STATES = {
    "NEW": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
}
T = TypeVar("T")


class PlayedGateway:
    """Orders travel for as long as `Latency` says, each way; questions about the account are answered at once."""

    def __init__(self, name: str, venue: Venue, clock: Clock, latency: Latency) -> None:
        self._name = name
        self._venue = venue
        self._clock = clock
        self._latency = latency

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        for symbol in symbols:
            if symbol not in self._venue.tapes:
                raise UnknownSymbol(self._name, symbol, sorted(self._venue.tapes))
        return await self.grids(symbols)

    async def grids(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        known = {s: self._venue.tapes[s].instrument for s in symbols if s in self._venue.tapes}
        return {s: Grid(each.price_tick, each.amount_step, each.cost_min) for s, each in known.items()}

    def obstacle(self, symbol: str) -> str | None:
        assert symbol in self._venue.tapes, symbol
        return None

    async def look_around(self, symbols: Sequence[str]) -> None:
        """The venue always works: what is played is the market, not its failures."""

    def rates(self) -> Sequence[tuple[Rate, int, int]]:
        return ()

    async def rights(self) -> KeyRights:
        return KeyRights(trade=True, withdraw=False)

    async def submit(self, request: OrderRequest) -> OrderReport:
        order = await self._sent(lambda: self._venue.place(_new(request)))
        return _report(order, executions=tuple(_execution(order, fill) for fill in order.fills))

    async def submit_pair(self, request: PairRequest) -> tuple[OrderReport, OrderReport]:
        pair = NewPair(request.list_id, _new(request.above), _new(request.below))
        legs = {order.accepted.client_id: order for order in await self._sent(lambda: self._venue.place_pair(pair))}
        return _report(legs[pair.above.client_id]), _report(legs[pair.below.client_id])

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        await self._sent(lambda: self._venue.cancel(symbol, client_order_id))

    async def amend(self, symbol: str, client_order_id: str, quantity: Decimal) -> None:
        await self._sent(lambda: self._venue.amend(symbol, client_order_id, quantity))

    async def find_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> OrderReport | None:
        self._play()
        number = None if venue_order_id is None else int(venue_order_id)
        order = self._venue.ledger.find(symbol, number, client_order_id)
        return None if order is None else _report(order)

    async def open_orders(self) -> list[OrderReport]:
        self._play()
        return [_report(order) for order in self._venue.ledger.open_orders()]

    async def executions_of(self, symbol: str, venue_order_id: str) -> list[Execution]:
        self._play()
        order = self._venue.ledger.find(symbol, int(venue_order_id), None)
        assert order is not None, "the id is the venue's own"
        return [_execution(order, fill) for fill in order.fills]

    async def executions_after(self, symbol: str, fill_id: int) -> list[Execution]:
        self._play()
        executed = self._venue.executed[symbol]
        first = bisect_right(executed, fill_id, key=_fill_id)
        return [_execution(order, fill) for order, fill in executed[first : first + PAGE_ROWS]]

    async def last_fill_id(self, symbol: str) -> int:
        self._play()
        executed = self._venue.executed[symbol]
        return _fill_id(executed[-1]) if executed else 0

    async def balances(self) -> Mapping[str, Balance]:
        self._play()
        held = self._venue.ledger.balances
        return {asset: Balance(each.free, each.locked) for asset, each in held.items() if each.free or each.locked}

    async def positions(self) -> Mapping[str, VenuePosition]:
        return {}

    async def funding_after(self, ts_ns: int) -> list[Funding]:
        assert ts_ns >= 0, "moments are since 1970"
        return []

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        self._play()
        tapes = {symbol: self._venue.tapes[symbol] for symbol in symbols if symbol in self._venue.tapes}
        return {symbol: (tape.bid() + tape.ask()) / 2 for symbol, tape in tapes.items() if tape.is_priced}

    async def close(self) -> None:
        """Nothing to let go."""

    async def _sent(self, work: Callable[[], T]) -> T:
        """Do something at the venue once the request is there, and say so once the answer is here."""
        if self._latency.submit_s > 0:
            await self._clock.sleep(self._latency.submit_s)
        self._play()
        try:
            return work()
        except Refusal as refusal:
            reason = MONEY if "insufficient balance" in refusal.message else f"code {refusal.code}"
            raise VenueRejected(reason, refusal.message) from None
        finally:
            if self._latency.answer_s > 0:
                await self._clock.sleep(self._latency.answer_s)

    def _play(self) -> None:
        self._venue.play(self._clock.now_ns())


def _fill_id(executed: tuple[Order, Filled]) -> int:
    return executed[1].trade_id


def _new(request: OrderRequest) -> NewOrder:
    """An order in the venue's words; they are ours in capitals."""
    timed = request.type in TIMED
    return NewOrder(
        symbol=request.symbol,
        side=cast("Side", request.side.upper()),
        type=cast("OrderType", request.type.upper()),
        client_id=request.client_order_id,
        time_in_force=cast("TimeInForce", request.time_in_force) if timed else "GTC",
        price=request.price,
        amount=request.quantity,
        stop_price=request.stop_price,
        trailing_delta=request.trailing_bips,
    )


def _report(order: Order, executions: tuple[Execution, ...] = ()) -> OrderReport:
    a = order.accepted
    return OrderReport(
        client_order_id=a.client_id,
        venue_order_id=str(order.order_id),
        symbol=a.symbol,
        side="buy" if a.side == "BUY" else "sell",
        state=STATES[order.status],
        quantity=a.amount,
        filled_quantity=order.filled,
        filled_cost=order.filled_cost,
        ts_ns=order.updated_ms * NANOS_PER_MILLI,
        executions=executions,
    )


def _execution(order: Order, fill: Filled) -> Execution:
    a = order.accepted
    return Execution(
        fill_id=str(fill.trade_id),
        symbol=a.symbol,
        side="buy" if a.side == "BUY" else "sell",
        venue_order_id=str(order.order_id),
        quantity=fill.amount,
        price=fill.price,
        cost=fill.amount * fill.price,
        fee=fill.fee,
        fee_currency=fill.fee_asset,
        maker=fill.maker,
        ts_ns=fill.ts_ms * NANOS_PER_MILLI,
    )
