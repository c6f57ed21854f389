"""One fast backtest from the database to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ares.config.settings import AresConfig
from ares.config.trading import TradingConfig
from ares.errors import UsageError
from ares.lake.columns import read_columns
from backtest.fast.reading import series_of
from backtest.fast.screen import Series, screen
from backtest.fast.settings import Costs, FastSettings
from backtest.inputs import QUERIES, Fees, Inputs, Scope
from backtest.outcome import Outcome, Tested
from backtest.provenance import code_hash
from backtest.request import Wishes
from backtest.tape import Bars, Instrument, joined
from trader.portfolio.sizing import Grid

BPS = Decimal(10_000)
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FastJob:
    """A backtest that was asked for, its series read. All of the range is in memory: 50 bytes a bar and symbol."""

    series: Series
    settings: FastSettings
    tested: Tested
    read: Mapping[str, Bars]

    @classmethod
    def of(
        cls, config: AresConfig, scope: Scope, trading: TradingConfig, wishes: Wishes, progress: Progress
    ) -> FastJob:
        """Read everything. Raises `UsageError` where there is nothing to test or only the exact tier can, and
        `StoreError`.
        """
        inputs = Inputs(config.database, scope, Fees(config.simulator.maker_fee, config.simulator.taker_fee))
        settings = fast_settings(trading, inputs.instruments(), wishes)
        data = inputs.data_hash(progress)
        stretches = list(inputs.stretches())
        series = series_of(stretches, scope.symbols, trading.risk.signal_age_s_max)
        view = read_columns(config.database, QUERIES["view"], {"view": f"{scope.strategy}_v{scope.version}"})
        said = [text or "" for text in view.texts("view_sql")]
        tested = Tested(
            scope.strategy,
            scope.version,
            scope.venue,
            scope.symbols,
            scope.from_ns,
            scope.to_ns,
            wishes.cash,
            data_hash=data,
            code_hash=code_hash(*said, "fast", trading.model_dump_json(), repr(settings)),
        )
        return cls(series, settings, tested, joined([stretch.bars for stretch in stretches]))

    def bars(self) -> Mapping[str, Bars]:
        """All bars of the range, for a chart."""
        return self.read

    def run(self) -> Outcome:
        """Screen it."""
        return screen(self.series, self.settings).outcome(self.tested)


def fast_settings(trading: TradingConfig, instruments: Mapping[str, Instrument], wishes: Wishes) -> FastSettings:
    """What was wished for in the fast tier's words. Raises `UsageError` for what only the exact tier knows."""
    if wishes.depth_share is not None:
        raise UsageError(f"--depth-share = {wishes.depth_share}: the fast tier fills orders whole. Take --tier exact")
    fees = sorted({each.taker_fee for each in instruments.values()})
    if len(fees) > 1:
        raise UsageError(f"--symbols: their fees differ, {fees[0]} to {fees[-1]}. Test them apart, or by --tier exact")
    grids = {symbol: Grid(each.price_tick, each.amount_step, each.cost_min) for symbol, each in instruments.items()}
    costs = Costs(fees[0], wishes.half_spread_bps / BPS, wishes.slippage_bps / BPS)
    return FastSettings.of(trading, trading.strategies[0], grids, wishes.cash, costs)


def supposed(settings: FastSettings) -> dict[str, str]:
    """What was supposed of the market, by name: for the row."""
    costs = settings.costs
    told = {"cash": settings.start_quote, "taker_fee": costs.taker_fee, "half_spread": costs.half_spread}
    return {name: str(value) for name, value in {**told, "slippage": costs.slippage}.items()}
