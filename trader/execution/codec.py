"""Intents, steps and fills as JSON for the journal and back; decimals are strings, absent means None."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from ares.control import Json
from ares.model.market import Side
from trader.portfolio.orders import Intent, OrderState, OrderType, Source, Step
from trader.portfolio.positions import Execution, Fill

Payload = Mapping[str, Json]


def dump_intent(intent: Intent) -> dict[str, Json]:
    return {
        "order_id": intent.order_id,
        "account": intent.account,
        "venue": intent.venue,
        "symbol": intent.symbol,
        "strategy": intent.strategy,
        "version": intent.version,
        "side": intent.side,
        "type": intent.type,
        "time_in_force": intent.time_in_force,
        "quantity": str(intent.quantity),
        "price": _text(intent.price),
        "mark": str(intent.mark),
        "source": intent.source,
        "cycle_id": intent.cycle_id,
        "correlation_id": intent.correlation_id,
        "decided_at_ns": intent.decided_at_ns,
        "signal_known_at_ns": intent.signal_known_at_ns,
    }


def load_intent(payload: Payload) -> Intent:
    known_at = payload["signal_known_at_ns"]
    return Intent(
        order_id=_str(payload, "order_id"),
        account=_str(payload, "account"),
        venue=_str(payload, "venue"),
        symbol=_str(payload, "symbol"),
        strategy=_str(payload, "strategy"),
        version=_int(payload, "version"),
        side=cast("Side", _str(payload, "side")),
        type=cast("OrderType", _str(payload, "type")),
        time_in_force=_str(payload, "time_in_force"),
        quantity=Decimal(_str(payload, "quantity")),
        price=_decimal(payload, "price"),
        mark=Decimal(_str(payload, "mark")),
        source=cast("Source", _str(payload, "source")),
        cycle_id=_str(payload, "cycle_id"),
        correlation_id=_str(payload, "correlation_id"),
        decided_at_ns=_int(payload, "decided_at_ns"),
        signal_known_at_ns=None if known_at is None else _int(payload, "signal_known_at_ns"),
    )


def dump_step(step: Step) -> dict[str, Json]:
    return {
        "state": step.state.value,
        "venue_order_id": step.venue_order_id,
        "filled_quantity": _text(step.filled_quantity),
        "filled_cost": _text(step.filled_cost),
        "reason": step.reason,
    }


def load_step(event: str, ts_ns: int, payload: Payload) -> Step:
    venue_order_id, reason = payload["venue_order_id"], payload["reason"]
    return Step(
        event=event,
        state=OrderState(_str(payload, "state")),
        ts_ns=ts_ns,
        venue_order_id=None if venue_order_id is None else str(venue_order_id),
        filled_quantity=_decimal(payload, "filled_quantity"),
        filled_cost=_decimal(payload, "filled_cost"),
        reason=None if reason is None else str(reason),
    )


def dump_fill(fill: Fill) -> dict[str, Json]:
    execution = fill.execution
    return {
        "fill_id": execution.fill_id,
        "symbol": execution.symbol,
        "side": execution.side,
        "venue_order_id": execution.venue_order_id,
        "quantity": str(execution.quantity),
        "price": str(execution.price),
        "cost": str(execution.cost),
        "fee": str(execution.fee),
        "fee_currency": execution.fee_currency,
        "maker": execution.maker,
        "ts_ns": execution.ts_ns,
        "order_id": fill.order_id,
        "strategy": fill.strategy,
        "correlation_id": fill.correlation_id,
        "received_at_ns": fill.received_at_ns,
        "fee_rate": str(fill.fee_rate),
    }


def load_fill(payload: Payload) -> Fill:
    execution = Execution(
        fill_id=_str(payload, "fill_id"),
        symbol=_str(payload, "symbol"),
        side=cast("Side", _str(payload, "side")),
        venue_order_id=_str(payload, "venue_order_id"),
        quantity=Decimal(_str(payload, "quantity")),
        price=Decimal(_str(payload, "price")),
        cost=Decimal(_str(payload, "cost")),
        fee=Decimal(_str(payload, "fee")),
        fee_currency=_str(payload, "fee_currency"),
        maker=bool(payload["maker"]),
        ts_ns=_int(payload, "ts_ns"),
    )
    return Fill(
        execution,
        order_id=_str(payload, "order_id"),
        strategy=_str(payload, "strategy"),
        correlation_id=_str(payload, "correlation_id"),
        received_at_ns=_int(payload, "received_at_ns"),
        fee_rate=Decimal(_str(payload, "fee_rate")),
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _str(payload: Payload, name: str) -> str:
    value = payload[name]
    assert isinstance(value, str), f"{name}: text expected in the journal, not {value!r}"
    return value


def _int(payload: Payload, name: str) -> int:
    value = payload[name]
    assert isinstance(value, int), f"{name}: integer expected in the journal, not {value!r}"
    return value


def _decimal(payload: Payload, name: str) -> Decimal | None:
    return None if payload[name] is None else Decimal(_str(payload, name))
