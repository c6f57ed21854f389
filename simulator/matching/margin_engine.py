"""Decides what becomes of a USD-M account: orders, leverage, funding, liquidation. It moves nothing itself.

Orders meet the replayed market as on spot: takers walk the displayed book, makers wait in its queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from simulator.matching.conditional import Dropped
from simulator.matching.contracts import (
    FORCED,
    Cleared,
    Contract,
    ContractOrder,
    Entered,
    Funded,
    Levered,
    MarginEvent,
    Marks,
    NewContractOrder,
)
from simulator.matching.margin import ends, exposure, open_loss, standing
from simulator.matching.margin_checks import check_contract_order, check_leverage
from simulator.matching.margin_ledger import CENTS, MarginLedger
from simulator.matching.queue import PublicTrade, Queue, by_priority
from simulator.matching.types import ZERO, Closed, DisplayedBook, Filled, Levels, Refusal, Side, Why

NO_MARGIN = "Margin is insufficient."
Take = tuple[Decimal, Decimal]
"""Price and amount of one level taken."""
EXPIRED: dict[str, Why] = {
    "IOC": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "FOK": "UNFILLED_FOK_ORDER_EXPIRED",
}


class MarginEngine:
    """Pure decisions over a ledger: each method returns the events that must happen, and the caller applies them."""

    def __init__(self, ledger: MarginLedger) -> None:
        self._ledger = ledger
        self._queue = Queue()

    def check(self, new: NewContractOrder, marks: Marks) -> None:
        """Form and filters, whatever the account has. Raises `Refusal`."""
        check_contract_order(new, self.contract(new.symbol), marks[new.symbol])

    def contract(self, symbol: str) -> Contract:
        """Raises the venue's `Refusal` for a symbol it does not list."""
        found = self._ledger.contracts.get(symbol)
        if found is None:
            raise Refusal(-1121, "Invalid symbol.")
        return found

    def place(self, new: NewContractOrder, book: DisplayedBook, marks: Marks, now_ms: int) -> list[MarginEvent]:
        """Accept an order and everything that follows at once. Raises `Refusal`."""
        contract = self.contract(new.symbol)
        check_contract_order(new, contract, marks[new.symbol])
        latest = self._ledger.find(new.symbol, None, new.client_id)
        if latest is not None and latest.open:
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        position = self._ledger.positions[new.symbol]
        if new.reduce_only and not position.closable(new.side):
            raise Refusal(-2022, "ReduceOnly Order is rejected.")
        most = min(new.amount, position.closable(new.side)) if new.reduce_only else new.amount
        takes = walk(new.side, most, new.price, book)
        taken = sum((amount for _, amount in takes), ZERO)
        if new.time_in_force == "GTX" and takes:
            text = "Due to the order could not be executed as maker, the Post Only order will be rejected."
            raise Refusal(-5022, f"{text} The order will not be recorded in the order history")
        if new.time_in_force == "FOK" and taken < new.amount:
            text = "Due to the order could not be filled immediately, the FOK order has been rejected."
            raise Refusal(-5021, f"{text} The order will not be recorded in the order history")
        self._check_margin(new, contract, takes, marks)
        entered = self._entered(new, now_ms)
        return [entered, *self._execute(entered, takes, book)]

    def cancel(self, order: ContractOrder, cancel_id: str, now_ms: int) -> list[MarginEvent]:
        """End an open order. Raises `Refusal` when there is nothing to cancel."""
        if not order.open:
            raise Refusal(-2011, "Unknown order sent.")
        return [Closed(order.order_id, now_ms, "CANCELED", cancel_id)]

    def set_leverage(self, symbol: str, leverage: int, marks: Marks, now_ms: int) -> list[MarginEvent]:
        """Change what a symbol's position and orders tie up. Raises `Refusal`."""
        contract = self.contract(symbol)
        check_leverage(leverage, contract)
        position = self._ledger.positions[symbol]
        if leverage == position.leverage:
            return []
        state = standing(self._ledger, marks)
        mine = state.exposures[symbol]
        if abs(mine.notional) > contract.notional_max(leverage):
            raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")
        more = mine.initial * position.leverage / leverage - mine.initial
        if more > state.available:
            raise Refusal(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        return [Levered(symbol, now_ms, leverage)]

    def fund(self, rate: Decimal, marks: Marks, at_ms: int) -> list[MarginEvent]:
        """What every position pays (or, negative rate or amount, receives) at a funding time."""
        events: list[MarginEvent] = []
        for symbol, position in self._ledger.positions.items():
            if position.amount:
                paid = (position.amount * marks[symbol] * rate).quantize(CENTS, ROUND_HALF_EVEN)
                events.append(Funded(symbol, at_ms, rate, marks[symbol], -paid))
        return events

    def liquidate(self, marks: Marks, now_ms: int) -> list[MarginEvent]:
        """Nothing, or if the account is lost: all orders end, every position is closed at the mark price for a fee.

        Conditional orders end too: what they were to reduce is gone.

        What the wallet is then short of zero the insurance fund pays.
        """
        if not standing(self._ledger, marks).lost:
            return []
        events: list[MarginEvent] = [
            Closed(order.order_id, now_ms, "EXPIRED", reason="REJECTED") for order in self._ledger.open_orders()
        ]
        events += [
            Dropped(order.algo_id, now_ms, "EXPIRED")
            for symbol in self._ledger.contracts
            for order in self._ledger.waiting(symbol)
        ]
        wallet, number, last = self._ledger.wallet, 0, ""
        for symbol, position in self._ledger.positions.items():
            if position.amount:
                forced, fill = self._force(symbol, marks[symbol], number, now_ms)
                events += [forced, fill]
                wallet += position.unrealized(marks[symbol]) - fill.fee
                number, last = number + 1, symbol
        if wallet < 0:
            events.append(Cleared(last, now_ms, -wallet))
        return events

    def on_trade(self, trade: PublicTrade) -> list[MarginEvent]:
        """Executions of resting orders by a trade of the replayed market; together never more than its amount."""
        events: list[MarginEvent] = []
        left, fill_id = trade.amount, self._ledger.next_fill_id
        amount = self._ledger.positions[trade.symbol].amount
        filled: Counted = {}
        for order in by_priority(self._ledger.resting(trade.symbol)):
            part = self._queue.reached(order, trade, left)
            if order.accepted.reduce_only:
                part = ZERO if ends(order, amount) else min(part, abs(amount))
            if part > 0:
                take = (order.accepted.price, part)
                events.append(self._filled(order.accepted, take, fill_id, trade.ts_ms, maker=True))
                filled[order.order_id] = part
                amount += part if order.accepted.side == "BUY" else -part
                fill_id, left = fill_id + 1, left - part
        return events + self._end_reducing(trade.symbol, amount, filled, trade.ts_ms) if events else events

    def on_book(self, symbol: str, displayed: Callable[[Side, Decimal], Decimal]) -> None:
        """The displayed book changed: nobody waits behind more than is displayed at the price."""
        self._queue.see(self._ledger.resting(symbol), displayed)

    def forget_closed(self) -> None:
        """Drop what is remembered about orders that are no longer open."""
        self._queue.keep(lambda order_id: self._ledger.orders[order_id].open)

    def _force(self, symbol: str, mark: Decimal, number: int, now_ms: int) -> tuple[Entered, Filled]:
        """The venue's own order that closes a position, and its execution."""
        ledger, position = self._ledger, self._ledger.positions[symbol]
        side: Side = "SELL" if position.amount > 0 else "BUY"
        order_id, amount = ledger.next_order_id + number, abs(position.amount)
        client_id = f"{FORCED}{now_ms}{order_id:06d}"
        forced = Entered(order_id, now_ms, symbol, side, "LIMIT", client_id, "IOC", mark, amount, reduce_only=True)
        fee = (amount * mark * ledger.contracts[symbol].liquidation_fee).quantize(CENTS, ROUND_DOWN)
        fill_id = ledger.next_fill_id + number
        return forced, Filled(order_id, now_ms, fill_id, mark, amount, maker=False, fee=fee, fee_asset=ledger.asset)

    def _check_margin(self, new: NewContractOrder, contract: Contract, takes: Sequence[Take], marks: Marks) -> None:
        """An order that opens must find its margin, and the loss it makes at once, among what is available."""
        if new.reduce_only:
            return
        mark = marks[new.symbol]
        price = new.price or (takes[-1][0] if takes else mark)
        state = standing(self._ledger, marks)
        before = state.exposures[new.symbol]
        after = exposure(self._ledger, new.symbol, mark, new, price)
        if after.initial <= before.initial:
            return
        leverage = self._ledger.positions[new.symbol].leverage
        if after.initial * leverage > contract.notional_max(leverage):
            raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")
        if after.initial - before.initial + open_loss(new, price, mark) > state.available:
            raise Refusal(-2019, NO_MARGIN)

    def _entered(self, new: NewContractOrder, now_ms: int) -> Entered:
        return Entered(
            self._ledger.next_order_id,
            now_ms,
            new.symbol,
            new.side,
            new.type,
            new.client_id,
            new.time_in_force,
            new.price or ZERO,
            new.amount,
            new.reduce_only,
        )

    def _execute(self, order: Entered, takes: Sequence[Take], book: DisplayedBook) -> list[MarginEvent]:
        """What follows when an order comes to the book: it takes, and what is left rests or expires."""
        events: list[MarginEvent] = []
        for number, take in enumerate(takes):
            fill_id = self._ledger.next_fill_id + number
            events.append(self._filled(order, take, fill_id, order.ts_ms, maker=False))
        taken = sum((part for _, part in takes), ZERO)
        amount = self._ledger.positions[order.symbol].amount + (taken if order.side == "BUY" else -taken)
        if taken < order.amount:
            if order.type == "MARKET":
                events.append(Closed(order.order_id, order.ts_ms, "EXPIRED", reason="INSUFFICIENT_LIQUIDITY"))
            elif order.time_in_force == "IOC" or ends(order, amount):
                events.append(Closed(order.order_id, order.ts_ms, "EXPIRED", reason=EXPIRED["IOC"]))
            else:
                levels = book.bids if order.side == "BUY" else book.asks
                self._queue.join(order.order_id, next((a for price, a in levels if price == order.price), ZERO))
        return events + self._end_reducing(order.symbol, amount, {}, order.ts_ms) if takes else events

    def _end_reducing(
        self, symbol: str, amount: Decimal, filled: Mapping[int, Decimal], now_ms: int
    ) -> list[MarginEvent]:
        """Reduce-only orders that have nothing left to reduce, once the position has this amount."""
        return [
            Closed(order.order_id, now_ms, "EXPIRED")
            for order in self._ledger.resting(symbol)
            if ends(order, amount) and order.remaining > filled.get(order.order_id, ZERO)
        ]

    def _filled(self, order: Entered, take: Take, fill_id: int, ts_ms: int, *, maker: bool) -> Filled:
        price, amount = take
        contract = self._ledger.contracts[order.symbol]
        share = contract.maker_fee if maker else contract.taker_fee
        fee = (price * amount * share).quantize(CENTS, ROUND_DOWN)
        return Filled(order.order_id, ts_ms, fill_id, price, amount, maker, fee, contract.quote)


Counted = dict[int, Decimal]
"""Amount by order id."""


def walk(side: Side, amount: Decimal, price: Decimal | None, book: DisplayedBook) -> list[Take]:
    """What an order takes of the displayed levels, as far as its price allows."""
    levels: Levels = book.asks if side == "BUY" else book.bids
    takes: list[Take] = []
    for level, shown in levels:
        if amount <= 0 or (price is not None and (level > price if side == "BUY" else level < price)):
            break
        part = min(amount, shown)
        takes.append((level, part))
        amount -= part
    return takes
