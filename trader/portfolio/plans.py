"""How a decision is carried out in several orders: a pure function of the plan, what was done of it, and the market."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ares.model.market import Side
from trader.portfolio.money import EXACT, SCALE, ZERO, ceil_to, floor_to
from trader.portfolio.orders import STANDING, Order, OrderType
from trader.portfolio.sizing import Grid, limit_price

ROOM_NS = 5_000_000_000
"""What is left for the order that takes the rest, after patience and before the next signal."""
SIGNALS_NS = 60_000_000_000
"""Signals are of bars of a minute."""
BIPS = Decimal(10_000)
FILLED = "filled"
"""Why a plan ended of which nothing is left to do."""

PolicyName = Literal["post_only", "twap", "iceberg"]


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """How a strategy's decisions are carried out; see the guide Execution. Times in ns, shares are parts of 1."""

    name: PolicyName
    patience_ns: int
    follow_share: Decimal
    follow_ns_min: int
    gives_up: bool
    slices: int
    over_ns: int
    visible_share: Decimal
    slippage_max: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision and how it is carried out. `quantity` in base; `mark`, at the decision, in quote.

    `slot_ns` names its orders together with their number. `reduces`: at the decision it only closed what is held, and
    it never does more. No order leaves at or after `ends_at_ns`, which is before the next signal's decision.
    """

    plan_id: str
    account: str
    venue: str
    symbol: str
    strategy: str
    version: int
    side: Side
    quantity: Decimal
    mark: Decimal
    reduces: bool
    policy: ExecutionPolicy
    slot_ns: int
    cycle_id: str
    correlation_id: str
    trace_id: str
    signal_known_at_ns: int
    decided_at_ns: int
    ends_at_ns: int

    @property
    def key(self) -> tuple[str, str]:
        """(symbol, strategy)"""
        return self.symbol, self.strategy

    @property
    def patient_until_ns(self) -> int:
        """Until when an order that rests is waited for."""
        return self.ends_at_ns - ROOM_NS


@dataclass(frozen=True, slots=True)
class Progress:
    """What was done of a plan: its orders, what they filled (base), when the last one was decided.

    `cost`, in quote, is of `cost_of`, in base: of what was filled, but for what the venue told of too late to say.
    `lost`, in base, is of orders that the venue never showed: they may have been executed for all that, so nothing is
    asked for in their place. `working` is the order of it that may still be executed; `last_is_filled`: nothing of the
    last one is left.
    """

    orders: int = 0
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    cost_of: Decimal = ZERO
    lost: Decimal = ZERO
    last_at_ns: int = 0
    last_is_filled: bool = False
    working: Order | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when a plan is looked at. Best bid and ask are None while no young quote is known.

    `closable`: what an order of the plan's side could close of what is held, in base.
    """

    now_ns: int
    closable: Decimal
    grid: Grid
    bid: Decimal | None = None
    ask: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """The next order of a plan. `quantity` in base, `price` in quote."""

    type: OrderType
    time_in_force: Literal["IOC", "GTC"]
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recall:
    """The order that works is to be cancelled."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The plan is over."""

    reason: str


Next = Child | Wait | Recall | Stop


def ends_at_ns(policy: ExecutionPolicy, signal_known_at_ns: int, decided_at_ns: int) -> int:
    """When a plan ends: after its own time, and in any case when the next signal is expected, a minute after its own.

    Where that would leave no time at all the one after is meant: a signal that comes earlier ends the plan itself.
    """
    own = policy.over_ns if policy.name == "twap" else policy.patience_ns + ROOM_NS
    minutes = (decided_at_ns + 2 * ROOM_NS - signal_known_at_ns) // SIGNALS_NS + 1
    return min(decided_at_ns + own, signal_known_at_ns + minutes * SIGNALS_NS)


def shortfall_bips(plan: Plan, progress: Progress) -> Decimal | None:
    """What was paid more than the mark at the decision (got less, for a sale), in 1/10,000 of it; fees are not in it.

    None while nothing was filled.
    """
    if not progress.cost_of:
        return None
    paid = EXACT.divide(progress.cost, progress.cost_of)
    worse = paid - plan.mark if plan.side == "buy" else plan.mark - paid
    return EXACT.divide(worse * BIPS, plan.mark).quantize(SCALE)


def next_step(plan: Plan, progress: Progress, moment: Moment) -> Next:
    """What to do next. One order of a plan works at a time, and one of unknown outcome may still be executed."""
    if progress.working is not None:
        return _of_working(plan, progress.working, progress, moment)
    wanted = plan.quantity - progress.filled - progress.lost
    left = floor_to(min(wanted, moment.closable) if plan.reduces else wanted, moment.grid.amount_step)
    over = _over(plan, progress, left, moment)
    if over is not None:
        return Stop(over)
    if moment.bid is None or moment.ask is None:
        return Wait("no_quote")
    return (_slice if plan.policy.name == "twap" else _resting)(plan, progress, left, moment)


def _over(plan: Plan, progress: Progress, left: Decimal, moment: Moment) -> str | None:
    """Why no order of a plan is to follow, if so."""
    if left <= 0:
        if plan.quantity - progress.filled < moment.grid.amount_step:
            return FILLED
        return "order_lost" if progress.lost else "nothing_left_to_close"
    if moment.now_ns >= plan.ends_at_ns:
        return "time_over"
    quoted = moment.bid is not None and moment.ask is not None
    return "rest_too_small" if quoted and left < _least(plan, moment) else None


def _of_working(plan: Plan, order: Order, progress: Progress, moment: Moment) -> Next:
    """An order that rests is cancelled when its time is over or its price is not the best any more."""
    price, policy = order.intent.price, plan.policy
    if order.state not in STANDING or order.intent.type != "limit_maker" or price is None:
        return Wait("order_under_way")
    if moment.now_ns >= plan.patient_until_ns:
        return Recall("patience_over")
    best = _own_best(plan, moment)
    if best is None or moment.now_ns - progress.last_at_ns < policy.follow_ns_min:
        return Wait("order_rests")
    return Recall("market_moved") if abs(best - price) > policy.follow_share * price else Wait("order_rests")


def _slice(plan: Plan, progress: Progress, left: Decimal, moment: Moment) -> Next:
    """What time has come for: the rest is shared out among the slices that are left, this one included."""
    slices = plan.policy.slices
    interval_ns = (plan.ends_at_ns - plan.decided_at_ns) // slices
    number = min((moment.now_ns - plan.decided_at_ns) // interval_ns, slices - 1)
    if progress.orders and progress.last_at_ns >= plan.decided_at_ns + number * interval_ns:
        return Wait("slice_done")
    return _take(plan, _part(plan, left / (slices - number), left, moment), moment)


def _resting(plan: Plan, progress: Progress, left: Decimal, moment: Moment) -> Next:
    policy, best = plan.policy, _own_best(plan, moment)
    assert best is not None, "looked at before"
    if moment.now_ns >= plan.patient_until_ns:
        if policy.gives_up:
            return Stop("gave_up")
        tried = progress.orders and progress.last_at_ns >= plan.patient_until_ns
        return Stop("rest_not_taken") if tried else _take(plan, left, moment)
    young = moment.now_ns - progress.last_at_ns < policy.follow_ns_min
    if progress.orders and young and not progress.last_is_filled:
        return Wait("next_order_later")
    shown = left if policy.name == "post_only" else _part(plan, plan.quantity * policy.visible_share, left, moment)
    return Child("limit_maker", "GTC", shown, best)


def _take(plan: Plan, quantity: Decimal, moment: Moment) -> Child:
    """Takes what is there, at most `slippage_max` away from the mark of now."""
    return Child("limit", "IOC", quantity, _worst(plan, moment))


def _own_best(plan: Plan, moment: Moment) -> Decimal | None:
    """The best price of its own side, on the venue's grid and never across."""
    tick = moment.grid.price_tick
    if plan.side == "buy":
        return None if moment.bid is None else floor_to(moment.bid, tick)
    return None if moment.ask is None else ceil_to(moment.ask, tick)


def _worst(plan: Plan, moment: Moment) -> Decimal:
    assert moment.bid is not None, "looked at before"
    assert moment.ask is not None, "looked at before"
    mark = (moment.bid + moment.ask) / 2
    return limit_price(plan.side, mark, plan.policy.slippage_max, moment.grid.price_tick)


def _part(plan: Plan, wanted: Decimal, left: Decimal, moment: Moment) -> Decimal:
    """A part of what is left: no less than the venue takes, and leaving no less than that, or all."""
    least = _least(plan, moment)
    part = max(floor_to(wanted, moment.grid.amount_step), least)
    return left if left - part < least else part


def _least(plan: Plan, moment: Moment) -> Decimal:
    """The least quantity that the venue takes, at the lowest price that an order of the plan may have."""
    assert moment.bid is not None, "looked at before"
    price, grid = min(moment.bid, _worst(plan, moment)), moment.grid
    return max(ceil_to(grid.cost_min / price, grid.amount_step), grid.amount_step)
