"""Goal: many readers of the stream, some of them asleep, cost bounded memory and do not slow each other down.

`make stream-load` has five hundred of them, fifty asleep; here there are fewer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles

import aiohttp
import orjson
import pytest

from analytics.testing import SyntheticMarket
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.store import RowWriter
from tests.api_process import DoorProcess, door

MEASURED = "ARES_TEST_STREAM_READERS" in os.environ
"""Times say something only where nothing else runs."""
READERS = int(os.environ.get("ARES_TEST_STREAM_READERS", "30"))
ASLEEP = READERS // 10
SECONDS = float(os.environ.get("ARES_TEST_STREAM_SECONDS", "3"))
ROWS_PER_STEP, STEP_S = 20, 0.1
GROWTH_MB_PER_READER_MAX = 1.0
LATE_RATIO_MAX = 1.25
"""Readers that sleep may make others so much later."""
LATE_S_MIN = 0.25
"""Below it nobody is called late: the goal of a price on a page."""


def test_sleeping_readers_cost_bounded_memory_and_slow_nobody_down(
    questdb_config: DatabaseConfig, writer: RowWriter, venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with door(questdb_config, tmp_path / "state") as there:
        few = p95(asyncio.run(followed(there, writer, f"{venue}_few", 5, 0)))
        awake = p95(asyncio.run(followed(there, writer, f"{venue}_awake", READERS, 0)))
        before = there.process.memory_info().rss
        beside = p95(asyncio.run(followed(there, writer, f"{venue}_beside", READERS, ASLEEP)))
        grown_mb = (there.process.memory_info().rss - before) / 2**20
    told = (
        f"{READERS - ASLEEP} readers with {ASLEEP} asleep beside them: p95 {beside * 1e3:.0f} ms and {grown_mb:.0f} MB,"
        f" where all {READERS} read {awake * 1e3:.0f} ms; 5 alone {few * 1e3:.0f} ms"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert grown_mb < READERS * GROWTH_MB_PER_READER_MAX, told
    if MEASURED:
        assert beside < max(LATE_S_MIN, awake * LATE_RATIO_MAX), told


def p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[18]


async def followed(there: DoorProcess, writer: RowWriter, venue: str, readers: int, asleep: int) -> list[float]:
    """From before a row is written until each reader who is awake has it, in seconds; every one has every row."""
    market = SyntheticMarket(venue, symbols=("BTC/USDT",))
    sent: dict[str, float] = {}
    times: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=there.headers, connector=connector) as http, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(_connected(there, http)) for _ in range(readers)]
        await asyncio.gather(*(_subscribed(socket, venue) for socket in sockets))
        reading = [asyncio.create_task(_read(socket, sent, times)) for socket in sockets[asleep:]]
        until_s = time.monotonic() + SECONDS
        while time.monotonic() < until_s:
            rows = [market.trade("BTC/USDT", SystemClock().now_ns() + n) for n in range(ROWS_PER_STEP)]
            sent.update(dict.fromkeys((row.trade_id for row in rows), time.monotonic()))
            await writer.write(rows)
            await asyncio.sleep(STEP_S)
        async with asyncio.timeout(60):
            while len(times) < len(sent) * len(reading):
                await asyncio.sleep(0.1)
                assert not [task.result() for task in reading if task.done()], "a reader stopped reading"
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    return times


def _connected(there: DoorProcess, http: aiohttp.ClientSession) -> aiohttp.client._WSRequestContextManager:
    return http.ws_connect(f"{there.address}/api/v1/stream", max_msg_size=2**24)


async def _subscribed(socket: aiohttp.ClientWebSocketResponse, venue: str) -> None:
    await socket.send_json({"op": "subscribe", "id": "t", "channel": "trades", "filters": {"venue": venue}})
    while (await socket.receive_json())["op"] != "snapshot":
        pass  # the heart beats meanwhile


async def _read(socket: aiohttp.ClientWebSocketResponse, sent: Mapping[str, float], times: list[float]) -> None:
    while True:
        came = await socket.receive()
        assert came.type is aiohttp.WSMsgType.TEXT, f"{came.type.name}, closed with {socket.close_code}: {came.extra}"
        said = orjson.loads(came.data)
        now_s = time.monotonic()
        assert not said.get("lost"), said["lost"]
        times.extend(now_s - sent[row["trade_id"]] for row in said.get("rows", []))
