"""Goal: messages hold what entered, each symbol's in order, however small a message must be."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import StreamUnreadable
from ares.kafka import Incoming
from ares.kafka.sender import Outgoing, windows
from ares.model.market import ArchivedRun, Entry, Quote, Trade, TradeRun
from ares.model.row import Row
from ingest.batches import staged
from ingest.gaps import Gap, Where
from ingest.ticks import FORMAT, entries_of, key_of, messages_of

venues = st.sampled_from(["binance", "okx"])
symbols = st.sampled_from(["BTC/USDT", "ETH/USDT", "SOL/USDT"])
counts = st.integers(1, 40)


@st.composite
def runs(draw: st.DrawFn) -> TradeRun:
    count = draw(counts)
    kind = draw(st.sampled_from([TradeRun, ArchivedRun]))
    first = draw(st.integers(1, 10**9))
    seqs, ones = list(range(first, first + count)), [1.0] * count
    return kind(draw(venues), draw(symbols), "stream", seqs, ["buy"] * count, ones, ones, seqs, seqs)


entries: st.SearchStrategy[Entry] = st.one_of(
    runs(),
    st.builds(lambda v, s, n: Trade(v, s, str(n), n, "buy", 1.0, 1.0, n, n, "rest"), venues, symbols, counts),
    st.builds(lambda v, s, n: Quote(v, s, n, 1.0, 1.0, 2.0, 2.0, n, n, "venue"), venues, symbols, counts),
    st.builds(lambda v, n: Row("quarantine", n, {"venue": v}, {"raw": "x" * n}), venues, counts),
)


def flat(batch: list[Entry]) -> list[Entry]:
    return [row for entry in batch for row in (entry.trades() if isinstance(entry, TradeRun) else [entry])]


def incoming(each: Outgoing, offset: int = 0, header: bytes = FORMAT) -> Incoming:
    return Incoming(0, offset, each.key, each.value, 5, {"format": header})


@given(batch=st.lists(entries, max_size=12), bytes_max=st.integers(64, 4_000))
def test_each_symbols_rows_come_back_in_order_out_of_messages_that_are_small_enough(
    batch: list[Entry], bytes_max: int
) -> None:
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for message in messages_of(batch, bytes_max):
        held = entries_of(incoming(message))
        assert len(message.value) <= bytes_max or len(flat(held)) == 1
        assert {key_of(entry) for entry in held} == {message.key}
        by_key[message.key] += flat(held)
    wanted: dict[str, list[Entry]] = defaultdict(list)
    for entry in batch:
        wanted[key_of(entry)] += flat([entry])
    assert by_key == wanted
    kinds = {key: [type(row) for row in rows] for key, rows in by_key.items()}
    assert kinds == {key: [type(row) for row in rows] for key, rows in wanted.items()}


@given(sizes=st.lists(st.integers(0, 30), max_size=30))
def test_windows_hold_all_messages_in_order_within_their_bound(sizes: list[int]) -> None:
    messages = [Outgoing(str(number), b"x" * size) for number, size in enumerate(sizes)]
    cut = list(windows(messages, 40))
    assert [each for window in cut for each in window] == messages
    assert all(window for window in cut)
    assert all(sum(len(each.value) for each in window) <= 40 or len(window) == 1 for window in cut)


@given(content=st.binary(max_size=200))
def test_bytes_that_are_no_entries_become_the_same_quarantine_row_each_time(content: bytes) -> None:
    message = Incoming(1, 7, "binance:BTC/USDT", content, 5_000, {})
    [row] = entries_of(message)
    assert (row.table, row.ts_ns, row.symbols["venue"]) == ("quarantine", 5_000, "binance")
    assert entries_of(message) == [row]


def test_a_format_that_is_not_known_stops_the_reader() -> None:
    with pytest.raises(StreamUnreadable, match="message 9 of partition 0"):
        entries_of(incoming(Outgoing("a:b", b"\x90"), 9, b"ares-entries-2"))


@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_however_a_partition_is_cut_into_batches_gaps_come_first_and_watermarks_last(cuts: list[int]) -> None:
    """A collector sends part after part; a worker that takes several at once stages them again."""
    where = Where("binance", "BTC/USDT", "trades")
    sent: list[Entry] = []
    for seq in range(1, 10):
        gap = Gap.opened(where, "id_jump", seq, seq, seq)
        trade = Trade("binance", "BTC/USDT", str(seq), seq, "buy", 1.0, 1.0, seq, seq, "stream")
        healed = gap.bounded(seq, seq).closed("healed", "rest", seq, 0)
        mark = Row("ingest_watermarks", seq, {"venue": "binance"}, {"last_seq": seq})
        parts = staged([mark, healed.to_row(seq), trade, gap.to_row(seq)])
        sent += [row for part in parts for message in messages_of(part) for row in entries_of(incoming(message))]
    written: list[Entry] = []
    while sent:
        size = cuts[len(written) % len(cuts)]
        written += [row for part in staged(sent[:size]) for row in part]
        del sent[:size]
    place = {(row.table, row.symbols.get("status", ""), row.ts_ns): at for at, row in enumerate(flat(written))}
    for seq in range(1, 10):
        opened, trade_at = place["gaps", "open", seq], place["trades", "", seq]
        assert opened < trade_at < place["gaps", "healed", seq]
        assert trade_at < place["ingest_watermarks", "", seq]
