"""Everything signed under /fapi: orders, positions, margin, income."""

from __future__ import annotations

from decimal import Decimal

from simulator.account_api import ROWS_MAX, page, symbol_of, within
from simulator.late_fills import LateFills
from simulator.matching.contracts import ContractOrder
from simulator.matching.types import Refusal
from simulator.order_rows import text
from simulator.params import Params, missing, require_one
from simulator.perpetual.desk import MarginDesk
from simulator.perpetual.market import Perpetuals
from simulator.perpetual.rows import (
    account_position,
    asset_row,
    bracket_row,
    cancel_reply,
    fill_row,
    income_row,
    order_reply,
    order_row,
    position_row,
    position_row_v2,
    totals,
)
from simulator.perpetual.words import flag, new_contract_order

INCOMES = 100
DONE = {"code": 200, "msg": "success"}


class FuturesApi:
    """Methods take parameters that were already authenticated, and return JSON."""

    def __init__(self, desk: MarginDesk, perpetuals: Perpetuals, late: LateFills) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._perpetuals = perpetuals
        self._late = late

    def place(self, params: Params) -> object:
        self._symbol(params)
        order = self._desk.place(new_contract_order(params, self._ledger.next_order_id))
        return order_reply(order, params.maybe("newOrderRespType"))

    def test(self, params: Params) -> object:
        """Only whether the words and numbers are right."""
        self._symbol(params)
        self._desk.check(new_contract_order(params, self._ledger.next_order_id))
        return {}

    def cancel(self, params: Params) -> object:
        order = self._find(params, Refusal(-2011, "Unknown order sent."))
        return cancel_reply(self._desk.cancel(order))

    def cancel_all(self, params: Params) -> object:
        """Every open order of a symbol; no harm if there is none."""
        for order in self._ledger.open_orders(self._symbol(params)):
            if order.open:
                self._desk.cancel(order)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def order(self, params: Params) -> object:
        return order_row(self._find(params, Refusal(-2013, "Order does not exist.")))

    def open_order(self, params: Params) -> object:
        unknown = Refusal(-2013, "Order does not exist.")
        order = self._find(params, unknown)
        if not order.open:
            raise unknown
        return order_row(order)

    def open_orders(self, params: Params) -> object:
        symbol = self._symbol(params) if params.has("symbol") else None
        return [order_row(order) for order in self._ledger.open_orders(symbol)]

    def all_orders(self, params: Params) -> object:
        symbol, first = self._symbol(params), params.integer("orderId") or 0
        orders = [o for o in self._ledger.orders.values() if o.accepted.symbol == symbol and o.order_id >= first]
        rows = [order for order in orders if within(params, order.accepted.ts_ms)]
        return [order_row(order) for order in page(rows, params, from_start=params.has("orderId"))]

    def force_orders(self, params: Params) -> object:
        """Orders by which the venue liquidated."""
        symbol = self._symbol(params) if params.has("symbol") else None
        rows = [o for o in self._ledger.orders.values() if o.accepted.forced and within(params, o.accepted.ts_ms)]
        return [order_row(order) for order in rows if symbol in (None, order.accepted.symbol)]

    def user_trades(self, params: Params) -> object:
        symbol = self._symbol(params)
        order_id, first = params.integer("orderId"), params.integer("fromId") or 0
        if params.has("fromId") and (params.has("startTime") or params.has("endTime")):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        rows = [
            (order, done)
            for order, done in self._ledger.executions(symbol)
            if self._late.told(done.fill)
            and done.fill.trade_id >= first
            and order_id in (None, order.order_id)
            and within(params, done.fill.ts_ms)
        ]
        return [fill_row(order, done) for order, done in page(rows, params, from_start=params.has("fromId"))]

    def income(self, params: Params) -> object:
        """Changes of the wallet, the oldest first."""
        self._desk.settle()
        symbol = self._symbol(params) if params.has("symbol") else None
        kind = params.maybe("incomeType")
        most = params.limit(INCOMES, ROWS_MAX)
        skipped = ((params.integer("page") or 1) - 1) * most
        rows = [
            income
            for income in self._ledger.incomes
            if symbol in (None, income.symbol) and kind in (None, income.type) and within(params, income.ts_ms)
        ]
        shown = rows[skipped : skipped + most] if params.has("startTime") or params.has("page") else rows[-most:]
        return [income_row(income, self._ledger.asset) for income in shown]

    def balance(self, _params: Params) -> object:
        self._desk.settle()
        row = asset_row(self._ledger.asset, self._desk.standing(), self._desk.now_ms())
        names = ("asset", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")
        shared = {name: row[name] for name in (*names, "marginAvailable", "updateTime")}
        return [{"accountAlias": "ares", "balance": row["walletBalance"], **shared}]

    def account(self, _params: Params) -> object:
        self._desk.settle()
        state, now_ms = self._desk.standing(), self._desk.now_ms()
        positions = [
            account_position(position, state.exposures[symbol])
            for symbol, position in self._ledger.positions.items()
            if position.amount or state.exposures[symbol].initial
        ]
        rights = {"feeTier": 0, "canTrade": True, "canDeposit": False, "canWithdraw": False, "multiAssetsMargin": True}
        assets = [asset_row(self._ledger.asset, state, now_ms)]
        return {**rights, "updateTime": 0, **totals(state), "assets": assets, "positions": positions}

    def position_risk(self, params: Params) -> object:
        """Symbols that have a position or an open order."""
        return [row for row in self._positions(params) if self._shown(str(row["symbol"]))]

    def position_risk_v2(self, params: Params) -> object:
        """All symbols, with what was set."""
        ledger = self._ledger
        named = [(str(row["symbol"]), row) for row in self._positions(params)]
        return [position_row_v2(row, ledger.positions[name], ledger.contracts[name]) for name, row in named]

    def leverage_bracket(self, params: Params) -> object:
        rows: list[dict[str, object]] = [
            {"symbol": symbol, "brackets": [bracket_row(bracket) for bracket in contract.brackets]}
            for symbol, contract in self._ledger.contracts.items()
        ]
        if not params.has("symbol"):
            return rows
        return next(row for row in rows if row["symbol"] == self._symbol(params))

    def set_leverage(self, params: Params) -> object:
        symbol, leverage = self._symbol(params), params.integer("leverage")
        if leverage is None:
            raise missing("leverage")
        self._desk.set_leverage(symbol, leverage)
        most = self._ledger.contracts[symbol].notional_max(leverage)
        return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": text(most)}

    def set_margin_type(self, params: Params) -> object:
        """Cross it is, and cross it stays."""
        self._symbol(params)
        kind = params.text("marginType")
        if kind == "CROSSED":
            raise Refusal(-4046, "No need to change margin type.")
        if kind != "ISOLATED":
            raise Refusal(-1130, "Data sent for parameter 'marginType' is not valid.")
        raise Refusal(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")

    def position_mode(self, _params: Params) -> object:
        return {"dualSidePosition": False}

    def set_position_mode(self, params: Params) -> object:
        """One-way it is, and one-way it stays."""
        if flag(params, "dualSidePosition"):
            raise Refusal(-4068, "Position side cannot be changed if there exists position.")
        raise Refusal(-4059, "No need to change position side.")

    def margin_mode(self, _params: Params) -> object:
        return {"multiAssetsMargin": True}

    def commission_rate(self, params: Params) -> object:
        contract = self._ledger.contracts[self._symbol(params)]
        rates = {"makerCommissionRate": text(contract.maker_fee), "takerCommissionRate": text(contract.taker_fee)}
        return {"symbol": contract.symbol, **rates}

    def symbol_config(self, params: Params) -> object:
        chosen = [self._symbol(params)] if params.has("symbol") else list(self._ledger.contracts)
        return [
            {
                "symbol": symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": self._ledger.positions[symbol].leverage,
                "maxNotionalValue": text(self._ledger.contracts[symbol].notional_max(self._leverage(symbol))),
            }
            for symbol in chosen
        ]

    def account_config(self, _params: Params) -> object:
        rights = {"canTrade": True, "canDeposit": False, "canWithdraw": False}
        modes = {"dualSidePosition": False, "multiAssetsMargin": True}
        return {"feeTier": 0, **rights, **modes, "updateTime": 0, "tradeGroupId": -1}

    def _leverage(self, symbol: str) -> int:
        return self._ledger.positions[symbol].leverage

    def _positions(self, params: Params) -> list[dict[str, object]]:
        self._desk.settle()
        chosen = [self._symbol(params)] if params.has("symbol") else list(self._ledger.contracts)
        state, now_ms = self._desk.standing(), self._desk.now_ms()
        marks: dict[str, Decimal] = {symbol: self._perpetuals.mark(symbol, now_ms) for symbol in chosen}
        return [position_row(self._ledger, symbol, state, marks[symbol]) for symbol in chosen]

    def _shown(self, symbol: str) -> bool:
        return bool(self._ledger.positions[symbol].amount) or bool(self._ledger.open_orders(symbol))

    def _symbol(self, params: Params) -> str:
        return symbol_of(self._ledger.contracts, params)

    def _find(self, params: Params, unknown: Refusal) -> ContractOrder:
        symbol = self._symbol(params)
        require_one(params, "origClientOrderId", "orderId")
        found = self._ledger.find(symbol, params.integer("orderId"), params.maybe("origClientOrderId"))
        if found is None:
            raise unknown
        return found
