"""Goal: unmodified ccxt trades on the exchange over real sockets; raw clients see the venue's protocol and faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol, cast

import aiohttp
import ccxt
import ccxt.pro
import pytest

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from ares.errors import PortInUse, StateDirUnusable
from ares.venues import ccxt_settings
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, PACKAGE, Source
from simulator.recording import load_recording

Json = dict[str, object]
BALANCES = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}


class Client(Protocol):
    """What the tests call of ccxt.pro's binance."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]: ...


@pytest.fixture(scope="session")
def recordings() -> tuple[Source, ...]:
    """Read once: that costs a second, which is most of what starting an exchange costs."""
    return tuple(load_recording(PACKAGE / "recordings" / name) for name in BUNDLED)


async def run(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.run()


@asynccontextmanager
async def serving(options: ExchangeOptions) -> AsyncIterator[Exchange]:
    exchange = Exchange(options, SystemClock())
    running = asyncio.create_task(run(exchange))
    try:
        while not exchange.health().ready:
            await asyncio.sleep(0.01)
            assert not running.done(), running.exception()
        yield exchange
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await exchange.stop()


@pytest.fixture
def options(recordings: tuple[Source, ...], tmp_path: Path) -> ExchangeOptions:
    keys = Keys("key", "secret")
    return ExchangeOptions(tmp_path, port=0, recordings=recordings, keys=keys, balances=BALANCES)


@pytest.fixture
async def exchange(options: ExchangeOptions) -> AsyncIterator[Exchange]:
    async with serving(options) as one:
        yield one


@pytest.fixture
async def http(exchange: Exchange) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.address) as session:
        yield session


@asynccontextmanager
async def connected(exchange: Exchange, timeout_s: float = 5.0, secret: str = "secret") -> AsyncIterator[Client]:
    venue = VenueConfig.model_validate(
        {
            "rest_url": exchange.address,
            "ws_url": exchange.address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": secret,
            "request_timeout_s": timeout_s,
        }
    )
    client = ccxt.pro.binance(ccxt_settings("sim", venue, private=True))
    try:
        yield cast("Client", client)
    finally:
        await client.close()


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with connected(exchange) as one:
        await one.load_markets()
        yield one


async def soon(waiting: Awaitable[object], seconds: float = 15.0) -> object:
    return await asyncio.wait_for(waiting, seconds)


async def get(http: aiohttp.ClientSession, path: str, **params: str | int) -> Json:
    async with http.get(path, params=params) as response:
        return cast("Json", await response.json())


async def misbehave(http: aiohttp.ClientSession, **wish: object) -> Json:
    async with http.post("/sim/misbehave", json=wish) as response:
        return cast("Json", await response.json())


async def frame(socket: aiohttp.ClientWebSocketResponse) -> Json:
    return cast("Json", await socket.receive_json(timeout=10))


async def test_ccxt_watches_every_market_stream(client: Client) -> None:
    assert cast("dict[str, object]", client.markets).keys() == {"BTC/USDT", "ETH/USDT"}
    trades = cast("list[Json]", await soon(client.watch_trades("BTC/USDT")))
    assert trades[-1]["symbol"] == "BTC/USDT"
    aggregates = cast("list[Json]", await soon(client.watch_trades("ETH/USDT", params={"name": "aggTrade"})))
    assert cast("Json", aggregates[-1]["info"])["e"] == "aggTrade"
    assert await soon(client.watch_bids_asks(["BTC/USDT", "ETH/USDT"]))
    for _ in range(5):
        book = cast("dict[str, list[list[float]]]", await soon(client.watch_order_book("BTC/USDT")))
        assert book["bids"][0][0] < book["asks"][0][0]
    assert await soon(client.watch_ohlcv("BTC/USDT", "1m"))
    assert cast("Json", await soon(client.watch_ticker("BTC/USDT", {"name": "miniTicker"})))["last"]


async def test_ccxt_fetches_history_that_pages_without_a_hole(client: Client) -> None:
    bars = cast("list[list[float]]", await client.fetch_ohlcv("BTC/USDT", "1m", limit=1_000))
    assert len(bars) == 1_000
    page = cast("list[dict[str, str]]", await client.fetch_trades("BTC/USDT", limit=1_000))
    more = cast("list[dict[str, str]]", await client.fetch_trades(
        "BTC/USDT", None, 1_000, {"fromId": int(page[0]["id"]) - 500}))  # fmt: skip
    ids = [int(trade["id"]) for trade in more]
    assert ids == list(range(ids[0], ids[0] + 1_000))
    assert cast("Json", await client.fetch_status())["status"] == "ok"
    assert cast("Json", await client.fetch_trading_fee("BTC/USDT"))["taker"] == 0.001


async def test_stream_and_history_tell_the_same_trades(client: Client, http: aiohttp.ClientSession) -> None:
    seen: dict[int, tuple[object, ...]] = {}
    async with http.ws_connect("/ws/btcusdt@aggTrade") as socket:
        while len(seen) < 10:
            event = await frame(socket)
            seen[cast("int", event["a"])] = tuple(event[name] for name in "pqfTml")
    rows = await get(http, "/api/v3/aggTrades", symbol="BTCUSDT", fromId=min(seen), limit=len(seen))
    told = {row["a"]: tuple(row[name] for name in "pqfTml") for row in cast("list[Json]", rows)}
    assert told == seen


async def test_ccxt_trades_and_hears_of_it(client: Client) -> None:
    orders = asyncio.create_task(client.watch_orders())  # type: ignore[arg-type]
    mine = asyncio.create_task(client.watch_my_trades())  # type: ignore[arg-type]
    balance = asyncio.create_task(client.watch_balance())  # type: ignore[arg-type]
    await asyncio.sleep(0.5)
    placed = cast(
        "Json", await client.create_order("BTC/USDT", "market", "buy", 0.001, params={"clientOrderId": "m-1"})
    )
    assert (placed["status"], placed["filled"], placed["clientOrderId"]) == ("closed", 0.001, "m-1")
    assert cast("list[Json]", await soon(orders))[-1]["clientOrderId"] == "m-1"
    assert cast("list[Json]", await soon(mine))[-1]["amount"] == 0.001
    assert cast("dict[str, Json]", await soon(balance))["BTC"]["free"] == 0.050999
    assert cast("dict[str, Json]", await client.fetch_balance())["BTC"]["total"] == 0.050999
    assert len(cast("list[Json]", await client.fetch_my_trades("BTC/USDT"))) == 1


async def test_ccxt_places_finds_and_cancels_limit_orders(client: Client) -> None:
    params = {"clientOrderId": "l-1"}
    await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, params)
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, params)
    [still] = cast("list[Json]", await client.fetch_open_orders("BTC/USDT"))
    assert still["clientOrderId"] == "l-1"
    assert cast("Json", await client.fetch_order(None, "BTC/USDT", params))["status"] == "open"
    assert cast("Json", await client.cancel_order(None, "BTC/USDT", params))["status"] == "canceled"
    assert [o["status"] for o in cast("list[Json]", await client.fetch_orders("BTC/USDT"))] == ["canceled"]
    ioc = await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, {"timeInForce": "IOC"})
    assert cast("Json", ioc)["status"] == "expired"
    await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, {"postOnly": True})
    assert len(cast("list[Json]", await client.cancel_all_orders("BTC/USDT"))) == 1


@pytest.mark.parametrize(
    ("amount", "price", "params", "error"),
    [
        (0.001, 150_000, {"postOnly": True}, ccxt.OrderImmediatelyFillable),
        (5, 50_000, {}, ccxt.InsufficientFunds),
        (0.001, 1_000, {}, ccxt.BadRequest),
        (0.001, 50_000, {"clientOrderId": "no spaces"}, ccxt.BadRequest),
    ],
)
async def test_refusals_become_ccxts_errors(
    amount: float, price: float, params: Json, error: type[Exception], client: Client
) -> None:
    with pytest.raises(error):
        await client.create_order("BTC/USDT", "limit", "buy", amount, price, params)


async def test_errors_of_identity_become_ccxts_errors(exchange: Exchange, client: Client) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order("99", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order("99", "BTC/USDT")
    async with connected(exchange, secret="wrong") as stranger:
        with pytest.raises(ccxt.AuthenticationError):
            await stranger.fetch_balance()


async def test_orders_go_over_the_websocket_api_too(client: Client) -> None:
    placed = cast("Json", await soon(client.create_order_ws("BTC/USDT", "limit", "buy", 0.001, 50_000)))
    assert placed["status"] == "open"
    assert cast("Json", await soon(client.cancel_order_ws(placed["id"], "BTC/USDT")))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await soon(client.cancel_order_ws(placed["id"], "BTC/USDT"))


async def test_websocket_api_answers_in_the_venues_form(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/ws-api/v3") as socket:
        asked = [
            ("nonsense", None, 400),
            ('{"id":"1","method":"ping"}', "1", 200),
            ('{"id":"2","method":"time"}', "2", 200),
            ('{"id":"3","method":"session.logon"}', "3", 400),
            ('{"id":"4","method":"order.place","params":{}}', "4", 401),
            ('{"id":"5","method":"order.place","params":[1]}', "5", 400),
            ("[]", None, 400),
            ('{"id":"6","method":"userDataStream.unsubscribe"}', "6", 200),
        ]
        for text, number, status in asked:
            await socket.send_str(text)
            answer = await frame(socket)
            assert (answer["id"], answer["status"]) == (number, status)


async def test_streams_are_subscribed_listed_and_left(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/stream/ws/0") as socket:

        async def ask(request: Json) -> Json:
            await socket.send_json(request)
            while True:
                answer = await frame(socket)
                if "id" in answer:
                    return answer

        names = ["btcusdt@kline_1m", "nosuch@trade"]
        assert await ask({"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
        assert (await ask({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == names
        assert await ask({"method": "UNSUBSCRIBE", "params": names[:1], "id": 3}) == {"result": None, "id": 3}
        assert (await ask({"method": "LIST_SUBSCRIPTIONS", "id": 4}))["result"] == names[1:]
        assert (await ask({"method": "SET_PROPERTY", "params": ["combined", True], "id": 5}))["result"] is None
        assert (await ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 6}))["result"] is True
        for wrong in (
            {"method": "SUBSCRIBE", "params": ["bad name"], "id": 7},
            {"method": "SUBSCRIBE", "params": "x", "id": 7},
            {"method": "SUBSCRIBE", "params": [f"a{n}@trade" for n in range(1_025)], "id": 7},
            {"method": "NOTHING", "id": 7},
        ):
            assert cast("Json", (await ask(wrong))["error"])["code"] == 2
        await socket.send_str("{")
        assert cast("Json", (await frame(socket))["error"])["code"] == 3
        await socket.send_str("[]")
        assert cast("Json", (await frame(socket))["error"])["code"] == 2


async def test_combined_streams_come_wrapped_and_depth_ids_never_break(http: aiohttp.ClientSession) -> None:
    streams = "btcusdt@depth@100ms/btcusdt@depth/btcusdt@kline_1s/btcusdt@kline_9x/btcusdt@bookTicker"
    async with http.ws_connect("/stream", params={"streams": streams}) as socket:
        ids: dict[str, int] = {}
        kinds: set[str] = set()
        while len(kinds) < 4 or ids.get("btcusdt@depth", 0) == 0:
            event = await frame(socket)
            stream, data = str(event["stream"]), cast("Json", event["data"])
            kinds.add(stream)
            if "U" in data:
                assert data["U"] == ids.get(stream, cast("int", data["U"]) - 1) + 1
                ids[stream] = cast("int", data["u"])


async def test_issued_ids_grow_and_orders_are_listed_with_their_submissions(
    client: Client, http: aiohttp.ClientSession
) -> None:
    before = await get(http, "/sim/issued", symbol="BTCUSDT")
    await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, {"clientOrderId": "once"})
    listed = await get(http, "/sim/orders")
    assert [o["clientOrderId"] for o in cast("list[Json]", listed["orders"])] == ["once"]
    assert listed["submissions"] == {"once": 1}
    await asyncio.sleep(1)
    after = await get(http, "/sim/issued", symbol="BTCUSDT", since_ms=cast("int", before["now_ms"]))
    assert cast("int", after["last"]) > cast("int", before["last"])
    assert cast("int", after["first"]) >= cast("int", before["last"])
    assert "error" in await get(http, "/sim/issued", symbol="NOSUCH")


@pytest.mark.parametrize(
    "wish", [{"kind": "typo"}, {"kind": "gap", "count": 0}, {"kind": "gap", "rate": 2}, {"kind": "gap", "count": "x"}]
)
async def test_wrong_wish_is_refused(wish: Json, http: aiohttp.ClientSession) -> None:
    assert "error" in await misbehave(http, **wish)
    async with http.post("/sim/misbehave", data="{") as response:
        assert response.status == 400
    async with http.post("/sim/misbehave", data="[]") as response:
        assert response.status == 400


async def test_throttling_and_bans_come_with_retry_after(http: aiohttp.ClientSession) -> None:
    for kind, status in (("429", 429), ("418", 418)):
        await misbehave(http, kind=kind, wait_ms=7_000, on="/api/v3/time")
        async with http.get("/api/v3/ping") as fine, http.get("/api/v3/time") as refused:
            assert (fine.status, refused.status, refused.headers["Retry-After"]) == (200, status, "7")
    async with http.get("/api/v3/time") as again:
        assert again.status == 200
        assert int(again.headers["X-MBX-USED-WEIGHT-1M"]) >= 3


async def test_failing_gateway_does_nothing_and_rates_can_be_taken_back(
    client: Client, http: aiohttp.ClientSession
) -> None:
    await misbehave(http, kind="5xx", rate=1)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000)
    async with http.delete("/sim/misbehave"):
        pass
    assert (await get(http, "/sim/misbehave"))["done"] == {"5xx": 1}
    assert await client.fetch_orders("BTC/USDT") == []


async def test_order_that_times_out_exists_and_is_found_by_its_client_id(
    exchange: Exchange, http: aiohttp.ClientSession
) -> None:
    async with connected(exchange, timeout_s=0.5) as hasty:
        await hasty.load_markets()
        await misbehave(http, kind="accept_timeout", symbol="BTCUSDT")
        with pytest.raises(ccxt.RequestTimeout):
            await hasty.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, {"clientOrderId": "lost"})
        found = await hasty.fetch_order(None, "BTC/USDT", {"clientOrderId": "lost"})
        assert cast("Json", found)["status"] == "open"


async def quotes_until(
    http: aiohttp.ClientSession, wish: Json, seen: Callable[[list[int]], bool], frames_max: int = 2_000
) -> list[int]:
    """Update ids of book tickers after asking for trouble, until it shows."""
    async with http.ws_connect("/ws/btcusdt@bookTicker") as socket:
        await frame(socket)
        await misbehave(http, on="bookTicker", symbol="BTCUSDT", **wish)
        ids: list[int] = []
        while not seen(ids):
            ids.append(cast("int", (await frame(socket))["u"]))
            assert len(ids) < frames_max, "it never showed"
        return ids


async def test_frames_are_doubled_and_swapped_on_request(http: aiohttp.ClientSession) -> None:
    doubled = await quotes_until(http, {"kind": "duplicate"}, lambda ids: len(set(ids)) < len(ids))
    assert doubled[-1] == doubled[-2]
    swapped = await quotes_until(http, {"kind": "reorder"}, lambda ids: ids != sorted(ids))
    assert len(set(swapped)) == len(swapped)


async def test_frames_are_withheld_on_request(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/ws/ethusdt@depth@100ms") as socket:
        last = cast("int", (await frame(socket))["u"])
        await misbehave(http, kind="gap", count=2, symbol="ETHUSDT")
        for _ in range(100):
            event = await frame(socket)
            if event["U"] != last + 1:
                break
            last = cast("int", event["u"])
        else:
            raise AssertionError("no gap came")
    assert cast("dict[str, int]", (await get(http, "/sim/misbehave"))["done"]) == {"gap": 2}


async def test_delay_holds_everything_back_in_order(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/ws/btcusdt@bookTicker") as socket:
        await frame(socket)
        await misbehave(http, kind="delay", wait_ms=700)
        loop = asyncio.get_running_loop()
        waits, last, ids = [], loop.time(), []
        for _ in range(60):
            ids.append(cast("int", (await frame(socket))["u"]))
            waits.append(loop.time() - last)
            last = loop.time()
        assert max(waits) > 0.5
        assert ids == sorted(ids)


@pytest.mark.parametrize(("abrupt", "code"), [(False, 1001), (True, 1006)])
async def test_disconnect_closes_those_who_listen(abrupt: bool, code: int, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/ws/btcusdt@bookTicker") as socket, http.ws_connect("/ws/ethusdt@bookTicker") as other:
        await misbehave(http, kind="disconnect", symbol="BTCUSDT", abrupt=abrupt)
        async with asyncio.timeout(10):
            async for _ in socket:
                pass
        assert socket.close_code == code
        assert (await frame(other))["s"] == "ETHUSDT"


async def test_account_survives_a_restart_and_stop_says_goodbye(options: ExchangeOptions) -> None:
    async with serving(options) as first, connected(first) as client:
        await client.load_markets()
        await client.create_order("BTC/USDT", "market", "buy", 0.001)
        await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000, {"clientOrderId": "kept"})
        held = await client.fetch_balance()
        second_one = Exchange(options, SystemClock())
        with pytest.raises(StateDirUnusable, match="another exchange"):
            await second_one.start()
        assert first.health().ready
    assert not first.health().ready
    async with serving(options) as second, connected(second) as client:
        await client.load_markets()
        [order] = cast("list[Json]", await client.fetch_open_orders("BTC/USDT"))
        assert order["clientOrderId"] == "kept"
        for key in ("free", "used"):
            assert cast("Json", await client.fetch_balance())[key] == cast("Json", held)[key]


async def test_taken_port_is_named(exchange: Exchange, options: ExchangeOptions, tmp_path: Path) -> None:
    port = int(exchange.address.rpartition(":")[2])
    other = Exchange(replace(options, state_dir=tmp_path / "other", port=port), SystemClock())
    with pytest.raises(PortInUse, match=r"simulator\.port"):
        await other.start()
    await other.stop()
