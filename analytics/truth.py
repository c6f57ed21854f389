"""Reads what bars, features and signals are now, and what of them is frozen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from analytics.catalog import Catalog, Definition, catalog_of
from analytics.facts import BarKey, BarValues, Frozen, SignalValues, Span, Value, ValueKey
from ares.clock import MINUTE_NS, NANOS_PER_MICRO, to_datetime
from ares.errors import StoreRejected, StoreUnavailable
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/freeze.sql")
THIS_VIEW = "this_view"
BARS_VIEW = "bars_1m"
DAYS_VIEWS = ("bar_days", "venue_bar_days")
LEAVING = ("quotes", "books", "funding")
"""Tables of which views read rows that go to the cold tier, or by age."""
VIEWS_A_STATEMENT = 3
"""QuestDB keeps the plan of a statement in its heap, and a plan of a dozen features is large."""
V = TypeVar("V")
READS_AT_ONCE = 2
"""Of the last minutes, and as many of longer spans: history must leave connections of the pool to the live bars."""
SETTLE_POLL_S = 0.004
SETTLE_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What the views say now. `bars` reach further back than `features`, by the longest warm-up."""

    bars: Mapping[BarKey, BarValues]
    features: Mapping[ValueKey, Value]


@dataclass(frozen=True, slots=True)
class FrozenFacts:
    """The newest frozen revision of everything in a span."""

    bars: Mapping[BarKey, Frozen]
    features: Mapping[ValueKey, Frozen]
    signals: Mapping[ValueKey, Frozen]


NOTHING_FROZEN = FrozenFacts({}, {}, {})


@dataclass(slots=True)
class TruthReader:
    """Reads one venue. Raises `StoreUnavailable`, `StoreRejected`.

    Without a span the last minutes by the server's clock are read, in statements whose text never changes: QuestDB
    keeps their plans, which makes the difference between 20 ms and a second for all views together.
    """

    database: Database
    venue: str
    catalog: Catalog = field(default_factory=catalog_of)
    _quick: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE))
    _slow: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE))

    async def settle(self, bars_until_ns: int, *, first_bars: bool = True) -> None:
        """Return once everything committed before the call is part of the bars, and the minutes before are closed.

        With `first_bars`, too, of what is known since when: only history and new symbols change that. Raises
        `StoreUnavailable` if it takes longer than `SETTLE_S_MAX`.
        """
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                read = await self._committed()
                await asyncio.gather(
                    self._applied(read), self._refreshed({BARS_VIEW: read.get("trades", 0)}, bars_until_ns)
                )
                bars = (await self._committed())[BARS_VIEW]
                await self._applied({BARS_VIEW: bars})
                if first_bars:
                    await self._refreshed(dict(zip(DAYS_VIEWS, (bars, read.get("venue_bars_1m", 0)), strict=True)))
                    days = await self._committed()
                    await self._applied({view: days[view] for view in DAYS_VIEWS})
        except TimeoutError:
            raise StoreUnavailable(f"{BARS_VIEW} did not catch up with the trades in {SETTLE_S_MAX} s") from None

    async def bars(self, span: Span | None) -> dict[BarKey, BarValues]:
        """The bars of a span and of the longest warm-up before it."""
        return bars_of(await self._fetch("bars", span))

    async def bars_of_last_day(self) -> dict[BarKey, BarValues]:
        """The bars of the last 24 hours, by the server's clock."""
        return bars_of(await self.database.fetch(QUERIES["bars_day"], {"venue": self.venue}))

    async def truth(self, span: Span | None) -> Truth:
        """Bars and all features, in few statements: asking costs more than reading a feature of the last minutes."""
        shares = shares_of(self.catalog.features)
        reading = asyncio.gather(*(self._unless_own(share[0], self._values(share, span)) for share in shares))
        bars, values = await asyncio.gather(self.bars(span), reading)
        return Truth(bars, {key: value for found in values for key, value in found.items()})

    async def signals(self, span: Span | None, wanted: Iterable[Definition]) -> dict[ValueKey, SignalValues]:
        """What these strategies want now."""
        found = await asyncio.gather(*(self._unless_own(each, self._wishes(each, span)) for each in wanted))
        return {key: wish for wishes in found for key, wish in wishes.items()}

    async def frozen(self, span: Span) -> FrozenFacts:
        """What is frozen of a span."""
        bars, features, signals = await asyncio.gather(*(self._fetch_frozen(what, span) for what in _FROZEN))
        return FrozenFacts(
            {_bar_key(r): Frozen(as_int(r["revision"]), bar_of(r)) for r in bars},
            {_value_key(r, "name"): Frozen(as_int(r["revision"]), (_cell(r["value"]),)) for r in features},
            {_value_key(r, "strategy"): Frozen(as_int(r["revision"]), wish_of(r)) for r in signals},
        )

    async def remembered(self, truth: Truth, frozen: FrozenFacts, span: Span) -> Truth:
        """The same, but with the frozen value where the rows that it was made of are not here any more.

        Quotes and books leave QuestDB long before what was frozen of them. A value is taken back only where a gap says
        that rows are missing.
        """
        ticks = {(d.name, d.version) for d in self.catalog.features if d.reads(*LEAVING)}
        gone = {
            key: known.values[0]
            for key, known in frozen.features.items()
            if (key.name, key.version) in ticks and truth.features.get(key, 0) is None and known.values[0] is not None
        }
        if not gone:
            return truth
        gaps = [
            (row["symbol"], as_int(row["started_ns"]), row["ended_ns"])
            for row in await self.database.fetch(QUERIES["gaps_within"], self._scope(span))
        ]
        kept = {key: value for key, value in gone.items() if not any(touches(key, *gap) for gap in gaps)}
        return Truth(truth.bars, {**truth.features, **kept})

    async def _unless_own(self, first: Definition, reading: Awaitable[dict[ValueKey, V]]) -> dict[ValueKey, V]:
        """What is read; nothing, and a line in the log, where QuestDB refuses what an analyst deployed."""
        try:
            return await reading
        except StoreRejected as error:
            if not first.own:
                raise
            log.error("own_view_refused", view=first.view, cause=str(error))
            return {}

    async def _values(self, features: Sequence[Definition], span: Span | None) -> dict[ValueKey, Value]:
        rows = await self._fetch("feature", span, [feature.view for feature in features])
        by_view = {feature.view: feature for feature in features}
        return {_defined_key(r, by_view[as_str(r["view"])]): _cell(r["value"]) for r in rows}

    async def _wishes(self, signal: Definition, span: Span | None) -> dict[ValueKey, SignalValues]:
        rows = await self._fetch("signal", span, [signal.view])
        return {_defined_key(r, signal): wish_of(r) for r in rows if r["target"] is not None}

    async def _fetch(self, what: str, span: Span | None, views: Sequence[str] = ()) -> list[Record]:
        sql = QUERIES[f"{what}_recent" if span is None else f"{what}_range"]
        if views:
            sql = over_all(sql, views)
        async with self._quick if span is None else self._slow:
            return await self.database.fetch(sql, {"venue": self.venue} if span is None else self._scope(span))

    async def _fetch_frozen(self, what: str, span: Span) -> list[Record]:
        async with self._slow:
            return await self.database.fetch(QUERIES[f"frozen_{what}"], self._scope(span))

    def _scope(self, span: Span) -> dict[str, Param]:
        return {"venue": self.venue, "from": to_datetime(span.start_ns), "to": to_datetime(span.end_ns)}

    async def _applied(self, wanted: Mapping[str, int]) -> None:
        while True:
            state = await self._wal()
            if all(state[name][0] >= number for name, number in wanted.items()):
                return
            await asyncio.sleep(SETTLE_POLL_S)

    async def _committed(self) -> dict[str, int]:
        return {name: number for name, (_, number) in (await self._wal()).items()}

    async def _wal(self) -> dict[str, tuple[int, int]]:
        """Applied and committed transactions by table. Raises `StoreUnavailable` where a table is suspended."""
        rows = await self.database.fetch(QUERIES["wal"])
        suspended = sorted(as_str(row["name"]) for row in rows if row["suspended"])
        if suspended:
            raise StoreUnavailable(f"WAL of {', '.join(suspended)} is suspended: nothing can be frozen")
        return {as_str(row["name"]): (as_int(row["applied"]), as_int(row["committed"])) for row in rows}

    async def _refreshed(self, wanted: Mapping[str, int], closed_until_ns: int | None = None) -> None:
        """Wait until views hold commits of what they read, and, if asked, until minutes before a moment are closed."""
        while True:
            if await self._hold(wanted, closed_until_ns):
                return
            await asyncio.sleep(SETTLE_POLL_S)

    async def _hold(self, wanted: Mapping[str, int], closed_until_ns: int | None) -> bool:
        views = {row["name"]: row for row in await self.database.fetch(QUERIES["bars_views"])}
        for name, number in wanted.items():
            row = views.get(name)
            if row is None or row["status"] == "invalid":
                raise StoreRejected(f"materialized view {name} is missing or invalid: see `ares db status`")
            refreshed, closed_until_us = row["refreshed"], row["closed_until_us"]
            if closed_until_ns is not None and (
                closed_until_us is None or as_int(closed_until_us) * NANOS_PER_MICRO < closed_until_ns
            ):
                return False
            if refreshed is None or as_int(refreshed) < number:
                return False
        return True


_FROZEN: Sequence[str] = ("bars", "features", "signals")


def shares_of(features: Sequence[Definition]) -> list[Sequence[Definition]]:
    """What is read in one statement each: a few of ours, but each that an analyst deployed alone: it may fail."""
    ours = [each for each in features if not each.own]
    shares = [ours[first : first + VIEWS_A_STATEMENT] for first in range(0, len(ours), VIEWS_A_STATEMENT)]
    return [*shares, *([each] for each in features if each.own)]


def touches(key: ValueKey, symbol: object, started_ns: int, ended_ns: object) -> bool:
    """Whether a gap (of all symbols, if it names none; until now, if it has no end) touches the minute of a value."""
    ends = ended_ns if isinstance(ended_ns, int) else key.ts_ns
    return symbol in {None, key.symbol} and started_ns < key.ts_ns + MINUTE_NS and ends >= key.ts_ns


def over_all(sql: str, views: Sequence[str]) -> str:
    """A statement over `this_view`, of several views at once; what it declares stands once."""
    declared, select = sql.split("SELECT", 1)
    return declared + " UNION ALL ".join("SELECT" + select.replace(THIS_VIEW, view) for view in views)


def bars_of(rows: Iterable[Record]) -> dict[BarKey, BarValues]:
    """Bars by symbol and start."""
    return {_bar_key(row): bar_of(row) for row in rows}


def bar_of(row: Record) -> BarValues:
    """A bar from its row."""
    trades = row["trades"]
    return BarValues(
        status=as_str(row["status"]),
        origin=as_str(row["origin"]),
        open=_number(row["open"]),
        high=_number(row["high"]),
        low=_number(row["low"]),
        close=_number(row["close"]),
        volume=_number(row["volume"]),
        cost=_number(row["cost"]),
        trades=None if trades is None else as_int(trades),
        buy_volume=_number(row["buy_volume"]),
    )


def wish_of(row: Record) -> SignalValues:
    """A strategy's wish from its row."""
    version = row["model_version"]
    target, confidence = _number(row["target"]), _number(row["confidence"])
    return SignalValues(target or 0.0, confidence or 0.0, None if version is None else as_str(version))


def _bar_key(row: Record) -> BarKey:
    return BarKey(as_str(row["symbol"]), as_int(row["ts_ns"]))


def _value_key(row: Record, name: str) -> ValueKey:
    return ValueKey(as_str(row["symbol"]), as_int(row["ts_ns"]), as_str(row[name]), as_int(row["version"]))


def _defined_key(row: Record, definition: Definition) -> ValueKey:
    return ValueKey(as_str(row["symbol"]), as_int(row["ts_ns"]), definition.name, definition.version)


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None


def _cell(cell: object) -> Value:
    return cell if isinstance(cell, int | float | str) else None
