"""What every strategy would have done on recorded bars: its list of target changes, whose digest is pinned.

usage: python -m tests.strategy_library     writes tests/fixtures/library/*.csv anew

The bundled recordings, chained by the simulated exchange, are a market of two symbols that is the same for ever; a
longer one lies beside the checkout where real bars are. The first is written as if it were yesterday, for tables with
a TTL take no older rows, at the time of day that it is of: some strategies know hours.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from analytics.catalog import Definition, definitions
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_MILLI, SystemClock, floor_ns, to_datetime, to_ns
from ares.model.market import Bar, Book
from ares.model.row import Storable
from ares.store import Database, Record, RowWriter
from ares.store.pool import as_int, as_str
from simulator.bars import MINUTE_MS, Candle, Grid, candles
from simulator.book import Replay
from simulator.market import BUNDLED, PACKAGE
from simulator.recording import load_recording
from simulator.series import Series
from tests.questdb import serving, small

FIXTURES = Path(__file__).parent / "fixtures" / "library"
COLUMNS = ("strategy", "trades", "sha256")
EXCUSED = {
    "signal_direction_v1": "what it wants is a trained model's word",
    "signal_carry_v1": "neither market has a funding rate",
}
SILENT_ALONE = {"signal_pairs_v1", "signal_rotation_v1", "signal_order_flow_v1"}
"""They compare symbols or read books, and the longer market has one symbol and no books."""
SEED = 7
BUNDLED_FROM = to_ns(datetime(2024, 8, 9, tzinfo=UTC))
BUNDLED_MINUTES = 600
BOOK_MINUTES = 60
LONG_FILE = "ftx_BTC-PERP_1m_20211231-20220201.csv.gz"
LONG_FROM = to_ns(datetime(2021, 12, 31, 23, 1, tzinfo=UTC))
LONG_MINUTES = 5_000
SYMBOLS = {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"}
LEVELS = 10


class Change(NamedTuple):
    """A strategy's new target for a symbol, from the open of a minute on, counted from the market's first."""

    minute: int
    symbol: str
    target: float


class Pin(NamedTuple):
    """How often a strategy changed its target, and the digest of how."""

    trades: int
    sha256: str


def strategies() -> list[Definition]:
    """Those that bars and books are enough for."""
    return [signal for signal in definitions("signal") if signal.view not in EXCUSED]


def changes(rows: Iterable[Record], start_ns: int) -> list[Change]:
    """Target changes from rows of a signal view in order of time: held from the next bar's open on, spot, so that a
    target below 0 is flat. Where the strategy says nothing, what was held is held on. Pure.
    """
    held: dict[str, float] = {}
    found: list[Change] = []
    for row in rows:
        symbol, wish = as_str(row["symbol"]), row["target"]
        assert isinstance(wish, float)
        target = round(max(0.0, wish), 4)
        if target != held.get(symbol, 0.0):
            held[symbol] = target
            found.append(Change((as_int(row["ts_ns"]) - start_ns) // MINUTE_NS + 1, symbol, target))
    return found


def pin_of(found: Sequence[Change]) -> Pin:
    """The digest of the list, one line a change."""
    lines = "".join(f"{change.minute},{change.symbol},{change.target:.4f}\n" for change in found)
    return Pin(len(found), hashlib.sha256(lines.encode()).hexdigest()[:12])


def start_of(moment_ns: int) -> int:
    """The same time of day, yesterday."""
    return floor_ns(SystemClock().now_ns(), DAY_NS) - DAY_NS + moment_ns % DAY_NS


def bundled_market(venue: str, start_ns: int) -> list[Storable]:
    """Candles and, for the last hour, the book at the end of every minute."""
    rows: list[Storable] = []
    from_ms = BUNDLED_FROM // NANOS_PER_MILLI
    until_ms = from_ms + BUNDLED_MINUTES * MINUTE_MS
    for name in BUNDLED:
        series = Series(load_recording(PACKAGE / "recordings" / name), SEED)
        symbol = SYMBOLS[series.symbol]
        rows += [
            bar_of(series, venue, symbol, bar, start_ns + (bar.start_ms - from_ms) * NANOS_PER_MILLI)
            for bar in candles(series, Grid(MINUTE_MS), from_ms, until_ms, until_ms)
        ]
        replay = Replay(series)
        replay.seek(from_ms + (BUNDLED_MINUTES - BOOK_MINUTES) * MINUTE_MS)
        for minute in range(BUNDLED_MINUTES - BOOK_MINUTES, BUNDLED_MINUTES):
            deque(replay.advance(from_ms + (minute + 1) * MINUTE_MS - 1), maxlen=0)
            rows.append(book_of(replay, venue, symbol, start_ns + (minute + 1) * MINUTE_NS - NANOS_PER_MILLI, minute))
    return rows


def bar_of(series: Series, venue: str, symbol: str, bar: Candle, ts_ns: int) -> Bar:
    """A candle in whole ticks and steps as the venue would tell it."""
    price, amount = 10.0**series.recording.price_decimals, 10.0**series.recording.amount_decimals
    prices = (bar.open / price, bar.high / price, bar.low / price, bar.close / price)
    sums = (bar.amount / amount, bar.cost / (price * amount), bar.count, bar.buy_amount / amount)
    return Bar(venue, symbol, ts_ns, *prices, *sums, ts_ns + MINUTE_NS)


def book_of(replay: Replay, venue: str, symbol: str, ts_ns: int, number: int) -> Book:
    """The best levels that are displayed now."""
    shown = replay.displayed()
    bids, asks = (
        tuple((float(price), float(amount)) for price, amount in side[:LEVELS]) for side in (shown.bids, shown.asks)
    )
    return Book(venue, symbol, number, bids, asks, ts_ns, ts_ns, "venue")


def long_market(venue: str, file: Path) -> list[Storable]:
    """Real candles of one perpetual; whoever bought is not told by them: half of each."""
    rows: list[Storable] = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for number, line in zip(range(LONG_MINUTES), csv.DictReader(lines), strict=False):
            ts_ns = LONG_FROM + number * MINUTE_NS
            prices = [float(line[name]) for name in ("open", "high", "low", "close")]
            cost = float(line["volume"])
            sums = (cost / prices[3], cost, 1, cost / prices[3] / 2)
            rows.append(Bar(venue, "BTC/USD:USD", ts_ns, *prices, *sums, ts_ns + MINUTE_NS))
    return rows


async def pins(
    database: Database, writer: RowWriter, venue: str, rows: Sequence[Storable], start_ns: int
) -> Mapping[str, Pin]:
    """What every strategy would have done on these rows, which are written first."""
    await writer.write(rows)
    await database.wait_applied({row.table for row in rows})
    end_ns = max(row.ts_ns for row in rows if isinstance(row, Bar))
    found: dict[str, Pin] = {}
    for signal in strategies():
        wishes = await database.fetch(
            "DECLARE @from := %(from)s, @to := %(to)s SELECT ts::long AS ts_ns, symbol, target"
            f" FROM {signal.view} WHERE venue = %(venue)s ORDER BY ts, symbol",
            {"from": to_datetime(start_ns), "to": to_datetime(end_ns), "venue": venue},
        )
        found[signal.view] = pin_of(changes(wishes, start_ns))
    return found


def read_pins(name: str) -> dict[str, Pin]:
    """What is pinned of a market."""
    with (FIXTURES / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return {line["strategy"]: Pin(int(line["trades"]), line["sha256"]) for line in csv.DictReader(lines)}


def write_pins(name: str, found: Mapping[str, Pin]) -> None:
    """Pin a market anew."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    with (FIXTURES / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((strategy, *pin) for strategy, pin in sorted(found.items()))


async def pin_all(database: Database, writer: RowWriter, shared: Path) -> None:
    """Write the pins of every market that is here."""
    start_ns = start_of(BUNDLED_FROM)
    write_pins("trades", await pins(database, writer, "bundled", bundled_market("bundled", start_ns), start_ns))
    if (shared / "bars" / LONG_FILE).is_file():
        rows = long_market("long", shared / "bars" / LONG_FILE)
        found = await pins(database, writer, "long", rows, LONG_FROM)
        write_pins("trades_long", {view: pin for view, pin in found.items() if view not in SILENT_ALONE})


async def main(shared: Path) -> None:
    """Pin everything on a QuestDB of its own."""
    config = small()
    with tempfile.TemporaryDirectory() as folder, serving(config, Path(folder), schema=True):
        writer = RowWriter(config)
        async with await Database.connect(config) as database:
            await pin_all(database, writer, shared)
        await writer.close()


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    asyncio.run(main(Path(os.environ.get("ARES_TEST_DATA", here))))
