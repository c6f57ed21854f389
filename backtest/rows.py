"""The table `backtests`: one row a run, to compare, and so that nothing is worked out twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from ares.model.row import Cell, Row, UtcNs
from ares.store import load_queries
from backtest.outcome import Fill, Outcome

QUERIES = load_queries("backtest", "queries/backtests.sql")
COUNTS = ("trades", "fills")
FIGURES = (
    *("start_quote", "end_quote", "pnl_quote", "return_share", "sharpe", "sortino", "calmar", "drawdown_share_max"),
    *("drawdown_s_max", "win_share", "profit_factor", "fees_quote", "turnover_quote", "exposure_share", *COUNTS),
)
"""Those of an outcome's figures that have a column."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What is known of a run beside its outcome. `settings`: what was supposed of the market, by name."""

    run_id: str
    ended_ns: int
    seconds: float
    settings: Mapping[str, str]
    report: str | None = None


def backtest_row(ran: Ran, outcome: Outcome, figures: Mapping[str, float | None]) -> Row:
    """The row of a run that came to its end."""
    tested = outcome.tested
    named: dict[str, Cell] = {name: _cell(name, figures.get(name)) for name in FIGURES}
    columns: dict[str, Cell] = {
        "run_id": ran.run_id,
        "version": tested.version,
        "symbols": ",".join(tested.symbols),
        "from_ts": UtcNs(tested.from_ns),
        "to_ts": UtcNs(tested.to_ns),
        "data_hash": tested.data_hash,
        "code_hash": tested.code_hash,
        "fills_hash": fills_hash(outcome.fills),
        "refused": sum(outcome.refusals.values()),
        "refusals": orjson.dumps(dict(outcome.refusals), option=orjson.OPT_SORT_KEYS).decode(),
        "settings": orjson.dumps(dict(ran.settings), option=orjson.OPT_SORT_KEYS).decode(),
        "seconds": ran.seconds,
        "report": ran.report,
    }
    symbols = {"strategy": tested.strategy, "venue": tested.venue, "tier": outcome.tier, "status": "ok"}
    return Row("backtests", ran.ended_ns, symbols, named | columns)


def fills_hash(fills: Sequence[Fill]) -> str:
    """SHA-256 over the executions in their order: two runs of one hash traded alike, to the last digit."""
    digest = hashlib.sha256()
    for fill in fills:
        digest.update("|".join(str(value) for value in fill).encode() + b"\n")
    return digest.hexdigest()


def _cell(name: str, value: float | None) -> Cell:
    return int(value) if name in COUNTS and value is not None else value
