"""Goal: frozen features come as columns, as they were known with each bar, from a real QuestDB and into a file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analytics.catalog import catalog_of
from analytics.features.store import FeatureStore, Range
from ares.clock import HOUR_NS, MINUTE_NS, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName
from ares.lake.columns import write_table
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter

SYMBOLS = ("BTC/USDT", "ETH/USDT")


def bar(venue: str, symbol: str, ts_ns: int, after: int = 2) -> Row:
    """A bar that was first known so many minutes after its start."""
    scope = {"venue": venue, "symbol": symbol, "interval": "1m", "status": "traded", "known_at_kind": "live"}
    return Row("bar_facts", ts_ns, scope, {"revision": 0, "close": 1.0, "known_at": UtcNs(ts_ns + after * MINUTE_NS)})


def value(
    venue: str, symbol: str, ts_ns: int, revision: int, number: float | None, *, after: int = 2, version: int = 1
) -> Row:
    """A value; each revision is known five minutes after the one before."""
    scope = {"venue": venue, "symbol": symbol, "name": "rsi_14", "known_at_kind": "live"}
    known = UtcNs(ts_ns + (after + 5 * revision) * MINUTE_NS)
    columns = {"version": version, "revision": revision, "value": number, "known_at": known}
    return Row("feature_values", ts_ns, scope, columns)


async def test_frame_leaves_out_what_came_later(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), HOUR_NS) - 5 * HOUR_NS
    moments = [start_ns + number * MINUTE_NS for number in range(3)]
    rows = [bar(venue, symbol, ts_ns) for symbol in SYMBOLS for ts_ns in moments]
    rows += [value(venue, "BTC/USDT", ts_ns, 0, 50.0 + number) for number, ts_ns in enumerate(moments)]
    rows += [value(venue, "BTC/USDT", moments[1], 1, 99.0), value(venue, "ETH/USDT", moments[2], 0, None)]
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "feature_values"])
    store = FeatureStore(questdb_config, venue)
    span = Range(start_ns, start_ns + 3 * MINUTE_NS)
    frame = await asyncio.to_thread(store.training_frame, ["rsi_14", "spread_v1"], SYMBOLS, span)
    assert (frame.rows, frame.features) == (6, ("rsi_14_v1", "spread_v1"))
    assert frame.matrix[:3, 0].tolist() == [50.0, 51.0, 52.0], "the correction came after the bar was known"
    assert np.isnan(frame.matrix[3:, 0]).all()
    assert np.isnan(frame.matrix[:, 1]).all()
    assert frame.known_ns[0] == start_ns + 2 * MINUTE_NS
    for name in ("frame.csv", "frame.parquet"):
        write_table(frame.arrow, tmp_path / name)
    head = (tmp_path / "frame.csv").read_text(encoding="utf-8").splitlines()
    assert head[0].replace('"', "") == "ts,known_at,symbol,rsi_14_v1,spread_v1"
    assert len(head) == 7
    with pytest.raises(UnknownName, match="rsi_14"):
        await asyncio.to_thread(store.training_frame, ["rsi_15"], SYMBOLS, span)


async def test_value_stands_at_its_bar_whatever_lies_beside(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), HOUR_NS) - 5 * HOUR_NS
    moments = [start_ns + number * MINUTE_NS for number in range(4)]
    numbered = list(enumerate(moments))
    symbols = ("even/USDT", "astray/USDT", "broken/USDT", "short/USDT", "shifted/USDT", "unknown/USDT")
    rows = [bar(venue, symbol, ts_ns, after=10) for symbol in symbols for ts_ns in moments]
    del rows[symbols.index("unknown/USDT") * 4 :]
    rows += [value(venue, "unknown/USDT", ts_ns, 0, 1.0) for ts_ns in moments]
    del rows[symbols.index("shifted/USDT") * 4]
    del rows[symbols.index("broken/USDT") * 4 + 1]
    rows += [value(venue, "even/USDT", ts_ns, 0, 1.0 + number) for number, ts_ns in numbered]
    rows += [value(venue, "even/USDT", ts_ns, 0, -1.0, version=2) for ts_ns in moments]
    rows += [value(venue, "even/USDT", moments[1], 1, 20.0), value(venue, "even/USDT", moments[1], 2, 30.0)]
    rows.append(value(venue, "even/USDT", moments[2], 0, 40.0, after=11))  # the same row, but known too late
    away = [ts_ns + (7_000_000_000 if number == 1 else 0) for number, ts_ns in numbered]
    rows += [value(venue, "astray/USDT", ts_ns, 0, 1.0 + number) for number, ts_ns in enumerate(away)]
    rows += [value(venue, "broken/USDT", ts_ns, 0, 1.0 + number) for number, ts_ns in numbered if number != 2]
    rows += [value(venue, "short/USDT", ts_ns, 0, 1.0 + number) for number, ts_ns in numbered if number != 0]
    rows += [value(venue, "shifted/USDT", ts_ns, 0, 1.0 + number) for number, ts_ns in numbered if number != 3]
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "feature_values"])
    span = Range(start_ns, start_ns + 4 * MINUTE_NS)
    frame = await asyncio.to_thread(FeatureStore(questdb_config, venue).training_frame, ["rsi_14"], symbols, span)
    nan = float("nan")
    found = {symbol: frame.matrix[frame.codes == code, 0].tolist() for code, symbol in enumerate(frame.symbols)}
    wanted = {
        "even/USDT": [1.0, 20.0, nan, 4.0],
        "astray/USDT": [1.0, nan, 3.0, 4.0],
        "broken/USDT": [1.0, nan, 4.0],
        "short/USDT": [nan, 2.0, 3.0, 4.0],
        "shifted/USDT": [2.0, 3.0, nan],
        "unknown/USDT": [],
    }
    np.testing.assert_equal(found, wanted)


async def test_frame_of_many_symbols_and_features_has_every_value_at_its_place(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.features.store.ROWS_AT_ONCE", 100)  # so that there are many statements
    start_ns = floor_ns(SystemClock().now_ns(), HOUR_NS) - 5 * HOUR_NS
    moments = [start_ns + number * MINUTE_NS for number in range(7)]
    symbols = [f"{letter}'S/USDT" for letter in "ABCDEFGHIJ"]
    names = [known.view for known in catalog_of().features if known.version == 1][:20]
    rows = [bar(venue, symbol, ts_ns) for symbol in symbols for ts_ns in moments]
    wanted = np.arange(len(rows) * len(names), dtype=float).reshape(len(rows), len(names))
    for row, each in enumerate(tuple(rows)):
        for column, name in enumerate(names):
            given = value(venue, each.symbols["symbol"], each.ts_ns, 0, float(wanted[row, column]))
            rows.append(replace(given, symbols={**given.symbols, "name": name.removesuffix("_v1")}))
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "feature_values"])
    span = Range(start_ns, moments[-1] + MINUTE_NS)
    frame = await asyncio.to_thread(FeatureStore(questdb_config, venue).training_frame, names, symbols, span)
    np.testing.assert_array_equal(frame.matrix, wanted)


async def test_frame_without_a_bar_is_empty(questdb_config: DatabaseConfig, venue: str) -> None:
    store = FeatureStore(questdb_config, venue)
    span = Range(SystemClock().now_ns() - HOUR_NS, SystemClock().now_ns())
    for symbols in ((), ("BTC/USDT",)):
        frame = await asyncio.to_thread(store.training_frame, ["rsi_14"], symbols, span)
        assert (frame.rows, frame.matrix.shape) == (0, (0, 1))
