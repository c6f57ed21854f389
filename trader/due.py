"""When a cycle is due: every so often, and as soon as there is a signal that none has seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ares.clock import Clock
from ares.config.trading import TradingConfig
from ares.errors import StoreError
from trader.reader import MarketReader, signal_pause_s


class Due:
    """`ticks` and `signals` make a cycle due, side by side; `wait` takes it."""

    def __init__(self, reader: MarketReader, clock: Clock, config: Callable[[], TradingConfig]) -> None:
        self._reader = reader
        self._clock = clock
        self._config = config
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return once a cycle is due; the next one is due anew."""
        await self._event.wait()
        self._event.clear()

    async def signals(self) -> None:
        """Let a cycle begin as soon as a signal can be read that none has seen. Without a store the cycles say so."""
        seen_ns = 0
        while True:
            try:
                newest_ns = await self._reader.newest_signal_ns(self._clock.now_ns())
            except StoreError:
                await self._clock.sleep(self._config().cycle_s)
                continue
            if newest_ns > seen_ns:
                seen_ns = newest_ns
                self._event.set()
            poll_s = self._config().signal_poll_s
            await self._clock.sleep(signal_pause_s(self._clock.now_ns(), newest_ns, poll_s))

    async def ticks(self) -> None:
        """Let a cycle begin every `cycle_s`, whatever there is to see: what does not change is looked at too."""
        while True:
            self._event.set()
            await self._clock.sleep(self._config().cycle_s)
