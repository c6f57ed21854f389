"""The trading cycle: see, decide, write down, send. One decision a strategy and symbol, always a row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, floor_ns
from ares.config.trading import StrategyConfig, TradingConfig
from ares.errors import StoreError, VenueError
from ares.model.row import Row
from ares.telemetry import correlation, get_logger, metrics, observability, trace_id_of
from trader.account import Account
from trader.decide import Inputs, Outcome, decide, opens
from trader.execution.ids import DecisionName, client_order_id, correlation_id, cycle_id
from trader.execution.limits import SetLimits
from trader.execution.pauses import StrategyPauses
from trader.execution.plan_orders import plan_of
from trader.execution.plans import Plans
from trader.execution.protection import Protection
from trader.execution.rests import Rests, wants_out
from trader.execution.state import TradingStates
from trader.limits_configured import limits, sizing
from trader.outage import Outage
from trader.portfolio.legs import only_closes
from trader.portfolio.orders import Intent, OrderState
from trader.portfolio.sizing import Move
from trader.reader import MarketReader, MarketSeen, QuoteSeen, SignalSeen
from trader.risk import Limits, RiskState, build_rules
from trader.risk_now import prices_of, risk_now, scale_now
from trader.rows import Decision, Identity, decision_row

REJECTION_PAUSE_S = 30.0
"""How long a symbol and strategy rests after the venue rejected its order: the next cycle's would fare no better."""

CLOCKS_DIFFER_NS = NANOS_PER_SECOND

log = get_logger(__name__)

Key = tuple[StrategyConfig, str]


@dataclass(frozen=True, slots=True)
class CycleParts:
    """What a cycle works with."""

    config: TradingConfig
    symbols: Sequence[str]
    """Those that a strategy without a list of its own trades."""
    account: Account
    states: TradingStates
    pauses: StrategyPauses
    limits: SetLimits
    protection: Protection
    plans: Plans
    rests: Rests
    reader: MarketReader
    storage: Outage
    """Told whether the database answered."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One run of the cycle. `slot_ns` names it: a run that is repeated after a crash falls into the same slot."""

    now_ns: int
    slot_ns: int
    cycle_id: str
    market: MarketSeen | None


class Cycle:
    """Decides for every strategy and symbol, commits what it decided, then sends all orders at once."""

    def __init__(self, parts: CycleParts) -> None:
        self._config = self._next_config = parts.config
        self._configured = limits(parts.config)
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._ledger = parts.account.parts.ledger
        self._clock = parts.account.parts.clock
        self._states = parts.states
        self._pauses = parts.pauses
        self._storage = parts.storage
        self._protection = parts.protection
        self._plans = parts.plans
        self._rests = parts.rests
        self._reader = parts.reader
        self._who: Identity = parts.account.parts.who
        self._keys = [(s, symbol) for s in parts.config.strategies for symbol in s.symbols or tuple(parts.symbols)]
        self._limits = parts.limits
        self._rests_until_ns: dict[tuple[str, str], int] = {}
        self.newest: list[Decision] = []
        """What the last cycle decided."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every strategy and symbol that it decides for."""
        return [(strategy.name, symbol) for strategy, symbol in self._keys]

    def reconfigure(self, config: TradingConfig) -> None:
        """Work by these settings from the next cycle on; one that runs keeps those it began with."""
        self._next_config = config

    async def run(self) -> list[Decision]:
        """One cycle; returns its decisions. A QuestDB that is away makes every decision a skip, and no error."""
        started_s = self._clock.monotonic_s()
        if self._next_config is not self._config:
            self._config = self._next_config
            self._configured = limits(self._config)
        await self._states.refresh()
        await self._limits.refresh()
        await self._pauses.refresh()
        moment = await self._look()
        decisions, order_ids = await self._decide_all(moment)
        self.newest = decisions
        await asyncio.gather(*(self._send(order_id) for order_id in order_ids), self._plans.tend())
        self._protection.restore("signal")
        await self._protection.tend()
        await self._write_equity()
        metrics.TRADER_CYCLES.labels("ok" if moment.market is not None else "store_unavailable").inc()
        metrics.TRADER_CYCLE_SECONDS.observe(self._clock.monotonic_s() - started_s)
        return decisions

    async def _write_equity(self) -> None:
        """What all is worth after this cycle; not at all rather than with the cash of before a fill."""
        await self._refresh_balances()
        if self._account.balances_are_current and self._account.has_marks():
            await self._account.write_equity(self._clock.now_ns())

    async def _refresh_balances(self) -> None:
        """Limits on shares of the account want cash and positions of one moment: ask after a fill, and only then."""
        if self._account.balances_are_current:
            return
        try:
            async with asyncio.timeout(self._config.cycle_s):
                await self._account.refresh_balances()
        except (VenueError, TimeoutError) as error:
            log.warning("balances_not_refreshed", cause=str(error) or type(error).__name__)

    async def _look(self) -> Moment:
        before_ns = self._clock.now_ns()
        market: MarketSeen | None = None
        try:
            async with asyncio.timeout(self._config.cycle_s):
                market = await self._reader.read(before_ns)
        except (StoreError, TimeoutError) as error:
            cause = str(error) or type(error).__name__
            self._storage.away(cause)
            log.warning("cycle_without_data", cause=cause)
        else:
            self._storage.well()
        if market is not None:
            for symbol, quote in market.quotes.items():
                # One from the future would count as young for as long as that clock is ahead.
                if quote.sane and quote.received_at_ns <= before_ns + CLOCKS_DIFFER_NS:
                    self._account.parts.marks.learn(symbol, quote.mark, quote.received_at_ns)
        await self._refresh_marks()
        await self._refresh_balances()
        # The slot is taken after reading: what was read is at most as new as the decision says.
        now_ns = self._clock.now_ns()
        slot_ns = floor_ns(now_ns, round(self._config.cycle_s * NANOS_PER_SECOND))
        return Moment(now_ns, slot_ns, cycle_id(self._who.account, slot_ns), market)

    async def _refresh_marks(self) -> None:
        """Where the rows tell no price of something that is held, the venue is asked before the last one is too old."""
        try:
            async with asyncio.timeout(self._config.cycle_s):
                await self._account.refresh_marks(float(self._effective().mark_age_s_max) / 2)
        except (VenueError, TimeoutError) as error:
            log.warning("marks_not_refreshed", cause=str(error) or type(error).__name__)

    async def _decide_all(self, moment: Moment) -> tuple[list[Decision], list[str]]:
        """All decisions, written down; and the orders that were committed and wait to be sent."""
        decisions: list[Decision] = []
        order_ids: list[str] = []
        rows: list[Row] = []
        await self._account.note_profit(moment.now_ns, self._effective().mark_age_s_max)
        for key in self._keys:
            outcome = await self._considered(key, moment)
            decision = self._decision(key, moment, outcome)
            if decision.client_order_id is not None and outcome.move is not None:
                committed, order_id = await self._commit(key, moment, decision, outcome.move)
                if order_id is not None:
                    order_ids.append(order_id)
                if not committed:
                    decision = self._decision(key, moment, Outcome("skip", "order_stands_already", outcome.move))
                    rows.append(decision_row(self._who, decision))
            else:
                rows.append(decision_row(self._who, decision))
            self._tell(decision)
            decisions.append(decision)
        await asyncio.to_thread(self._account.parts.control.mirror, rows)
        return decisions, order_ids

    async def _commit(self, key: Key, moment: Moment, decision: Decision, move: Move) -> tuple[bool, str | None]:
        """Write down what is to be sent, with its row; whether it was, and the order that waits to be sent."""
        strategy, symbol = key
        row, policy = decision_row(self._who, decision), self._plans.policy(strategy.name)
        if policy is None:
            intent = self._intent(key, moment, decision, move)
            committed = await self._desk.intend(intent, [row])
            return committed, intent.order_id if committed else None
        assert move.side is not None, "an order has a side"
        held = self._ledger.portfolio.position(symbol, strategy.name).quantity
        reduces = only_closes(symbol, held, move.side, move.quantity)
        plan = plan_of(self._who, decision, move, policy, moment.slot_ns, reduces=reduces)
        return await self._plans.start(plan, [row]), None

    async def _considered(self, key: Key, moment: Moment) -> Outcome:
        """What to do, once nothing else may close what is to be closed: what protects it is lifted first."""
        strategy, symbol = key
        signal = (moment.market or MarketSeen()).signals.get((strategy.name, strategy.version, symbol))
        if signal is not None and signal.target is not None:
            about = (symbol, strategy.name, strategy.version)
            if wants_out(signal.target, self._rests.side(*about)):
                await self._rests.wants_out(*about, known_at_ns=signal.known_at_ns, now_ns=moment.now_ns)
        if signal is not None and self._plans.is_outdated(symbol, strategy.name, signal.known_at_ns):
            await self._plans.end((symbol, strategy.name), "superseded")
        outcome = self._outcome(key, moment)
        known_at_ns = 0 if signal is None else signal.known_at_ns
        if outcome.action in ("buy", "sell") and self._plans.is_over(symbol, strategy.name, known_at_ns):
            return Outcome("skip", "plan_over", outcome.move, scale=outcome.scale)
        if self._desk.protecting(symbol, strategy.name, outcome.action):
            if not await self._protection.lift(symbol, strategy.name, "signal"):
                return Outcome("skip", "protection_stands", outcome.move, scale=outcome.scale)
            outcome = self._outcome(key, moment)  # it may have been executed meanwhile
        return outcome

    def _outcome(self, key: Key, moment: Moment) -> Outcome:
        strategy, symbol = key
        market = moment.market or MarketSeen()
        effective = self._effective(strategy.name, symbol)
        scale = scale_now(self._account, self._config, effective, market, symbol)
        metrics.TRADER_LIMIT_SCALE.labels(symbol).set(float(scale))
        grid = self._account.grid(symbol)
        assert grid is not None, "reconciling learned it, and cycles start after that"
        inputs = Inputs(
            strategy=strategy.name,
            symbol=symbol,
            now_ns=self._clock.now_ns(),  # of this moment: what was read may have aged while others were waited for
            held=self._ledger.portfolio.position(symbol, strategy.name).quantity,
            grid=grid,
            sizing=sizing(self._config, strategy, effective),
            signal=market.signals.get((strategy.name, strategy.version, symbol)),
            quote=market.quotes.get(symbol),
            obstacle=self._obstacle(strategy, symbol, moment),
        )

        def risk_state(signal: SignalSeen, quote: QuoteSeen) -> RiskState:
            return self._risk_state(moment, symbol, (signal, quote), effective.sent_s)

        outcome = replace(decide(inputs, build_rules(effective.scaled(scale)), risk_state), scale=scale)
        known = self._account.parts.instruments.peek(symbol, self._config.instrument_age_s_max)
        if opens(symbol, inputs.held, outcome):  # the way out stays open
            why_not = "instrument_stale" if known is None else self._protection.obstacle(symbol, strategy.name)
            why_not = self._account.parts.announced.obstacle(moment.now_ns) or why_not
            if why_not is not None:
                return Outcome("skip", why_not, outcome.move, scale=scale)
        return outcome

    def _effective(self, strategy: str = "", symbol: str = "") -> Limits:
        """The limits of an order, or of the account."""
        return self._limits.effective(self._configured, strategy, symbol)

    def _obstacle(self, strategy: StrategyConfig, symbol: str, moment: Moment) -> str | None:
        if strategy.name in self._pauses.paused:
            return "paused"
        if moment.market is None:
            return "store_unavailable"
        plan = self._plans.obstacle(symbol, strategy.name)
        if plan is not None:
            return plan
        order = self._desk.busy(symbol, strategy.name)
        if order is not None:
            return "order_unknown" if order.state is OrderState.UNKNOWN else "order_open"
        if self._rests_until_ns.get((symbol, strategy.name), 0) > moment.now_ns:
            return "resting_after_rejection"
        return self._account.parts.gateway.obstacle(symbol)

    def _risk_state(self, moment: Moment, symbol: str, seen: tuple[SignalSeen, QuoteSeen], sent_s: int) -> RiskState:
        signal, quote = seen
        market = moment.market or MarketSeen()
        now_ns = self._clock.now_ns()
        prices = prices_of(symbol, quote, market, signal.known_at_ns, now_ns)
        return risk_now(self._account, self._states.effective, now_ns, prices, sent_s)

    def _decision(self, key: Key, moment: Moment, outcome: Outcome) -> Decision:
        strategy, symbol = key
        market = moment.market or MarketSeen()
        signal, quote = market.signals.get((strategy.name, strategy.version, symbol)), market.quotes.get(symbol)
        move = outcome.move
        sends = outcome.action in ("buy", "sell")
        name = DecisionName(self._who.account, strategy.name, strategy.version, symbol, moment.slot_ns)
        return Decision(
            ts_ns=moment.now_ns,
            cycle_id=moment.cycle_id,
            correlation_id=correlation_id(moment.cycle_id, strategy.name, symbol),
            strategy=strategy.name,
            version=strategy.version,
            symbol=symbol,
            action=outcome.action,
            reason=outcome.reason,
            state=self._states.effective.value,
            refusal=outcome.refusal,
            warnings=outcome.warnings,
            scale=outcome.scale,
            trace_id="" if signal is None else trace_id_of(self._who.venue, symbol, signal.ts_ns // MINUTE_NS),
            signal_ts_ns=None if signal is None else signal.ts_ns,
            signal_known_at_ns=None if signal is None else signal.known_at_ns,
            target=None if signal is None else signal.target,
            confidence=None if signal is None else signal.confidence,
            mark=None if quote is None else quote.mark,
            quantity=self._ledger.portfolio.position(symbol, strategy.name).quantity,
            target_quantity=None if move is None else move.target_quantity,
            order_quantity=None if move is None else move.quantity,
            client_order_id=client_order_id(name) if sends else None,
        )

    def _intent(self, key: Key, moment: Moment, decision: Decision, move: Move) -> Intent:
        strategy, symbol = key
        assert move.side is not None, "an order has a side"
        assert decision.client_order_id is not None, "an order has an id"
        assert decision.mark is not None, "an order was sized by a mark"
        market_order = self._config.order_type == "market"
        return Intent(
            order_id=decision.client_order_id,
            account=self._who.account,
            venue=self._who.venue,
            symbol=symbol,
            strategy=strategy.name,
            version=strategy.version,
            side=move.side,
            type="market" if market_order else "limit",
            time_in_force="IOC",
            quantity=move.quantity,
            price=None if market_order else move.price,
            mark=decision.mark,
            source="signal",
            cycle_id=moment.cycle_id,
            correlation_id=decision.correlation_id,
            decided_at_ns=moment.now_ns,
            signal_known_at_ns=decision.signal_known_at_ns,
            trace_id=decision.trace_id,
        )

    async def _send(self, order_id: str) -> None:
        order = await self._desk.send(order_id)
        if order.state is OrderState.REJECTED:
            rest_ns = round(REJECTION_PAUSE_S * NANOS_PER_SECOND)
            key = (order.intent.symbol, order.intent.strategy)
            self._rests_until_ns[key] = self._clock.now_ns() + rest_ns

    def _tell(self, decision: Decision) -> None:
        metrics.TRADER_DECISIONS.labels(decision.strategy, decision.symbol, decision.action).inc()
        if decision.action == "refuse" and decision.refusal is not None:
            metrics.TRADER_REFUSALS.labels(decision.refusal.rule).inc()
        for warned in decision.warnings:
            metrics.TRADER_LIMIT_WARNINGS.labels(warned.rule).inc()
            log.warning("limit_near", rule=warned.rule, observed=f"{warned.observed:f}", soft=f"{warned.soft:f}")
        if decision.trace_id:
            observability.record(
                "decision",
                decision.trace_id,
                decision.ts_ns,
                self._clock.now_ns(),
                symbol=decision.symbol,
                strategy=decision.strategy,
                action=decision.action,
            )
        # What leads to no order is a row, and in the log for those who want it.
        say = log.debug if decision.action in ("skip", "hold") else log.info
        with correlation(decision.correlation_id):
            say(
                "decided",
                strategy=decision.strategy,
                symbol=decision.symbol,
                action=decision.action,
                reason=decision.reason,
                order_id=decision.client_order_id,
            )
