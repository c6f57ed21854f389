"""The whole service against a venue whose trade ids have holes, over real sockets, into a real QuestDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.quality import QualityConfig
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, VenueConfig
from ares.errors import UnknownSymbol, VenueUnavailable
from ares.model.market import Trade
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ingest.asking import ask_venue, fetch_past
from ingest.gaps import Gap, Where
from ingest.quality import Inspector
from ingest.recovery import Recovery
from ingest.service import Ingest
from ingest.services import INGEST
from ingest.venues.registry import create_feed, create_history
from tests.bybit import Bybit, be_impatient, serving, with_a_past
from tests.collected import Collected

BTC = "BTCUSDT"
SYMBOLS = {"spot": "BTC/USDT", "linear": "BTC/USDT:USDT"}
TRADES = "SELECT count() FROM trades WHERE venue = %(venue)s"
SOURCED = "SELECT count() FROM trades WHERE venue = %(venue)s AND source = %(source)s"
GAPS = (
    "SELECT count() FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades' "
    "LATEST ON ts PARTITION BY gap_id) WHERE status = %(status)s AND cause = %(cause)s"
)
OPEN = (
    "SELECT count() FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades' "
    "LATEST ON ts PARTITION BY gap_id) WHERE status = 'open'"
)
BACKFILLED = "SELECT count_distinct(symbol) FROM ingest_watermarks WHERE venue = %(venue)s AND channel = 'backfill'"


class Running(Collected[Bybit]):
    """A running service that collects from the venue."""

    async def stored(self) -> set[str]:
        records = await self.database.fetch("SELECT trade_id FROM trades WHERE venue = %(venue)s", {"venue": self.name})
        return {str(record["trade_id"]) for record in records}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_impatient(monkeypatch)


def context_of(config: DatabaseConfig, name: str, port: int, path: Path, category: str) -> ServiceContext:
    settings = {
        "venue": name,
        "symbols": (SYMBOLS[category],),
        "backfill_trades_hours": 1.0,
        "backfill_bars_hours": 1.0,
    }
    settings |= {
        "backoff_s_min": 0.05,
        "backoff_s_max": 0.2,
        "book_s_min": 0.01,
        "watermark_s": 0.1,
        "funding_s_min": 0.01,
    }
    protocol = "bybit" if category == "spot" else "bybitlinear"
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "protocol": protocol}
    address |= {"connects_per_minute_max": 1_000}
    patience = {"connects_per_minute_max": 1_000}
    ares = AresConfig(
        environment=EnvironmentConfig(state_dir=path),
        database=config,
        venues={name: VenueConfig.model_validate(address | patience)},
        ingest=IngestConfig.model_validate(settings),
    )
    return ServiceContext(ares, SystemClock(), "ingest-test")


@asynccontextmanager
async def running(context: ServiceContext, venue: Bybit, database: Database) -> AsyncIterator[Running]:
    service = INGEST.build(context)
    assert isinstance(service, Ingest)
    await service.start()
    task = asyncio.create_task(service.run())
    try:
        yield Running(service, venue, context.config.ingest.venue, database, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await service.stop()


@pytest.fixture(params=["spot", "linear"])
def there(request: pytest.FixtureRequest) -> Bybit:
    return with_a_past(request.param)


@pytest.fixture
def context(questdb_config: DatabaseConfig, venue: str, port: int, tmp_path: Path, there: Bybit) -> ServiceContext:
    return context_of(questdb_config, venue, port, tmp_path, there.category)


@pytest.fixture
async def collected(context: ServiceContext, port: int, there: Bybit, database: Database) -> AsyncIterator[Running]:
    """A service that streams, with what little past there is fetched."""
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(topics_of(there))
        await there.trade(BTC)
        await there.quote(BTC)
        await there.book(BTC)
        await run.until(BACKFILLED, 1)
        yield run


def topics_of(venue: Bybit) -> int:
    """One a channel."""
    return 4 if venue.category == "linear" else 3


def issued(venue: Bybit) -> set[str]:
    return {str(deal["i"]) for deal in venue.trades[BTC]}


async def test_first_start_stores_the_page_before_the_first_trade_the_present_and_candles(collected: Running) -> None:
    await collected.until(TRADES, 11)
    await collected.until(SOURCED, 1, source="stream")
    assert await collected.stored() == issued(collected.venue)
    await collected.until(GAPS, 1, status="healed", cause="backfill")
    await collected.until("SELECT count() FROM quotes WHERE venue = %(venue)s", 1)
    await collected.until("SELECT min(1) FROM books WHERE venue = %(venue)s", 1)
    assert await collected.number("SELECT count() FROM venue_bars_1m WHERE venue = %(venue)s") in (59, 60)
    await collected.until(OPEN, 0)
    assert collected.service.health().ready


async def test_trades_that_the_stream_drops_are_found_at_rest_and_the_gap_closes_as_healed(collected: Running) -> None:
    await collected.until(TRADES, 11)
    for _ in range(3):
        await collected.venue.trade(BTC)
        await collected.venue.trade(BTC, told=False)
        await collected.venue.trade(BTC)
    await collected.until(TRADES, 20)
    assert await collected.stored() == issued(collected.venue)
    await collected.until(OPEN, 0)
    assert await collected.number(GAPS, status="healed", cause="id_jump") >= 1
    assert await collected.number(GAPS, status="lost", cause="id_jump") == 0


async def test_trades_of_a_break_are_fetched_while_it_lasts_and_after_it(collected: Running) -> None:
    venue = collected.venue
    await collected.until(TRADES, 11)
    venue.accepts, venue.page_max = False, 8
    await venue.hang_up()
    for missed in range(20):  # more than a page holds, bridged by pages that overlap
        await venue.trade(BTC, told=False)
        await collected.until(SOURCED, 11 + missed, source="rest")
    venue.accepts = True
    await venue.subscribed(topics_of(venue))
    await venue.trade(BTC)
    await collected.until(TRADES, 32)
    assert await collected.stored() == issued(venue)
    await collected.until(OPEN, 0)
    assert await collected.number(GAPS, status="healed", cause="disconnect") == 1


async def test_a_trade_of_a_break_that_cannot_be_read_lies_in_quarantine_and_the_others_are_stored(
    collected: Running,
) -> None:
    venue = collected.venue
    await collected.until(TRADES, 11)
    venue.accepts = False
    await venue.hang_up()
    await venue.trade(BTC, told=False)
    spoiled = venue.issue(BTC)
    spoiled["p"] = "x"
    await venue.trade(BTC, told=False)
    await collected.until(SOURCED, 12, source="rest")
    venue.accepts = True
    await venue.subscribed(topics_of(venue))
    await venue.trade(BTC)
    await collected.until(OPEN, 0)
    await collected.until(TRADES, 14)
    assert await collected.stored() == issued(venue) - {str(spoiled["i"])}
    quarantined = "SELECT count() FROM quarantine WHERE venue = %(venue)s AND field = 'price'"
    assert await collected.number(quarantined) >= 1


async def test_a_break_in_a_quiet_market_ends_without_a_trade_and_the_watermark_goes_on(collected: Running) -> None:
    venue = collected.venue
    await collected.until(TRADES, 11)
    await venue.hang_up()
    await venue.subscribed(topics_of(venue))
    await collected.until(GAPS, 1, status="healed", cause="disconnect")
    healer = "SELECT count() FROM gaps WHERE venue = %(venue)s AND healed_by = 'nothing_missed'"
    assert await collected.number(healer) == 1
    mark = "SELECT max(watermark)::long FROM ingest_watermarks WHERE venue = %(venue)s AND channel = 'trades'"
    last_ns = await collected.number("SELECT max(ts)::long FROM trades WHERE venue = %(venue)s")
    async with asyncio.timeout(20):
        while await collected.number(mark) <= last_ns:
            await asyncio.sleep(0.1)


async def test_what_the_newest_page_does_not_reach_is_lost_with_its_time_and_later_starts_do_not_ask_again(
    context: ServiceContext, port: int, there: Bybit, database: Database
) -> None:
    async with serving(there, port):
        async with running(context, there, database) as run:
            await there.subscribed(topics_of(there))
            first = await there.trade(BTC)
            await run.until(TRADES, 11)
            await run.until(BACKFILLED, 1)
        there.page_max = 5
        for _ in range(9):
            there.issue(BTC)
            await asyncio.sleep(0.005)
        async with running(context, there, database) as run:
            await there.subscribed(topics_of(there))
            await run.until(GAPS, 1, status="lost", cause="restart")
            await run.until(OPEN, 0)
            await run.until(TRADES, 11 + 5)
            assert await run.stored() == issued(there) - {str(deal["i"]) for deal in there.trades[BTC][11:15]}
        async with running(context, there, database) as run:
            await there.subscribed(topics_of(there))
            await run.until(OPEN, 0)
            await run.until(TRADES, 11 + 5)
        lost = await database.fetch(
            "SELECT started_at::long AS started, ended_at::long AS ended, missing FROM gaps "
            "WHERE venue = %(venue)s AND status = 'lost' AND channel = 'trades'",
            {"venue": run.name},
        )
    oldest_reached = [deal["T"] for deal in there.trades[BTC]][-5]
    assert lost == [
        {"started": int(str(first["T"])) * NANOS_PER_MILLI, "ended": int(str(oldest_reached)) * NANOS_PER_MILLI}
        | {"missing": None}
    ]


async def test_checks_of_stored_data_do_not_take_holes_in_the_ids_for_missing_trades(collected: Running) -> None:
    venue = collected.venue
    for _ in range(5):
        await venue.trade(BTC)
    await collected.until(TRADES, 16)
    symbol = SYMBOLS[venue.category]
    inspector = Inspector(
        collected.database, collected.name, (symbol,), QualityConfig(), SystemClock(), dense_ids=False
    )
    rows = await inspector.inspect()
    names = {row.symbols["check_name"] for row in rows}
    assert "missing_ids" not in names
    assert "duplicates" in names
    assert [row for row in rows if row.symbols["grade"] == "fail" and row.symbols["channel"] == "trades"] == []


async def test_the_venue_is_asked_and_of_its_past_candles_alone_come(
    context: ServiceContext, port: int, there: Bybit
) -> None:
    symbol = SYMBOLS[there.category]
    async with serving(there, port):
        (row,) = await ask_venue(context.config)
        assert (row["symbol"], row["active"], row["last_price"]) == (symbol, True, 103.5)
        trades, bars = await fetch_past(context.config, symbol, 1.0, lambda _s, _n, _share: None)
    assert trades == 0
    assert bars in (59, 60)


async def test_an_answer_that_makes_no_sense_is_no_answer_and_a_wrong_name_gets_near_ones(
    context: ServiceContext, port: int, there: Bybit
) -> None:
    name, config = context.config.ingest.venue, context.config.venues[context.config.ingest.venue]
    async with serving(there, port):
        history = create_history(name, config, {"BTC": BTC}, SystemClock())
        page = await history.newest_trades("BTC")
        assert [trade.trade_id for trade in page.trades] == [deal["i"] for deal in there.trades[BTC]]
        there.broken = True
        with pytest.raises(VenueUnavailable, match="makes no sense"):
            await history.newest_trades("BTC")
        await history.close()
        wrong = create_feed(name, config, IngestConfig(venue=name, symbols=("BTC/USD",)), SystemClock())
        with pytest.raises(UnknownSymbol, match="BTC/USDT"):
            await wrong.open()


async def test_recovery_knows_the_newest_trades_and_gaps_that_no_trade_followed(
    database: Database, writer: RowWriter, venue: str
) -> None:
    clock = SystemClock()
    now_ns = clock.now_ns()
    ids = ("b", "a", "c")
    trades = [
        Trade(venue, "BTC/USDT", key, n, "buy", 1.0, 1.0, now_ns + n, now_ns, "stream") for n, key in enumerate(ids)
    ]
    gap = Gap.opened(Where(venue, "BTC/USDT", "trades"), "disconnect", now_ns, now_ns)
    orphan = Gap.opened(Where(venue, "ETH/USDT", "trades"), "disconnect", now_ns, now_ns)
    await writer.write([*trades, gap.to_row(now_ns), orphan.to_row(now_ns)])
    recovery = Recovery(database, venue, clock, dense_ids=False)
    await recovery.settle()
    known = (await recovery.known("BTC/USDT")).trades
    assert known is not None
    assert [each.trade_id for each in known.recent] == ["b", "a", "c"]
    assert (known.first_seq, known.last_seq, list(known.unrecorded)) == (0, 2, [])
    assert [each.gap_id for each in known.gaps] == [gap.gap_id]
    other = await recovery.known("ETH/USDT")
    assert other.trades is None
    assert [each.gap_id for each in other.orphans] == [orphan.gap_id]


@pytest.mark.parametrize("there", ["linear"], indirect=True)
async def test_linear_markets_bring_what_will_be_paid_and_what_was(collected: Running) -> None:
    kinds = "SELECT count() FROM funding WHERE venue = %(venue)s AND kind = %(kind)s"
    await collected.until(kinds, 1, kind="predicted")
    await collected.until(kinds, 90, kind="settled")
    shown = "SELECT rate, mark_price, index_price FROM funding WHERE venue = %(venue)s AND kind = 'predicted'"
    predicted = {"rate": 0.0001, "mark_price": 100.01, "index_price": 100.02}
    assert await collected.database.fetch(shown, {"venue": collected.name}) == [predicted]
    listed = "SELECT contract, contract_size::double AS contract_size FROM instruments WHERE venue = %(venue)s LIMIT 1"
    assert await collected.database.fetch(listed, {"venue": collected.name}) == [
        {"contract": "linear", "contract_size": 1.0}
    ]
    await collected.venue.say(f"tickers.{BTC}", "delta", {"symbol": BTC, "fundingRate": "0.0002"})
    await collected.until(kinds, 2, kind="predicted")
