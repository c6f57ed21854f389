"""Executions → fills in the book, valued and named for their order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ares.clock import Clock
from ares.errors import VenueError
from ares.resilience import Cache
from ares.telemetry import get_logger, observability
from trader.execution.ledger import Ledger
from trader.execution.rests import Rests
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent, Order
from trader.portfolio.positions import Execution, Fill, currencies

FEE_RATE_AGE_S = 30.0
"""A fee in a third currency is valued by no older price of it than this."""

log = get_logger(__name__)


def trace_of(intent: Intent) -> str:
    """The trace of the ticks that an order rests on; one that rests on none (a flatten) has a trace of its own."""
    return intent.trace_id or intent.correlation_id


class Booking:
    """Books what the venue says was executed, each execution once."""

    def __init__(self, ledger: Ledger, rests: Rests, marks: Cache[str, Decimal], clock: Clock) -> None:
        self._ledger = ledger
        self._rests = rests
        self._marks = marks
        self._clock = clock

    async def book(self, order: Order, executions: Sequence[Execution]) -> int:
        """Book executions of an order; those booked before do not count."""
        intent = order.intent
        new = [e for e in executions if not self._ledger.portfolio.knows(e.symbol, e.fill_id)]
        fills = [
            Fill(
                execution,
                order_id=intent.order_id,
                strategy=intent.strategy,
                correlation_id=intent.correlation_id,
                received_at_ns=self._clock.now_ns(),
                fee_rate=await self._fee_rate(execution),
                trace_id=intent.trace_id,
            )
            for execution in new
        ]
        if not fills:
            return 0
        if intent.source == "protection":
            # Before the fill: were we to die between, the next look books it, and the strategy rests already.
            await self._rests.stopped_out(intent, self._clock.now_ns())
        with observability.track("fill.book", trace_of(intent), symbol=intent.symbol, strategy=intent.strategy):
            return await self._ledger.book(fills)

    async def book_foreign(self, execution: Execution, strategy: str) -> bool:
        """Book an execution that nobody here ordered, for a strategy; False if it was booked before."""
        fill = Fill(
            execution,
            order_id=f"venue/{execution.venue_order_id}",
            strategy=strategy,
            correlation_id="",
            received_at_ns=self._clock.now_ns(),
            fee_rate=await self._fee_rate(execution),
        )
        return await self._ledger.book_foreign(fill)

    async def _fee_rate(self, execution: Execution) -> Decimal:
        """What one unit of a third currency, in which a fee was paid, is worth in quote now; 0 if nobody knows."""
        base, quote = currencies(execution.symbol)
        if execution.fee_currency in (base, quote) or not execution.fee:
            return ZERO
        pair = f"{execution.fee_currency}/{quote}"
        try:
            rate = (await self._marks.get([pair], FEE_RATE_AGE_S)).get(pair, ZERO)
        except VenueError:
            rate = ZERO
        if not rate:
            log.warning("fee_without_value", fill_id=execution.fill_id, fee=str(execution.fee), pair=pair)
        return rate
