"""A venue of Bybit's documentation, in memory: its stream and its REST side over real sockets, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import orjson
import pytest
from aiohttp import WSMsgType, web

from ares.clock import NANOS_PER_MILLI, SystemClock

PAGES_MAX = {"spot": 60, "linear": 1_000}
NAMES = ("BTCUSDT", "ETHUSDT")
EIGHT_HOURS_MS = 8 * 3_600_000
Deal = dict[str, object]


def compact(said: object) -> str:
    """As the venue writes it: without a space."""
    return orjson.dumps(said).decode()


def next_payment_ms() -> int:
    return now_ms() + EIGHT_HOURS_MS - now_ms() % EIGHT_HOURS_MS


def now_ms() -> int:
    return SystemClock().now_ns() // NANOS_PER_MILLI


@dataclass
class Bybit:
    """What traded, who listens, and what goes wrong.

    Ids of spot trades are shared by all symbols, so that those of one have holes; those of linear ones are UUIDs.
    """

    category: str = "spot"
    trades: dict[str, list[Deal]] = field(default_factory=lambda: {name: [] for name in NAMES})
    sockets: dict[web.WebSocketResponse, list[str]] = field(default_factory=dict)
    heard: list[dict[str, object]] = field(default_factory=list)
    pages: int = 0
    page_max: int | None = None
    accepts: bool = True
    broken: bool = False
    update_id: int = 1_000

    def issue(self, name: str, ms: int | None = None) -> Deal:
        """A trade that REST lists and the stream does not bring."""
        number = sum(len(some) for some in self.trades.values()) + 1
        key = str(2_290_000_000_000_000_000 + 3 * number)
        if self.category == "linear":
            key = str(UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=5))
        deal: Deal = {"i": key, "T": now_ms() if ms is None else ms, "p": f"{100 + number % 7}.5", "v": "0.5"}
        deal |= {"S": "Buy" if number % 2 else "Sell", "seq": 549_792_210_000 + 5 * number, "s": name, "BT": False}
        self.trades[name].append(deal)
        return deal

    async def trade(self, name: str, *, told: bool = True) -> Deal:
        """A trade; `told`: the stream brings it."""
        deal = self.issue(name)
        if told:
            await self.say(f"publicTrade.{name}", "snapshot", [deal])
        return deal

    async def quote(self, name: str) -> None:
        self.update_id += 1
        await self.say(f"orderbook.1.{name}", "snapshot", self.levels(name))

    async def book(self, name: str) -> None:
        self.update_id += 1
        await self.say(f"orderbook.200.{name}", "snapshot", self.levels(name))

    def levels(self, name: str) -> Deal:
        return {"s": name, "b": [["99.9", "1"]], "a": [["100.1", "2"]], "u": self.update_id, "seq": self.update_id}

    async def say(self, topic: str, kind: str, data: object) -> None:
        frame = {"topic": topic, "type": kind, "ts": now_ms(), "data": data, "cts": now_ms()}
        for socket, topics in list(self.sockets.items()):
            if topic in topics and not socket.closed:
                await socket.send_str(compact(frame))

    async def subscribed(self, topics: int) -> None:
        async with asyncio.timeout(20):
            while sum(len(some) for socket, some in self.sockets.items() if not socket.closed) < topics:
                await asyncio.sleep(0.02)

    async def hang_up(self) -> None:
        for socket in list(self.sockets):
            await socket.close(code=1001)

    def ticker(self, name: str) -> Deal:
        """All of a ticker that a new subscription brings."""
        prices = {"lastPrice": "100.00", "markPrice": "100.01", "indexPrice": "100.02"}
        return {"symbol": name, **prices, "fundingRate": "0.0001", "nextFundingTime": str(next_payment_ms())}

    async def funding(self, request: web.Request) -> web.Response:
        """Rates paid every eight hours, newest first."""
        first, last = int(request.query["startTime"]), int(request.query["endTime"])
        moments = range(first - first % -EIGHT_HOURS_MS, min(last, now_ms()) + 1, EIGHT_HOURS_MS)
        name, most = request.query["symbol"], int(request.query["limit"])
        rows = [{"symbol": name, "fundingRate": "0.0001", "fundingRateTimestamp": str(ms)} for ms in moments]
        return self.answer({"category": self.category, "list": rows[::-1][:most]})

    async def recent(self, request: web.Request) -> web.Response:
        self.pages += 1
        assert request.query["category"] == self.category
        limit = min(int(request.query["limit"]), self.page_max or PAGES_MAX[self.category])
        newest = list(reversed(self.trades[request.query["symbol"]][-limit:]))
        rows = [
            {"execId": d["i"], "symbol": d["s"], "price": d["p"], "size": d["v"], "side": d["S"], "time": str(d["T"])}
            | {"seq": str(d["seq"]), "isBlockTrade": False, "isRPITrade": False}
            for d in newest
        ]
        return self.answer({"category": self.category, "list": "nonsense" if self.broken else rows})

    async def kline(self, request: web.Request) -> web.Response:
        first, last = int(request.query["start"]), int(request.query["end"])
        starts = range(first - first % -60_000, last + 1, 60_000)
        rows = [[str(ms), "100", "106", "99", "101", "30", "3030"] for ms in starts]
        rows = rows[-int(request.query["limit"]) :]
        return self.answer({"category": self.category, "list": rows[::-1]})

    async def instruments(self, request: web.Request) -> web.Response:
        if "status" in request.query:
            return self.answer({"category": self.category, "list": [], "nextPageCursor": ""})
        rows = [self.listing(name) for name in NAMES]
        return self.answer({"category": self.category, "list": rows, "nextPageCursor": ""})

    def listing(self, name: str) -> dict[str, object]:
        common = {"symbol": name, "baseCoin": name[:3], "quoteCoin": "USDT", "status": "Trading"}
        lots = {"basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.00004"}
        prices = {"tickSize": "0.01"}
        if self.category == "spot":
            return {**common, "lotSizeFilter": {**lots, "minOrderAmt": "1"}, "priceFilter": prices}
        lots = {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "100", "minNotionalValue": "5"}
        contract = {"contractType": "LinearPerpetual", "settleCoin": "USDT", "deliveryTime": "0"}
        prices |= {"minPrice": "0.01", "maxPrice": "999999"}
        return {**common, **contract, "lotSizeFilter": lots, "priceFilter": prices, "fundingInterval": 480}

    def answer(self, result: object) -> web.Response:
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms()})

    async def talk(self, request: web.Request) -> web.StreamResponse:
        if not self.accepts:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[socket] = []
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self.obey(socket, orjson.loads(message.data))
        self.sockets.pop(socket, None)
        return socket

    async def obey(self, socket: web.WebSocketResponse, order: dict[str, object]) -> None:
        self.heard.append(order)
        operation, topics = order["op"], order.get("args", [])
        assert isinstance(topics, list)
        if operation == "ping":
            await socket.send_str(compact({"success": True, "ret_msg": "pong", "conn_id": "0970e817", "op": "ping"}))
            return
        if len(topics) > 10:
            await socket.send_str(
                compact({"success": False, "ret_msg": "args size >10", "conn_id": "0", "op": "subscribe"})
            )
            return
        await socket.send_str(
            compact({"success": True, "ret_msg": str(operation), "conn_id": "0970e817", "op": operation})
        )
        if operation == "unsubscribe":
            self.sockets[socket] = [topic for topic in self.sockets[socket] if topic not in topics]
            return
        self.sockets[socket] += topics
        for topic in topics:
            kind, _, name = topic.rpartition(".")
            if kind in ("orderbook.200", "tickers"):
                data = self.ticker(name) if kind == "tickers" else self.levels(name)
                frame = {"topic": topic, "type": "snapshot", "ts": now_ms(), "data": data, "cts": now_ms()}
                await socket.send_str(compact(frame))


def with_a_past(category: str) -> Bybit:
    """A venue with ten trades of the last seconds."""
    venue = Bybit(category)
    for number in range(10):
        venue.issue(NAMES[0], now_ms() - 10_000 + 900 * number)
    return venue


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    for name, value in (("FIRST_TRADE_S_MAX", 0.5), ("LOOK_AGAIN_S", 0.1), ("SETTLED_S", 0.5), ("AUDIT_S_MIN", 0.3)):
        monkeypatch.setattr(f"ingest.newest.{name}", value)


@asynccontextmanager
async def serving(venue: Bybit, port: int) -> AsyncIterator[None]:
    """The venue at a port of this machine."""
    app = web.Application()
    app.router.add_get("/v5/market/recent-trade", venue.recent)
    app.router.add_get("/v5/market/kline", venue.kline)
    app.router.add_get("/v5/market/funding/history", venue.funding)
    app.router.add_get("/v5/market/instruments-info", venue.instruments)
    app.router.add_get(f"/v5/public/{venue.category}", venue.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await venue.hang_up()
        await runner.cleanup()
