"""The watermark says no more than what is acknowledged, and moves on when the market is quiet."""

from __future__ import annotations

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.model.market import Trade
from ares.model.row import Row
from ingest.ledger import SKEW_S, Ledger, VenueTime

SECOND = NANOS_PER_SECOND
T0 = 1_700_000_000 * SECOND
BTC, ETH = "BTC/USDT", "ETH/USDT"
SKEW = round(SKEW_S * SECOND)


def row(seq: int, ts_ns: int, symbol: str = BTC) -> Row:
    return Trade("sim", symbol, str(seq), seq, "buy", 1.0, 1.0, ts_ns, ts_ns, "stream")


def ledger() -> Ledger:
    return Ledger("sim", (BTC, ETH))


def test_watermark_is_the_newest_acknowledged_trade_not_the_newest_put() -> None:
    book = ledger()
    book.put(BTC, T0, 1, T0 - SECOND)
    book.put(BTC, T0, 2, T0)
    book.acked([row(1, T0 - SECOND)])
    assert book.advance(BTC, T0, complete=True) == T0 - SECOND
    book.acked([row(2, T0)])
    assert book.advance(BTC, T0, complete=True) == T0
    assert book.advance(ETH, T0, complete=True) == 0


def test_watermark_follows_what_is_heard_on_other_channels_less_how_far_they_may_be_apart() -> None:
    book = ledger()
    book.put(BTC, T0, 1, T0)
    book.acked([row(1, T0)])
    book.venue_time.observe(T0, T0 + SECOND)
    book.venue_time.hear(T0 + 4 * SECOND)
    assert book.advance(BTC, T0 + 4 * SECOND, complete=True) == T0 + 3 * SECOND - SKEW
    assert book.advance(BTC, T0 + 4 * SECOND + SKEW, complete=True) == T0 + 3 * SECOND - SKEW, "nothing more was heard"


def test_live_stream_on_which_nothing_is_heard_moves_the_watermark_to_the_venues_time_less_a_second() -> None:
    book = ledger()
    book.put(BTC, T0, 1, T0)
    book.acked([row(1, T0)])
    book.venue_time.observe(T0, T0 + SECOND)
    assert book.advance(BTC, T0 + 6 * SECOND, complete=True) == T0 + 4 * SECOND


def test_watermark_waits_while_trades_are_outstanding_or_the_stream_is_not_whole() -> None:
    book = ledger()
    book.put(BTC, T0, 1, T0)
    book.acked([row(1, T0)])
    book.venue_time.observe(T0 + 5 * SECOND, T0 + 5 * SECOND)
    assert book.advance(BTC, T0 + 6 * SECOND, complete=False) == T0
    book.put(BTC, T0, 2, T0 + 1)
    assert book.advance(BTC, T0 + 6 * SECOND, complete=True) == T0


def test_trade_that_is_not_acknowledged_holds_the_watermark_back_no_further_than_to_itself() -> None:
    book = ledger()
    book.venue_time.observe(T0 + 5 * SECOND, T0 + 5 * SECOND)
    for seq, seconds in ((1, 2), (2, 3), (3, 4)):
        book.put(BTC, T0 + seconds * SECOND, seq, T0 + seconds * SECOND)
    assert book.advance(BTC, T0 + 5 * SECOND, complete=True) == T0 + 2 * SECOND - 1
    book.acked([row(2, T0 + 3 * SECOND)])
    assert book.advance(BTC, T0 + 5 * SECOND, complete=True) == T0 + 4 * SECOND - 1, "those before it were acknowledged"
    book.acked([row(3, T0 + 4 * SECOND)])
    assert book.advance(BTC, T0 + 5 * SECOND, complete=True) == T0 + 5 * SECOND - SKEW


def test_trades_that_a_process_before_this_one_left_are_not_taken_for_those_that_wait_now() -> None:
    book = ledger()
    book.venue_time.observe(T0 + 5 * SECOND, T0 + 5 * SECOND)
    book.put(BTC, T0 + 2 * SECOND, 9, T0 + 2 * SECOND)
    book.acked([row(1, T0)])
    assert book.advance(BTC, T0 + 5 * SECOND, complete=True) == T0 + 2 * SECOND - 1


def test_watermark_waits_for_all_that_waits_while_the_store_is_away_however_much_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.ledger.OUTSTANDING_MAX", 3)
    book = ledger()
    book.venue_time.observe(T0 + 20 * SECOND, T0 + 20 * SECOND)
    for seq in range(1, 11):
        book.put(BTC, T0 + seq * SECOND, seq, T0 + seq * SECOND)
    assert len(book.accounts[BTC].outstanding) == 3
    book.acked([row(seq, T0 + seq * SECOND) for seq in range(1, 10)])
    assert book.advance(BTC, T0 + 20 * SECOND, complete=True) == T0 + 9 * SECOND
    book.acked([row(10, T0 + 10 * SECOND)])
    assert book.advance(BTC, T0 + 20 * SECOND, complete=True) == T0 + 20 * SECOND - SKEW


def test_watermark_never_falls_even_across_processes() -> None:
    book = ledger()
    book.resume(BTC, T0 + SECOND, 9)
    book.acked([row(1, T0)])
    assert book.advance(BTC, T0, complete=False) == T0 + SECOND
    assert [r.columns["last_seq"] for r in book.rows(T0, [])] == [9]


def test_watermark_that_passes_a_minutes_end_and_its_lateness_closes_a_bar_until_it_is_published() -> None:
    book, closes_ns = ledger(), T0 + 40 * SECOND
    book.acked([row(1, T0)])
    book.rows(T0, [])
    for ts_ns, closes in ((closes_ns, False), (closes_ns + SECOND - 1, False), (closes_ns + SECOND, True)):
        book.acked([row(2, ts_ns)])
        assert book.closes_a_bar(ts_ns, [], SECOND) is closes
    assert book.closes_a_bar(closes_ns + SECOND, [], SECOND), "it waits until it is published"
    book.rows(closes_ns + SECOND, [])
    assert not book.closes_a_bar(closes_ns + 30 * SECOND, [], SECOND)


def test_refused_trade_is_no_longer_outstanding() -> None:
    book = ledger()
    book.put(BTC, T0 - 9 * SECOND, 1, T0)
    book.refused(row(1, T0))
    book.refused(Row("quotes", T0))
    book.venue_time.observe(T0, T0)
    assert book.advance(BTC, T0, complete=True) == T0 - SKEW


def test_end_of_history_is_published_beside_the_live_watermark() -> None:
    book = ledger()
    book.acked([row(1, T0), Row("quotes", T0)])
    book.acked_from_history([row(0, T0 - SECOND), Row("venue_bars_1m", T0)])
    book.advance(BTC, T0, complete=False)
    book.history_is_whole(BTC, T0 - 9 * SECOND)
    rows = {r.symbols["channel"]: r for r in book.rows(T0, [])}
    assert rows["trades"].columns["acked_rows"] == 1
    assert rows["backfill"].columns == {"watermark": T0, "last_seq": 1, "acked_rows": 1}


def test_venue_time_is_never_ahead_of_the_venue_whatever_our_clock_says() -> None:
    for skew_s in (-3, 0, 3):
        time = VenueTime()
        for transit_ms in (50, 20, 80):
            time.observe(T0, T0 + skew_s * SECOND + transit_ms * 1_000_000)
        now = time.now_ns(T0 + skew_s * SECOND + 100_000_000)
        assert now is not None
        assert T0 <= now <= T0 + 100_000_000


def test_clock_that_was_set_is_believed_after_two_windows() -> None:
    time = VenueTime()
    assert time.now_ns(T0) is None
    time.observe(T0, T0)
    for minute in (2, 4):
        time.observe(T0 + minute * 60 * SECOND, T0 + minute * 60 * SECOND + 5 * SECOND)
    assert time.now_ns(T0 + 300 * SECOND) == T0 + 295 * SECOND
