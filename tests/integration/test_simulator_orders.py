"""Goal: unmodified ccxt places, changes and pairs every kind of order; the user stream tells of it; faults come."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol, cast

import aiohttp
import ccxt
import ccxt.pro
import pytest

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from ares.venues import ccxt_settings
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, PACKAGE, Source
from simulator.recording import load_recording

Json = dict[str, object]
BALANCES = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.001",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "90000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "20000",
    "belowPrice": "19990",
    "belowTimeInForce": "GTC",
    "listClientOrderId": "pair",
    "aboveClientOrderId": "profit",
    "belowClientOrderId": "loss",
}


class Client(Protocol):
    """What the tests call of ccxt.pro's binance."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]: ...


@pytest.fixture(scope="session")
def recordings() -> tuple[Source, ...]:
    return (load_recording(PACKAGE / "recordings" / BUNDLED[0]),)


async def run(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.run()


@pytest.fixture
async def exchange(recordings: tuple[Source, ...], tmp_path: Path) -> AsyncIterator[Exchange]:
    keys = Keys("key", "secret")
    options = ExchangeOptions(tmp_path, port=0, recordings=recordings, keys=keys, balances=BALANCES)
    one = Exchange(options, SystemClock())
    running = asyncio.create_task(run(one))
    try:
        while not one.health().ready:
            await asyncio.sleep(0.01)
            assert not running.done(), running.exception()
        yield one
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await one.stop()


@pytest.fixture
async def http(exchange: Exchange) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.address) as session:
        yield session


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Client]:
    venue = VenueConfig.model_validate(
        {
            "rest_url": address,
            "ws_url": address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": "secret",
            "request_timeout_s": 20.0,
        }
    )
    client = ccxt.pro.binance(ccxt_settings("sim", venue, private=True))
    try:
        await client.load_markets()
        yield cast("Client", client)
    finally:
        await client.close()


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with connected(exchange.address) as one:
        yield one


async def last_price(client: Client) -> float:
    return cast("float", cast("Json", await client.fetch_ticker("BTC/USDT"))["last"])


async def placed_beside_the_market(client: Client, kind: str, distance: float, client_id: str) -> float:
    """Place an order that waits `distance` from the last price; again when the market went past it meanwhile."""
    async with asyncio.timeout(20):
        while True:
            last = await last_price(client)
            params = {kind: last + distance, "clientOrderId": client_id}
            try:
                await client.create_order("BTC/USDT", "limit", "buy", 0.001, round(last * 1.01, 2), params)
            except ccxt.OrderImmediatelyFillable:
                continue
            return last


async def misbehave(http: aiohttp.ClientSession, **wish: object) -> None:
    async with http.post("/sim/misbehave", json=wish) as response:
        assert response.status == 200, await response.text()


async def raw(client: Client, verb: str, path: str, **params: object) -> Json:
    """A signed request that ccxt has no method for."""
    return cast("Json", await client.request(path, ["private"], verb, params))


async def status_of(client: Client, client_id: str) -> Json:
    return cast("Json", await client.fetch_order(None, "BTC/USDT", {"clientOrderId": client_id}))


async def test_ccxt_places_every_kind_of_stop_and_the_market_triggers_it(client: Client) -> None:
    trailing = {"trailingPercent": 0.1, "stopLossOrTakeProfit": "stopLoss", "clientOrderId": "trailing"}
    for side, kind, price, params in (
        ("sell", "market", None, {"stopLossPrice": 20_000, "clientOrderId": "s"}),
        ("buy", "limit", 91_000, {"stopPrice": 90_000, "clientOrderId": "sl"}),
        ("buy", "market", None, {"takeProfitPrice": 20_000, "clientOrderId": "t"}),
        ("sell", "limit", 89_000, {"takeProfitPrice": 90_000, "clientOrderId": "tl"}),
        ("sell", "market", None, trailing),
    ):
        await client.create_order("BTC/USDT", kind, side, 0.001, price, params)
    found = {str(o["clientOrderId"]): o for o in cast("list[Json]", await client.fetch_open_orders("BTC/USDT"))}
    infos = {name: cast("Json", order["info"]) for name, order in found.items()}
    assert {name: info["type"] for name, info in infos.items()} == {
        "s": "STOP_LOSS",
        "sl": "STOP_LOSS_LIMIT",
        "t": "TAKE_PROFIT",
        "tl": "TAKE_PROFIT_LIMIT",
        "trailing": "STOP_LOSS",
    }
    assert all(info["isWorking"] is False and str(info["workingTime"]) == "-1" for info in infos.values())
    assert (found["s"]["triggerPrice"], str(infos["trailing"]["trailingDelta"])) == (20_000, "10")
    held = cast("dict[str, Json]", await client.fetch_balance())
    assert (held["BTC"]["used"], held["USDT"]["used"]) == (0.003, 111)
    names = {"up": "stopLossPrice", "down": "takeProfitPrice"}
    asked: dict[str, float] = {}
    for name, distance in (("up", 1), ("down", -1)):
        asked[name] = await placed_beside_the_market(client, names[name], distance, name)
    done: list[Json] = []
    async with asyncio.timeout(60):
        while not done:
            await asyncio.sleep(0.1)
            done = [order for name in names if (order := await status_of(client, name))["status"] == "closed"]
    assert cast("Json", done[0]["info"])["isWorking"] is True
    assert cast("float", done[0]["average"]) < asked[str(done[0]["clientOrderId"])] * 1.01


async def test_stop_that_would_trigger_at_once_is_refused_as_ccxt_knows_it(client: Client) -> None:
    for params in ({"stopLossPrice": 90_000}, {"takeProfitPrice": 20_000}):
        with pytest.raises(ccxt.OrderImmediatelyFillable, match="Stop price would trigger immediately"):
            await client.create_order("BTC/USDT", "market", "sell", 0.001, None, params)
    wide = {"trailingPercent": 50, "stopLossOrTakeProfit": "stopLoss"}
    with pytest.raises(ccxt.BadRequest, match="TRAILING_DELTA"):
        await client.create_order("BTC/USDT", "market", "sell", 0.001, None, wide)


async def test_ccxts_edit_order_cancels_and_places_anew(client: Client) -> None:
    old = cast("Json", await client.create_order("BTC/USDT", "limit", "buy", 0.001, 20_000))
    new = cast("Json", await client.edit_order(old["id"], "BTC/USDT", "limit", "buy", 0.002, 21_000))
    assert (new["status"], new["amount"], new["price"]) == ("open", 0.002, 21_000)
    assert cast("Json", await client.fetch_order(old["id"], "BTC/USDT"))["status"] == "canceled"
    with pytest.raises(ccxt.ExchangeError, match="Order cancel-replace failed"):
        await client.edit_order(old["id"], "BTC/USDT", "limit", "buy", 0.002, 22_000)
    with pytest.raises(ccxt.ExchangeError, match="partially failed"):
        await client.edit_order(new["id"], "BTC/USDT", "limit", "buy", 5, 22_000)
    assert await client.fetch_open_orders("BTC/USDT") == []
    again = cast("Json", await client.create_order_ws("BTC/USDT", "limit", "buy", 0.001, 20_000))
    over = cast("Json", await client.edit_order_ws(again["id"], "BTC/USDT", "limit", "buy", 0.002, 21_000))
    assert (over["status"], over["price"]) == ("open", 21_000)


async def test_amended_order_keeps_its_id_and_its_history(client: Client) -> None:
    placed = cast("Json", await client.create_order("BTC/USDT", "limit", "buy", 0.003, 20_000))
    amended = await raw(
        client, "PUT", "order/amend/keepPriority", symbol="BTCUSDT", orderId=placed["id"], newQty="0.002"
    )
    order = cast("Json", amended["amendedOrder"])
    assert (str(order["orderId"]), order["qty"], order["status"]) == (placed["id"], "0.00200000", "NEW")
    assert cast("dict[str, Json]", await client.fetch_balance())["USDT"]["used"] == 40
    done = await raw(client, "GET", "order/amendments", symbol="BTCUSDT", orderId=placed["id"])
    [row] = cast("list[Json]", done)
    assert (row["origQty"], row["newQty"], row["newClientOrderId"]) == (
        "0.00300000",
        "0.00200000",
        order["clientOrderId"],
    )
    with pytest.raises(ccxt.ExchangeError, match="quantity increase"):
        await raw(client, "PUT", "order/amend/keepPriority", symbol="BTCUSDT", orderId=placed["id"], newQty="0.004")


async def test_pair_is_listed_and_cancelled_whole(client: Client) -> None:
    placed = await raw(client, "POST", "orderList/oco", **OCO)
    assert (placed["contingencyType"], placed["listOrderStatus"]) == ("OCO", "EXECUTING")
    assert [report["clientOrderId"] for report in cast("list[Json]", placed["orderReports"])] == ["loss", "profit"]
    assert cast("dict[str, Json]", await client.fetch_balance())["BTC"]["used"] == 0.001
    [still] = cast("list[Json]", await raw(client, "GET", "openOrderList"))
    assert still == await raw(client, "GET", "orderList", origClientOrderId="pair")
    gone = await raw(client, "DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="pair")
    assert gone["listOrderStatus"] == "ALL_DONE"
    assert await raw(client, "GET", "openOrderList") == []
    assert len(cast("list[Json]", await raw(client, "GET", "allOrderList"))) == 1
    with pytest.raises(ccxt.OrderNotFound):
        await raw(client, "DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="pair")
    with pytest.raises(ccxt.OrderNotFound):
        await raw(client, "GET", "orderList", orderListId=99)
    with pytest.raises(ccxt.ExchangeError, match="relationship of the prices"):
        await raw(client, "POST", "orderList/oco", **{**OCO, "abovePrice": "21000"})


class Heard:
    """The user stream, frame by frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def until(self, wanted: Callable[[Json], bool]) -> list[Json]:
        """All events up to the one that is wanted."""
        events: list[Json] = []
        async with asyncio.timeout(60):
            while not events or not wanted(events[-1]):
                frame = cast("Json", await self._socket.receive_json())
                if "event" in frame:
                    events.append(cast("Json", frame["event"]))
        return events


@asynccontextmanager
async def listening(client: Client, http: aiohttp.ClientSession) -> AsyncIterator[Heard]:
    signer = cast("ccxt.pro.binance", client)
    async with http.ws_connect("/ws-api/v3") as stream:
        params = signer.sign_params({})
        await stream.send_json({"id": "1", "method": "userDataStream.subscribe.signature", "params": params})
        assert cast("Json", await stream.receive_json(timeout=10))["status"] == 200
        yield Heard(stream)


def reports(events: list[Json], client_id: str) -> list[tuple[object, object, object]]:
    mine = [e for e in events if e["e"] == "executionReport" and client_id in (e["c"], e["C"])]
    return [(e["x"], e["X"], e["w"]) for e in mine]


async def test_user_stream_tells_of_a_pair_whose_one_leg_ends_the_other(
    client: Client, http: aiohttp.ClientSession
) -> None:
    last = await last_price(client)
    both = {**OCO, "aboveType": "TAKE_PROFIT", "aboveStopPrice": f"{last + 5:.2f}", "belowStopPrice": f"{last - 5:.2f}"}
    del both["abovePrice"]
    async with listening(client, http) as heard:
        await raw(client, "POST", "orderList/oco", **both)
        events = await heard.until(lambda e: e["e"] == "listStatus" and e["l"] == "ALL_DONE")
    lists = [(e["l"], e["L"], e["C"]) for e in events if e["e"] == "listStatus"]
    assert lists == [("EXEC_STARTED", "EXECUTING", "pair"), ("ALL_DONE", "ALL_DONE", "pair")]
    expired = next(e for e in events if e.get("x") == "EXPIRED")
    assert expired["eR"] == "OCO_TRIGGER"
    ended = str(expired["c"])
    done = "loss" if ended == "profit" else "profit"
    assert reports(events, ended) == [("NEW", "NEW", False), ("EXPIRED", "EXPIRED", False)]
    assert reports(events, done)[:2] == [("NEW", "NEW", False), ("NEW", "NEW", True)]
    assert reports(events, done)[-1] == ("TRADE", "FILLED", False)
    working = next(e for e in events if e.get("c") == done and e.get("w") is True)
    assert cast("int", working["W"]) > 0


async def test_reports_come_twice_and_a_fill_before_its_acceptance_on_request(
    client: Client, http: aiohttp.ClientSession
) -> None:
    async with listening(client, http) as heard:
        await misbehave(http, kind="report_twice", on="twice")
        await misbehave(http, kind="report_swapped", on="swapped")
        await client.create_order("BTC/USDT", "market", "buy", 0.001, None, {"clientOrderId": "twice"})
        await client.create_order("BTC/USDT", "market", "buy", 0.001, None, {"clientOrderId": "swapped"})
        events = await heard.until(lambda e: e.get("c") == "swapped" and e.get("x") == "NEW")
    assert [x for x, *_ in reports(events, "twice")] == ["NEW", "NEW", "TRADE"]
    assert [x for x, *_ in reports(events, "swapped")] == ["TRADE", "NEW"]


async def test_answer_may_come_after_the_report_of_the_fill(client: Client, http: aiohttp.ClientSession) -> None:
    async with listening(client, http) as heard:
        await misbehave(http, kind="ack_late", wait_ms=1_000, on="POST /api/v3/order")
        placing = asyncio.ensure_future(client.create_order("BTC/USDT", "market", "buy", 0.001))
        await heard.until(lambda e: e.get("x") == "TRADE")
        assert not placing.done()
        assert cast("Json", await placing)["status"] == "closed"


async def test_late_fill_is_on_the_stream_before_history_has_it(client: Client, http: aiohttp.ClientSession) -> None:
    async with listening(client, http) as heard:
        await misbehave(http, kind="late_fill", count=9, wait_ms=2_000)
        await client.create_order("BTC/USDT", "market", "buy", 0.001)
        await heard.until(lambda e: e.get("x") == "TRADE")
        assert await client.fetch_my_trades("BTC/USDT") == []
        [row] = cast("list[Json]", await client.fetch_orders("BTC/USDT"))
        assert (row["status"], row["filled"]) == ("open", 0)
        async with asyncio.timeout(20):
            while not await client.fetch_my_trades("BTC/USDT"):
                await asyncio.sleep(0.1)
        assert cast("list[Json]", await client.fetch_orders("BTC/USDT"))[0]["status"] == "closed"


async def test_storm_of_429_lasts_as_long_as_asked(client: Client, http: aiohttp.ClientSession) -> None:
    await misbehave(http, kind="429", for_ms=1_500, on="/api/v3/account")
    refused = 0
    async with asyncio.timeout(20):
        while True:
            try:
                await client.fetch_balance()
                break
            except ccxt.DDoSProtection:
                refused += 1
    assert refused > 1
    async with http.get("/sim/misbehave") as response:
        assert cast("dict[str, Json]", await response.json())["armed"] == {}
    async with http.post("/sim/misbehave", json={"kind": "429", "for_ms": 0}) as response:
        assert response.status == 400


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return cast("int", one.getsockname()[1])


SERVER = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from ares.clock import SystemClock
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, PACKAGE
async def main():
    options = ExchangeOptions(Path(sys.argv[1]), port=int(sys.argv[2]), keys=Keys("key", "secret"),
        recordings=(PACKAGE / "recordings" / BUNDLED[0],),
        balances={"USDT": Decimal(20000), "BTC": Decimal("0.05")})
    exchange = Exchange(options, SystemClock())
    await exchange.start()
    await exchange.run()
asyncio.run(main())
"""


@asynccontextmanager
async def killed_at_the_end(folder: Path, port: int) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(folder), str(port))
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{address}/api/v3/ping"):
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)
        yield address
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def test_stops_pairs_and_amendments_survive_a_kill(tmp_path: Path) -> None:
    port = free_port()
    trailing = {"trailingPercent": 20, "stopLossOrTakeProfit": "stopLoss", "clientOrderId": "trailing"}
    async with killed_at_the_end(tmp_path, port) as address, connected(address) as client:
        await client.create_order("BTC/USDT", "market", "sell", 0.001, None, trailing)
        await raw(client, "POST", "orderList/oco", **OCO)
        await raw(
            client, "PUT", "order/amend/keepPriority",
            symbol="BTCUSDT", origClientOrderId="loss", newQty="0.0005", newClientOrderId="loss",
        )  # fmt: skip
        before = await client.fetch_open_orders("BTC/USDT")
        held = cast("dict[str, Json]", await client.fetch_balance())
        lists = await raw(client, "GET", "openOrderList")
    async with killed_at_the_end(tmp_path, port) as address, connected(address) as client:
        assert await client.fetch_open_orders("BTC/USDT") == before
        assert cast("dict[str, Json]", await client.fetch_balance())["BTC"] == held["BTC"]
        assert held["BTC"]["used"] == 0.0015
        assert await raw(client, "GET", "openOrderList") == lists
        await raw(client, "DELETE", "order", symbol="BTCUSDT", origClientOrderId="profit")
        assert await raw(client, "GET", "openOrderList") == []
        await client.cancel_all_orders("BTC/USDT")
        assert cast("dict[str, Json]", await client.fetch_balance())["BTC"]["used"] == 0
