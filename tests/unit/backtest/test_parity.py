"""Live decisions beside their replay: what counts as equal, and which cause a difference is given."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from backtest.exact.drive import decisions_of
from backtest.exact.settings import ExactSettings
from backtest.parity.compare import Cause, Decided, Evidence, Key, compare
from backtest.parity.reading import away
from tests.backtests import AT_ONCE, BITCOIN, CASH, SMOOTH, SYMBOL, Made, over, trading

SHARE = 0.01
NOTHING = Evidence()


def decided(minute: int, action: str = "buy", **changes: object) -> Decided:
    ts_ns = minute * MINUTE_NS
    made = Decided(
        ts_ns + MINUTE_NS + NANOS_PER_SECOND, Key(SYMBOL, ts_ns), ts_ns + MINUTE_NS, action, "to_target", "ACTIVE",
        target=1.0, mark=Decimal(100), order_quantity=Decimal(1),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type] - fields by name


def causes(live: list[Decided], replayed: list[Decided], evidence: Evidence = NOTHING) -> list[Cause | None]:
    return [each.cause for each in compare(live, replayed, evidence, SHARE)]


def test_quantities_within_the_share_are_equal_and_beyond_it_are_not() -> None:
    assert causes([decided(1)], [decided(1, order_quantity=Decimal("0.995"))]) == [None]
    assert causes([decided(1)], [decided(1, order_quantity=Decimal("0.98"))]) == ["unknown"]


def test_the_first_decision_that_is_no_skip_counts() -> None:
    skip = decided(1, "skip", order_quantity=None)
    later = decided(1, ts_ns=3 * MINUTE_NS)
    hold = decided(1, "hold", ts_ns=4 * MINUTE_NS)
    assert causes([hold, later, skip], [decided(1)]) == [None]


LIVE, REPLAYED = decided(5), decided(5, "sell")
AT = LIVE.ts_ns


@pytest.mark.parametrize(
    ("live", "replayed", "evidence", "cause"),
    [
        (None, REPLAYED, Evidence(simulated=frozenset({LIVE.key})), "late_data"),
        (replace(LIVE, target=0.5), REPLAYED, NOTHING, "late_data"),
        (None, REPLAYED, Evidence(away=[(AT - 1, AT + 1)]), "restart"),
        (replace(LIVE, state="REDUCING"), REPLAYED, NOTHING, "risk_state"),
        (LIVE, REPLAYED, Evidence(by_hand=[AT - 1]), "manual"),
        (LIVE, REPLAYED, Evidence(limits=[AT + 1]), "limits_changed"),
        (replace(LIVE, rule="VarLimit"), REPLAYED, Evidence(not_played=frozenset({"VarLimit"})), "not_played"),
        (LIVE, REPLAYED, Evidence(refusals={SYMBOL: [AT - 1]}), "venue_refusal"),
        (replace(LIVE, ts_ns=AT + 2 * NANOS_PER_SECOND), REPLAYED, NOTHING, "latency"),
        (LIVE, replace(LIVE, mark=Decimal(101), order_quantity=Decimal(2)), NOTHING, "latency"),
        (LIVE, REPLAYED, Evidence(by_hand=[AT + 1], refusals={"ETH/USDT": [AT - 1]}), "unknown"),
    ],
)
def test_a_difference_is_given_the_cause_that_has_evidence(
    live: Decided | None, replayed: Decided, evidence: Evidence, cause: Cause
) -> None:
    assert causes([] if live is None else [live], [replayed], evidence) == [cause]


def test_what_follows_a_difference_that_traded_is_carried_until_it_is_equal_again() -> None:
    live = [decided(1, "hold"), decided(2), decided(3)]
    replayed = [decided(1), decided(2, "hold"), decided(3)]
    assert causes(live, replayed) == ["unknown", "carried", None]


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["buy", "sell", "hold", "skip", "refuse"]))))
def test_a_day_is_equal_to_itself(days: list[tuple[int, str]]) -> None:
    decisions = [decided(minute, action) for minute, action in days]
    found = compare(decisions, list(reversed(decisions)), NOTHING, 0.0)
    assert len(found) == len({each.key for each in decisions})
    firsts = {minute: action for minute, action in reversed(days) if action != "skip"}
    assert all(each.equal for each in found if len({a for m, a in days if m * MINUTE_NS == each.key.signal_ts_ns}) == 1)
    assert len(firsts) <= len(found)


def test_a_trader_was_away_between_two_processes_after_goodbye_and_after_a_long_silence() -> None:
    def beat(ts_ns: int, pid: int = 1, state: str = "ready") -> dict[str, object]:
        return {"ts_ns": ts_ns, "instance": "a", "pid": pid, "state": state}

    beats = [beat(0), beat(5), beat(8, pid=2), beat(10, 2, "stopped"), beat(12, 2), beat(40, 2)]
    assert away(beats, 20) == [(5, 8), (10, 12), (12, 40)]  # type: ignore[arg-type] - cells of rows
    assert away([], 20) == []


def test_a_replay_takes_over_what_was_held_when_the_day_began() -> None:
    stretch = Made([50_000.0] * 4, [0.0, 0.0, 1.0, 1.0]).stretch()
    settings = ExactSettings(trading(), CASH, AT_ONCE, SMOOTH, holdings={SYMBOL: Decimal("0.08")})
    found = decisions_of(settings, over([stretch]), {SYMBOL: BITCOIN}, [stretch])
    assert (found[0].action, found[0].quantity, found[0].order_quantity) == ("sell", Decimal("0.08"), Decimal("0.08"))
    assert "buy" in {each.action for each in found[1:]}
