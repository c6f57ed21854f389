"""Files of real venues and programs, read from beside the checkout, into a real QuestDB."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.feather
import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.resilience import Backoff
from ares.store import Database
from ingest.imports import LayoutName
from ingest.imports.importer import Figures, Order, import_files
from tests.views.test_examples import settled

SYMBOL = "XRP/ETH"
COLUMNS = ("timestamp", "id", "type", "side", "price", "amount", "cost")
TABLES = ("trades", "venue_bars_1m", "gaps", "quarantine", "bars_1m")
COMPARED = """
SELECT count() AS bars, sum(CASE WHEN b.open = v.open AND b.high = v.high AND b.low = v.low AND b.close = v.close
  AND abs(b.volume - v.volume) < 1e-6 THEN 1 ELSE 0 END) AS same
FROM (SELECT * FROM bars_1m WHERE venue = %(venue)s) b
JOIN (SELECT * FROM venue_bars_1m WHERE venue = %(venue)s) v ON b.ts = v.ts AND b.symbol = v.symbol
"""


@dataclass
class Moving:
    """Imports for one venue, and what is stored of it."""

    config: DatabaseConfig
    database: Database
    venue: str

    async def imports(self, files: Sequence[Path], layout: LayoutName | None = None) -> list[Figures]:
        order = Order(files, layout, self.venue, SYMBOL)
        backoff = Backoff(0.05, 0.2, random.Random(1))
        config = AresConfig(database=self.config)
        figures = await import_files(config, order, SystemClock(), backoff, lambda _share, _rows: None)
        await self.database.wait_applied(TABLES, 60.0)
        await settled(self.database)
        return figures

    async def count(self, table_sql: str) -> int:
        record = await self.database.fetch_one(table_sql, {"venue": self.venue})
        assert record is not None
        return int(str(record["n"]))


@pytest.fixture
def moving(questdb_config: DatabaseConfig, database: Database, venue: str) -> Moving:
    return Moving(questdb_config, database, venue)


def lists_of(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = orjson.loads(gzip.decompress(path.read_bytes()))
    return rows


def public_file(recorded: Path, path: Path) -> Path:
    """Binance's own aggregate trades in the layout of its public spot files."""
    infos = [row["info"] for row in lists_of(recorded)]
    lines = [",".join(str(info[name]) for name in "apqflTmM") for info in infos if isinstance(info, dict)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def freqtrade_file(recorded: Path, path: Path) -> Path:
    """freqtrade's trades in its feather layout of today."""
    columns = zip(*lists_of(recorded), strict=True)
    pyarrow.feather.write_feather(pa.table(dict(zip(COLUMNS, map(list, columns), strict=True))), str(path))
    return path


async def test_the_same_trades_from_two_programs_are_the_same_rows_and_make_the_same_bars(
    moving: Moving, shared_data: Path, tmp_path: Path
) -> None:
    pairs = shared_data / "pairs"
    raw = public_file(pairs / "binance_spot_XRPETH_aggtrades_rawinfo_20191011-13.json.gz", tmp_path / "agg.csv")
    kept = freqtrade_file(pairs / "binance_spot_XRPETH_aggtrades_freqtrade_20191011-13.json.gz", tmp_path / "t.feather")
    [first] = await moving.imports([raw], "binance-aggtrades")
    assert first.written == first.rows > 10_000
    again, candles = await moving.imports([kept, pairs / "binance_spot_XRPETH_bars_1m_20191011-13.feather"])
    assert (again.layout, candles.layout) == ("freqtrade-trades", "freqtrade-ohlcv")
    assert (again.contradicting, again.refused, candles.refused) == (0, 0, 0)
    assert again.known + again.written == 12_477
    assert candles.written == 2_469
    assert await moving.count("SELECT count() AS n FROM trades WHERE venue = %(venue)s") == 12_477
    assert await moving.count("SELECT count() AS n FROM gaps WHERE venue = %(venue)s AND status <> 'healed'") == 0
    record = await moving.database.fetch_one(COMPARED, {"venue": moving.venue})
    assert record is not None
    bars, same = int(str(record["bars"])), int(str(record["same"]))
    assert bars >= 2_467
    assert bars - same <= 2, "only the first and the last minute are partial"


async def test_four_months_of_candles_of_a_public_file_are_stored_and_known_the_second_time(
    moving: Moving, shared_data: Path
) -> None:
    path = shared_data / "bars" / "binance_usdm_FILUSDT_1m_2023-08_2023-11.csv.gz"
    for written in (175_680, 0):
        [figures] = await moving.imports([path])
        assert (figures.layout, figures.written, figures.refused) == ("binance-klines", written, 0)
    assert await moving.count("SELECT count() AS n FROM venue_bars_1m WHERE venue = %(venue)s") == 175_680


async def test_trades_that_freqtrade_wrote_as_csv_are_recognised(moving: Moving, shared_data: Path) -> None:
    [figures] = await moving.imports([shared_data / "trades" / "binance_usdm_ETHUSDT_trades_20230202.csv"])
    assert (figures.layout, figures.written, figures.refused) == ("freqtrade-trades", 1_000, 0)
