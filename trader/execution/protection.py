"""Keeps the orders that protect positions: they stand at the venue, for exactly what is held, or give way.

Nothing of a position is closed twice: the desk lets no order of the same symbol, strategy and side stand beside one
that protects, so that is seen to be gone before a way out by signal or a flatten leaves, and comes again after it.

Of coins two legs are one pair at the venue, of which one ends the other. A venue of contracts has no pairs: its two
legs are two orders that only reduce, and the one that is left over is cancelled once the other is seen to be executed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import TradingConfig
from ares.errors import VenueError
from ares.model.row import Row
from ares.telemetry import get_logger, metrics
from trader.account import Account
from trader.execution.ids import PROTECTION_CYCLE, DecisionName, client_order_id, correlation_id
from trader.execution.rests import Rests
from trader.execution.state import TradingStates
from trader.execution.tracked import PROTECTION
from trader.portfolio.money import ZERO, to_scale
from trader.portfolio.orders import STANDING, Intent, OrderState, Source
from trader.portfolio.positions import is_linear
from trader.portfolio.protection import Leg, ProtectionPlan, ProtectionPolicy, plan_protection
from trader.risk import TradingState

MARK_AGE_S = 5.0
"""Whether the market has passed a stop already is judged by no older mark."""
PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 60.0
"""After a refusal the venue is asked again, each time after twice as long."""
OFF = ProtectionPolicy()

Key = tuple[str, str]
"""(symbol, strategy)"""
Lifter = Source | Literal["plan"]
"""Who is about to sell."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProtectionParts:
    """What protection works with. `lift_s_max`: how long a cancel's evidence is waited for; `poll_s`: how often."""

    account: Account
    states: TradingStates
    rests: Rests
    policies: Mapping[str, ProtectionPolicy]
    """By strategy; who is missing is not protected."""
    versions: Mapping[str, int]
    unprotected_s_max: float
    lift_s_max: float
    poll_s: float


@dataclass(slots=True)
class Watched:
    """One position: `lifted_by` those who are about to sell something of it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lifted_by: set[Lifter] = field(default_factory=set)
    attempt: int = 0
    seq: int = 0
    """Of the position that `attempt` counts for."""
    refusals: int = 0
    asks_again_at_s: float = 0.0
    protected_at_ns: int = 0
    shown: frozenset[str] = frozenset()
    """The orders that were last told to stand."""
    is_told: bool = False
    """Whether it was told that it stands unprotected for too long."""


class Protection:
    """`tend` brings the orders to what is held; `lift` takes them away and waits until they are gone."""

    def __init__(self, parts: ProtectionParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._clock = parts.account.parts.clock
        self._portfolio = parts.account.parts.ledger.portfolio
        self._watched: dict[Key, Watched] = {}

    async def tend(self) -> None:
        """Place, replace or cancel what does not fit the positions.

        Raises nothing of the venue's: what was not seen now is seen next time.
        """
        for key in self._keys():
            watched = self._of(key)
            async with watched.lock:
                if not watched.lifted_by:
                    try:
                        await self._tend(key, watched)
                    except VenueError as error:
                        log.warning("protection_unclear", symbol=key[0], strategy=key[1], cause=str(error))
                await self._report(key, watched)

    async def lift(self, symbol: str, strategy: str, by: Lifter) -> bool:
        """Cancel what protects a position and wait until it is seen to be gone, its fills booked.

        False if it may still stand: then nothing of the position may be closed. Nothing is placed again before who
        lifted it calls `restore`.
        """
        key = (symbol, strategy)
        watched = self._of(key)
        async with watched.lock:
            watched.lifted_by.add(by)
            orders = self._desk.protecting(symbol, strategy)
            if not orders:
                return True
            await self._tell(key, "lifted", orders[0].intent, "something is to be sold")
            until_s = self._clock.monotonic_s() + self._parts.lift_s_max
            while not await self._cancelled(key):
                if self._clock.monotonic_s() >= until_s:
                    return False
                await self._clock.sleep(self._parts.poll_s)
            return True

    def restore(self, by: Lifter, only: Key | None = None) -> None:
        """What was lifted for these sells may stand again from the next `tend` on, unless others still lift it."""
        for key, watched in self._watched.items():
            if only in (None, key):
                watched.lifted_by.discard(by)

    def obstacle(self, symbol: str, strategy: str) -> str | None:
        """Why nothing may be opened: the strategy was stopped out, or what it holds is not protected."""
        version = self._parts.versions.get(strategy, 0)
        if self._parts.rests.since_ns(symbol, strategy, version) is not None:
            return "stopped_out"
        plan = self._plan((symbol, strategy))
        met = plan.is_met_by(self._desk.protecting(symbol, strategy))
        return "unprotected" if plan.legs and plan.is_sellable and not met else None

    @property
    def _is_halted(self) -> bool:
        return self._parts.states.current.state is TradingState.HALTED

    def _keys(self) -> list[Key]:
        protected = [order.intent.key for order in self._desk.orders() if order.intent.source == PROTECTION]
        held = [key for key in self._account.parts.ledger.quantities() if key[1] in self._parts.policies]
        return list(dict.fromkeys([*protected, *held, *self._watched]))

    def _of(self, key: Key) -> Watched:
        return self._watched.setdefault(key, Watched())

    def _plan(self, key: Key) -> ProtectionPlan:
        symbol, strategy = key
        policy, grid = self._parts.policies.get(strategy, OFF), self._account.grid(symbol)
        if grid is None:
            return ProtectionPlan((), ZERO)  # nobody lists it, so nothing of it can be sold
        was_met = self._parts.rests.since_ns(symbol, strategy, self._parts.versions.get(strategy, 0)) is not None
        position, mark = self._portfolio.position(symbol, strategy), self._account.mark(symbol)
        return plan_protection(policy, position, mark, grid, was_met=was_met)

    async def _tend(self, key: Key, watched: Watched) -> None:
        orders = self._desk.protecting(*key)
        if any(order.state not in STANDING for order in orders):
            return  # its evidence comes first; until then it counts as standing
        plan = self._plan(key)
        if plan.is_met_by(orders):
            return
        waits = self._is_halted or self._clock.monotonic_s() < watched.asks_again_at_s
        if waits and all(order.remaining <= plan.quantity for order in orders):
            return  # nothing could come in the place of what stands, and that is better than nothing
        if orders:
            await self._tell(key, "lifted", orders[0].intent, "the position is another one")
            if not await self._cancelled(key):
                return
        if not self._is_halted:
            await self._place(key, watched)

    async def _cancelled(self, key: Key) -> bool:
        """Ask for the end of what protects a position, and look; whether all of it is gone."""
        orders = self._desk.protecting(*key)
        names = {order.intent.order_id: order.intent.order_id for order in orders}
        if not is_linear(key[0]):
            names = {order.intent.list_id or order.intent.order_id: order.intent.order_id for order in orders}
        for order_id in names.values():  # of coins a cancel of one leg ends the pair
            await self._desk.cancel(order_id)
        await self._desk.follow({order.intent.order_id for order in orders})
        return not self._desk.protecting(*key)

    async def _place(self, key: Key, watched: Watched) -> None:
        if not self._plan(key).legs or self._clock.monotonic_s() < watched.asks_again_at_s:
            return
        side = self._plan(key).side
        if any(order.intent.key == key and order.intent.side == side for order in self._desk.orders()):
            return
        try:
            await self._account.parts.marks.get([key[0]], MARK_AGE_S)
        except VenueError as error:
            # Without a mark the venue itself says whether a stop was passed.
            log.warning("protection_without_fresh_mark", symbol=key[0], cause=str(error))
        seq = self._portfolio.position(*key).seq
        await self._next_attempt(key, watched, seq)
        plan = self._plan(key)
        if self._portfolio.position(*key).seq != seq or not plan.legs or not plan.is_sellable:
            return
        legs = (Leg("market"),) if plan.reached else plan.legs
        intents = [self._intent(key, watched, number, leg, plan) for number, leg in enumerate(legs)]
        await self._send(key, watched, intents)

    async def _next_attempt(self, key: Key, watched: Watched, seq: int) -> None:
        """The first for this position that was never committed, by this process or one before it."""
        if watched.seq != seq:
            watched.seq, watched.attempt = seq, 0
        while await self._account.parts.journal.find(self._order_id(key, watched, 0)) is not None:
            watched.attempt += 1

    async def _send(self, key: Key, watched: Watched, intents: Sequence[Intent]) -> None:
        if len(intents) == 1:
            if not await self._desk.intend(intents[0]):
                return
            orders = [await self._desk.send(intents[0].order_id)]
        else:
            above, below = intents
            if not await self._desk.intend_pair(above, below):
                return
            if is_linear(key[0]):
                orders = [await self._desk.send(intent.order_id) for intent in intents]
            else:
                orders = await self._desk.send_pair(above.order_id, below.order_id)
        refused = next((order for order in orders if order.state is OrderState.REJECTED), None)
        if refused is not None:
            pause_s = min(PAUSE_S_MIN * 2**watched.refusals, PAUSE_S_MAX)
            watched.refusals += 1
            watched.asks_again_at_s = self._clock.monotonic_s() + pause_s
            await self._tell(key, "refused", refused.intent, refused.reason or "")
        else:
            watched.refusals = 0

    def _order_id(self, key: Key, watched: Watched, leg: int) -> str:
        symbol, strategy = key
        version = self._parts.versions.get(strategy, 0)
        account = self._account.parts.who.account
        name = DecisionName(account, strategy, version, symbol, watched.seq, PROTECTION, leg, watched.attempt)
        return client_order_id(name)

    def _intent(self, key: Key, watched: Watched, number: int, leg: Leg, plan: ProtectionPlan) -> Intent:
        symbol, strategy = key
        who, position = self._account.parts.who, self._portfolio.position(symbol, strategy)
        first = self._order_id(key, watched, 0)
        return Intent(
            order_id=self._order_id(key, watched, number),
            account=who.account,
            venue=who.venue,
            symbol=symbol,
            strategy=strategy,
            version=self._parts.versions.get(strategy, 0),
            side=plan.side,
            type=leg.type,
            time_in_force="IOC" if leg.type == "market" else "GTC",
            quantity=plan.quantity,
            price=leg.price,
            mark=self._account.mark(symbol) or position.average_price,
            source=PROTECTION,
            cycle_id=PROTECTION_CYCLE,
            correlation_id=correlation_id(PROTECTION_CYCLE, strategy, first),
            decided_at_ns=self._clock.now_ns(),
            stop_price=leg.stop_price,
            trailing_bips=leg.trailing_bips,
            list_id=_list_id(first) if len(plan.legs) > 1 and not plan.reached else "",
        )

    async def _report(self, key: Key, watched: Watched) -> None:
        """How long the position has stood without its protection: a metric, and rows."""
        symbol, strategy = key
        plan, orders = self._plan(key), self._desk.protecting(symbol, strategy)
        gauge, now_ns = metrics.TRADER_UNPROTECTED_SECONDS.labels(symbol, strategy), self._clock.now_ns()
        since_ns = max(self._portfolio.position(symbol, strategy).changed_at_ns, watched.protected_at_ns)
        gap_s = max(0, now_ns - since_ns) / NANOS_PER_SECOND
        if not plan.legs or not plan.is_sellable or plan.is_met_by(orders):
            shown = frozenset(order.intent.order_id for order in orders)
            if plan.legs and shown and shown != watched.shown:
                metrics.TRADER_PROTECTION_SECONDS.observe(gap_s)
                await self._tell(key, "placed", orders[0].intent, "", gap_s)
            watched.shown, watched.protected_at_ns, watched.is_told = shown, now_ns, False
            gauge.set(0)
            return
        gauge.set(gap_s)
        if gap_s > self._parts.unprotected_s_max and not watched.is_told:
            watched.is_told = True
            log.error("position_unprotected", symbol=symbol, strategy=strategy, seconds=gap_s)
            await self._tell(key, "unprotected", None, "", gap_s)

    async def _tell(self, key: Key, event: str, intent: Intent | None, reason: str, gap_s: float | None = None) -> None:
        symbol, strategy = key
        log.info("protection", event_name=event, symbol=symbol, strategy=strategy, reason=reason)
        who = self._account.parts.who
        quantity = self._portfolio.position(symbol, strategy).quantity if intent is None else intent.quantity
        row = Row(
            "protection_events",
            self._clock.now_ns(),
            {
                "account": who.account,
                "venue": who.venue,
                "symbol": symbol,
                "strategy": strategy,
                "event": event,
            },
            {
                "quantity": to_scale(quantity),
                "unprotected_s": gap_s,
                "order_id": None if intent is None else intent.order_id,
                "reason": reason or None,
            },
        )
        await asyncio.to_thread(self._account.parts.control.mirror, [row])


def _list_id(first: str) -> str:
    """The client id of a pair's list, of its first leg's."""
    return "list" + first[len("list") :]


def policies(config: TradingConfig) -> dict[str, ProtectionPolicy]:
    """The settings of protection by strategy; strategies of which nothing is protected are left out."""
    found: dict[str, ProtectionPolicy] = {}
    for strategy in config.strategies:
        said = config.protection if strategy.protection is None else strategy.protection
        policy = ProtectionPolicy(
            stop_loss=said.stop_loss_pct / Decimal(100),
            take_profit=said.take_profit_pct / Decimal(100),
            trailing_bips=int(said.trailing_pct * 100),
        )
        if policy.is_on:
            found[strategy.name] = policy
    return found


def alone(config: TradingConfig, symbols: Sequence[str], symbol: str) -> str | None:
    """The strategy that alone may trade a contract, because its protection stands there; None where any may.

    A venue keeps one position of all strategies: another's would take away what is protected, or be closed with it.
    """
    if not is_linear(symbol):
        return None
    protected = policies(config)
    traders = (s.name for s in config.strategies if symbol in (s.symbols or symbols))
    return next((name for name in traders if name in protected), None)


def protection_of(
    config: TradingConfig, account: Account, states: TradingStates, rests: Rests, *, lift_s_max: float
) -> Protection:
    """The protection that the settings ask for."""
    return Protection(
        ProtectionParts(
            account=account,
            states=states,
            rests=rests,
            policies=policies(config),
            versions={strategy.name: strategy.version for strategy in config.strategies},
            unprotected_s_max=config.unprotected_s_max,
            lift_s_max=lift_s_max,
            poll_s=config.unknown_poll_s,
        )
    )
