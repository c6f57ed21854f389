"""The service `ingest`: the only place that puts its parts together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from ares.clock import HOUR_NS, NANOS_PER_SECOND
from ares.config.settings import AresConfig, IngestConfig, VenueConfig
from ares.errors import ConfigError, StoreUnavailable, VenueError
from ares.model.market import Instrument
from ares.model.row import Row
from ares.resilience import Backoff
from ares.service import Health, Service, ServiceContext
from ares.store import Database
from ares.telemetry import get_logger, metrics
from ingest.archive import archived, kept_from_ns
from ingest.backfill import BarKeeper, TradeBackfill
from ingest.books import BookRoom
from ingest.capture.tap import NO_TAP, Tap
from ingest.capturing import Capture, capture_of
from ingest.collector import collect, count_gaps
from ingest.contracts import InBase, sizes_of
from ingest.desk import Desk
from ingest.feed import SPOT, Feed
from ingest.gaps import Where
from ingest.grading import checks_of
from ingest.healing import Healer
from ingest.history import SoundHistory, wait_of
from ingest.imports.account import ImportAccount
from ingest.intakes import has_dense_ids
from ingest.newest import NewestHealer, NewestPast
from ingest.quality import Inspector
from ingest.recovery import Recovery
from ingest.settlements import FundingKeeper
from ingest.sink import Lane, Sink
from ingest.spool import Spool
from ingest.stalls import StallWatch
from ingest.transport import RowDoor, arrived, writer_of
from ingest.validation import Limits, Validator
from ingest.venues.registry import create_feed, create_history
from ingest.venues.rest_history import RestHistory

T = TypeVar("T")

log = get_logger(__name__)

DRAIN_S_MAX = 5.0
"""What is not acknowledged by then is fetched after the restart: the store is away, and others wait for our end."""
WHOLE_POLL_S = 0.1
WATERMARK_LOOK_S = 0.01
"""How often it is looked whether a bar waits for a watermark."""


class Ingest:
    """Collects one venue: its streams, its past, and the account of what is missing.

    Two lanes lead into the store, so that fetching the past never delays the present. They outlive `run`, for `stop`
    lets them finish what is queued.
    """

    def __init__(self, context: ServiceContext) -> None:
        self._config = context.config
        self._clock = context.clock
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        settings = context.config.ingest
        venue = settings.venue
        self._dense = has_dense_ids(venue_config(context.config))
        self._capture: Capture | None = capture_of(context, venue_config(context.config))
        self._tap: Tap = NO_TAP if self._capture is None else self._capture
        self._feed = create_feed(venue, venue_config(context.config), settings, context.clock, self._tap)
        self._room = room_of(self._feed, settings)
        self._desk = Desk(
            venue, settings.symbols, limits_of(settings), context.clock, self._room, dense_ids=self._dense
        )
        self._pace_funding(settings)
        self._history_validator = Validator(limits_of(settings))
        self._live_writer = writer_of(context.config)
        self._past_writer = writer_of(context.config)
        self._live = self._sink("live", self._live_writer)
        self._past = self._sink("past", self._past_writer)
        self._live.on_refused = self._desk.refused_history
        self._spool = spool_of(context) if settings.spool_mb_max else None
        self._past.route = lambda rows: archived(rows, retained_from_ns(context))
        self._past.on_acked = self._desk.ledger.acked_from_history
        self._past.on_refused = self._desk.refused_history
        checks_of(context.config.quality.limits)
        self._database: Database | None = None
        self._inspector: Inspector | None = None
        self._history: RestHistory | None = None
        self._instruments: list[Instrument] | None = None
        self._lanes: list[asyncio.Task[None]] = []
        self._state = "connecting to the store"

    def _sink(self, lane: str, writer: RowDoor) -> Sink:
        return Sink(lane_of(lane, self._config.ingest), writer, self._clock, self._backoff())

    def _pace_funding(self, settings: IngestConfig) -> None:
        room = self._desk.funding
        room.every_ns = round(settings.funding_s_min * NANOS_PER_SECOND)
        room.repeat_ns = round(settings.funding_s_max * NANOS_PER_SECOND)

    def _backoff(self) -> Backoff:
        settings = self._config.ingest
        return Backoff(settings.backoff_s_min, settings.backoff_s_max, self._rng)

    async def start(self) -> None:
        """Reach the store and, if it answers, the venue. Raises `UnknownSymbol`, `StoreUnavailable`."""
        self._database = await Database.connect(self._config.database)
        if self._spool is not None:
            self._spool.open()
            self._live.spill_to(self._spool)
            if self._live.depth:
                log.info("spool_found", venue=self._desk.venue, rows=self._live.depth)
        if self._capture is not None:
            self._capture.start()
        self._lanes = [asyncio.create_task(lane.run(), name="lane") for lane in (self._live, self._past)]
        try:
            self._instruments = list(await self._feed.open())
        except VenueError as error:
            self._report_unreachable(error)

    async def run(self) -> None:
        """Collect until cancelled."""
        instruments = await self._open_feed()
        symbols = {each.symbol: each.venue_symbol for each in instruments}
        if self._capture is not None:
            self._capture.describe({theirs: ours for ours, theirs in symbols.items()}, sizes_of(instruments))
        settings = self._config.ingest
        venue = venue_config(self._config)
        self._history = create_history(settings.venue, venue, symbols, self._clock, self._tap)
        history = SoundHistory(self._history, self._history_validator, self._clock, InBase(sizes_of(instruments)))
        self._state = "recovering"
        recovery = await self._recover(instruments)
        self._state = ""
        healer = self._healer(history)
        stalls = StallWatch(self._desk, self._feed, history, self._clock, lambda: self._config.ingest.silence_s_max)
        async with asyncio.TaskGroup() as tasks:
            for channel in self._feed.channels:
                tasks.create_task(collect(self._feed, channel, self._desk, self._live, self._backoff()))
            for symbol in symbols:
                tasks.create_task(healer.run(symbol, self._backoff()))
                for channel in SPOT:
                    tasks.create_task(stalls.run(channel, symbol, self._backoff()))
                tasks.create_task(self._reach_back(symbol, history, recovery))
                if "funding" in self._feed.channels:
                    tasks.create_task(self._keep_settlements(symbol, self._history, recovery))
            tasks.create_task(self._publish())
            tasks.create_task(self._inspect())
            for lane in self._lanes:
                tasks.create_task(watch(lane))

    def _healer(self, history: SoundHistory) -> Healer | NewestHealer:
        if self._dense:
            return Healer(self._desk, self._feed, history, self._live, self._past, self._clock)
        return NewestHealer(self._desk, self._feed, history, self._live, self._clock)

    def _past_trades(self, history: SoundHistory) -> TradeBackfill | NewestPast:
        if self._dense:
            return TradeBackfill(self._desk, history, self._past, self._clock)
        return NewestPast(self._desk, history, self._live, self._clock)

    def reconfigure(self, config: AresConfig) -> None:
        """Collect by these settings from now on; batches under way keep theirs."""
        self._config = config
        if self._inspector is not None:
            self._inspector.settings = config.quality
        self._feed.reconfigure(config.ingest)
        self._room.every_ns = every_ns_of(config.ingest)
        self._pace_funding(config.ingest)
        self._live.reconfigure(lane_of("live", config.ingest))
        self._past.reconfigure(lane_of("past", config.ingest))
        self._desk.validator.limits = self._history_validator.limits = limits_of(config.ingest)

    async def stop(self) -> None:
        """Let the lanes finish what is queued, within a deadline, then let go of everything."""
        try:
            if self._lanes:
                async with asyncio.timeout(DRAIN_S_MAX):
                    await asyncio.gather(self._live.drain(), self._past.drain())
        except TimeoutError:
            log.warning("rows_left_in_queue", live=self._live.depth, past=self._past.depth)
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        self._live.leave()
        if self._spool is not None:
            self._spool.close()
        for writer in (self._live_writer, self._past_writer):
            await writer.close()
        if self._history is not None:
            await self._history.close()
        await self._feed.close()
        if self._capture is not None:
            await asyncio.to_thread(self._capture.stop)
        if self._database is not None:
            await self._database.close()

    def health(self) -> Health:
        """Ready while all streams are live and the store takes rows."""
        dead = [channel for channel in self._feed.channels if not self._feed.is_live(channel)]
        if self._state:
            return Health(ready=False, detail=self._state)
        if not (self._live.writable and self._past.writable):
            full = f". {self._live.trouble}" if self._live.trouble else ""
            return Health(ready=False, detail=f"the store takes no rows, {self._live.depth} wait{full}")
        said = [f"no stream of {', '.join(dead)}"] if dead else []
        said += [self._capture.trouble] if self._capture is not None and self._capture.trouble else []
        return Health(ready=not dead, detail=". ".join(said))

    def _report_unreachable(self, error: VenueError) -> None:
        self._state = f"venue {self._desk.venue} cannot be reached: {error}"
        log.warning("venue_unreachable", venue=self._desk.venue, error=str(error))

    async def _open_feed(self) -> list[Instrument]:
        """The venue's instruments, as soon as it answers."""
        backoff = self._backoff()
        while self._instruments is None:
            try:
                self._instruments = list(await self._feed.open())
            except VenueError as error:
                self._report_unreachable(error)
                await self._clock.sleep(wait_of(error, backoff))
        return self._instruments

    async def _recover(self, instruments: list[Instrument]) -> Recovery:
        """Store what the process before us left on disk, then continue from what is stored; record what was missed."""
        assert self._database is not None
        await self._live.drain()
        self._state = "waiting for sink workers to write what is on its way"
        await arrived(self._config, self._clock)
        self._state = "recovering"
        self._live.on_acked = self._desk.ledger.acked
        self._live.on_refused = self._desk.refused
        retention_days = self._config.database.retention_trades_days
        recovery = Recovery(self._database, self._desk.venue, self._clock, retention_days, self._dense)
        await self._patiently(recovery.settle)
        changed = await self._patiently(lambda: recovery.changed(instruments))
        known = {each: await self._patiently(partial(recovery.known, each)) for each in self._desk.symbols}
        now_ns = self._clock.now_ns()
        rows = [each.to_row(now_ns) for each in changed]
        for symbol, stored in known.items():
            rows += self._desk.resume(symbol, stored.trades, stored.watermark_ns)
            rows += [gap.closed("lost", "", now_ns, None).to_row(now_ns) for gap in stored.orphans]
            for channel, outages in self._desk.outages.items():
                rows += outages.resume(symbol, stored.last_ts_ns[channel], stored.outages[channel], now_ns)
        count_gaps(rows)
        await self._live.put(rows)
        return recovery

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers, however long it is away: what is collected meanwhile waits for it."""
        backoff = self._backoff()
        while True:
            try:
                return await ask()
            except StoreUnavailable as error:
                wait_s = backoff.next_wait_s()
                log.warning("store_asked_again", venue=self._desk.venue, cause=str(error), wait_s=wait_s)
                await self._clock.sleep(wait_s)

    async def _reach_back(self, symbol: str, history: SoundHistory, recovery: Recovery) -> None:
        """Fetch the past once, say so, then keep the venue's candles up to date."""
        settings = self._config.ingest
        bars = BarKeeper(self._desk.venue, history, self._past, self._clock)
        horizon_ns = self._clock.now_ns() - round(settings.backfill_bars_hours * HOUR_NS)
        needed_ns = await self._patiently(lambda: recovery.bars_needed_from(symbol, horizon_ns))
        await bars.backfill(symbol, needed_ns, self._backoff())
        trades = self._past_trades(history)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bars.refresh(symbol, self._backoff()))
            await trades.run(symbol, settings.backfill_trades_hours, self._backoff())
            intake = self._desk.intakes[symbol]
            while intake.tail is not None or intake.gaps:
                await self._clock.sleep(WHOLE_POLL_S)
            if self._dense:
                await self._account_for_imports(symbol)
            await self._live.drain()
            self._desk.ledger.history_is_whole(symbol, intake.first_ts_ns)
            log.info("history_is_whole", symbol=symbol, first_seq=intake.first, last_seq=intake.last)

    async def _keep_settlements(self, symbol: str, history: RestHistory, recovery: Recovery) -> None:
        """Fetch what a perpetual paid, then each payment after its moment, for ever."""
        horizon_ns = self._clock.now_ns() - round(self._config.ingest.backfill_funding_hours * HOUR_NS)
        keeper = FundingKeeper(self._desk.venue, history, self._past, self._desk.funding, self._clock)
        keeper.stored[symbol] = await self._patiently(lambda: recovery.settled_funding(symbol, horizon_ns))
        await keeper.backfill(symbol, horizon_ns, self._backoff())
        await keeper.refresh(symbol, self._backoff())

    async def _inspect(self) -> None:
        """Grade what is stored, for ever."""
        assert self._database is not None
        settings = self._config.ingest
        quality = self._config.quality
        self._inspector = Inspector(self._database, settings.venue, settings.symbols, quality, self._clock, self._dense)
        self._inspector.channels = self._feed.channels
        await self._inspector.run(self._past)

    async def _account_for_imports(self, symbol: str) -> None:
        """Say what is missing between imported trades and ours, now that the past is fetched."""
        assert self._database is not None
        intake, database = self._desk.intakes[symbol], self._database
        account = ImportAccount(database, Where(self._desk.venue, symbol, "trades"), self._clock)

        async def missing(first_seq: int) -> Sequence[Row]:
            await self._past.drain()
            await arrived(self._config, self._clock)
            await database.wait_applied(["trades", "gaps"])
            return await account.after_recording(first_seq, intake.first_ts_ns)

        if intake.first is not None:
            await self._live.put(await self._patiently(partial(missing, intake.first)))

    async def _publish(self) -> None:
        """Publish the watermarks every `watermark_s`, and at once when a bar waits for one; for ever."""
        lateness_ns = round(self._config.analytics.lateness_s_max * NANOS_PER_SECOND)
        published_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(min(WATERMARK_LOOK_S, self._config.ingest.watermark_s))
            live = self._feed.is_live("trades")
            whole = [symbol for symbol, intake in self._desk.intakes.items() if live and intake.is_current]
            now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
            waits = now_s - published_s < self._config.ingest.watermark_s
            if waits and not self._desk.ledger.closes_a_bar(now_ns, whole, lateness_ns):
                continue
            published_s = now_s
            rows = self._desk.ledger.rows(now_ns, whole)
            for symbol, account in self._desk.ledger.accounts.items():
                metrics.INGEST_WATERMARK.labels(symbol).set(account.watermark_ns / NANOS_PER_SECOND)
            await self._live.put(rows)


async def watch(lane: asyncio.Task[None]) -> None:
    """Fail when the lane fails; being cancelled leaves it alone."""
    await asyncio.shield(lane)


def lane_of(name: str, settings: IngestConfig) -> Lane:
    """The shape of a lane."""
    return Lane(name, settings.venue, settings.queue_rows_max, settings.batch_rows_max, settings.batch_s_max)


def spool_of(context: ServiceContext) -> Spool:
    """Where what the store does not take waits, by venue; not opened."""
    settings = context.config.ingest
    folder = context.state_dir / "spool" / settings.venue
    return Spool(folder, settings.spool_mb_max * 2**20, settings.spool_sync_s, context.clock)


def room_of(feed: Feed, settings: IngestConfig) -> BookRoom:
    """An empty room for the books of a feed."""
    rules = feed.book_rules
    return BookRoom(rules.follows, settings.book_levels, every_ns_of(settings), rules.checksum)


def every_ns_of(settings: IngestConfig) -> int:
    """How often a book of one symbol is written at most, in ns."""
    return round(settings.book_s_min * NANOS_PER_SECOND)


def limits_of(settings: IngestConfig) -> Limits:
    """What counts as plausible."""
    return Limits(settings.event_ahead_s_max, settings.price_jump_max)


def retained_from_ns(context: ServiceContext) -> int:
    """Trades before this moment go to the archive (UTC ns)."""
    return kept_from_ns(context.clock.now_ns(), context.config.database.retention_trades_days)


def venue_config(config: AresConfig) -> VenueConfig:
    """The settings of the venue that is collected. Raises `ConfigError` if it has none."""
    name = config.ingest.venue
    if name not in config.venues:
        known = ", ".join(sorted(config.venues)) or "none"
        raise ConfigError("ingest.venue", name, "no such venue", f"Add [venues.{name}] or choose one of: {known}")
    return config.venues[name]


def create(context: ServiceContext) -> Service:
    """The service, unconnected."""
    return Ingest(context)
