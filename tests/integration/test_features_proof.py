"""Goal: no feature and no signal is another one where the future is missing or garbage; one that looks ahead is named.

`make poisoned-future CELLS=100000` compares so many cells (feature or signal, symbol, bar): every other batch on real
bars, where there are recordings beside the checkout.
"""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.catalog import Definition, catalog_of
from analytics.features.market import beside, made_up
from analytics.features.proof import Prover, Verdict
from analytics.features.worlds import HORIZON_MINUTES, WARM_UP_SPARE, Bars, Market, minutes, settled
from analytics.testing import SyntheticMarket
from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_MILLI, SystemClock, floor_ns, to_ns
from ares.config.settings import DatabaseConfig
from ares.model.market import Bar
from ares.model.row import Storable
from ares.store import Database, RowWriter
from tests.conftest import shared_folder
from tests.questdb import serving, small

CELLS = int(os.environ.get("ARES_TEST_CELLS", "300"))
EVERYTHING = catalog_of()
VIEWS = (*EVERYTHING.features, *EVERYTHING.signals)
SYMBOLS = 2
BATCH_BARS_MAX = 16
BATCHES_A_SERVER = 4
"""A view reads the worlds of every batch before: the fourth takes a third longer than the first."""
WARM_UP = WARM_UP_SPARE + EVERYTHING.warm_up_bars_max
RECORDINGS = {
    "BTC/USDT": "ftx_BTC-PERP_1m_20211231-20220201.csv.gz",
    "FIL/USDT": "binance_usdm_FILUSDT_1m_2023-08_2023-11.csv.gz",
}

HEADER = """-- {view}: what a clairvoyant would say.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: {inputs}.
-- Unit: quote.
-- Known after: never.
-- Warm-up: none.
-- Owner: nobody.
-- Checks: distinct >= 1 (warn).
"""


def base_of(hours_ago: int) -> int:
    """Yesterday, for tables with a TTL take no older rows."""
    return floor_ns(SystemClock().now_ns(), HOUR_NS) - hours_ago * HOUR_NS


def batches(cells: int) -> list[int]:
    """How many bars each batch has, so that all views and symbols together give so many cells."""
    bars = -(-cells // (len(VIEWS) * SYMBOLS))
    full, rest = divmod(bars, BATCH_BARS_MAX)
    return [BATCH_BARS_MAX] * full + ([rest] if rest else [])


def pieces(counts: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Batches in pieces for a server each, with the number of the first of them."""
    for first in range(0, len(counts), BATCHES_A_SERVER):
        yield first, counts[first : first + BATCHES_A_SERVER]


def told(verdicts: Sequence[Verdict]) -> list[str]:
    found = [verdict for verdict in verdicts if verdict.different]
    return [f"{v.view.view}: {v.different} of {v.cells}, {[str(leak) for leak in v.leaks]}" for v in found]


async def test_no_feature_and_no_signal_knows_the_future(
    questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> None:
    compared = known = 0
    for first, counts in pieces(batches(CELLS)):
        with server(questdb_config, tmp_path / f"from_{first}", shared=first == 0) as config:
            verdicts = [v async for v in proved(config, venue, first, counts)]
        assert told(verdicts) == []
        compared, known = compared + sum(v.cells for v in verdicts), known + sum(v.known for v in verdicts)
        sys.stdout.write(f"{compared} cells are the same, {known} of them known\n")
        sys.stdout.flush()
    assert compared >= CELLS
    assert known >= compared * 0.9


@contextmanager
def server(shared_config: DatabaseConfig, folder: Path, *, shared: bool) -> Iterator[DatabaseConfig]:
    """The tests' own QuestDB, or another one that goes with its worlds: what is asked costs by what lies there."""
    if shared:
        yield shared_config
        return
    config = small()
    with serving(config, folder, schema=True):
        yield config
    shutil.rmtree(folder)


async def proved(config: DatabaseConfig, venue: str, first: int, counts: Sequence[int]) -> AsyncIterator[Verdict]:
    """Verdicts of some batches, the first of them of this number."""
    writer = RowWriter(config)
    async with await Database.connect(config) as database:
        for number, count in enumerate(counts, first):
            bars = Bars(base_of(20 - number % 12) + (number // 12) % 60 * MINUTE_NS, count, WARM_UP)
            real = shared_folder() / "bars"
            if number % 2 and real.is_dir():
                market = await recorded(database, writer, f"{venue}s{number}", bars, real)
            else:
                market = await made_up(database, writer, f"{venue}s{number}", bars)
            verdicts = await Prover(database, market, f"{venue}w{number}").prove(VIEWS, bars.base_ns, count)
            assert [v.view.view for v in verdicts if not v.known] == [], "nothing was proved of these"
            for verdict in verdicts:
                yield verdict
    await writer.close()


async def test_no_feature_knows_the_future_of_real_bars(
    database: Database, writer: RowWriter, venue: str, shared_data: Path
) -> None:
    bars = Bars(base_of(18), 3, WARM_UP)
    market = await recorded(database, writer, venue, bars, shared_data / "bars")
    verdicts = await Prover(database, market, f"{venue}w").prove(VIEWS, bars.base_ns, bars.count)
    assert told(verdicts) == []
    assert [v.view.view for v in verdicts if not v.known] == []


async def recorded(database: Database, writer: RowWriter, venue: str, bars: Bars, folder: Path) -> Market:
    """Real bars, moved by whole days to yesterday, with ticks that fit them and books that are made up."""
    market = SyntheticMarket(venue, symbols=tuple(RECORDINGS))
    rows: list[Storable] = []
    for symbol, name in RECORDINGS.items():
        rows += moved(read_bars(folder / name, venue, symbol), bars)
    ticks = (bars.last_ns - bars.ticks_ns) // MINUTE_NS
    rows += [*market.books(bars.ticks_ns, ticks), *beside(market, bars.ticks_ns, ticks)]
    rows += market.marks(bars.last_ns, bars.last_ns)
    await writer.write(rows)
    await settled(database)
    return Market(venue, bars.first_ns, bars.last_ns)


def read_bars(file: Path, venue: str, symbol: str) -> list[Bar]:
    """The first two days of a recording."""
    if not file.is_file():
        pytest.skip(f"no recording at {file}: set ARES_TEST_DATA to a folder that has it")
    with gzip.open(file, "rt", encoding="utf-8") as text:
        rows = [row for _, row in zip(range(3_000), csv.DictReader(text), strict=False)]
    return [bar_of({key.lower(): cell for key, cell in row.items()}, venue, symbol) for row in rows]


def bar_of(cells: dict[str, str], venue: str, symbol: str) -> Bar:
    if "open_time" in cells:
        started_ns = int(cells["open_time"]) * NANOS_PER_MILLI
    else:
        started_ns = to_ns(datetime.fromisoformat(cells["timestamp"]).replace(tzinfo=UTC))
    prices = [float(cells[name]) for name in ("open", "high", "low", "close")]
    volume = float(cells["volume"])
    ts_ns = floor_ns(started_ns, MINUTE_NS)
    rest = (volume, volume * prices[3], 1 + int(volume) % 50, volume * 0.4, ts_ns + MINUTE_NS)
    return Bar(venue, symbol, ts_ns, *prices, *rest)


def moved(found: list[Bar], bars: Bars) -> list[Storable]:
    """So many of them as are wanted, days later."""
    assert len(found) > 2_000
    oldest_ns = found[0].ts_ns
    days = -(-(bars.first_ns - oldest_ns) // DAY_NS) - 1
    shift_ns = days * DAY_NS
    return [
        Bar(
            bar.venue,
            bar.symbol,
            bar.ts_ns + shift_ns,
            *(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.cost, bar.trades, bar.buy_volume),
            bar.ts_ns + shift_ns + MINUTE_NS,
        )
        for bar in found
        if bars.first_ns <= bar.ts_ns + shift_ns < bars.last_ns
    ]


def leaking(view: str, inputs: str, select: str) -> Definition:
    """A feature that looks ahead."""
    bounds = "DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()"
    sql = f"{HEADER.format(view=view, inputs=inputs)}CREATE OR REPLACE VIEW {view} AS ({bounds} {select})"
    name, _, version = view.rpartition("_v")
    return Definition("feature", name, int(version), "", sql, 0, f"{view}.sql")


LEAKS = {
    "next_return": (
        "bars_1m_checked",
        """SELECT ts, venue, symbol, value FROM (
             SELECT ts, venue, symbol, lead(close, 3) OVER (PARTITION BY venue, symbol ORDER BY ts) / close AS value
             FROM bars_1m_checked) WHERE ts >= @from AND ts <= @to""",
        "trades.price",
        "3 minutes past",
    ),
    "last_quote": (
        "bars_1m_checked, quotes",
        """SELECT b.ts, b.venue, b.symbol, q.value FROM bars_1m_checked b LEFT JOIN (
             SELECT dateadd('m', -1, ts) AS ts, venue, symbol, value FROM (
               SELECT ts, venue, symbol, last(bid) AS value FROM quotes
               WHERE ts >= @from AND ts <= dateadd('m', 2, @to) SAMPLE BY 1m)
           ) q ON b.ts = q.ts AND b.venue = q.venue AND b.symbol = q.symbol""",
        "quotes.bid",
        "1 minute past",
    ),
}


@pytest.mark.parametrize("name", sorted(LEAKS))
async def test_feature_that_looks_ahead_is_named_with_what_it_reads_and_how_far(
    database: Database, writer: RowWriter, venue: str, name: str
) -> None:
    inputs, select, reads, ahead = LEAKS[name]
    view = leaking(f"{name}_{venue}_v1", inputs, select)
    await database.execute(view.sql)
    bars = Bars(base_of(20), 2, WARM_UP_SPARE)
    market = await made_up(database, writer, venue, bars)
    (verdict,) = await Prover(database, market, f"{venue}w").prove([view], bars.base_ns, bars.count)
    assert (verdict.cells, verdict.different, verdict.proved) == (4, 4, False)
    leak = str(verdict.leaks[0])
    assert leak.startswith(f"{view.view} knows the future")
    assert f"It looks {ahead} the bar's end at {reads} (reads {inputs})" in leak
    await database.execute(f"DROP VIEW {view.view}")


def test_a_market_has_a_future_for_every_bar() -> None:
    bars = Bars(base_of(20), 5, 60)
    assert bars.last_ns == minutes(bars.base_ns, 5 + HORIZON_MINUTES)
    every = batches(100_000)
    assert sum(every) * len(VIEWS) * SYMBOLS >= 100_000
    assert [count for _, counts in pieces(every) for count in counts] == every
