"""Goal: what is frozen, as which revision, and when it counts as known, is decided by rules that can be read here."""

from __future__ import annotations

import pytest

from analytics.facts import (
    BarKey,
    BarValues,
    Fingerprints,
    Frozen,
    Knowledge,
    SignalValues,
    Span,
    Stamp,
    ValueKey,
    as_matrix,
    by_bar,
    chunks,
    hash_of,
    knowledge,
    newest_due,
    revised,
    same,
    spans_to_recheck,
)
from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.model.row import UtcNs

S = NANOS_PER_SECOND
T0 = 1_000 * MINUTE_NS
BAR = BarValues("traded", "trades", 1.0, 2.0, 0.5, 1.5, 10.0, 15.0, 7, 4.0)
STAMP = Stamp("sim", T0 + 10 * MINUTE_NS, S)


def test_bar_is_due_exactly_when_the_watermark_reaches_its_close_and_lateness() -> None:
    assert newest_due(T0 + MINUTE_NS + S, S) == T0
    assert newest_due(T0 + MINUTE_NS + S - 1, S) == T0 - MINUTE_NS


def test_bar_frozen_in_time_is_known_when_it_was_frozen() -> None:
    now_ns = T0 + MINUTE_NS + 2 * S
    assert knowledge(T0, 0, now_ns, S) == Knowledge(now_ns, "live")


def test_bar_rebuilt_long_after_is_simulated_as_known_when_it_was_due() -> None:
    assert knowledge(T0, 0, T0 + MINUTE_NS + S + 300 * S, S).kind == "live"
    assert knowledge(T0, 0, T0 + MINUTE_NS + S + 301 * S, S) == Knowledge(T0 + MINUTE_NS + S, "simulated")


def test_correction_is_known_when_it_is_made_however_old_its_bar() -> None:
    now_ns = T0 + 10_000 * MINUTE_NS
    assert knowledge(T0, 1, now_ns, S) == Knowledge(now_ns, "live")


def test_last_digits_of_a_sum_make_no_correction() -> None:
    assert same((1.0, "a", None, 3), (1.0 + 1e-12, "a", None, 3))
    assert same((0.0,), (1e-15,))
    assert not same((1.0,), (1.0 + 1e-6,))


@pytest.mark.parametrize(("left", "right"), [((None,), (0.0,)), (("a",), ("b",)), ((1.0,), (1.0, 2.0)), (("1",), (1,))])
def test_missing_is_not_zero_and_text_is_not_a_number(left: tuple[object, ...], right: tuple[object, ...]) -> None:
    assert not same(left, right)  # type: ignore[arg-type] - any values may be compared


def test_new_is_revision_zero_changed_is_the_next_and_equal_is_nothing() -> None:
    frozen = {"old": Frozen(0, (1.0,)), "changed": Frozen(2, (1.0,)), "gone": Frozen(0, (1.0,))}
    assert revised({"old": (1.0,), "changed": (None,), "new": (5.0,)}, frozen) == {"changed": 3, "new": 0}


def test_fingerprint_covers_the_window_and_nothing_else() -> None:
    bars = {BarKey("A", T0 + n * MINUTE_NS): BAR for n in range(5)}
    before = Fingerprints(bars).window("A", T0 + 3 * MINUTE_NS, 2)
    outside = {BarKey("A", T0): BAR._replace(close=9.0), BarKey("A", T0 + 4 * MINUTE_NS): BAR._replace(close=9.0)}
    assert Fingerprints(bars | outside).window("A", T0 + 3 * MINUTE_NS, 2) == before
    inside = {BarKey("A", T0 + MINUTE_NS): BAR._replace(close=9.0)}
    assert Fingerprints(bars | inside).window("A", T0 + 3 * MINUTE_NS, 2) != before
    assert Fingerprints({}).window("A", T0, 2) == Fingerprints(bars).window("B", T0, 2)


def test_bar_row_carries_its_values_and_null_where_there_are_none() -> None:
    row = STAMP.bar(BarKey("BTC/USDT", T0 + 9 * MINUTE_NS - 2 * S), 0, BAR, "h")
    assert row.table == "bar_facts"
    assert row.symbols["interval"] == "1m"
    assert (row.columns["trades"], row.columns["close"], row.columns["input_hash"]) == (7, 1.5, "h")
    gap = STAMP.bar(BarKey("BTC/USDT", T0), 1, BarValues("gap", "trades", *[None] * 8), "h")
    assert (gap.symbols["status"], gap.columns["close"], gap.columns["revision"]) == ("gap", None, 1)


def test_signal_row_without_a_model_names_none_and_simulated_watermark_is_its_knowledge() -> None:
    key = ValueKey("BTC/USDT", T0, "signal_momentum", 1)
    live = STAMP.signal(key._replace(ts_ns=T0 + 8 * MINUTE_NS), 0, SignalValues(0.5, 0.5, None), "h", 77)
    assert "model_version" not in live.symbols
    assert live.columns["watermark"] == UtcNs(77)
    old = STAMP.signal(key, 0, SignalValues(0.5, 0.5, "v1"), "h", 77)
    assert old.symbols["model_version"] == "v1"
    assert old.columns["watermark"] == old.columns["known_at"] == T0 + MINUTE_NS + S


def test_changes_close_together_are_rechecked_in_one_span() -> None:
    spans = spans_to_recheck([T0, T0 + MINUTE_NS, T0 + 100 * MINUTE_NS, T0], 5)
    assert spans == [Span(T0, T0 + 6 * MINUTE_NS), Span(T0 + 100 * MINUTE_NS, T0 + 105 * MINUTE_NS)]


def test_chunks_of_an_empty_span_are_none() -> None:
    assert chunks(Span(T0, T0 - MINUTE_NS), 10) == []


def test_bar_with_a_missing_feature_is_not_scored() -> None:
    values = by_bar({ValueKey("A", T0, "a", 1): 1.0, ValueKey("A", T0, "b", 2): None})
    (features,) = values.values()
    assert as_matrix(features, ["a_v1"]) == [1.0]
    assert as_matrix(features, ["a_v1", "b_v2"]) is None
    assert as_matrix(features, ["c_v1"]) is None


def test_hash_keeps_twelve_digits() -> None:
    assert hash_of([1.0 + 1e-14, None]) == hash_of([1.0, None])
    assert hash_of([1.0]) != hash_of([1.0001])
