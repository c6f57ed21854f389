"""The exact tier: what it pays, when, and what it refuses, against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.trading import ExecutionConfig, ProtectionConfig, RiskConfig
from ares.errors import ConfigError
from backtest.exact.drive import Drive, run_exact
from backtest.exact.settings import ExactSettings, Frictions, Latency
from backtest.rows import fills_hash
from backtest.tape import BarsAndSignals, Signals, Trades
from tests.backtests import AT_ONCE, BITCOIN, CASH, SMOOTH, START_NS, SYMBOL, Made, over, played, through, trading
from trader.risk import TradingState

FLAT = Made([50_000.0] * 6, [1.0, 1.0, 0.0, 0.0, 1.0, 1.0])


def walk(minutes: int, seed: int) -> Made:
    rng = np.random.default_rng(seed)
    closes = np.round(50_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, minutes))), 2)
    return Made(closes.tolist(), np.round(rng.uniform(-0.5, 1.0, minutes), 2).tolist())


def cut(stretch: BarsAndSignals, at_ns: int) -> list[BarsAndSignals]:
    """The same market as two stretches: signals go by when they became known."""
    parts = []
    for from_ns, to_ns in ((stretch.from_ns, at_ns), (at_ns, stretch.to_ns)):
        bars, signals = stretch.bars[SYMBOL], stretch.signals[SYMBOL]
        rows = (bars.ts >= from_ns) & (bars.ts < to_ns)
        known = (signals.known_at >= from_ns) & (signals.known_at < to_ns)
        columns = (getattr(bars, name)[rows] for name in ("ts", "open", "high", "low", "close", "volume"))
        said = Signals(*(getattr(signals, name)[known] for name in ("ts", "known_at", "target", "confidence")))
        parts.append(BarsAndSignals(from_ns, to_ns, {SYMBOL: type(bars)(*columns)}, {SYMBOL: said}))
    return parts


def test_spread_and_fees_are_paid_to_the_last_digit() -> None:
    ran = played(Made([50_000.0] * 4, [1.0, 0.0, 0.0, 0.0]), frictions=Frictions(half_spread_bps=Decimal(10)))
    bought, sold = ran.outcome.fills
    assert (bought.side, bought.amount, bought.price) == ("buy", Decimal("0.08"), Decimal("50050.00"))
    assert bought.fee == Decimal("0.00008") * Decimal(50_050)
    assert (sold.side, sold.amount, sold.price) == ("sell", Decimal("0.07992"), Decimal("49950.00"))
    assert sold.fee == Decimal("3.99200400")
    assert ran.cash == 20_000 - Decimal("4004") + Decimal("3992.004") - Decimal("3.992004")
    assert ran.holdings == {SYMBOL: Decimal(0)}
    assert ran.outcome.equity[-1] == pytest.approx(float(ran.cash))
    assert ran.outcome.equity[0] == pytest.approx(20_000 - 4004 + 0.07992 * 50_000), "bought as the first bar ended"


def test_who_takes_is_served_worse_by_the_slippage_and_not_at_all_beyond_the_limit() -> None:
    little = Frictions(half_spread_bps=Decimal(1), slippage_bps=Decimal(2))
    assert played(FLAT, frictions=little).outcome.fills[0].price == Decimal("50015.00")
    much = Frictions(half_spread_bps=Decimal(1), slippage_bps=Decimal(20))
    ran = played(FLAT, frictions=much)
    assert ran.outcome.fills == ()
    assert ran.decisions["buy", "to_target"] > 4, "asked again every cycle, and expired each time"


def test_an_order_meets_the_market_of_when_it_arrives() -> None:
    made, decided_ns = Made([50_000.0] * 3, [0.0, 1.0, 1.0]), START_NS + 2 * MINUTE_NS
    ts = np.array([decided_ns - 5, decided_ns + NANOS_PER_SECOND // 10], dtype=np.int64)
    trades = Trades(ts, np.array([50_000.0, 50_020.0]), np.array([1.0, 1.0]), np.array([False, False]))
    stretch = made.stretch(trades)
    prices = {
        submit_s: through([stretch], latency=Latency(0.0, submit_s, 0.0)).outcome.fills[0]
        for submit_s in (0.0, 0.05, 0.25)
    }
    assert {submit_s: fill.price for submit_s, fill in prices.items()} == {0.0: 50_000, 0.05: 50_000, 0.25: 50_020}
    assert prices[0.25].ts_ns == decided_ns + NANOS_PER_SECOND // 4


def test_what_the_market_cannot_give_at_once_comes_with_later_cycles() -> None:
    thin = replace(FLAT, volume=10.0)
    ran = played(thin, frictions=Frictions(Decimal(0), depth_share=Decimal("0.004")))
    first, second = ran.outcome.fills[:2]
    assert first.amount == Decimal("0.04") * Decimal(1), "0.4 % of the ten that a minute traded"
    assert second.ts_ns - first.ts_ns == 5 * NANOS_PER_SECOND, "the next cycle"
    assert first.amount + second.amount == Decimal("0.08")


@pytest.mark.parametrize(
    ("risk", "rule"),
    [
        (RiskConfig(order_notional_quote_max=Decimal(3_000)), "OrderNotionalLimit"),
        (RiskConfig(position_quote_max=Decimal(3_000)), "PositionLimit"),
        (RiskConfig(gross_exposure_quote_max=Decimal(3_000)), "GrossExposureLimit"),
        (RiskConfig(concentration_max=Decimal("0.1")), "ConcentrationLimit"),
        (RiskConfig(spread_max=Decimal("0.00005")), "SpreadLimit"),
    ],
)
def test_limit_that_refuses_live_refuses_here(risk: RiskConfig, rule: str) -> None:
    ran = played(FLAT, trading(risk), frictions=Frictions(half_spread_bps=Decimal("0.5")))
    assert ran.outcome.fills == ()
    assert set(ran.outcome.refusals) == {rule}
    passes = played(FLAT, trading(RiskConfig()), frictions=Frictions(half_spread_bps=Decimal("0.5")))
    assert len(passes.outcome.fills) == 3
    assert passes.outcome.refusals == {}


def test_loss_of_the_day_ends_its_purchases() -> None:
    closes = [50_000.0, 50_000.0, 45_000.0, 45_000.0, 45_000.0, 45_000.0]
    made = Made(closes, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    ran = played(made, trading(RiskConfig(daily_loss_quote_max=Decimal(100))))
    assert [fill.side for fill in ran.outcome.fills] == ["buy", "sell"], "the way out stays open"
    assert set(ran.outcome.refusals) == {"DailyLossLimit"}


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
def test_kill_switch_holds_in_the_past_too(state: TradingState) -> None:
    ran = played(FLAT, state=state)
    assert ran.outcome.fills == ()
    assert set(ran.outcome.refusals) == {"TradingStateRule"}


def test_nothing_is_traded_by_a_price_from_before_a_gap() -> None:
    made = Made([50_000.0] * 3 + [float("nan")] * 5, [0.0] * 4 + [1.0] * 4)
    ran = played(made)
    assert ran.outcome.fills == ()
    assert ran.decisions["skip", "stale_quote"] > 0
    assert ran.outcome.equity.tolist() == [20_000.0] * 8


def test_same_inputs_give_the_same_trades_however_they_are_cut() -> None:
    whole = walk(120, seed=7).stretch()
    lag = {"latency": Latency(0.02, 0.05, 0.05), "frictions": Frictions()}
    once = through([whole], **lag)
    assert len(once.outcome.fills) > 20
    assert fills_hash(through([whole], **lag).outcome.fills) == fills_hash(once.outcome.fills)
    two = through(cut(whole, START_NS + 40 * MINUTE_NS), **lag)
    assert two.outcome.fills == once.outcome.fills
    assert two.outcome.equity.tolist() == pytest.approx(once.outcome.equity.tolist())
    assert (two.cash, two.decisions) == (once.cash, once.decisions)
    assert through([walk(120, seed=8).stretch()], **lag).outcome.fills != once.outcome.fills


def test_stop_that_the_trader_placed_is_executed_by_the_path_of_a_bar() -> None:
    closes = [50_000.0, 50_000.0, 48_000.0, 48_000.0, 48_000.0]
    config = trading(protection=ProtectionConfig(stop_loss_pct=Decimal(2)))
    ran = played(Made(closes, [1.0] * 5), config)
    bought, stopped = ran.outcome.fills
    assert (bought.side, stopped.side) == ("buy", "sell")
    assert stopped.price <= Decimal("49000")
    assert stopped.ts_ns < START_NS + 3 * MINUTE_NS
    assert ran.decisions["skip", "stopped_out"] > 0


def test_looks_that_could_see_nothing_are_left_out_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = trading(protection=ProtectionConfig(stop_loss_pct=Decimal("0.1"), take_profit_pct=Decimal("0.1")))
    made = Made(walk(60, seed=11).closes, ([0.9] * 9 + [0.0]) * 6)
    quick = played(made, config, latency=Latency())
    monkeypatch.setattr(Drive, "_slot_s", lambda _drive, sweep_s: sweep_s)
    patient = played(made, config, latency=Latency())
    assert len(quick.outcome.fills) > 8
    assert quick.outcome.fills == patient.outcome.fills
    assert (quick.cash, quick.decisions) == (patient.cash, patient.decisions)


def test_order_that_rests_is_a_maker_once_the_market_comes_to_it() -> None:
    closes = [50_000.0, 50_000.0, 49_900.0, 50_000.0, 50_000.0]
    config = trading(execution=ExecutionConfig(policy="post_only", patience_s=40.0, then="give_up"))
    ran = played(Made(closes, [1.0] * 5), config, frictions=Frictions(half_spread_bps=Decimal(1)))
    assert {fill.liquidity for fill in ran.outcome.fills} == {"maker"}
    assert ran.outcome.fills[0].price == Decimal("49995.00")
    assert sum(fill.amount for fill in ran.outcome.fills) == Decimal("0.08")


def test_what_cannot_be_played_is_refused_with_the_way_out() -> None:
    for risk in (RiskConfig(var_quote_max=Decimal(100)), RiskConfig(scaling=True)):
        with pytest.raises(ConfigError, match="for the backtest"):
            ExactSettings(trading(risk), CASH)
    with pytest.raises(ConfigError, match="cash"):
        ExactSettings(trading(), Decimal(0))
    with pytest.raises(ConfigError, match="half_spread_bps"):
        Frictions(half_spread_bps=Decimal(-1))
    other = trading(strategies=(trading().strategies[0].model_copy(update={"name": "other"}),))
    with pytest.raises(ConfigError, match="max_position_quote"):
        played(FLAT, other)
    contract = trading().strategies[0].model_copy(update={"symbols": ("BTC/USDT:USDT",)})
    with pytest.raises(ConfigError, match="spot"):
        ExactSettings(trading(strategies=(contract,)), CASH, AT_ONCE)


def test_symbols_share_one_account_and_each_is_worth_its_own_price() -> None:
    made = {"BTC/USDT": Made([50_000.0] * 5, [1.0] * 5), "ETH/USDT": Made([2_000.0] * 5, [0.5] * 5)}
    parts = {symbol: each.stretch() for symbol, each in made.items()}
    stretch = BarsAndSignals(
        START_NS,
        START_NS + 6 * MINUTE_NS,
        {symbol: part.bars[SYMBOL] for symbol, part in parts.items()},
        {symbol: part.signals[SYMBOL] for symbol, part in parts.items()},
    )
    grids = {symbol: replace(BITCOIN, symbol=symbol) for symbol in made}
    both = replace(over([stretch]), symbols=tuple(made))
    ran = run_exact(ExactSettings(trading(), CASH, AT_ONCE, SMOOTH), both, grids, [stretch])
    bought = {fill.symbol: fill.amount for fill in ran.outcome.fills}
    assert bought == {"BTC/USDT": Decimal("0.08"), "ETH/USDT": Decimal(1)}
    assert ran.cash == CASH - 4_000 - 2_000
    assert ran.holdings == {"BTC/USDT": Decimal("0.07992"), "ETH/USDT": Decimal("0.999")}
    assert ran.outcome.equity.tolist() == pytest.approx([20_000 - 6] * 5)
