"""OKX swaps: the service against a venue of the protocol, amounts in the base currency whichever way they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest
from aiohttp import WSMsgType, web

from ares.clock import HOUR_NS, NANOS_PER_MILLI, SystemClock
from ares.config.settings import DatabaseConfig, VenueConfig
from ares.store import Database
from ingest.venues.registry import create_history
from tests.integration.test_ingest_service import GAPS, Running, Venue, context_of, running, serving

NAME, SYMBOL = "BTC-USDT-SWAP", "BTC/USDT:USDT"
HISTORY_TRADES = 250
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
TOPICS = 5
LISTED = {
    "instId": NAME, "instType": "SWAP", "baseCcy": "", "quoteCcy": "", "settleCcy": "USDT", "ctType": "linear",
    "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC", "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01",
    "state": "live", "uly": "BTC-USDT", "instFamily": "BTC-USDT", "expTime": "", "listTime": "1573557408000",
    "lever": "100", "optType": "", "stk": "",
}  # fmt: skip
AMOUNTS = "SELECT count_distinct(amount) FROM trades WHERE venue = %(venue)s AND amount = 0.03"
FUNDING = "SELECT count() FROM funding WHERE venue = %(venue)s AND kind = %(kind)s"


def now_ms() -> int:
    return SystemClock().now_ns() // NANOS_PER_MILLI


@dataclass
class Swaps(Venue):
    """Three contracts a trade, a payment every eight hours; newest first and a hundred at most, as the venue does."""

    lines: dict[web.WebSocketResponse, list[str]] = field(default_factory=dict)
    newest: int = HISTORY_TRADES
    seq_id: int = 10
    last_paid_ms: int = field(default_factory=lambda: now_ms() // (8 * HOUR_MS) * 8 * HOUR_MS)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v5/public/instruments", self.instruments)
        app.router.add_get("/api/v5/public/funding-rate-history", self.payments)
        app.router.add_get("/api/v5/market/history-trades", self.history)
        app.router.add_get("/api/v5/market/history-candles", self.candles)
        app.router.add_get("/ws/v5/{kind}", self.talk)
        return app

    async def instruments(self, request: web.Request) -> web.Response:
        assert request.query["instType"] == "SWAP"
        return answer([LISTED])

    async def history(self, request: web.Request) -> web.Response:
        below = min(int(request.query.get("after", self.newest + 1)), self.newest + 1)
        return answer([row(seq) for seq in range(below - 1, 0, -1)][: min(100, int(request.query["limit"]))])

    async def candles(self, request: web.Request) -> web.Response:
        before, after = int(request.query["before"]), int(request.query["after"])
        first_ms = before // MINUTE_MS * MINUTE_MS + MINUTE_MS
        starts = list(range(first_ms, after, MINUTE_MS))[::-1][: min(100, int(request.query["limit"]))]
        return answer([[str(ms), "1", "3", "0.5", "2", "1000", "10", "20", "1"] for ms in starts])

    async def payments(self, request: web.Request) -> web.Response:
        before, after = int(request.query["before"]), int(request.query["after"])
        moments = [self.last_paid_ms - n * 8 * HOUR_MS for n in range(300)]
        found = [ms for ms in moments if before < ms < after][: min(100, int(request.query["limit"]))]
        rates = [
            {"instId": NAME, "fundingTime": str(ms), "realizedRate": "0.0001", "fundingRate": "0.5"} for ms in found
        ]
        return answer(rates)

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.sockets.add(line)
        async for message in line:
            if message.type is not WSMsgType.TEXT or message.data == "ping":
                continue
            order = orjson.loads(message.data)
            for arg in order["args"]:
                await line.send_json({"event": order["op"], "arg": arg, "connId": "a"})
                if order["op"] == "subscribe":
                    assert (arg["channel"] == "trades-all") == (request.match_info["kind"] == "business")
                    self.lines.setdefault(line, []).append(arg["channel"])
                if arg["channel"] == "books" and order["op"] == "subscribe":
                    await line.send_json(self.book("snapshot", -1))
        self.sockets.discard(line)
        self.lines.pop(line, None)
        return line

    def book(self, action: str, previous: int) -> dict[str, object]:
        ids = {"seqId": self.seq_id, "prevSeqId": previous, "ts": str(now_ms()), "checksum": 0}
        levels = {"bids": [["60000", "100", "0", "1"]], "asks": [["60001", "7", "0", "1"]]}
        return {"arg": {"channel": "books", "instId": NAME}, "action": action, "data": [{**levels, **ids}]}

    async def tell(self, channel: str, *data: object) -> None:
        for line, channels in list(self.lines.items()):
            if channel in channels and not line.closed:
                await line.send_json({"arg": {"channel": channel, "instId": NAME}, "data": list(data)})

    async def move_all(self) -> None:
        """Something of everything."""
        self.newest += 1
        await self.tell("trades-all", {**row(self.newest), "ts": str(now_ms())})
        top = {"bids": [["60000", "100", "0", "1"]], "asks": [["60001", "7", "0", "1"]], "ts": str(now_ms())}
        await self.tell("bbo-tbt", {**top, "seqId": self.newest})
        await self.tell("mark-price", {"instId": NAME, "instType": "SWAP", "markPx": "60000.4", "ts": str(now_ms())})
        pays = str(self.last_paid_ms + 8 * HOUR_MS)
        rate = {
            "instId": NAME,
            "fundingRate": "-0.0002",
            "fundingTime": pays,
            "nextFundingRate": "",
            "ts": str(now_ms()),
        }
        await self.tell("funding-rate", rate)

    async def listening(self) -> None:
        async with asyncio.timeout(20):
            while sum(len(topics) for line, topics in self.lines.items() if not line.closed) < TOPICS:
                await asyncio.sleep(0.02)


def answer(data: list[object] | list[dict[str, str]] | list[list[str]]) -> web.Response:
    return web.json_response({"code": "0", "msg": "", "data": data})


def row(seq: int) -> dict[str, str]:
    moment_ms = now_ms() - 600_000 + seq * 1_000
    side = "buy" if seq % 2 else "sell"
    return {"instId": NAME, "tradeId": str(seq), "px": "60000", "sz": "3", "side": side, "ts": str(moment_ms)}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.3)


@pytest.fixture
async def collected(
    questdb_config: DatabaseConfig,
    database: Database,
    venue: str,
    port: int,
    tmp_path: Path,
) -> AsyncIterator[Running]:
    """A service that streams a swap."""
    there = Swaps()
    context = context_of(questdb_config, venue, port, tmp_path, symbols=(SYMBOL,))
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "protocol": "okxswap"}
    config = context.config.model_copy(update={"venues": {venue: VenueConfig.model_validate(address)}})
    async with (
        serving(there, port),
        running(replace(context, config=config), there, database) as run,
    ):
        await there.listening()
        await there.move_all()
        yield run


async def test_every_amount_is_of_the_base_currency(collected: Running) -> None:
    sources = "SELECT count() FROM trades WHERE venue = %(venue)s AND source = %(source)s AND amount = 0.03"
    await collected.until(sources, 1, source="stream")
    await collected.until("SELECT count() / 200 FROM trades WHERE venue = %(venue)s AND amount = 0.03", 1)
    assert await collected.number("SELECT count() FROM trades WHERE venue = %(venue)s AND amount <> 0.03") == 0
    sizes = "SELECT bid_amount, ask_amount FROM quotes WHERE venue = %(venue)s"
    await collected.until("SELECT count() FROM quotes WHERE venue = %(venue)s", 1)
    assert await collected.database.fetch(sizes, {"venue": collected.name}) == [{"bid_amount": 1.0, "ask_amount": 0.07}]
    levels = "SELECT bids[2][1] AS bid_amount, asks[2][1] AS ask_amount FROM books WHERE venue = %(venue)s LIMIT 1"
    await collected.until("SELECT count() FROM books WHERE venue = %(venue)s", 1)
    assert await collected.database.fetch(levels, {"venue": collected.name}) == [
        {"bid_amount": 1.0, "ask_amount": 0.07}
    ]
    candles = "SELECT max(volume) FROM venue_bars_1m WHERE venue = %(venue)s"
    await collected.until(candles.replace("max(volume)", "max(volume)::long"), 10)
    assert await collected.number("SELECT count() FROM quarantine WHERE venue = %(venue)s") == 0


async def test_rates_and_mark_prices_become_predictions_and_a_month_of_payments_is_there(collected: Running) -> None:
    await collected.until(FUNDING, 1, kind="predicted")
    await collected.until(FUNDING, 90, kind="settled")
    shown = "SELECT rate, mark_price, index_price FROM funding WHERE venue = %(venue)s AND kind = 'predicted'"
    predicted = {"rate": -0.0002, "mark_price": 60_000.4, "index_price": None}
    assert await collected.database.fetch(shown, {"venue": collected.name}) == [predicted]
    rates = "SELECT DISTINCT rate FROM funding WHERE venue = %(venue)s AND kind = 'settled'"
    assert await collected.database.fetch(rates, {"venue": collected.name}) == [{"rate": 0.0001}]


async def test_a_lost_line_of_funding_is_a_gap_until_the_rate_is_told_again(collected: Running) -> None:
    assert isinstance(collected.venue, Swaps)
    await collected.until(FUNDING, 1, kind="predicted")
    await collected.venue.hang_up()
    await collected.venue.listening()
    await collected.until(GAPS, 1, channel="funding", status="open")
    await collected.venue.move_all()
    await collected.until(GAPS, 1, channel="funding", status="lost")


async def test_payments_come_whole_over_pages_of_a_hundred(port: int) -> None:
    there = Swaps()
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "protocol": "okxswap"}
    async with serving(there, port):
        history = create_history("okxswap", VenueConfig.model_validate(address), {SYMBOL: NAME}, SystemClock())
        end_ns = there.last_paid_ms * NANOS_PER_MILLI + 1
        found = await history.funding(SYMBOL, end_ns - 1 - 299 * 8 * HOUR_NS, end_ns)
        await history.close()
    moments = [each.ts_ns for each in found]
    assert len(moments) == 300
    assert moments == [end_ns - 1 - n * 8 * HOUR_NS for n in range(299, -1, -1)]
