"""One market and one set of wishes for both tiers: `make backtest-proof` runs thousands of them.

The exact tier decides when a signal is known, in the last millisecond of its bar here, so by the bar's close; its order
is at the venue 50 ms later, so at the next bar's open. What else it does in between (trying again, orders in doubt) is
settled away: one decision a bar is what the fast tier knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ares.clock import MINUTE_NS, NANOS_PER_MILLI
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from backtest.exact.drive import run_exact
from backtest.exact.settings import BPS, ExactSettings, Frictions, Latency
from backtest.fast.screen import Series, screen
from backtest.fast.settings import Costs, FastSettings
from backtest.outcome import Outcome, Tested
from backtest.tape import Bars, BarsAndSignals, Instrument, Signals
from trader.portfolio.sizing import Grid

START_NS = 1_704_067_200_000_000_000  # 2024-01-01: no midnight comes within a run
BARS_MAX = 180
STRATEGY = "trend"
LATENCY = Latency(0.02, 0.05, 0.05)


@dataclass(frozen=True)
class Drawn:
    """What a seed stands for."""

    series: Series
    trading: TradingConfig
    instruments: dict[str, Instrument]
    frictions: Frictions
    cash: Decimal

    def tested(self) -> Tested:
        end_ns = START_NS + len(self.series.ts) * MINUTE_NS
        return Tested(STRATEGY, 1, "sim", self.series.symbols, START_NS, end_ns, self.cash, "", "")

    def fast(self) -> Outcome:
        grids = {
            each.symbol: Grid(each.price_tick, each.amount_step, each.cost_min) for each in self.instruments.values()
        }
        fee = next(iter(self.instruments.values())).taker_fee
        costs = Costs(fee, self.frictions.half_spread_bps / BPS, self.frictions.slippage_bps / BPS)
        settings = FastSettings.of(self.trading, self.trading.strategies[0], grids, self.cash, costs)
        return screen(self.series, settings).outcome(self.tested())

    def exact(self) -> Outcome:
        settings = ExactSettings(self.trading, self.cash, LATENCY, self.frictions)
        stretch = BarsAndSignals(START_NS, self.tested().to_ns, self._bars(), self._signals())
        return run_exact(settings, self.tested(), self.instruments, [stretch]).outcome

    def _bars(self) -> dict[str, Bars]:
        s = self.series
        volume = np.ones(len(s.ts))
        return {
            symbol: Bars(s.ts, s.open[:, n], s.high[:, n], s.low[:, n], s.close[:, n], volume)
            for n, symbol in enumerate(s.symbols)
        }

    def _signals(self) -> dict[str, Signals]:
        known_at = self.series.ts + MINUTE_NS - NANOS_PER_MILLI // 2 - round(LATENCY.decide_s * 1e9)
        confidence = np.ones(len(known_at))
        return {
            symbol: Signals(self.series.ts, known_at, self.series.targets[:, n], confidence)
            for n, symbol in enumerate(self.series.symbols)
        }


def drawn(seed: int) -> Drawn:
    """A market, its grid, costs, limits and wishes, all by a seed."""
    chance = np.random.default_rng(seed)
    symbols = ("BTC/USDT", "ETH/USDT")[: int(chance.integers(1, 3))]
    fee = Decimal(str(chance.choice(["0", "0.001", "0.00075"])))
    instruments = {symbol: _instrument(symbol, fee, chance) for symbol in symbols}
    frictions = Frictions(
        Decimal(str(chance.choice(["0", "0.5", "3"]))), Decimal(str(chance.choice(["0", "1"]))), quote_stands_s=3_600.0
    )
    return Drawn(_series(instruments, chance), _trading(symbols, chance), instruments, frictions, Decimal(2_000))


def _instrument(symbol: str, fee: Decimal, chance: np.random.Generator) -> Instrument:
    tick, step = chance.choice(["0.01", "0.001", "0.1"]), chance.choice(["0.00001", "0.001", "0.01"])
    return Instrument(symbol, Decimal(str(tick)), Decimal(str(step)), Decimal(5), fee, fee)


def _series(instruments: dict[str, Instrument], chance: np.random.Generator) -> Series:
    bars, shape = int(chance.integers(30, BARS_MAX)), (len(instruments),)
    ticks = np.array([float(each.price_tick) for each in instruments.values()])

    def on_grid(prices: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray:
        return np.round(np.round(prices / ticks) * ticks, 3)

    moves = chance.standard_normal((bars, *shape)) * chance.choice([0.0005, 0.003])
    close = on_grid(100 * np.exp(np.cumsum(moves, axis=0)))
    opened = np.vstack((close[:1], close[:-1]))
    opened = on_grid(opened * (1 + np.where(chance.random(opened.shape) < 0.3, 0.0007, 0)))
    every = int(chance.integers(1, 12))
    wishes = np.round(chance.uniform(-0.8, 1.2, (bars // every + 1, *shape)), 2)
    targets = np.repeat(wishes, every, axis=0)[:bars]
    targets[chance.random(targets.shape) < 0.03] = np.nan
    targets[-1] = np.nan  # there is no open that an order of the last bar could meet
    ts = START_NS + np.arange(bars, dtype=np.int64) * MINUTE_NS
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Series(tuple(instruments), MINUTE_NS, ts, opened, high, low, close, targets)


def _trading(symbols: tuple[str, ...], chance: np.random.Generator) -> TradingConfig:
    def one_of(*values: str) -> Decimal:
        return Decimal(str(chance.choice(values)))

    def perhaps(*values: str) -> Decimal | None:
        return one_of(*values) if chance.random() < 0.5 else None

    risk = RiskConfig(
        order_notional_quote_max=one_of("400", "5000", "5000"),
        position_quote_max=one_of("700", "10000", "10000"),
        gross_exposure_quote_max=one_of("900", "20000", "20000"),
        net_exposure_quote_max=perhaps("800", "20000"),
        strategy_exposure_quote_max=perhaps("850", "20000"),
        concentration_max=perhaps("0.3", "0.5"),
        leverage_max=perhaps("0.6", "1.1"),
        drawdown_max=perhaps("0.005", "0.2"),
        daily_loss_quote_max=one_of("6", "500"),
        price_collar=Decimal("0.02"),
        spread_max=Decimal("0.01"),
    )
    strategy = StrategyConfig(name=STRATEGY, max_position_quote=one_of("500", "1000"), symbols=symbols)
    return TradingConfig(
        account="proof",
        strategies=(strategy,),
        risk=risk,
        cycle_s=60.0,  # what is left undone waits for the next signal
        slippage_max=one_of("0.0005", "0.002"),
        order_type="market" if chance.random() < 0.3 else "limit_ioc",
        rebalance_share_min=float(chance.choice([0.0, 0.02, 0.1])),
        instrument_age_s_max=86_400.0,
    )
