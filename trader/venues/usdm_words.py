"""Binance's USD-M futures' words in ours, exact. Pure.

https://developers.binance.com/docs/derivatives/usds-margined-futures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ares.clock import NANOS_PER_MILLI
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderReport, OrderState, OrderType
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution, currencies
from trader.portfolio.sizing import Grid
from trader.venues.binance_words import STATES, amount_max, filters, flag, number, side, text
from trader.venues.gateway import Balance, KeyRights, OrderRequest, VenuePosition
from trader.venues.words import Raw, Words

BIPS_OF_A_PERCENT = 100
CONDITIONAL: frozenset[OrderType] = frozenset({"stop_loss", "take_profit"})
"""Types that the venue keeps apart from the book until a price places the real order."""
FUTURES_STATES: Mapping[str, OrderState] = {
    **STATES,
    "NEW_INSURANCE": OrderState.ACCEPTED,  # a liquidation that the insurance fund takes over
    "NEW_ADL": OrderState.ACCEPTED,
}
ALGO_STATES: Mapping[str, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "TRIGGERING": OrderState.UNKNOWN,
    "TRIGGERED": OrderState.UNKNOWN,
    "FINISHED": OrderState.UNKNOWN,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "REJECTED": OrderState.EXPIRED,
}
"""One that left the service is in doubt until the order that it became is seen: it protects nothing, and may be filled.
One that was refused when it triggered had been taken before, so to its order it is an end and no rejection.
"""
ALGO_ID = "algo-"
"""Before the ids of conditional orders, which are counted apart from those of the book's."""
ONE_WAY = "BOTH"
"""The side of a position in one-way mode; hedge mode knows LONG and SHORT."""


def order(raw: Raw, symbol: str) -> OrderReport:
    """An order's answer. It never carries executions: those are asked for by the order's id."""
    return OrderReport(
        client_order_id=text(raw, "clientOrderId"),
        venue_order_id=text(raw, "orderId"),
        symbol=symbol,
        side=side(text(raw, "side")),
        state=FUTURES_STATES[text(raw, "status")],
        quantity=number(raw, "origQty"),
        filled_quantity=number(raw, "executedQty"),
        filled_cost=number(raw, "cumQuote"),
        ts_ns=int(text(raw, "updateTime")) * NANOS_PER_MILLI,
    )


def algo_order(raw: Raw, symbol: str) -> OrderReport:
    """A conditional order's answer, as long as nobody knows of an order that it became."""
    return OrderReport(
        client_order_id=text(raw, "clientAlgoId"),
        venue_order_id=ALGO_ID + text(raw, "algoId"),
        symbol=symbol,
        side=side(text(raw, "side")),
        state=ALGO_STATES[text(raw, "algoStatus")],
        quantity=number(raw, "quantity"),
        filled_quantity=ZERO,
        filled_cost=ZERO,
        ts_ns=int(text(raw, "updateTime")) * NANOS_PER_MILLI,
    )


def became(raw: Raw) -> str | None:
    """The id of the order that a conditional one placed; None while it placed none."""
    told = raw.get("actualOrderId")
    return str(told) if told not in (None, "", "0", 0) else None


def algo_params(request: OrderRequest) -> dict[str, object]:
    """What ccxt's `create_order` is told of a conditional order, beside symbol, side and amount.

    The last price triggers it, as it fills: a mark price may lie elsewhere, and does so when it matters most.
    """
    params: dict[str, object] = {"clientAlgoId": request.client_order_id, "workingType": "CONTRACT_PRICE"}
    if request.trailing_bips:
        params["trailingPercent"] = f"{Decimal(request.trailing_bips) / BIPS_OF_A_PERCENT:f}"
    else:
        word = "takeProfitPrice" if request.type == "take_profit" else "stopLossPrice"
        params[word] = f"{request.stop_price:f}"
    if request.reduce_only:
        params["reduceOnly"] = "true"
    return params


def execution(raw: Raw, symbol: str) -> Execution:
    """A row of userTrades. Its `quoteQty` is cut to a few digits, so the cost is worked out."""
    quantity, price = number(raw, "qty"), number(raw, "price")
    return Execution(
        fill_id=text(raw, "id"),
        symbol=symbol,
        side=side(text(raw, "side")),
        venue_order_id=text(raw, "orderId"),
        quantity=quantity,
        price=price,
        cost=quantity * price,
        fee=number(raw, "commission"),
        fee_currency=text(raw, "commissionAsset"),
        maker=flag(raw, "maker"),
        ts_ns=int(text(raw, "time")) * NANOS_PER_MILLI,
    )


def balances(raw: Raw) -> dict[str, Balance]:
    """The wallet of each asset, and what of it margin may be given of; assets of which there is nothing are left out.

    `availableBalance` counts unrealised profit of cross positions, so it may be more than the wallet.
    """
    rows = raw["assets"]
    if not isinstance(rows, list):
        raise ValueError("assets holds no list")
    found: dict[str, Balance] = {}
    for row in rows:
        wallet, free = number(row, "walletBalance"), number(row, "availableBalance")
        if wallet:
            found[text(row, "asset")] = Balance(free, wallet - free)
    return found


def key_rights(raw: Raw) -> KeyRights:
    """What a key may do, from `apiRestrictions`: what is not said is not assumed."""
    return KeyRights(trade=flag(raw, "enableFutures"), withdraw=flag(raw, "enableWithdrawals"))


def grid(market: Raw) -> Grid:
    """The steps of one symbol, from exchangeInfo's filters."""
    named = filters(market)
    notional = named.get("MIN_NOTIONAL")
    return Grid(
        price_tick=number(named["PRICE_FILTER"], "tickSize"),
        amount_step=number(named["LOT_SIZE"], "stepSize"),
        cost_min=ZERO if notional is None else number(notional, "notional"),
        amount_max=amount_max(named),
    )


def positions(rows: Sequence[Raw], symbol_of: Callable[[str], str]) -> dict[str, VenuePosition]:
    """Rows of positionRisk, flat ones left out. Raises ValueError for a position of hedge mode."""
    found: dict[str, VenuePosition] = {}
    for row in rows:
        quantity, liquidation = number(row, "positionAmt"), number(row, "liquidationPrice")
        if not quantity:
            continue
        if text(row, "positionSide") != ONE_WAY:
            raise ValueError(f"positionSide = {text(row, 'positionSide')}: the account is in hedge mode")
        price = number(row, "entryPrice")
        found[symbol_of(text(row, "symbol"))] = VenuePosition(quantity, price, liquidation if liquidation > 0 else None)
    return found


def funding(raw: Raw, symbol_of: Callable[[str], str]) -> Funding:
    """A row of income of the type FUNDING_FEE: `tranId` is unique among those."""
    symbol = symbol_of(text(raw, "symbol"))
    asset, (_, quote) = text(raw, "asset"), currencies(symbol)
    if asset != quote:
        raise ValueError(f"asset = {asset}: funding of {symbol} is paid in {quote}")
    return Funding(text(raw, "tranId"), symbol, number(raw, "income"), int(text(raw, "time")) * NANOS_PER_MILLI)


def is_hedged(raw: Raw) -> bool:
    """Whether the account is in hedge mode, from `positionSide/dual`."""
    return flag(raw, "dualSidePosition")


def leverage(raw: Raw) -> Decimal:
    """The initial leverage that a symbol has now, from the answer to its change."""
    return number(raw, "leverage")


USDM = Words(order, execution, balances, key_rights, grid)
