"""Goal: whenever a second line takes over, all of both lines comes once and in order, however they are delayed."""

from __future__ import annotations

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.books import BookUpdate
from ingest.feed import Channel, Frame
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.handover import OVERLAP_S, OVERLAP_S_MAX, Handover
from ingest.venues.wire import Names

NAMES = Names("v", {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"})
DIALECT = BinanceDialect()
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def said(frame: Frame) -> list[object]:
    if isinstance(frame.payload, BookUpdate):
        return [frame.payload]
    return list(DIALECT.decode(frame.channel, frame.payload, NAMES, frame.received_at_ns))


def handover_of(channel: Channel) -> Handover:
    return Handover(channel, said, list(NAMES.by_venue_symbol.values()))  # type: ignore[arg-type]


def trade(name: str, seq: int) -> Frame:
    row = {"e": "aggTrade", "s": name, "a": seq, "p": "1", "q": "1", "T": 1_700_000_000_000 + seq, "m": True}
    return Frame("trades", orjson.dumps(row), seq)


def quote(seq: int) -> Frame:
    return Frame("quotes", orjson.dumps({"u": seq, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}), seq)


def diff(first: int, last: int) -> Frame:
    row = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": "BTCUSDT", "U": first, "u": last, "b": [], "a": []}
    return Frame("books", orjson.dumps(row), last)


@given(
    names=st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=60),
    subscribed=st.integers(0, 60),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40),
)
@example(names=["BTCUSDT"] * 2, subscribed=0, steps=[(2, 1)])
def test_no_trade_is_lost_repeated_or_out_of_order_when_the_second_line_takes_over(
    names: list[str], subscribed: int, steps: list[tuple[int, int]]
) -> None:
    market = [trade(name, names[: place + 1].count(name)) for place, name in enumerate(names)]
    old, new = list(market), market[subscribed:]
    handover = handover_of("trades")
    handover.confirm(0.0)
    passed: list[Frame] = []
    for from_old, from_new in steps:
        handover.brought(old[:from_old])
        passed += old[:from_old]
        handover.hold(new[:from_new])
        old, new = old[from_old:], new[from_new:]
        if handover.is_ready(OVERLAP_S):
            break
    if not handover.is_ready(OVERLAP_S):
        return
    passed += handover.news()
    passed += [frame for frame in new if frame not in passed]  # a line that lags repeats; the account by ids drops that
    for name in SYMBOLS:
        ids = [orjson.loads(frame.payload)["a"] for frame in passed if name.encode() in frame.payload]  # type: ignore[arg-type,operator]
        assert ids == sorted(set(ids))
        brought = ids and ids[-1]
        assert ids == list(range(1, int(brought or 0) + 1))


@given(
    cuts_old=st.sets(st.integers(1, 60)),
    cuts_new=st.sets(st.integers(1, 60)),
    start=st.integers(1, 40),
    heard=st.integers(1, 60),
)
def test_changes_of_a_book_form_one_chain_even_if_the_lines_cut_them_differently(
    cuts_old: set[int], cuts_new: set[int], start: int, heard: int
) -> None:
    handover = handover_of("books")
    handover.confirm(0.0)
    olds = [frame for frame in chained(1, 60, cuts_old) if frame.received_at_ns <= heard]
    handover.brought(olds)
    handover.hold(chained(start, 60, cuts_new))
    if not handover.is_ready(OVERLAP_S):
        assert not olds or olds[-1].received_at_ns < start - 1
        return
    last = olds[-1].received_at_ns
    for frame in handover.news():
        (change,) = said(frame)
        assert isinstance(change, BookUpdate)
        assert change.first_id == last + 1
        last = change.last_id
    assert last == 60


def chained(first: int, last: int, cuts: set[int]) -> list[Frame]:
    ends = sorted({cut for cut in cuts if first <= cut < last} | {last})
    starts = [first, *(end + 1 for end in ends[:-1])]
    return [diff(*span) for span in zip(starts, ends, strict=True)]


def test_quotes_go_on_with_what_the_first_line_did_not_bring() -> None:
    handover = handover_of("quotes")
    handover.confirm(0.0)
    handover.brought([quote(5), quote(9)])
    handover.hold([quote(7), quote(9), quote(12)])
    assert not handover.is_ready(OVERLAP_S / 2)
    assert handover.is_ready(OVERLAP_S)
    assert handover.news() == [quote(12)]


def test_a_second_line_that_keeps_silent_while_the_first_speaks_is_late_and_in_a_quiet_market_it_is_not() -> None:
    silent, quiet = handover_of("trades"), handover_of("trades")
    for each in (silent, quiet):
        assert not each.is_late(1_000.0), "it is not confirmed"
        each.confirm(0.0)
    silent.brought([trade("BTCUSDT", 1)])
    assert not silent.is_late(OVERLAP_S_MAX / 2)
    assert silent.is_late(OVERLAP_S_MAX)
    assert not quiet.is_late(1_000.0)
    assert not quiet.is_ready(1_000.0)


def test_what_makes_no_sense_is_passed_on_and_stops_nothing() -> None:
    handover = handover_of("trades")
    handover.confirm(0.0)
    garbage = Frame("trades", b"{}", 1)
    handover.brought([trade("BTCUSDT", 1), garbage])
    handover.hold([garbage, trade("BTCUSDT", 1), trade("BTCUSDT", 2)])
    assert handover.is_ready(OVERLAP_S)
    assert handover.news() == [garbage, trade("BTCUSDT", 2)]
