"""Channels without ids: an outage is recorded when it begins and closes as lost when something comes again."""

from __future__ import annotations

from ingest.gaps import Gap, Where
from ingest.outages import Outages

T0 = 1_700_000_000_000_000_000
BTC = "BTC/USDT"


def test_outage_is_a_range_of_time_that_closes_as_lost() -> None:
    outages = Outages("sim", "quotes")
    outages.seen(BTC, T0, T0)
    opened = outages.interrupted(BTC, "disconnect", T0 + 5)
    assert [row.symbols["status"] for row in opened] == ["open"]
    assert outages.open_count == 1
    closed = outages.seen(BTC, T0 + 9, T0 + 9)
    assert closed[0].symbols["status"] == "lost"
    assert (closed[0].columns["started_at"], closed[0].columns["ended_at"]) == (T0, T0 + 9)
    assert closed[0].columns["gap_id"] == opened[0].columns["gap_id"]
    assert outages.seen(BTC, T0 + 10, T0 + 10) == []


def test_nothing_is_missing_of_a_symbol_that_never_came_nor_twice_at_once() -> None:
    outages = Outages("sim", "books")
    assert outages.interrupted(BTC, "disconnect", T0) == []
    outages.seen(BTC, T0, T0)
    assert len(outages.interrupted(BTC, "disconnect", T0)) == 1
    assert outages.interrupted(BTC, "silence", T0) == []


def test_restart_records_the_time_we_were_away() -> None:
    outages = Outages("sim", "quotes")
    assert outages.resume(BTC, None, [], T0) == []
    rows = outages.resume(BTC, T0 - 5, [], T0)
    assert [(row.symbols["cause"], row.columns["started_at"]) for row in rows] == [("restart", T0 - 5)]


def test_restart_takes_up_the_oldest_open_outage_and_closes_those_inside_it() -> None:
    outages = Outages("sim", "quotes")
    where = Where("sim", BTC, "quotes")
    older, newer = (Gap.opened(where, "disconnect", T0, T0 - age) for age in (9, 3))
    rows = outages.resume(BTC, T0, [newer, older], T0)
    assert [row.columns["gap_id"] for row in rows] == [newer.gap_id]
    assert outages.interrupted(BTC, "restart", T0) == []
    assert outages.seen(BTC, T0 + 1, T0 + 1)[0].columns["gap_id"] == older.gap_id


def test_restart_with_one_open_outage_continues_it_without_a_second_one() -> None:
    outages = Outages("sim", "quotes")
    gap = Gap.opened(Where("sim", BTC, "quotes"), "disconnect", T0, T0 - 9)
    assert outages.resume(BTC, T0, [gap], T0) == []
    assert outages.open_count == 1
