"""`ares backtest sweep | walk-forward | monte-carlo`: studies of one strategy, by the fast tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import Progress

from ares.clock import NANOS_PER_SECOND, to_datetime
from ares.commands.moments import moment_of
from ares.commands.output import console, errors, print_rows
from ares.config import load_config
from ares.telemetry import configure_logging

if TYPE_CHECKING:
    from backtest.outcome import Outcome
    from backtest.studies.source import Source
    from backtest.studies.trials import Trial

sweep_app = typer.Typer(add_completion=False)
walk_forward_app = typer.Typer(add_completion=False)
monte_carlo_app = typer.Typer(add_completion=False)

Strategy = Annotated[str, typer.Argument(help="A strategy that has frozen signals: signal_momentum, or …_v1.")]
From = Annotated[str, typer.Option("--from", help="UTC: 2024-08-08 or 2024-08-08T06:30.")]
To = Annotated[str, typer.Option("--to", help="UTC, exclusive.")]
Symbols = Annotated[str, typer.Option(help="BTC/USDT,ETH/USDT. Unset: all that it has signals of.")]
Venue = Annotated[str | None, typer.Option(help="Unset: trading.venue.")]
Cash = Annotated[str, typer.Option(help="What the account begins with, in the quote currency.")]
Position = Annotated[str | None, typer.Option(help="Size at target 1, quote currency. Unset: as configured.")]
HalfSpread = Annotated[str, typer.Option(help="Best bid and ask lie so far from the last price.")]
Slippage = Annotated[str, typer.Option(help="Who takes is served so much worse than the best.")]
Over = Annotated[list[str], typer.Option(help="A setting, or @parameter of the view, and its values: name=1,2,3.")]
By = Annotated[str, typer.Option(help="sharpe, sortino, return_share or drawdown_share_max.")]
Report = Annotated[Path | None, typer.Option(help="Write an HTML page of the result here.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What all studies ask for."""

    strategy: str
    span: tuple[str, str]
    symbols: str
    venue: str | None
    cash: str
    position: str | None
    costs_bps: tuple[str, str]

    def source(self) -> Source:
        """Read what is to be studied. Raises `UsageError`, `StoreError`."""
        from backtest.fast.job import FastJob  # noqa: PLC0415 - numba and pyarrow take time; help must not wait
        from backtest.request import Request, Wishes, decimal_of, scope_of, trading_of  # noqa: PLC0415 - as above
        from backtest.studies.source import Source  # noqa: PLC0415 - as above

        configure_logging("backtest", "error", json=False)
        config = load_config()
        named = tuple(each.strip() for each in self.symbols.split(",") if each.strip())
        bounds = (moment_of("--from", self.span[0]), moment_of("--to", self.span[1]))
        scope = scope_of(config, Request(self.strategy, self.venue or config.trading.venue, named, *bounds))
        size = None if self.position is None else decimal_of("--position", self.position)
        trading = trading_of(config.trading, scope, size)
        wishes = Wishes(
            tier="fast",
            cash=decimal_of("--cash", self.cash),
            half_spread_bps=decimal_of("--half-spread-bps", self.costs_bps[0]),
            slippage_bps=decimal_of("--slippage-bps", self.costs_bps[1]),
        )
        with shown("reading", max(1, bounds[1] - bounds[0]) // NANOS_PER_SECOND) as read:
            job = FastJob.of(config, scope, trading, wishes, lambda ns: read((ns - bounds[0]) // NANOS_PER_SECOND))
        return Source(config.database, job, trading.risk.signal_age_s_max)


@sweep_app.command("sweep")
def sweep(
    strategy: Strategy,
    *,
    from_: From,
    to: To,
    over: Over,
    by: By = "sharpe",
    symbols: Symbols = "",
    venue: Venue = None,
    cash: Cash = "20000",
    position: Position = None,
    half_spread_bps: HalfSpread = "0.5",
    slippage_bps: Slippage = "0",
    top: Annotated[int, typer.Option(min=1, help="So many of the best.")] = 20,
    report: Report = None,
    json: Json = False,
) -> None:
    """Try every combination of settings, best first.

    Example: ares backtest sweep signal_momentum --from 2024-08-01 --to 2024-08-08 --over rebalance_share_min=0.05,0.2
    """
    asked = Asked(strategy, (from_, to), symbols, venue, cash, position, (half_spread_bps, slippage_bps))
    source, trials = _trials(asked, over)
    from backtest.studies.sweep import sweep as run  # noqa: PLC0415 - numpy takes time; help must not wait

    with shown("trying", len(trials)) as tried:
        swept = run(trials, by, tried=tried)
    print_rows([each.row() for each in list(swept.scored)[:top]], json=json)
    if report is not None:
        _write(source, swept.best.trial.run().outcome(source.job.tested), report, dict(swept.best.trial.values))
    if not json:
        chance = "not known" if swept.deflated_sharpe is None else f"{swept.deflated_sharpe:.1%}"
        console.print(f"The best of {len(trials)}: its Sharpe is more than luck with a probability of {chance}.")


@walk_forward_app.command("walk-forward")
def walk_forward(
    strategy: Strategy,
    *,
    from_: From,
    to: To,
    over: Over,
    train_days: Annotated[float, typer.Option(help="So much of the past is chosen by.")] = 30.0,
    test_days: Annotated[float, typer.Option(help="So long what was chosen is traded.")] = 7.0,
    anchored: Annotated[bool, typer.Option("--anchored", help="All of the past is chosen by.")] = False,
    by: By = "sharpe",
    symbols: Symbols = "",
    venue: Venue = None,
    cash: Cash = "20000",
    position: Position = None,
    half_spread_bps: HalfSpread = "0.5",
    slippage_bps: Slippage = "0",
    report: Report = None,
    json: Json = False,
) -> None:
    """Trade in each window what was best before it; what came after counts.

    Example: ares backtest walk-forward signal_momentum --from 2024-01-01 --to 2024-07-01 --over slippage_max=0,0.01
    """
    asked = Asked(strategy, (from_, to), symbols, venue, cash, position, (half_spread_bps, slippage_bps))
    source, trials = _trials(asked, over)
    from backtest.studies import walk_forward as walking  # noqa: PLC0415 - numpy takes time; help must not wait

    with shown("walking", 1) as walked:
        found = walking.walk_forward(
            trials,
            source.job.tested,
            walking.Plan(train_days, test_days, anchored),
            by,
            lambda done, of: walked(done // of),
        )
    rows: list[dict[str, object]] = [
        {
            "from": to_datetime(step.from_ns),
            "to": to_datetime(step.to_ns),
            **step.chosen.trial.values,
            f"{by}_before": getattr(step.chosen, by),
            f"{by}_after": getattr(step.after, by),
            "return_share": step.after.return_share,
            "fills": step.after.fills,
        }
        for step in found.steps
    ]
    print_rows(rows, json=json)
    if report is not None:
        _write(source, found.outcome, report, {"Windows": len(found.steps), "Chosen by": by})
    if not json:
        _print_figures(found.outcome)


@monte_carlo_app.command("monte-carlo")
def monte_carlo(
    strategy: Strategy,
    *,
    from_: From,
    to: To,
    method: Annotated[
        Literal["trades", "blocks"], typer.Option(help="Round trips, or stretches of returns.")
    ] = "blocks",
    runs: Annotated[int, typer.Option(min=1, help="How many are drawn.")] = 2_000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same.")] = 1,
    block: Annotated[int | None, typer.Option(help="Returns of a stretch. Unset: the cube root of all.")] = None,
    symbols: Symbols = "",
    venue: Venue = None,
    cash: Cash = "20000",
    position: Position = None,
    half_spread_bps: HalfSpread = "0.5",
    slippage_bps: Slippage = "0",
    json: Json = False,
) -> None:
    """What else it might have come to: the end, the return and the deepest fall in 5 to 95 of 100 runs.

    Example: ares backtest monte-carlo signal_momentum --from 2024-08-01 --to 2024-08-08 --method trades
    """
    asked = Asked(strategy, (from_, to), symbols, venue, cash, position, (half_spread_bps, slippage_bps))
    outcome = asked.source().job.run()
    from backtest.returns import returns  # noqa: PLC0415 - numpy takes time; help must not wait
    from backtest.studies.monte_carlo import of_blocks, of_trades  # noqa: PLC0415 - as above
    from backtest.trips import trips  # noqa: PLC0415 - as above

    start = float(outcome.tested.start_quote)
    if method == "trades":
        profits = [float(trip.profit_quote) for trip in trips(outcome.fills) if trip.closed_ns is not None]
        drawn = of_trades(profits, start, runs, seed)
    else:
        drawn = of_blocks(returns(outcome.equity_ts, outcome.equity, start).values, start, runs, seed, block)
    print_rows([spread.row() for spread in drawn.spreads], json=json)
    if not json:
        console.print(f"{drawn.loss_share:.1%} of {drawn.runs:,} runs lost. Seed {drawn.seed}.")


def _trials(asked: Asked, over: list[str]) -> tuple[Source, list[Trial]]:
    from backtest.studies.trials import parsed  # noqa: PLC0415 - numba takes time; help must not wait

    values = parsed(over)
    source = asked.source()
    return source, source.trials(values)


def _write(source: Source, outcome: Outcome, path: Path, settings: dict[str, object]) -> None:
    from backtest.figures import figures  # noqa: PLC0415 - numpy takes time; help must not wait
    from backtest.report import written  # noqa: PLC0415 - as above

    written(outcome, figures(outcome), source.job.bars(), path, settings)


def _print_figures(outcome: Outcome) -> None:
    from backtest.figures import figures  # noqa: PLC0415 - numpy takes time; help must not wait

    rows: list[dict[str, object]] = [
        {"figure": name, "out of sample": value} for name, value in figures(outcome).numbers().items()
    ]
    print_rows(rows, json=False)


@contextmanager
def shown(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; what it yields is told how far the work is."""
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda done: progress.update(bar, completed=done)
