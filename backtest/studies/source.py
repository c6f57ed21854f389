"""What a study tries, from the database: a job's series, and the same bars with what the view says by other parameters.

The view is asked with today's rows: what a strategy would have wished, were everything known in time that is known by
now. Frozen signals, which the plain job reads, are what was known then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ares.clock import MINUTE_NS
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName, UsageError
from ares.lake.columns import read_columns
from ares.store import load_queries
from backtest.fast.job import FastJob
from backtest.fast.reading import on_grid
from backtest.fast.screen import Series
from backtest.inputs import QUERIES
from backtest.studies.trials import Trial, combinations, with_values
from backtest.tape import Signals

STUDIES = load_queries("backtest", "queries/studies.sql")
_PARAMETER = re.compile(r"OVERRIDABLE\s+@(\w+)\s*:=", re.IGNORECASE)
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
SPAN = ("from", "to")
"""Parameters that every view has, and no study varies."""


@dataclass(slots=True)
class Source:
    """The series of one strategy by the parameters of its view; each combination is read once."""

    config: DatabaseConfig
    job: FastJob
    signal_age_s_max: float
    _read: dict[tuple[tuple[str, str], ...], Series] = field(default_factory=dict)

    def trials(self, over: Mapping[str, Sequence[str]]) -> list[Trial]:
        """Every combination of values: of settings by name, of the view's parameters by `@name`.

        Raises `UnknownName`, `UsageError`, `StoreError`.
        """
        parameters = [name for name in over if name.startswith("@")]
        if parameters:
            self._check(parameters, over)
        trials: list[Trial] = []
        for values in combinations(over):
            named = tuple((name.removeprefix("@"), values[name]) for name in parameters)
            settings = {name: value for name, value in values.items() if name not in parameters}
            trials.append(Trial(values, self._series(named), with_values(self.job.settings, settings)))
        return trials

    def _check(self, parameters: Sequence[str], over: Mapping[str, Sequence[str]]) -> None:
        columns = read_columns(self.config, QUERIES["view"], {"view": self._view})
        text = " ".join(each or "" for each in columns.texts("view_sql"))
        known = sorted({name.lower() for name in _PARAMETER.findall(text)}.difference(SPAN))
        for name in parameters:
            if name.removeprefix("@") not in known:
                raise UnknownName(f"parameter of {self._view}", name, [f"@{each}" for each in known])
            wrong = [value for value in over[name] if not _NUMBER.match(value)]
            if wrong:
                raise UsageError(f"--over {name}: {wrong[0]!r} is no number. Write it as 10 or 0.5")

    @property
    def _view(self) -> str:
        return f"{self.job.tested.strategy}_v{self.job.tested.version}"

    def _series(self, named: tuple[tuple[str, str], ...]) -> Series:
        if not named:
            return self.job.series
        if named not in self._read:
            self._read[named] = self.job.series.targeting(self._wishes(named).targets)
        return self._read[named]

    def _wishes(self, named: tuple[tuple[str, str], ...]) -> Series:
        tested = self.job.tested
        told = ", ".join(f"@{name} := {value}" for name, value in named)  # checked: a word and a number
        sql = STUDIES["wishes"].replace("this_view", self._view).replace("these_parameters", told)
        span: dict[str, str | int] = {"venue": tested.venue, "from": tested.from_ns, "to": tested.to_ns}
        columns = read_columns(self.config, sql, span)
        ts, target = columns.moments("ts"), columns.numbers("target")
        names = np.array(columns.texts("symbol"))
        said = {
            symbol: Signals(ts[mine], ts[mine] + MINUTE_NS, target[mine], np.ones(int(mine.sum())))
            for symbol in tested.symbols
            if (mine := names == symbol) is not None
        }
        return on_grid(self.job.bars(), said, tested.symbols, self.signal_age_s_max)
