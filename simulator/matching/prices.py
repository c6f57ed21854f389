"""How the prices of contingent orders and of OCO pairs must lie to the market. Codes and texts are Binance's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from simulator.matching.types import CONTINGENT, STOP_LOSSES, ZERO, NewOrder, OrderType, Refusal, rises

PROFITS: tuple[OrderType, ...] = ("LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
"""What may stand on the other side of a stop loss."""
BAD_PRICES = "The relationship of the prices for the orders is not correct."


@dataclass(frozen=True, slots=True)
class NewPair:
    """An OCO pair as it was asked for: one symbol, side and amount, a price above the market and one below."""

    client_id: str
    above: NewOrder
    below: NewOrder


def check_not_met(new: NewOrder, last: Decimal) -> None:
    """A stop price that the last trade meets already is refused. Raises `Refusal`."""
    if new.stop_price is None or last == ZERO:
        return
    if last >= new.stop_price if rises(new.type, new.side) else last <= new.stop_price:
        raise Refusal(-2010, "Stop price would trigger immediately.")


def check_pair(pair: NewPair, last: Decimal) -> None:
    """One leg takes the profit, the other the loss, each on its side of the market. Raises `Refusal`."""
    _check_types(pair)
    above, below = _watched(pair.above), _watched(pair.below)
    if above is not None and below is not None and above <= below:
        raise Refusal(-2010, BAD_PRICES)
    if last and (any(price <= last for price in _prices(pair.above)) or any(p >= last for p in _prices(pair.below))):
        raise Refusal(-2010, BAD_PRICES)


def _check_types(pair: NewPair) -> None:
    buying = pair.above.side == "BUY"
    upper, lower = pair.above.type, pair.below.type
    if any(kind not in CONTINGENT and kind != "LIMIT_MAKER" for kind in (upper, lower)):
        raise Refusal(-1158, "Order type not supported in OCO.")
    if buying and upper == "LIMIT_MAKER":
        raise Refusal(-1165, "A limit order in a buy OCO must be below.")
    if not buying and lower == "LIMIT_MAKER":
        raise Refusal(-1166, "A limit order in a sell OCO must be above.")
    if buying and lower in STOP_LOSSES:
        raise Refusal(-1196, "A stop loss order in a buy OCO must be above.")
    if not buying and upper in STOP_LOSSES:
        raise Refusal(-1197, "A stop loss order in a sell OCO must be below.")
    if buying and upper in PROFITS:
        raise Refusal(-1198, "A take profit order in a buy OCO must be below.")
    if not buying and lower in PROFITS:
        raise Refusal(-1199, "A take profit order in a sell OCO must be above.")


def _watched(leg: NewOrder) -> Decimal | None:
    """The price at which the market meets the leg; None for one that only trails."""
    return leg.price if leg.type == "LIMIT_MAKER" else leg.stop_price


def _prices(leg: NewOrder) -> list[Decimal]:
    """What must lie on the leg's side of the market: where it is met, and the price that takes the profit."""
    profit = leg.price if leg.type == "TAKE_PROFIT_LIMIT" and not leg.trailing_delta else None
    return [price for price in (_watched(leg), profit) if price is not None]
