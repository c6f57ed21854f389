"""Made-up markets as arrays and as rows, and exact backtests of them with as little said as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from backtest.exact.drive import ExactRun, run_exact
from backtest.exact.settings import ExactSettings, Frictions, Latency
from backtest.outcome import Floats, Tested
from backtest.tape import Bars, BarsAndSignals, Instrument, Signals, Trades

START_NS = 1_700_006_400 * NANOS_PER_SECOND
"""Midnight, UTC."""
SYMBOL, STRATEGY, VENUE = "BTC/USDT", "signal_made", "sim"
CASH = Decimal(20_000)
AT_ONCE = Latency(0.0, 0.0, 0.0)
SMOOTH = Frictions(half_spread_bps=Decimal(0))
"""No spread, no slippage, all there is to have."""
BITCOIN = Instrument(SYMBOL, Decimal("0.01"), Decimal("0.00001"), Decimal(5), Decimal("0.001"), Decimal("0.001"))


@dataclass(frozen=True, slots=True)
class Made:
    """A market of one symbol: bars whose open is the close before, at a price a minute, and a target a minute."""

    closes: Sequence[float]
    targets: Sequence[float]
    volume: float = 10.0

    def stretch(self, trades: Trades | None = None) -> BarsAndSignals:
        """All of it as one stretch; each signal is known as its bar ends."""
        count = len(self.closes)
        close: Floats = np.array(self.closes, dtype=np.float64)
        opening = np.concatenate((close[:1], close[:-1]))
        ts = START_NS + np.arange(count) * MINUTE_NS
        high, low = np.maximum(opening, close), np.minimum(opening, close)
        bars = Bars(ts, opening, high, low, close, np.full(count, self.volume))
        target: Floats = np.array(self.targets, dtype=np.float64)
        signals = Signals(ts, ts + MINUTE_NS, target, np.abs(target))
        return BarsAndSignals(
            START_NS,
            START_NS + (count + 1) * MINUTE_NS,
            {SYMBOL: bars},
            {SYMBOL: signals},
            {} if trades is None else {SYMBOL: trades},
        )


def trading(risk: RiskConfig | None = None, **changes: object) -> TradingConfig:
    """A trader of the one strategy, which no limit holds back unless it is said to."""
    loose = RiskConfig(
        concentration_max=None, drawdown_max=None, leverage_max=None, daily_loss_quote_max=Decimal(1_000_000)
    )
    strategy = StrategyConfig(name=STRATEGY, max_position_quote=Decimal(4_000))
    return TradingConfig(strategies=(strategy,), risk=risk or loose).model_copy(update=changes)


def over(stretches: Sequence[BarsAndSignals]) -> Tested:
    """What is tested by a run over these stretches."""
    return Tested(STRATEGY, 1, VENUE, (SYMBOL,), stretches[0].from_ns, stretches[-1].to_ns, CASH, "", "")


def played(made: Made, config: TradingConfig | None = None, **settings: object) -> ExactRun:
    """A run over one made market; without latency and frictions where nothing is said."""
    return through([made.stretch()], config, **settings)


def through(stretches: Sequence[BarsAndSignals], config: TradingConfig | None = None, **settings: object) -> ExactRun:
    """The same over stretches that follow one another."""
    chosen = {"latency": AT_ONCE, "frictions": SMOOTH, **settings}
    exact = ExactSettings(config or trading(), CASH, **chosen)  # type: ignore[arg-type]
    return run_exact(exact, over(stretches), {SYMBOL: BITCOIN}, stretches)
