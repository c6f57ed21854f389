"""A market told through a line that drops, repeats, delays, replays and spoils frames, and an account of every one.

A seed is a schedule: the same seed makes the same market and the same faults. At the end REST heals what it can; in
some schedules it no longer has everything.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import msgspec

from ares.model.market import Book, Trade
from ares.model.row import Storable
from ingest.feed import Channel
from ingest.intake import TradeIntake
from ingest.timed import TimedIntake
from tests.conformance.bench import T0, Bench, apart, bench_of, trades_in, unhealed
from tests.conformance.market import Depth
from tests.conformance.specimen import Payload, Specimen

STEPS = 40
Fault = Literal["drop", "repeat", "late", "replay", "garbage", "spoil", "hang_up"]
FAULT_SHARE = 0.4
GARBAGE = b'{"what":"is this"}'
SPOILED_AMOUNT = "77"
Told = tuple[Trade | Depth, Payload]
"""What happened, and its frame."""


@dataclass
class Schedule:
    """One line, what goes wrong on it, and what of all that must be found in the rows."""

    bench: Bench
    rng: random.Random
    delivered: set[tuple[str, str]] = field(default_factory=set)
    garbage: int = 0
    depth_of: dict[int, Depth] = field(default_factory=dict)
    late: list[Told] = field(default_factory=list)
    sent: list[Told] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)

    def deliver(self, told: Told) -> None:
        """Let a frame arrive."""
        what, payload = told
        bench = self.bench
        if isinstance(what, Trade):
            self.delivered.add((what.symbol, what.trade_id))
            bench.hear("trades", [payload])
            return
        known, breaks = len(bench.feed.resynced), bench.breaks
        received_ns = bench.received_ns + 1 if isinstance(payload, bytes) else payload.received_at_ns
        self.depth_of[received_ns] = what
        bench.hear("books", [payload])
        self.wanted += bench.feed.resynced[known:]
        if bench.breaks > breaks:  # a line whose frames are counted ended with this one
            self.begin_anew()
        self.check_books()

    def begin(self, symbol: str) -> None:
        """The snapshot of a book, as it is now."""
        depth = self.bench.market.snapshot(symbol)
        self.deliver((depth, self.bench.payload(depth)))

    def begin_anew(self) -> None:
        """A new line of books: nothing late comes any more, and it begins with snapshots."""
        self.late = [told for told in self.late if isinstance(told[0], Trade)]
        self.sent = [told for told in self.sent if isinstance(told[0], Trade)]
        self.wanted.clear()
        for symbol in self.bench.specimen.symbols:
            self.begin(symbol)

    def step(self) -> None:
        """The market moves, its frame meets a fault or none, and what was late or wanted may come."""
        bench, rng = self.bench, self.rng
        symbol = rng.choice(bench.specimen.symbols)
        if rng.random() < 0.5:
            trade = bench.market.print_trade(symbol)
            told: Told = (trade, bench.speakers["trades"].trade(trade, bench.market.venue_symbols[symbol]))
        else:
            depth = bench.market.move_book(symbol)
            told = (depth, bench.payload(depth))
        self.sent.append(told)
        if rng.random() < FAULT_SHARE:
            self.meet(rng.choice(get_args(Fault)), told)
        else:
            self.deliver(told)
        if self.late and rng.random() < 0.4:
            self.deliver(self.late.pop(rng.randrange(len(self.late))))
        if self.wanted and rng.random() < 0.5:
            self.begin(self.wanted.pop())
        self.check_ids()

    def meet(self, fault: Fault, told: Told) -> None:
        """What becomes of a frame on the line."""
        what = told[0]
        channel: Channel = "trades" if isinstance(what, Trade) else "books"
        if fault == "late":
            self.late.append(told)
        elif fault == "hang_up":
            self.hang_up()
        elif fault == "garbage":
            self.garbage += 1
            self.bench.hear(channel, [GARBAGE])
        elif fault == "spoil" and isinstance(what, Depth) and has_checksum(self.bench):
            self.deliver((what, self.bench.payload(spoiled(what))))
        elif fault in ("repeat", "replay"):
            self.deliver(told)
            self.deliver(told if fault == "repeat" or not self.sent else self.rng.choice(self.sent))

    def hang_up(self) -> None:
        """Both lines are lost with what was on them."""
        self.late.clear()
        for channel in ("trades", "books"):
            self.bench.hang_up(channel, "disconnect")
        self.begin_anew()

    def check_books(self) -> None:
        """A book is the venue's after the frame that it names, or there is none and a gap says so."""
        for symbol, book in self.bench.room.books.items():
            if book.newest is not None:
                depth = self.depth_of[book.newest.received_at_ns]
                assert (book.bids.amounts, book.asks.amounts) == self.bench.market.states[symbol, depth.last_id]
            elif any(isinstance(row, Book) and row.symbol == symbol for row in self.bench.rows):
                assert len(open_gaps(self.bench, symbol)) == 1

    def check_ids(self) -> None:
        """Stored and in gaps that are not healed: every id from the first stored to the last, where ids tell."""
        for symbol, intake in self.bench.desk.intakes.items():
            if isinstance(intake, TradeIntake) and intake.first is not None and intake.last is not None:
                known = {trade.seq for trade in trades_in(self.bench.rows, symbol)}
                known |= missing_ids(unhealed(self.bench.rows, "trades", symbol), intake.last)
                assert set(range(intake.first, intake.last + 1)) <= known

    def finish(self) -> None:
        """REST fills what is missing, books begin anew, and the account is closed."""
        bench = self.bench
        self.begin_anew()
        for symbol, intake in bench.desk.intakes.items():
            told = bench.market.trades[symbol]
            assert isinstance(intake, TradeIntake | TimedIntake)
            forgets = isinstance(intake, TradeIntake) and self.rng.random() < 0.2  # a page of the newest has no holes
            forgotten = self.rng.sample(told, len(told) // 4) if forgets else []
            listed = [msgspec.structs.replace(trade, source="rest") for trade in told if trade not in forgotten]
            bench.rows += bench.desk.interrupted("trades", "disconnect")
            bench.rows += healed(intake, listed)
            check_trades(self, symbol, intake)
            assert bench.book_is_true(symbol)
            assert open_gaps(bench, symbol) == []
        quarantined = [row for row in bench.rows if row.table == "quarantine"]
        assert len(quarantined) == self.garbage
        assert all(row.bids[0][0] < row.asks[0][0] for row in bench.rows if isinstance(row, Book))


def has_checksum(bench: Bench) -> bool:
    return bench.specimen.dialect.book_rules.checksum is not None


def open_gaps(bench: Bench, symbol: str) -> list[Storable]:
    """Outages of a book that go on; those that ended are lost, for nobody can fetch what they missed."""
    return [gap for gap in unhealed(bench.rows, "books", symbol) if gap.symbols["status"] == "open"]


def spoiled(depth: Depth) -> Depth:
    """A change with an amount that is not the venue's, under the venue's own checksum."""
    if depth.bids:
        return replace(depth, bids=((depth.bids[0][0], SPOILED_AMOUNT), *depth.bids[1:]))
    return replace(depth, asks=((depth.asks[0][0], SPOILED_AMOUNT), *depth.asks[1:]))


def missing_ids(gaps: Sequence[Storable], last: int) -> set[int]:
    """The ids in gaps; one without an end reaches to `last`."""
    found: set[int] = set()
    for gap in gaps:
        first, end = gap.columns["first_seq"], gap.columns["last_seq"]
        assert isinstance(first, int)
        found |= set(range(first, (end if isinstance(end, int) else last) + 1))
    return found


def healed(intake: TradeIntake | TimedIntake, listed: Sequence[Trade]) -> list[Storable]:
    """What the service writes once REST listed this: by id, or by the page of the newest trades."""
    rows: list[Storable] = []
    if isinstance(intake, TimedIntake):
        rows += intake.fill(listed, intake.looking(settled=True), T0)
        rows += intake.suspect(listed, T0)  # what the stream left out shows once no break is being filled
        return [*rows, *intake.fill(listed, intake.looking(settled=True), T0)]
    rows += intake.caught_up(listed[-1] if listed else None, T0)
    rows += apart(intake.take(listed))
    rows += intake.settle(T0)
    for gap in list(intake.gaps):
        rows += intake.give_up(gap, T0)
    return rows


def check_trades(schedule: Schedule, symbol: str, intake: TradeIntake | TimedIntake) -> None:
    """Each trade is stored once, or lies in a gap that says it is lost; what REST brought was in a gap before."""
    rows = schedule.bench.rows
    stored = trades_in(rows, symbol)
    ids = [trade.trade_id for trade in stored]
    assert len(ids) == len(set(ids)), "stored twice"
    by_stream = {trade.trade_id for trade in stored if trade.source == "stream"}
    assert by_stream <= {trade_id for of, trade_id in schedule.delivered if of == symbol}
    begun = intake.first is not None
    issued = [t for t in schedule.bench.market.trades[symbol] if begun and t.ts_ns >= intake.first_ts_ns]
    lost = [trade for trade in issued if trade.trade_id not in ids]
    assert set(ids) <= {trade.trade_id for trade in issued}
    gaps = unhealed(rows, "trades", symbol)
    assert all(gap.symbols["status"] == "lost" for gap in gaps)
    if isinstance(intake, TradeIntake):
        assert missing_ids(gaps, 0) == {trade.seq for trade in lost if trade.seq <= (intake.last or 0)}
    else:
        assert not lost
    for trade in stored:
        if trade.source == "rest":
            assert any(lies_in(trade, row) for row in rows[: rows.index(trade)] if row.table == "gaps"), (
                "no gap said so"
            )


def lies_in(trade: Trade, gap: Storable) -> bool:
    """Whether a gap, as of this revision, holds a trade."""
    if (gap.symbols["channel"], gap.symbols["symbol"]) != ("trades", trade.symbol):
        return False
    first, last = gap.columns["first_seq"], gap.columns["last_seq"]
    if isinstance(first, int):
        return first <= trade.seq <= (last if isinstance(last, int) else trade.seq)
    start, end = gap.columns["started_at"], gap.columns["ended_at"]
    assert isinstance(start, int)
    return start <= trade.ts_ns <= (end if isinstance(end, int) else trade.ts_ns)


async def play(specimen: Specimen, seed: int) -> None:
    """One schedule, from the first frame until everything is whole again. Raises `AssertionError` with the seed."""
    schedule = Schedule(await bench_of(specimen, seed), random.Random(seed + 1))
    try:
        for symbol in specimen.symbols:
            schedule.begin(symbol)
        for _ in range(STEPS):
            schedule.step()
        schedule.finish()
    except AssertionError as error:
        raise AssertionError(f"{specimen.name}, schedule {seed}: {error}") from error
