"""Plans as typed events: the shapes of what stream `plans/<account>` holds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ares.events import EventType
from trader.portfolio.plans import ExecutionPolicy, Plan


@dataclass(frozen=True, slots=True)
class PlanStarted:
    """A decision is carried out in several orders from now on, by this plan."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PlanEnding:
    """No further order of a plan leaves, and the one that works is cancelled: why."""

    plan_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """A plan is over and no order of it works any more. `filled` in base, `cost` in quote, over all of its `orders`.

    `shortfall_bips`: what was paid more than the mark at the decision, in 1/10,000; absent where nothing was filled.
    """

    plan_id: str
    reason: str
    orders: int
    filled: Decimal
    cost: Decimal
    shortfall_bips: Decimal | None


_ID = "ares0123456789abcdef0123456789abcdef"
_POLICY = ExecutionPolicy(
    name="twap",
    patience_ns=30_000_000_000,
    follow_share=Decimal("0.0002"),
    follow_ns_min=5_000_000_000,
    gives_up=False,
    slices=6,
    over_ns=30_000_000_000,
    visible_share=Decimal("0.2"),
    slippage_max=Decimal("0.001"),
)
_PLAN = Plan(
    plan_id=_ID,
    account="paper",
    venue="sim",
    symbol="BTC/USDT",
    strategy="signal_momentum",
    version=1,
    side="buy",
    quantity=Decimal("0.05"),
    mark=Decimal("62590.05"),
    reduces=False,
    policy=_POLICY,
    slot_ns=1_795_464_290_000_000_000,
    cycle_id="paper-1795464290000",
    correlation_id="0123456789abcdef",
    trace_id="",
    signal_known_at_ns=1_795_464_290_000_000_000,
    decided_at_ns=1_795_464_293_163_246_859,
    ends_at_ns=1_795_464_323_163_246_859,
)
STARTED = EventType("plans", "started", PlanStarted(_PLAN))
ENDING = EventType("plans", "ending", PlanEnding(_ID, "superseded"))
ENDED = EventType(
    "plans", "ended", PlanEnded(_ID, "filled", 6, Decimal("0.05"), Decimal("3129.91"), Decimal("1.2934451"))
)
