"""Decides what becomes of conditional orders of perpetuals: taken, triggered, cancelled. It moves nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from simulator.matching.conditional import (
    CALLBACK_MAX,
    CALLBACK_MIN,
    WAITING_MAX,
    Awaited,
    Conditional,
    Dropped,
    Followed,
    NewConditional,
    Sprung,
    WorkingType,
)
from simulator.matching.contracts import FORCED, Contract, MarginEvent, Marks, NewContractOrder
from simulator.matching.filters import check_client_id
from simulator.matching.margin_checks import check_amount, check_price
from simulator.matching.margin_engine import MarginEngine
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import ZERO, DisplayedBook, Refusal

REDUCE_ONLY_REJECTED = "Reduce Only reject"
AT_ONCE = "Order would immediately trigger."


@dataclass(frozen=True, slots=True)
class Look:
    """A price of the kind that some orders wait for, and the market and the account at that moment."""

    price: Decimal
    book: DisplayedBook
    marks: Marks
    now_ms: int


class ConditionalEngine:
    """Pure decisions over a ledger, as `MarginEngine`, which takes the orders that triggers place.

    Margin, and whether there is anything to reduce, are looked at when it triggers and not before, as at the venue.
    """

    def __init__(self, ledger: MarginLedger, engine: MarginEngine) -> None:
        self._ledger = ledger
        self._engine = engine

    def place(self, new: NewConditional, marks: Marks, now_ms: int) -> Sequence[MarginEvent]:
        """Accept a conditional order. Raises `Refusal`."""
        contract = self._engine.contract(new.symbol)
        mark = marks[new.symbol]
        check_conditional(new, contract, mark)
        latest = self._ledger.find_algo(None, new.client_id)
        if latest is not None and latest.waits:
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        if len(self._ledger.waiting(new.symbol)) >= WAITING_MAX:
            raise Refusal(-4045, "Reach max stop order limit.")
        awaited = Awaited(
            self._ledger.next_algo_id,
            now_ms,
            new.symbol,
            new.side,
            new.type,
            new.client_id,
            new.amount,
            new.trigger_price or ZERO,
            new.working,
            new.reduce_only,
            new.activate_price or ZERO,
            new.callback,
        )
        if new.type == "TRAILING_STOP_MARKET" and new.activate_price is not None:
            if Conditional(awaited).activates(mark):
                raise Refusal(-2021, AT_ONCE)
            return [awaited]
        if new.type == "TRAILING_STOP_MARKET":
            return [awaited, Followed(awaited.algo_id, now_ms, mark)]
        if Conditional(awaited).is_met(mark):
            raise Refusal(-2021, AT_ONCE)
        return [awaited]

    def cancel(self, order: Conditional, now_ms: int) -> Sequence[MarginEvent]:
        """End one that waits. Raises `Refusal` for one that does not."""
        if not order.waits:
            raise Refusal(-2011, "Unknown order sent.")
        return [Dropped(order.algo_id, now_ms, "CANCELED")]

    def on_price(self, symbol: str, working: WorkingType, look: Look) -> Sequence[MarginEvent]:
        """What a price does to the first order that waits for it; nothing once it does nothing more."""
        for order in self._ledger.waiting(symbol):
            if order.awaited.working != working:
                continue
            if order.activates(look.price):
                return [Followed(order.algo_id, look.now_ms, look.price)]
            order.see(look.price)
            if order.is_met(look.price):
                return self._spring(order, look)
        return []

    def _spring(self, order: Conditional, look: Look) -> Sequence[MarginEvent]:
        a, order_id = order.awaited, self._ledger.next_order_id
        new = NewContractOrder(a.symbol, a.side, "MARKET", a.client_id, a.amount, reduce_only=a.reduce_only)
        try:
            placed = self._engine.place(new, look.book, look.marks, look.now_ms)
        except Refusal as refusal:
            reason = REDUCE_ONLY_REJECTED if refusal.code == -2022 else refusal.message
            return [Sprung(order.algo_id, look.now_ms, look.price, 0, reason)]
        return [*placed, Sprung(order.algo_id, look.now_ms, look.price, order_id)]


def check_conditional(new: NewConditional, contract: Contract, mark: Decimal) -> None:
    """Raises `Refusal` for the first thing that is wrong."""
    check_client_id("clientAlgoId", new.client_id)
    if new.client_id.startswith(FORCED):
        raise Refusal(-4015, "Client order id is not valid.")
    check_amount(new.amount, contract)
    for price in (new.trigger_price, new.activate_price):
        if price is not None:
            check_price(price, contract)
    if new.type == "TRAILING_STOP_MARKET" and not CALLBACK_MIN <= new.callback <= CALLBACK_MAX:
        raise Refusal(-2007, "Invalid callBack rate")
    if not new.reduce_only and new.amount * (new.trigger_price or mark) < contract.cost_min:
        text = f"Order's notional must be no smaller than {contract.cost_min} (unless you choose reduce only)."
        raise Refusal(-4164, text)
