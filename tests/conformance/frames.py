"""What a venue's frames say: cases of decoding and of rows."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ares.model.market import Quote, Trade
from ares.testing.clock import SteppedClock
from ingest.desk import Desk
from ingest.feed import Channel, MarketEvent
from ingest.venues.wire import Names
from tests.conformance.bench import LIMITS, T0, Bench, OfflineFeed, bench_of, room_of, trades_in
from tests.conformance.case import Case
from tests.conformance.mutation import Mill, Outcome, mutated
from tests.conformance.specimen import Payload, Specimen

BURST, BURSTS = 60, 200
LATER_NS = 2_000_000_000 * NANOS_PER_SECOND
"""After every recording: else its frames would be of the future."""
FRAME_BYTES_MAX = 20_000
"""Of a frame that is mutated: snapshots of whole books are few, and take long."""
MUTATIONS = max(2_000, int(os.environ.get("ARES_TEST_EXAMPLES", "0")))
DESK_FRAMES = 500
"""So many mutated frames go into a desk before a new one takes over."""


def every_frame_is_understood(specimen: Specimen) -> None:
    """V01."""
    assert {sample.channel for sample in specimen.samples} == set(specimen.channels), "a sample of each channel"
    for sample in specimen.samples:
        events = answers = 0
        for frame in sample.frames:
            if isinstance(frame, bytes) and specimen.dialect.answer_of(frame) is not None:
                answers += 1
            else:
                events += len(said(specimen, sample.channel, frame, sample.names))
        assert not sample.frames or (events, answers) == (sample.events, sample.answers), sample.origin


def said(
    specimen: Specimen, channel: Channel, payload: Payload, names: Names, at_ns: int = T0
) -> Sequence[MarketEvent]:
    """What a frame says."""
    return (payload,) if not isinstance(payload, bytes) else specimen.dialect.decode(channel, payload, names, at_ns)


async def columns_are_the_trades(specimen: Specimen) -> None:
    """V02. Of frames among which some are spoiled too; None, which leaves each to say what it is, is always right."""
    bench, rng = await bench_of(specimen), random.Random(2)
    made = [bench.trade(rng.choice(specimen.symbols)) for _ in range(BURST)]
    bursts: list[tuple[Sequence[bytes], Names]] = [(made, specimen.names)]
    for sample in specimen.samples:
        if sample.channel == "trades":
            frames = [frame for frame in sample.frames if isinstance(frame, bytes)]
            bursts.append(([frame for frame in frames if specimen.dialect.answer_of(frame) is None], sample.names))
    for _ in range(BURSTS):
        some = [rng.choice(made) for _ in range(rng.randint(1, 12))]
        bursts.append(([mutated(frame, made, rng) if rng.random() < 0.1 else frame for frame in some], specimen.names))
    in_columns = [are_the_trades(specimen, frames, names) for frames, names in bursts]
    assert any(in_columns[-BURSTS:]) == in_columns[0], "a venue whose trades no column holds says None, always"


def are_the_trades(specimen: Specimen, frames: Sequence[bytes], names: Names) -> bool:
    """Whether frames can be had in columns, which then say what each of them says."""
    receipts = [T0 + place for place in range(len(frames))]
    runs = specimen.dialect.runs(frames, names, receipts)
    one_by_one: list[MarketEvent] = []
    try:
        for frame, at_ns in zip(frames, receipts, strict=True):
            one_by_one += specimen.dialect.decode("trades", frame, names, at_ns)
    except MalformedFrame:
        assert not runs
        return False
    for run in runs or ():
        assert repr(run.trades()) == repr([trade for trade in one_by_one if trade.symbol == run.symbol])
    assert runs is None or sum(map(len, runs)) == len(one_by_one)
    return bool(runs)


async def mutated_frames_are_refused_or_sound(specimen: Specimen) -> None:
    """V03."""
    bench = await bench_of(specimen)
    frames = seeds_of(specimen, bench)
    every = [frame for some in frames.values() for frame in some]
    names = {theirs: ours for sample in specimen.samples for theirs, ours in sample.names.by_venue_symbol.items()}
    known = replace(specimen, names=Names(specimen.name, {**names, **specimen.names.by_venue_symbol}))
    rng, outcome = random.Random(3), Outcome()
    for begun in range(0, MUTATIONS, DESK_FRAMES):
        mill = await mill_of(known, outcome)
        for _ in range(min(DESK_FRAMES, MUTATIONS - begun)):
            channel = rng.choice(list(frames))
            mill.grind(channel, mutated(rng.choice(frames[channel]), every, rng))
    assert outcome.counted == MUTATIONS
    assert outcome.quarantined >= outcome.refused - outcome.answered
    assert outcome.understood > MUTATIONS // 20, "else nothing was proved of sound rows"
    assert outcome.refused > MUTATIONS // 10, "else nothing was proved of refusals"


async def mill_of(specimen: Specimen, outcome: Outcome) -> Mill:
    """A desk that nothing has come to."""
    clock = SteppedClock(LATER_NS)
    feed = OfflineFeed(specimen, clock)
    await feed.open()
    desk = Desk(specimen.name, specimen.symbols, LIMITS, clock, room_of(specimen), dense_ids=specimen.dense_ids)
    return Mill(specimen.dialect, specimen.names, feed, desk, outcome)


def seeds_of(specimen: Specimen, bench: Bench) -> dict[Channel, list[bytes]]:
    """Sound frames of every channel: real ones, or where there are none the venue's documented ones and ours."""
    frames: dict[Channel, list[bytes]] = {channel: [] for channel in specimen.channels}
    samples = sorted(specimen.samples, key=lambda sample: not sample.recorded)
    for sample in samples:
        some = [frame for frame in sample.frames if isinstance(frame, bytes) and len(frame) < FRAME_BYTES_MAX]
        if sample.recorded or len(frames[sample.channel]) < BURST:
            frames[sample.channel] += some
    symbol = specimen.symbols[0]
    makers: list[tuple[Channel, Callable[[str], Payload]]]
    makers = [("trades", bench.trade), ("quotes", bench.quote), ("books", bench.move)]
    for channel, make in makers:
        if len(frames[channel]) < BURST:
            made = [make(symbol) for _ in range(BURST)]
            frames[channel] += [frame for frame in made if isinstance(frame, bytes)]
    return frames


async def stream_is_stored_as_it_was(specimen: Specimen) -> None:
    """V04. No gap, nothing in quarantine."""
    bench = await bench_of(specimen)
    tops: dict[str, list[tuple[float, ...]]] = {symbol: [] for symbol in specimen.symbols}
    if specimen.quotes_of_books:
        bench.begin_books("quotes")
    for _ in range(BURST):
        symbol = bench.market.rng.choice(specimen.symbols)
        bench.hear("trades", [bench.trade(symbol)])
        bench.hear("quotes", [bench.quote(symbol)])
        top = top_of(bench, symbol)
        if tops[symbol][-1:] != [top]:
            tops[symbol].append(top)
    for symbol in specimen.symbols:
        assert facts(trades_in(bench.rows, symbol)) == facts(bench.market.trades[symbol])
        quotes = [row for row in bench.rows if isinstance(row, Quote) and row.symbol == symbol]
        told = [(quote.bid, quote.bid_amount, quote.ask, quote.ask_amount) for quote in quotes]
        assert told[-len(tops[symbol]) :] == tops[symbol]
        assert len(told) - len(tops[symbol]) <= specimen.quotes_of_books, "one more for the snapshot"
        assert all(before.update_id < after.update_id for before, after in pairwise(quotes))
    assert not [row for row in bench.rows if row.table in ("gaps", "quarantine")]


def top_of(bench: Bench, symbol: str) -> tuple[float, ...]:
    """The market's best bid and ask now, with their amounts."""
    market = bench.market
    if market.quotes[symbol]:
        quote = market.quotes[symbol][-1]
        return quote.bid, quote.bid_amount, quote.ask, quote.ask_amount
    bids, asks = market.states[symbol, market.update_ids[symbol]]
    return max(bids), bids[max(bids)], min(asks), asks[min(asks)]


def facts(trades: Sequence[Trade]) -> list[tuple[object, ...]]:
    """What does not depend on the way."""
    return [(t.trade_id, t.seq, t.side, t.price, t.amount, t.ts_ns) for t in trades]


async def strangers_are_refused(specimen: Specimen) -> None:
    """V05."""
    bench = await bench_of(specimen)
    symbol = specimen.symbols[0]
    stranger = Names(specimen.name, {"NOBODY-ASKED": "NOBODY/ASKED"})
    frames: list[tuple[Channel, Payload]] = [
        ("trades", bench.trade(symbol)), ("quotes", bench.quote(symbol)), ("books", bench.move(symbol)),
    ]  # fmt: skip
    for channel, frame in frames:
        with pytest.raises(MalformedFrame) as refused:
            specimen.dialect.decode(channel, frame, stranger, T0)
        assert refused.value.field == "symbol"


CASES = (
    Case("V01", "every recorded or documented frame is understood or answers us, counted exactly",
         every_frame_is_understood),
    Case("V02", "trades of a burst in columns are the trades one by one", columns_are_the_trades),
    Case("V03", "mutated real frames are refused or give sound rows, and all are counted",
         mutated_frames_are_refused_or_sound),
    Case("V04", "what the stream says of a market is stored as it was", stream_is_stored_as_it_was),
    Case("V05", "a symbol that nobody asked for is refused", strangers_are_refused),
)  # fmt: skip
