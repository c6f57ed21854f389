"""From what was asked to a row of `backtests`: looks whether it was done before, runs it, works out its figures."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ares.clock import Clock
from ares.config import AresConfig
from ares.config.trading import TradingConfig
from ares.store import Database, Record, RowWriter
from backtest.exact.describe import supposed
from backtest.exact.job import ExactJob
from backtest.exact.settings import ExactSettings, Frictions, Latency
from backtest.fast.job import FastJob
from backtest.fast.job import supposed as fast_supposed
from backtest.figures import figures
from backtest.inputs import Scope
from backtest.outcome import Outcome, Tested
from backtest.request import Request, Wishes, scope_of, trading_of
from backtest.rows import QUERIES, Ran, backtest_row

Stage = Callable[[str], Callable[[int], None]]
"""Begins a stage of the work by its name; what it returns is told up to which moment, UTC ns, that has come."""


@dataclass(frozen=True, slots=True)
class Done:
    """A run's row as the table has it. `cached`: it was there before."""

    row: Record
    cached: bool


class Runner:
    """Runs backtests for people: one at a time, with their rows."""

    def __init__(self, config: AresConfig, clock: Clock, stage: Stage) -> None:
        self._config = config
        self._clock = clock
        self._stage = stage

    def run(self, asked: Request, wishes: Wishes, report: Path | None, *, again: bool) -> Done:
        """Raises `UsageError` for what cannot be tested, `StoreError`."""
        scope = scope_of(self._config, asked)
        job = self._job(scope, wishes)
        if not again and report is None:
            before = asyncio.run(self._same(job.tested, wishes))
            if before is not None:
                return Done(before, cached=True)
        began_s = self._clock.monotonic_s()
        outcome = _outcome(job, self._stage("playing"))
        seconds = self._clock.monotonic_s() - began_s
        if report is not None:
            self._write_report(job, outcome, report)
        path = None if report is None else str(report)
        ran = Ran(str(uuid.uuid4()), self._clock.now_ns(), seconds, _supposed(job), path)
        return Done(asyncio.run(self._keep(ran, outcome)), cached=False)

    def _job(self, scope: Scope, wishes: Wishes) -> ExactJob | FastJob:
        trading, reading = trading_of(self._config.trading, scope, wishes.position), self._stage("reading")
        if wishes.tier == "fast":
            return FastJob.of(self._config, scope, trading, wishes, reading)
        return ExactJob.of(self._config, scope, exact_settings(trading, wishes), reading)

    def _write_report(self, job: ExactJob | FastJob, outcome: Outcome, path: Path) -> None:
        from backtest.report import written  # noqa: PLC0415 - few ask for a page

        written(outcome, figures(outcome), job.bars(), path, _supposed(job))

    async def _same(self, tested: Tested, wishes: Wishes) -> Record | None:
        """What the same rows, code and settings came to before."""
        about = {"data_hash": tested.data_hash, "code_hash": tested.code_hash}
        async with await Database.connect(self._config.database, readonly=True) as database:
            return await database.fetch_one(
                QUERIES["same"], {**about, "tier": wishes.tier, "strategy": tested.strategy}
            )

    async def _keep(self, ran: Ran, outcome: Outcome) -> Record:
        """Write the row, and read it as everybody else will."""
        writer = RowWriter(self._config.database)
        try:
            await writer.write([backtest_row(ran, outcome, figures(outcome).numbers())])
        finally:
            await writer.close()
        async with await Database.connect(self._config.database) as database:
            await database.wait_applied(["backtests"])
            row = await database.fetch_one(QUERIES["one"], {"begins": ran.run_id})
        assert row is not None, "what was acknowledged and applied is there"
        return row


def _outcome(job: ExactJob | FastJob, played: Callable[[int], None]) -> Outcome:
    return job.run() if isinstance(job, FastJob) else job.run(played).outcome


def _supposed(job: ExactJob | FastJob) -> dict[str, str]:
    return fast_supposed(job.settings) if isinstance(job, FastJob) else supposed(job.settings)


def exact_settings(trading: TradingConfig, wishes: Wishes) -> ExactSettings:
    """What the exact tier supposes, as it was wished for. Raises `ConfigError`."""
    return ExactSettings(
        trading,
        wishes.cash,
        Latency(trading.signal_poll_s, wishes.latency_s, wishes.latency_s),
        Frictions(wishes.half_spread_bps, wishes.slippage_bps, wishes.depth_share),
    )
