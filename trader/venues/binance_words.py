"""Binance's spot words in ours, exact: read from the raw answer, for ccxt's own figures are floats. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Side
from ares.resilience import Rate
from ares.resilience.rate import Kind
from trader.portfolio.money import ZERO
from trader.portfolio.orders import TIMED, OrderReport, OrderState
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.venues.gateway import Balance, KeyRights, OrderRequest, PairRequest
from trader.venues.words import Raw, Words

STATES = {
    "NEW": OrderState.ACCEPTED,
    "PENDING_NEW": OrderState.ACCEPTED,
    "PENDING_CANCEL": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


KINDS: Mapping[str, Kind] = {
    "REQUEST_WEIGHT": "weight",
    "ORDERS": "orders",
    "used-weight": "weight",
    "order-count": "orders",
}
INTERVALS_S = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
TOLD = re.compile(r"x-mbx-(used-weight|order-count)-([0-9]{1,5})([smhd])")


def info(answer: Raw) -> Raw:
    """The venue's own words inside ccxt's structure. Raises ValueError where there are none."""
    raw = answer["info"]
    if not isinstance(raw, Mapping):
        raise ValueError(f"no object but {type(raw).__name__}")
    return raw


def text(raw: Raw, name: str) -> str:
    """A field as text. Raises KeyError or ValueError."""
    value = raw[name]
    if not isinstance(value, str | int):
        raise ValueError(f"{name} is {type(value).__name__}")
    return str(value)


def number(raw: Raw, name: str) -> Decimal:
    """A field as a finite decimal. Raises KeyError or ValueError."""
    try:
        value = Decimal(text(raw, name))
    except InvalidOperation:
        raise ValueError(f"{name} = {raw[name]!r} is no number") from None
    if not value.is_finite():
        raise ValueError(f"{name} = {raw[name]!r} is not finite")
    return value


def side(word: str) -> Side:
    """BUY or SELL. Raises ValueError."""
    if word == "BUY":
        return "buy"
    if word == "SELL":
        return "sell"
    raise ValueError(f"side = {word!r}")


def order_params(request: OrderRequest) -> dict[str, object]:
    """What ccxt's `create_order` is told beside symbol, type, side, amount and price.

    The answer is asked for in full: of some types the venue would tell nothing but the id.
    """
    params: dict[str, object] = {"newClientOrderId": request.client_order_id, "newOrderRespType": "FULL"}
    if request.type in TIMED:
        params["timeInForce"] = request.time_in_force
    if request.stop_price is not None:
        params["stopPrice"] = f"{request.stop_price:f}"
    if request.trailing_bips:
        params["trailingDelta"] = request.trailing_bips
    return params


def pair_params(request: PairRequest) -> dict[str, object]:
    """The parameters of POST orderList/oco, but for the symbol."""
    params: dict[str, object] = {
        "side": request.above.side.upper(),
        "quantity": f"{request.above.quantity:f}",
        "listClientOrderId": request.list_id,
        "newOrderRespType": "FULL",
    }
    for word, leg in (("above", request.above), ("below", request.below)):
        given: dict[str, object] = {"Type": leg.type.upper(), "ClientOrderId": leg.client_order_id}
        if leg.price is not None:
            given["Price"] = f"{leg.price:f}"
        if leg.stop_price is not None:
            given["StopPrice"] = f"{leg.stop_price:f}"
        if leg.trailing_bips:
            given["TrailingDelta"] = leg.trailing_bips
        if leg.type in TIMED:
            given["TimeInForce"] = leg.time_in_force
        params |= {word + name: value for name, value in given.items()}
    return params


def pair(raw: Raw, request: PairRequest) -> tuple[OrderReport, OrderReport]:
    """The answer to a pair, as (above, below). Raises KeyError or ValueError."""
    rows = raw["orderReports"]
    if not isinstance(rows, list):
        raise ValueError("orderReports holds no list")
    reports = {report.client_order_id: report for report in (order(row, request.above.symbol) for row in rows)}
    return reports[request.above.client_order_id], reports[request.below.client_order_id]


def order(raw: Raw, symbol: str) -> OrderReport:
    """An order's answer; `fills` are there only in the answer to a new order."""
    ts_ns = int(text(raw, "updateTime" if "updateTime" in raw else "transactTime")) * NANOS_PER_MILLI
    fills = raw.get("fills")
    executions = [_fill_of_answer(raw, fill, symbol, ts_ns) for fill in fills] if isinstance(fills, list) else []
    return OrderReport(
        client_order_id=text(raw, "clientOrderId"),
        venue_order_id=text(raw, "orderId"),
        symbol=symbol,
        side=side(text(raw, "side")),
        state=STATES[text(raw, "status")],
        quantity=number(raw, "origQty"),
        filled_quantity=number(raw, "executedQty"),
        filled_cost=number(raw, "cummulativeQuoteQty"),
        ts_ns=ts_ns,
        executions=tuple(executions),
    )


def _fill_of_answer(raw: Raw, fill: object, symbol: str, ts_ns: int) -> Execution:
    if not isinstance(fill, Mapping):
        raise ValueError("fills holds no object")
    quantity, price = number(fill, "qty"), number(fill, "price")
    return Execution(
        fill_id=text(fill, "tradeId"),
        symbol=symbol,
        side=side(text(raw, "side")),
        venue_order_id=text(raw, "orderId"),
        quantity=quantity,
        price=price,
        cost=quantity * price,
        fee=number(fill, "commission"),
        fee_currency=text(fill, "commissionAsset"),
        maker=False,  # what is executed in the answer to a new order took
        ts_ns=ts_ns,
    )


def execution(raw: Raw, symbol: str) -> Execution:
    """A row of myTrades."""
    return Execution(
        fill_id=text(raw, "id"),
        symbol=symbol,
        side="buy" if flag(raw, "isBuyer") else "sell",
        venue_order_id=text(raw, "orderId"),
        quantity=number(raw, "qty"),
        price=number(raw, "price"),
        cost=number(raw, "quoteQty"),
        fee=number(raw, "commission"),
        fee_currency=text(raw, "commissionAsset"),
        maker=flag(raw, "isMaker"),
        ts_ns=int(text(raw, "time")) * NANOS_PER_MILLI,
    )


def balances(raw: Raw) -> dict[str, Balance]:
    """The account's balances; currencies of which there is nothing are left out."""
    rows = raw["balances"]
    if not isinstance(rows, list):
        raise ValueError("balances holds no list")
    found = {text(row, "asset"): Balance(number(row, "free"), number(row, "locked")) for row in rows}
    return {currency: balance for currency, balance in found.items() if balance.total}


def key_rights(raw: Raw) -> KeyRights:
    """What a key may do, from `apiRestrictions`. Raises KeyError or ValueError: what is not said is not assumed."""
    return KeyRights(trade=flag(raw, "enableSpotAndMarginTrading"), withdraw=flag(raw, "enableWithdrawals"))


def flag(raw: Raw, name: str) -> bool:
    """A field that is true or false. Raises KeyError or ValueError."""
    value = raw[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {type(value).__name__}")
    return value


def filters(market: Raw) -> Mapping[str, Raw]:
    """A symbol's filters by their type, from exchangeInfo. Raises KeyError or ValueError."""
    rows = info(market)["filters"]
    if not isinstance(rows, list):
        raise ValueError("filters holds no list")
    return {text(row, "filterType"): row for row in rows}


def grid(market: Raw) -> Grid:
    """The steps of one symbol, from exchangeInfo's filters. Raises KeyError or ValueError."""
    named = filters(market)
    notional = named.get("NOTIONAL") or named.get("MIN_NOTIONAL")
    return Grid(
        price_tick=number(named["PRICE_FILTER"], "tickSize"),
        amount_step=number(named["LOT_SIZE"], "stepSize"),
        cost_min=ZERO if notional is None else number(notional, "minNotional"),
        amount_max=amount_max(named),
    )


def amount_max(named: Mapping[str, Raw]) -> Decimal | None:
    """The most that an order may be in base, market orders too; 0 says nothing. Raises KeyError or ValueError."""
    told = [
        number(named[name], "maxQty") for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if "maxQty" in named.get(name, {})
    ]
    return min((most for most in told if most > 0), default=None)


def middle(raw: Raw) -> Decimal:
    """The middle of best bid and ask; 0 when a side is empty."""
    bid, ask = number(raw, "bidPrice"), number(raw, "askPrice")
    return (bid + ask) / 2 if bid > 0 and ask > 0 else ZERO


def rate_limits(raw: Raw) -> dict[Rate, int]:
    """What exchangeInfo allows of what is counted here. Raises KeyError or ValueError."""
    rows = raw["rateLimits"]
    if not isinstance(rows, list):
        raise ValueError("rateLimits holds no list")
    found: dict[Rate, int] = {}
    for row in rows:
        kind = KINDS.get(text(row, "rateLimitType"))
        if kind is not None:
            interval_s = INTERVALS_S[text(row, "interval")] * int(text(row, "intervalNum"))
            found[Rate(kind, interval_s)] = int(text(row, "limit"))
    if not all(rate.interval_s > 0 and limit > 0 for rate, limit in found.items()):
        raise ValueError(f"rateLimits = {rows!r}")
    return found


def rates_told(headers: Mapping[str, str]) -> dict[Rate, int]:
    """What an answer's headers say is used, by everybody behind our address or of our account."""
    found: dict[Rate, int] = {}
    for name, value in headers.items():
        match = TOLD.fullmatch(name.lower())
        if match is not None and value.isascii() and value.isdigit() and len(value) <= 9 and int(match[2]):
            found[Rate(KINDS[match[1]], int(match[2]) * INTERVALS_S[match[3]])] = int(value)
    return found


def under_maintenance(raw: Raw) -> bool:
    """What `system/status` says. Raises KeyError or ValueError for neither 0 (normal) nor 1 (maintenance)."""
    status = text(raw, "status")
    if status not in ("0", "1"):
        raise ValueError(f"status = {status!r}")
    return status == "1"


def statuses(raw: Raw) -> dict[str, str]:
    """Each symbol's status in exchangeInfo, by the venue's name of it. Raises KeyError or ValueError."""
    rows = raw["symbols"]
    if not isinstance(rows, list):
        raise ValueError("symbols holds no list")
    return {text(row, "symbol"): text(row, "status") for row in rows}


SPOT = Words(order, execution, balances, key_rights, grid)
