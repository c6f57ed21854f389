"""When a venue that tells only its newest trades is asked, and when its answer ends a break."""

from __future__ import annotations

import pytest

from ares.model.market import Trade
from ingest.newest import AUDIT_S_MAX, AUDIT_S_MIN, SETTLED_S, Watch
from ingest.timed import TimedIntake


def trades(first: int, last: int, prefix: str = "") -> list[Trade]:
    """One a nanosecond."""
    return [
        Trade("x", "BTC/USD", f"{prefix}{at}", at, "buy", 1.0, 1.0, at, at, "stream") for at in range(first, last + 1)
    ]


@pytest.mark.parametrize(
    ("page", "of_others"),
    [
        (trades(1, 20), False),
        (trades(1, 20, "other"), True),
        (trades(18, 25, "other"), False),
        ([*trades(1, 20, "other"), *trades(12, 12)], False),
        ([], False),
    ],
    ids=["the stream's ids", "others", "too few between", "one is the stream's", "nothing"],
)
def test_a_page_that_lists_none_of_what_came_between_its_ends_counts_by_other_ids(
    page: list[Trade], of_others: bool
) -> None:
    intake = TimedIntake("x", "BTC/USD")
    for trade in trades(10, 20):
        intake.accept(trade, 0)
    assert intake.is_of_others(sorted(page, key=lambda trade: trade.ts_ns)) is of_others


def test_a_break_is_settled_a_while_after_the_stream_came_back_and_not_while_it_is_away() -> None:
    watch = Watch()
    assert not watch.settled(1, 100.0, live=False)
    assert not watch.settled(1, 101.0, live=True)
    assert not watch.settled(1, 101.0 + SETTLED_S - 0.1, live=True)
    assert watch.settled(1, 101.0 + SETTLED_S, live=True)


def test_a_break_that_nobody_saw_between_two_looks_begins_the_wait_anew() -> None:
    watch = Watch()
    watch.settled(1, 100.0, live=True)
    assert not watch.settled(2, 100.0 + SETTLED_S, live=True)
    assert watch.settled(2, 100.0 + 2 * SETTLED_S, live=True)


def test_a_busy_market_is_audited_each_half_page_but_not_without_a_pause() -> None:
    watch = Watch(audited_s=100.0, audited_trades=500, page_trades=60)
    assert not watch.audit_due(529, 100.0 + AUDIT_S_MIN)
    assert watch.audit_due(530, 100.0 + AUDIT_S_MIN)
    assert not watch.audit_due(900, 100.0 + AUDIT_S_MIN - 0.1)


def test_a_quiet_market_is_audited_now_and_then_and_one_that_stands_still_never() -> None:
    watch = Watch(audited_s=100.0, audited_trades=500, page_trades=60)
    assert watch.audit_due(501, 100.0 + AUDIT_S_MAX)
    assert not watch.audit_due(501, 100.0 + AUDIT_S_MAX - 0.1)
    assert not watch.audit_due(500, 100.0 + 10 * AUDIT_S_MAX)
