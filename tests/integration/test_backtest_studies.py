"""`ares backtest sweep | walk-forward | monte-carlo`, and the fast tier of `run`, over rows of a real QuestDB."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from ares.clock import HOUR_NS, MINUTE_NS, isoformat
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName, UsageError
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from backtest.commands import app
from backtest.studies.commands import monte_carlo_app, sweep_app, walk_forward_app
from tests.backtests import START_NS, SYMBOL
from tests.helpers import settings_file

STRATEGY = "signal_wave"
BARS = 720
VIEW = """CREATE OR REPLACE VIEW signal_wave_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), OVERRIDABLE @level := 100.0
  SELECT ts, venue, symbol, CASE WHEN close < @level THEN 1.0 ELSE 0.0 END AS target, 1.0 AS confidence,
         null::symbol AS model_version
  FROM bar_facts WHERE ts >= @from AND ts <= @to
)"""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    """The command line, configured for the tests' QuestDB and a venue of its own."""
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, "")))
    return CliRunner()


@pytest.fixture
async def wave(database: Database, writer: RowWriter, venue: str) -> AsyncIterator[None]:
    """Twelve hours of a market that goes up and down by two in a hundred, and who buys below its middle."""
    await database.execute(VIEW)
    grid = {"price_tick": Decimal("0.01"), "amount_step": Decimal("0.00001"), "cost_min": Decimal(5)}
    names = {"venue": venue, "symbol": SYMBOL}
    rows = [Row("instruments", START_NS, {**names, "base": "BTC", "quote": "USDT"}, {**grid, "active": True})]
    prices = np.round(100 + 2 * np.sin(np.arange(BARS + 1) / 15), 2).tolist()
    for minute, (opened, close) in enumerate(pairwise(prices)):
        ts_ns = START_NS + minute * MINUTE_NS
        known = {"revision": 0, "known_at": UtcNs(ts_ns + MINUTE_NS + 1_000_000_000)}
        bar = {"open": opened, "high": max(opened, close), "low": min(opened, close), "close": close, "volume": 9.0}
        rows.append(Row("bar_facts", ts_ns, {**names, "interval": "1m", "status": "traded"}, {**bar, **known}))
        wish = {"version": 1, "target": 1.0 if close < 100 else 0.0, "confidence": 1.0}
        said = {**names, "strategy": STRATEGY, "known_at_kind": "live"}
        rows.append(Row("signal_values", ts_ns, said, {**wish, **known}))
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "signal_values", "instruments"])
    yield
    await database.execute("DROP VIEW IF EXISTS signal_wave_v1")


async def call(cli: CliRunner, which: typer.Typer, venue: str, *words: str) -> Result:
    span = ("--from", isoformat(START_NS)[:19], "--to", isoformat(START_NS + 12 * HOUR_NS)[:19])
    about = [STRATEGY, *span, "--venue", venue, "--position", "4000", *words]
    if which is app:
        about = ["run", *about]
    return await asyncio.to_thread(cli.invoke, which, about, catch_exceptions=False)


@pytest.mark.usefixtures("wave")
async def test_studies_of_a_wave(cli: CliRunner, venue: str, tmp_path: Path) -> None:
    page = tmp_path / "wave.html"
    (fast,) = json.loads((await call(cli, app, venue, "--tier", "fast", "--report", str(page), "--json")).stdout)
    assert (fast["tier"], fast["trades"]) == ("fast", 7)
    assert fast["pnl_quote"] < 0, "out where it came in: what is left is the costs"
    assert "signal_wave 1, fast backtest" in page.read_text(encoding="utf-8")
    (exact,) = json.loads((await call(cli, app, venue, "--json")).stdout)
    assert exact["trades"] == fast["trades"]
    assert exact["pnl_quote"] == pytest.approx(fast["pnl_quote"], rel=0.05), "latency moves prices a little"

    swept = await call(
        cli, sweep_app, venue, "--over", "max_position_quote=1000,4000", "--over", "taker_fee=0,0.02", "--json"
    )
    rows = json.loads(swept.stdout)
    assert len(rows) == 4
    assert (rows[0]["taker_fee"], rows[-1]["taker_fee"]) == ("0", "0.02")
    assert rows[0]["sharpe"] > rows[-1]["sharpe"]
    told = await call(cli, sweep_app, venue, "--over", "max_position_quote=1000,4000")
    assert "The best of 2: its Sharpe is more than luck with a probability of" in told.stdout

    walked = await call(
        cli,
        walk_forward_app,
        venue,
        "--over",
        "taker_fee=0,0.02",
        "--train-days",
        "0.1",
        "--test-days",
        "0.1",
        "--json",
    )
    steps = json.loads(walked.stdout)
    assert [step["taker_fee"] for step in steps] == ["0"] * 4
    assert steps[0]["from"] == "2023-11-15T02:24:00+00:00"

    drawn = json.loads(
        (await call(cli, monte_carlo_app, venue, "--method", "trades", "--runs", "200", "--json")).stdout
    )
    assert [row["figure"] for row in drawn] == ["end_quote", "return_share", "drawdown_share_max"]
    assert drawn[0]["5%"] <= drawn[0]["50%"] <= drawn[0]["95%"]


@pytest.mark.usefixtures("wave")
async def test_parameters_of_a_view_are_tried_by_their_names(cli: CliRunner, venue: str) -> None:
    swept = await call(cli, sweep_app, venue, "--over", "@level=98.5,100,97", "--by", "return_share", "--json")
    rows = {row["@level"]: row for row in json.loads(swept.stdout)}
    assert rows["97"]["fills"] == 0, "it never falls so far"
    assert 0 < rows["98.5"]["fills"] <= rows["100"]["fills"]
    (plain,) = json.loads((await call(cli, app, venue, "--tier", "fast", "--json")).stdout)
    assert rows["100"]["fills"] == plain["fills"], "what the view says is what was frozen"
    with pytest.raises(UnknownName, match="@level"):
        await call(cli, sweep_app, venue, "--over", "@depth=1")
    with pytest.raises(UsageError, match="no number"):
        await call(cli, sweep_app, venue, "--over", "@level=1); DROP TABLE bar_facts")


@pytest.mark.usefixtures("wave")
async def test_what_a_study_cannot_do_is_said_with_the_way_out(cli: CliRunner, venue: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="rebalance_share_min"):
        await call(cli, sweep_app, venue, "--over", "stop_loss_pct=1")
    with pytest.raises(UsageError, match="no window fits"):
        await call(cli, walk_forward_app, venue, "--over", "taker_fee=0")
    with pytest.raises(UsageError, match="--depth-share"):
        await call(cli, app, venue, "--tier", "fast", "--depth-share", "0.1")
    with pytest.raises(UsageError, match="it cannot be written"):
        await call(cli, sweep_app, venue, "--over", "taker_fee=0", "--report", str(tmp_path / "no" / "page.html"))
