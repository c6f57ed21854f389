"""The way of an order, in time order: what the decision rests on, who ordered it, what became of it; from rows alone.

Times of ticks and fills are the venue's clock, all others ours. What was frozen counts from when it was known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from api.cells import Cell, Column, columns, written
from api.resource import within
from api.resources import RESOURCES
from ares.clock import DAY_NS, MINUTE_NS, isoformat
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str

QUERIES = load_queries("api", "queries/explanation.sql")
LOOK_BACK_DAYS = (1, 30, 9_000)
"""An id tells no time: first what is young is looked through, which is what people ask for."""
ROWS_MAX = 1_000
"""Of one kind; who wants more reads the collection."""
PROTECTION = "protection"
"""The cycle of orders that protect a position."""
_COLUMNS = {resource.path: resource.columns for resource in RESOURCES}
Said = Mapping[str, Cell]


class Kind(StrEnum):
    """What a step is. Its fields are the columns of the collection that it is a row of, if there is one."""

    TICK = "tick"
    BAR = "bar"
    FEATURE = "feature"
    PREDICTION = "prediction"
    SIGNAL = "signal"
    REFUSAL = "refusal"
    DECISION = "decision"
    COMMAND = "command"
    PLAN = "plan"
    ORDER = "order"
    PLAN_ORDER = "plan_order"
    FILL = "fill"


class Step(NamedTuple):
    """Something that led to the order, or came of it. `at_ns`: UTC."""

    at_ns: int
    kind: Kind
    text: str
    fields: Said
    row: Record
    """The same as fields, as the database has it."""


class Missing(NamedTuple):
    """A kind that is not told, and why."""

    kind: Kind
    why: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows of a kind are told: by which columns, who may see them, in which words."""

    columns: Sequence[Column]
    permission: Permission
    words: Callable[[Said], str]
    frozen: bool = False
    """Whether it counts from `known_at`."""


@dataclass(slots=True)
class Way:
    """The way of one order; `first` is its first step, `last` its newest."""

    first: Said
    last: Said
    steps: list[Step] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def rows(self, kind: Kind) -> list[Record]:
        """The rows that steps of a kind are, in time order."""
        return [step.row for step in self.steps if step.kind is kind]


async def way_of(database: Database, caller: Caller, order_id: str, now_ns: int) -> Way | None:
    """The way of an order; None where there is none that the caller may see. Raises `StoreError`."""
    for days in LOOK_BACK_DAYS:
        about: dict[str, Param] = {"order_id": order_id, "since": isoformat(max(0, now_ns - days * DAY_NS))}
        rows = await database.fetch(QUERIES["steps"], {**about, **within(caller.scope), "rows": ROWS_MAX})
        if rows:
            return await _Telling(database, caller, rows).told()
    return None


class _Telling:
    """Gathers the way of an order from its steps on."""

    def __init__(self, database: Database, caller: Caller, rows: Sequence[Record]) -> None:
        self._database = database
        self._caller = caller
        self._first = rows[0]
        shown = list(written(rows, SHAPES[Kind.ORDER].columns))
        self.way = Way(shown[0], shown[-1])
        self._tell(Kind.ORDER, rows)
        self._about: dict[str, Param] = {
            **{name: str(self._first[name] or "") for name in _NAMES},
            "since": isoformat(max(0, as_int(self._first["ts"]) - DAY_NS)),
            "rows": ROWS_MAX,
        }

    async def told(self) -> Way:
        decision = await self._later()
        if self._first["cycle_id"] == PROTECTION:
            why = "none: it follows from the position, its cost and the settings (trading.protection)"
            self._lack(why, Kind.DECISION, *FOUNDATIONS)
        elif decision is None:
            self._lack("missing: no decision names this order (not mirrored yet, or dropped)", Kind.DECISION)
            self._lack("missing: no decision leads to it", *FOUNDATIONS)
        elif decision["signal_ts"] is None:
            self._lack("none: an order by hand or of a flatten rests on no signal", *FOUNDATIONS)
        else:
            await self._foundations(decision)
        self.way.steps.sort(key=lambda step: (step.at_ns, _RANK[step.kind]))
        return self.way

    async def _later(self) -> Record | None:
        """Plan, fills, commands and the decision, which is returned."""
        plan = await self._rows(Kind.PLAN, "plan") if self._first["correlation_id"] else []
        if plan:
            await self._rows(Kind.PLAN_ORDER, "plan_orders")
        if not await self._rows(Kind.FILL, "fills"):
            self._lack("none: nothing was executed", Kind.FILL)
        await self._rows(Kind.COMMAND, "commands")
        decided = as_str(plan[0]["plan_id"]) if plan else self._about["order_id"]
        found = await self._rows(Kind.DECISION, "decision", decided_id=decided)
        return found[0] if found else None

    async def _foundations(self, decision: Record) -> None:
        """What the decision rests on, and what was refused of the same signal before."""
        signal_ns = as_int(decision["signal_ts"])
        self._about |= {
            "version": as_int(decision["version"]),
            "signal_ts": isoformat(signal_ns),
            "signal_known_at": isoformat(as_int(decision["signal_known_at"])),
            "decided_at": isoformat(as_int(decision["ts"])),
            "bar_end": isoformat(signal_ns + MINUTE_NS),
        }
        await self._rows(Kind.REFUSAL, "refusals")
        signals = await self._rows(Kind.SIGNAL, "signal")
        if signals and signals[0]["model_version"]:
            model = as_str(signals[0]["model_version"])
            await self._expected(Kind.PREDICTION, "prediction", model_version=model)
        elif signals:
            self._lack("none: the strategy uses no model", Kind.PREDICTION)
        else:
            self._lack("missing: no row that was known then", Kind.SIGNAL, Kind.PREDICTION)
        for kind in (Kind.FEATURE, Kind.BAR, Kind.TICK):
            await self._expected(kind, "features" if kind is Kind.FEATURE else kind.value)

    async def _expected(self, kind: Kind, query: str, **more: Param) -> None:
        if not await self._rows(kind, query, **more):
            self._lack("missing: no row that was known then", kind)

    async def _rows(self, kind: Kind, query: str, **more: Param) -> Sequence[Record]:
        rows = await self._database.fetch(QUERIES[query], {**self._about, **more})
        self._tell(kind, rows)
        return rows

    def _tell(self, kind: Kind, rows: Sequence[Record]) -> None:
        """Add rows as steps, unless who asks may not see such."""
        shape = SHAPES[kind]
        if not rows:
            return
        if shape.permission not in self._caller.permissions:
            self._lack(f"not shown: {shape.permission.value} is not of whoever asks", kind)
            return
        if len(rows) == ROWS_MAX:
            self._lack(f"cut off: the first {ROWS_MAX} are told", kind)
        for row, said in zip(rows, written(rows, shape.columns), strict=True):
            at_ns = as_int(row["known_at"] if shape.frozen else row["ts"])
            self.way.steps.append(Step(at_ns, kind, shape.words(said), said, row))

    def _lack(self, why: str, *kinds: Kind) -> None:
        told = {each.kind for each in self.way.missing}
        self.way.missing += [Missing(kind, why) for kind in kinds if kind not in told]


_NAMES = ("order_id", "account", "venue", "symbol", "strategy", "cycle_id", "correlation_id")
FOUNDATIONS = (Kind.TICK, Kind.BAR, Kind.FEATURE, Kind.PREDICTION, Kind.SIGNAL)
_RANK: Mapping[Kind, int] = {kind: number for number, kind in enumerate(Kind)}


def _decided(said: Said) -> str:
    words = "{action} {order_quantity} towards {target_quantity}, at mark {mark}: {reason}, state {state}"
    scaled = f", limits times {said['limit_scale']}" if said["limit_scale"] is not None else ""
    warned = f", warned: {said['warnings']}" if said["warnings"] else ""
    return words.format_map(said) + scaled + warned


def _step(said: Said) -> str:
    price = "at market" if said["price"] is None else f"at {said['price']}"
    wish = "{event}: {state}, {side} {quantity} {symbol} ".format_map(said) + price
    waits = "" if said["stop_price"] is None else f", once it trades at {said['stop_price']}"
    reason = f": {said['reason']}" if said["reason"] else ""
    return f"{wish}{waits}, filled {said['filled_quantity']}{reason}"


def _planned(said: Said) -> str:
    if said["event"] == "ended":
        return "ended: {reason}, filled {filled_quantity} of {quantity} in {orders} orders".format_map(said)
    return "{event}: {policy}, {side} {quantity}, mark {mark}".format_map(said)


def _wished(said: Said) -> str:
    model = f" by model version {said['model_version']}" if said["model_version"] else ""
    return "target {target}, confidence {confidence}".format_map(said) + f"{model}, revision {said['revision']}"


P = Permission
SHAPES: Mapping[Kind, Shape] = {
    Kind.TICK: Shape(
        _COLUMNS["trades"], P.READ_MARKET, "{side} {amount} at {price}, trade {trade_id}".format_map
    ),
    Kind.BAR: Shape(
        columns(
            time="ts known_at", text="venue symbol status known_at_kind", integer="revision trades",
            number="open high low close volume",
        ),
        P.READ_MARKET, "{status}, close {close}, {trades} trades".format_map, frozen=True,
    ),
    Kind.FEATURE: Shape(
        _COLUMNS["features"], P.READ_RESEARCH, "{name} version {version}: {value}".format_map, frozen=True
    ),
    Kind.PREDICTION: Shape(
        _COLUMNS["predictions"], P.READ_RESEARCH, "{model} {version}: score {score}".format_map, frozen=True
    ),
    Kind.SIGNAL: Shape(_COLUMNS["signals"], P.READ_RESEARCH, _wished, frozen=True),
    Kind.REFUSAL: Shape(
        _COLUMNS["decisions"], P.READ_TRADING, "{rule}: {observed} where {limit_value} {unit} is the limit".format_map
    ),
    Kind.DECISION: Shape(_COLUMNS["decisions"], P.READ_TRADING, _decided),
    Kind.COMMAND: Shape(_COLUMNS["commands"], P.READ_TRADING, "{command} by {actor}: {status}".format_map),
    Kind.PLAN: Shape(
        columns(
            time="ts", text="account venue symbol strategy event policy side plan_id correlation_id reason",
            integer="orders", decimal="quantity mark filled_quantity filled_cost shortfall_bips",
        ),
        P.READ_TRADING, _planned,
    ),
    Kind.ORDER: Shape(_COLUMNS["order-events"], P.READ_TRADING, _step),
    Kind.PLAN_ORDER: Shape(
        _COLUMNS["orders"], P.READ_TRADING,
        "{order_id}: {state}, {side} {quantity}, filled {filled_quantity}".format_map,
    ),
    Kind.FILL: Shape(
        _COLUMNS["fills"], P.READ_TRADING, "{quantity} at {price}, fee {fee} {fee_currency}, {liquidity}".format_map
    ),
}  # fmt: skip
