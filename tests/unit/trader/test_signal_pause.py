"""Signals are looked for more often while the next one may come, and no more often than is set at other times."""

from __future__ import annotations

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from trader.reader import signal_pause_s

NOW_NS = 1_700_000_000 * NANOS_PER_SECOND


def test_looks_more_often_around_a_minute_after_the_newest_signal() -> None:
    for seconds_off in (-1, 0, 1):
        newest_ns = NOW_NS - MINUTE_NS + seconds_off * NANOS_PER_SECOND
        assert signal_pause_s(NOW_NS, newest_ns, 0.02) == 0.005


def test_looks_as_often_as_is_set_at_other_times_and_before_the_first_signal() -> None:
    for newest_ns in (0, NOW_NS, NOW_NS - 50 * NANOS_PER_SECOND, NOW_NS - 2 * MINUTE_NS):
        assert signal_pause_s(NOW_NS, newest_ns, 0.02) == 0.02
