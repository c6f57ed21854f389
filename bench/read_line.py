"""Reads a venue's burst of trades from its WebSocket, in one of three ways; a process of its own.

usage: read_line.py WAY WS_PORT MESSAGES     WAY = ares | bare | ccxt

Ends once all came, or nothing does any more, and prints how many it has seen and what they cost, from the first on: one
line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol, cast

import ccxt.pro
import msgspec
from collect_ares import SYMBOL, markets, no_snapshots
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from ares.clock import SystemClock
from ares.config import load_config
from ares.config.settings import IngestConfig, VenueConfig
from ares.service.collection import settle
from ares.venues import ccxt_settings
from ingest.venues.binance.decoder import AggTrade
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.native_feed import NativeFeed, Parts

QUIET_S = 2.0
SUBSCRIBE = b'{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}'


class Clocked:
    """How many trades came, and the CPU time from the first to the last."""

    def __init__(self) -> None:
        self.seen = 0
        self.began_s = self.ended_s = 0.0

    def take(self, count: int) -> None:
        now_s = time.process_time()
        self.began_s = self.began_s or now_s
        self.seen, self.ended_s = self.seen + count, now_s


class Exchange(Protocol):
    """What we use of ccxt.pro here."""

    def safe_market_structure(self, market: Mapping[str, object]) -> Mapping[str, object]: ...
    def set_markets(self, markets: Sequence[Mapping[str, object]]) -> object: ...
    def watch_trades(
        self, symbol: str, since: None, limit: None, params: Mapping[str, str]
    ) -> Awaitable[Sequence[Mapping[str, object]]]: ...
    def close(self) -> Awaitable[None]: ...


def venue_at(port: int) -> VenueConfig:
    return VenueConfig(rest_url="http://127.0.0.1:9", ws_url=f"ws://127.0.0.1:{port}")


async def by_ares(port: int, messages: int, came: Clocked) -> None:
    """Our feed, as far as the columns that a desk is given."""
    settings = IngestConfig(venue="line", symbols=(SYMBOL,))
    parts = Parts(BinanceDialect(), markets, no_snapshots)
    feed = NativeFeed("line", parts, venue_at(port), settings, SystemClock())
    await feed.open()
    async with aclosing(feed.frames("trades")) as batches:
        async for frames in batches:
            came.began_s = came.began_s or time.process_time()
            runs = feed.runs(frames) if frames else ()
            came.take(sum(map(len, runs or ())))
            if came.seen >= messages:
                return


async def bare(port: int, messages: int, came: Clocked) -> None:
    """What anybody would write: a frame, a struct."""
    done = asyncio.Event()
    decode = msgspec.json.Decoder(AggTrade, strict=False).decode

    class Listener(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(WSMsgType.TEXT, SUBSCRIBE)

        def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
            payload = frame.get_payload_as_bytes()
            if payload.startswith(b'{"result"'):
                return
            came.began_s = came.began_s or time.process_time()
            kept.append(decode(payload))
            if len(kept) == messages:
                done.set()

    kept: list[AggTrade] = []
    await ws_connect(Listener, f"ws://127.0.0.1:{port}/ws")
    await done.wait()
    came.take(len(kept))


async def by_ccxt(port: int, messages: int, came: Clocked) -> None:
    """A user's loop over ccxt.pro; it ends when nothing new comes."""
    factory = cast("Callable[[Mapping[str, object]], Exchange]", ccxt.pro.binance)
    exchange = factory(ccxt_settings("line", venue_at(port), private=False))
    names = {"id": "BTCUSDT", "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT"}
    names |= {"lowercaseId": "btcusdt"}
    exchange.set_markets([exchange.safe_market_structure({**names, "type": "spot", "spot": True, "active": True})])
    ids: set[object] = set()
    try:
        while len(ids) < messages:
            watching = exchange.watch_trades(SYMBOL, None, None, {"name": "aggTrade"})
            trades = await asyncio.wait_for(watching, QUIET_S if ids else None)
            before = len(ids)
            ids.update(trade["id"] for trade in trades)
            came.take(len(ids) - before)
    except TimeoutError:
        return
    finally:
        await exchange.close()


WAYS = {"ares": by_ares, "bare": bare, "ccxt": by_ccxt}


async def run(way: str, port: int, messages: int) -> None:
    came = Clocked()
    settle(load_config().resources)
    await WAYS[way](port, messages, came)
    print(json.dumps({"seen": came.seen, "cpu_s": came.ended_s - came.began_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
