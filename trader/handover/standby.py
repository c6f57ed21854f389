"""A trader that does not lead, kept warm: it reads what the leader writes, knows the venue, and sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import TradingConfig
from ares.errors import AresError, ControlUnavailable, StoreError
from trader.account import Account
from trader.execution.limits import SetLimits
from trader.execution.state import TradingStates
from trader.listed import refresh_instruments
from trader.reader import MarketReader, MarketSeen

BOOK_S = 1.0
"""How often the leader's fills are read."""
MARKET_S = 10.0
"""How often venue and database are asked."""


@dataclass(frozen=True, slots=True)
class StandbyParts:
    """What is kept warm. All of it is the trader's own, which begins from it once it leads."""

    account: Account
    states: TradingStates
    limits: SetLimits
    reader: MarketReader
    symbols: Sequence[str]
    config: Callable[[], TradingConfig]


class Standby:
    """`run` reads until cancelled; what could not be seen is told by `venue_trouble` and `store_trouble`."""

    def __init__(self, parts: StandbyParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._clock = parts.account.parts.clock
        self.venue_trouble = "it was not asked yet"
        self.store_trouble = "it was not asked yet"
        self.market = MarketSeen()
        self._connected = False

    async def run(self) -> None:
        """Raises `ControlUnavailable`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again(self.read_book, BOOK_S), name="standby-book")
            tasks.create_task(self._again(self.ask_venue, MARKET_S), name="standby-venue")
            tasks.create_task(self._again(self.ask_store, MARKET_S), name="standby-market")

    async def read_book(self) -> None:
        """What was traded, halted and limited since. Raises `ControlUnavailable`."""
        await self._account.parts.ledger.load()
        await self._parts.states.refresh()
        await self._parts.limits.refresh()

    async def ask_venue(self) -> None:
        """What a cycle would ask it; that may have to wait for room in what the venue allows."""
        self.venue_trouble = await self._venue()

    async def ask_store(self) -> None:
        """What a cycle would read of the market."""
        self.store_trouble = await self._store()

    def quote_age_s(self, symbol: str, now_ns: int) -> float | None:
        """Of what the database last showed; None where it showed none."""
        quote = self.market.quotes.get(symbol)
        return None if quote is None else (now_ns - quote.received_at_ns) / NANOS_PER_SECOND

    async def _venue(self) -> str:
        parts, symbols = self._account.parts, self._parts.symbols
        try:
            await self._learn_instruments()
            await parts.marks.get(symbols, MARKET_S)
            await parts.gateway.look_around(symbols)
        except ControlUnavailable:
            raise
        except AresError as error:
            return str(error)
        return ""

    async def _learn_instruments(self) -> None:
        """All that the venue lists, which is much: once, and again before what was learned is too old to trade by."""
        parts, symbols = self._account.parts, self._parts.symbols
        if self._connected:
            await refresh_instruments(self._account, symbols, self._parts.config().instrument_age_s_max / 2)
            return
        asked_ns = self._clock.now_ns()
        for symbol, grid in (await parts.gateway.connect(symbols)).items():
            parts.instruments.learn(symbol, grid, asked_ns)
        self._connected = True

    async def _store(self) -> str:
        try:
            async with asyncio.timeout(self._parts.config().cycle_s):
                self.market = await self._parts.reader.read(self._clock.now_ns())
        except (StoreError, TimeoutError) as error:
            return str(error) or type(error).__name__
        return ""

    async def _again(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await work()
            await self._clock.sleep(every_s)
