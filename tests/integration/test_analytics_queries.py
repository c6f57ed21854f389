"""Goal: the analysts' queries of the guide run as they stand, for the read-only user, and answer what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.model.market import Funding
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter

MINUTE_NS = 60 * NANOS_PER_SECOND
QUERIES = sorted((Path(__file__).resolve().parents[2] / "docs" / "guides" / "analyst" / "queries").glob("*.sql"))


def query(name: str) -> str:
    (file,) = (file for file in QUERIES if name in file.name)
    return file.read_text(encoding="utf-8").strip().rstrip(";")


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
async def test_query_of_the_guide_runs_for_the_readonly_user(file: Path, questdb_config: DatabaseConfig) -> None:
    assert query(file.name).startswith("-- "), "it says first what it answers"
    async with await Database.connect(questdb_config, readonly=True) as database:
        await database.fetch(query(file.name))


def bar(symbol: str, ts_ns: int, close: float) -> Row:
    symbols = {"symbol": symbol, "interval": "1m", "status": "traded", "origin": "trades", "known_at_kind": "live"}
    columns = {"revision": 0, "close": close, "known_at": UtcNs(ts_ns + MINUTE_NS), "input_hash": ""}
    return Row("bar_facts", ts_ns, {"venue": symbol, **symbols}, columns)


def signal(symbol: str, ts_ns: int, target: float) -> Row:
    symbols = {"venue": symbol, "symbol": symbol, "strategy": "s", "known_at_kind": "live"}
    columns = {"version": 1, "revision": 0, "target": target, "confidence": 1.0, "known_at": UtcNs(ts_ns + MINUTE_NS)}
    return Row("signal_values", ts_ns, symbols, columns)


async def test_did_the_signal_pay_takes_the_return_after_the_signal(
    database: Database, writer: RowWriter, venue: str
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 60 * MINUTE_NS
    bars = [bar(venue, start_ns + n * MINUTE_NS, close) for n, close in enumerate([100, 100, 100, 100, 100, 101, 99])]
    await writer.write([*bars, signal(venue, start_ns, 0.5), signal(venue, start_ns + MINUTE_NS, -0.5)])
    await database.wait_applied(["bar_facts", "signal_values"])
    rows = [row for row in await database.fetch(query("did-the-signal-pay")) if row["symbol"] == venue]
    assert {row["wish"]: row["mean_return_bp"] for row in rows} == {
        "long": pytest.approx(100.0),
        "short": pytest.approx(-100.0),
    }


async def test_what_did_we_know_shows_what_was_corrected_since(
    database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    ts_ns = floor_ns(now_ns, MINUTE_NS) - 120 * MINUTE_NS
    for revision, (value, known_ns) in enumerate([(1.0, ts_ns + MINUTE_NS), (2.0, now_ns - MINUTE_NS)]):
        symbols = {"venue": venue, "symbol": venue, "name": "rsi_14", "known_at_kind": "live"}
        columns = {"version": 1, "revision": revision, "value": value, "known_at": UtcNs(known_ns)}
        await writer.write([Row("feature_values", ts_ns, symbols, columns)])
    await database.wait_applied(["feature_values"])
    (row,) = [row for row in await database.fetch(query("what-did-we-know")) if row["symbol"] == venue]
    assert (row["known_then"], row["known_now"], row["corrections"]) == (1.0, 2.0, 1)


async def test_what_does_holding_cost_adds_up_payments_and_no_predictions(
    database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    moments = [now_ns - hours * 3_600 * NANOS_PER_SECOND for hours in (8, 16, 24, 24 * 40)]
    paid = [
        Funding(venue, venue, "settled", rate, None, None, ns, ns, ns)
        for rate, ns in zip((0.0001, -0.0003, 0.0004, 0.1), moments, strict=True)
    ]
    said = Funding(venue, venue, "predicted", 0.2, None, None, now_ns, now_ns, now_ns)
    await writer.write([*paid, said])
    await database.wait_applied(["funding"])
    (row,) = [row for row in await database.fetch(query("what-does-holding-cost")) if row["symbol"] == venue]
    assert row["payments"] == 3
    assert row["paid_percent"] == pytest.approx(0.02)
    assert (row["lowest_percent"], row["highest_percent"]) == (pytest.approx(-0.03), pytest.approx(0.04))
