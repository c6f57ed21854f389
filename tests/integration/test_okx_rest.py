"""OKX's past over a real HTTP line, by ccxt's raw endpoints: what a venue of its documentation would answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from ares.clock import MINUTE_NS, NANOS_PER_MILLI, SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import UnknownSymbol, VenueUnavailable
from ingest.venues.registry import create_feed, create_history
from ingest.venues.rest_history import RestHistory

NEWEST = 500
PAIR = {
    "instId": "BTC-USDT",
    "instType": "SPOT",
    "baseCcy": "BTC",
    "quoteCcy": "USDT",
    "tickSz": "0.1",
    "lotSz": "0.00000001",
    "minSz": "0.00001",
    "state": "live",
    "ctVal": "",
    "ctMult": "",
    "settleCcy": "",
    "uly": "",
    "instFamily": "",
    "expTime": "",
    "listTime": "1548133413000",
    "lever": "10",
    "optType": "",
    "stk": "",
}


def listed(seq: int) -> dict[str, str]:
    return {
        "instId": "BTC-USDT",
        "tradeId": str(seq),
        "px": str(60_000 + seq),
        "sz": "0.5",
        "source": "0",
        "side": "sell",
        "ts": str(1_700_000_000_000 + seq),
    }


@dataclass
class Okx:
    """Trades 1 to 500 and a candle for every minute; newest first, 100 at most, as the venue does."""

    pages: list[dict[str, str]] = field(default_factory=list)
    broken: bool = False

    async def instruments(self, _request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "msg": "", "data": [PAIR]})

    async def trades(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.json_response({"code": "0", "msg": "", "data": {"not": "a list"}})
        query = dict(request.query)
        self.pages.append(query)
        assert query["type"] == "1"
        below = min(int(query.get("after", NEWEST + 1)), NEWEST + 1)
        rows = [listed(seq) for seq in range(below - 1, 0, -1)][: min(100, int(query["limit"]))]
        return web.json_response({"code": "0", "msg": "", "data": rows})

    async def candles(self, request: web.Request) -> web.Response:
        before, after = int(request.query["before"]), int(request.query["after"])
        starts = [ms for ms in range(after - 1, before, -1) if ms % 60_000 == 0][
            : min(100, int(request.query["limit"]))
        ]
        rows = [[str(ms), "1", "3", "0.5", "2", "10", "20", "20", "1"] for ms in starts]
        return web.json_response({"code": "0", "msg": "", "data": rows})


@pytest.fixture
async def venue() -> AsyncIterator[tuple[Okx, VenueConfig]]:
    there = Okx()
    app = web.Application()
    app.router.add_get("/api/v5/public/instruments", there.instruments)
    app.router.add_get("/api/v5/market/history-trades", there.trades)
    app.router.add_get("/api/v5/market/history-candles", there.candles)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield there, VenueConfig(protocol="okx", rest_url=f"http://127.0.0.1:{port}", ws_url=f"ws://127.0.0.1:{port}")
    await runner.cleanup()


@pytest.fixture
async def history(venue: tuple[Okx, VenueConfig]) -> AsyncIterator[RestHistory]:
    asked = create_history("okx", venue[1], {"BTC/USDT": "BTC-USDT"}, SystemClock())
    yield asked
    await asked.close()


async def test_a_range_of_ids_comes_whole_over_pages_of_a_hundred(
    venue: tuple[Okx, VenueConfig], history: RestHistory
) -> None:
    page = await history.trades("BTC/USDT", 101, 250)
    assert [trade.seq for trade in page.trades] == list(range(101, 351))
    assert len(venue[0].pages) == 3
    assert page.trades[0].price == 60_101.0
    assert page.trades[0].ts_ns == 1_700_000_000_101 * NANOS_PER_MILLI
    assert {(trade.side, trade.source) for trade in page.trades} == {("sell", "rest")}


async def test_the_newest_trade_is_the_newest(history: RestHistory) -> None:
    latest = await history.latest_trade("BTC/USDT")
    assert latest is not None
    assert latest.seq == NEWEST


async def test_candles_of_hours_come_whole_and_in_order(history: RestHistory) -> None:
    start_ns = 1_700_000_040_000 * NANOS_PER_MILLI
    bars = await history.bars("BTC/USDT", start_ns, start_ns + 250 * MINUTE_NS)
    assert [bar.ts_ns for bar in bars] == [start_ns + n * MINUTE_NS for n in range(250)]


async def test_an_answer_that_makes_no_sense_is_no_answer(venue: tuple[Okx, VenueConfig], history: RestHistory) -> None:
    venue[0].broken = True
    with pytest.raises(VenueUnavailable, match="makes no sense"):
        await history.latest_trade("BTC/USDT")


async def test_the_venues_pairs_become_instruments_and_a_wrong_name_is_answered_with_near_ones(
    venue: tuple[Okx, VenueConfig],
) -> None:
    feed = create_feed("okx", venue[1], IngestConfig(venue="okx", symbols=("BTC/USDT",)), SystemClock())
    (instrument,) = await feed.open()
    assert (instrument.venue_symbol, str(instrument.price_tick), instrument.active) == ("BTC-USDT", "0.1", True)
    wrong = create_feed("okx", venue[1], IngestConfig(venue="okx", symbols=("BTC/USD",)), SystemClock())
    with pytest.raises(UnknownSymbol, match="BTC/USDT"):
        await wrong.open()
