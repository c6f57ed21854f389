"""What a cycle knows when it decides: signals, quotes and trades, read from QuestDB as of now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, to_datetime
from ares.config.settings import DatabaseConfig
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int, as_str
from trader.portfolio.money import from_market
from trader.portfolio.positions import is_linear

QUERIES = load_queries("trader", "queries/market.sql")
SIGNALS_S = 3_600
"""A signal older than this is as good as none; its age limit is far shorter."""
QUOTES_S = 300
TRADES_S = 60
NEWS_S = 600
"""A bar that closed longer ago is history that is caught up with."""
HOUR_S = 3_600
DAY_S = 86_400
HISTORY_S = 30 * DAY_S
HOURS_MIN = 48
"""A loss that one of twenty hours exceeds is not told from fewer hours."""
MINUTES_MIN = 30
"""Volatility of an hour is not told from fewer minutes."""
EAGER = 4
"""Around the moment at which the next signal may be read it is looked for so many times as often."""
EAGER_NS = 2 * NANOS_PER_SECOND
FIGURES_AGE_S = 30.0
"""Volume, volatility and losses come from bars of a minute and an hour: asking more often tells nothing new."""


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """A strategy's wish as it was known; `target` None where its inputs were missing."""

    ts_ns: int
    known_at_ns: int
    target: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class QuoteSeen:
    """Best bid and ask, and when we got them."""

    bid: Decimal
    ask: Decimal
    received_at_ns: int

    @property
    def sane(self) -> bool:
        return 0 < self.bid <= self.ask

    @property
    def mark(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal:
        """Ask less bid, as a share of their middle."""
        return (self.ask - self.bid) / self.mark


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened to a symbol: traded in the last hour, in quote; volatility of that hour over that of the day."""

    volume_quote: Decimal
    turbulence: Decimal | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What bars say of each symbol. `loss_shares`: the loss in an hour, a share, that one of twenty hours exceeds.

    Of what can be short it is the larger of the losses of both sides.
    """

    read_at_ns: int = 0
    activity: Mapping[str, Activity] = field(default_factory=dict)
    loss_shares: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarketSeen:
    """Signals by (strategy, version, symbol); quotes and last trades' prices by symbol; what bars say."""

    signals: Mapping[tuple[str, int, str], SignalSeen] = field(default_factory=dict)
    quotes: Mapping[str, QuoteSeen] = field(default_factory=dict)
    trades: Mapping[str, Decimal] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)


class MarketReader(Protocol):
    """Where a cycle looks. Raises `StoreUnavailable` or `StoreRejected`."""

    async def read(self, now_ns: int) -> MarketSeen: ...

    async def newest_signal_ns(self, now_ns: int) -> int:
        """When the newest signal of the live market became known, UTC ns; 0 before the first. To be asked often."""
        ...

    async def close(self) -> None: ...


class DatabaseReader:
    """Reads QuestDB as the read-only user; connects when first asked, and again after a failure to connect."""

    def __init__(self, config: DatabaseConfig, venue: str) -> None:
        self._config = config
        self._venue = venue
        self._database: Database | None = None
        self._connecting: asyncio.Task[Database] | None = None
        self._applied = -1
        self._newest_ns = 0
        self._figures = Figures()

    async def read(self, now_ns: int) -> MarketSeen:
        database = await self._connected()
        signals, quotes, trades = await asyncio.gather(
            database.fetch(QUERIES["signals_now"], {"t": to_datetime(now_ns), **self._scope(now_ns, SIGNALS_S)}),
            database.fetch(QUERIES["quotes_now"], self._scope(now_ns, QUOTES_S)),
            database.fetch(QUERIES["trades_now"], self._scope(now_ns, TRADES_S)),
        )
        return MarketSeen(
            {_signal_key(row): _signal(row) for row in signals},
            {as_str(row["symbol"]): _quote(row) for row in quotes},
            {as_str(row["symbol"]): from_market(as_float(row["price"])) for row in trades},
            await self._figures_now(database, now_ns),
        )

    async def newest_signal_ns(self, now_ns: int) -> int:
        """Asks for the number of the last commit that can be read, which costs nothing, and looks only at a new one."""
        database = await self._connected()
        row = await database.fetch_one(QUERIES["signals_applied"])
        applied = 0 if row is None else as_int(row["applied"])
        if applied != self._applied:
            newest = await database.fetch_one(QUERIES["newest_signal"], self._scope(now_ns, NEWS_S))
            if newest is not None and newest["known_at_ns"] is not None:
                self._newest_ns = max(self._newest_ns, as_int(newest["known_at_ns"]))
            self._applied = applied
        return self._newest_ns

    async def _figures_now(self, database: Database, now_ns: int) -> Figures:
        if not 0 <= now_ns - self._figures.read_at_ns < FIGURES_AGE_S * NANOS_PER_SECOND:
            hour_ago = to_datetime(now_ns - HOUR_S * NANOS_PER_SECOND)
            enough: dict[str, Param] = {"now": to_datetime(now_ns), "minutes_min": MINUTES_MIN, "hours_min": HOURS_MIN}
            activity = await database.fetch(
                QUERIES["activity_now"], {**self._scope(now_ns, DAY_S), **enough, "hour": hour_ago}
            )
            history = {**self._scope(now_ns, HISTORY_S), **enough}
            losses = _shares(await database.fetch(QUERIES["losses_now"], history))
            rises = _shares(await database.fetch(QUERIES["rises_now"], history))
            self._figures = Figures(
                now_ns,
                {as_str(row["symbol"]): _activity(row) for row in activity},
                {s: max(loss, rises[s]) if is_linear(s) and s in rises else loss for s, loss in losses.items()},
            )
        return self._figures

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
            self._connecting = None
        if self._database is not None:
            await self._database.close()
            self._database = None

    async def _connected(self) -> Database:
        """The pool; one attempt to open it at a time, which goes on when an impatient cycle turns away from it."""
        if self._database is not None:
            return self._database
        if self._connecting is None:
            self._connecting = asyncio.create_task(Database.connect(self._config, readonly=True), name="connect")
        connecting = self._connecting
        try:
            self._database = await asyncio.shield(connecting)
        finally:
            if connecting.done():
                self._connecting = None
        return self._database

    def _scope(self, now_ns: int, seconds: int) -> dict[str, Param]:
        return {"venue": self._venue, "since": to_datetime(now_ns - seconds * NANOS_PER_SECOND)}


def signal_pause_s(now_ns: int, newest_ns: int, poll_s: float) -> float:
    """How long to wait before looking for a signal again; those of bars come about a minute after the ones before."""
    return poll_s / EAGER if abs(now_ns - newest_ns - MINUTE_NS) < EAGER_NS else poll_s


def _signal_key(row: Record) -> tuple[str, int, str]:
    return as_str(row["strategy"]), as_int(row["version"]), as_str(row["symbol"])


def _signal(row: Record) -> SignalSeen:
    target, confidence = row["target"], row["confidence"]
    return SignalSeen(
        ts_ns=as_int(row["ts_ns"]),
        known_at_ns=as_int(row["known_at_ns"]),
        target=None if target is None else as_float(target),
        confidence=None if confidence is None else as_float(confidence),
    )


def _quote(row: Record) -> QuoteSeen:
    bid, ask = (from_market(as_float(row[name] or 0.0)) for name in ("bid", "ask"))
    return QuoteSeen(bid, ask, as_int(row["received_at_ns"]))


def _shares(rows: Sequence[Record]) -> dict[str, Decimal]:
    return {as_str(row["symbol"]): from_market(as_float(row["loss"])) for row in rows}


def _activity(row: Record) -> Activity:
    turbulence = row["turbulence"]
    return Activity(
        volume_quote=from_market(as_float(row["volume_quote"])),
        turbulence=None if turbulence is None else from_market(as_float(turbulence)),
    )
