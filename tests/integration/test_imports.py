"""`ares data import` as a person types it: files that others wrote, into a real QuestDB."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import OperatingError, UsageError
from ares.model.market import Trade
from ares.resilience import Backoff
from ares.store import Database, RowWriter
from ares.store.pool import Record
from ingest.data_commands import app
from ingest.imports.importer import Order, import_files
from ingest.venues.binance.decoder import decode_trade
from ingest.venues.wire import Names
from tests.views.test_examples import settled

SYMBOL = "BTC/USDT"
BASE_MS = 1_704_067_200_000
DAY_MS = 86_400_000
NAUTILUS = Path(__file__).resolve().parents[1] / "fixtures" / "imports" / "nautilus_trade_ticks.parquet"
TABLES = ("trades", "trades_archive", "venue_bars_1m", "quarantine", "gaps", "bars_1m")
STORED = (
    "SELECT *, ts::long AS ts_ns, received_at::long AS received_ns FROM trades WHERE venue = %(venue)s ORDER BY seq"
)
ARCHIVE = "SELECT seq, source FROM trades_archive WHERE venue = %(venue)s ORDER BY seq"
REFUSED = "SELECT field, reason, raw FROM quarantine WHERE venue = %(venue)s ORDER BY raw"
HOLES = """
SELECT cause, status, first_seq, last_seq, missing FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id
) WHERE status <> 'healed' ORDER BY first_seq
"""
BARS = "SELECT * FROM bars_1m WHERE venue = %(venue)s ORDER BY ts"
EVERYTHING = """
SELECT 'trades' AS name, count() AS n FROM trades WHERE venue = %(venue)s
UNION ALL SELECT 'archive', count() FROM trades_archive WHERE venue = %(venue)s
UNION ALL SELECT 'candles', count() FROM venue_bars_1m WHERE venue = %(venue)s
UNION ALL SELECT 'refused', count() FROM quarantine WHERE venue = %(venue)s
UNION ALL SELECT 'gaps', count() FROM gaps WHERE venue = %(venue)s
"""


@dataclass
class Hand:
    """Types commands for one venue, and looks at what is stored."""

    venue: str
    database: Database
    cli: CliRunner

    async def imports(self, *arguments: object) -> list[dict[str, object]]:
        """Run the command in a thread, for it starts an event loop of its own; the final figures of every file."""
        words = ["import", *map(str, arguments), "--venue", self.venue, "--symbol", SYMBOL, "--json"]
        result = await asyncio.to_thread(self.cli.invoke, app, words)
        if result.exception is not None:
            raise result.exception
        await self.database.wait_applied(TABLES, 60.0)
        figures: list[dict[str, object]] = json.loads(result.stdout)
        return figures

    async def rows(self, sql: str) -> list[Record]:
        await self.database.wait_applied(TABLES, 60.0)
        return await self.database.fetch(sql, {"venue": self.venue})

    async def bars(self) -> list[Record]:
        """All bars, once every view has seen all trades."""
        await settled(self.database)
        return await self.rows(BARS)


@pytest.fixture
def own_settings(questdb_config: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own = tmp_path / "own.toml"
    own.write_text(
        f"[environment]\nstate_dir = '{tmp_path}'\n"
        f"[database]\nhttp_port = {questdb_config.http_port}\npg_port = {questdb_config.pg_port}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ARES_CONFIG", str(own))
    return own


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    """Put back what the command does to logging: it writes to an error stream that ends with the test."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers = list(root.handlers)
    yield
    structlog.reset_defaults()
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    logging.captureWarnings(capture=False)
    sys.excepthook = hook


@pytest.fixture
def hand(own_settings: Path, database: Database, venue: str) -> Hand:
    return Hand(venue, database, CliRunner())


def line(seq: int, ms: int, *, price: str = "", maker: str = "True") -> str:
    """A line of Binance's spot file of aggregate trades."""
    return f"{seq},{price or f'42000.{seq % 100:02}'},0.00{seq % 9 + 1}00000,{seq},{seq},{ms},{maker},True\n"


def lines(seqs: Sequence[int], start_ms: int = BASE_MS, step_ms: int = 250) -> str:
    return "".join(line(seq, start_ms + seq * step_ms, maker=str(seq % 3 == 0)) for seq in seqs)


def written(path: Path, text: str) -> Path:
    """A file of the wanted packing."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(path.stem + ".csv", text)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def keep_days(settings: Path, days: int) -> None:
    """Add the retention to the settings, whose last section is that of the database."""
    settings.write_text(f"{settings.read_text(encoding='utf-8')}retention_trades_days = {days}\n", encoding="utf-8")


AGG = ("--layout", "binance-aggtrades")


@pytest.mark.parametrize("name", ["trades.csv", "trades.csv.gz", "trades.zip"])
async def test_file_of_trades_is_read_however_it_is_packed(hand: Hand, tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, lines(range(1, 601)))
    [figures] = await hand.imports(path, *AGG)
    assert (figures["rows"], figures["written"], figures["refused"]) == (600, 600, 0)
    stored = await hand.rows(STORED)
    assert [row["seq"] for row in stored] == list(range(1, 601))
    assert {row["source"] for row in stored} == {"import"}
    assert await hand.rows(HOLES) == []


async def test_importing_thrice_changes_nothing(hand: Hand, tmp_path: Path) -> None:
    bad = line(300, BASE_MS, price="nan") + "x,1.0,1.0,1,1,1704067200000,True,True\n"
    path = written(tmp_path / "trades.csv", lines([*range(1, 200), *range(250, 300)]) + bad)
    [first] = await hand.imports(path, *AGG)
    counted, trades, holes = await hand.rows(EVERYTHING), await hand.rows(STORED), await hand.rows(HOLES)
    assert (first["written"], first["refused"], first["known"]) == (249, 2, 0)
    assert [(hole["cause"], hole["status"], hole["first_seq"], hole["missing"]) for hole in holes] == [
        ("import", "lost", 200, 50)
    ]
    for _ in range(2):
        [again] = await hand.imports(path, *AGG)
        assert (again["written"], again["refused"], again["known"]) == (0, 2, 249)
    assert await hand.rows(EVERYTHING) == counted
    assert await hand.rows(STORED) == trades, "not even the time of receipt"


async def test_import_that_was_interrupted_is_made_whole_by_making_it_again(
    questdb_config: DatabaseConfig, hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.imports.files.CSV_BLOCK_BYTES", 4_096)
    path = written(tmp_path / "trades.csv.gz", lines(range(1, 2_001)))
    shares: list[float] = []

    def interrupt(share: float, rows: int) -> None:
        shares.append(share)
        if rows > 1_000:
            raise KeyboardInterrupt

    order = Order([path], "binance-aggtrades", hand.venue, SYMBOL)
    config, backoff = AresConfig(database=questdb_config), Backoff(0.05, 0.2, random.Random(1))
    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(lambda: asyncio.run(import_files(config, order, SystemClock(), backoff, interrupt)))
    assert len(shares) > 5, "piece by piece"
    assert len(await hand.rows(STORED)) < 2_000
    [figures] = await hand.imports(path, *AGG)
    assert figures["rows"] == 2_000
    assert [row["seq"] for row in await hand.rows(STORED)] == list(range(1, 2_001))
    assert await hand.rows(HOLES) == []


async def test_trade_of_the_stream_and_of_a_file_in_microseconds_is_one_identical_row(
    hand: Hand, writer: RowWriter, tmp_path: Path
) -> None:
    names = Names(hand.venue, {"BTCUSDT": SYMBOL})
    frame = {"e": "aggTrade", "s": "BTCUSDT", "a": 7, "p": "61828.01", "q": "0.00012", "T": BASE_MS, "m": True}
    streamed = decode_trade(json.dumps(frame).encode(), names, BASE_MS * NANOS_PER_MILLI + 5)
    await writer.write([streamed])
    micros = "".join(f"{seq},61828.01,0.00012,{seq},{seq},{BASE_MS}123,True,True\n" for seq in (7, 8))
    [figures] = await hand.imports(written(tmp_path / "new.csv", micros), *AGG)
    assert (figures["known"], figures["written"], figures["contradicting"]) == (1, 1, 0)
    old, new = await hand.rows(STORED)
    assert (old["source"], old["received_ns"]) == ("stream", streamed.received_at_ns)
    assert new["source"] == "import"
    own = {"seq", "trade_id", "source", "received_at", "received_ns"}
    assert {name: old[name] for name in old.keys() - own} == {name: new[name] for name in new.keys() - own}


async def test_stream_that_brings_an_imported_trade_again_leaves_one_row(
    hand: Hand, writer: RowWriter, tmp_path: Path
) -> None:
    await hand.imports(written(tmp_path / "old.csv", lines([1, 2, 3])), *AGG)
    before = await hand.rows(STORED)
    again = before[1]
    ts_ns, price, amount = (int(str(again["ts_ns"])), float(str(again["price"])), float(str(again["amount"])))
    side = "sell" if again["side"] == "sell" else "buy"
    await writer.write([Trade(hand.venue, SYMBOL, "2", 2, side, price, amount, ts_ns, ts_ns, "rest")])
    after = await hand.rows(STORED)
    assert [row["source"] for row in after] == ["import", "rest", "import"]
    changing = {"source", "received_at", "received_ns"}
    assert [{n: r[n] for n in r.keys() - changing} for r in after] == [
        {n: r[n] for n in r.keys() - changing} for r in before
    ]


async def test_row_that_contradicts_what_is_stored_is_reported_and_what_is_stored_stays(
    hand: Hand, tmp_path: Path
) -> None:
    await hand.imports(written(tmp_path / "one.csv", line(1, BASE_MS, price="100.5") + line(2, BASE_MS)), *AGG)
    [figures] = await hand.imports(written(tmp_path / "two.csv", line(1, BASE_MS, price="999.5")), *AGG)
    assert (figures["known"], figures["contradicting"], figures["written"], figures["refused"]) == (1, 1, 0, 0)
    assert (await hand.rows(STORED))[0]["price"] == 100.5
    [refused] = await hand.rows(REFUSED)
    assert refused["field"] == "contradiction"
    assert "price=999.5" in str(refused["raw"])


async def test_every_row_that_is_no_trade_lies_in_quarantine_with_its_field(hand: Hand, tmp_path: Path) -> None:
    bad = [
        "2,nan,1.0,2,2,1704067200000,True,True\n",
        "3,-5,1.0,3,3,1704067200000,True,True\n",
        "4,1.0,inf,4,4,1704067200000,True,True\n",
        "5,1.0,,5,5,1704067200000,True,True\n",
        "six,1.0,1.0,6,6,1704067200000,True,True\n",
        "7,1.0,1.0,7,7,yesterday,True,True\n",
        "8,1.0,1.0,8,8,1704067200000,perhaps,True\n",
        "9,1.0,1.0,9,9,9704067200000,True,True\n",
        "10,1.0,1.0\n",
    ]
    [figures] = await hand.imports(written(tmp_path / "bad.csv", line(1, BASE_MS) + "".join(bad)), *AGG)
    assert (figures["rows"], figures["written"], figures["refused"]) == (10, 1, 9)
    fields = [str(row["field"]) for row in await hand.rows(REFUSED)]
    assert sorted(fields) == sorted(["price", "price", "amount", "amount", "trade_id", "ts", "side", "ts", "row"])
    assert [row["seq"] for row in await hand.rows(STORED)] == [1]


async def test_trade_older_than_the_retention_leaves_every_bar_and_is_readable_in_the_archive(
    hand: Hand, writer: RowWriter, own_settings: Path, tmp_path: Path
) -> None:
    keep_days(own_settings, 30)
    now_ns = SystemClock().now_ns()
    recent_ns = now_ns - 20 * 86_400 * NANOS_PER_SECOND
    recent_ns -= recent_ns % (60 * NANOS_PER_SECOND)
    kept = [
        Trade(hand.venue, SYMBOL, str(n), n, "buy", 100.0 + n, 1.0, recent_ns + n * NANOS_PER_SECOND, now_ns, "stream")
        for n in range(1_000, 1_010)
    ]
    await writer.write(kept)
    bars = await hand.bars()
    assert len(bars) == 1
    old_ms = now_ns // NANOS_PER_MILLI - 40 * DAY_MS
    path = written(tmp_path / "old.csv", lines(range(1, 51), old_ms))
    for written_now in (50, 0):
        [figures] = await hand.imports(path, *AGG)
        assert (figures["archived"], figures["written"]) == (written_now, 0)
    assert await hand.bars() == bars
    assert [row["seq"] for row in await hand.rows(ARCHIVE)] == list(range(1, 51))
    assert [row["seq"] for row in await hand.rows(STORED)] == list(range(1_000, 1_010))
    assert await hand.rows(HOLES) == []


async def test_any_number_of_trades_of_one_moment_are_all_there_and_once_however_often_they_are_imported(
    hand: Hand, tmp_path: Path
) -> None:
    count = int(os.environ.get("ARES_TEST_ONE_MOMENT", "20000"))
    path = written(tmp_path / "moment.csv", lines(range(1, count + 1), BASE_MS, step_ms=0))
    for fresh in (count, 0, 0):
        [figures] = await hand.imports(path, *AGG)
        assert (figures["rows"], figures["written"], figures["known"]) == (count, fresh, count - fresh)
    counted = "SELECT count() AS n, count_distinct(seq) AS ids, count_distinct(ts) AS moments FROM trades"
    assert await hand.rows(f"{counted} WHERE venue = %(venue)s") == [{"n": count, "ids": count, "moments": 1}]
    assert [row["trades"] for row in await hand.bars()] == [count]


async def test_hole_that_a_later_file_fills_closes(hand: Hand, tmp_path: Path) -> None:
    await hand.imports(
        written(tmp_path / "jan.csv", lines(range(1, 11))), written(tmp_path / "mar.csv", lines(range(31, 41))), *AGG
    )
    assert [(h["first_seq"], h["last_seq"]) for h in await hand.rows(HOLES)] == [(11, 30)]
    await hand.imports(written(tmp_path / "half.csv", lines(range(15, 21))), *AGG)
    halves = [(h["first_seq"], h["last_seq"], h["missing"]) for h in await hand.rows(HOLES)]
    assert halves == [(11, 14, 4), (21, 30, 10)]
    await hand.imports(written(tmp_path / "feb.csv", lines(range(11, 31))), *AGG)
    assert await hand.rows(HOLES) == []


async def test_trade_ticks_of_a_nautilus_catalog_are_recognised_and_exact(hand: Hand) -> None:
    [figures] = await hand.imports(NAUTILUS)
    assert (figures["layout"], figures["written"], figures["refused"]) == ("nautilus-trades", 40, 0)
    stored = await hand.rows(STORED)
    prices = [round(42000.01 + i * 0.37, 2) for i in range(40)]
    amounts = [round(0.001 * (i + 1) + 0.000001, 6) for i in range(40)]
    expected = list(zip(range(2_800_000_000, 2_800_000_040), prices, amounts, strict=True))
    assert [(row["seq"], row["price"], row["amount"]) for row in stored] == expected
    assert [row["side"] for row in stored] == ["buy" if i % 3 else "sell" for i in range(40)]


KLINES = "SELECT *, ts::long AS ts_ns FROM venue_bars_1m WHERE venue = %(venue)s ORDER BY ts"


async def test_candles_of_a_minute_are_stored_and_a_candle_that_is_there_stays(hand: Hand, tmp_path: Path) -> None:
    row = "{0},1.0,3.0,0.5,2.0,10.0,{1},20.0,5,4.0,8.0,0\n"
    text = "".join(row.format(BASE_MS + i * 60_000, BASE_MS + i * 60_000 + 59_999) for i in range(3))
    wrong = row.format(BASE_MS + 180_000, BASE_MS + 180_000 + 59_999).replace("3.0", "0.1")
    [figures] = await hand.imports(written(tmp_path / "k.csv", text + wrong), "--layout", "binance-klines")
    assert (figures["written"], figures["refused"]) == (3, 1)
    [again] = await hand.imports(written(tmp_path / "k.csv", text + wrong), "--layout", "binance-klines")
    assert (again["written"], again["known"], again["refused"]) == (0, 3, 1)
    first = (await hand.rows(KLINES))[0]
    assert (first["open"], first["cost"], first["trades"], first["buy_volume"]) == (1.0, 20.0, 5, 4.0)


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("a,b\n1,2\n", (), "columns a, b are those of no layout"),
        ("1,2,3\n", (), "no header names its 3 columns"),
        ("1,2,3\n", AGG, "binance-aggtrades has 7 or 8 columns"),
        ("agg_trade_id,price\n1,2\n", AGG, "column 'quantity' is not there"),
        ("", AGG, "empty"),
        ("1704067200000,1,3,1,2,10,1704067499999,20,5,4,8,0\n", ("--layout", "binance-klines"), "candles of 5 minutes"),
        ("PAR1 but no more", (), "cannot be read"),
    ],
)
async def test_file_that_cannot_be_taken_is_named_with_what_is_wrong(
    hand: Hand, tmp_path: Path, text: str, arguments: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "strange.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        await hand.imports(path, *arguments)
    assert says in str(error.value)
    assert "strange.csv" in str(error.value)


async def test_file_that_is_not_there_and_names_that_are_none_are_usage_errors(hand: Hand, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        await hand.imports(tmp_path / "nothing.csv")
    for venue, symbol in (("Binance Spot", SYMBOL), ("binance", "BTCUSDT")):
        words = ["import", str(NAUTILUS), "--venue", venue, "--symbol", symbol]
        result = await asyncio.to_thread(hand.cli.invoke, app, words)
        assert isinstance(result.exception, UsageError)


async def test_file_of_which_nothing_can_be_taken_fails(hand: Hand, tmp_path: Path) -> None:
    with pytest.raises(OperatingError, match="none of 2 rows"):
        await hand.imports(written(tmp_path / "x.csv", "1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,8\n"), *AGG)
