"""The same trade by whichever way it comes: one row, but for `received_at` and `source`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.model.market import Trade, TradeRun
from ingest.capture.records import Answer, Record, json_of, line_of, record_of
from ingest.contracts import InBase, sizes_of
from ingest.feed import Frame
from ingest.imports.columns import Block
from ingest.imports.judging import Target, TradeColumns, judged_trades
from ingest.imports.layouts import LAYOUTS
from ingest.replay.player import Cast, Player
from ingest.venues.rest import Asked
from ingest.venues.rest_history import page_of
from tests.conformance.bench import LIMITS, T0, Bench, apart, bench_of
from tests.conformance.case import Case
from tests.conformance.specimen import Specimen

TRADES = 40
LATER_NS = 2_000_000_000 * 10**9


def bare(trades: Sequence[object]) -> list[Trade]:
    """Rows without what the way decides."""
    found = [trade for trade in trades if isinstance(trade, Trade)]
    assert len(found) == len(trades), trades
    return [msgspec.structs.replace(trade, received_at_ns=0, source="stream") for trade in found]


def by_stream(bench: Bench, frames: Sequence[bytes]) -> list[Trade]:
    """What the live line makes of them."""
    return bare([event for frame in frames for event in bench.feed.decode(Frame("trades", frame, T0))])


def by_rest(specimen: Specimen, answer: object, symbol: str) -> list[Trade]:
    """What healing makes of an answer."""
    page = page_of(specimen.words, answer, Asked(specimen.name, symbol, specimen.venue_symbols[symbol], T0 + 7))
    assert not page.rejected
    assert {(trade.source, trade.received_at_ns) for trade in page.trades} == {("rest", T0 + 7)}
    in_base = InBase(sizes_of(specimen.instruments()))
    return bare([in_base.trade(trade) for trade in page.trades])


def by_replay(specimen: Specimen, records: Sequence[Record]) -> list[Trade]:
    """What a replay makes of a capture, from its lines on disk."""
    sizes = sizes_of(specimen.instruments())
    names = specimen.names.by_venue_symbol
    player = Player(
        Cast(specimen.name, specimen.dialect, specimen.words, names, LIMITS, 20, 0.1, sizes, specimen.dense_ids)
    )
    played = player.play([record_of(line_of(record).removesuffix(b"\n")) for record in records])
    return bare([*apart(played), *apart(player.end())])


def by_import(specimen: Specimen, trades: Sequence[Trade], symbol: str) -> list[Trade]:
    """What an import makes of another's file."""
    assert specimen.file is not None
    layout, columns = specimen.file(trades)
    block = Block(1, columns, {})
    read = LAYOUTS[layout].read(block)
    assert isinstance(read, TradeColumns)
    run, refused = judged_trades(block, read, Target(specimen.name, symbol, T0 + 9, LATER_NS))
    assert isinstance(run, TradeRun)
    assert not refused
    return bare(run.trades())


async def traded(specimen: Specimen) -> tuple[Bench, str, list[Trade], list[bytes]]:
    """Trades of one symbol, and their frames; another symbol trades between them."""
    bench = await bench_of(specimen)
    symbol, other = specimen.symbols[:2]
    frames: list[bytes] = []
    for _ in range(TRADES):
        frames.append(bench.trade(symbol))
        bench.trade(other)
    return bench, symbol, by_stream(bench, frames), frames


async def rest_tells_the_same_row(specimen: Specimen) -> None:
    """V06."""
    bench, symbol, expected, _ = await traded(specimen)
    answer = bench.speakers["trades"].listed(bench.market.trades[symbol], specimen.venue_symbols[symbol])
    assert expected == bare(bench.market.trades[symbol])
    assert by_rest(specimen, answer, symbol) == expected
    assert {pair.trade.side for pair in specimen.pairs} == {"buy", "sell"}, "a documented pair of each side is needed"
    for pair in specimen.pairs:
        expected = bare([pair.trade])
        assert [t for t in by_stream(bench, [pair.stream]) if t.trade_id == pair.trade.trade_id] == expected, pair.why
        assert by_rest(specimen, pair.answer, pair.trade.symbol) == expected, pair.why


async def replay_makes_the_same_row(specimen: Specimen) -> None:
    """V07. Frames of the line, and answers that healed it."""
    bench, symbol, expected, frames = await traded(specimen)
    name = specimen.venue_symbols[symbol]
    captured = [Record(LATER_NS + at, "trades", 1, "recv", frame) for at, frame in enumerate(frames)]
    listed = bench.speakers["trades"].listed(bench.market.trades[symbol], name)
    said = json_of(Answer("trades", symbol, name, "endpoint", {}, listed))
    assert by_replay(specimen, captured) == expected
    assert by_replay(specimen, [Record(LATER_NS, "trades", 1, "answer", said)]) == expected


async def import_makes_the_same_row(specimen: Specimen) -> None:
    """V08."""
    bench, symbol, expected, _ = await traded(specimen)
    assert by_import(specimen, bench.market.trades[symbol], symbol) == expected
    for pair in specimen.pairs:
        assert by_import(specimen, [pair.trade], pair.trade.symbol) == bare([pair.trade]), pair.why


CASES = (
    Case("V06", "a trade over REST is the row that the stream made, side and time included", rest_tells_the_same_row),
    Case("V07", "a trade that is replayed from a capture is that row", replay_makes_the_same_row),
    Case("V08", "a trade that is imported from a file is that row", import_makes_the_same_row,
         lambda specimen: specimen.file is not None),
)  # fmt: skip
