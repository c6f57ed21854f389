"""Rows as points of InfluxDB's line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

A point is its measurement, its tags and its time: a second one with the same three takes the place of the first. Trades
share times, and an id as a tag would make a series of every trade. So rows of one series that share a time stand one
nanosecond apart, in the order of their ids, and the true time is a field. A row that comes late shifts those behind it;
the places that are taken only grow, so that sending a span again leaves no point of before. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.influx import CopiedTable

FieldValue = str | int | float | bool
SPAN_NS = 10 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is sent: the measurement has its name, `tags` tell series apart, every other column is a field.

    `order` are the columns that put rows of one time in order. What was sent is kept by spans of `span_ns`.
    """

    table: CopiedTable
    order: tuple[str, ...]
    tags: tuple[str, ...] = ("venue", "symbol")
    span_ns: int = SPAN_NS


SHAPES: Mapping[CopiedTable, Shape] = MappingProxyType(
    {
        shape.table: shape
        for shape in (
            Shape("trades", ("seq", "trade_id")),
            Shape("trades_archive", ("seq", "trade_id")),
            Shape("quotes", ("update_id",)),
            Shape("books", ("update_id",)),
            Shape("gaps", ("gap_id", "revision"), ("venue", "symbol", "channel")),
            Shape("venue_bars_1m", (), span_ns=MINUTE_NS),
        )
    }
)


@dataclass(slots=True)
class Places:
    """At which time a row's point stands: its own, or the next that is free in its series.

    >>> places = Places(); [places.next(("sim", "BTC/USDT"), ts_ns) for ts_ns in (5, 5, 5, 9)]
    [5, 6, 7, 9]
    """

    taken: dict[tuple[str, ...], int] = field(default_factory=dict)

    def next(self, series: tuple[str, ...], ts_ns: int) -> int:
        """Rows of a series must come in order of time."""
        place = max(ts_ns, self.taken.get(series, ts_ns - 1) + 1)
        self.taken[series] = place
        return place


def lines_of(shape: Shape, rows: Sequence[Mapping[str, object]], places: Places, levels_max: int) -> list[bytes]:
    """A line for each row, in order; rows that share a time must be given at once."""
    lines: list[bytes] = []
    for row in sorted(rows, key=lambda each: _order(shape, each)):
        tags = {name: str(row[name]) for name in shape.tags if row[name]}
        series = tuple(tags.values())
        ts_ns = row["ts_ns"]
        assert isinstance(ts_ns, int), "every query says ts as ns"
        lines.append(line_of(shape.table, tags, _fields(shape, row, levels_max), places.next(series, ts_ns)))
    return lines


def line_of(measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time_ns: int) -> bytes:
    """One point as a line without its end; a tag without a value and a number that is not finite are left out."""
    head = _escaped(measurement, ", ")
    for name in sorted(tags):
        if tags[name]:
            head += f",{_escaped(name, ',= ')}={_escaped(tags[name], ',= ')}"
    shown = ",".join(
        f"{_escaped(name, ',= ')}={_shown(value)}" for name, value in fields.items() if _can_be_said(value)
    )
    return f"{head} {shown} {time_ns}".encode()


def _order(shape: Shape, row: Mapping[str, object]) -> tuple[object, ...]:
    return (row["ts_ns"], *(row[name] for name in shape.order))


def _fields(shape: Shape, row: Mapping[str, object], levels_max: int) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    for name, value in row.items():
        if name in shape.tags or value is None:
            continue
        if isinstance(value, str | int | float | bool):
            fields[name] = value
        elif isinstance(value, list):
            fields |= _levels(name.removesuffix("s"), value, levels_max)
    return fields


def _levels(side: str, sides: Sequence[Sequence[float]], levels_max: int) -> Iterable[tuple[str, float]]:
    """The best levels of [prices, amounts]: bid_1, bid_amount_1, bid_2, ..."""
    found: list[tuple[str, float]] = []
    prices, amounts = sides if len(sides) == 2 else ([], [])
    for number, (price, amount) in enumerate(zip(prices[:levels_max], amounts, strict=False), start=1):
        found += [(f"{side}_{number}", price), (f"{side}_amount_{number}", amount)]
    return found


def _can_be_said(value: FieldValue) -> bool:
    return not isinstance(value, float) or isfinite(value)


def _shown(value: FieldValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i"
        case float():
            return repr(value)
        case str():
            text = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'


def _escaped(name: str, special: str) -> str:
    """A backslash at the end would take the sign behind it along, a line's end would end the point."""
    text = " ".join(name.splitlines()).rstrip("\\")
    for sign in special:
        text = text.replace(sign, f"\\{sign}")
    return text
