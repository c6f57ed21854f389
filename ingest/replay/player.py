"""Records become rows by the way of live frames: decoded, validated, followed, at the time of their receipt. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from ares.clock import NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ares.model.market import Book, Entry, Funding, Quote, Trade, TradeRun
from ares.model.row import Row
from ares.store.pool import as_int
from ingest.books import BookRoom, BookUpdate
from ingest.capture.records import HANDED_OVER, WE_HANG_UP, MalformedRecord, Record, about_of, answer_of, lost_of
from ingest.contracts import InBase, Size
from ingest.desk import EVER_NS, Desk
from ingest.feed import PERPETUALS, Channel, Frame, MarketEvent, Rejected, raw_text
from ingest.history import refused
from ingest.replay.holed import between, lacks_of
from ingest.validation import Limits, Validator
from ingest.venues.dialect import Dialect
from ingest.venues.rest import Asked, RestWords
from ingest.venues.rest_history import page_of
from ingest.venues.wire import Names

BATCH_FRAMES_MAX = 2_000
CHANNEL_OF: Mapping[type[Quote | Book | Funding], Channel] = MappingProxyType(
    {Quote: "quotes", Book: "books", Funding: "funding"}
)
Place = tuple[Channel, str]
"""A channel and a symbol."""
Stretch = tuple[int, int]
"""Event times (UTC ns) between which a capture has everything of a place."""


class RecordedClock:
    """`Clock` of a replay: it stands at the receipt of the record that is looked at."""

    def __init__(self) -> None:
        self.at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_s(self) -> float:
        return self.at_ns / NANOS_PER_SECOND

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits {seconds} s in a replay")


@dataclass(frozen=True, slots=True)
class Recording:
    """Reads recorded frames as `NativeFeed` reads live ones; what a book needs anew was recorded too."""

    dialect: Dialect
    names: Names
    in_base: InBase

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        return self.in_base.events(self._decoded(frame))

    def _decoded(self, frame: Frame) -> Sequence[MarketEvent]:
        payload = frame.payload
        if isinstance(payload, BookUpdate):
            return (payload,)
        heartbeat = self.dialect.heartbeat
        if heartbeat is not None and isinstance(payload, bytes) and payload.startswith(heartbeat[1]):
            return ()
        try:
            return self.dialect.decode(frame.channel, payload, self.names, frame.received_at_ns)
        except MalformedFrame:
            if isinstance(payload, bytes) and self.dialect.answer_of(payload) is not None:
                return ()
            raise

    def runs(self, frames: Sequence[Frame]) -> Sequence[TradeRun] | None:
        payloads = [frame.payload for frame in frames if isinstance(frame.payload, bytes)]
        runs = self.dialect.runs(payloads, self.names, [frame.received_at_ns for frame in frames])
        return runs if runs is None else [self.in_base.run(run) for run in runs]

    def resync(self, symbol: str, channel: Channel) -> None:
        """The snapshot that followed is in the recording."""

    def renew(self, channel: Channel) -> None:
        """So is the line that followed."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Whose frames are replayed, in which words, judged how, and how books are written where no segment says it."""

    venue: str
    dialect: Dialect
    words: RestWords
    names: Mapping[str, str]
    limits: Limits
    book_levels: int
    book_s_min: float
    sizes: Mapping[str, Size]
    dense_ids: bool = True


@dataclass(slots=True)
class Player:
    """Plays the records of one venue, in order within each channel.

    Gaps of trades are not among its rows: what is stored decides about these. Of quotes and books `outages` are the
    holes that the capture itself has, `stretches` the times in between; so of trades whose ids have holes.
    """

    cast: Cast
    frames: int = 0
    lost: int = 0
    last_at_ns: int = 0
    outages: list[Row] = field(default_factory=list)
    stretches: dict[Place, list[Stretch]] = field(default_factory=dict)
    _broken: set[Place] = field(default_factory=set)
    _lines: dict[Channel, int | None] = field(default_factory=dict)
    _waiting: dict[Channel, list[Frame]] = field(default_factory=dict)
    _clock: RecordedClock = field(default_factory=RecordedClock)
    _recording: Recording = field(init=False)
    _desk: Desk = field(init=False)
    _room: BookRoom = field(init=False)
    _past: Validator = field(init=False)
    _in_base: InBase = field(init=False)
    _lost_trades: dict[str, list[Row]] = field(default_factory=dict)
    _told_from_ns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cast = self.cast
        self._in_base = InBase(cast.sizes)
        self._recording = Recording(cast.dialect, Names(cast.venue, cast.names), self._in_base)
        rules = cast.dialect.book_rules
        every_ns = round(cast.book_s_min * NANOS_PER_SECOND)
        self._room = BookRoom(rules.follows, cast.book_levels, every_ns, rules.checksum)
        symbols = sorted(set(cast.names.values()))
        self._desk = Desk(cast.venue, symbols, cast.limits, self._clock, self._room, dense_ids=cast.dense_ids)
        self._past = Validator(cast.limits)

    def play(self, records: Iterable[Record]) -> list[Entry]:
        """The rows that these and all before them lead to. Raises `MalformedRecord`."""
        rows: list[Entry] = []
        for record in records:
            channel = channel_of(record)
            if channel is None:
                continue
            self.last_at_ns = max(self.last_at_ns, record.at_ns)
            frame = self._frame(channel, record)
            if frame is None:
                rows += self._flushed(channel)
                rows += self._sifted(self._happened(channel, record))
                continue
            waiting = self._waiting.setdefault(channel, [])
            waiting.append(frame)
            if len(waiting) >= BATCH_FRAMES_MAX:
                rows += self._flushed(channel)
        for channel in list(self._waiting):
            rows += self._flushed(channel)
        return rows

    def forget(self) -> None:
        """What was played so far only led here: nothing of it is written, and nothing said about its holes."""
        self.outages.clear()
        self.stretches.clear()
        self._lost_trades.clear()
        self._told_from_ns = {symbol: intake.last_ts_ns for symbol, intake in self._desk.intakes.items()}

    def end(self) -> list[Entry]:
        """What is due still once everything was played."""
        self._clock.at_ns = self.last_at_ns
        for symbol in () if self.cast.dense_ids else self._desk.symbols:
            self._end_of_trades(symbol)
        return list(self._sifted(self._desk.books_due(self.last_at_ns)))

    def _end_of_trades(self, symbol: str) -> None:
        """What the capture lacks of trades whose ids have holes, and the times in between."""
        intake, told_from_ns = self._desk.timed(symbol), self._told_from_ns.get(symbol, 0)
        lacks = lacks_of(intake, self._lost_trades.get(symbol, []), self.last_at_ns)
        lacks = [row for row in lacks if gap_times(row)[1] > told_from_ns]
        self.outages += lacks
        first_ns = max(intake.first_ts_ns, told_from_ns)
        holes = [gap_times(row) for row in lacks]
        if intake.last is not None:
            self.stretches["trades", symbol] = between(first_ns, intake.last_ts_ns, holes)

    def _frame(self, channel: Channel, record: Record) -> Frame | None:
        """What the desk takes of a record; None if it is no frame."""
        if record.kind == "recv":
            self.frames += 1
            self._lines[channel] = record.connection
            return Frame(channel, record.payload, record.at_ns)
        if record.kind != "snapshot":
            return None
        try:
            update = msgspec.json.decode(record.payload, type=BookUpdate)
        except msgspec.MsgspecError as error:
            raise MalformedRecord(f"snapshot: {error}") from None
        if update.symbol not in self._desk.intakes:
            return None
        self.frames += 1
        return Frame(channel, msgspec.structs.replace(update, venue=self.cast.venue), record.at_ns)

    def _flushed(self, channel: Channel) -> Iterator[Entry]:
        frames = self._waiting.pop(channel, [])
        if not frames:
            return iter(())
        self._clock.at_ns = frames[-1].received_at_ns
        return self._sifted(self._desk.rows_of(self._recording, frames))

    def _happened(self, channel: Channel, record: Record) -> Sequence[Entry]:
        """What follows from a record that is no frame."""
        self._clock.at_ns = record.at_ns
        match record.kind:
            case "begin":
                return self._begin(channel, record)
            case "open":
                was_open = self._lines.get(channel) is not None
                self._lines[channel] = record.connection
                return self._interrupted(channel) if was_open else ()
            case "close":
                self._lines[channel] = None
                return () if record.payload == HANDED_OVER else self._closed(channel, record)
            case "lost":
                self.lost += lost_of(record)
                return self._desk.interrupted(channel, "replay")
            case "answer":
                return self._answered(record)
            case _:
                return ()

    def _begin(self, channel: Channel, record: Record) -> Sequence[Entry]:
        """Books are written as they were then, so that they become the same rows."""
        about = about_of(record)
        if channel == "books":
            self._room.levels = about.book_levels
            self._room.every_ns = round(about.book_s_min * NANOS_PER_SECOND)
        return ()

    def _closed(self, channel: Channel, record: Record) -> Sequence[Entry]:
        until_ns = record.at_ns if record.payload == WE_HANG_UP else EVER_NS
        due = self._desk.books_due(until_ns) if channel == "books" else ()
        return [*due, *self._interrupted(channel)]

    def _interrupted(self, channel: Channel) -> Sequence[Entry]:
        return self._desk.interrupted(channel, "disconnect")

    def _answered(self, record: Record) -> Sequence[Entry]:
        """Trades of the past that the venue was asked for then."""
        answer = answer_of(record)
        if answer.operation != "trades" or answer.symbol not in self._desk.intakes:
            return ()
        asked = Asked(self.cast.venue, answer.symbol, answer.venue_symbol, record.at_ns)
        try:
            page = page_of(self.cast.words, answer.answer, asked)
        except MalformedFrame as error:
            text = raw_text(answer.answer)
            unread = Rejected("trades", error.field, str(error), text, record.at_ns, answer.symbol)
            return [unread.to_row(self.cast.venue)]
        rejected, rows = list(page.rejected), list[Entry]()
        for trade in map(self._in_base.trade, page.trades):
            fault = self._past.fault_of(trade, record.at_ns)
            if fault is None:
                rows.append(trade)
            else:
                rejected.append(refused(trade, fault, "trades", record.at_ns))
        if not self.cast.dense_ids:
            self._fill(answer.symbol, [row for row in rows if isinstance(row, Trade)], record.at_ns)
        return [*rows, *[each.to_row(self.cast.venue) for each in rejected]]

    def _fill(self, symbol: str, page: Sequence[Trade], at_ns: int) -> None:
        """Close the holes that a page of the newest trades fills; its trades are among the rows in any case."""
        intake = self._desk.timed(symbol)
        for row in intake.fill(page, intake.looking(settled=False), at_ns):
            if isinstance(row, Row):
                self._note_gap(row)

    def _sifted(self, rows: Sequence[Entry]) -> Iterator[Entry]:
        """All rows but those about gaps, which are remembered."""
        for row in rows:
            if isinstance(row, Row) and row.table == "gaps":
                self._note_gap(row)
                continue
            if isinstance(row, Quote | Book | Funding):
                self._note_event(row)
            yield row

    def _note_gap(self, row: Row) -> None:
        channel = row.symbols["channel"]
        place = next((each, row.symbols["symbol"]) for each in PERPETUALS if each == channel)
        if place[0] == "trades":
            if not self.cast.dense_ids and row.symbols["status"] == "lost":
                self._lost_trades.setdefault(place[1], []).append(row)
            return
        if row.symbols["status"] == "lost":
            self.outages.append(row)
        else:
            self._broken.add(place)

    def _note_event(self, event: Quote | Book | Funding) -> None:
        place = (CHANNEL_OF[type(event)], event.symbol)
        stretches = self.stretches.setdefault(place, [])
        if place in self._broken or not stretches:
            stretches.append((event.ts_ns, event.ts_ns))
            self._broken.discard(place)
        first, last = stretches[-1]
        stretches[-1] = (first, max(last, event.ts_ns))


def gap_times(row: Row) -> tuple[int, int]:
    """When a closed gap starts and ends (UTC ns)."""
    return as_int(row.columns["started_at"]), as_int(row.columns["ended_at"])


def channel_of(record: Record) -> Channel | None:
    """The channel of a record; None for one that this version does not know."""
    return next((each for each in PERPETUALS if each == record.channel), None)


def trades_by_symbol(entries: Sequence[Entry]) -> dict[str, list[Trade]]:
    """The trades among these by symbol, each id once, in order of id."""
    found: dict[str, dict[int, Trade]] = {}
    for entry in entries:
        if isinstance(entry, TradeRun):
            found.setdefault(entry.symbol, {}).update({trade.seq: trade for trade in entry.trades()})
        elif isinstance(entry, Trade):
            found.setdefault(entry.symbol, {}).setdefault(entry.seq, entry)
    return {symbol: [trades[seq] for seq in sorted(trades)] for symbol, trades in found.items()}
