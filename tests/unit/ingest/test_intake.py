"""What the id of a trade means, and what follows from it."""

from __future__ import annotations

from ares.model.market import Trade
from ares.model.row import Row
from ingest.gaps import Gap, Where
from ingest.intake import JUMP_IDS_MAX, Arrival, Resume, TradeIntake

T0 = 1_700_000_000_000_000_000
NOW = T0 + 10**12


def trade(seq: int, ts_ns: int | None = None) -> Trade:
    return Trade("sim", "BTC/USDT", str(seq), seq, "buy", 1.0, 1.0, ts_ns or T0 + seq, T0 + seq, "stream")


def started() -> TradeIntake:
    intake = TradeIntake("sim", "BTC/USDT")
    intake.accept(trade(10), NOW)
    return intake


def told(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(r.symbols["status"], r.symbols["cause"], r.columns["first_seq"], r.columns["last_seq"]) for r in rows]


def test_first_trade_starts_the_account_and_what_lies_before_belongs_to_history() -> None:
    intake = started()
    assert (intake.first, intake.last) == (10, 10)
    assert intake.judge(trade(9)) is Arrival.BEFORE_START


def test_jump_records_the_hole_before_the_trade() -> None:
    rows = list(started().accept(trade(13), NOW).rows)
    assert [row.table for row in rows] == ["gaps", "trades"]
    assert told(rows[:1]) == [("open", "id_jump", 11, 12)]
    assert rows[0].columns["missing"] == 2
    assert (rows[0].columns["started_at"], rows[0].columns["ended_at"]) == (T0 + 10, T0 + 13)


def test_late_trade_fills_its_hole_and_the_last_one_closes_the_gap() -> None:
    intake = started()
    intake.accept(trade(13), NOW)
    assert [r.table for r in intake.accept(trade(12), NOW).rows] == ["trades"]
    rows = list(intake.accept(trade(11), NOW).rows)
    assert [r.table for r in rows] == ["trades", "gaps"]
    assert rows[1].symbols["healed_by"] == "stream"
    assert intake.gaps == []


def test_repeated_trade_is_a_duplicate_and_an_id_that_went_back_in_time_is_nonsense() -> None:
    intake = started()
    intake.accept(trade(11), NOW)
    assert intake.accept(trade(11), NOW).rows == ()
    assert intake.judge(trade(11)) is Arrival.DUPLICATE
    assert intake.judge(trade(10, T0 + 99)) is Arrival.IMPLAUSIBLE


def test_id_far_ahead_is_nonsense_and_changes_nothing() -> None:
    intake = started()
    assert intake.accept(trade(10 + JUMP_IDS_MAX + 1), NOW).arrival is Arrival.IMPLAUSIBLE
    assert intake.accept(trade(11), NOW).arrival is Arrival.NEXT


def test_disconnect_opens_one_gap_without_an_end_however_often_it_happens() -> None:
    intake = started()
    assert told(intake.interrupted("disconnect", NOW)) == [("open", "disconnect", 11, None)]
    assert intake.interrupted("disconnect", NOW) == []
    assert not intake.is_current


def test_disconnect_before_any_trade_has_nothing_to_miss() -> None:
    assert TradeIntake("sim", "BTC/USDT").interrupted("disconnect", NOW) == []


def test_next_trade_after_a_disconnect_shows_that_nothing_was_missed() -> None:
    intake = started()
    intake.interrupted("disconnect", NOW)
    rows = list(intake.accept(trade(11), NOW).rows)
    assert [row.table for row in rows] == ["gaps", "trades"]
    assert (rows[0].symbols["status"], rows[0].symbols["healed_by"]) == ("healed", "nothing_missed")
    assert rows[0].columns["revision"] == 1


def test_later_trade_after_a_disconnect_bounds_the_gap() -> None:
    intake = started()
    intake.interrupted("silence", NOW)
    assert told(list(intake.accept(trade(15), NOW).rows)[:1]) == [("open", "silence", 11, 14)]


def test_two_disconnects_after_the_same_trade_are_two_gaps() -> None:
    intake = started()
    first = intake.interrupted("disconnect", NOW)[0]
    intake.caught_up(None, NOW)
    second = intake.interrupted("disconnect", NOW + 1)[0]
    assert first.columns["gap_id"] != second.columns["gap_id"]


def test_venues_latest_trade_bounds_the_gap_in_a_quiet_market() -> None:
    intake = started()
    intake.interrupted("disconnect", NOW)
    assert told(intake.caught_up(trade(12), NOW)) == [("open", "disconnect", 11, 12)]
    assert intake.is_current
    assert intake.caught_up(trade(12), NOW) == []
    assert intake.accept(trade(13), NOW).arrival is Arrival.NEXT
    assert intake.accept(trade(12), NOW).arrival is Arrival.LATE


def test_history_closes_a_gap_only_once_its_trades_are_acknowledged() -> None:
    intake = started()
    intake.accept(trade(12), NOW)
    intake.accept(trade(14), NOW)
    assert intake.take([trade(11), trade(12)]) == [trade(11)]
    rows = list(intake.accept(trade(13), NOW).rows)
    assert [row.columns.get("first_seq") for row in rows if row.table == "gaps"] == [13]
    assert told(intake.settle(NOW)) == [("healed", "id_jump", 11, 11)]
    assert intake.judge(trade(11)) is Arrival.DUPLICATE


def test_what_the_venue_forgot_becomes_lost_range_by_range() -> None:
    intake = started()
    intake.accept(trade(20), NOW)
    intake.take([trade(13), trade(14)])
    rows = intake.give_up(intake.gaps[0], NOW)
    assert told(rows) == [("lost", "id_jump", 11, 12), ("lost", "id_jump", 15, 19)]
    assert len({row.columns["gap_id"] for row in rows}) == 2
    assert [row.columns["missing"] for row in rows] == [2, 5]
    assert intake.settle(NOW) == []


def test_restart_continues_with_open_gaps_and_a_new_one_at_the_end() -> None:
    intake = TradeIntake("sim", "BTC/USDT")
    bounded = Gap.opened(Where("sim", "BTC/USDT", "trades"), "id_jump", NOW, T0, 5).bounded(6, T0 + 6)
    unrecorded = Gap.opened(Where("sim", "BTC/USDT", "trades"), "unrecorded", NOW, T0, 8).bounded(8, T0 + 8)
    rows = intake.resume(Resume(1, 10, T0, T0 + 10, [bounded], [unrecorded], [(5, 6), (8, 8)]), NOW)
    assert told(rows) == [("open", "unrecorded", 8, 8), ("open", "restart", 11, None)]
    assert intake.missing.spans() == [(5, 6), (8, 8)]


def test_restart_takes_up_a_gap_that_was_open_at_the_end() -> None:
    intake = TradeIntake("sim", "BTC/USDT")
    tail = Gap.opened(Where("sim", "BTC/USDT", "trades"), "disconnect", NOW, T0, 11)
    assert intake.resume(Resume(1, 10, T0, T0 + 10, [tail]), NOW) == []
    assert intake.tail is tail


def test_restart_after_a_gap_beyond_the_last_stored_trade_expects_the_id_behind_it() -> None:
    intake = TradeIntake("sim", "BTC/USDT")
    gap = Gap.opened(Where("sim", "BTC/USDT", "trades"), "id_jump", NOW, T0 + 10, 11).bounded(12, T0 + 13)
    rows = intake.resume(Resume(1, 10, T0, T0 + 10, [gap], [], [(11, 12)]), NOW)
    assert told(rows) == [("open", "restart", 13, None)]


def test_ids_that_history_does_not_list_are_recorded_as_lost() -> None:
    assert told(started().lost_rows([(3, 4)], T0, NOW)) == [("lost", "backfill", 3, 4)]
    assert told([started().lost_row(7, T0, NOW)]) == [("lost", "rejected", 7, 7)]
