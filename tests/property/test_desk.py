"""A batch of frames taken in at once ends in the same rows and the same knowledge as frame by frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND
from ares.model.market import Entry, Quote, Trade, TradeRun
from ares.model.row import Storable
from ares.testing.clock import SteppedClock
from ingest.desk import Desk
from ingest.feed import Channel, Frame
from ingest.gaps import Gap
from ingest.validation import Limits
from tests.helpers import run_of
from tests.unit.ingest.test_collecting import Script

T0 = 1_700_000_000 * NANOS_PER_SECOND
SYMBOLS = ("BTC/USDT", "ETH/USDT")
STEPS = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 2, 5, 0, -1])
PRICES = st.sampled_from([100.0] * 12 + [101.0, 950.0, 0.0, float("nan"), float("inf"), -1.0])
AHEAD_MS = st.sampled_from([0] * 12 + [-5, 10_000, 61_000])


@st.composite
def batches_of(draw: st.DrawFn, one: Callable[[st.DrawFn, dict[str, int]], Frame]) -> list[list[Frame]]:
    """Batches of frames of two symbols, mostly in order of their ids."""
    ids = dict.fromkeys(SYMBOLS, 10)
    return [[one(draw, ids) for _ in range(draw(st.integers(1, 6)))] for _ in range(draw(st.integers(1, 5)))]


def draw_trade(draw: st.DrawFn, seqs: dict[str, int]) -> Frame:
    symbol = draw(st.sampled_from(SYMBOLS))
    seqs[symbol] += draw(STEPS)
    seq, ts_ns = seqs[symbol], T0 + seqs[symbol] * NANOS_PER_MILLI + draw(AHEAD_MS) * NANOS_PER_MILLI
    trade = Trade("sim", symbol, str(seq), seq, "buy", draw(PRICES), 1.0, ts_ns, T0 + seq * 1_000, "stream")
    return Frame("trades", trade, trade.received_at_ns)


def draw_quote(draw: st.DrawFn, ids: dict[str, int]) -> Frame:
    symbol = draw(st.sampled_from(SYMBOLS))
    ids[symbol] += draw(STEPS)
    ts_ns, source = (
        T0 + ids[symbol] * 1_000 + draw(AHEAD_MS) * NANOS_PER_MILLI,
        draw(st.sampled_from(["venue", "receipt"])),
    )
    bid, ask = draw(PRICES), draw(st.sampled_from([102.0] * 8 + [100.0, float("nan")]))
    quote = Quote("sim", symbol, ids[symbol], bid, 1.0, ask, 2.0, ts_ns, T0 + ids[symbol] * 1_000, source)
    return Frame("quotes", quote, quote.received_at_ns)


class Columns(Script):
    """A script whose trades can be had in columns."""

    def runs(self, frames: Sequence[Frame]) -> list[TradeRun]:
        found: dict[str, list[Trade]] = {}
        for frame in frames:
            assert isinstance(frame.payload, Trade)
            found.setdefault(frame.payload.symbol, []).append(frame.payload)
        return [run_of(trades) for trades in found.values()]


def apart(entries: Sequence[Entry]) -> list[Storable]:
    """The rows of all entries."""
    return [row for each in entries for row in (each.trades() if isinstance(each, TradeRun) else [each])]


class OneByOne(Desk):
    """Never takes a batch at once."""

    def _rows_at_once(self, feed: object, frames: Sequence[Frame]) -> None:
        return None


def desk(kind: type[Desk], channel: Channel) -> Desk:
    made = kind("sim", SYMBOLS, Limits(60.0, 10.0), SteppedClock(T0))
    for symbol in SYMBOLS:
        if channel == "trades":
            made.intakes[symbol].start_after(10, T0)
        else:
            made.outages["quotes"].seen(symbol, T0, T0)
    return made


def knowledge(one: Desk) -> list[object]:
    """What a desk knows, comparable."""
    known: list[object] = [one.ledger.venue_time.current_ns, one.ledger.venue_time.heard_at_ns]
    known.append(one.validator.jumps_in_a_row)
    for symbol in SYMBOLS:
        intake, account = one.intakes[symbol], one.ledger.accounts[symbol]
        waits = account.outstanding  # of a run as of its trades: from when on, and up to which
        known += [min(waits.values(), default=0), *list(waits)[-1:], replace(account, outstanding=OrderedDict())]
        known += [intake.first, intake.last, intake.last_ts_ns, intake.missing.spans(), intake.tail, intake.gaps]
        known += [repr(one.validator.last_prices.get(symbol)), list(one.recent.get(("quotes", symbol), ()))]
        known.append(one.outages["quotes"]._last_ts_ns.get(symbol))
    return known


def texts(rows: Sequence[Entry]) -> list[str]:
    """Rows of every symbol in their order; symbols may stand in any."""
    by_symbol = sorted(apart(rows), key=lambda row: row.symbols.get("symbol", ""))
    return [repr((row.table, row.ts_ns, dict(row.symbols), dict(row.columns))) for row in by_symbol]


@given(batches=batches_of(draw_trade) | batches_of(draw_quote))
def test_batch_at_once_is_the_same_as_frame_by_frame(batches: list[list[Frame]]) -> None:
    feed, channel = Columns(), batches[0][0].channel
    whole, single = desk(Desk, channel), desk(OneByOne, channel)
    for batch in batches:
        assert texts(whole.rows_of(feed, batch)) == texts(single.rows_of(feed, batch))
    assert knowledge(whole) == knowledge(single)


def test_ordinary_batch_is_taken_at_once() -> None:
    """Else the other test would prove nothing."""
    one = desk(Desk, "trades")
    trades = [Trade("sim", s, str(n), n, "buy", 100.0, 1.0, T0 + n, T0, "stream") for n in (11, 12) for s in SYMBOLS]
    frames = [Frame("trades", trade, T0) for trade in trades]
    assert one._rows_at_once(Columns(), frames) is not None
    assert one._rows_at_once(Columns(), frames) is None, "they are duplicates now"


def test_gap_that_is_open_makes_a_batch_extraordinary() -> None:
    one = desk(Desk, "trades")
    one.intakes["BTC/USDT"].tail = Gap.opened(one.intakes["BTC/USDT"].where, "disconnect", T0, T0, 11)
    frame = Frame("trades", Trade("sim", "BTC/USDT", "11", 11, "buy", 100.0, 1.0, T0, T0, "stream"), T0)
    assert one._rows_at_once(Columns(), [frame]) is None
    assert [row.table for row in one.rows_of(Columns(), [frame])] == ["gaps", "trades"]
