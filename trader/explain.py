"""From a tick to the fills of an order: every leg of the way with its time and its delay, from rows alone.

Times of ticks and fills are the venue's clock, all others ours: a delay between the two holds the clocks' difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ares.clock import MINUTE_NS, SystemClock, to_datetime
from ares.errors import UnknownName
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str
from trader.execution.ids import PROTECTION_CYCLE
from trader.portfolio.orders import AMEND_ASKED, AMENDED

QUERIES = load_queries("trader", "queries/explain.sql")
LOOK_BACK_DAYS = (1, 30, 9_000)
"""An id tells no time: first what is young is looked through, which is what people ask for."""
MICROSECOND = timedelta(microseconds=1)
"""Parameters are exact to this; rows to a nanosecond."""
NO_SIGNAL = "none: an order by hand or of a flatten rests on no signal"
PROTECTS = "none: an order that protects a position rests on no signal"
NO_DECISION = "none: it follows from the position, its cost and the settings (trading.protection)"
AT_VENUE = frozenset({"ACCEPTED", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED"})


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of the way. `at_ns` None: it is not there, and `detail` says why; `delay_ns` since the leg before."""

    name: str
    at_ns: int | None
    detail: str
    delay_ns: int | None = None


async def explain(database: Database, order_id: str) -> list[Leg]:
    """The way of an order. Raises `UnknownName` if no row tells of it, `StoreError`."""
    steps: Sequence[Record] = ()
    about: dict[str, Param] = {}
    now = to_datetime(SystemClock().now_ns())
    for days in LOOK_BACK_DAYS:
        about = {"order_id": order_id, "since": now - timedelta(days=days)}
        steps = await database.fetch(QUERIES["steps"], about)
        if steps:
            break
    if not steps:
        newest = await database.fetch(QUERIES["newest_orders"])
        raise UnknownName("order", order_id, [as_str(row["order_id"]) for row in newest])
    whole = {"correlation_id": str(steps[0]["correlation_id"] or ""), "since": about["since"]}
    plan = await database.fetch(QUERIES["plan"], whole)
    named = {**about, "order_id": as_str(plan[0]["plan_id"])} if plan else about
    decision = await database.fetch_one(QUERIES["decision"], named)
    legs = await _before(database, steps[0], decision)
    later = [*_amended(steps), *_fills(await database.fetch(QUERIES["fills"], about))]
    later.sort(key=lambda leg: (leg.at_ns is None, leg.at_ns or 0))
    legs += [_decision(decision, steps[0]), *_steps(steps), *later]
    chain = _chain(plan, await database.fetch(QUERIES["plan_orders"], whole)) if plan else ()
    return [*_delayed(legs), *chain]


def _chain(plan: Sequence[Record], orders: Sequence[Record]) -> Iterator[Leg]:
    """The plan that the order is of: each of its orders, and what came of all."""
    began = plan[0]
    yield Leg("plan", as_int(began["ts_ns"]), "{policy}: {side} {quantity}, mark {mark}".format_map(began))
    for row in orders:
        words = "{order_id}: {side} {quantity} at {price}, {type} {time_in_force}: {state}, filled {filled_quantity}"
        yield Leg("plan order", as_int(row["ts_ns"]), words.format_map(row))
    if plan[-1]["event"] != "ended":
        yield Leg("plan end", None, "none: it is under way")
        return
    ended = plan[-1]
    bips = ended["shortfall_bips"]
    paid = "" if bips is None else f", {bips:.2f} bips worse than mark"
    words = "{reason}: filled {filled_quantity} of {quantity} in {orders} orders".format_map(ended)
    yield Leg("plan end", as_int(ended["ts_ns"]), words + paid)


async def _before(database: Database, first: Record, decision: Record | None) -> list[Leg]:
    """What the decision rests on: tick, bar, features, prediction, signal."""
    names = ("tick", "bar", "features", "prediction", "signal")
    if _protects(first):
        return [Leg(name, None, PROTECTS) for name in names]
    if decision is None:
        return [Leg(name, None, "missing: no decision leads to it") for name in names]
    if decision["signal_ts_ns"] is None:
        return [Leg(name, None, NO_SIGNAL) for name in names]
    ts_ns = as_int(decision["signal_ts_ns"])
    scope: dict[str, Param] = {
        "venue": as_str(first["venue"]),
        "symbol": as_str(first["symbol"]),
        "strategy": as_str(first["strategy"]),
        "version": as_int(decision["version"]),
        "ts_ns": ts_ns,
        "lo": to_datetime(ts_ns),
        "hi": to_datetime(ts_ns) + MICROSECOND,
        "bar_end": to_datetime(ts_ns + MINUTE_NS),
        "known_at_ns": as_int(decision["signal_known_at_ns"]),
    }
    signal = await database.fetch_one(QUERIES["signal"], scope)
    model = None if signal is None else signal["model_version"]
    prediction: Leg
    if not model:
        missing = "missing: the signal is" if signal is None else "none: the strategy uses no model"
        prediction = Leg("prediction", None, missing)
    else:
        scored = await database.fetch_one(QUERIES["prediction"], {**scope, "model_version": as_str(model)})
        prediction = _known("prediction", scored, "{model} {model_version}: score {score}")
    tick = await database.fetch_one(QUERIES["tick"], scope)
    return [
        _tick(tick),
        _known("bar", await database.fetch_one(QUERIES["bar"], scope), "{status}, close {close}, {trades} trades"),
        _features(await database.fetch(QUERIES["features"], scope)),
        prediction,
        _known("signal", signal, _signal_words(model)),
    ]


def _signal_words(model: object) -> str:
    by = " by model version {model_version}" if model else ""
    return "target {target}, confidence {confidence}" + by + ", revision {revision} ({known_at_kind})"


def _tick(row: Record | None) -> Leg:
    if row is None:
        return Leg("tick", None, "missing: no trade of that minute is stored (a quiet minute, or dropped by retention)")
    detail = "{side} {amount} at {price}, trade {trade_id}".format_map(row)
    return Leg("tick", as_int(row["ts_ns"]), detail)


def _known(name: str, row: Record | None, words: str) -> Leg:
    """A frozen fact: it counts from when it was known."""
    if row is None:
        return Leg(name, None, "missing: no row that was known then")
    return Leg(name, as_int(row["known_at_ns"]), words.format_map(row))


def _features(rows: Sequence[Record]) -> Leg:
    if not rows:
        return Leg("features", None, "missing: no row that was known then")
    words = ", ".join(f"{row['name']} {_number(row['value'])}" for row in rows)
    return Leg("features", max(as_int(row["known_at_ns"]) for row in rows), words)


def _protects(first: Record) -> bool:
    return first["cycle_id"] == PROTECTION_CYCLE


def _decision(row: Record | None, first: Record) -> Leg:
    if _protects(first):
        return Leg("decision", None, NO_DECISION)
    if row is None:
        return Leg("decision", None, "missing: no decision names this order (not mirrored yet, or dropped)")
    words = "{action} {order_quantity} at mark {mark}: {reason}, state {state}"
    return Leg("decision", as_int(row["ts_ns"]), words.format_map(row))


def _steps(steps: Sequence[Record]) -> Iterator[Leg]:
    """Intent, submission, the first answer, and how it ended."""
    first = steps[0]
    price = "at market" if first["price"] is None else f"at {first['price']}"
    wish = f"{first['side']} {first['quantity']} {first['symbol']} {price}, {first['type']} {first['time_in_force']}"
    yield Leg("intent", as_int(first["ts_ns"]), f"{wish}{_waits_for(first)}, for {first['strategy']}")
    for name, found in (
        ("submitted", [step for step in steps if step["state"] == "SUBMITTED"]),
        ("ack", [step for step in steps[1:] if step["state"] in AT_VENUE]),
    ):
        if found:
            step = found[0]
            reason = f": {step['reason']}" if step["reason"] else ""
            place = f", at the venue {step['venue_order_id']}" if step["venue_order_id"] else ""
            yield Leg(name, as_int(step["ts_ns"]), f"{step['state']}{place}{reason}")
        else:
            yield Leg(name, None, f"missing: the order is {steps[-1]['state']}")


def _amended(steps: Sequence[Record]) -> Iterator[Leg]:
    for step in steps:
        if step["event"] in (AMEND_ASKED, AMENDED):
            asked = step["reason"] if step["event"] == AMEND_ASKED else f"asks for {step['quantity']}"
            yield Leg(str(step["event"]), as_int(step["ts_ns"]), str(asked))


def _waits_for(first: Record) -> str:
    """What triggers an order, and what ends with it."""
    words = "" if first["stop_price"] is None else f", once it trades at {first['stop_price']}"
    if first["trailing_bips"]:
        words += f", {first['trailing_bips']}/10000 away from the best price"
    return words + (f", of the pair {first['list_id']}" if first["list_id"] else "")


def _fills(rows: Sequence[Record]) -> Iterator[Leg]:
    if not rows:
        yield Leg("fill", None, "none: nothing was executed")
    for row in rows:
        words = "{quantity} at {price}, fee {fee} {fee_currency}, {liquidity}, id {fill_id}"
        yield Leg("fill", as_int(row["ts_ns"]), words.format_map(row))


def _delayed(legs: Sequence[Leg]) -> Iterator[Leg]:
    """Each leg with its delay since the last one that is there."""
    before_ns: int | None = None
    for leg in legs:
        if leg.at_ns is None:
            yield leg
            continue
        yield leg if before_ns is None else replace(leg, delay_ns=leg.at_ns - before_ns)
        before_ns = leg.at_ns


def _number(value: object) -> str:
    return "NULL" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def told(leg: Leg) -> Mapping[str, object]:
    """A leg as a row for people and programs: time in UTC, delay in ms."""
    return {
        "leg": leg.name,
        "at": None if leg.at_ns is None else to_datetime(leg.at_ns),
        "delay_ms": None if leg.delay_ns is None else round(leg.delay_ns / 1e6, 3),
        "detail": leg.detail,
    }
