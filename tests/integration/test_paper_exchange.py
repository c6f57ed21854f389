"""Goal: orders on paper meet a venue's market of now, and none when it is not known what that is.

The venue is a second exchange with recordings, its own process, reached over its public addresses alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast

import aiohttp
import ccxt
import ccxt.pro
import pytest

from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig, VenueConfig
from ares.errors import ConfigError, VenueRejected, VenueUnavailable
from ares.store import RowWriter
from ares.telemetry import metrics
from ares.venues import ccxt_settings
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.paper.upstream import FeedOptions
from tests.conftest import free_port
from tests.integration.test_trader_service import environ, feeding, told, trading

Json = dict[str, object]
ROOT = Path(__file__).resolve().parents[2]
BALANCES = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
SILENCE_S_MAX = 2.0
TRIES_MAX = 20
KEYS = Keys("key", "secret")


class Venue:
    """The venue to follow, as a process that can be stopped, killed and started again."""

    def __init__(self, state_dir: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ARES_")}
        own = ("--port", str(self.port), "--state-dir", str(self._state_dir))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ares.cli", "simulate", "exchange", *own],
            cwd=ROOT,
            env=plain,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        asyncio.run(answers(self.address))

    def tell(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def feed(self, *symbols: str) -> FeedOptions:
        return FeedOptions(
            *("live", self.address, self.address.replace("http", "ws")),
            symbols or ("BTCUSDT", "ETHUSDT"),
            silence_s_max=SILENCE_S_MAX,
            timeout_s=1.0,
            backoff_s_min=0.1,
            backoff_s_max=0.5,
        )


async def answers(address: str) -> None:
    async with asyncio.timeout(60):
        while not await is_there(address):
            await asyncio.sleep(0.1)


async def is_there(address: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(address, timeout=timeout) as http, http.get("/api/v3/ping"):
            return True
    except (aiohttp.ClientError, TimeoutError):
        return False


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    one = Venue(tmp_path_factory.mktemp("live"))
    one.start()
    yield one
    one.kill()


@pytest.fixture
async def venue(running: Venue) -> Venue:
    """Running: a test that killed it has started it again, or is helped out here."""
    if not await is_there(running.address):
        running.kill()
        await asyncio.to_thread(running.start)
    return running


@asynccontextmanager
async def serving(options: ExchangeOptions) -> AsyncIterator[Exchange]:
    exchange = Exchange(options, SystemClock())
    await exchange.start()
    running = asyncio.create_task(exchange.run())
    try:
        yield exchange
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await exchange.stop()


@pytest.fixture
async def paper(venue: Venue, tmp_path: Path) -> AsyncIterator[Exchange]:
    options = ExchangeOptions(tmp_path / "paper", port=0, keys=KEYS, balances=BALANCES, feed=venue.feed())
    async with serving(options) as exchange, aiohttp.ClientSession(exchange.address) as http:
        await status_becomes(http, 0)
        yield exchange


@pytest.fixture
async def http(paper: Exchange) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(paper.address) as session:
        yield session


@pytest.fixture
async def client(paper: Exchange) -> AsyncIterator[ccxt.pro.binance]:
    async with connected(paper.address) as one:
        yield one


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[ccxt.pro.binance]:
    venue = VenueConfig.model_validate(
        {"rest_url": address, "ws_url": address.replace("http", "ws"), "api_key": "key", "api_secret": "secret"}
    )
    client = ccxt.pro.binance(ccxt_settings("sim", venue, private=True))
    try:
        yield client
    finally:
        await client.close()


async def get(http: aiohttp.ClientSession, path: str, **params: str | int) -> tuple[int, object]:
    async with http.get(path, params=params) as response:
        return response.status, cast("object", await response.json())


async def status_becomes(http: aiohttp.ClientSession, wanted: int, seconds: float = 15.0) -> None:
    async def is_so() -> bool:
        _, said = await get(http, "/sapi/v1/system/status")
        return cast("Json", said)["status"] == wanted

    await becomes(is_so, seconds)


async def becomes(is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.05)


async def streamed(address: str, stream: str, seconds: float) -> list[Json]:
    """What a stream brings in so many seconds."""
    frames: list[Json] = []
    async with aiohttp.ClientSession(address) as http, http.ws_connect(f"/ws/{stream}") as socket:
        try:
            async with asyncio.timeout(seconds):
                async for message in socket:
                    frames.append(cast("Json", message.json()))  # noqa: PERF401 - a timeout ends it
        except TimeoutError:
            return frames
    return frames


async def test_trades_are_the_venues_by_id_price_and_time(venue: Venue, paper: Exchange) -> None:
    for stream, key in (("btcusdt@trade", "t"), ("btcusdt@aggTrade", "a"), ("btcusdt@depth@100ms", "u")):
        theirs, ours = await asyncio.gather(*(streamed(each, stream, 4.0) for each in (venue.address, paper.address)))
        first = max(cast("int", frames[0][key]) for frames in (theirs, ours))
        last = min(cast("int", frames[-1][key]) for frames in (theirs, ours))
        told, heard = (
            [frame for frame in frames if first <= cast("int", frame[key]) <= last] for frames in (theirs, ours)
        )
        assert heard == told
        assert len(heard) > 10


async def test_other_streams_are_passed_on_to_those_who_ask_and_unknown_ones_do_no_harm(
    paper: Exchange, http: aiohttp.ClientSession
) -> None:
    nothing, bars, tickers = await asyncio.gather(
        *(streamed(paper.address, f"btcusdt@{kind}", 5.0) for kind in ("nonsense", "kline_1m", "miniTicker"))
    )
    assert (nothing, {bar["e"] for bar in bars}, {one["e"] for one in tickers}) == ([], {"kline"}, {"24hrMiniTicker"})
    assert (await get(http, "/sapi/v1/system/status"))[1] == {"status": 0, "msg": "normal"}


async def test_a_venue_that_was_asked_too_much_is_left_alone_for_as_long_as_it_wants(
    venue: Venue, http: aiohttp.ClientSession
) -> None:
    span = {"symbol": "BTCUSDT", "interval": "1m"}
    async with aiohttp.ClientSession(venue.address) as live:
        async with live.post("/sim/misbehave", json={"kind": "429", "on": "klines", "wait_ms": 3_000}):
            pass
        async with http.get("/api/v3/klines", params=span) as first, http.get("/api/v3/klines", params=span) as second:
            assert (first.status, first.headers["Retry-After"]) == (429, "3")
            assert (second.status, second.headers["Retry-After"]) == (429, "3")
        _, said = await get(live, "/sim/misbehave")
        assert cast("dict[str, Json]", said)["done"]["429"] == 1

    async def answered() -> bool:
        return (await get(http, "/api/v3/klines", **span))[0] == 200

    await becomes(answered, 5.0)


async def test_the_book_and_the_past_are_the_venues(venue: Venue, http: aiohttp.ClientSession) -> None:
    async with aiohttp.ClientSession(venue.address) as live:
        span = {"symbol": "BTCUSDT", "interval": "1m", "limit": 200}
        (_, theirs), (_, ours) = await asyncio.gather(
            get(live, "/api/v3/klines", **span), get(http, "/api/v3/klines", **span)
        )
        assert cast("list[object]", ours)[:-1] == cast("list[object]", theirs)[:-1]
        assert len(cast("list[object]", ours)) == 200

        async def same_book() -> bool:
            asked = (get(one, "/api/v3/depth", symbol="ETHUSDT", limit=20) for one in (live, http))
            (_, theirs), (_, ours) = await asyncio.gather(*asked)
            return ours == theirs

        await becomes(same_book, 20.0)
        _, rules = await get(http, "/api/v3/exchangeInfo", symbol="ETHUSDT")
        _, their_rules = await get(live, "/api/v3/exchangeInfo", symbol="ETHUSDT")
        [mine] = cast("list[Json]", cast("Json", rules)["symbols"])
        assert mine == cast("list[Json]", cast("Json", their_rules)["symbols"])[0]


async def test_symbols_that_are_not_followed_are_refused_without_asking_the_venue(http: aiohttp.ClientSession) -> None:
    for path in ("/api/v3/klines", "/api/v3/depth", "/api/v3/ticker/24hr"):
        status, said = await get(http, path, symbol="BNBUSDT", interval="1m")
        assert (status, cast("Json", said)["code"]) == (400, -1121)
    status, rows = await get(http, "/api/v3/ticker/24hr")
    assert [row["symbol"] for row in cast("list[Json]", rows)] == ["BTCUSDT", "ETHUSDT"]


async def test_an_order_takes_what_the_venue_displays(client: ccxt.pro.binance, http: aiohttp.ClientSession) -> None:
    bought = await client.create_order("BTC/USDT", "market", "buy", 0.01)
    _, top = await get(http, "/api/v3/ticker/bookTicker", symbol="BTCUSDT")
    assert bought["status"] == "closed"
    assert abs(bought["average"] / float(str(cast("Json", top)["askPrice"])) - 1) < 0.01
    balance = await client.fetch_balance()
    assert balance["BTC"]["total"] == pytest.approx(0.05 + 0.01 * 0.999)


async def rests(client: ccxt.pro.binance, http: aiohttp.ClientSession, side: Literal["buy", "sell"]) -> float:
    """The price at which an order of ours rests: the best of its side, asked anew where the market was faster."""
    for _ in range(TRIES_MAX):
        _, said = await get(http, "/api/v3/ticker/bookTicker", symbol="BTCUSDT")
        price = float(cast("dict[str, str]", said)["bidPrice" if side == "buy" else "askPrice"])
        try:
            await client.create_order("BTC/USDT", "limit", side, 0.001, price, {"postOnly": True})
        except ccxt.OrderImmediatelyFillable:
            continue
        return price
    raise AssertionError("the market moves faster than an order can be placed")


async def test_a_resting_order_is_filled_by_the_venues_trades(
    client: ccxt.pro.binance, http: aiohttp.ClientSession
) -> None:
    prices = {"buy": await rests(client, http, "buy"), "sell": await rests(client, http, "sell")}

    async def one_is_filled() -> bool:
        return len(await client.fetch_open_orders("BTC/USDT")) < 2

    await becomes(one_is_filled, 90.0)
    fills = await client.fetch_my_trades("BTC/USDT")
    assert fills
    assert all((fill["takerOrMaker"], fill["price"]) == ("maker", prices[fill["side"]]) for fill in fills)


async def refused(client: ccxt.pro.binance) -> str:
    with pytest.raises(ccxt.ExchangeError) as error:
        await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000)
    return str(error.value)


@pytest.mark.parametrize("how", ["killed", "silent"])
async def test_a_lost_venue_means_maintenance_until_it_is_back(
    venue: Venue, client: ccxt.pro.binance, http: aiohttp.ClientSession, how: str
) -> None:
    stands = await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000)
    goes = await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_001)
    clock = SystemClock()
    lost_s = clock.monotonic_s()
    if how == "killed":
        venue.kill()
    else:
        venue.tell(signal.SIGSTOP)
    await status_becomes(http, 1, SILENCE_S_MAX + 1.0)
    assert clock.monotonic_s() - lost_s < SILENCE_S_MAX + 1.0
    assert "-1016" in await refused(client)
    assert (await get(http, "/api/v3/depth", symbol="BTCUSDT"))[0] == 503
    _, info = await get(http, "/api/v3/exchangeInfo")
    assert {row["status"] for row in cast("list[Json]", cast("Json", info)["symbols"])} == {"BREAK"}
    await client.cancel_order(goes["id"], "BTC/USDT")
    assert [order["id"] for order in await client.fetch_open_orders("BTC/USDT")] == [stands["id"]]
    if how == "killed":
        await asyncio.to_thread(venue.start)
    else:
        venue.tell(signal.SIGCONT)
    await status_becomes(http, 0)
    assert (await client.create_order("BTC/USDT", "market", "buy", 0.001))["status"] == "closed"
    assert [order["id"] for order in await client.fetch_open_orders("BTC/USDT")] == [stands["id"]]


async def test_trades_that_never_came_are_counted(venue: Venue, paper: Exchange, http: aiohttp.ClientSession) -> None:
    def missed() -> float:
        return metrics.FEED_TRADES_MISSED.labels("BTCUSDT")._value.get()

    before = missed()
    await streamed(paper.address, "btcusdt@trade", 2.0)
    venue.kill()
    await status_becomes(http, 1)
    await asyncio.sleep(5)
    await asyncio.to_thread(venue.start)
    await status_becomes(http, 0)
    await becomes(lambda: _now(missed() > before), 20.0)


async def _now(truth: bool) -> bool:
    return truth


async def test_a_lost_frame_of_the_book_is_healed_by_a_snapshot(venue: Venue, http: aiohttp.ClientSession) -> None:
    async with aiohttp.ClientSession(venue.address) as live:
        async with live.post("/sim/misbehave", json={"kind": "gap", "on": "btcusdt@depth@100ms"}):
            pass

        async def done() -> bool:
            _, said = await get(live, "/sim/misbehave")
            return not cast("Json", said)["armed"]

        await becomes(done, 20.0)

        async def same_book() -> bool:
            asked = (get(one, "/api/v3/depth", symbol="BTCUSDT", limit=100) for one in (live, http))
            (_, theirs), (_, ours) = await asyncio.gather(*asked)
            return ours == theirs

        await becomes(same_book, 20.0)


async def test_the_account_survives_a_kill(venue: Venue, tmp_path: Path) -> None:
    port = free_port()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ARES_")}
    settings = {
        "ARES_VENUES__LIVE__REST_URL": venue.address,
        "ARES_VENUES__LIVE__WS_URL": venue.address.replace("http", "ws"),
        "ARES_SIMULATOR__FEED": "live",
        "ARES_SIMULATOR__API_KEY": "key",
        "ARES_SIMULATOR__API_SECRET": "secret",
        "ARES_SIMULATOR__PORT": str(port),
        "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path / "paper"),
    }
    address = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def process() -> AsyncIterator[None]:
        one = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ares.cli", "simulate", "exchange"), cwd=ROOT, env=plain | settings
        )
        try:
            await answers(address)
            async with aiohttp.ClientSession(address) as http:
                await status_becomes(http, 0)
            yield
        finally:
            one.kill()
            await one.wait()

    async with process(), connected(address) as client:
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50_000)
        before, orders = await client.fetch_balance(), await client.fetch_open_orders("BTC/USDT")
    async with process(), connected(address) as client:
        assert (await client.fetch_balance())["total"] == before["total"]
        assert await client.fetch_open_orders("BTC/USDT") == orders
        await client.cancel_all_orders("BTC/USDT")


async def test_a_venue_that_is_away_or_lists_something_else_is_named_at_start(venue: Venue, tmp_path: Path) -> None:
    options = ExchangeOptions(tmp_path / "paper", port=0, keys=KEYS, feed=venue.feed("BTCUSDT", "NOSUCHUSDT"))
    exchange = Exchange(options, SystemClock())
    with pytest.raises(VenueRejected, match="-1121"):
        await exchange.start()
    await exchange.stop()
    venue.kill()
    exchange = Exchange(replace(options, feed=venue.feed()), SystemClock())
    with pytest.raises(VenueUnavailable, match=venue.address):
        await exchange.start()
    await exchange.stop()


async def test_the_trader_buys_and_sells_on_paper_what_the_venue_trades(
    questdb_config: DatabaseConfig, writer: RowWriter, venue: Venue, tmp_path: Path
) -> None:
    log = tmp_path / "trader.log"
    name = f"paper{venue.port}"
    options = ExchangeOptions(tmp_path / "paper", port=0, keys=KEYS, balances=BALANCES, feed=venue.feed("BTCUSDT"))
    async with serving(options) as paper, aiohttp.ClientSession(paper.address) as http:
        await status_becomes(http, 0)

        async def both_sides() -> bool:
            return {order["side"] for order in (await told(http))[0]} == {"BUY", "SELL"}

        settings = environ(paper, questdb_config, name, tmp_path)
        async with feeding(http, writer, name), trading(settings, log):
            await becomes(both_sides, 120.0)
        orders, submissions = await told(http)
        assert any(Decimal(order["executedQty"]) > 0 for order in orders)
        assert set(submissions.values()) == {1}


@pytest.mark.parametrize(
    ("change", "field"),
    [({"recordings": (Path("one.gz"),)}, "simulator.recordings"), ({"start_ns": 1}, "--start")],
    ids=["a recording", "a past"],
)
async def test_a_feed_and_something_to_replay_exclude_each_other(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    feed = FeedOptions("live", "http://127.0.0.1:9", "ws://127.0.0.1:9", ("BTCUSDT",))
    options = ExchangeOptions(tmp_path, port=0, feed=feed)
    exchange = Exchange(replace(options, **change), SystemClock())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"{field}.*simulator.feed"):
        await exchange.start()
    await exchange.stop()
