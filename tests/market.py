"""A venue in Binance's protocol whose market is a function of time: a process that any client may leave and ask again.

usage: python -m tests.market PORT RATE SECONDS

It opens when the first client wants trades, and writes that moment to standard output: START_MS, in ms. Trade `seq` of
a symbol happens at START_MS + seq * 1000 / RATE and nothing about it is stored, so that millions can be streamed, asked
for by id, and checked in SQL afterwards. Quotes and books move ten times a second.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

PAIRS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
TICK_S = 0.005
PAGE_MAX = 1_000
WAITING_BYTES_MAX = 8 * 2**20
"""A client that lets more wait is hung up on, as venues do."""
PRICE_SQL = "100.0 + ((seq * 7919) %% 10007) / 100.0"
AMOUNT_SQL = "1.0 + (seq %% 97) / 10.0"
"""What `trade` says, in SQL with parameters."""


@dataclass
class Market:
    """All there is to know: how many trades a second a symbol has, for how long, and since when."""

    rate: int
    seconds: float
    start_ms: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    lines: dict[web.WebSocketResponse, asyncio.Transport] = field(default_factory=dict)
    wanted: dict[web.WebSocketResponse, list[str]] = field(default_factory=dict)

    def open(self) -> None:
        """Trade from now on, if it does not yet."""
        if not self.opened.is_set():
            self.start_ms = time.time_ns() // 1_000_000
            sys.stdout.write(f"{self.start_ms}\n")
            sys.stdout.flush()
            self.opened.set()

    def now_ms(self) -> int:
        """The market's time: it ends with its last trade."""
        now_ms = time.time_ns() // 1_000_000
        return min(now_ms, self.start_ms + round(self.seconds * 1_000)) if self.opened.is_set() else now_ms

    def newest(self) -> int:
        """Id of the newest trade of each symbol."""
        return (self.now_ms() - self.start_ms) * self.rate // 1_000 if self.opened.is_set() else 0

    def trade(self, seq: int) -> bytes:
        """What stream and REST say of a trade, without an end."""
        ms = self.start_ms + seq * 1_000 // self.rate
        cents, tenths = seq * 7919 % 10007, seq % 97
        price, amount = (100 + cents // 100, cents % 100), (1 + tenths // 10, tenths % 10)
        return b'"a":%d,"p":"%d.%02d","q":"%d.%d","f":%d,"l":%d,"T":%d,"m":%b,"M":true}' % (
            seq, *price, *amount, seq, seq, ms, b"true" if seq % 2 else b"false",
        )  # fmt: skip

    def update(self) -> int:
        """Id of the newest change of each quote and book."""
        return 1_000 + self.now_ms() // 100

    async def stream(self) -> None:
        """Say what is new, to all who want it, for ever."""
        await self.opened.wait()
        told, updated = self.newest(), self.update()
        while True:
            await asyncio.sleep(TICK_S)
            newest, update = self.newest(), self.update()
            for name in PAIRS:
                head = b'{"e":"aggTrade","E":%d,"s":"%b",' % (self.now_ms(), name.encode())
                trades = [head + self.trade(seq) for seq in range(told + 1, newest + 1)]
                self.say(f"{name.lower()}@aggTrade", trades)
                states = range(updated + 1, update + 1)
                self.say(f"{name.lower()}@bookTicker", [self.quote(name, number) for number in states])
                self.say(f"{name.lower()}@depth@100ms", [self.change(name, number) for number in states])
            told, updated = newest, update

    def quote(self, name: str, number: int) -> bytes:
        return orjson.dumps({"u": number, "s": name, "b": "99.9", "B": "1.0", "a": "100.1", "A": f"{number % 7 + 1}"})

    def change(self, name: str, number: int) -> bytes:
        depth = {"e": "depthUpdate", "E": self.now_ms(), "s": name, "U": number, "u": number}
        return orjson.dumps({**depth, "b": [["99.8", str(number % 7 + 1)]], "a": []})

    def say(self, stream: str, payloads: list[bytes]) -> None:
        blob = b"".join(map(framed, payloads))
        for socket, transport in list(self.lines.items()):
            if stream not in self.wanted[socket] or not blob:
                continue
            if transport.is_closing() or transport.get_write_buffer_size() > WAITING_BYTES_MAX:
                transport.abort()
            else:
                transport.write(blob)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v3/exchangeInfo", self.listed)
        app.router.add_get("/api/v3/depth", self.depth)
        app.router.add_get("/api/v3/aggTrades", self.trades)
        app.router.add_get("/api/v3/klines", self.klines)
        app.router.add_get("/ws", self.line)
        return app

    async def listed(self, _: web.Request) -> web.Response:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "9000", "stepSize": "0.1"},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ]
        shape = {"status": "TRADING", "filters": filters, "orderTypes": ["LIMIT"], "isSpotTradingAllowed": True}
        pairs = [{**shape, "symbol": name, "baseAsset": b, "quoteAsset": q} for name, (b, q) in PAIRS.items()]
        return web.json_response({"symbols": pairs})

    async def depth(self, _: web.Request) -> web.Response:
        return web.json_response({"lastUpdateId": self.update(), "bids": [["99.9", "1"]], "asks": [["100.1", "1"]]})

    async def trades(self, request: web.Request) -> web.Response:
        limit, newest = int(request.query.get("limit", PAGE_MAX)), self.newest()
        first = int(request.query.get("fromId", newest - limit + 1))
        seqs = range(max(1, first), min(newest + 1, first + limit))
        rows = b",".join(b"{" + self.trade(seq) for seq in seqs)
        return web.Response(body=b"[" + rows + b"]", content_type="application/json")

    async def klines(self, _: web.Request) -> web.Response:
        return web.json_response([])

    async def line(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        self.wanted[socket] = []
        self.lines[socket] = request.transport
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    order = orjson.loads(message.data)
                    await socket.send_json({"result": None, "id": order["id"]})
                    self.wanted[socket] += order["params"]
                    if any(stream.endswith("@aggTrade") for stream in order["params"]):
                        self.open()
        finally:
            del self.lines[socket]
        return socket


def framed(payload: bytes) -> bytes:
    """A text frame of a server."""
    size = len(payload)
    return (bytes([0x81, size]) if size < 126 else b"\x81\x7e" + struct.pack(">H", size)) + payload


async def serve(port: int, market: Market) -> None:
    """Serve until killed."""
    runner = web.AppRunner(market.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await market.stream()


if __name__ == "__main__":
    number, rate, seconds = sys.argv[1:]
    asyncio.run(serve(int(number), Market(int(rate), float(seconds))))
