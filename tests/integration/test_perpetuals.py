"""Perpetuals: the whole service against a venue of Binance USD-M's protocol, and both venues' REST over real lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from ares.clock import HOUR_NS, NANOS_PER_MILLI, SystemClock
from ares.config.quality import QualityConfig
from ares.config.settings import DatabaseConfig, IngestConfig, VenueConfig
from ares.errors import UnknownSymbol, VenueRejected, VenueUnavailable
from ares.model.market import Funding
from ares.store import Database
from ingest.commands import read_status
from ingest.venues.registry import create_feed, create_history
from ingest.venues.rest_history import RestHistory
from tests.integration.test_ingest_service import (
    BACKFILLED,
    GAPS,
    HISTORY_TRADES,
    PAIRS,
    Running,
    Venue,
    context_of,
    running,
    serving,
)

HOUR_MS = 3_600_000
SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
FUNDING = "SELECT count() FROM funding WHERE venue = %(venue)s AND symbol = 'BTC/USDT:USDT' AND kind = %(kind)s"


@dataclass
class Futures(Venue):
    """A venue of USD-M's protocol: streams by kind, changes of books that name the one before, payments."""

    payments: list[dict[str, object]] = field(default_factory=list)
    rate: str = "0.00010000"
    asked: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pays_ms = now_ms() // (8 * HOUR_MS) * 8 * HOUR_MS + 8 * HOUR_MS
        self.payments = [payment(self.pays_ms - n * 8 * HOUR_MS) for n in range(1, 31)]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        for name, handler in (
            ("exchangeInfo", self._perpetuals),
            ("depth", self._depth),
            ("aggTrades", self._agg_trades),
            ("klines", self._klines),
            ("fundingRate", self._funding_rate),
        ):
            app.router.add_get(f"/fapi/v1/{name}", handler)
        for kind in ("market", "public"):
            app.router.add_get(f"/{kind}/ws", self._ws)
        return app

    async def _perpetuals(self, _: web.Request) -> web.Response:
        return web.json_response({"symbols": [perpetual(name) for name in PAIRS] + [delivery()]})

    async def _funding_rate(self, request: web.Request) -> web.Response:
        self.asked += 1
        first, last, most = (int(request.query[name]) for name in ("startTime", "endTime", "limit"))
        found = [row for row in self.payments if first <= int(str(row["fundingTime"])) <= last]
        return web.json_response(sorted(found, key=lambda row: int(str(row["fundingTime"])))[:most])

    async def move_book(self, name: str) -> None:
        before = self.update_ids[name]
        update_id = self.next_update(name)
        ids = {"U": update_id, "u": update_id, "pu": before}
        diff = {"e": "depthUpdate", "E": now_ms(), "T": now_ms() - 2, "s": name, **ids}
        await self.say(f"{name.lower()}@depth@100ms", {**diff, "b": [["99.8", "3"]], "a": []})

    async def tell_funding(self, name: str) -> None:
        prices = {"p": "100.05", "i": "100.01", "P": "100.02"}
        event = {"e": "markPriceUpdate", "E": now_ms(), "s": name, **prices, "r": self.rate, "T": self.pays_ms}
        await self.say(f"{name.lower()}@markPrice@1s", event)

    async def move_all(self) -> None:
        await super().move_all()
        for name in PAIRS:
            await self.tell_funding(name)


def now_ms() -> int:
    return SystemClock().now_ns() // NANOS_PER_MILLI


def payment(ms: int) -> dict[str, object]:
    return {"symbol": "BTCUSDT", "fundingRate": "-0.00012", "fundingTime": ms + 3, "markPrice": "100.25"}


def perpetual(name: str) -> dict[str, object]:
    base, quote = PAIRS[name]
    return {
        "symbol": name, "pair": name, "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_569_398_400_000, "status": "TRADING", "baseAsset": base, "quoteAsset": quote,
        "marginAsset": quote, "pricePrecision": 2, "quantityPrecision": 3, "underlyingType": "COIN",
        "filters": [
            {"minPrice": "0.01", "maxPrice": "1000000", "filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"stepSize": "0.001", "filterType": "LOT_SIZE", "maxQty": "1000", "minQty": "0.001"},
            {"notional": "5", "filterType": "MIN_NOTIONAL"},
        ],
        "orderTypes": ["LIMIT"], "timeInForce": ["GTC"],
    }  # fmt: skip


def delivery() -> dict[str, object]:
    dated = {"symbol": "BTCUSDT_270326", "contractType": "CURRENT_QUARTER", "deliveryDate": 1_806_048_000_000}
    return {**perpetual("BTCUSDT"), **dated}


def collecting(
    there: Futures,
    config: DatabaseConfig,
    database: Database,
    venue: str,
    place: tuple[int, Path],
    *,
    quality: QualityConfig | None = None,
) -> AbstractAsyncContextManager[Running]:
    port, path = place
    context = context_of(config, venue, port, path, symbols=SYMBOLS, funding_s_min=0.05)
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "protocol": "binanceusdm"}
    changes = {"venues": {venue: VenueConfig.model_validate(address)}, "quality": quality or QualityConfig()}
    ares = context.config.model_copy(update=changes)
    return running(replace(context, config=ares), there, database)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.3)
    monkeypatch.setattr("ingest.healing.LOOK_AGAIN_S", 0.1)
    monkeypatch.setattr("ingest.settlements.UNANNOUNCED_S", 0.2)
    monkeypatch.setattr("ingest.settlements.PAID_AFTER_S", 0.1)
    monkeypatch.setattr("ingest.settlements.LOOK_S_MAX", 0.3)


@pytest.fixture
async def collected(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> AsyncIterator[Running]:
    """A service that streams perpetuals, with their past fetched."""
    there = Futures()
    async with (
        serving(there, port),
        collecting(there, questdb_config, database, venue, (port, tmp_path)) as run,
    ):
        await there.subscribed(8)
        await there.move_all()
        await run.until(BACKFILLED, 2)
        yield run


def there_of(run: Running) -> Futures:
    assert isinstance(run.venue, Futures)
    return run.venue


async def test_first_start_stores_trades_books_candles_what_was_paid_and_what_will_be(collected: Running) -> None:
    await collected.until("SELECT count() FROM trades WHERE venue = %(venue)s", 2 * HISTORY_TRADES + 2)
    await collected.until(FUNDING, 30, kind="settled")
    await collected.until(FUNDING, 1, kind="predicted")
    await collected.until("SELECT count() FROM quotes WHERE venue = %(venue)s", 2)
    assert await collected.number("SELECT count() FROM books WHERE venue = %(venue)s") >= 2
    assert await collected.number("SELECT count() FROM venue_bars_1m WHERE venue = %(venue)s") in (118, 120)
    assert await collected.number("SELECT count() FROM gaps WHERE venue = %(venue)s") == 0
    assert await collected.number("SELECT count() FROM quarantine WHERE venue = %(venue)s") == 0
    assert collected.service.health().ready
    row = await collected.database.fetch_one(
        "SELECT rate, mark_price, index_price, funding_at::long AS at FROM funding "
        "WHERE venue = %(venue)s AND kind = 'predicted' AND symbol = 'BTC/USDT:USDT'",
        {"venue": collected.name},
    )
    pays_ns = there_of(collected).pays_ms * NANOS_PER_MILLI
    assert row == {"rate": 0.0001, "mark_price": 100.05, "index_price": 100.01, "at": pays_ns}
    listed = "SELECT contract, contract_size, amount_step, cost_min FROM instruments WHERE venue = %(venue)s"
    rows = await collected.database.fetch(listed, {"venue": collected.name})
    assert [list(each.values()) for each in rows] == [["linear", 1, Decimal("0.001"), 5]] * 2


async def test_funding_that_did_not_come_is_a_gap_and_a_changed_rate_a_row(collected: Running) -> None:
    there = there_of(collected)
    await collected.until(FUNDING, 1, kind="predicted")
    await there.tell_funding("BTCUSDT")
    await there.hang_up()
    await there.subscribed(8)
    await collected.until(GAPS, 2, channel="funding", status="open")
    there.rate = "0.00020000"
    for name in PAIRS:
        await there.tell_funding(name)
    await collected.until(GAPS, 2, channel="funding", status="lost")
    await collected.until(FUNDING, 2, kind="predicted")
    newest = "SELECT max(rate) AS rate FROM funding WHERE venue = %(venue)s AND kind = 'predicted'"
    assert await collected.database.fetch(newest, {"venue": collected.name}) == [{"rate": 0.0002}]


async def test_a_payment_is_stored_once_the_venue_lists_it(collected: Running) -> None:
    there = there_of(collected)
    await collected.until(FUNDING, 30, kind="settled")
    there.payments.append(payment(now_ms() - 500))
    await collected.until(FUNDING, 31, kind="settled")


async def test_a_change_of_a_book_that_is_missing_takes_the_book_anew(collected: Running) -> None:
    there = there_of(collected)
    there.next_update("BTCUSDT")
    await there.move_book("BTCUSDT")
    cause = (
        "SELECT count_distinct(gap_id) FROM gaps WHERE venue = %(venue)s AND channel = 'books' AND cause = 'id_jump'"
    )
    await collected.until(cause, 1)
    await collected.until(GAPS, 1, channel="books", status="lost")
    assert await collected.number(GAPS, channel="books", status="open") == 0


async def test_what_is_missed_while_away_is_a_gap_and_payments_are_not_written_twice(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there, stamps = Futures(), 0
    received = "SELECT count_distinct(received_at) FROM funding WHERE venue = %(venue)s AND kind = 'settled'"
    async with serving(there, port):
        for start in range(2):
            async with collecting(there, questdb_config, database, venue, (port, tmp_path)) as run:
                await there.subscribed(8)
                await there.move_all()
                await run.until(BACKFILLED, 2)
                await run.until(FUNDING, 30, kind="settled")
                await run.until(FUNDING, start + 1, kind="predicted")
                stamps = stamps or await run.number(received)
                assert await run.number(received) == stamps
                await run.until(GAPS, 2 * start, channel="funding", status="lost")
            there.streams.clear()


async def test_the_service_grades_funding_as_it_grades_its_other_channels(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there, often = Futures(), QualityConfig(every_s=0.5)
    graded = (
        "SELECT count_distinct(symbol) FROM quality_checks "
        "WHERE venue = %(venue)s AND channel = 'funding' AND check_name = %(check)s AND grade = 'ok'"
    )
    async with (
        serving(there, port),
        collecting(there, questdb_config, database, venue, (port, tmp_path), quality=often) as run,
    ):
        await there.subscribed(8)
        await there.move_all()
        await run.until(graded, 2, check="stale")
        await run.until(graded, 2, check="gaps_open")


async def test_status_shows_the_rate_that_comes(collected: Running) -> None:
    await collected.until(FUNDING, 1, kind="predicted")
    config = collected.service._config
    rows = {str(row["symbol"]): row for row in await read_status(config)}
    assert rows["BTC/USDT:USDT"]["funding_rate"] == 0.0001


@pytest.fixture
async def usdm(port: int) -> AsyncIterator[tuple[Futures, VenueConfig]]:
    there = Futures()
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "protocol": "binanceusdm"}
    async with serving(there, port):
        yield there, VenueConfig.model_validate(address)


@pytest.fixture
async def history(usdm: tuple[Futures, VenueConfig]) -> AsyncIterator[RestHistory]:
    asked = create_history("usdm", usdm[1], {"BTC/USDT:USDT": "BTCUSDT"}, SystemClock())
    yield asked
    await asked.close()


async def test_years_of_payments_come_whole_over_pages(usdm: tuple[Futures, VenueConfig], history: RestHistory) -> None:
    there = usdm[0]
    first_ms = there.pays_ms - 3_000 * 8 * HOUR_MS
    there.payments = [payment(first_ms + n * 8 * HOUR_MS) for n in range(3_000)]
    start_ns = first_ms * NANOS_PER_MILLI
    found = await history.funding("BTC/USDT:USDT", start_ns, start_ns + 3_000 * 8 * HOUR_NS)
    assert [each.ts_ns for each in found] == [(first_ms + n * 8 * HOUR_MS + 3) * NANOS_PER_MILLI for n in range(3_000)]
    assert found[0] == Funding(
        "usdm",
        "BTC/USDT:USDT",
        "settled",
        -0.00012,
        100.25,
        None,
        found[0].ts_ns,
        found[0].ts_ns,
        found[0].received_at_ns,
    )
    assert there.asked == 25


async def test_trades_by_id_and_the_book_are_asked_for_at_the_futures_address(history: RestHistory) -> None:
    page = await history.trades("BTC/USDT:USDT", 100, 50)
    assert [trade.seq for trade in page.trades] == list(range(100, 150))
    assert (await history.book("BTC/USDT:USDT")).snapshot


async def test_a_venue_that_is_down_or_has_no_perpetuals_says_so(usdm: tuple[Futures, VenueConfig]) -> None:
    there, config = usdm
    there.up = False
    down = create_history("usdm", config, {"BTC/USDT:USDT": "BTCUSDT"}, SystemClock())
    spot = create_history("spot", config.model_copy(update={"protocol": "binance"}), {}, SystemClock())
    try:
        with pytest.raises(VenueUnavailable):
            await down.funding("BTC/USDT:USDT", 0, HOUR_NS)
        with pytest.raises(VenueRejected, match="no perpetuals"):
            await spot.funding("BTC/USDT", 0, HOUR_NS)
    finally:
        await down.close()
        await spot.close()


async def test_only_perpetuals_are_offered_where_funding_is_collected(usdm: tuple[Futures, VenueConfig]) -> None:
    def feed_of(symbol: str) -> object:
        return create_feed("usdm", usdm[1], IngestConfig(venue="usdm", symbols=(symbol,)), SystemClock()).open()

    with pytest.raises(UnknownSymbol, match="BTC/USDT:USDT"):
        await feed_of("BTC/USDT")  # type: ignore[misc]
    with pytest.raises(UnknownSymbol, match="BTC/USDT:USDT"):
        await feed_of("BTC/USDT:USDT-270326")  # type: ignore[misc]
    (instrument,) = await feed_of("BTC/USDT:USDT")  # type: ignore[misc]
    assert (instrument.venue_symbol, instrument.contract) == ("BTCUSDT", "linear")
