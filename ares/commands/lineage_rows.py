"""The lineage of one order: from its fills to the decision, the signal, the prediction and the model, by their ids."""

from __future__ import annotations

from datetime import timedelta

from ares.clock import to_datetime
from ares.model.lineage import Edge, Node
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str

QUERIES = load_queries("ares.commands", "lineage.sql")
AROUND = timedelta(microseconds=1)
"""Timestamps are bound in microseconds, so that a row of a nanosecond is looked for around it."""


async def order_edges(database: Database, order_id: str) -> list[Edge]:
    """How one order came about, as edges down to named things (a model, a strategy's view); none if it is unknown."""
    order = await database.fetch_one(QUERIES["order"], {"order_id": order_id})
    if order is None:
        return []
    node = Node("order", order_id)
    fills = await database.fetch(QUERIES["fills"], {"order_id": order_id})
    edges = [Edge(node, Node("fill", as_str(fill["fill_id"])), "trader", _executed(fill)) for fill in fills]
    asked = {"correlation_id": as_str(order["correlation_id"]), "account": as_str(order["account"])}
    decision = await database.fetch_one(QUERIES["decision"], asked)
    if decision is None:  # it protects a position, or came from hand
        return [Edge(Node("decision", str(order["cycle_id"])), node, "trader", str(order["symbol"])), *edges]
    decided = Node("decision", f"{decision['cycle_id']}/{decision['strategy']}/{decision['symbol']}")
    edges.append(Edge(decided, node, "trader", str(decision["action"])))
    return [*edges, *await _signal_edges(database, order, decision, decided)]


async def _signal_edges(database: Database, order: Record, decision: Record, decided: Node) -> list[Edge]:
    if decision["signal_ts_ns"] is None:
        return []
    ts_ns, view = as_int(decision["signal_ts_ns"]), f"{decision['strategy']}_v{decision['number']}"
    moment = to_datetime(ts_ns)
    scope: dict[str, Param] = {
        "venue": as_str(order["venue"]),
        "symbol": as_str(order["symbol"]),
        "strategy": as_str(decision["strategy"]),
        "number": as_int(decision["number"]),
        "ts_ns": ts_ns,
        "lo": moment - AROUND,
        "hi": moment + AROUND,
        "known_at_ns": as_int(decision["signal_known_at_ns"]),
    }
    signal = await database.fetch_one(QUERIES["signal"], scope)
    seen = Node("signal", f"{view} {order['symbol']} {moment:%Y-%m-%dT%H:%M}Z")
    detail = "" if signal is None else f"revision {signal['revision']}, input {signal['input_hash']}"
    edges = [Edge(seen, decided, "trader", detail)]
    version = None if signal is None else signal["model_version"]
    if version is None:
        return [*edges, Edge(Node("signal", view), seen, "analytics")]
    scored = await database.fetch_one(QUERIES["prediction"], {**scope, "model_version": as_str(version)})
    if scored is None:
        return [*edges, Edge(Node("signal", view), seen, "analytics")]
    model = f"{scored['model']}@{version}"
    score = Node("prediction", f"{model} {order['symbol']} {moment:%Y-%m-%dT%H:%M}Z")
    return [*edges, Edge(score, seen, "analytics"), Edge(Node("model", model), score, "score")]


def _executed(fill: Record) -> str:
    return f"{fill['quantity']} at {fill['price']}"
