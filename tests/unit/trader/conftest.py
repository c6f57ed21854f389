"""A trader on a paper venue, a stepped clock and a real control store; everything but sockets is real."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.model.row import Row
from ares.testing.clock import SteppedClock
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader
from trader.venues.announced import Announced

BTC, ETH = "BTC/USDT", "ETH/USDT"
STRATEGY = "signal_momentum"


@dataclass(slots=True)
class Bench:
    """What a test turns: the venue, the market, the clock; `trader()` starts a new process on the same journal."""

    control: ControlStore
    clock: SteppedClock | SystemClock
    venue: PaperVenue
    reader: StaticReader
    config: TradingConfig
    announced: Announced = field(default_factory=Announced)
    instances: int = 0
    traders: list[Trader] = field(default_factory=list)

    def parts(self, instance: str) -> TraderParts:
        return TraderParts(
            config=self.config,
            symbols=(BTC,),
            control=self.control,
            gateway=self.venue,
            reader=self.reader,
            clock=self.clock,
            instance=instance,
            request_s_max=1.0,
            announced=self.announced,
        )

    def build(self) -> Trader:
        self.instances += 1
        trader = Trader(self.parts(f"trader-{self.instances}"))
        self.traders.append(trader)
        return trader

    async def trader(self) -> Trader:
        """A trader that leads and has reconciled; a lease of a dead predecessor runs out first."""
        trader = self.build()
        waiting = asyncio.create_task(trader.leadership.wait())
        await self.until(waiting)
        beginning = asyncio.create_task(trader.begin())
        await self.until(beginning)
        return trader

    async def until(self, task: asyncio.Task[object] | asyncio.Task[None], seconds_max: float = 60.0) -> None:
        """Let time pass until a task is done, in real threads' time too."""
        assert isinstance(self.clock, SteppedClock)
        until_s = self.clock.monotonic_s() + seconds_max
        async with asyncio.timeout(seconds_max):
            while not task.done():
                await asyncio.sleep(0.002)
                if self.clock.is_awaited and not task.done():  # else it waits for a thread, and its lease would run out
                    await self.advance(0.25)
                assert self.clock.monotonic_s() < until_s, "this takes longer than it may"
        task.result()

    async def pass_time(self, trader: Trader, seconds: float) -> None:
        """Let time pass, with the lease renewed and orders looked after as the service does."""
        for _ in range(round(seconds / 0.5)):
            await self.advance(0.5)
            if trader.leadership.lease is not None:
                await trader.leadership.renew()
            await trader.follow_once(self.clock.monotonic_s())

    async def advance(self, seconds: float) -> None:
        """Move the stepped clock."""
        assert isinstance(self.clock, SteppedClock), "only a stepped clock can be moved"
        await self.clock.advance(seconds)

    def market(
        self, target: float | None = 1.0, price: str = "50000", *, symbol: str = BTC, signal_age_s: float = 1.0
    ) -> None:
        """One signal and one quote, both fresh unless said otherwise."""
        now_ns = self.clock.now_ns()
        mark = Decimal(price)
        known_at_ns = now_ns - round(signal_age_s * NANOS_PER_SECOND)
        signal = SignalSeen(known_at_ns - 60 * NANOS_PER_SECOND, known_at_ns, target, 0.9)
        quote = QuoteSeen(mark - Decimal("0.01"), mark + Decimal("0.01"), now_ns)
        seen = self.reader.market
        self.reader.market = MarketSeen(
            {**seen.signals, (STRATEGY, 1, symbol): signal},
            {**seen.quotes, symbol: quote},
            {**seen.trades, symbol: mark},
        )
        self.venue.prices[symbol] = mark

    def rows(self, table: str) -> list[Row]:
        """What was handed to QuestDB so far, of one table."""
        return [entry.row for entry in self.control.outbox(0, 100_000) if entry.row.table == table]

    def configure(self, **changes: object) -> None:
        self.config = self.config.model_copy(update=changes)


@pytest.fixture
def bench(control: ControlStore) -> Bench:
    clock = SteppedClock()
    venue = PaperVenue(
        clock,
        prices={BTC: Decimal(50_000)},
        holdings={"USDT": Decimal(20_000), "BTC": Decimal("0.05")},
    )
    config = TradingConfig(
        account="paper",
        strategies=(StrategyConfig(name=STRATEGY, max_position_quote=Decimal(4_000)),),
        adopt_balances_to=None,
    )
    return Bench(control, clock, venue, StaticReader(), config)
