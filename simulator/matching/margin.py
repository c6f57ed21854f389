"""What an account is worth, what its positions and orders tie up, and where it is liquidated. Amounts in quote.

What must be kept, and the price of liquidation:
https://www.binance.com/en/support/faq/detail/b3c689c1f50a44cabb3a84e663b81d93
The cost of an order:
https://www.binance.com/en/support/faq/detail/87fa7ee33b574f7084d42bd2ce2e463b
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from simulator.matching.contracts import ContractOrder, Entered, Marks, NewContractOrder, Position
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import ZERO


@dataclass(frozen=True, slots=True)
class Exposure:
    """One symbol's part: signed notional at mark, open orders that open, and what all that needs."""

    notional: Decimal
    unrealized: Decimal
    bids: Decimal
    asks: Decimal
    initial: Decimal
    position_initial: Decimal
    keep: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole account at these mark prices."""

    wallet: Decimal
    exposures: dict[str, Exposure]

    @property
    def unrealized(self) -> Decimal:
        return sum((one.unrealized for one in self.exposures.values()), ZERO)

    @property
    def balance(self) -> Decimal:
        """Margin balance: the wallet and what is not realised."""
        return self.wallet + self.unrealized

    @property
    def initial(self) -> Decimal:
        return sum((one.initial for one in self.exposures.values()), ZERO)

    @property
    def position_initial(self) -> Decimal:
        return sum((one.position_initial for one in self.exposures.values()), ZERO)

    @property
    def keep(self) -> Decimal:
        """Maintenance margin."""
        return sum((one.keep for one in self.exposures.values()), ZERO)

    @property
    def available(self) -> Decimal:
        """What new orders may tie up; never below zero."""
        return max(ZERO, self.balance - self.initial)

    @property
    def lost(self) -> bool:
        """Whether the venue takes the positions: the balance no longer covers what must be kept."""
        return self.keep > 0 and self.balance <= self.keep


def standing(ledger: MarginLedger, marks: Marks) -> Standing:
    """The account as it stands."""
    exposures = {symbol: exposure(ledger, symbol, marks[symbol]) for symbol in ledger.contracts}
    return Standing(ledger.wallet, exposures)


def exposure(
    ledger: MarginLedger, symbol: str, mark: Decimal, new: NewContractOrder | None = None, price: Decimal = ZERO
) -> Exposure:
    """One symbol's part, with an order that is not yet there at `price` if one is given."""
    position = ledger.positions[symbol]
    notional = position.amount * mark
    bids, asks = _open_notional(ledger, symbol)
    if new is not None and not new.reduce_only:
        cost = new.amount * price
        bids, asks = (bids + cost, asks) if new.side == "BUY" else (bids, asks + cost)
    worst = max(abs(notional), abs(notional + bids), abs(notional - asks))
    return Exposure(
        notional,
        position.unrealized(mark),
        bids,
        asks,
        worst / position.leverage,
        abs(notional) / position.leverage,
        ledger.contracts[symbol].keep(abs(notional)),
    )


def open_loss(new: NewContractOrder, price: Decimal, mark: Decimal) -> Decimal:
    """What an order loses against the mark price the moment it is executed."""
    worse = price - mark if new.side == "BUY" else mark - price
    return max(ZERO, worse) * new.amount


def liquidation_price(ledger: MarginLedger, symbol: str, state: Standing) -> Decimal:
    """The mark price of this symbol at which the account is lost, the others standing still; zero if there is none."""
    position = ledger.positions[symbol]
    if not position.amount:
        return ZERO
    mine = state.exposures[symbol]
    bracket = ledger.contracts[symbol].bracket(abs(mine.notional))
    others = state.balance - mine.unrealized - (state.keep - mine.keep)
    # others + amount × price − cost = |amount| × price × keep − cum, solved for the price
    slope = abs(position.amount) * bracket.keep - position.amount
    return max(ZERO, (others - position.cost + bracket.cum) / slope)


def break_even(position: Position, taker_fee: Decimal) -> Decimal:
    """The price at which closing pays for both fees, as if both were a taker's; zero when nothing is open."""
    if not position.amount:
        return ZERO
    sign = 1 if position.amount > 0 else -1
    return position.entry * (1 + sign * taker_fee) / (1 - sign * taker_fee)


def _open_notional(ledger: MarginLedger, symbol: str) -> tuple[Decimal, Decimal]:
    """Notional of the open buys and of the open sells that may open something."""
    sums = {"BUY": ZERO, "SELL": ZERO}
    for order in ledger.resting(symbol):
        if not order.accepted.reduce_only:
            sums[order.accepted.side] += order.remaining * order.accepted.price
    return sums["BUY"], sums["SELL"]


def ends(order: ContractOrder | Entered, amount: Decimal) -> bool:
    """Whether a reduce-only order has nothing left to reduce of a position of this amount."""
    accepted = order.accepted if isinstance(order, ContractOrder) else order
    return accepted.reduce_only and (amount == 0 or (amount > 0) == (accepted.side == "BUY"))
