"""The words of a USD-M account: contracts and their brackets, orders of perpetuals, what happens to positions.

One-way mode and cross margin: a symbol has one position, positive or negative, and all of them one wallet of USDT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeGuard

from simulator.matching.conditional import ConditionalEvent
from simulator.matching.types import NEVER_MS, ZERO, Closed, Filled, Side, Status, Why

ContractType = Literal["LIMIT", "MARKET"]
ContractTime = Literal["GTC", "IOC", "FOK", "GTX"]
CONTRACT_TYPES: tuple[ContractType, ...] = ("LIMIT", "MARKET")
CONTRACT_TIMES: tuple[ContractTime, ...] = ("GTC", "IOC", "FOK", "GTX")
"""`GTX` is good till crossing: the order is a maker or it is not taken at all."""
FORCED = "autoclose-"
"""How the client id of an order begins by which the venue liquidates a position."""
LEVERAGE = 20
"""What an account begins with, as at the venue."""

Marks = Mapping[str, Decimal]
"""Mark price by symbol, USDT per contract."""


def is_contract_type(text: str) -> TypeGuard[ContractType]:
    return text in CONTRACT_TYPES


def is_contract_time(text: str) -> TypeGuard[ContractTime]:
    return text in CONTRACT_TIMES


@dataclass(frozen=True, slots=True)
class Bracket:
    """A range of notional in USDT, `floor` excluded, `cap` included.

    `keep` is the maintenance margin as a share of the notional, less `cum`, which joins the brackets without a step.
    """

    number: int
    floor: Decimal
    cap: Decimal
    leverage_max: int
    keep: Decimal
    cum: Decimal


def brackets_of(rows: Sequence[tuple[int, int, str]]) -> tuple[Bracket, ...]:
    """Brackets of (cap, highest leverage, share to keep); `cum` follows from them.

    https://www.binance.com/en/support/faq/detail/b3c689c1f50a44cabb3a84e663b81d93
    """
    brackets: list[Bracket] = []
    floor, kept, cum = ZERO, ZERO, ZERO
    for number, (cap, leverage_max, share) in enumerate(rows, 1):
        keep = Decimal(share)
        cum += floor * (keep - kept)
        brackets.append(Bracket(number, floor, Decimal(cap), leverage_max, keep, cum))
        floor, kept = Decimal(cap), keep
    return tuple(brackets)


BRACKETS = brackets_of(
    [
        (50_000, 125, "0.004"),
        (600_000, 100, "0.005"),
        (3_000_000, 75, "0.0065"),
        (12_000_000, 50, "0.01"),
        (70_000_000, 25, "0.02"),
        (100_000_000, 20, "0.025"),
        (230_000_000, 10, "0.05"),
        (480_000_000, 5, "0.1"),
        (600_000_000, 4, "0.125"),
        (800_000_000, 3, "0.15"),
        (1_200_000_000, 2, "0.25"),
        (1_800_000_000, 1, "0.5"),
    ]
)


@dataclass(frozen=True, slots=True)
class Contract:
    """What orders of a perpetual must obey; amounts in base, costs in quote, fees as shares of the notional."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    cost_min: Decimal = Decimal(5)
    amount_max: Decimal = Decimal(1_000)
    price_max: Decimal = Decimal(10_000_000)
    multiplier_up: Decimal = Decimal("1.05")
    multiplier_down: Decimal = Decimal("0.95")
    """A BUY may not be priced above, a SELL not below so many times the mark price."""
    liquidation_fee: Decimal = Decimal("0.0125")
    brackets: tuple[Bracket, ...] = BRACKETS

    def bracket(self, notional: Decimal) -> Bracket:
        """The bracket that so much notional falls into; beyond the last it is the last."""
        return next((bracket for bracket in self.brackets if notional <= bracket.cap), self.brackets[-1])

    def keep(self, notional: Decimal) -> Decimal:
        """Maintenance margin of so much notional."""
        bracket = self.bracket(notional)
        return notional * bracket.keep - bracket.cum

    def notional_max(self, leverage: int) -> Decimal:
        """How large a position may be at this leverage; zero when there is no such leverage."""
        return max((bracket.cap for bracket in self.brackets if leverage <= bracket.leverage_max), default=ZERO)


@dataclass(frozen=True, slots=True)
class NewContractOrder:
    """An order as it was asked for; `price` where it is a LIMIT and only there."""

    symbol: str
    side: Side
    type: ContractType
    client_id: str
    amount: Decimal
    price: Decimal | None = None
    time_in_force: ContractTime = "GTC"
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Entered:
    """An order got an id."""

    order_id: int
    ts_ms: int
    symbol: str
    side: Side
    type: ContractType
    client_id: str
    time_in_force: ContractTime
    price: Decimal
    amount: Decimal
    reduce_only: bool = False

    @property
    def forced(self) -> bool:
        """Whether the venue ordered it to liquidate a position."""
        return self.client_id.startswith(FORCED)


@dataclass(frozen=True, slots=True)
class Funded:
    """Funding was paid (`amount` < 0) or received for a position, at `rate` of its notional at `mark`."""

    symbol: str
    ts_ms: int
    rate: Decimal
    mark: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Levered:
    """A symbol's leverage changed."""

    symbol: str
    ts_ms: int
    leverage: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """The insurance fund paid what a liquidation left the wallet below zero."""

    symbol: str
    ts_ms: int
    amount: Decimal


OrderEvent = Entered | Filled | Closed
AccountEvent = Funded | Levered | Cleared
MarginEvent = OrderEvent | AccountEvent | ConditionalEvent


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill and what it realised, before its fee, in quote."""

    fill: Filled
    realized: Decimal


@dataclass(slots=True)
class ContractOrder:
    """An order's state: the sum of its events."""

    accepted: Entered
    status: Status = "NEW"
    filled: Decimal = ZERO
    filled_cost: Decimal = ZERO
    updated_ms: int = NEVER_MS
    cancel_id: str = ""
    reason: Why = ""
    executions: list[Execution] = field(default_factory=list)

    @property
    def order_id(self) -> int:
        return self.accepted.order_id

    @property
    def open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")

    @property
    def remaining(self) -> Decimal:
        return self.accepted.amount - self.filled

    @property
    def average(self) -> Decimal:
        """Average price of what was executed; zero when nothing was."""
        return self.filled_cost / self.filled if self.filled else ZERO


@dataclass(slots=True)
class Position:
    """A symbol's position: `amount` contracts (negative: short) that were opened for `cost` of the quote currency.

    `cost` has the sign of the amount. `realized` is what was realised so far, before fees.
    """

    symbol: str
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    leverage: int = LEVERAGE
    updated_ms: int = 0

    @property
    def entry(self) -> Decimal:
        """Average price of what is open; zero when nothing is."""
        return self.cost / self.amount if self.amount else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit if it were closed at the mark price."""
        return self.amount * mark - self.cost

    def closable(self, side: Side) -> Decimal:
        """How much an order of this side can reduce it by."""
        return abs(self.amount) if self.amount and (self.amount > 0) == (side == "SELL") else ZERO
