"""A replay from files to store: reads and plays in a thread, writes beside, at the wanted speed."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config import AresConfig
from ares.config.settings import IngestConfig
from ares.errors import UsageError
from ares.model.market import Entry, size
from ares.resilience import Backoff
from ares.store import Database
from ares.telemetry import get_logger
from ingest.archive import kept_from_ns
from ingest.capture.records import About, MalformedRecord, Record
from ingest.contracts import Size
from ingest.imports.importer import ahead
from ingest.intakes import IDS_WITH_HOLES
from ingest.replay.foreign import Foreign
from ingest.replay.keeping import Figures, Keeper
from ingest.replay.moments import EVER, Span
from ingest.replay.player import Cast, Player
from ingest.replay.reading import KNOWN, Damage, Reader
from ingest.sink import Lane, Sink, running
from ingest.transport import ARRIVAL_S_MAX, arrived, writer_of
from ingest.validation import Limits
from ingest.venues.registry import LANGUAGES, Language

log = get_logger(__name__)

WINDOW_RECORDS = 5_000
WINDOW_S = 0.1
"""At a speed that is not the greatest, so much time is played at once."""
WAIT_S_MAX = 0.2

Report = Callable[[float, int], None]
"""Told the progress: the share that was read, from 0 to 1, and the frames so far."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to replay and how. `speed` 1.0 is the pace at which it came, None the greatest; `venue` None: as captured.

    `symbols` are the venue's own → ours, for captures that do not say them.
    """

    files: Sequence[Path]
    span: Span = EVER
    speed: float | None = None
    venue: str | None = None
    symbols: Mapping[str, str] = field(default_factory=dict)
    skip_damaged: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class Outcome:
    """What a replay did; `other` are frames of streams that are not collected here."""

    venue: str
    files: int = 0
    frames: int = 0
    lost: int = 0
    other: int = 0
    unknown_symbols: Sequence[str] = ()
    tables: Sequence[Figures] = ()
    damaged: Sequence[Damage] = ()
    interrupted_at_ns: int | None = None


@dataclass(slots=True)
class Replay:
    """One replay. `stop` ends it in order: what was played is written and accounted for."""

    config: AresConfig
    order: Order
    clock: Clock
    report: Report
    stop: threading.Event = field(default_factory=threading.Event)
    reader: Reader = field(init=False)
    foreign: Foreign = field(init=False)
    player: Player = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.order.files, self.order.skip_damaged)
        abouts = self.reader.abouts()
        venue, protocol = whose(abouts, self.order.venue)
        language = language_of(protocol)
        names = {theirs: ours for about in abouts for theirs, ours in about.symbols.items()} | dict(self.order.symbols)
        self.foreign = self.reader.foreign = Foreign(venue, language.words, names)
        sizes = {symbol: size for about in abouts for symbol, size in about.sizes.items()}
        cast = cast_of(venue, language, names, sizes, self.config.ingest)
        self.player = Player(replace(cast, dense_ids=protocol not in IDS_WITH_HOLES))

    async def run(self, backoff: Backoff) -> Outcome:
        """Replay to the end. Raises `UsageError`, `StoreUnavailable`, `StoreRejected`."""
        venue = self.foreign.venue
        if self.order.dry_run:
            tables: dict[str, Figures] = {}
            async for rows in self._windows():
                count(tables, rows)
            return self._outcome(list(tables.values()))
        async with keeper_of(self.config, venue, self.clock, backoff) as (keeper, lane):
            keeper.dense_ids = self.player.cast.dense_ids
            await keeper.prepare()
            try:
                async for rows in self._windows():
                    await keeper.keep(rows)
            except UsageError:
                await self._settled(keeper, lane)
                raise
            holes = await self._settled(keeper, lane)
        log.info("capture_replayed", venue=venue, frames=self.player.frames, holes=holes)
        return self._outcome(list(keeper.figures.values()))

    async def _settled(self, keeper: Keeper, lane: Sink) -> int:
        """Write what waits and what follows for holes, also of a capture that cannot be read on; how many rows."""
        await lane.drain()
        await keeper.settle_writes()
        holes = await keeper.account(self.player)
        await lane.put(holes)
        await lane.drain()
        return len(holes)

    async def _windows(self) -> AsyncIterator[Sequence[Entry]]:
        """Rows, window by window, each when it is due."""
        began_s, first_ns = self.clock.monotonic_s(), 0
        async with aclosing(ahead(self._played())) as steps:
            async for rows in steps:
                yield rows
                self.report(self.reader.share, self.player.frames)
                first_ns = first_ns or self.player.last_at_ns
                while self.order.speed is not None and not self.stop.is_set():
                    due_s = began_s + (self.player.last_at_ns - first_ns) / NANOS_PER_SECOND / self.order.speed
                    wait_s = due_s - self.clock.monotonic_s()
                    if wait_s <= 0:
                        break
                    await self.clock.sleep(min(wait_s, WAIT_S_MAX))

    def _played(self) -> Generator[Sequence[Entry], None, None]:
        span = self.order.span
        records = takewhile(lambda record: record.at_ns < span.to_ns, self.reader.records())
        step_ns = None if self.order.speed is None else round(WINDOW_S * self.order.speed * NANOS_PER_SECOND)
        try:
            for window in windows(records, span.from_ns, step_ns):
                rows = self.player.play(window)
                self._refuse_other_ids()
                if window[-1].at_ns < span.from_ns:
                    self.player.forget()
                    rows = []
                yield rows
                if self.stop.is_set():
                    return
            yield self.player.end()
        except MalformedRecord as error:
            raise UsageError(f"FILE: a record makes no sense: {error}. {KNOWN}") from None

    def _refuse_other_ids(self) -> None:
        """Single trades have ids of their own: among aggregate ones the same trade would be there twice."""
        if self.foreign.single and self.foreign.venue in self.config.venues:
            raise UsageError(
                f"--venue = {self.foreign.venue!r}: these are single trades, and this venue counts aggregate ones. "
                "Choose a name for them that is none of [venues]"
            )

    def _outcome(self, tables: Sequence[Figures]) -> Outcome:
        player, foreign = self.player, self.foreign
        stopped = player.last_at_ns if self.stop.is_set() else None
        return Outcome(
            foreign.venue,
            len(self.order.files),
            player.frames,
            player.lost,
            foreign.other,
            sorted(foreign.unknown),
            tables,
            self.reader.damaged,
            stopped,
        )


def windows(records: Iterator[Record], from_ns: int, step_ns: int | None) -> Iterator[Sequence[Record]]:
    """Records in pieces: of bounded number, of `step_ns` of time if that is said, and cut at `from_ns`."""
    window: list[Record] = []
    for record in records:
        if window:
            cut = window[-1].at_ns < from_ns <= record.at_ns
            over = step_ns is not None and record.at_ns - window[0].at_ns >= step_ns
            if cut or over or len(window) >= WINDOW_RECORDS:
                yield window
                window = []
        window.append(record)
    if window:
        yield window


def whose(abouts: Sequence[About], wanted: str | None) -> tuple[str, str]:
    """The venue in rows, and the protocol of the frames. Raises `UsageError`."""
    venues = sorted({about.venue for about in abouts})
    protocols = sorted({about.protocol for about in abouts}) or ["binance"]
    if len(venues) > 1 or len(protocols) > 1:
        raise UsageError(f"FILE: captures of {', '.join(venues)}. Replay them one after the other")
    if wanted is None and not venues:
        raise UsageError(
            "--venue: the files do not say whose they are. Name it: --venue NAME --symbol BTCUSDT=BTC/USDT"
        )
    return wanted or venues[0], protocols[0]


def language_of(protocol: str) -> Language:
    """The words of a protocol. Raises `UsageError` for one that this version does not know."""
    if protocol not in LANGUAGES:
        raise UsageError(f"FILE: in the protocol {protocol!r}; this Ares knows {', '.join(sorted(LANGUAGES))}")
    return LANGUAGES[protocol]


def cast_of(
    venue: str, language: Language, names: Mapping[str, str], sizes: Mapping[str, Size], settings: IngestConfig
) -> Cast:
    """Whose frames are played, judged as the service judges."""
    limits = Limits(settings.event_ahead_s_max, settings.price_jump_max)
    levels, every_s = settings.book_levels, settings.book_s_min
    return Cast(venue, language.dialect, language.words, names, limits, levels, every_s, sizes)


def count(tables: dict[str, Figures], rows: Sequence[Entry]) -> None:
    """Rows by table, for who writes none."""
    for row in rows:
        tables.setdefault(row.table, Figures(row.table)).rows += size(row)


@asynccontextmanager
async def keeper_of(
    config: AresConfig, venue: str, clock: Clock, backoff: Backoff
) -> AsyncIterator[tuple[Keeper, Sink]]:
    """A keeper with its connections, and the lane by which it writes."""
    settings, retention_days = config.ingest, config.database.retention_trades_days
    writer = writer_of(config)
    shape = Lane("replay", venue, settings.queue_rows_max, settings.batch_rows_max, settings.batch_s_max)
    lane = Sink(shape, writer, clock, backoff)
    try:
        async with await Database.connect(config.database) as database, running([lane]):
            keeper = Keeper(database, lane.put, venue, clock, kept_from_ns(clock.now_ns(), retention_days))
            keeper.arrived = lambda: arrived(config, clock, ARRIVAL_S_MAX)
            yield keeper, lane
    finally:
        await writer.close()
