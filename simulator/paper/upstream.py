"""The venue that feeds us: its public REST and its public stream. No key is sent, for none is known here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import orjson

from ares.clock import Clock
from ares.errors import VenueRejected, VenueUnavailable
from simulator.market import Fees
from simulator.matching.types import Rules
from simulator.paper.words import Listings, Price, Snapshot, read, rules_of

SNAPSHOT_LEVELS = 1_000
FRAME_BYTES_MAX = 16 * 1024 * 1024
ANSWER_BYTES_MAX = 16 * 1024 * 1024
CLOSE_S_MAX = 1.0
HOLD_S = 10
"""A venue that wants no more questions and does not say for how long gets none for this time."""
TOO_MANY = (418, 429)


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Which venue, and how patient to be with it. `symbols` are the venue's own names of them.

    >>> FeedOptions("binance", "https://api.binance.com", "wss://stream.binance.com:9443", ("BTCUSDT",))
    """

    venue: str
    rest_url: str
    ws_url: str
    symbols: tuple[str, ...]
    silence_s_max: float = 5.0
    timeout_s: float = 5.0
    ping_s: float = 10.0
    backoff_s_min: float = 0.5
    backoff_s_max: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue answered to a question of somebody else's."""

    status: int
    body: bytes
    retry_after_s: int = 0


class Upstream:
    """Asks and listens; `close` when done."""

    def __init__(self, options: FeedOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._held_until_s = 0.0

    async def rules(self, fees: Fees) -> dict[str, Rules]:
        """What the venue asks of orders of our symbols. Raises `VenueError` or `MalformedFrame`."""
        names = orjson.dumps(self._options.symbols).decode()
        listed = read(await self._body("/api/v3/exchangeInfo", {"symbols": names}), Listings).symbols
        found = {each.symbol: rules_of(each, fees) for each in listed}
        missing = [symbol for symbol in self._options.symbols if symbol not in found]
        if missing:
            raise VenueRejected("exchangeInfo", f"{self._options.venue} does not list {', '.join(missing)}")
        return {symbol: found[symbol] for symbol in self._options.symbols}

    async def snapshot(self, symbol: str) -> Snapshot:
        """The book of a symbol. Raises `VenueError` or `MalformedFrame`."""
        return read(await self._body("/api/v3/depth", {"symbol": symbol, "limit": str(SNAPSHOT_LEVELS)}), Snapshot)

    async def last_price(self, symbol: str) -> Price:
        """Price of a symbol's last trade. Raises `VenueError` or `MalformedFrame`."""
        return read(await self._body("/api/v3/ticker/price", {"symbol": symbol}), Price)

    async def ask(self, path: str, params: Mapping[str, str]) -> Answer:
        """What the venue answers, whatever it is. Raises `VenueUnavailable`: no answer, or no questions are wanted."""
        wait_s = self._held_until_s - self._clock.monotonic_s()
        if wait_s > 0:
            raise VenueUnavailable(f"{self._options.venue} wants no questions for {wait_s:.0f} s", wait_s)
        try:
            async with self._http().get(f"{self._options.rest_url}{path}", params=dict(params)) as response:
                body = await _whole(response)
                retry_after_s = _seconds(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise VenueUnavailable(f"{self._options.rest_url}: {type(error).__name__}: {error}") from None
        if response.status in TOO_MANY:
            retry_after_s = retry_after_s or HOLD_S
            self._held_until_s = self._clock.monotonic_s() + retry_after_s
        return Answer(response.status, body, retry_after_s)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A connection to combined streams. Raises `VenueUnavailable`."""
        address = f"{self._options.ws_url}/stream"
        try:
            socket = await self._http().ws_connect(
                address,
                heartbeat=self._options.ping_s,
                max_msg_size=FRAME_BYTES_MAX,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S_MAX),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise VenueUnavailable(f"{address}: {type(error).__name__}: {error}") from None
        try:
            yield socket
        finally:
            await socket.close()

    async def close(self) -> None:
        """Let go of all connections; harmless twice."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _body(self, path: str, params: Mapping[str, str]) -> bytes:
        answer = await self.ask(path, params)
        if answer.status == 200:
            return answer.body
        said = f"{self._options.venue} {path}: {answer.status} {answer.body[:200].decode(errors='replace')}"
        if answer.retry_after_s or answer.status >= 500:
            raise VenueUnavailable(said, answer.retry_after_s or None)
        raise VenueRejected(str(answer.status), said)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._options.timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises `VenueUnavailable` for one that no venue would send."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise VenueUnavailable(f"{response.url}: more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _seconds(text: str | None) -> int:
    """`Retry-After`; 0 where it is missing or no number."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
