"""What is stored: rows by table, symbol and day, the gaps that touch them, and how much of each day is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ares.clock import DAY_NS, floor_ns, to_datetime
from ares.store import Database, Record, load_queries
from ares.store.pool import as_int, as_str

QUERIES = load_queries("analytics", "queries/coverage.sql")
STATUSES = ("traded", "quiet", "gap")
MINUTES_A_DAY = 1_440
BY_MINUTES = frozenset({"trades", "bars_1m"})
"""Tables of which the share of minutes is told."""


class Market(NamedTuple):
    """One symbol at one venue on one day (its midnight, naive UTC as QuestDB tells times)."""

    day: datetime
    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A range that is missing, of one channel; `ended_at` None: it lasts."""

    venue: str
    symbol: str
    channel: str
    started_at: datetime
    ended_at: datetime | None

    def touches(self, market: Market) -> bool:
        """Whether it lies in that day of that symbol."""
        same = (self.venue, self.symbol) == (market.venue, market.symbol)
        ends_before = self.ended_at is not None and self.ended_at < market.day
        return same and self.started_at < market.day + timedelta(days=1) and not ends_before


Minutes = Mapping[Market, Mapping[str, int]]
Line = dict[str, object]


async def coverage(database: Database, from_ns: int, to_ns: int, symbol: str | None = None) -> list[Line]:
    """A line a table, symbol and day, newest days first; a line a table where rows are of no symbol or there are none.

    Whole days are told, from the one of `from_ns` (UTC). Raises `StoreUnavailable`, `StoreRejected`.
    """
    span = {"from": to_datetime(floor_ns(from_ns, DAY_NS)), "to": to_datetime(to_ns)}
    gaps = [gap_of(row) for row in await database.fetch(QUERIES["gaps"], span)]
    minutes = minutes_of(await database.fetch(QUERIES["minutes"], span))
    lines: list[Line] = []
    for table in await database.fetch(QUERIES["tables"]):
        name, of_symbols = as_str(table["name"]), table["own"] == 2
        rows: Sequence[Record] = []
        if of_symbols:
            rows = await database.fetch(QUERIES["days"].replace("this_table", name), span)
        found = [day_line(name, row, gaps, minutes) for row in rows if symbol in (None, row["symbol"])]
        if found:
            lines += sorted(found, key=lambda line: str(line["day"]), reverse=True)
        elif symbol is None:
            whole = None if of_symbols else await database.fetch_one(QUERIES["whole"].replace("this_table", name))
            lines.append(whole_line(name, whole or {}))
    return lines


def day_line(table: str, row: Record, gaps: Iterable[Gap], minutes: Minutes) -> Line:
    """What is stored of a symbol in a table on a day."""
    market = market_of(row)
    line: Line = {
        "table": table,
        "venue": market.venue,
        "symbol": market.symbol,
        "day": market.day.strftime("%Y-%m-%d"),
        "first": row["first"],
        "last": row["last"],
        "rows": as_int(row["rows"]),
        "gaps": sum(gap.touches(market) for gap in gaps if gap.channel == table),
    }
    return line | (shares(minutes.get(market, {})) if table in BY_MINUTES else dict.fromkeys(STATUSES))


def whole_line(table: str, row: Record) -> Line:
    """A table as a whole: its rows are of no symbol; or an empty row, for none are of these days."""
    line: Line = {"table": table, "venue": None, "symbol": None, "day": None}
    line |= {"first": row.get("first"), "last": row.get("last"), "rows": as_int(row.get("rows") or 0), "gaps": None}
    return line | dict.fromkeys(STATUSES)


def shares(minutes: Mapping[str, int]) -> dict[str, float | None]:
    """The share of each status among the minutes that are known of a day; None where none is."""
    known = sum(minutes.values())
    return {status: round(minutes.get(status, 0) / known, 4) if known else None for status in STATUSES}


def minutes_of(rows: Iterable[Record]) -> Minutes:
    """Minutes by day and symbol, and by status."""
    found: defaultdict[Market, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[market_of(row)][as_str(row["status"])] += as_int(row["minutes"])
    return found


def gap_of(row: Record) -> Gap:
    """A row of `gaps`."""
    ended = row["ended_at"]
    assert ended is None or isinstance(ended, datetime), "a time, or it lasts"
    return Gap(as_str(row["venue"]), as_str(row["symbol"]), as_str(row["channel"]), _moment(row["started_at"]), ended)


def market_of(row: Record) -> Market:
    """Whose row it is. A symbol that is not known is empty."""
    return Market(_moment(row["day"]), str(row["venue"] or ""), str(row["symbol"] or ""))


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime), f"a time is expected, not {value!r}"
    return value
