"""A venue of Kraken's documentation for its own clients and ccxt's: stream and REST over real sockets, for tests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.model.market import Trade
from tests.conformance.market import Market, dense
from tests.conformance.venues.kraken import STATUS, Speaker

SYMBOLS = {"BTC/USD": "BTC/USD", "ETH/USD": "ETH/USD"}
KEYS = {"XXBTZUSD": "BTC/USD", "XETHZUSD": "ETH/USD"}
"""REST's names of the pairs."""
PAGE_MAX = 1_000


def market_of_now() -> Market:
    """A market that opens ten seconds ago."""
    return Market("kraken", SYMBOLS, dense, random.Random(7), SystemClock().now_ns() - 10 * NANOS_PER_SECOND)


@dataclass
class Kraken:
    """What trades, who listens, and what goes wrong. `renumbers`: REST lists trades by other ids than the stream.

    `lists`: REST answers questions for trades.
    """

    market: Market = field(default_factory=market_of_now)
    speaker: Speaker = field(default_factory=Speaker)
    sockets: dict[web.WebSocketResponse, set[tuple[str, str]]] = field(default_factory=dict)
    accepts: bool = True
    refuses: bool = False
    renumbers: bool = False
    lists: bool = True

    async def trade(self, symbol: str, *, told: bool = True) -> Trade:
        """A trade; `told`: the stream brings it."""
        trade = self.market.print_trade(symbol)
        if told:
            await self.say("trade", symbol, self.speaker.trade(trade, symbol))
        return trade

    async def burst(self, symbol: str, trades: int, a_message: int = 50) -> None:
        """Many trades as fast as the line takes them, so many in a message."""
        for _ in range(0, trades, a_message):
            told = [orjson.loads(self.speaker.trade(self.market.print_trade(symbol), symbol)) for _ in range(a_message)]
            data = [deal for frame in told for deal in frame["data"]]
            await self.say("trade", symbol, orjson.dumps({"channel": "trade", "type": "update", "data": data}))

    async def book(self, symbol: str) -> None:
        """A change of a book."""
        await self.say("book", symbol, self.speaker.depth(self.market.move_book(symbol)))

    async def quote(self, symbol: str) -> None:
        """A best bid and ask."""
        quote = self.market.move_quote(symbol)
        told = {"symbol": symbol, "bid": quote.bid, "bid_qty": quote.bid_amount, "ask": quote.ask}
        data = [{**told, "ask_qty": quote.ask_amount, "last": 100.0, "volume": 1.0, "vwap": 100.0}]
        await self.say("ticker", symbol, orjson.dumps({"channel": "ticker", "type": "update", "data": data}))

    async def say(self, channel: str, symbol: str, frame: bytes) -> None:
        """Tell those who subscribed."""
        for socket, wanted in list(self.sockets.items()):
            if (channel, symbol) in wanted and not socket.closed:
                await socket.send_str(frame.decode())

    async def subscribed(self, channel: str, symbols: int = 2) -> None:
        """Wait until somebody listens to so many symbols."""
        async with asyncio.timeout(20):
            while self.listening(channel) < symbols:
                await asyncio.sleep(0.02)

    def listening(self, channel: str) -> int:
        """To how many symbols of a channel somebody listens on an open line."""
        wanted = [each for socket, each in self.sockets.items() if not socket.closed]
        return sum(name == channel for some in wanted for name, _ in some)

    async def hang_up(self) -> None:
        """End every line."""
        for socket in list(self.sockets):
            await socket.close(code=1001)

    async def talk(self, request: web.Request) -> web.StreamResponse:
        """A line."""
        if not self.accepts:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[socket] = set()
        await socket.send_str(STATUS.decode())
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self.obey(socket, orjson.loads(message.data))
        self.sockets.pop(socket, None)
        return socket

    async def obey(self, socket: web.WebSocketResponse, order: dict[str, object]) -> None:
        """A request of a client."""
        params, number = order.get("params"), {"req_id": order["req_id"]} if "req_id" in order else {}
        if order.get("method") == "ping":
            await socket.send_json({"method": "pong", **number})
        if order.get("method") != "subscribe" or not isinstance(params, dict):
            return
        for symbol in params["symbol"]:
            if self.refuses:
                no = {"error": "Currency pair not supported", "method": "subscribe", "success": False, "symbol": symbol}
                await socket.send_json({**no, **number})
                continue
            result = {"channel": params["channel"], "symbol": symbol, "snapshot": True}
            await socket.send_json({"method": "subscribe", "result": result, "success": True, **number})
            if params["channel"] == "book":
                await socket.send_str(self.speaker.depth(self.market.snapshot(symbol)).decode())
            self.sockets[socket].add((params["channel"], symbol))

    async def pairs(self, _: web.Request) -> web.Response:
        """`AssetPairs`."""
        result: dict[str, object] = {}
        for key, symbol in KEYS.items():
            base, quote = symbol.replace("BTC", "XBT").split("/")
            result[key] = {
                "altname": base + quote, "wsname": f"{base}/{quote}", "base": f"X{base}", "quote": f"Z{quote}",
                "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "costmin": "0.5", "ordermin": "0.0001",
                "status": "online", "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "leverage_buy": [],
            }  # fmt: skip
        return web.json_response({"error": [], "result": result})

    async def assets(self, _: web.Request) -> web.Response:
        """`Assets`."""
        names = {"XXBT": "XBT", "XETH": "ETH", "ZUSD": "USD"}
        result = {
            key: {"aclass": "currency", "altname": name, "decimals": 10, "display_decimals": 5, "status": "enabled"}
            for key, name in names.items()
        }
        return web.json_response({"error": [], "result": result})

    async def trades(self, request: web.Request) -> web.Response:
        """`Trades`: the newest."""
        if not self.lists:
            return web.Response(status=503)
        key = request.query["pair"]
        newest = self.market.trades[KEYS[key]][-PAGE_MAX:]
        listed = self.speaker.listed(newest, KEYS[key])
        assert isinstance(listed, dict)
        (rows,) = [rows for name, rows in listed["result"].items() if name != "last"]
        if self.renumbers:
            rows = [[*row[:6], row[6] + 7_000_000] for row in rows]
        return web.json_response({"error": [], "result": {key: rows, "last": "1"}})

    async def candles(self, request: web.Request) -> web.Response:
        """`OHLC`."""
        first_s = int(request.query.get("since", "0")) // 60 * 60
        rows = [[first_s + 60 * n, "100", "106", "99", "101", "100", "30", 7] for n in range(1, 100)]
        return web.json_response({"error": [], "result": {request.query["pair"]: rows, "last": 1}})


@asynccontextmanager
async def serving(venue: Kraken, port: int) -> AsyncIterator[None]:
    """The venue at a port of this machine."""
    app = web.Application()
    app.router.add_get("/0/public/AssetPairs", venue.pairs)
    app.router.add_get("/0/public/Assets", venue.assets)
    app.router.add_get("/0/public/Trades", venue.trades)
    app.router.add_get("/0/public/OHLC", venue.candles)
    app.router.add_get("/v2", venue.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await venue.hang_up()
        await runner.cleanup()
