"""Goal: bars that QuestDB makes of real trades are the venue's own, to the last digit it publishes."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from analytics.truth import TruthReader
from ares.clock import NANOS_PER_MILLI
from ares.model.market import Trade
from ares.store import Database, Record, RowWriter
from tests.views.test_examples import settled

RECORDING = Path(__file__).resolve().parents[2] / "simulator" / "recordings" / "spot_btcusdt_20240808.gz"


def recorded_trades(files: Sequence[Path], venue: str) -> Iterator[Trade]:
    """The single trades of captures, in the order they were captured."""
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                if '@trade"' in line:
                    data = json.loads(line.split(" ", 1)[1])["data"]
                    yield Trade(
                        venue,
                        "BTC/USDT",
                        str(data["t"]),
                        int(data["t"]),
                        "sell" if data["m"] else "buy",
                        float(data["p"]),
                        float(data["q"]),
                        int(data["T"]) * NANOS_PER_MILLI,
                        int(data["T"]) * NANOS_PER_MILLI,
                        "replay",
                    )


async def bars(
    database: Database, writer: RowWriter, view: str, venue: str, trades: Sequence[Trade]
) -> dict[int, Record]:
    """Write trades, newest first to make it hard, and read the bars that come of them, by their start in ms."""
    rows = sorted(trades, key=lambda t: -t.seq)
    for first in range(0, len(rows), 2_000):
        await writer.write(rows[first : first + 2_000])
    await TruthReader(database, venue).settle(0)
    await settled(database)
    found = await database.fetch(
        f"SELECT ts::long AS ts_ns, open, high, low, close, volume, cost, trades, buy_volume FROM {view}"
        " WHERE venue = %(venue)s",
        {"venue": venue},
    )
    return {int(str(row["ts_ns"])) // NANOS_PER_MILLI: row for row in found}


def is_the_venues_own(bar: Record, kline: dict[str, str]) -> bool:
    exact = all(bar[name] == float(kline[name]) for name in ("open", "high", "low", "close"))
    sums = {"volume": "volume", "cost": "quote_volume", "buy_volume": "taker_buy_volume"}
    return (
        exact
        and bar["trades"] == int(kline["count"])
        and all(bar[ours] == pytest.approx(float(kline[theirs]), rel=1e-9) for ours, theirs in sums.items())
    )


async def test_usdm_minutes_equal_the_venues_own_and_partial_ones_do_not(
    database: Database, writer: RowWriter, venue: str, shared_data: Path
) -> None:
    captures = [shared_data / "raw_ws" / "binance" / f"usdm_btcusdt_202407{day}.gz" for day in (18, 19)]
    klines_file = shared_data / "pairs" / "usdm_BTCUSDT_klines_1m_20240718-19.csv"
    with klines_file.open(encoding="utf-8") as file:
        klines = {int(row["open_time"]): row for row in csv.DictReader(file)}
    ours = await bars(database, writer, "bars_1m", venue, list(recorded_trades(captures, venue)))
    equal = {ms for ms, bar in ours.items() if is_the_venues_own(bar, klines[ms])}
    whole = sorted(ours)[1:-1]
    assert len(whole) == 7
    assert equal == set(whole)


async def test_spot_five_minutes_of_the_recording_in_the_repository_equal_the_venues_own(
    database: Database, writer: RowWriter, venue: str
) -> None:
    trades = list(recorded_trades([RECORDING], venue))
    await bars(database, writer, "bars_1m", venue, trades)
    (five,) = await database.fetch(
        "SELECT open, high, low, close, volume, cost, trades, buy_volume FROM bars_5m"
        " WHERE venue = %(venue)s AND ts = '2024-08-08T23:55:00Z'",
        {"venue": venue},
    )
    assert five == {
        "open": 61828.0,
        "high": 61860.8,
        "low": 61583.22,
        "close": 61685.99,
        "volume": pytest.approx(199.42863, rel=1e-9),
        "cost": pytest.approx(12304668.0254055, rel=1e-9),
        "trades": 8863,
        "buy_volume": pytest.approx(90.18301, rel=1e-9),
    }
