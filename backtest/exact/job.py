"""One exact backtest from the database to its outcome: what is read, and how it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ares.config.settings import AresConfig
from ares.lake.columns import read_columns
from backtest.exact.describe import deciding
from backtest.exact.drive import ExactRun, Progress, run_exact
from backtest.exact.settings import ExactSettings
from backtest.inputs import QUERIES, Fees, Inputs, Scope
from backtest.outcome import Tested
from backtest.provenance import code_hash
from backtest.tape import Bars, joined


@dataclass(frozen=True, slots=True)
class ExactJob:
    """A backtest that was asked for. Every method may raise `StoreError`."""

    inputs: Inputs
    settings: ExactSettings
    tested: Tested

    @classmethod
    def of(cls, config: AresConfig, scope: Scope, settings: ExactSettings, progress: Progress) -> ExactJob:
        """Read everything once, to know what it is. Raises `UsageError` where there is nothing to test."""
        fees = Fees(config.simulator.maker_fee, config.simulator.taker_fee)
        inputs = Inputs(config.database, scope, fees)
        data = inputs.data_hash(progress)
        view = read_columns(config.database, QUERIES["view"], {"view": f"{scope.strategy}_v{scope.version}"})
        said = [text or "" for text in view.texts("view_sql")]
        tested = Tested(
            scope.strategy,
            scope.version,
            scope.venue,
            scope.symbols,
            scope.from_ns,
            scope.to_ns,
            settings.cash,
            data_hash=data,
            code_hash=code_hash(*said, *deciding(settings)),
        )
        return cls(inputs, settings, tested)

    def bars(self) -> Mapping[str, Bars]:
        """All bars of the range at once, for a chart."""
        return joined([stretch.bars for stretch in self.inputs.stretches()])

    def run(self, progress: Progress) -> ExactRun:
        """Play it, reading a day at a time. Raises `ConfigError` for what cannot be played."""
        return run_exact(self.settings, self.tested, self.inputs.instruments(), self.inputs.stretches(), progress)
