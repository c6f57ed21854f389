"""Goal: limits that were set outlive the process, never hide a setting, and are raised in production by two people."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ares.control import ControlStore
from ares.errors import UsageError
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.command_log import Order, Outcome
from trader.execution.limits import APPROVAL_S_MAX, Scope, SetLimits
from trader.limits_configured import limits
from trader.limits_shown import limit_wanted
from trader.reader import Activity, Figures
from trader.runtime import Trader

D = Decimal
POSITION = "position_quote_max"


async def set_limit(trader: Trader, name: str, value: str, actor: str = "ada", symbol: str = "") -> Outcome:
    scope, wanted = limit_wanted({"name": name, "value": value, "symbol": symbol})
    return await trader.commander.set_limit(Order(actor, "thin books"), scope, wanted)


async def test_a_limit_that_is_set_holds_from_the_next_cycle_on_and_leaves_its_rows(bench: Bench) -> None:
    trader = await bench.trader()
    answer = await set_limit(trader, POSITION, "1000")
    assert (answer["holds"], answer["value"]) == (True, "1000")
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("refuse", "PositionLimit")
    assert decision.refusal is not None
    assert decision.refusal.limit == 1000
    (row,) = bench.rows("limits")
    assert (row.symbols["name"], row.symbols["status"], row.symbols["actor"]) == (POSITION, "set", "ada")
    assert (row.columns["before"], row.columns["value"], row.columns["reason"]) == (10_000, 1_000, "thin books")
    audited = [link.text for link in bench.control.audit_links() if '"limit"' in link.text]
    assert len(audited) == 1
    assert "thin books" in audited[0]


async def test_a_set_limit_survives_a_restart_and_a_changed_setting_does_not_override_it(bench: Bench) -> None:
    trader = await bench.trader()
    await set_limit(trader, POSITION, "1000")
    risk = bench.config.risk.model_copy(update={POSITION: D(9_000)})
    bench.configure(risk=risk)
    successor = await bench.trader()
    shown = await successor.commander.limits()
    (entry,) = [each for each in shown["limits"] if each["name"] == POSITION]  # type: ignore[union-attr,call-overload,index]
    assert (entry["value"], entry["configured"], entry["set_by"]) == ("1000", "9000", "ada")  # type: ignore[call-overload,index]


async def test_a_reset_lets_the_setting_hold_again(bench: Bench) -> None:
    trader = await bench.trader()
    await set_limit(trader, POSITION, "1000")
    await set_limit(trader, POSITION, "")
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.action == "buy"
    assert [row.symbols["status"] for row in bench.rows("limits")] == ["set", "reset"]
    with pytest.raises(UsageError, match="was not set here"):
        await set_limit(trader, POSITION, "")


async def test_flatten_gets_out_in_legs_of_the_limit_that_was_set(bench: Bench) -> None:
    bench.venue.holdings["BTC"] = D("0.5")
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    await set_limit(trader, "order_notional_quote_max", "2500", symbol=BTC)
    outcome = await trader.commander.flatten(Order("ada", "enough"))
    assert (outcome["orders_sent"], outcome["left"]) == (10, {})


async def test_a_sell_is_cut_to_the_limit_that_was_set_so_that_it_never_locks_us_in(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    await set_limit(trader, "order_notional_quote_max", "1000")
    bench.market(target=-1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.order_quantity) == ("sell", D("0.02"))


async def test_saying_the_same_limit_twice_is_one_change(bench: Bench) -> None:
    trader = await bench.trader()
    first = await set_limit(trader, POSITION, "1000")
    again = await set_limit(trader, POSITION, "1000.0", actor="grace")
    assert again["id"] == first["id"]
    assert len(bench.rows("limits")) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("position_max", "1", r"name = position_max: no such limit\. Known: order_notional_quote_max"),
        (POSITION, "much", r"position_quote_max = much: a number is expected \(quote\)"),
        (POSITION, "0", r"position_quote_max = 0: must be above 0"),
        (POSITION, "NaN", r"must be above 0"),
        (POSITION, "-1", r"must be above 0"),
        ("drawdown_max", "1.5", r"drawdown_max = 1\.5: is a share, at most 1"),
    ],
)
async def test_what_makes_no_limit_is_said_and_changes_nothing(bench: Bench, name: str, value: str, said: str) -> None:
    trader = await bench.trader()
    with pytest.raises(UsageError, match=said):
        await set_limit(trader, name, value)
    assert bench.rows("limits") == []


async def test_a_limit_of_a_symbol_or_strategy_tightens_there_alone(control: ControlStore, bench: Bench) -> None:
    base = limits(bench.config)
    there = SetLimits(control, "paper", bench.clock, four_eyes=False)
    await there.change(base, Scope(POSITION, symbol=BTC), D(500), actor="ada", reason="")
    await there.change(base, Scope(POSITION, strategy="other"), D(700), actor="ada", reason="")
    await there.change(base, Scope("gross_exposure_quote_max", symbol=BTC), D(10**9), actor="ada", reason="")
    assert there.effective(base, STRATEGY, BTC).position_quote_max == 500
    assert there.effective(base, "other", BTC).position_quote_max == 500
    assert there.effective(base, "other", "ETH/USDT").position_quote_max == 700
    assert there.effective(base, STRATEGY, "ETH/USDT") == base
    assert there.effective(base, STRATEGY, BTC).gross_exposure_quote_max == 20_000, "it never loosens"


@pytest.fixture
def careful(control: ControlStore, bench: Bench) -> SetLimits:
    """As in production."""
    return SetLimits(control, "paper", bench.clock, four_eyes=True)


async def test_in_production_raising_a_limit_takes_another_person(careful: SetLimits, bench: Bench) -> None:
    base = limits(bench.config)
    change, holds = await careful.change(base, Scope(POSITION), D(12_000), actor="ada", reason="more capital")
    assert not holds
    assert careful.effective(base) == base
    with pytest.raises(UsageError, match="another person must approve"):
        await careful.approve(base, change.id, "ada")
    await careful.approve(base, change.id, "grace")
    assert careful.effective(base).position_quote_max == 12_000
    assert [(r.symbols["status"], r.symbols["approved_by"]) for r in bench.rows("limits")] == [
        ("asked", ""),
        ("set", "grace"),
    ]
    with pytest.raises(UsageError, match="nothing is asked for"):
        await careful.approve(base, change.id, "grace")


async def test_in_production_one_person_lowers_a_limit_but_does_not_take_that_back_alone(
    careful: SetLimits, bench: Bench
) -> None:
    base = limits(bench.config)
    _, holds = await careful.change(base, Scope(POSITION), D(1_000), actor="ada", reason="thin")
    assert holds
    for value in (D(1_001), None):
        change, holds = await careful.change(base, Scope(POSITION), value, actor="ada", reason="back")
        assert not holds
    assert careful.effective(base).position_quote_max == 1_000
    await careful.approve(base, change.id, "grace")
    assert careful.effective(base).position_quote_max == 10_000


async def test_in_production_loosening_a_least_or_a_limit_of_a_symbol_takes_another_person(
    careful: SetLimits, bench: Bench
) -> None:
    base = limits(bench.config)
    assert (await careful.change(base, Scope("duplicate_s"), D(4), actor="ada", reason=""))[1], "longer is tighter"
    assert not (await careful.change(base, Scope("duplicate_s"), D(1), actor="ada", reason=""))[1]
    of_symbol = Scope(POSITION, symbol=BTC)
    assert (await careful.change(base, of_symbol, D(500), actor="ada", reason=""))[1]
    assert not (await careful.change(base, of_symbol, None, actor="ada", reason=""))[1]


async def test_an_approval_that_comes_too_late_or_after_another_change_is_refused(
    careful: SetLimits, bench: Bench
) -> None:
    base = limits(bench.config)
    change, _ = await careful.change(base, Scope(POSITION), D(12_000), actor="ada", reason="")
    await careful.change(base, Scope(POSITION), D(2_000), actor="hal", reason="alarm")
    with pytest.raises(UsageError, match="was 10000 when this was asked for and is 2000 now"):
        await careful.approve(base, change.id, "grace")
    change, _ = await careful.change(base, Scope(POSITION), D(3_000), actor="ada", reason="")
    assert isinstance(bench.clock, SteppedClock)
    await bench.clock.advance(APPROVAL_S_MAX + 1)
    with pytest.raises(UsageError, match="more than a day ago"):
        await careful.approve(base, change.id, "grace")


async def test_two_processes_that_set_limits_at_once_both_hold(control: ControlStore, bench: Bench) -> None:
    base = limits(bench.config)
    one, other = (SetLimits(control, "paper", bench.clock, four_eyes=False) for _ in range(2))
    await one.change(base, Scope(POSITION), D(1_000), actor="ada", reason="")
    await other.change(base, Scope("spread_max"), D("0.002"), actor="grace", reason="")
    await one.refresh()
    assert one.effective(base) == other.effective(base)
    assert (one.effective(base).position_quote_max, one.effective(base).spread_max) == (1_000, D("0.002"))


def figures(bench: Bench, turbulence: str | None, volume: str = "1000000") -> None:
    activity = Activity(D(volume), None if turbulence is None else D(turbulence))
    bench.reader.market = replace(bench.reader.market, figures=Figures(0, {BTC: activity}))


async def test_limits_are_drawn_in_while_the_market_is_wild_and_the_row_says_how_far(bench: Bench) -> None:
    bench.configure(risk=bench.config.risk.model_copy(update={"scaling": True}))
    trader = await bench.trader()
    bench.market(target=1.0)
    figures(bench, "4")
    (decision,) = await trader.cycle.run()
    assert (decision.reason, decision.scale) == ("PositionLimit", D("0.25"))
    assert decision.refusal is not None
    assert decision.refusal.limit == 2_500
    assert bench.rows("decisions")[-1].columns["limit_scale"] == D("0.25")
    await bench.advance(5)
    bench.market(target=1.0)
    figures(bench, "1")
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.scale) == ("buy", D(1))


async def test_an_order_is_cut_to_what_the_market_takes_and_warns_of_limits_that_are_near(bench: Bench) -> None:
    changes = {"volume_share_max": D("0.1"), "order_notional_quote_max": D(1_000)}
    bench.configure(risk=bench.config.risk.model_copy(update=changes))
    trader = await bench.trader()
    bench.market(target=1.0)
    figures(bench, "1", volume="12000")
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("buy", "cut_to_liquidity")
    assert decision.order_quantity == D("0.01918"), "0.1 · 0.8 · 12000 / 50050"
    warnings = bench.rows("decisions")[-1].columns["warnings"]
    assert warnings == "OrderNotionalLimit: 959.9590000000 of 800.0000000000 quote"


async def test_without_volume_nothing_is_bought_and_the_reason_says_why(bench: Bench) -> None:
    bench.configure(risk=bench.config.risk.model_copy(update={"volume_share_max": D("0.1")}))
    trader = await bench.trader()
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("refuse", "no data for LiquidityLimit")
    assert bench.rows("decisions")[-1].columns["observed"] is None


async def test_the_highest_profit_survives_a_restart_and_a_drawdown_stops_buys(bench: Bench) -> None:
    changes = {"drawdown_max": D("0.05"), "daily_loss_quote_max": D(10**6)}
    bench.configure(adopt_balances_to=STRATEGY, risk=bench.config.risk.model_copy(update=changes))
    trader = await bench.trader()
    bench.market(target=0.5)
    await trader.cycle.run()
    await bench.advance(5)
    bench.market(target=0.5, price="60000")
    await trader.cycle.run()
    assert trader.account.drawdown_quote is not None
    assert trader.account.drawdown_quote < 1, "the fee of the order after it"
    successor = await bench.trader()
    bench.market(target=1.0, price="20000")
    (decision,) = await successor.cycle.run()
    assert (decision.action, decision.reason) == ("refuse", "DrawdownLimit")
    assert successor.account.drawdown_quote is not None
    assert successor.account.drawdown_quote > 1_000
