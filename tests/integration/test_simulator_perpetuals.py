"""Goal: unmodified ccxt trades perpetuals at the exchange, is told of it, and finds its account after kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
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
from ares.venues.ccxt_settings import DEAD, binance_usdm_urls
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, BUNDLED_PERPETUALS, PACKAGE, Source
from simulator.perpetual.market import Funding
from simulator.perpetual.venue import PerpetualOptions
from simulator.recording import load_recording

Json = dict[str, object]
BTC = "BTC/USDT:USDT"
WALLET = Decimal(20_000)
STARTED_S_MAX = 90.0


class Client(Protocol):
    """What the tests call of ccxt.pro's binanceusdm."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]: ...


@pytest.fixture(scope="session")
def recordings() -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    folder = PACKAGE / "recordings"
    return (load_recording(folder / BUNDLED[0]),), (load_recording(folder / BUNDLED_PERPETUALS[0]),)


@pytest.fixture
async def exchange(
    recordings: tuple[tuple[Source, ...], tuple[Source, ...]], tmp_path: Path
) -> AsyncIterator[Exchange]:
    spot, perpetual = recordings
    futures = PerpetualOptions(WALLET, perpetual, funding=Funding(Decimal("0.001"), 2_000))
    options = ExchangeOptions(tmp_path, port=0, recordings=spot, keys=Keys("key", "secret"), perpetuals=futures)
    one = Exchange(options, SystemClock())
    await one.start()
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await one.stop()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Client]:
    signed = {f"fapiPrivate{version}": f"{address}/fapi/{path}" for version, path in (("", "v1"), ("V2", "v2"))}
    urls = {
        **binance_usdm_urls(address),
        **signed,
        "fapiPrivateV3": f"{address}/fapi/v3",
        "sapi": f"{address}/sapi/v1",
        "ws": {"linear": address.replace("http", "ws") + "/ws", "spot": DEAD},
    }
    client = ccxt.pro.binanceusdm(
        {
            "apiKey": "key",
            "secret": "secret",
            "timeout": 10_000,
            "enableRateLimit": False,
            "urls": {"api": urls},
            "exceptions": {"exact": ccxt.binance().exceptions["linear"]["exact"]},
            "options": {
                "fetchMarkets": {"types": ["linear"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
                "fetchOpenOrders": {"warnWithoutSymbol": False},
                "adjustForTimeDifference": True,
            },
        }
    )
    try:
        await client.load_markets()
        yield cast("Client", client)
    finally:
        await client.close()


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with connected(exchange.address) as one:
        yield one


async def order(client: Client, kind: str, side: str, *rest: object) -> Json:
    return cast("Json", await client.create_order(BTC, kind, side, *rest))


async def best(client: Client) -> Json:
    return cast("dict[str, Json]", await client.fetch_bids_asks([BTC]))[BTC]


async def test_short_is_opened_seen_and_closed_and_every_change_of_the_wallet_is_an_income(client: Client) -> None:
    await client.set_leverage(10, BTC)
    opened = await order(client, "market", "sell", 0.01, None, {"newOrderRespType": "RESULT"})
    assert (opened["status"], opened["filled"]) == ("closed", 0.01)
    position = cast("list[Json]", await client.fetch_positions([BTC]))[0]
    assert (position["side"], position["contracts"]) == ("short", 0.01)
    assert position["entryPrice"] == opened["average"]
    await order(client, "market", "buy", 0.05, None, {"reduceOnly": True})
    assert cast("list[Json]", await client.fetch_positions([BTC])) == []
    incomes = cast("list[Json]", await client.fapiprivate_get_income({"limit": 1000}))
    account = cast("Json", await client.fapiprivatev3_get_account())
    earned = sum((Decimal(str(income["income"])) for income in incomes), Decimal(0))
    assert Decimal(str(account["totalWalletBalance"])) == WALLET + earned
    assert account["positions"] == []


async def test_resting_order_is_found_by_its_client_id_and_cancelled(client: Client) -> None:
    price = round(cast("float", (await best(client))["bid"]) * 0.9, 1)
    placed = await order(client, "limit", "buy", 0.01, price, {"newClientOrderId": "mine", "postOnly": True})
    by_client_id = cast("Json", await client.fetch_order(None, BTC, {"origClientOrderId": "mine"}))
    assert (by_client_id["id"], by_client_id["status"], by_client_id["timeInForce"]) == (placed["id"], "open", "PO")
    assert [o["clientOrderId"] for o in cast("list[Json]", await client.fetch_open_orders(BTC))] == ["mine"]
    assert cast("Json", await client.cancel_order(placed["id"], BTC))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(placed["id"], BTC)


async def test_refusals_are_those_that_ccxt_knows(client: Client) -> None:
    price = cast("float", (await best(client))["ask"])
    for error, code, arguments in (
        (ccxt.InsufficientFunds, "-2019", ("market", "buy", 90)),
        (ccxt.InvalidOrder, "-2022", ("market", "buy", 0.01, None, {"reduceOnly": True})),
        (ccxt.OrderNotFillable, "-5022", ("limit", "buy", 0.01, price * 1.01, {"postOnly": True})),
        (ccxt.OrderNotFillable, "-5021", ("limit", "buy", 1, price * 0.9, {"timeInForce": "FOK"})),
        (ccxt.InvalidOrder, "-4164", ("limit", "buy", 0.001, 4_000)),
    ):
        with pytest.raises(error, match=code):
            await order(client, *arguments)
    with pytest.raises(ccxt.BadRequest, match="-4168"):
        await client.set_margin_mode("isolated", BTC)
    with pytest.raises(ccxt.InvalidOrder, match="-4120"):
        await client.fapiprivate_post_order({"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"})


async def test_funding_is_paid_at_each_of_its_times_at_mark_times_rate(client: Client) -> None:
    await order(client, "market", "buy", 0.01)
    incomes: list[Json] = []
    for _ in range(100):
        incomes = cast("list[Json]", await client.fapiprivate_get_income({"incomeType": "FUNDING_FEE"}))
        if len(incomes) >= 2:
            break
        await asyncio.sleep(0.1)
    asked = {"symbol": "BTCUSDT", "startTime": incomes[0]["time"]}
    rates = cast("list[Json]", await client.fapipublic_get_fundingrate(asked))
    paid = {row["fundingTime"]: Decimal(str(row["fundingRate"])) * Decimal(str(row["markPrice"])) for row in rates}
    for income in incomes:
        time_ms = cast("int", income["time"])
        assert time_ms % 2_000 == 0
        assert Decimal(str(income["income"])) == -Decimal("0.01") * paid[time_ms]
    assert len({income["tranId"] for income in incomes}) == len(incomes) >= 2


async def test_user_stream_tells_of_orders_money_and_funding(exchange: Exchange, client: Client) -> None:
    key = cast("Json", await client.fapiprivate_post_listenkey())["listenKey"]
    async with (
        aiohttp.ClientSession(exchange.address) as http,
        http.ws_connect("/private/ws", params={"listenKey": str(key)}) as stream,
    ):
        await order(client, "market", "sell", 0.01, None, {"newClientOrderId": "told"})
        told: list[Json] = []
        while not told or cast("Json", told[-1].get("a", {})).get("m") != "FUNDING_FEE":
            told.append(cast("Json", await stream.receive_json(timeout=20)))
    orders = [cast("Json", event["o"]) for event in told if event["e"] == "ORDER_TRADE_UPDATE"]
    assert (orders[0]["c"], orders[0]["x"], orders[0]["X"]) == ("told", "NEW", "NEW")
    assert (orders[-1]["x"], orders[-1]["X"], orders[-1]["z"]) == ("TRADE", "FILLED", "0.01000000")
    moved = [cast("Json", event["a"]) for event in told if event["e"] == "ACCOUNT_UPDATE"]
    assert [update["m"] for update in moved] == ["ORDER", "FUNDING_FEE"]
    assert [position["pa"] for position in cast("list[Json]", moved[0]["P"])] == ["-0.01000000"]
    assert moved[1]["P"] == []


def stop(name: str, **words: object) -> Json:
    return {"clientAlgoId": name, "reduceOnly": "true", **words}


async def enclose_the_market(client: Client) -> None:
    """A stop a tick below the last price and a profit a tick above it: where it goes next triggers one of them."""
    for name, word, step in (("below", "stopLossPrice", -0.1), ("above", "takeProfitPrice", 0.1)):
        for _ in range(50):
            last = cast("float", cast("Json", await client.fetch_ticker(BTC))["last"])
            try:
                await order(client, "market", "sell", 0.01, None, stop(name, **{word: round(last + step, 1)}))
            except ccxt.OrderImmediatelyFillable:
                continue
            break


async def until_triggered(client: Client, *names: str) -> Json:
    """The first of them that does not wait any longer."""
    async with asyncio.timeout(120):
        while True:
            for name in names:
                info = cast("Json", (await found_algo(client, name))["info"])
                if info["algoStatus"] != "NEW":
                    return info
            await asyncio.sleep(0.2)


async def found_algo(client: Client, name: str) -> Json:
    return cast("Json", await client.fetch_order(None, BTC, {"clientAlgoId": name, "trigger": True}))


async def test_conditional_orders_are_taken_shown_refused_and_cancelled_as_ccxt_asks(client: Client) -> None:
    await order(client, "market", "buy", 0.02)
    bid = cast("float", (await best(client))["bid"])
    far, near = round(bid * 0.8, 1), round(bid * 1.2, 1)
    taken = await order(client, "market", "sell", 0.02, None, stop("stop", stopLossPrice=far))
    assert (taken["clientOrderId"], taken["status"], taken["triggerPrice"]) == ("stop", "open", far)
    await order(client, "market", "sell", 0.02, None, stop("profit", takeProfitPrice=near))
    await order(client, "market", "sell", 0.02, None, stop("trail", trailingPercent="5", workingType="MARK_PRICE"))
    waiting = cast("list[Json]", await client.fetch_open_orders(BTC, None, None, {"trigger": True}))
    assert [(o["clientOrderId"], cast("Json", o["info"])["orderType"]) for o in waiting] == [
        ("stop", "STOP_MARKET"),
        ("profit", "TAKE_PROFIT_MARKET"),
        ("trail", "TRAILING_STOP_MARKET"),
    ]
    assert cast("Json", waiting[2]["info"])["callbackRate"] == "5.00000000"
    assert await client.fetch_open_orders(BTC) == [], "the book does not know them"
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await order(client, "market", "sell", 0.02, None, stop("passed", stopLossPrice=near))
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order(None, BTC, {"origClientOrderId": "stop"})
    with pytest.raises(ccxt.OrderNotFound):
        await found_algo(client, "never")
    await client.cancel_order(None, BTC, {"clientAlgoId": "stop", "trigger": True})
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(None, BTC, {"clientAlgoId": "stop", "trigger": True})
    assert (await found_algo(client, "stop"))["status"] == "canceled"
    await client.cancel_all_orders(BTC, {"trigger": True})
    assert await client.fetch_open_orders(BTC, None, None, {"trigger": True}) == []
    assert len(cast("list[Json]", await client.fetch_orders(BTC, None, None, {"trigger": True}))) == 3


async def test_a_triggered_stop_closes_the_position_and_is_told_with_the_order_that_it_became(
    exchange: Exchange, client: Client
) -> None:
    key = cast("Json", await client.fapiprivate_post_listenkey())["listenKey"]
    async with (
        aiohttp.ClientSession(exchange.address) as http,
        http.ws_connect("/private/ws", params={"listenKey": str(key)}) as stream,
    ):
        await order(client, "market", "buy", 0.01)
        far = round(cast("float", (await best(client))["bid"]) * 1.2, 1)
        await order(client, "market", "sell", 0.01, None, stop("far", takeProfitPrice=far))
        await enclose_the_market(client)
        info = await until_triggered(client, "below", "above")
        told: list[Json] = []
        while not told or cast("Json", told[-1].get("o", {})).get("X") != "FINISHED":
            told.append(cast("Json", await stream.receive_json(timeout=20)))
    assert info["algoStatus"] == "FINISHED"
    placed = cast("Json", await client.fetch_order(info["actualOrderId"], BTC))
    name = str(info["clientAlgoId"])
    assert (placed["clientOrderId"], placed["status"], placed["filled"]) == (name, "closed", 0.01)
    assert cast("list[Json]", await client.fetch_positions([BTC])) == []
    algos = [cast("Json", event["o"]) for event in told if event["e"] == "ALGO_UPDATE"]
    assert [a["X"] for a in algos if a["caid"] == name] == ["NEW", "TRIGGERED", "FINISHED"]
    assert algos[-1]["ai"] == info["actualOrderId"]
    assert (await found_algo(client, "far"))["status"] == "open", "it waits on, and can only reduce"


async def test_private_stream_is_refused_without_a_key_that_lives(exchange: Exchange, client: Client) -> None:
    await client.fapiprivate_post_listenkey()
    await client.fapiprivate_delete_listenkey()
    async with aiohttp.ClientSession(exchange.address) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect("/private/ws", params={"listenKey": "none"})
    with pytest.raises(ccxt.ExchangeError, match="-1125"):
        await client.fapiprivate_put_listenkey()


async def test_ccxt_follows_trades_books_and_mark_prices(client: Client) -> None:
    book = cast("dict[str, list[list[float]]]", await asyncio.wait_for(client.watch_order_book(BTC), 30))
    assert book["bids"][0][0] < book["asks"][0][0]
    mark = cast("Json", await asyncio.wait_for(client.watch_mark_price(BTC), 30))
    assert cast("float", mark["markPrice"]) > 0
    assert cast("list[Json]", await asyncio.wait_for(client.watch_trades(BTC), 60))


async def test_answer_that_is_lost_leaves_an_order_that_is_found_by_its_client_id(
    exchange: Exchange, client: Client
) -> None:
    async with aiohttp.ClientSession(exchange.address) as http:
        wish = {"kind": "accept_timeout", "count": 1, "on": "POST /fapi/v1/order"}
        async with http.post("/sim/misbehave", json=wish) as response:
            assert response.status == 200, await response.text()
        waiting = asyncio.create_task(order(client, "market", "buy", 0.01, None, {"newClientOrderId": "lost"}))
        with pytest.raises(ccxt.RequestTimeout):
            await waiting
        found = cast("Json", await client.fetch_order(None, BTC, {"origClientOrderId": "lost"}))
        assert found["status"] == "closed"
        async with http.get("/sim/perpetual/orders") as response:
            assert (await response.json())["submissions"] == {"lost": 1}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return cast("int", one.getsockname()[1])


@asynccontextmanager
async def process(port: int, state_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The exchange as a process of its own, listening."""
    variables = {
        "ARES_SIMULATOR__API_KEY": "key",
        "ARES_SIMULATOR__API_SECRET": "secret",
        "ARES_SIMULATOR__PERPETUALS__ENABLED": "true",
        "ARES_SIMULATOR__PERPETUALS__FUNDING_S": "2",
    }
    command = ("-m", "ares.cli", "simulate", "exchange", "--port", str(port), "--state-dir", str(state_dir))
    nowhere = asyncio.subprocess.DEVNULL
    one = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=os.environ | variables, stdout=nowhere, stderr=nowhere
    )
    try:
        until_s = time.monotonic() + STARTED_S_MAX
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/fapi/v1/ping"):
                        break
                except aiohttp.ClientConnectionError:
                    assert one.returncode is None
                    assert time.monotonic() < until_s
                    await asyncio.sleep(0.1)
        yield one
    finally:
        if one.returncode is None:
            one.send_signal(signal.SIGKILL)
        await one.wait()


async def test_killed_exchange_comes_back_with_position_order_and_the_funding_of_the_time_it_was_away(
    tmp_path: Path,
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with process(port, tmp_path), connected(address) as client:
        await client.set_leverage(7, BTC)
        await order(client, "market", "sell", 0.02)
        price = round(cast("float", (await best(client))["bid"]) * 0.9, 1)
        await order(client, "limit", "buy", 0.01, price, {"newClientOrderId": "kept"})
        await order(client, "market", "buy", 0.02, None, stop("waits", stopLossPrice=round(price * 1.5, 1)))
        await order(client, "market", "buy", 0.02, None, stop("follows", trailingPercent="9"))
        await order(client, "market", "buy", 0.02, None, stop("gone", takeProfitPrice=round(price * 0.5, 1)))
        await client.cancel_order(None, BTC, {"clientAlgoId": "gone", "trigger": True})
    killed_ms = time.time_ns() // 1_000_000
    await asyncio.sleep(4.5)
    back_ms = time.time_ns() // 1_000_000
    async with process(port, tmp_path), connected(address) as client:
        position = cast("list[Json]", await client.fapiprivatev2_get_positionrisk({"symbol": "BTCUSDT"}))[0]
        assert (Decimal(str(position["positionAmt"])), position["leverage"]) == (Decimal("-0.02"), "7")
        assert [o["clientOrderId"] for o in cast("list[Json]", await client.fetch_open_orders(BTC))] == ["kept"]
        waiting = cast("list[Json]", await client.fetch_open_orders(BTC, None, None, {"trigger": True}))
        assert [o["clientOrderId"] for o in waiting] == ["waits", "follows"]
        assert (await found_algo(client, "gone"))["status"] == "canceled"
        paid = cast("list[Json]", await client.fapiprivate_get_income({"incomeType": "FUNDING_FEE"}))
        times = {cast("int", income["time"]) for income in paid}
        away = range(killed_ms - killed_ms % 2_000 + 2_000, back_ms, 2_000)
        assert len(away) >= 2
        assert times.issuperset(away)
        incomes = cast("list[Json]", await client.fapiprivate_get_income({"limit": 1000}))
        account = cast("Json", await client.fapiprivatev3_get_account())
        earned = sum((Decimal(str(income["income"])) for income in incomes), Decimal(0))
        assert Decimal(str(account["totalWalletBalance"])) == WALLET + earned
