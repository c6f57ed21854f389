"""Orders, fills, positions and balances in the words of /fapi."""

from __future__ import annotations

from decimal import Decimal

from simulator.matching.contracts import Bracket, Contract, ContractOrder, Execution, Position
from simulator.matching.margin import Exposure, Standing, break_even, liquidation_price
from simulator.matching.margin_ledger import CENTS, Income, MarginLedger
from simulator.order_rows import text


def money(value: Decimal) -> str:
    """An amount of USDT, or a price that was computed, with eight decimals."""
    return f"{value.quantize(CENTS):f}"


def order_row(order: ContractOrder) -> dict[str, object]:
    """An order as GET answers it."""
    a = order.accepted
    return {
        "orderId": a.order_id,
        "symbol": a.symbol,
        "status": order.status,
        "clientOrderId": a.client_id,
        "price": text(a.price),
        "avgPrice": money(order.average),
        "origQty": text(a.amount),
        "executedQty": text(order.filled),
        "cumQuote": text(order.filled_cost),
        "timeInForce": a.time_in_force,
        "type": a.type,
        "reduceOnly": a.reduce_only,
        "closePosition": False,
        "side": a.side,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": a.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": a.ts_ms,
        "updateTime": order.updated_ms,
    }


def order_reply(order: ContractOrder, kind: str | None) -> dict[str, object]:
    """The answer to a new order or a cancel: ACK (what nobody asks otherwise for) says nothing of executions."""
    row = order_row(order)
    row.pop("time")
    row["cumQty"] = row["executedQty"]
    if kind in (None, "ACK"):
        nothing = dict.fromkeys(("executedQty", "cumQty", "cumQuote"), "0")
        row |= {**nothing, "status": "NEW", "avgPrice": "0.00"}
    return row


def cancel_reply(order: ContractOrder) -> dict[str, object]:
    """The answer to a cancel: the order as it is after it."""
    return order_reply(order, "RESULT")


def fill_row(order: ContractOrder, done: Execution) -> dict[str, object]:
    """An execution as userTrades answers it."""
    fill, a = done.fill, order.accepted
    return {
        "symbol": a.symbol,
        "id": fill.trade_id,
        "orderId": a.order_id,
        "side": a.side,
        "price": text(fill.price),
        "qty": text(fill.amount),
        "realizedPnl": money(done.realized),
        "quoteQty": text(fill.price * fill.amount),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts_ms,
        "positionSide": "BOTH",
        "buyer": a.side == "BUY",
        "maker": fill.maker,
    }


def income_row(income: Income, asset: str) -> dict[str, object]:
    """A change of the wallet as income answers it."""
    trade_id = "" if income.trade_id is None else str(income.trade_id)
    return {
        "symbol": income.symbol,
        "incomeType": income.type,
        "income": money(income.amount),
        "asset": asset,
        "info": trade_id or income.type,
        "time": income.ts_ms,
        "tranId": income.tran_id,
        "tradeId": trade_id,
    }


def position_row(ledger: MarginLedger, symbol: str, state: Standing, mark: Decimal) -> dict[str, object]:
    """A position as v3/positionRisk answers it."""
    position, mine = ledger.positions[symbol], state.exposures[symbol]
    return {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": text(position.amount),
        "entryPrice": money(position.entry),
        "breakEvenPrice": money(break_even(position, ledger.contracts[symbol].taker_fee)),
        "markPrice": money(mark),
        "unRealizedProfit": money(mine.unrealized),
        "liquidationPrice": _or_zero(liquidation_price(ledger, symbol, state)),
        "isolatedMargin": "0",
        "notional": money(mine.notional),
        "marginAsset": ledger.asset,
        "isolatedWallet": "0",
        "initialMargin": money(mine.initial),
        "maintMargin": money(mine.keep),
        "positionInitialMargin": money(mine.position_initial),
        "openOrderInitialMargin": money(mine.initial - mine.position_initial),
        "adl": 0,
        "bidNotional": money(mine.bids),
        "askNotional": money(mine.asks),
        "updateTime": position.updated_ms,
    }


def position_row_v2(row: dict[str, object], position: Position, contract: Contract) -> dict[str, object]:
    """The same as v2 answered it, with what was set beside what follows from it."""
    return row | {
        "leverage": str(position.leverage),
        "maxNotionalValue": text(contract.notional_max(position.leverage)),
        "marginType": "cross",
        "isAutoAddMargin": "false",
    }


def account_position(position: Position, mine: Exposure) -> dict[str, object]:
    """A position inside account."""
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": text(position.amount),
        "unrealizedProfit": money(mine.unrealized),
        "isolatedMargin": "0",
        "notional": money(mine.notional),
        "isolatedWallet": "0",
        "initialMargin": money(mine.initial),
        "maintMargin": money(mine.keep),
        "updateTime": position.updated_ms,
        "leverage": str(position.leverage),
        "entryPrice": money(position.entry),
        "positionInitialMargin": money(mine.position_initial),
        "openOrderInitialMargin": money(mine.initial - mine.position_initial),
        "isolated": False,
    }


def asset_row(asset: str, state: Standing, now_ms: int) -> dict[str, object]:
    """The one asset inside account."""
    return {
        "asset": asset,
        "walletBalance": money(state.wallet),
        "unrealizedProfit": money(state.unrealized),
        "marginBalance": money(state.balance),
        "maintMargin": money(state.keep),
        "initialMargin": money(state.initial),
        "positionInitialMargin": money(state.position_initial),
        "openOrderInitialMargin": money(state.initial - state.position_initial),
        "crossWalletBalance": money(state.wallet),
        "crossUnPnl": money(state.unrealized),
        "availableBalance": money(state.available),
        "maxWithdrawAmount": money(min(state.available, state.wallet)),
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def totals(state: Standing) -> dict[str, object]:
    """The sums of account."""
    return {
        "totalInitialMargin": money(state.initial),
        "totalMaintMargin": money(state.keep),
        "totalWalletBalance": money(state.wallet),
        "totalUnrealizedProfit": money(state.unrealized),
        "totalMarginBalance": money(state.balance),
        "totalPositionInitialMargin": money(state.position_initial),
        "totalOpenOrderInitialMargin": money(state.initial - state.position_initial),
        "totalCrossWalletBalance": money(state.wallet),
        "totalCrossUnPnl": money(state.unrealized),
        "availableBalance": money(state.available),
        "maxWithdrawAmount": money(min(state.available, state.wallet)),
    }


def bracket_row(bracket: Bracket) -> dict[str, object]:
    """One bracket as leverageBracket answers it; the venue writes numbers here."""
    return {
        "bracket": bracket.number,
        "initialLeverage": bracket.leverage_max,
        "notionalCap": int(bracket.cap),
        "notionalFloor": int(bracket.floor),
        "maintMarginRatio": float(bracket.keep),
        "cum": float(bracket.cum),
    }


def _or_zero(price: Decimal) -> str:
    return money(price) if price else "0"
