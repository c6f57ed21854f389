"""What the trader says to the database: one function a table. Decimals are rounded to the ten digits it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ares.model.row import Cell, Row, UtcNs
from trader.events import CapitalCounted, CapitalMoved, LimitAsked, LimitSet, StateChanged
from trader.portfolio.money import to_scale
from trader.portfolio.orders import Order, Step
from trader.portfolio.positions import Fill, Position, fee_of
from trader.risk import LIMITS, Refused, Warned
from trader.venues.gateway import Balance


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose rows these are."""

    account: str
    venue: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a cycle saw and decided for one strategy and symbol. Quantities in base, prices in quote."""

    ts_ns: int
    cycle_id: str
    correlation_id: str
    strategy: str
    version: int
    symbol: str
    action: str
    reason: str
    state: str
    refusal: Refused | None = None
    warnings: tuple[Warned, ...] = ()
    scale: Decimal | None = None
    """What limits on exposure were multiplied by; None where none were looked at."""
    signal_ts_ns: int | None = None
    signal_known_at_ns: int | None = None
    target: float | None = None
    confidence: float | None = None
    mark: Decimal | None = None
    quantity: Decimal | None = None
    target_quantity: Decimal | None = None
    order_quantity: Decimal | None = None
    client_order_id: str | None = None
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Equity:
    """The account at mark, in quote. `capital_quote` is what it began with and what came and went since."""

    ts_ns: int
    quote_currency: str
    cash: Decimal
    positions_quote: Decimal
    gross_exposure_quote: Decimal
    realised_quote: Decimal
    unrealised_quote: Decimal
    day_pnl_quote: Decimal
    realised_fifo_quote: Decimal
    funding_quote: Decimal
    capital_quote: Decimal


def decision_row(who: Identity, decision: Decision) -> Row:
    refusal = decision.refusal
    symbols = {
        "account": who.account,
        "venue": who.venue,
        "symbol": decision.symbol,
        "strategy": decision.strategy,
        "action": decision.action,
        "state": decision.state,
    }
    if refusal is not None:
        symbols |= {"rule": refusal.rule, "unit": refusal.unit}
    columns: dict[str, Cell] = {
        "cycle_id": decision.cycle_id,
        "correlation_id": decision.correlation_id,
        "trace_id": decision.trace_id or None,
        "version": decision.version,
        "signal_ts": _moment(decision.signal_ts_ns),
        "signal_known_at": _moment(decision.signal_known_at_ns),
        "target": decision.target,
        "confidence": decision.confidence,
        "mark": _scaled(decision.mark),
        "quantity": _scaled(decision.quantity),
        "target_quantity": _scaled(decision.target_quantity),
        "order_quantity": _scaled(decision.order_quantity),
        "observed": None if refusal is None else _scaled(refusal.observed),
        "limit_value": None if refusal is None else to_scale(refusal.limit),
        "client_order_id": decision.client_order_id,
        "reason": decision.reason,
        "limit_scale": decision.scale,
        "warnings": "; ".join(map(_warning, decision.warnings)) or None,
    }
    return Row("decisions", decision.ts_ns, symbols, columns)


def order_row(order: Order, step: Step) -> Row:
    """A step of an order; `order` as it is after it."""
    intent = order.intent
    symbols = {
        "account": intent.account,
        "venue": intent.venue,
        "symbol": intent.symbol,
        "strategy": intent.strategy,
        "event": step.event,
        "state": step.state.value,
        "side": intent.side,
        "type": intent.type,
        "time_in_force": intent.time_in_force,
    }
    columns: dict[str, Cell] = {
        "order_id": intent.order_id,
        "seq": order.seq,
        "venue_order_id": order.venue_order_id,
        "cycle_id": intent.cycle_id,
        "correlation_id": intent.correlation_id,
        "trace_id": intent.trace_id or None,
        "quantity": to_scale(order.quantity),
        "price": _scaled(intent.price),
        "filled_quantity": to_scale(order.filled_quantity),
        "filled_cost": to_scale(order.filled_cost),
        "signal_known_at": _moment(intent.signal_known_at_ns),
        "reason": step.reason,
        "stop_price": _scaled(intent.stop_price),
        "trailing_bips": intent.trailing_bips or None,
        "list_id": intent.list_id or None,
    }
    return Row("order_events", step.ts_ns, symbols, columns)


def fill_row(who: Identity, fill: Fill) -> Row:
    execution = fill.execution
    symbols = {
        "account": who.account,
        "venue": who.venue,
        "symbol": execution.symbol,
        "strategy": fill.strategy,
        "side": execution.side,
        "liquidity": "maker" if execution.maker else "taker",
        "fee_currency": execution.fee_currency,
    }
    columns: dict[str, Cell] = {
        "fill_id": execution.fill_id,
        "order_id": fill.order_id,
        "venue_order_id": execution.venue_order_id,
        "correlation_id": fill.correlation_id,
        "trace_id": fill.trace_id or None,
        "quantity": to_scale(execution.quantity),
        "price": to_scale(execution.price),
        "cost": to_scale(execution.cost),
        "fee": to_scale(execution.fee),
        "fee_quote": fee_of(fill).worth(execution.price),
        "received_at": UtcNs(fill.received_at_ns),
    }
    return Row("fills", execution.ts_ns, symbols, columns)


def position_row(who: Identity, position: Position, cause: str, fill_id: str) -> Row:
    symbols = {
        "account": who.account,
        "venue": who.venue,
        "symbol": position.symbol,
        "strategy": position.strategy,
        "cause": cause,
    }
    columns: dict[str, Cell] = {
        "fill_id": fill_id,
        "seq": position.seq,
        "quantity": position.quantity,
        "average_price": position.average_price,
        "cost_basis": position.cost_basis,
        "realised_quote": position.realised_quote,
        "fees_quote": position.fees_quote,
        "realised_fifo_quote": position.realised_fifo_quote,
        "cost_fifo": position.cost_fifo,
        "funding_quote": position.funding_quote,
        "fees_base": position.fees_base,
        "fees_other_quote": position.fees_other_quote,
        "rebates_quote": position.rebates_quote,
    }
    return Row("position_events", position.changed_at_ns, symbols, columns)


def capital_row(account: str, said: CapitalCounted | CapitalMoved, capital: Decimal, ts_ns: int, seq: int) -> Row:
    """What the account began with, or what came or went; `capital` is all of it together, after that."""
    if isinstance(said, CapitalCounted):
        cause, name, amount, actor, reason = "counted", "counted", said.equity_quote, "trader", "first start"
    else:
        cause = "deposit" if said.amount_quote > 0 else "withdrawal"
        name, amount, actor, reason = said.movement_id, said.amount_quote, said.actor, said.reason
    symbols = {"account": account, "cause": cause, "actor": actor}
    columns: dict[str, Cell] = {
        "movement_id": name,
        "seq": seq,
        "amount_quote": to_scale(amount),
        "capital_quote": to_scale(capital),
        "reason": reason,
    }
    return Row("capital", ts_ns, symbols, columns)


def state_row(account: str, said: StateChanged, ts_ns: int, seq: int) -> Row:
    """A change of the trading state; `seq` counts them."""
    symbols = {"account": account, "state": said.state.value, "actor": said.actor}
    return Row("trading_state", ts_ns, symbols, {"seq": seq, "reason": said.reason})


def limit_row(account: str, said: LimitAsked | LimitSet, ts_ns: int, seq: int) -> Row:
    """A limit that was set, reset or asked for; `seq` counts them."""
    change, asked = said.change, isinstance(said, LimitAsked)
    symbols = {
        "account": account,
        "name": change.name,
        "strategy": change.strategy,
        "symbol": change.symbol,
        "status": "asked" if asked else "reset" if change.value is None else "set",
        "unit": LIMITS[change.name].unit,
        "actor": change.actor,
        "approved_by": said.approved_by if isinstance(said, LimitSet) else "",
    }
    columns: dict[str, Cell] = {
        "seq": seq,
        "change_id": change.id,
        "before": _scaled(change.before),
        "value": _scaled(change.value),
        "reason": change.reason,
    }
    return Row("limits", ts_ns, symbols, columns)


def balance_rows(who: Identity, balances: Mapping[str, Balance], ts_ns: int) -> list[Row]:
    return [
        Row(
            "balances",
            ts_ns,
            {"account": who.account, "venue": who.venue, "currency": currency},
            {"free": to_scale(balance.free), "locked": to_scale(balance.locked)},
        )
        for currency, balance in balances.items()
    ]


def equity_row(who: Identity, equity: Equity) -> Row:
    columns: dict[str, Cell] = {
        "cash": to_scale(equity.cash),
        "positions_quote": to_scale(equity.positions_quote),
        "equity_quote": to_scale(equity.cash + equity.positions_quote),
        "gross_exposure_quote": to_scale(equity.gross_exposure_quote),
        "realised_quote": to_scale(equity.realised_quote),
        "unrealised_quote": to_scale(equity.unrealised_quote),
        "day_pnl_quote": to_scale(equity.day_pnl_quote),
        "realised_fifo_quote": to_scale(equity.realised_fifo_quote),
        "funding_quote": to_scale(equity.funding_quote),
        "capital_quote": to_scale(equity.capital_quote),
    }
    symbols = {"account": who.account, "quote_currency": equity.quote_currency}
    return Row("equity", equity.ts_ns, symbols, columns)


def _warning(warned: Warned) -> str:
    return f"{warned.rule}: {to_scale(warned.observed):f} of {to_scale(warned.soft):f} {warned.unit}"


def _scaled(value: Decimal | None) -> Decimal | None:
    return None if value is None else to_scale(value)


def _moment(ns: int | None) -> UtcNs | None:
    return None if ns is None else UtcNs(ns)
