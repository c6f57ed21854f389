"""What imports decide, against the simplest model of it: sets of ids, and one row at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Trade, TradeRun
from ares.model.row import Row
from ingest.archive import archived, kept_from_ns
from ingest.gaps import Gap, Where
from ingest.imports import binance_aggtrades
from ingest.imports.columns import Block
from ingest.imports.judging import Target, judged_trades
from ingest.imports.segments import Hole, Segment, Segments, Truth, Words, corrected
from ingest.intake import ids_of
from ingest.ranges import IdRanges
from tests.helpers import run_of

WHERE = Where("v", "BTC/USDT", "trades")
TARGET = Target("v", "BTC/USDT", 1_800_000_000_000_000_000, 1_800_000_000_000_000_000)
IDS = st.sets(st.integers(1, 40), max_size=40)
SPAN = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (min(pair), max(pair)))


def lost(span: tuple[int, int], status: str) -> Gap:
    gap = Gap.opened(WHERE, "import", 1, span[0], span[0]).bounded(span[1], span[1])
    return gap.closed("lost", "", span[1], None) if status == "lost" else gap


def ids_in(spans: list[tuple[int, int]]) -> set[int]:
    return {seq for first, last in spans for seq in range(first, last + 1)}


def unhealed(gaps: list[Gap], rows: list[Row]) -> Mapping[str, tuple[str, set[int]]]:
    """Status and ids of every gap that is not healed, after the rows."""
    state = {gap.gap_id: (gap.status, ids_in([ids_of(gap)])) for gap in gaps}
    for row in rows:
        gap_id, first, last = (row.columns[name] for name in ("gap_id", "first_seq", "last_seq"))
        assert isinstance(first, int)
        assert isinstance(last, int)
        if row.symbols["status"] == "healed":
            del state[str(gap_id)]
        else:
            state[str(gap_id)] = ("lost", ids_in([(first, last)]))
    return state


@given(stored=IDS, looked=SPAN, spans=st.dictionaries(SPAN, st.sampled_from(["open", "lost"]), max_size=4))
def test_gaps_say_afterwards_exactly_what_is_missing(
    stored: set[int], looked: tuple[int, int], spans: dict[tuple[int, int], str]
) -> None:
    gaps = [lost(span, status) for span, status in spans.items()]
    gaps = list({gap.gap_id: gap for gap in gaps}.values())
    missing = IdRanges([looked])
    for seq in stored:
        missing.remove(seq, seq)
    holes = [Hole(first, last, first, last) for first, last in missing.spans()]
    rows = corrected(WHERE, gaps, Truth([looked], holes), 2, Words())
    after = unhealed(gaps, rows)
    seen = ids_in([looked])
    told = set().union(*(ids for _, ids in after.values()))
    told_lost = set().union(*(ids for status, ids in after.values() if status == "lost"))
    before = set().union(*(ids_in([ids_of(gap)]) for gap in gaps))
    assert seen - stored <= told, "no hole stays unsaid"
    assert not told_lost & seen & stored, "what is stored is not lost"
    assert told - seen == before - seen, "nothing is said of ids that nobody looked at"
    again = corrected(WHERE, [*standing(gaps, rows)], Truth([looked], holes), 3, Words())
    assert again == [], "the second time there is nothing to say"


def standing(gaps: list[Gap], rows: list[Row]) -> list[Gap]:
    """The gaps that are not healed, after the rows."""
    after = unhealed(gaps, rows)
    known = {gap.gap_id: gap for gap in gaps}
    return [known.get(name) or lost((min(ids), max(ids)), status) for name, (status, ids) in after.items()]


@given(pieces=st.lists(SPAN, max_size=12))
def test_pieces_are_the_ids_that_were_taken_in(pieces: list[tuple[int, int]]) -> None:
    segments = Segments()
    for first, last in pieces:
        segments.add(Segment(first, last, first * 10, last * 10))
    assert [(piece.first, piece.last) for piece in segments.pieces] == IdRanges(pieces).spans()
    assert all((p.first_ts_ns, p.last_ts_ns) == (p.first * 10, p.last * 10) for p in segments.pieces)


@given(ids=st.sets(st.integers(1, 60), min_size=1))
def test_run_is_taken_in_as_its_pieces(ids: set[int]) -> None:
    segments = Segments()
    segments.add_run(run_of([trade(seq, seq * 10) for seq in sorted(ids)]))
    assert ids_in([(piece.first, piece.last) for piece in segments.pieces]) == ids


def test_ids_that_do_not_count_trades_one_by_one_are_not_judged() -> None:
    segments = Segments()
    segments.add_run(run_of([trade(seq * 3, seq) for seq in range(1, 2_000)]))
    assert segments.scattered
    assert segments.pieces == []


def trade(seq: int, ts_ns: int) -> Trade:
    return Trade("v", "BTC/USDT", str(seq), seq, "buy", 1.5, 0.25, ts_ns, 9, "import")


@given(times=st.lists(st.integers(1, 100), min_size=1, max_size=20), before_ns=st.integers(0, 101), whole=st.booleans())
def test_every_trade_goes_to_the_table_of_its_age_and_stays_what_it_is(
    times: list[int], before_ns: int, whole: bool
) -> None:
    trades = [trade(seq, ts_ns) for seq, ts_ns in enumerate(times)]
    other = Row("quarantine", 1)
    routed = archived([run_of(trades), other] if whole else [*trades, other], before_ns)
    assert routed[-1] is other
    single = [each for entry in routed[:-1] for each in (entry.trades() if isinstance(entry, TradeRun) else [entry])]
    assert sorted((each.columns["seq"], each.table) for each in single) == [
        (seq, "trades_archive" if ts_ns < before_ns else "trades") for seq, ts_ns in enumerate(times)
    ]
    assert all(dict(each.columns) == dict(trades[int(str(each.columns["seq"]))].columns) for each in single)


def test_retention_of_zero_keeps_everything() -> None:
    assert kept_from_ns(10**18, 0) == 0
    assert kept_from_ns(10**18, 1) == 10**18 - 86_400 * 10**9


CELL = st.one_of(
    st.text(max_size=8),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.sampled_from(["True", "false", "1704067200000", "1704067200000123", "1.5", "", "NaN", "1e999", "7.0"]),
)


@given(rows=st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL), min_size=1, max_size=8))
def test_whatever_a_file_holds_each_row_is_a_sound_trade_or_refused(rows: list[tuple[str, ...]]) -> None:
    columns = {
        name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(binance_aggtrades.NEEDED)
    }
    block = Block(1, columns, {})
    run, refused = judged_trades(block, binance_aggtrades.read(block), TARGET)
    assert len(run) == len(set(run.seqs))
    assert len(run) <= len(rows) - len(refused)
    assert len(run) > 0 or len(refused) == len(rows)
    assert run.seqs == sorted(run.seqs)
    assert all(math.isfinite(p) and p > 0 for p in [*run.prices, *run.amounts])
    assert all(0 < ts <= TARGET.latest_ns and ts % NANOS_PER_MILLI == 0 for ts in run.times_ns)
    assert all(each.field in {"trade_id", "ts", "side", "price", "amount"} for each in refused)


@given(price=st.floats(1e-8, 1e8), amount=st.floats(1e-8, 1e8), seq=st.integers(0, 2**62))
def test_numbers_are_read_as_the_stream_reads_them(price: float, amount: float, seq: int) -> None:
    row = (str(seq), f"{price:.8f}", f"{amount:.8f}", "1704067200000", "true")
    columns = {name: pa.array([cell]) for name, cell in zip(binance_aggtrades.NEEDED, row, strict=True)}
    block = Block(1, columns, {})
    run, refused = judged_trades(block, binance_aggtrades.read(block), TARGET)
    if not refused:
        assert (run.seqs, run.prices, run.amounts) == ([seq], [float(row[1])], [float(row[2])])
        assert run.sides == ["sell"]
    else:
        assert float(row[1]) == 0 or float(row[2]) == 0
