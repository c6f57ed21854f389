"""Reads what bars, features and signals are now, and what of them is frozen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from analytics.catalog import Catalog, Definition, catalog_of
from analytics.facts import BarKey, BarValues, Frozen, Recent, SignalValues, Span, Value, ValueKey
from analytics.recent import RecentBars
from analytics.rows import bar_key, bar_of, bars_of, number_of
from analytics.shared import sources_of
from ares.clock import MINUTE_NS, NANOS_PER_MICRO, to_datetime
from ares.errors import StoreRejected, StoreUnavailable
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str, suspended_tables
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/freeze.sql")
THIS_VIEW = "this_view"
THIS_SOURCE = "this_source"
BARS_VIEW = "bars_1m"
DAYS_VIEWS = ("bar_days", "venue_bar_days")
LEAVING = ("quotes", "books", "funding")
"""Tables of which views read rows that go to the cold tier, or by age."""
VIEWS_A_STATEMENT, TEXTS_A_STATEMENT = 3, 6
"""QuestDB keeps the plan of a statement in its heap, and a plan of a dozen views is large: less so over shared bars."""
V = TypeVar("V")
READS_AT_ONCE = 2
"""Of the last minutes, and as many of longer spans: history must leave connections of the pool to the live bars."""
SETTLE_POLL_S = 0.004
SETTLE_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What the views say now. `bars` reach further back than `features`, by the longest warm-up.

    `wishes` are of the signals that were asked for beside them.
    """

    bars: Mapping[BarKey, BarValues]
    features: Mapping[ValueKey, Value]
    wishes: Mapping[ValueKey, SignalValues] = field(default_factory=dict)


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

    The last minutes by the server's clock are read over bars that are worked out once for all, in few texts, so that
    QuestDB keeps their plans. Of signals that is to follow `truth`.
    """

    database: Database
    venue: str
    catalog: Catalog = field(default_factory=catalog_of)
    _quick: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE))
    _slow: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS_AT_ONCE))
    _recent: RecentBars = field(init=False)

    def __post_init__(self) -> None:
        self._recent = RecentBars(self.database, self.venue)

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

    async def bars(self, span: Span) -> dict[BarKey, BarValues]:
        """The bars of a span and of the longest warm-up before it."""
        async with self._slow:
            return bars_of(await self.database.fetch(QUERIES["bars_range"], self._scope(span)))

    async def bars_of_last_day(self) -> dict[BarKey, BarValues]:
        """The bars of the last 24 hours, by the server's clock."""
        return bars_of(await self.database.fetch(QUERIES["bars_day"], {"venue": self.venue}))

    async def truth(self, span: Span | Recent, signals: Sequence[Definition] = ()) -> Truth:
        """Bars, all features, and what these strategies want."""
        if isinstance(span, Recent):
            bars = await self._recent.renew(span.minutes)
            features, wishes = await asyncio.gather(self._features(span), self.signals(span, signals))
        else:
            bars, features, wishes = await asyncio.gather(
                self.bars(span), self._features(span), self.signals(span, signals)
            )
        return Truth(bars, features, wishes)

    async def _features(self, span: Span | Recent) -> dict[ValueKey, Value]:
        """In few statements: asking costs more than reading a feature of the last minutes."""
        shares = shares_of(self.catalog.features, span)
        values = await asyncio.gather(*(self._unless_own(share[0], self._values(share, span)) for share in shares))
        return {key: value for found in values for key, value in found.items()}

    async def signals(self, span: Span | Recent, wanted: Sequence[Definition]) -> dict[ValueKey, SignalValues]:
        """What these strategies want now."""
        shares = shares_of(wanted, span)
        found = await asyncio.gather(*(self._unless_own(share[0], self._wishes(share, span)) for share in shares))
        return {key: wish for wishes in found for key, wish in wishes.items()}

    async def frozen(self, span: Span) -> FrozenFacts:
        """What is frozen of a span."""
        bars, features, signals = await asyncio.gather(*(self._fetch_frozen(what, span) for what in _FROZEN))
        return FrozenFacts(
            {bar_key(r): Frozen(as_int(r["revision"]), bar_of(r)) for r in bars},
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
        return replace(truth, features={**truth.features, **kept})

    async def _unless_own(self, first: Definition, reading: Awaitable[dict[ValueKey, V]]) -> dict[ValueKey, V]:
        """What is read; nothing, and a line in the log, where QuestDB refuses what an analyst deployed."""
        try:
            return await reading
        except StoreRejected as error:
            if not first.own:
                raise
            log.error("own_view_refused", view=first.view, cause=str(error))
            return {}

    async def _values(self, features: Sequence[Definition], span: Span | Recent) -> dict[ValueKey, Value]:
        rows = await self._fetch("feature", span, features)
        by_view = {feature.view: feature for feature in features}
        return {_defined_key(r, by_view): _cell(r["value"]) for r in rows}

    async def _wishes(self, signals: Sequence[Definition], span: Span | Recent) -> dict[ValueKey, SignalValues]:
        rows = await self._fetch("signal", span, signals)
        by_view = {signal.view: signal for signal in signals}
        return {_defined_key(r, by_view): wish_of(r) for r in rows if r["target"] is not None}

    async def _fetch(self, what: str, span: Span | Recent, wanted: Sequence[Definition]) -> list[Record]:
        recent = isinstance(span, Recent)
        sources = sources_of(self.catalog) if recent else {}
        sql = over_all(
            QUERIES[f"{what}_recent" if recent else f"{what}_range"],
            {each.view: sources.get(each.view, each.view) for each in wanted},
        )
        async with self._quick if recent else self._slow:
            return await self.database.fetch(sql, self._scope(span))

    async def _fetch_frozen(self, what: str, span: Span) -> list[Record]:
        async with self._slow:
            return await self.database.fetch(QUERIES[f"frozen_{what}"], self._scope(span))

    def _scope(self, span: Span | Recent) -> dict[str, Param]:
        if isinstance(span, Recent):
            return {"venue": self.venue, "minutes": span.minutes}
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
        if suspended := suspended_tables(rows):
            raise StoreUnavailable(f"WAL of {suspended} is suspended: nothing can be frozen")
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


def shares_of(definitions: Sequence[Definition], span: Span | Recent) -> list[Sequence[Definition]]:
    """What is read in one statement each: a few of ours, but each that an analyst deployed alone: it may fail."""
    ours = [each for each in definitions if not each.own]
    most = TEXTS_A_STATEMENT if isinstance(span, Recent) else VIEWS_A_STATEMENT
    shares = [ours[first : first + most] for first in range(0, len(ours), most)]
    return [*shares, *([each] for each in definitions if each.own)]


def touches(key: ValueKey, symbol: object, started_ns: int, ended_ns: object) -> bool:
    """Whether a gap (of all symbols, if it names none; until now, if it has no end) touches the minute of a value."""
    ends = ended_ns if isinstance(ended_ns, int) else key.ts_ns
    return symbol in {None, key.symbol} and started_ns < key.ts_ns + MINUTE_NS and ends >= key.ts_ns


def over_all(sql: str, sources: Mapping[str, str]) -> str:
    """A statement of several views at once, each by what is read for it; what the statement declares stands once."""
    declared, select = sql.split("SELECT", 1)
    return declared + " UNION ALL ".join(
        "SELECT" + select.replace(THIS_VIEW, view).replace(THIS_SOURCE, source) for view, source in sources.items()
    )


def wish_of(row: Record) -> SignalValues:
    """A strategy's wish from its row."""
    version = row["model_version"]
    target, confidence = number_of(row["target"]), number_of(row["confidence"])
    return SignalValues(target or 0.0, confidence or 0.0, None if version is None else as_str(version))


def _value_key(row: Record, name: str) -> ValueKey:
    return ValueKey(as_str(row["symbol"]), as_int(row["ts_ns"]), as_str(row[name]), as_int(row["version"]))


def _defined_key(row: Record, by_view: Mapping[str, Definition]) -> ValueKey:
    definition = by_view[as_str(row["view"])]
    return ValueKey(as_str(row["symbol"]), as_int(row["ts_ns"]), definition.name, definition.version)


def _cell(cell: object) -> Value:
    return cell if isinstance(cell, int | float | str) else None
