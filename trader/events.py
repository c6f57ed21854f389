"""What happens to an account, as typed events: the shapes of what the journal, the book and the states write.

Stream `order/<account>/<order id>`, `orders_settled/<account>`, `fills/<account>`, `day/<account>`,
`capital/<account>`, `peak/<account>`, `limits/<account>`, `rests/<account>`, `plans/<account>`, `live/<account>`,
`trading_state/<account>`, `strategy_pause/<account>`, `trading_alert/<account>` and `leadership/<account>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ares.events import EventRegistry, EventType
from ares.events.registry import KnownType
from ares.events.types import Origin
from ares.model.market import Side
from ares.model.strategies import FOREIGN
from trader.handover.events import TYPES as LEADERSHIP
from trader.plan_events import ENDED, ENDING, STARTED
from trader.portfolio.orders import AMEND_ASKED, AMENDED, Intent, OrderState, Step
from trader.portfolio.portfolio import Funding, FundingShare
from trader.portfolio.positions import Execution, Fill
from trader.risk import TradingState
from trader.upcasts import adoptions_named, execution_nested, intent_alone


@dataclass(frozen=True, slots=True)
class OrderIntended:
    """An order was decided on and may be sent from now on. Quantities in base, prices in quote."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class OrderStepped:
    """An order took a step to `state`; figures are totals up to now, absent ones keep what was known."""

    state: OrderState
    venue_order_id: str | None
    filled_quantity: Decimal | None
    filled_cost: Decimal | None
    reason: str | None
    quantity: Decimal | None = None

    @classmethod
    def of(cls, step: Step) -> OrderStepped:
        figures = (step.filled_quantity, step.filled_cost)
        return cls(step.state, step.venue_order_id, *figures, step.reason, step.quantity)

    def step(self, name: str, ts_ns: int) -> Step:
        """The step as the order's life knows it."""
        figures = (self.filled_quantity, self.filled_cost)
        return Step(name, self.state, ts_ns, self.venue_order_id, *figures, self.reason, self.quantity)


@dataclass(frozen=True, slots=True)
class OrderSettled:
    """An order is final and everything it filled is in the book."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """Coins that were there before the account's book: `quantity` in base, `mark` in quote."""

    symbol: str
    strategy: str
    quantity: Decimal
    mark: Decimal


@dataclass(frozen=True, slots=True)
class BookOpened:
    """The account's book was opened, with what was adopted. `venue` is empty in books older than that field."""

    venue: str
    adopted: tuple[Adoption, ...]


@dataclass(frozen=True, slots=True)
class FillBooked:
    """An execution of one of our orders was booked."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class ForeignFillBooked:
    """An execution of an order that nobody here gave was booked, for the strategy that the fill names."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class FundingBooked:
    """A funding payment of a perpetual was booked, shared out among the strategies that held it. Quote currency."""

    funding: Funding
    shares: tuple[FundingShare, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What the account held of a currency; `mark` in the reporting currency, absent where nobody knew one."""

    currency: str
    quantity: Decimal
    mark: Decimal | None


@dataclass(frozen=True, slots=True)
class CapitalCounted:
    """What the account began with: all that it held, and what counted as its equity, in the reporting currency."""

    currency: str
    equity_quote: Decimal
    held: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class CapitalMoved:
    """Money came (above 0) or went that nobody earned or lost: who says so and why. Reporting currency."""

    movement_id: str
    amount_quote: Decimal
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class DayStarted:
    """A trading day (UTC) began: `day_ns` its midnight, `pnl_quote` the profit it begins with."""

    day_ns: int
    pnl_quote: Decimal


@dataclass(frozen=True, slots=True)
class PeakReached:
    """The profit, realised and unrealised, is higher than it ever was, in quote: drawdown is measured from here."""

    pnl_quote: Decimal


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A limit and what it should be: `value` None means what the settings say; `before` None: it was not limited.

    `strategy` and `symbol` are empty where all are meant. `id` ties an approval to what was asked.
    """

    id: str
    name: str
    strategy: str
    symbol: str
    value: Decimal | None
    before: Decimal | None
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitAsked:
    """A limit should be raised, and a second person has not agreed yet: it holds as it was."""

    change: LimitChange


@dataclass(frozen=True, slots=True)
class LimitSet:
    """A limit holds from now on. `approved_by` is empty where one person was enough."""

    change: LimitChange
    approved_by: str


@dataclass(frozen=True, slots=True)
class StoppedOut:
    """A protective order of a strategy's position was executed: the strategy rests in the symbol from now on.

    `side` of that order: it bought back what was short.
    """

    symbol: str
    strategy: str
    version: int
    order_id: str
    side: Side = "sell"


@dataclass(frozen=True, slots=True)
class Released:
    """A strategy that rested in a symbol wanted to hold nothing of it since: it may buy again."""

    symbol: str
    strategy: str
    version: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Trading was set to ACTIVE, REDUCING or HALTED, by whom and why."""

    state: TradingState
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiveSaid:
    """Somebody asked for trading with real money, agreed to it or took that back. `terms`: their fingerprint."""

    state: Literal["requested", "approved", "withdrawn"]
    terms: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class StrategyPaused:
    """A strategy shall rest until it is resumed: by whom and why."""

    strategy: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class StrategyResumed:
    """A strategy that rested may trade again: by whom and why."""

    strategy: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class AlertTaken:
    """A firing alert was acted upon, once: its fingerprint and the start of its firing name it."""

    fingerprint: str
    starts_at: str
    alert: str
    action: str


_INTENT = Intent(
    order_id="ares0123456789abcdef0123456789abcdef",
    account="paper",
    venue="sim",
    symbol="BTC/USDT",
    strategy="signal_momentum",
    version=1,
    side="buy",
    type="limit",
    time_in_force="IOC",
    quantity=Decimal("0.05"),
    price=Decimal("62600.10"),
    mark=Decimal("62590.05"),
    source="signal",
    cycle_id="paper/1795464293",
    correlation_id="0123456789abcdef",
    decided_at_ns=1_795_464_293_163_246_859,
    signal_known_at_ns=1_795_464_290_000_000_000,
)
_EXECUTION = Execution(
    fill_id="1000000000000",
    symbol="BTC/USDT",
    side="buy",
    venue_order_id="17",
    quantity=Decimal("0.05"),
    price=Decimal("62598.20"),
    cost=Decimal("3129.91"),
    fee=Decimal("3.12991"),
    fee_currency="USDT",
    maker=False,
    ts_ns=1_795_464_293_314_000_000,
)
_FILL = Fill(
    _EXECUTION, _INTENT.order_id, _INTENT.strategy, _INTENT.correlation_id, received_at_ns=1_795_464_293_369_942_845
)

INTENDED = EventType("order", "intended", OrderIntended(_INTENT), upcasts={1: intent_alone})
STEPPED = {
    name: EventType("order", name, OrderStepped(state, venue_order_id, quantity, cost, reason))
    for name, state, venue_order_id, quantity, cost, reason in (
        ("submitted", OrderState.SUBMITTED, None, None, None, None),
        ("accepted", OrderState.ACCEPTED, "17", Decimal(0), Decimal(0), None),
        ("partially_filled", OrderState.PARTIALLY_FILLED, "17", Decimal("0.02"), Decimal("1251.96"), None),
        ("filled", OrderState.FILLED, "17", Decimal("0.05"), Decimal("3129.91"), None),
        ("canceled", OrderState.CANCELED, "17", Decimal("0.02"), Decimal("1251.96"), None),
        ("rejected", OrderState.REJECTED, None, None, None, "InsufficientFunds: balance 12.5 USDT"),
        ("expired", OrderState.EXPIRED, "17", Decimal(0), Decimal(0), None),
        ("unknown", OrderState.UNKNOWN, "17", Decimal(0), Decimal(0), None),
        ("order_outcome_unknown", OrderState.UNKNOWN, None, None, None, "no answer within 5 s"),
        ("not_sent", OrderState.CANCELED, None, None, None, "the lease ran out before it was sent"),
        ("absent", OrderState.EXPIRED, None, None, None, "the venue showed no such order in 3 looks"),
        (AMEND_ASKED, OrderState.ACCEPTED, None, None, None, "quantity 0.05 → 0.03"),
    )
}
STEPPED[AMENDED] = EventType(
    "order", AMENDED, OrderStepped(OrderState.ACCEPTED, "17", Decimal(0), Decimal(0), None, Decimal("0.03"))
)
SETTLED = EventType("orders_settled", "settled", OrderSettled(_INTENT.order_id))
OPENED = EventType(
    "fills",
    "opened",
    BookOpened("sim", (Adoption("BTC/USDT", "signal_momentum", Decimal("0.05"), Decimal("62597.555")),)),
    upcasts={1: adoptions_named},
)
FILLED = EventType("fills", "filled", FillBooked(_FILL), upcasts={1: execution_nested})
FOREIGN_FILLED = EventType(
    "fills",
    "foreign_filled",
    ForeignFillBooked(Fill(_EXECUTION, "venue/17", FOREIGN, "", received_at_ns=1_795_464_293_369_942_845)),
)
FUNDED = EventType(
    "fills",
    "funding_paid",
    FundingBooked(
        Funding("8812", "BTC/USDT:USDT", Decimal("-0.31299"), 1_795_464_000_000_000_000),
        (FundingShare("signal_momentum", Decimal("-0.31299")),),
    ),
)
CAPITAL_COUNTED = EventType(
    "capital",
    "counted",
    CapitalCounted(
        "USDT",
        Decimal("23129.87775"),
        (Holding("USDT", Decimal(20_000), Decimal(1)), Holding("BTC", Decimal("0.05"), Decimal("62597.555"))),
    ),
)
CAPITAL_MOVED = EventType("capital", "moved", CapitalMoved("wire-7", Decimal(1_000), "ada", "second tranche"))
DAY_STARTED = EventType("day", "day_started", DayStarted(1_795_392_000_000_000_000, Decimal("0.355")))
PEAK_REACHED = EventType("peak", "reached", PeakReached(Decimal("71.844")))
_CHANGE = LimitChange(
    id="limit-0123456789abcdef",
    name="position_quote_max",
    strategy="",
    symbol="BTC/USDT",
    value=Decimal(12_000),
    before=Decimal(10_000),
    actor="ada",
    reason="more capital",
)
LIMIT_ASKED = EventType("limits", "asked", LimitAsked(_CHANGE))
LIMIT_SET = EventType("limits", "set", LimitSet(_CHANGE, approved_by="grace"))
STOPPED_OUT = EventType(
    "rests", "stopped_out", StoppedOut("BTC/USDT", "signal_momentum", 1, "ares0123456789abcdef0123456789abcdef")
)
RELEASED = EventType("rests", "released", Released("BTC/USDT", "signal_momentum", 1))
CHANGED = EventType("trading_state", "changed", StateChanged(TradingState.HALTED, "operator", "venue maintenance"))
LIVE = EventType("live", "said", LiveSaid("requested", "0123456789abcdef", "alice", "a month on paper went well"))
PAUSED = EventType("strategy_pause", "paused", StrategyPaused("signal_momentum", "operator", "odd fills"))
RESUMED = EventType("strategy_pause", "resumed", StrategyResumed("signal_momentum", "operator", "fills explained"))
ALERTED = EventType(
    "trading_alert", "taken", AlertTaken("1a30ba71cca2921f", "2026-11-23T20:05:03.828Z", "TradingDrawdown", "halt")
)

TYPES: tuple[KnownType, ...] = (
    INTENDED,
    *STEPPED.values(),
    SETTLED,
    OPENED,
    FILLED,
    FOREIGN_FILLED,
    FUNDED,
    CAPITAL_COUNTED,
    CAPITAL_MOVED,
    DAY_STARTED,
    PEAK_REACHED,
    LIMIT_ASKED,
    LIMIT_SET,
    STOPPED_OUT,
    RELEASED,
    STARTED,
    ENDING,
    ENDED,
    CHANGED,
    LIVE,
    PAUSED,
    RESUMED,
    ALERTED,
    *LEADERSHIP,
)
REGISTRY = EventRegistry(TYPES)


def origin(intent: Intent, cause: str = "") -> Origin:
    """Whose piece of work an order's events are, and what subscribers may filter them by."""
    attributes = {
        "account": intent.account,
        "venue": intent.venue,
        "symbol": intent.symbol,
        "strategy": intent.strategy,
    }
    return Origin(intent.correlation_id, cause, attributes)
