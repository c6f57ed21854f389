"""Goal: faults come as often as asked, to whom asked, and the same seed repeats them."""

from __future__ import annotations

import pytest

from ares.errors import ConfigError
from simulator.misbehaviour import Armed, Misbehaviour, parse_rates


def test_armed_fault_hits_only_what_it_names_and_only_so_often() -> None:
    bad = Misbehaviour(1, armed=[Armed("gap", 2, "BTCUSDT", "trade")])
    assert bad.hit("gap", "ETHUSDT", "ethusdt@trade", 1) is None
    assert bad.hit("gap", "BTCUSDT", "btcusdt@depth", 1) is None
    assert bad.hit("delay", "BTCUSDT", "btcusdt@trade", 1) is None
    assert [bad.hit("gap", "BTCUSDT", "btcusdt@trade", n) is not None for n in range(3)] == [True, True, False]
    assert bad.quiet
    assert bad.done == {"gap": 2}


def test_storm_hits_everything_that_it_names_until_its_time_is_over() -> None:
    now = [0]
    bad = Misbehaviour(1, armed=[Armed("429", 1_000, on="account", until_ms=50)], now_ms=lambda: now[0])
    assert [bad.hit("429", "", "GET account", n) is not None for n in range(20)] == [True] * 20
    assert bad.hit("429", "", "GET time", 1) is None
    now[0] = 50
    assert bad.hit("429", "", "GET account", 21) is None
    assert bad.quiet


def test_rate_hits_its_share_and_the_seed_repeats_it() -> None:
    def hits(seed: int) -> list[int]:
        bad = Misbehaviour(seed, rates={"gap": 0.1})
        return [n for n in range(2_000) if bad.hit("gap", "BTCUSDT", "btcusdt@trade", n)]

    assert hits(1) == hits(1) != hits(2)
    assert 140 < len(hits(1)) < 260


def test_kinds_and_streams_are_hit_independently() -> None:
    bad = Misbehaviour(1, rates={"gap": 0.5, "duplicate": 0.5})
    gaps = [bool(bad.hit("gap", "A", "a@trade", n)) for n in range(64)]
    assert gaps != [bool(bad.hit("duplicate", "A", "a@trade", n)) for n in range(64)]
    assert gaps != [bool(bad.hit("gap", "A", "a@depth", n)) for n in range(64)]


def test_nothing_is_hit_at_rate_zero() -> None:
    bad = Misbehaviour(1, rates={"gap": 0.0})
    assert not any(bad.hit("gap", "A", "a@trade", n) for n in range(100))


@pytest.mark.parametrize(("rates", "problem"), [({"typo": 0.1}, "no such kind"), ({"gap": 1.5}, "not a share")])
def test_wrong_rates_are_refused(rates: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_rates(rates)


def test_right_rates_are_taken() -> None:
    assert parse_rates({"5xx": 0.5, "gap": 0}) == {"5xx": 0.5, "gap": 0}
