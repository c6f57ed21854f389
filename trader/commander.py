"""What people may order. None of it needs QuestDB or the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import Clock, isoformat
from ares.config.trading import TradingConfig
from ares.control import Json
from ares.errors import UnknownName, UsageError
from trader.account import Account
from trader.alerts import ACTIONS, FLATTEN, Alert, AlertsTaken
from trader.amend import Amending, AmendParts, Change, OrderIsOver
from trader.command_log import Command, CommandLog, Order, Outcome
from trader.cycle import Cycle
from trader.events import CapitalMoved, StrategyPaused, StrategyResumed
from trader.execution.lease import Leadership, NotLeading
from trader.execution.limits import Scope, SetLimits
from trader.execution.pauses import StrategyPauses
from trader.execution.plans import Plans
from trader.execution.protection import Protection
from trader.execution.state import ALERT, TradingStates
from trader.flatten import Flattening
from trader.handover.desk import HandoverDesk
from trader.limits_configured import limits
from trader.limits_shown import limits_shown, shown
from trader.live.consent import Consent
from trader.live.gate import Gate
from trader.manual import ManualOrders, ManualParts
from trader.manual_words import Wish
from trader.reader import MarketReader
from trader.risk import TradingState
from trader.standing import Standing
from trader.watch import Life
from trader.why import Circumstances, decided, sentence

__all__ = ["Commander", "CommanderParts", "NotAgreed", "NotLeading", "Order", "OrderIsOver"]


class NotAgreed(UsageError):
    """What is traded was not agreed to, so nobody may let it be traded."""

    code = "not_agreed"


@dataclass(frozen=True, slots=True)
class CommanderParts:
    """What orders are carried out with. `symbols`: what the account trades; `gate`: what forbids to trade it."""

    account: Account
    states: TradingStates
    pauses: StrategyPauses
    limits: SetLimits
    leadership: Leadership
    clock: Clock
    protection: Protection
    plans: Plans
    cycle: Cycle
    reader: MarketReader
    symbols: Sequence[str]
    config: Callable[[], TradingConfig]
    settle_s_max: float
    poll_s: float
    is_ready: Callable[[], bool]
    gate: Gate
    life: Life
    handover: HandoverDesk


class Commander:
    """Carries out orders, those that take long one at a time; each leaves rows in `commands`."""

    def __init__(self, parts: CommanderParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._clock = parts.clock
        self._one_at_a_time = asyncio.Lock()
        who, control = parts.account.parts.who, parts.account.parts.control
        self._record = CommandLog(control, who.account, parts.clock)
        self.consent = Consent(parts.gate, parts.states, self._record, parts.clock)
        self.handover = parts.handover
        self._alerts = AlertsTaken(control, who.account)
        self._plans = parts.plans
        self._standing = Standing(
            parts.account, parts.states, parts.pauses, parts.leadership, plans=parts.plans, is_ready=parts.is_ready
        )
        self._flattening = Flattening(
            parts.account,
            parts.states,
            parts.protection,
            lambda strategy, symbol: parts.limits.effective(limits(parts.config()), strategy, symbol),
            settle_s_max=parts.settle_s_max,
            poll_s=parts.poll_s,
        )
        self._manual = ManualOrders(
            ManualParts(
                account=parts.account,
                states=parts.states,
                protection=parts.protection,
                limits=parts.limits,
                leadership=parts.leadership,
                reader=parts.reader,
                config=parts.config,
                symbols=parts.symbols,
                is_ready=parts.is_ready,
            )
        )
        self._amending = Amending(
            AmendParts(
                account=parts.account,
                manual=self._manual,
                is_of_plan=lambda order_id: parts.plans.key_of(order_id) is not None,
                settle_s_max=parts.settle_s_max,
                poll_s=parts.poll_s,
            )
        )

    async def halt(self, order: Order) -> Outcome:
        """HALTED at once; open orders are cancelled if this process leads, else by the leader at its next look.

        Those that protect a position stay, for they only shrink it.
        """

        async def work(_: str) -> Outcome:
            return {"state": TradingState.HALTED.value, "cancels_asked": await self._cancel_if_leading()}

        # The state comes before the lock of slow commands: a halt never waits.
        await self._set(TradingState.HALTED, order)
        return await self._record.recorded(Command("halt", order), work)

    async def resume(self, order: Order) -> Outcome:
        """ACTIVE again, once a flatten that is under way has ended; a sign of life, too.

        Raises `NotAgreed`, `AnotherTrades`.
        """

        async def work(_: str) -> Outcome:
            obstacle = await self._parts.gate.obstacle()
            if obstacle is not None:
                raise NotAgreed(f"resume = now: {obstacle}. See `ares trader live status`")
            self._account.parts.rivals.require_none("resume")
            self._parts.life.sign()
            await self._set(TradingState.ACTIVE, order)
            return {"state": TradingState.ACTIVE.value}

        async with self._one_at_a_time:
            return await self._record.recorded(Command("resume", order), work)

    async def pause(self, order: Order, strategy: str) -> Outcome:
        """Let one strategy rest: it decides nothing until it is resumed. Raises `UnknownName`."""
        self._check_strategy(strategy)
        return await self._say("pause", order, StrategyPaused(strategy, order.actor, order.reason))

    async def resume_strategy(self, order: Order, strategy: str) -> Outcome:
        """Let a strategy that rests trade again. Raises `UnknownName`."""
        if strategy not in self._parts.pauses.paused:  # one that was taken out of the settings may still rest
            self._check_strategy(strategy)
        return await self._say("resume", order, StrategyResumed(strategy, order.actor, order.reason))

    async def cancel(self, order: Order, order_id: str) -> Outcome:
        """Ask the venue for the end of one order, or end the plan that it is of; tells what the venue shows then.

        Raises `NotLeading`, `UnknownName`, `OrderIsOver`.
        """

        async def work(_: str) -> Outcome:
            self._require_lead("cancel")
            plan = self._plans.key_of(order_id)
            if plan is not None:
                ended = await self._plans.end(plan, "cancelled")
                return {"order_id": order_id, "plan": "ended" if ended else "ending"}
            standing = await self._account.parts.journal.find(order_id)
            if standing is None:
                raise UnknownName("order", order_id, [each.intent.order_id for each in self._desk.orders()])
            if standing.state.final:
                raise OrderIsOver(f"order = {order_id!r}: it is {standing.state} already, nothing is left to cancel")
            asked = await self._desk.cancel(order_id)
            await self._desk.follow()
            after = await self._account.parts.journal.find(order_id)
            assert after is not None, "the journal forgets nothing"
            return {"cancels_asked": int(asked), "order_id": order_id, "order_state": after.state.value}

        return await self._record.recorded(Command("cancel", order, {"order_id": order_id}, audited=True), work)

    async def cancel_all(self, order: Order) -> Outcome:
        """The same for every order and plan, but for orders that protect a position. Raises `NotLeading`."""

        async def work(_: str) -> Outcome:
            self._require_lead("cancel")
            await self._plans.end_all("cancelled")
            asked = await self._desk.cancel_open()
            await self._desk.follow()
            return {"cancels_asked": asked, "orders_left": [each.intent.order_id for each in self._desk.orders()]}

        return await self._record.recorded(Command("cancel", order, {"order_id": None}, audited=True), work)

    async def preview(self, wish: Wish) -> Outcome:
        """What would be sent and what every rule says to it; nothing is sent."""
        return await self._manual.preview(wish)

    async def order(self, order: Order, wish: Wish) -> Outcome:
        """Send an order by hand through the rules. Raises `NotLeading`, `UsageError`."""

        async def work(_: str) -> Outcome:
            return await self._manual.send(wish)

        arguments: dict[str, Json] = {
            "symbol": wish.symbol,
            "side": wish.side,
            "quantity": f"{wish.quantity:f}",
            "price": None if wish.price is None else f"{wish.price:f}",
            "strategy": wish.strategy,
            "id": wish.key,
        }
        return await self._record.recorded(Command("order", order, arguments, audited=True), work)

    async def amend(self, order: Order, order_id: str, change: Change) -> Outcome:
        """Change an order that stands. Raises `NotLeading`, `UsageError`."""

        async def work(_: str) -> Outcome:
            self._require_lead("amend")
            return await self._amending.amend(order_id, change)

        figures = {"quantity": change.quantity, "price": change.price}
        said: dict[str, Json] = {name: None if each is None else f"{each:f}" for name, each in figures.items()}
        return await self._record.recorded(Command("amend", order, {"order_id": order_id, **said}, audited=True), work)

    async def flatten(self, order: Order) -> Outcome:
        """HALTED, then every position is closed at market; it stays HALTED. Raises `NotLeading`."""

        async def work(command_id: str) -> Outcome:
            return {"state": TradingState.HALTED.value, **await self._flatten(command_id)}

        await self._set(TradingState.HALTED, order)
        return await self._record.recorded(Command("flatten", order), work)

    async def move_capital(self, order: Order, movement_id: str, amount: Decimal) -> Outcome:
        """Write down once, by its id, what came (above 0) or went, in quote. Raises `NotLeading`."""

        async def work(_: str) -> Outcome:
            self._require_lead("capital")
            capital = self._account.parts.capital
            new = await capital.move(CapitalMoved(movement_id, amount, order.actor, order.reason), self._clock.now_ns())
            state = self._parts.states.current.state.value
            return {"state": state, "new": new, "amount": f"{amount:f}", "capital": f"{capital.quote:f}"}

        async with self._one_at_a_time:
            said: dict[str, Json] = {"id": movement_id, "amount": f"{amount:f}"}
            return await self._record.recorded(Command("capital", order, said), work)

    async def set_limit(self, order: Order, scope: Scope, value: Decimal | None) -> Outcome:
        """Set a limit, or let its setting hold again without a value. Raises `UsageError`."""

        async def work(_: str) -> Outcome:
            change, holds = await self._parts.limits.change(
                limits(self._parts.config()), scope, value, actor=order.actor, reason=order.reason
            )
            return {"id": change.id, "holds": holds, "name": change.name, "value": shown(change.value)}

        said: dict[str, Json] = {
            "name": scope.name,
            "value": shown(value),
            "strategy": scope.strategy,
            "symbol": scope.symbol,
        }
        return await self._record.recorded(Command("risk_set", order, said), work)

    async def approve_limit(self, order: Order, change_id: str) -> Outcome:
        """Agree to a limit that another person asked for. Raises `UsageError`."""

        async def work(_: str) -> Outcome:
            change = await self._parts.limits.approve(limits(self._parts.config()), change_id, order.actor)
            return {"id": change.id, "holds": True, "name": change.name, "value": shown(change.value)}

        return await self._record.recorded(Command("risk_approve", order, {"id": change_id}), work)

    async def limits(self) -> Outcome:
        """Every limit as it holds, what the settings say, who set it, and what waits for a second person."""
        await self._parts.limits.refresh()
        return limits_shown(self._parts.limits, limits(self._parts.config()))

    async def approvals(self) -> Outcome:
        """What waits for a second person: to go live, and limits that somebody would raise."""
        return {"live": await self.consent.shown(), "limits": (await self.limits())["asked"]}

    async def alive(self, _order: Order) -> Outcome:
        """A sign of life for the dead man's timer. It leaves no row: it comes every few seconds."""
        state = await self._parts.states.refresh()
        self._parts.life.sign()
        return {"state": state.state.value, "next_within_s": self._parts.config().dead_man_s}

    async def alerts(self, alerts: Sequence[Alert]) -> Outcome:
        """Do what firing alerts ask for, each firing once, however often it is told."""
        taken: list[Json] = []
        for alert in alerts:
            if not await self._alerts.holds(alert):
                await self._take(alert)
                taken.append(alert.name)
        state = await self._parts.states.refresh()
        return {"state": state.state.value, "taken": taken, "repeated": len(alerts) - len(taken)}

    async def idle(self, seconds_max: float) -> None:
        """Return once no slow command is being carried out, or after `seconds_max`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max), self._one_at_a_time:
                return

    async def status(self) -> Outcome:
        """What the trader is, holds and waits for."""
        return await self._standing.tell()

    async def why(self, symbol: str | None) -> Outcome:
        """Why nothing is being traded now, for each strategy and symbol. Raises `UnknownName`."""
        if symbol is not None and symbol not in self._parts.symbols:
            raise UnknownName("symbol", symbol, list(self._parts.symbols))
        head = await self._standing.head()
        now = self._circumstances()
        newest = {(each.strategy, each.symbol): each for each in self._parts.cycle.newest}
        lines: list[Json] = []
        for strategy, traded in self._parts.cycle.pairs:
            if symbol not in (None, traded):
                continue
            decision = newest.get((strategy, traded))
            at = None if decision is None else isoformat(decision.ts_ns)
            seen = None if decision is None else decided(decision, str(at))
            lines.append(
                {"strategy": strategy, "symbol": traded, "decided_at": at, "why": sentence(seen, now, strategy)}
            )
        return {**head, "lines": lines}

    def _circumstances(self) -> Circumstances:
        state = self._parts.states.current
        pauses = self._parts.pauses.paused
        return Circumstances(
            state=state.state.value,
            actor=state.actor,
            reason=state.reason,
            since=isoformat(state.ts_ns),
            maintenance=self._parts.states.in_maintenance,
            announced=self._parts.account.parts.announced.said(self._clock.now_ns()),
            ready=self._parts.is_ready(),
            leader=self._parts.leadership.lease is not None,
            pauses={name: f"since {isoformat(p.ts_ns)} by {p.actor}: {p.reason}" for name, p in pauses.items()},
        )

    async def _take(self, alert: Alert) -> None:
        order = Order(ALERT, alert.reason)

        async def work(command_id: str) -> Outcome:
            asked = 0
            done: Outcome = {}
            state = await self._parts.states.alerted(ACTIONS[alert.action], alert.reason, self._clock.now_ns())
            if state.state is TradingState.HALTED:
                asked = await self._cancel_if_leading()
            if alert.action == FLATTEN:
                done = await self._flatten(command_id)
            # Noted once it is done: what failed, as where another one leads, is asked for again and tried again.
            await self._alerts.add(alert, self._clock.now_ns())
            return {"state": state.state.value, "cancels_asked": asked, **done}

        arguments = {"alert": alert.name, "action": alert.action, "fingerprint": alert.fingerprint}
        await self._record.recorded(Command("alert", order, arguments), work)

    async def _flatten(self, command_id: str) -> Outcome:
        async with self._one_at_a_time:
            self._require_lead("flatten")
            await self._plans.end_all("flattened")
            return await self._flattening.run(command_id)

    async def _say(self, name: str, order: Order, said: StrategyPaused | StrategyResumed) -> Outcome:
        async def work(_: str) -> Outcome:
            changed = await self._parts.pauses.say(said, self._clock.now_ns())
            rests = sorted(self._parts.pauses.paused)
            return {"strategy": said.strategy, "changed": changed, "paused": [*rests]}

        return await self._record.recorded(Command(name, order, {"strategy": said.strategy}), work)

    def _check_strategy(self, name: str) -> None:
        known = [each.name for each in self._parts.config().strategies]
        if name not in known:
            raise UnknownName("strategy", name, known)

    def _require_lead(self, command: str) -> None:
        self._parts.leadership.require(command, is_ready=self._parts.is_ready())

    async def _cancel_if_leading(self) -> int:
        return await self._desk.cancel_open() if self._parts.leadership.may_send() else 0

    async def _set(self, state: TradingState, order: Order) -> None:
        await self._parts.states.change(state, order.actor, order.reason, self._clock.now_ns())
