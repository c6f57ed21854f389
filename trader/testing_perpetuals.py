"""A venue of perpetuals in memory: a margin account in one-way mode, and what every gateway to one must do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ares.errors import VenueRejected
from ares.model.market import Side
from trader.portfolio.legs import way_out
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderReport, OrderState
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution, currencies
from trader.testing import ContractBench, PaperVenue
from trader.venues.gateway import Balance, OrderRequest, VenuePosition


@dataclass(slots=True)
class PaperPerpetuals(PaperVenue):
    """`PaperVenue` whose symbols are linear perpetuals. `holdings` are the wallet; margin is notional over `leverage`.

    Answers to a submit carry no executions, as Binance's do not. The venue liquidates nobody by itself.
    """

    leverage: Decimal = Decimal(1)
    contracts: dict[str, VenuePosition] = field(default_factory=dict)
    payments: list[Funding] = field(default_factory=list)
    requests: list[OrderRequest] = field(default_factory=list)
    """Orders as they came, whatever became of them."""

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.requests.append(request)
        return replace(await PaperVenue.submit(self, request), executions=())

    async def balances(self) -> Mapping[str, Balance]:
        self._look()
        return {
            asset: Balance(free := self._free(asset), wallet - free)
            for asset, wallet in self.holdings.items()
            if wallet
        }

    async def positions(self) -> Mapping[str, VenuePosition]:
        self._look()
        return {symbol: held for symbol, held in self.contracts.items() if held.quantity}

    async def funding_after(self, ts_ns: int) -> list[Funding]:
        self._look()
        return sorted((p for p in self.payments if p.ts_ns >= ts_ns), key=lambda each: each.ts_ns)

    def pay_funding(self, symbol: str, rate: Decimal) -> Funding:
        """Let a payment fall due now: longs pay `rate` of their value at mark, shorts get it."""
        amount = -self.quantity(symbol) * self.prices[symbol] * rate
        payment = Funding(str(len(self.payments) + 1), symbol, amount, self.clock.now_ns())
        self.payments.append(payment)
        self.holdings[currencies(symbol)[1]] += amount
        return payment

    def close_by_force(self, symbol: str) -> Execution:
        """Close a position as a liquidation does, by an order that nobody gave."""
        held = self.quantity(symbol)
        name = f"autoclose-{len(self.orders) + 1}"
        request = OrderRequest(name, symbol, way_out(held), "market", "IOC", abs(held), None)
        execution = self._execute(request, abs(held), self.prices[symbol])
        cost = execution.cost
        self.orders[name] = self._report(request, OrderState.FILLED, abs(held), cost, (execution,))
        return execution

    def quantity(self, symbol: str) -> Decimal:
        """What is held, in base, below 0 on the short side."""
        held = self.contracts.get(symbol)
        return ZERO if held is None else held.quantity

    def _free(self, asset: str) -> Decimal:
        """Wallet and unrealised profit less initial margin, not below 0."""
        free = self.holdings.get(asset, ZERO)
        for symbol, held in self.contracts.items():
            if currencies(symbol)[1] == asset:
                price = self.prices[symbol]
                free += held.quantity * (price - held.entry_price) - abs(held.quantity) * price / self.leverage
        return max(ZERO, free)

    def _check_funds(self, request: OrderRequest, price: Decimal) -> None:
        held = self.quantity(request.symbol)
        closes = min(request.quantity, abs(held)) if request.side == way_out(held) else ZERO
        if request.reduce_only and not closes:
            raise VenueRejected("InvalidOrder", "ReduceOnly Order is rejected.")
        opens = ZERO if request.reduce_only else request.quantity - closes
        if opens * price / self.leverage > self._free(currencies(request.symbol)[1]):
            raise VenueRejected("InsufficientFunds", "Margin is insufficient.")

    def _reach(self, request: OrderRequest) -> Decimal:
        most = abs(self.quantity(request.symbol)) if request.reduce_only else request.quantity
        return min(request.quantity, most, self.depth)

    def _execute(self, request: OrderRequest, quantity: Decimal, price: Decimal) -> Execution:
        quote = currencies(request.symbol)[1]
        held = self.contracts.get(request.symbol, VenuePosition(ZERO, ZERO))
        closed = min(quantity, abs(held.quantity)) if request.side == way_out(held.quantity) else ZERO
        gained = closed * (price - held.entry_price) * (1 if held.quantity > 0 else -1)
        after = held.quantity + (quantity if request.side == "buy" else -quantity)
        entry = held.entry_price if closed == quantity else price
        if not closed and after:
            entry = (abs(held.quantity) * held.entry_price + quantity * price) / abs(after)
        self.contracts[request.symbol] = VenuePosition(after, entry)
        fee = quantity * price * self.fee_share
        self.holdings[quote] = self.holdings.get(quote, ZERO) + gained - fee
        return self._filled(request, quantity, price, (fee, quote))


async def short_is_opened_told_and_closed(bench: ContractBench) -> None:
    """A sale of what is not held is a short: the venue says it below zero, and a purchase that only reduces ends it."""
    gateway = bench.gateway
    before = _quantity(await gateway.positions(), bench.symbol)
    assert before == 0, "the bench begins flat"
    opened = await gateway.submit(_order(bench, "sell", bench.quantity))
    assert (opened.state, opened.filled_quantity) == (OrderState.FILLED, bench.quantity)
    held = (await gateway.positions())[bench.symbol]
    assert held.quantity == -bench.quantity
    execution = (await gateway.executions_of(bench.symbol, opened.venue_order_id))[0]
    assert (execution.side, execution.fee_currency) == ("sell", currencies(bench.symbol)[1])
    assert held.entry_price > 0
    await gateway.submit(_order(bench, "buy", bench.quantity, reduce_only=True))
    assert _quantity(await gateway.positions(), bench.symbol) == 0


async def order_that_must_only_reduce_opens_nothing(bench: ContractBench) -> None:
    """Without a position it is refused."""
    try:
        await bench.gateway.submit(_order(bench, "buy", bench.quantity, reduce_only=True))
    except VenueRejected:
        assert _quantity(await bench.gateway.positions(), bench.symbol) == 0
    else:
        raise AssertionError("an order that may open nothing was taken where there was nothing")


async def purchase_beyond_a_short_that_only_reduces_ends_flat(bench: ContractBench) -> None:
    """However large it is, the account is not long afterwards."""
    await bench.gateway.submit(_order(bench, "sell", bench.quantity))
    await bench.gateway.submit(_order(bench, "buy", bench.quantity * 2, reduce_only=True))
    assert _quantity(await bench.gateway.positions(), bench.symbol) == 0


async def wallet_moves_by_profit_and_fees_alone(bench: ContractBench) -> None:
    """Opening a contract costs its fee, not its price: what was there before and after differs by what was executed."""
    quote = currencies(bench.symbol)[1]
    before = (await bench.gateway.balances())[quote].total
    opened = await bench.gateway.submit(_order(bench, "sell", bench.quantity))
    closed = await bench.gateway.submit(_order(bench, "buy", bench.quantity, reduce_only=True))
    executions = [
        execution
        for report in (opened, closed)
        for execution in await bench.gateway.executions_of(bench.symbol, report.venue_order_id)
    ]
    money = sum((e.cost if e.side == "sell" else -e.cost for e in executions), ZERO)
    expected = before + money - sum((e.fee for e in executions), ZERO)
    told = (await bench.gateway.balances())[quote].total
    assert abs(told - expected) < Decimal("0.0001"), "a venue rounds each amount to eight digits"


def _order(bench: ContractBench, side: Side, quantity: Decimal, *, reduce_only: bool = False) -> OrderRequest:
    return OrderRequest(bench.name(), bench.symbol, side, "market", "IOC", quantity, None, reduce_only)


def _quantity(positions: Mapping[str, VenuePosition], symbol: str) -> Decimal:
    held = positions.get(symbol)
    return ZERO if held is None else held.quantity


PERPETUALS_CONTRACT: tuple[Callable[[ContractBench], Awaitable[None]], ...] = (
    short_is_opened_told_and_closed,
    order_that_must_only_reduce_opens_nothing,
    purchase_beyond_a_short_that_only_reduces_ends_flat,
    wallet_moves_by_profit_and_fees_alone,
)
