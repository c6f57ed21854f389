"""Goal: every defect that is planted in a real QuestDB is found by its check, and sound data fail none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns
from ares.config.quality import QualityConfig
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import OperatingError, UsageError
from ares.model.market import Bar, Book, Funding, Instrument, Quote, Trade
from ares.model.row import Row, Storable, UtcNs
from ares.store import Database, RowWriter
from ingest.data_commands import app
from ingest.feed import PERPETUALS, Rejected
from ingest.gaps import Gap, Where
from ingest.grading import CHECKS
from ingest.quality import Inspector
from ingest.quality_command import run_checks
from tests.helpers import settings_file

SYMBOL = "BTC/USDT"
TABLES = ("trades", "quotes", "books", "gaps", "quarantine", "instruments", "venue_bars_1m", "ingest_watermarks")
PERPETUAL = "BTC/USDT:USDT"
Grades = dict[str, str]


def sound(venue: str, now_ns: int) -> list[Storable]:
    """Ten minutes of a trade each ten seconds, the venue's candles of them, its quotes, books and tick."""
    start_ns = floor_ns(now_ns, MINUTE_NS) - 10 * MINUTE_NS
    rows: list[Storable] = []
    times = range(start_ns, now_ns, 10 * NANOS_PER_SECOND)
    for seq, ts_ns in enumerate(times, 1):
        received_ns = ts_ns + 5_000_000
        rows.append(Trade(venue, SYMBOL, str(seq), seq, "buy", 100.1, 0.5, ts_ns, received_ns, "stream"))
        rows.append(Quote(venue, SYMBOL, seq, 100.0, 1.0, 100.2, 1.0, ts_ns, received_ns, "venue"))
        rows.append(Book(venue, SYMBOL, seq, ((100.0, 1.0),), ((100.2, 1.0),), ts_ns, received_ns, "venue"))
    minutes = range(start_ns, floor_ns(now_ns, MINUTE_NS), MINUTE_NS)
    rows += [Bar(venue, SYMBOL, m, 100.1, 100.1, 100.1, 100.1, 3.0, 300.3, 6, 3.0, m + MINUTE_NS) for m in minutes]
    fees = (Decimal("0.001"), Decimal("0.001"))
    steps = (Decimal("0.1"), Decimal("0.01"), Decimal("5"))
    rows.append(Instrument(venue, SYMBOL, "BTCUSDT", "BTC", "USDT", *steps, *fees).to_row(start_ns - 1))
    mark = {"watermark": UtcNs(now_ns), "last_seq": len(times), "acked_rows": len(times)}
    rows.append(
        Row("ingest_watermarks", now_ns, {"venue": venue, "symbol": SYMBOL, "channel": "trades"}, mark),
    )
    return rows


def trade_of(rows: Sequence[Storable], seq: int) -> Trade:
    return next(row for row in rows if isinstance(row, Trade) and row.seq == seq)


def changed(rows: list[Storable], seq: int, **values: float) -> list[Storable]:
    """With one trade saying something else."""
    trade = trade_of(rows, seq)
    return [replace(trade, **values) if row is trade else row for row in rows]


def without(rows: list[Storable], kind: type[Storable]) -> list[Storable]:
    return [row for row in rows if not isinstance(row, kind)]


def gap(rows: list[Storable], *, lost: bool) -> list[Storable]:
    """With a gap of trades that began 20 minutes ago."""
    last = trade_of(rows, 60)
    place = Where(last.venue, SYMBOL, "trades")
    began_ns = last.ts_ns - 20 * MINUTE_NS
    found = Gap.opened(place, "id_jump", began_ns, began_ns, 10_000).bounded(12_000, began_ns + MINUTE_NS)
    row = found.to_row(last.ts_ns)
    symbols = {**row.symbols, "status": "lost"} if lost else row.symbols
    return [*rows, Row("gaps", row.ts_ns, symbols, row.columns)]


def refused(rows: list[Storable]) -> list[Storable]:
    last = trade_of(rows, 50)
    frames = [Rejected("trades", "price", "x", f"{n}", last.ts_ns + n, SYMBOL).to_row(last.venue) for n in range(3)]
    return [*rows, *frames]


def lame(rows: list[Storable]) -> list[Storable]:
    return [replace(r, received_at_ns=r.ts_ns + 9 * NANOS_PER_SECOND) if isinstance(r, Trade) else r for r in rows]


def twice(rows: list[Storable]) -> list[Storable]:
    trade = trade_of(rows, 20)
    return [*rows, replace(trade, ts_ns=trade.ts_ns + 1)]


def wrong_candles(rows: list[Storable]) -> list[Storable]:
    return [replace(row, close=100.2, high=100.2) if isinstance(row, Bar) else row for row in rows]


DEFECTS: dict[str, tuple[str, str, Callable[[list[Storable]], list[Storable]]]] = {
    "a NaN price": ("impossible_values", "fail", lambda rows: changed(rows, 20, price=float("nan"))),
    "a negative amount": ("impossible_values", "fail", lambda rows: changed(rows, 20, amount=-1.0)),
    "a price off the tick": ("off_tick", "warn", lambda rows: changed(rows, 20, price=100.15)),
    "an amount off the step": ("off_step", "warn", lambda rows: changed(rows, 20, amount=0.505)),
    "a jump of the price": ("price_jump", "fail", lambda rows: changed(rows, 20, price=150.1)),
    "a venue clock ahead of ours": (
        "clock_ahead", "fail", lambda rows: changed(rows, 20, received_at_ns=trade_of(rows, 20).ts_ns - 2 * 10**9),
    ),
    "slow frames": ("latency", "fail", lame),
    "an id with two times": ("duplicates", "fail", twice),
    "a time that goes back": (
        "out_of_order", "warn", lambda rows: changed(rows, 20, ts_ns=trade_of(rows, 18).ts_ns - 1),
    ),
    "an id that is nowhere": ("missing_ids", "fail", lambda rows: [r for r in rows if r is not trade_of(rows, 20)]),
    "a channel that says nothing": ("stale", "fail", lambda rows: without(rows, Book)),
    "a gap open for long": ("gaps_open", "fail", lambda rows: gap(rows, lost=False)),
    "trades given up": ("gaps_lost", "fail", lambda rows: gap(rows, lost=True)),
    "refused frames": ("quarantined", "warn", refused),
    "candles that say something else": ("bars_differ", "fail", wrong_candles),
    "minutes without a candle": ("bars_unmatched", "fail", lambda rows: without(rows, Bar)),
}  # fmt: skip


async def store(writer: RowWriter, database: Database, rows: Sequence[Storable]) -> None:
    await writer.write(rows)
    await database.wait_applied(TABLES)
    venue = rows[0].symbols["venue"]
    async with asyncio.timeout(20):
        while not await database.fetch("SELECT ts FROM bars_1m WHERE venue = %(venue)s LIMIT 9, 10", {"venue": venue}):
            await asyncio.sleep(0.1)


async def grades(database: Database, venue: str) -> Grades:
    """The worst grade of every check that had something to judge."""
    rows = await Inspector(database, venue, (SYMBOL,), QualityConfig(), SystemClock()).inspect()
    found: Grades = {}
    for row in sorted(rows, key=lambda each: ("ok", "warn", "fail").index(each.symbols["grade"])):
        found[row.symbols["check_name"]] = row.symbols["grade"]
    return found


async def test_sound_data_pass_every_check(database: Database, writer: RowWriter, venue: str) -> None:
    await store(writer, database, sound(venue, SystemClock().now_ns()))
    assert await grades(database, venue) == dict.fromkeys(CHECKS, "ok")


@pytest.mark.parametrize("defect", DEFECTS)
async def test_planted_defect_is_found(database: Database, writer: RowWriter, venue: str, defect: str) -> None:
    check, grade, plant = DEFECTS[defect]
    await store(writer, database, plant(sound(venue, SystemClock().now_ns())))
    assert (await grades(database, venue))[check] == grade


async def test_a_venue_of_which_nothing_is_stored_is_stale_and_nothing_else_is_judged_bad(
    database: Database, venue: str
) -> None:
    assert {name for name, grade in (await grades(database, venue)).items() if grade != "ok"} == {"stale"}


def predictions(venue: str, ages_minutes: Sequence[int]) -> list[Storable]:
    """What the venue said of the next payment so many minutes ago, and a payment that says nothing of the stream."""
    now_ns = SystemClock().now_ns()
    paid = Funding(venue, PERPETUAL, "settled", 0.0001, None, None, now_ns, now_ns, now_ns)
    moments = [now_ns - minutes * MINUTE_NS for minutes in ages_minutes]
    said = [Funding(venue, PERPETUAL, "predicted", 0.0001, 100.0, 100.0, now_ns, ns, ns) for ns in moments]
    return [paid, *said]


def outage(venue: str, age_minutes: int) -> Row:
    began_ns = SystemClock().now_ns() - age_minutes * MINUTE_NS
    return Gap.opened(Where(venue, PERPETUAL, "funding"), "disconnect", began_ns, began_ns).to_row(began_ns)


async def funding_grades(database: Database, venue: str) -> Grades:
    """Of the channel of a venue with perpetuals, by check."""
    inspector = Inspector(database, venue, (PERPETUAL,), QualityConfig(), SystemClock(), channels=PERPETUALS)
    symbols = [row.symbols for row in await inspector.inspect()]
    return {each["check_name"]: each["grade"] for each in symbols if each["channel"] == "funding"}


@pytest.mark.parametrize(
    ("ages_minutes", "grade"), [(range(60), "ok"), (range(35, 95), "warn"), (range(130, 190), "fail"), ((), "fail")]
)
async def test_funding_is_stale_by_its_own_pace_and_payments_do_not_hide_it(
    database: Database, writer: RowWriter, venue: str, ages_minutes: Sequence[int], grade: str
) -> None:
    await writer.write(predictions(venue, ages_minutes))
    await database.wait_applied(("funding",))
    assert (await funding_grades(database, venue))["stale"] == grade


async def test_an_outage_of_funding_that_lasts_is_graded(database: Database, writer: RowWriter, venue: str) -> None:
    assert (await funding_grades(database, venue))["gaps_open"] == "ok"
    await writer.write([outage(venue, 20)])
    await database.wait_applied(("gaps",))
    assert (await funding_grades(database, venue))["gaps_open"] == "fail"


async def test_a_spot_venue_is_asked_for_no_funding(database: Database, venue: str) -> None:
    rows = await Inspector(database, venue, (SYMBOL,), QualityConfig(), SystemClock()).inspect()
    assert "funding" not in {row.symbols["channel"] for row in rows}


@pytest.mark.parametrize(("protocol", "expected"), [("binance", False), ("binanceusdm", True), ("okxswap", True)])
async def test_checks_by_hand_expect_funding_where_the_venue_has_it(
    database: Database, questdb_config: DatabaseConfig, venue: str, protocol: str, expected: bool
) -> None:
    settings = {
        "database": questdb_config,
        "ingest": {"venue": venue, "symbols": (PERPETUAL,)},
        "venues": {venue: {"protocol": protocol}},
    }
    await run_checks(AresConfig.model_validate(settings), database, SystemClock())
    shown = "SELECT DISTINCT channel FROM quality_checks WHERE venue = %(venue)s AND check_name = 'stale'"
    channels = {record["channel"] for record in await database.fetch(shown, {"venue": venue})}
    assert ("funding" in channels) is expected


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, f"symbols = ['{SYMBOL}']\n")))
    return CliRunner()


async def test_report_shows_the_latest_grades_and_fails_with_the_data(
    cli: CliRunner, database: Database, writer: RowWriter, venue: str
) -> None:
    unchecked = await asyncio.to_thread(cli.invoke, app, ["quality"])
    assert isinstance(unchecked.exception, OperatingError)
    assert "no check has run" in str(unchecked.exception)
    rows = sound(venue, SystemClock().now_ns())
    await store(writer, database, rows)
    good = await asyncio.to_thread(cli.invoke, app, ["quality", "--run", "--json"])
    assert good.exception is None, good.exception
    assert {row["check_name"] for row in json.loads(good.stdout)} == set(CHECKS)
    await store(writer, database, changed(rows, 20, price=-1.0))
    bad = await asyncio.to_thread(cli.invoke, app, ["quality", "--run"])
    assert isinstance(bad.exception, OperatingError)
    assert "impossible_values" in str(bad.exception)
    again = await asyncio.to_thread(cli.invoke, app, ["quality", "--json"])
    assert again.exception is not None
    assert json.loads(again.stdout)[0]["grade"] == "fail"


def test_report_of_no_hours_is_refused(cli: CliRunner) -> None:
    assert isinstance(cli.invoke(app, ["quality", "--hours", "0"]).exception, UsageError)
