"""Carries out decisions in several orders: looks at every plan again and again, and does what its policy says.

A plan is committed before its first order, each order before it is sent. What was done of a plan is what the order
journal says of its orders, whose ids count them, so whoever starts next goes on where this process was. A plan that is
to end is committed as ending first: then its order is cancelled and seen to be gone, and only then it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ares.config.trading import TradingConfig
from ares.errors import StoreError, VenueError
from ares.model.row import Row
from ares.telemetry import correlation, get_logger, metrics
from trader.account import Account
from trader.decide import age_s
from trader.execution.lease import Leadership
from trader.execution.limits import SetLimits
from trader.execution.pauses import StrategyPauses
from trader.execution.plan_journal import PlanJournal
from trader.execution.plan_orders import child_id, child_intent
from trader.execution.protection import Protection
from trader.execution.state import TradingStates
from trader.limits_configured import limits
from trader.portfolio.legs import way_out
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Order, OrderState
from trader.portfolio.plans import (
    Child,
    ExecutionPolicy,
    Moment,
    Plan,
    Progress,
    Recall,
    Stop,
    Wait,
    next_step,
    shortfall_bips,
)
from trader.reader import MarketReader, MarketSeen, QuoteSeen
from trader.risk import Candidate, Refused, TradingState, build_rules
from trader.risk_now import prices_of, risk_now, scale_now

LOOK_S = 0.5
"""How often plans are looked at."""
READ_S_MAX = 2.0
"""How long QuestDB is waited for; without it nothing is known of the market, and no order of a plan leaves."""

Key = tuple[str, str]
"""(symbol, strategy)"""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlansParts:
    """What plans are carried out with. `settle_s_max`: how long a cancel's evidence is waited for; `poll_s`: how often.

    `policies`: by strategy; who is missing sends one order a decision.
    """

    account: Account
    states: TradingStates
    pauses: StrategyPauses
    limits: SetLimits
    leadership: Leadership
    protection: Protection
    reader: MarketReader
    config: Callable[[], TradingConfig]
    policies: Mapping[str, ExecutionPolicy]
    settle_s_max: float
    poll_s: float


@dataclass(slots=True)
class Running:
    """A plan under way. `orders`: how many were committed; `over`: those that are settled; `waits`: the last reason."""

    plan: Plan
    ending: str = ""
    orders: int = 0
    over: dict[str, Order] = field(default_factory=dict)
    waits: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Plans:
    """One plan a symbol and strategy. `start` begins one, `tend` takes all a step further, `end` ends one."""

    def __init__(self, parts: PlansParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._clock = parts.account.parts.clock
        self._portfolio = parts.account.parts.ledger.portfolio
        self._journal = PlanJournal(parts.account.parts.control, parts.account.parts.who.account)
        self._running: dict[Key, Running] = {}

    async def load(self) -> None:
        """Take over what the journal says is under way; orders were loaded before."""
        for found in await self._journal.load():
            running = Running(found.plan, found.ending, await self._count(found.plan, 0))
            self._running[found.plan.key] = running
            log.info("plan_taken_over", plan_id=found.plan.plan_id, orders=running.orders)

    async def run(self) -> None:
        """Look after plans until cancelled. Raises what ends the trading."""
        while True:
            await self._clock.sleep(LOOK_S)
            await self.tend()

    def policy(self, strategy: str) -> ExecutionPolicy | None:
        """How a strategy's decisions are carried out; None: in one order each."""
        return self._parts.policies.get(strategy)

    def under_way(self) -> list[tuple[Plan, str]]:
        """Plans that did not end, and why they are about to, if so."""
        return [(running.plan, running.ending) for running in self._running.values()]

    def is_over(self, symbol: str, strategy: str, known_at_ns: int) -> bool:
        """Whether a signal has had a plan that left something undone: only a newer one has another."""
        return strategy in self._parts.policies and self._journal.is_over(symbol, strategy, known_at_ns)

    def obstacle(self, symbol: str, strategy: str) -> str | None:
        """Why nothing may be decided for a symbol and strategy: a decision of before is being carried out."""
        running = self._running.get((symbol, strategy))
        return None if running is None else "plan_ends" if running.ending else "plan_under_way"

    def is_outdated(self, symbol: str, strategy: str, known_at_ns: int) -> bool:
        """Whether a plan is under way that rests on an older signal than this."""
        running = self._running.get((symbol, strategy))
        return running is not None and running.plan.signal_known_at_ns < known_at_ns

    def key_of(self, order_id: str) -> Key | None:
        """Whose plan under way an id is of: its own, or that of one of its orders."""
        for key, running in self._running.items():
            if order_id in (child_id(running.plan, number) for number in range(max(1, running.orders))):
                return key
        return None

    async def start(self, plan: Plan, mirror: Sequence[Row]) -> bool:
        """Commit a plan with its rows; False, and nothing is written, if it was before or another one is under way.

        `tend` sends its first order.
        """
        if plan.key in self._running or self._journal.is_newest(plan) or await self._count(plan, 0):
            return False
        await self._journal.started(plan, mirror)
        self._running[plan.key] = Running(plan)
        log.info("plan_started", plan_id=plan.plan_id, policy=plan.policy.name, quantity=f"{plan.quantity:f}")
        return True

    async def tend(self) -> None:
        """Take every plan a step further, as far as there is one.

        Raises nothing of the venue's or the database's: what was not seen now is seen next time.
        """
        await self._cancel_left()
        if not self._running:
            return
        await self._parts.states.refresh()
        await self._parts.pauses.refresh()
        await self._parts.limits.refresh()
        market = await self._market()
        filled = self._portfolio.fills
        await asyncio.gather(*(self._tend(running, market) for running in list(self._running.values())))
        if self._portfolio.fills != filled:
            await self._parts.protection.tend()

    async def end(self, key: Key, reason: str) -> bool:
        """End a plan and wait until none of its orders works any more; False if one still may."""
        running = self._running.get(key)
        if running is None:
            return True
        if not self._parts.leadership.may_send():
            return False  # whoever leads next ends it
        async with running.lock:
            if self._running.get(key) is not running:
                return True
            await self._say_ending(running, reason)
            until_s = self._clock.monotonic_s() + self._parts.settle_s_max
            while not await self._finish(running):
                if self._clock.monotonic_s() >= until_s:
                    return False
                await self._clock.sleep(self._parts.poll_s)
            return True

    async def end_all(self, reason: str) -> None:
        """The same for every plan, as far as their orders are seen to be gone; what is not ends later."""
        await asyncio.gather(*(self.end(key, reason) for key in list(self._running)))

    async def _tend(self, running: Running, market: MarketSeen) -> None:
        async with running.lock:
            if self._running.get(running.plan.key) is not running:
                return
            with correlation(running.plan.correlation_id):
                try:
                    await self._step(running, market)
                except VenueError as error:
                    log.warning("plan_unclear", plan_id=running.plan.plan_id, cause=str(error))

    async def _cancel_left(self) -> None:
        """An order of a plan that has ended: a leader of before, waking up late, ended it under our hands."""
        for order in self._desk.orders():
            intent = order.intent
            newest = self._journal.newest(*intent.key)
            ended = newest is not None and newest.correlation_id == intent.correlation_id
            if ended and intent.key not in self._running and intent.type == "limit_maker":
                log.warning("plan_order_left", order_id=intent.order_id)
                await self._desk.cancel(intent.order_id)
                await self._desk.follow({intent.order_id})

    async def _step(self, running: Running, market: MarketSeen) -> None:
        if not self._parts.leadership.may_send():
            return  # whoever leads next goes on
        reason = running.ending or self._end_reason(running.plan)
        if reason:
            await self._say_ending(running, reason)
            await self._finish(running)
            return
        step = await self._next(running, market)
        held = self._portfolio.position(*running.plan.key).quantity
        if isinstance(step, Child) and held and way_out(held) == running.plan.side:
            if not await self._parts.protection.lift(*running.plan.key, "plan"):
                return
            step = await self._next(running, market)  # what protected it may have been executed meanwhile
        match step:
            case Child():
                await self._send(running, step, market)
            case Recall(reason):
                log.info("plan_recalls", plan_id=running.plan.plan_id, cause=reason)
                await self._cancel_working(running)
            case Stop(reason):
                await self._say_ending(running, reason)
                await self._finish(running)
            case Wait(reason):
                self._note(running, reason)

    async def _next(self, running: Running, market: MarketSeen) -> Child | Wait | Recall | Stop:
        plan, grid = running.plan, self._account.grid(running.plan.symbol)
        if grid is None:
            return Wait("instrument_unknown")
        held = self._portfolio.position(*plan.key).quantity
        quote = self._young_quote(plan, market)
        moment = Moment(
            now_ns=self._clock.now_ns(),
            closable=max(ZERO, held if plan.side == "sell" else -held),
            grid=grid,
            bid=None if quote is None else quote.bid,
            ask=None if quote is None else quote.ask,
        )
        return next_step(plan, await self._progress(running), moment)

    def _end_reason(self, plan: Plan) -> str:
        """Why a plan must not go on, whatever its policy says."""
        state = self._parts.states.effective
        if plan.strategy in self._parts.pauses.paused:
            return "paused"
        if state is TradingState.HALTED:
            return "halted"
        if state is TradingState.REDUCING and not plan.reduces:
            return "reducing"
        if not plan.reduces and self._parts.protection.obstacle(*plan.key) == "stopped_out":
            return "stopped_out"
        known = {(strategy.name, strategy.version) for strategy in self._parts.config().strategies}
        return "" if (plan.strategy, plan.version) in known else "not_configured"

    async def _send(self, running: Running, child: Child, market: MarketSeen) -> None:
        """Check the next order by the limits of now, commit it and send it."""
        plan, config = running.plan, self._parts.config()
        obstacle = self._obstacle(plan, config)
        quote = self._young_quote(plan, market)
        if obstacle is not None or quote is None:
            self._note(running, obstacle or "no_quote")
            return
        now_ns = self._clock.now_ns()
        effective = self._parts.limits.effective(limits(config), plan.strategy, plan.symbol)
        scale = scale_now(self._account, config, effective, market, plan.symbol)
        candidate = Candidate(plan.strategy, plan.symbol, plan.side, child.quantity, child.price)
        # Nothing is waited for between the check and `intend`, which reserves before it waits itself.
        prices = prices_of(plan.symbol, quote, market, plan.signal_known_at_ns, now_ns)
        state = risk_now(self._account, self._parts.states.effective, now_ns, prices)
        verdict = build_rules(effective.scaled(scale)).check(candidate, state)
        if isinstance(verdict, Refused):
            if running.waits != verdict.rule:
                metrics.TRADER_REFUSALS.labels(verdict.rule).inc()
            self._note(running, verdict.rule)
            return
        intent = child_intent(plan, running.orders, child, quote.mark, now_ns)
        if not await self._desk.intend(intent):
            running.orders = await self._count(plan, running.orders)
            self._note(running, "order_open")
            return
        running.orders, running.waits = running.orders + 1, ""
        await self._desk.send(intent.order_id)

    def _obstacle(self, plan: Plan, config: TradingConfig) -> str | None:
        if not plan.reduces:  # the way out stays open
            if self._account.parts.instruments.peek(plan.symbol, config.instrument_age_s_max) is None:
                return "instrument_stale"
            announced = self._account.parts.announced.obstacle(self._clock.now_ns())
            why_not = announced or self._parts.protection.obstacle(*plan.key)
            if why_not is not None:
                return why_not
        return self._account.parts.gateway.obstacle(plan.symbol)

    async def _say_ending(self, running: Running, reason: str) -> None:
        if not running.ending:
            await self._journal.ending(running.plan, reason, self._clock.now_ns())
            running.ending = reason

    async def _finish(self, running: Running) -> bool:
        """Cancel what works; once nothing does, the plan has ended. Returns whether it has."""
        plan = running.plan
        await self._cancel_working(running)
        progress = await self._progress(running)
        if progress.working is not None:
            return False
        await self._journal.ended(plan, running.ending, progress, self._clock.now_ns())
        del self._running[plan.key]
        self._parts.protection.restore("plan", plan.key)
        metrics.TRADER_PLANS.labels(plan.policy.name, running.ending).inc()
        bips = shortfall_bips(plan, progress)
        if bips is not None:
            metrics.TRADER_SHORTFALL_BIPS.labels(plan.policy.name).observe(float(bips))
        log.info("plan_ended", plan_id=plan.plan_id, cause=running.ending, filled=f"{progress.filled:f}")
        return True

    async def _cancel_working(self, running: Running) -> None:
        working = (await self._progress(running)).working
        if working is not None:
            await self._desk.cancel(working.intent.order_id)
            await self._desk.follow({working.intent.order_id})

    async def _progress(self, running: Running) -> Progress:
        """What the order journal says of a plan's orders."""
        under_way = {order.intent.order_id: order for order in self._desk.orders()}
        orders: list[Order] = []
        for number in range(running.orders):
            name = child_id(running.plan, number)
            order = under_way.get(name) or running.over.get(name)
            if order is None:
                order = await self._account.parts.journal.find(name)
                assert order is not None, "it was committed"
                running.over[name] = order
            orders.append(order)
        last = orders[-1] if orders else None
        booked = self._portfolio.filled
        return Progress(
            orders=len(orders),
            # One that was thought absent may have been executed for all that: the book knows.
            filled=sum((max(order.filled_quantity, booked(order.intent.order_id)) for order in orders), ZERO),
            cost=sum((order.filled_cost for order in orders), ZERO),
            cost_of=sum((order.filled_quantity for order in orders), ZERO),
            lost=sum((_lost(order, booked(order.intent.order_id)) for order in orders), ZERO),
            last_at_ns=0 if last is None else last.intent.decided_at_ns,
            last_is_filled=last is not None and last.state is OrderState.FILLED,
            working=next((order for order in orders if order.intent.order_id in under_way), None),
        )

    async def _count(self, plan: Plan, known: int) -> int:
        """How many orders of a plan were committed, by this process or one before it."""
        while await self._account.parts.journal.find(child_id(plan, known)) is not None:
            known += 1
        return known

    async def _market(self) -> MarketSeen:
        try:
            async with asyncio.timeout(READ_S_MAX):
                return await self._parts.reader.read(self._clock.now_ns())
        except (StoreError, TimeoutError) as error:
            log.warning("plans_without_data", cause=str(error) or type(error).__name__)
            return MarketSeen()

    def _young_quote(self, plan: Plan, market: MarketSeen) -> QuoteSeen | None:
        quote = market.quotes.get(plan.symbol)
        if quote is None or not quote.sane:
            return None
        age = age_s(self._clock.now_ns(), quote.received_at_ns)
        return quote if age <= Decimal(str(self._parts.config().risk.quote_age_s_max)) else None

    def _note(self, running: Running, reason: str) -> None:
        """Why a plan waits, said once."""
        if running.waits != reason:
            running.waits = reason
            log.debug("plan_waits", plan_id=running.plan.plan_id, cause=reason)


def _lost(order: Order, booked: Decimal) -> Decimal:
    """What of an order may have been executed though the venue never showed it, in base."""
    never_shown = order.state is OrderState.EXPIRED and order.venue_order_id is None
    return max(ZERO, order.quantity - booked) if never_shown else ZERO
