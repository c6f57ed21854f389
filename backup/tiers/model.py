"""What the planner is told, and what it says: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from ares.clock import DAY_NS, to_datetime, to_ns

State = Literal["copied", "proved", "dropped"]
Action = Literal["parquet", "copy", "drop"]
FORMATS = {7: "%Y-%m", 10: "%Y-%m-%d", 13: "%Y-%m-%dT%H"}
"""QuestDB's names of partitions by their length: a month, a day, an hour."""


class DayKey(NamedTuple):
    """A day (UTC ns of its start) of a venue and symbol: the part that is copied at once."""

    day_ns: int
    venue: str
    symbol: str

    @property
    def date(self) -> str:
        return f"{to_datetime(self.day_ns):%Y-%m-%d}"

    @property
    def part(self) -> dict[str, str]:
        """Where it lies in the cold tier."""
        return {"venue": self.venue, "symbol": self.symbol, "day": self.date}

    @property
    def label(self) -> str:
        return f"{self.date} {self.venue} {self.symbol}"


@dataclass(frozen=True, slots=True)
class ColdDay:
    """A day in the cold tier: the newest revision of it.

    `was_proved`: this or an earlier revision was. QuestDB may have less of the day since, so a copy only adds then.
    """

    state: State
    revision: int
    rows: int
    row_hash: str
    delta_version: int
    recorded_ns: int
    location: str = ""
    native_bytes: int | None = None
    parquet_bytes: int | None = None
    delta_bytes: int = 0
    was_proved: bool = False


@dataclass(frozen=True, slots=True)
class HotPartition:
    """A partition in QuestDB; `end_ns` is excluded. `active`: rows are appended to it."""

    name: str
    rows: int
    size_bytes: int
    is_parquet: bool
    active: bool

    @property
    def start_ns(self) -> int:
        return to_ns(self._start)

    @property
    def end_ns(self) -> int:
        start = self._start
        if len(self.name) == len("2026-01"):
            return to_ns(start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1))
        return to_ns(start) + (DAY_NS if len(self.name) == len("2026-01-01") else DAY_NS // 24)

    @property
    def _start(self) -> datetime:
        return datetime.strptime(self.name, FORMATS[len(self.name)]).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hold:
    """Something needs rows in QuestDB: of a span (end excluded), and of one table, venue, symbol, or (None) of all."""

    reason: str
    from_ns: int
    to_ns: int
    tables: frozenset[str] | None = None
    venue: str | None = None
    symbol: str | None = None

    def touches(self, table: str, day: DayKey) -> bool:
        """Whether it needs rows of that day."""
        return (
            (self.tables is None or table in self.tables)
            and (self.venue is None or self.venue == day.venue)
            and (not self.symbol or self.symbol == day.symbol)
            and self.from_ns < day.day_ns + DAY_NS
            and day.day_ns < self.to_ns
        )


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of a table. `feeds_views`: a materialized view is made of it, so it may only drop by age."""

    table: str
    partitions: tuple[HotPartition, ...]
    hot: Mapping[DayKey, int]
    cold: Mapping[DayKey, ColdDay]
    feeds_views: bool = False
    ttl: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What holds rows back beside the table itself. `proved_ns`: up to when backups are proved; None: not asked for."""

    now_ns: int
    holds: tuple[Hold, ...] = ()
    proved_ns: int | None = None
    late_trades_days: int = 0
    """Trades that come when they are older go to `trades_archive`; 0: none do."""


@dataclass(frozen=True, slots=True)
class Step:
    """What would be done to a partition (or to a day of it), or, with `refusals`, why it is not."""

    action: Action
    table: str
    span: str
    rows: int
    size_bytes: int
    days: tuple[DayKey, ...] = ()
    partitions: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
