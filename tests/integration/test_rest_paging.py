"""A range of trades comes whole whichever way a venue pages, over a real HTTP line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import VenueConfig
from ingest.venues.okx.rest import OkxWords
from ingest.venues.rest import Paging, Question
from ingest.venues.rest_history import RestHistory

IDS = [seq for seq in range(1, 1_001) if seq not in (400, 401)]
ENDPOINT = "publicGetMarketHistoryTrades"


def moment_ms(seq: int) -> int:
    """Bursts of fifty trades, a minute apart; two trades a millisecond."""
    return 1_700_000_000_000 + seq // 50 * 60_000 + seq // 2


class ByTime(OkxWords):
    """A venue that lists trades after a moment, oldest first."""

    paging: Paging = "time"

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        return Question(ENDPOINT, {"instId": venue_symbol, "since_ns": since, "limit": count})


class Newest(OkxWords):
    """A venue that lists its newest trades, and no others."""

    paging: Paging = "newest"

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        return Question(ENDPOINT, {"instId": venue_symbol, "limit": self.page_trades_max})


@dataclass
class Venue:
    """Answers at most a hundred trades."""

    asked: list[dict[str, str]] = field(default_factory=list)

    async def trades(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        listed: Sequence[int] = IDS
        if "since_ns" in query:
            listed = [seq for seq in IDS if moment_ms(seq) * NANOS_PER_MILLI > int(query["since_ns"])]
            page = listed[: min(100, int(query["limit"]))]
        else:
            page = listed[-min(100, int(query["limit"])) :]
        rows = [{"tradeId": str(seq), "px": "1", "sz": "1", "side": "buy", "ts": str(moment_ms(seq))} for seq in page]
        return web.json_response({"code": "0", "data": rows})


@pytest.fixture
async def venue() -> AsyncIterator[tuple[Venue, Callable[[OkxWords], RestHistory]]]:
    there = Venue()
    app = web.Application()
    app.router.add_get("/api/v5/market/history-trades", there.trades)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = VenueConfig(protocol="okx", rest_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    made: list[RestHistory] = []

    def history(words: OkxWords) -> RestHistory:
        made.append(RestHistory("v", words, config, {"BTC/USDT": "BTC-USDT"}, SystemClock()))
        return made[-1]

    yield there, history
    for each in made:
        await each.close()
    await runner.cleanup()


@pytest.mark.parametrize("first", [1, 137, 350, 400, 801])
async def test_by_time_every_trade_of_the_range_is_found(
    venue: tuple[Venue, Callable[[OkxWords], RestHistory]], first: int
) -> None:
    there, history = venue
    page = await history(ByTime()).trades("BTC/USDT", first, 200)
    assert [trade.seq for trade in page.trades] == [seq for seq in IDS if first <= seq < first + 200]
    assert len(there.asked) < 40


async def test_by_time_nothing_is_found_beyond_the_newest_trade(
    venue: tuple[Venue, Callable[[OkxWords], RestHistory]],
) -> None:
    _, history = venue
    assert (await history(ByTime()).trades("BTC/USDT", 1_001, 10)).trades == []


async def test_where_only_the_newest_can_be_had_the_rest_of_the_range_stays_missing(
    venue: tuple[Venue, Callable[[OkxWords], RestHistory]],
) -> None:
    _, history = venue
    page = await history(Newest()).trades("BTC/USDT", 851, 100)
    assert [trade.seq for trade in page.trades] == list(range(901, 951))
