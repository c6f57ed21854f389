"""What the venue checks of a perpetual's order before it looks at the account. Codes and texts are Binance's.

https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code
"""

from __future__ import annotations

from decimal import Decimal

from simulator.matching.contracts import FORCED, Contract, NewContractOrder
from simulator.matching.filters import check_client_id
from simulator.matching.types import Refusal


def check_contract_order(new: NewContractOrder, contract: Contract, mark: Decimal) -> None:
    """Raises `Refusal` for the first thing that is wrong."""
    check_client_id("newClientOrderId", new.client_id)
    if new.client_id.startswith(FORCED):
        raise Refusal(-4015, "Client order id is not valid.")
    check_amount(new.amount, contract)
    if new.price is not None:
        check_price(new.price, contract)
        _near(new, new.price, contract, mark)
    if not new.reduce_only and new.amount * (new.price or mark) < contract.cost_min:
        text = f"Order's notional must be no smaller than {contract.cost_min} (unless you choose reduce only)."
        raise Refusal(-4164, text)


def check_leverage(leverage: int, contract: Contract) -> None:
    """Raises `Refusal` unless the contract has this leverage."""
    if not 1 <= leverage <= contract.brackets[0].leverage_max:
        raise Refusal(-4028, f"Leverage {leverage} is not valid")


def check_amount(amount: Decimal, contract: Contract) -> None:
    """Raises `Refusal` unless the contract takes so much in one order."""
    if amount <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    if amount % contract.step:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if amount > contract.amount_max:
        raise Refusal(-4005, f"Quantity greater than max quantity {contract.amount_max}.")


def check_price(price: Decimal, contract: Contract) -> None:
    """Raises `Refusal` unless it is a price of the contract's grid."""
    if price <= 0:
        raise Refusal(-4001, "Price less than 0.")
    if price % contract.tick:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if price > contract.price_max:
        raise Refusal(-4002, "Price greater than max price.")


def _near(new: NewContractOrder, price: Decimal, contract: Contract, mark: Decimal) -> None:
    """PERCENT_PRICE: nobody buys far above the mark price or sells far below it."""
    high, low = mark * contract.multiplier_up, mark * contract.multiplier_down
    if new.side == "BUY" and price > high:
        raise Refusal(-4016, f"Limit price can't be higher than {high.quantize(contract.tick)}.")
    if new.side == "SELL" and price < low:
        raise Refusal(-4024, f"Limit price can't be lower than {low.quantize(contract.tick)}.")
