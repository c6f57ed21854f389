"""What people may order and say: status, halt, flatten, capital, limits, all without QuestDB or the API."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import orjson

from ares.clock import Clock, isoformat
from ares.control import Json
from ares.errors import AresError, UsageError
from ares.model.row import Row
from ares.model.strategies import FOREIGN
from ares.telemetry import correlation, get_logger, observability
from trader.account import Account
from trader.events import CapitalMoved
from trader.execution.ids import DecisionName, client_order_id, correlation_id
from trader.execution.lease import Leadership
from trader.execution.limits import SetLimits
from trader.execution.state import TradingStates
from trader.limits_shown import limit_wanted, limits_shown, shown
from trader.portfolio.money import ZERO, floor_to
from trader.portfolio.orders import Intent
from trader.portfolio.positions import Position
from trader.risk import Limits, TradingState
from trader.rows import Decision, decision_row

ATTEMPTS_MAX = 3
MARK_AGE_S = 1.0
"""Older marks are asked for again before a flatten cuts its orders by them."""
LEGS_MAX = 50
"""Orders that one flatten sends for one position in one attempt."""

log = get_logger(__name__)

Outcome = dict[str, Json]


class NotLeading(UsageError):
    """This process may not send orders: it waits for the lease, or has not reconciled yet."""

    code = "not_leading"


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders, and why."""

    actor: str
    reason: str
    details: Mapping[str, str] = field(default_factory=dict)
    """What else the command says: which limit, say."""


@dataclass(frozen=True, slots=True)
class CommanderParts:
    """What orders are carried out with."""

    account: Account
    states: TradingStates
    leadership: Leadership
    clock: Clock
    limits: SetLimits
    configured: Callable[[], Limits]
    settle_s_max: float
    poll_s: float
    is_ready: Callable[[], bool]


class Commander:
    """Carries out orders one at a time; each leaves rows in `commands` when it comes and when it is done."""

    def __init__(self, parts: CommanderParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._clock = parts.clock
        self._one_at_a_time = asyncio.Lock()

    async def halt(self, order: Order) -> Outcome:
        """HALTED at once; open orders are cancelled if this process leads, else by the leader at its next look."""

        async def work(_: str) -> Outcome:
            # The state comes before the lock of slow commands: a halt never waits.
            asked = await self._desk.cancel_open() if self._parts.leadership.may_send() else 0
            return {"state": TradingState.HALTED.value, "cancels_asked": asked}

        await self._set(TradingState.HALTED, order)
        return await self._recorded("halt", order, work)

    async def resume(self, order: Order) -> Outcome:
        """ACTIVE again, once a flatten that is under way has ended."""

        async def work(_: str) -> Outcome:
            await self._set(TradingState.ACTIVE, order)
            return {"state": TradingState.ACTIVE.value}

        async with self._one_at_a_time:
            return await self._recorded("resume", order, work)

    async def flatten(self, order: Order) -> Outcome:
        """HALTED, then every position is sold at market; it stays HALTED. Raises `NotLeading`."""

        async def work(command_id: str) -> Outcome:
            self._must_lead("flatten")
            await self._desk.cancel_open()
            await self._settled()
            sent = 0
            for attempt in range(ATTEMPTS_MAX):
                orders = await self._sell_all(command_id, attempt)
                sent += orders
                await self._settled()
                if orders == 0:
                    break
            left: dict[str, Json] = {
                f"{symbol} {strategy}": f"{quantity:f}"
                for (symbol, strategy), quantity in self._account.parts.ledger.quantities().items()
            }
            return {"state": TradingState.HALTED.value, "orders_sent": sent, "left": left}

        await self._set(TradingState.HALTED, order)
        async with self._one_at_a_time:
            return await self._recorded("flatten", order, work)

    async def move_capital(self, order: Order, movement_id: str, amount: Decimal) -> Outcome:
        """Write down once, by its id, what came (above 0) or went, in quote. Raises `NotLeading`."""

        async def work(_: str) -> Outcome:
            self._must_lead("capital")
            capital = self._account.parts.capital
            said = CapitalMoved(movement_id, amount, order.actor, order.reason)
            new = await capital.move(said, self._clock.now_ns())
            state = self._parts.states.current.state.value
            return {"state": state, "new": new, "amount": f"{amount:f}", "capital": f"{capital.quote:f}"}

        async with self._one_at_a_time:
            return await self._recorded("capital", order, work)

    def _must_lead(self, command: str) -> None:
        if not (self._parts.is_ready() and self._parts.leadership.may_send()):
            raise NotLeading(f"{command} = now: this trader does not lead, or has not reconciled. See its status")

    async def set_limit(self, order: Order) -> Outcome:
        """Set a limit, or let its setting hold again if the order gives no value. Raises `UsageError`."""
        scope, value = limit_wanted(order.details)

        async def work(_: str) -> Outcome:
            change, holds = await self._parts.limits.change(
                self._parts.configured(), scope, value, actor=order.actor, reason=order.reason
            )
            return {"id": change.id, "holds": holds, "name": change.name, "value": shown(change.value)}

        return await self._recorded("risk_set", order, work)

    async def approve_limit(self, order: Order) -> Outcome:
        """Agree to a limit that another person asked for. Raises `UsageError`."""

        async def work(_: str) -> Outcome:
            change = await self._parts.limits.approve(
                self._parts.configured(), order.details.get("id", ""), order.actor
            )
            return {"id": change.id, "holds": True, "name": change.name, "value": shown(change.value)}

        return await self._recorded("risk_approve", order, work)

    async def limits(self) -> Outcome:
        """Every limit as it holds, what the settings say, who set it, and what waits for a second person."""
        await self._parts.limits.refresh()
        return limits_shown(self._parts.limits, self._parts.configured())

    async def status(self) -> Outcome:
        """What the trader is, holds and waits for."""
        state = await self._parts.states.refresh()
        lease = self._parts.leadership.lease
        worth = self._account.worth()
        return {
            "account": self._account.parts.who.account,
            "venue": self._account.parts.who.venue,
            "state": state.state.value,
            "state_reason": state.reason,
            "state_actor": state.actor,
            "state_since": isoformat(state.ts_ns),
            "ready": self._parts.is_ready(),
            "leader": lease is not None,
            "lease_expires_at": None if lease is None else isoformat(lease.expires_at_ns),
            "orders_open": self._orders(),
            "positions": self._positions(),
            "pnl_quote": {
                "realised": f"{worth.realised_quote:f}",
                "realised_fifo": f"{worth.realised_fifo_quote:f}",
                "funding": f"{worth.funding_quote:f}",
                "unrealised": f"{worth.unrealised_quote:f}",
                "day": f"{self._account.day_pnl_quote:f}",
            },
            "cash": f"{self._account.cash.total:f}",
            "capital": f"{self._account.parts.capital.quote:f}",
        }

    def _orders(self) -> list[Json]:
        return [
            {
                "order_id": order.intent.order_id,
                "symbol": order.intent.symbol,
                "strategy": order.intent.strategy,
                "side": order.intent.side,
                "state": order.state.value,
                "quantity": f"{order.intent.quantity:f}",
                "filled": f"{order.filled_quantity:f}",
            }
            for order in self._desk.orders()
        ]

    def _positions(self) -> list[Json]:
        found: list[Json] = []
        for position in self._account.parts.ledger.portfolio.positions():
            mark = self._account.mark(position.symbol)
            unrealised = None if mark is None else f"{position.unrealised_quote(mark):f}"
            found.append(
                {
                    "symbol": position.symbol,
                    "strategy": position.strategy,
                    "quantity": f"{position.quantity:f}",
                    "average_price": f"{position.average_price:f}",
                    "mark": None if mark is None else f"{mark:f}",
                    "realised_quote": f"{position.realised_quote:f}",
                    "unrealised_quote": unrealised,
                }
            )
        return found

    async def _set(self, state: TradingState, order: Order) -> None:
        await self._parts.states.change(state, order.actor, order.reason, self._clock.now_ns())

    async def _settled(self) -> bool:
        """Wait until no order is under way; False if some still is after the time for it."""
        deadline_s = self._clock.monotonic_s() + self._parts.settle_s_max
        while self._desk.orders() and self._clock.monotonic_s() < deadline_s:
            await self._desk.follow()
            if self._desk.orders():
                await self._clock.sleep(self._parts.poll_s)
        return not self._desk.orders()

    async def _sell_all(self, command_id: str, attempt: int) -> int:
        """One attempt at every position; returns how many orders left."""
        now_ns, sent = self._clock.now_ns(), 0
        try:
            await self._account.refresh_marks(MARK_AGE_S)
        except AresError as error:
            log.warning("flatten_without_fresh_marks", cause=str(error))
        for position in self._account.parts.ledger.portfolio.positions():
            if position.strategy == FOREIGN:
                continue  # what nobody here ordered, nobody here sells
            for leg in range(LEGS_MAX):
                intent = self._leg(position, command_id, now_ns, leg, attempt)
                if intent is None or self._desk.busy(position.symbol, position.strategy) is not None:
                    break
                if not await self._desk.intend(intent, [self._decision(intent)]):
                    break
                await self._desk.send(intent.order_id)
                sent += 1
        return sent

    def _leg(self, position: Position, command_id: str, now_ns: int, leg: int, attempt: int) -> Intent | None:
        """The next sell of a position, cut to the notional limit; None when what is left cannot be sold."""
        grid = self._account.grid(position.symbol)
        held = self._account.parts.ledger.portfolio.position(position.symbol, position.strategy).quantity
        mark = self._account.mark(position.symbol) or position.average_price
        if grid is None or mark <= 0:
            return None
        limits = self._parts.limits.effective(self._parts.configured(), position.strategy, position.symbol)
        largest = floor_to(limits.order_notional_quote_max / mark, grid.amount_step)
        quantity = min(floor_to(held, grid.amount_step), max(largest, grid.amount_step))
        if quantity == 0 or quantity * mark < grid.cost_min:
            return None
        who = self._account.parts.who
        name = DecisionName(who.account, position.strategy, 0, position.symbol, now_ns, "flatten", leg, attempt)
        return Intent(
            order_id=client_order_id(name),
            account=who.account,
            venue=who.venue,
            symbol=position.symbol,
            strategy=position.strategy,
            version=0,
            side="sell",
            type="market",
            time_in_force="IOC",
            quantity=quantity,
            price=None,
            mark=mark,
            source="flatten",
            cycle_id=command_id,
            correlation_id=correlation_id(command_id, position.strategy, f"{position.symbol}/{leg}/{attempt}"),
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
                action="sell",
                reason="flatten",
                state=self._parts.states.current.state.value,
                mark=intent.mark,
                quantity=portfolio.position(intent.symbol, intent.strategy).quantity,
                target_quantity=ZERO,
                order_quantity=intent.quantity,
                client_order_id=intent.order_id,
            ),
        )

    async def _recorded(self, command: str, order: Order, work: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        command_id = f"{command}-{uuid.uuid4().hex}"
        await self._row(command_id, command, order, "received", None)
        with correlation(command_id), observability.track("command", command=command):
            log.warning("command_received", command=command, actor=order.actor, reason=order.reason)
            try:
                outcome = await work(command_id)
            except AresError as error:
                await self._row(command_id, command, order, "failed", {"error": error.code, "message": str(error)})
                raise
            await self._row(command_id, command, order, "done", outcome)
            log.warning("command_done", command=command, outcome=dict(outcome))
        return {"command_id": command_id, **outcome}

    async def _row(
        self, command_id: str, command: str, order: Order, status: str, outcome: Mapping[str, Json] | None
    ) -> None:
        account = self._account.parts.who.account
        row = Row(
            "commands",
            self._clock.now_ns(),
            {"account": account, "actor": order.actor, "command": command, "status": status},
            {
                "command_id": command_id,
                "seq": 0 if outcome is None else 1,
                "arguments": orjson.dumps({"reason": order.reason, **order.details}).decode(),
                "outcome": None if outcome is None else orjson.dumps(dict(outcome)).decode(),
            },
        )
        await asyncio.to_thread(self._account.parts.control.mirror, [row])
