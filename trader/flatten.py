"""Out of everything: every position is closed at market, in orders that the notional limit allows."""

from __future__ import annotations

from collections.abc import Callable

from ares.clock import Clock
from ares.control import Json
from ares.errors import AresError
from ares.model.row import Row
from ares.model.strategies import FOREIGN
from ares.telemetry import get_logger, observability
from trader.account import Account
from trader.execution.ids import DecisionName, client_order_id, correlation_id
from trader.execution.protection import Protection
from trader.execution.state import TradingStates
from trader.portfolio.legs import next_leg
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent
from trader.portfolio.positions import Position
from trader.risk import Limits
from trader.rows import Decision, decision_row

ATTEMPTS_MAX = 3
MARK_AGE_S = 1.0
"""Older marks are asked for again before a flatten cuts its orders by them."""
LEGS_MAX = 50
"""Orders that one flatten sends for one position in one attempt."""

log = get_logger(__name__)


class Flattening:
    """Closes all positions.

    `limits_of`: those of a strategy and symbol; `settle_s_max`: how long orders that are under way are waited for;
    `poll_s`: how often.
    """

    def __init__(
        self,
        account: Account,
        states: TradingStates,
        protection: Protection,
        limits_of: Callable[[str, str], Limits],
        *,
        settle_s_max: float,
        poll_s: float,
    ) -> None:
        self._account = account
        self._states = states
        self._protection = protection
        self._desk = account.parts.desk
        self._clock: Clock = account.parts.clock
        self._limits_of = limits_of
        self._settle_s_max = settle_s_max
        self._poll_s = poll_s

    async def run(self, command_id: str) -> dict[str, Json]:
        """Cancel, wait, close, and again what was not filled; returns how many orders left and what is still held.

        What protects a position goes before anything of it is closed.
        """
        try:
            sent = await self._out(command_id)
        finally:
            self._protection.restore("flatten")
        left: dict[str, Json] = {
            f"{symbol} {strategy}": f"{quantity:f}"
            for (symbol, strategy), quantity in self._account.parts.ledger.quantities().items()
        }
        return {"orders_sent": sent, "left": left}

    async def _out(self, command_id: str) -> int:
        await self._desk.cancel_open()
        for position in self._account.parts.ledger.portfolio.positions():
            await self._protection.lift(position.symbol, position.strategy, "flatten")
        await self._settled()
        sent = 0
        for attempt in range(ATTEMPTS_MAX):
            orders = await self._close_all(command_id, attempt)
            sent += orders
            await self._settled()
            if orders == 0:
                break
        return sent

    async def _settled(self) -> None:
        """Wait until no order is under way, or the time for it is over."""
        deadline_s = self._clock.monotonic_s() + self._settle_s_max
        while self._desk.orders() and self._clock.monotonic_s() < deadline_s:
            await self._desk.follow()
            if self._desk.orders():
                await self._clock.sleep(self._poll_s)

    async def _close_all(self, command_id: str, attempt: int) -> int:
        """One attempt at every position; returns how many orders left."""
        now_ns, sent = self._clock.now_ns(), 0
        try:
            await self._account.refresh_marks(MARK_AGE_S)
        except AresError as error:
            log.warning("flatten_without_fresh_marks", cause=str(error))
        for position in self._account.parts.ledger.portfolio.positions():
            if position.strategy == FOREIGN:
                continue  # what nobody here ordered, nobody here closes
            if not await self._protection.lift(position.symbol, position.strategy, "flatten"):
                continue  # what protects it may still be executed
            for leg in range(LEGS_MAX):
                who = self._account.parts.who.account
                name = DecisionName(who, position.strategy, 0, position.symbol, now_ns, "flatten", leg, attempt)
                intent = self._leg(position, command_id, name)
                if intent is None or self._desk.busy(position.symbol, position.strategy) is not None:
                    break
                if not await self._desk.intend(intent, [self._decision(intent)]):
                    break
                await self._desk.send(intent.order_id)
                sent += 1
        return sent

    def _leg(self, position: Position, command_id: str, name: DecisionName) -> Intent | None:
        """The next order out of a position, cut to the notional limit; None when what is left cannot be ordered."""
        grid = self._account.grid(position.symbol)
        held = self._account.parts.ledger.portfolio.position(position.symbol, position.strategy).quantity
        mark = self._account.mark(position.symbol) or position.average_price
        if grid is None or mark <= 0:
            return None
        limits = self._limits_of(position.strategy, position.symbol)
        out = next_leg(held, mark, grid, limits.order_notional_quote_max)
        if out is None:
            return None
        who = self._account.parts.who
        leg = f"{position.symbol}/{name.leg}/{name.attempt}"
        return Intent(
            order_id=client_order_id(name),
            account=who.account,
            venue=who.venue,
            symbol=position.symbol,
            strategy=position.strategy,
            version=0,
            side=out.side,
            type="market",
            time_in_force="IOC",
            quantity=out.quantity,
            price=None,
            mark=mark,
            source="flatten",
            cycle_id=command_id,
            correlation_id=correlation_id(command_id, position.strategy, leg),
            decided_at_ns=self._clock.now_ns(),
            trace_id=observability.current_trace_id(),
        )

    def _decision(self, intent: Intent) -> Row:
        portfolio = self._account.parts.ledger.portfolio
        return decision_row(
            self._account.parts.who,
            Decision(
                ts_ns=intent.decided_at_ns,
                cycle_id=intent.cycle_id,
                correlation_id=intent.correlation_id,
                strategy=intent.strategy,
                version=intent.version,
                symbol=intent.symbol,
                action=intent.side,
                reason="flatten",
                state=self._states.current.state.value,
                mark=intent.mark,
                quantity=portfolio.position(intent.symbol, intent.strategy).quantity,
                target_quantity=ZERO,
                order_quantity=intent.quantity,
                client_order_id=intent.order_id,
            ),
        )
