"""A machine that runs the trader: started, stopped, paused, killed; what is decided there is drawn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND, floor_ns
from ares.config.settings import VenueConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.errors import ControlUnavailable, LeaseLost, SequenceConflict, UsageError, VenueError
from tests.simulation.loop import MachineClock, Process, spawn
from tests.simulation.store import FlakyStore
from tests.simulation.venue import MARKETS, STEP, TICK, TIMEOUT_S, Exchange, Line, Weather
from trader.amend import Change
from trader.command_log import Order
from trader.execution.ids import DecisionName, client_order_id, correlation_id
from trader.manual_words import MANUAL
from trader.parts import TraderParts
from trader.portfolio.orders import TIMED, Intent, OrderType
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import StaticReader
from trader.venues.ccxt_gateway import CcxtGateway

ACCOUNT, VENUE = "paper", "sim"
STRATEGY, RESTING = "signal_momentum", MANUAL
CONTINGENT: tuple[OrderType, ...] = ("stop_loss", "stop_loss_limit", "take_profit", "take_profit_limit")
AT_MARKET: tuple[OrderType, ...] = ("market", "stop_loss", "take_profit")
KINDS: tuple[OrderType, ...] = ("limit", "limit", "limit", "market", "market", "limit_maker", *CONTINGENT)
ENDS = (LeaseLost, ControlUnavailable, SequenceConflict)
"""What may end a trader: the next one begins from the journal. Everything else is a bug."""
VENUE_CONFIG = VenueConfig.model_validate(
    {
        "rest_url": "http://127.0.0.1:9",
        "ws_url": "ws://127.0.0.1:9",
        "api_key": "key",
        "api_secret": "secret",
        "request_timeout_s": TIMEOUT_S,
    }
)


def config_of(**changes: object) -> TradingConfig:
    """A quick trader of two symbols."""
    config = TradingConfig(
        account=ACCOUNT,
        venue=VENUE,
        strategies=(StrategyConfig(name=STRATEGY, max_position_quote=Decimal(4_000)),),
        cycle_s=1.0,
        sweep_s=0.7,
        lease_s=9.5,
        unknown_poll_s=0.4,
    )
    return config.model_copy(update=changes)


@dataclass(slots=True)
class Place:
    """Where a schedule plays: one venue, one control store, one seed."""

    rng: random.Random
    exchange: Exchange
    weather: Weather
    store: FlakyStore
    config: TradingConfig
    intents: list[Intent] = field(default_factory=list)
    """Orders that were asked for beside the cycles, to be asked for again."""
    signal_s: tuple[float, ...] = (0.0,)
    """For how long a signal stays the newest."""
    amends: list[tuple[str, Change]] = field(default_factory=list)
    """Changes that were asked for, to be asked for again."""
    build: Callable[[Place, MachineClock, str], Trader] = field(default_factory=lambda: build)


class Machine:
    """Runs one trader at a time, each start another instance."""

    def __init__(self, name: str, place: Place, clock: MachineClock, tell: Callable[[str], None]) -> None:
        self.name = name
        self.clock = clock
        self._place = place
        self._tell = tell
        self._starts = 0
        self._process = Process(name, alive=False)
        self._task: asyncio.Task[None] | None = None
        self._signals_from_ns = self._signals_until_ns = 0
        self.trader: Trader | None = None

    @property
    def runs(self) -> bool:
        return self._process.alive and self._task is not None and not self._task.done()

    def start(self, *, decides: bool = True) -> Trader:
        """A new process from what the store says."""
        self.bury()
        self._starts += 1
        self._process = Process(f"{self.name}-{self._starts}")
        trader = self.trader = self._place.build(self._place, self.clock, self._process.name)
        self._task = spawn(self._process, self._run(trader, decides=decides))
        self._tell(f"{self._process.name} starts")
        return trader

    def built(self) -> Trader:
        """A trader that was not started."""
        return self._place.build(self._place, self.clock, self.name)

    def kill(self) -> None:
        """As by `kill -9`."""
        self._process.alive = False
        self._tell(f"{self._process.name} is killed")

    def pause(self, seconds: float) -> None:
        """As by SIGSTOP and, later, SIGCONT."""
        self._process.stopped_until_s = self.clock.monotonic_s() + seconds
        self._tell(f"{self._process.name} stands still for {seconds:.1f} s")

    def stop(self) -> None:
        """As by SIGTERM."""
        if self._task is not None and self.runs:
            self._task.cancel()
            self._tell(f"{self._process.name} is asked to end")

    def bury(self) -> None:
        """Raise what ended the trader, unless it is among `ENDS`."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _run(self, trader: Trader, *, decides: bool) -> None:
        """As the service does: lead, reconcile, trade; and let go, whether asked to or after what ends a trader."""
        try:
            await self._lead(trader, decides=decides)
        except asyncio.CancelledError:
            self._tell(f"{self._process.name} ends as it was asked to")
        await _let_go(trader)

    async def _lead(self, trader: Trader, *, decides: bool) -> None:
        try:
            await trader.leadership.wait()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(trader.leadership.keep())
                tasks.create_task(self._trade(trader, decides=decides))
        except* ENDS as ends:
            self._tell(f"{self._process.name} ends: {ends.exceptions}")

    async def _trade(self, trader: Trader, *, decides: bool) -> None:
        await trader.begin()
        self._tell(f"{self._process.name} trades")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trader._follow())
            tasks.create_task(trader.plans.run())
            if decides:
                tasks.create_task(self._decide(trader))

    async def _decide(self, trader: Trader) -> None:
        rng, reader = self._place.rng, trader.cycle._reader
        assert isinstance(reader, StaticReader)
        while True:
            await self.clock.sleep(rng.uniform(0.1, 0.8))
            self._show(reader)
            acts = (
                self._cycle,
                self._cycle,
                self._rest,
                self._repeat,
                self._sweep,
                self._cancel,
                self._amend,
                self._amend,
            )
            await rng.choice(acts)(trader)

    async def _cycle(self, trader: Trader) -> None:
        await trader.cycle.run()

    async def _rest(self, trader: Trader) -> None:
        """An order of any type, at a price that may have to wait."""
        intent = self._drawn(trader)
        if await trader.desk.intend(intent):
            self._place.intents.append(intent)
            await trader.desk.send(intent.order_id)

    async def _repeat(self, trader: Trader) -> None:
        """A decision of before, come to once more."""
        if self._place.intents:
            intent = self._place.rng.choice(self._place.intents)
            assert not await trader.desk.intend(intent), "what was asked for once is not asked for again"

    async def _amend(self, trader: Trader) -> None:
        """An order that stands shall be another one: smaller, at another price, or what was asked for before."""
        rng, place = self._place.rng, self._place
        standing = [o for o in trader.desk.orders() if o.intent.strategy == RESTING and o.intent.type == "limit"]
        if not standing:
            await self._stand(trader)
        elif place.amends and rng.random() < 0.3:
            await self._ask_to_amend(trader, *rng.choice(place.amends))
        else:
            order = rng.choice(standing)
            quantity = order.quantity * rng.choice((1, 2, 3, 3, 4, 5)) / 4 // STEP * STEP
            price = None if rng.random() < 0.5 else order.intent.price + TICK * rng.randint(-3_000, 3_000)
            place.amends.append((order.intent.order_id, Change(quantity, price)))
            await self._ask_to_amend(trader, *place.amends[-1])

    async def _stand(self, trader: Trader) -> None:
        """An order that does not take at once."""
        drawn = self._drawn(trader)
        away = TICK * self._place.rng.randint(1_000, 12_000)
        price = drawn.mark - away if drawn.side == "buy" else drawn.mark + away
        plain = replace(drawn, type="limit", time_in_force="GTC", price=price, stop_price=None, trailing_bips=0)
        if await trader.desk.intend(plain):
            await trader.desk.send(plain.order_id)

    async def _ask_to_amend(self, trader: Trader, order_id: str, change: Change) -> None:
        try:
            told = await trader.commander.amend(Order("ada", "a drill"), order_id, change)
        except (UsageError, VenueError) as error:
            self._tell(f"{self._process.name} does not amend {order_id}: {error}")
        else:
            self._tell(f"{self._process.name} amends {order_id} by {change}: {told}")

    async def _sweep(self, trader: Trader) -> None:
        try:
            await trader._look_at_account(trader.ledger.portfolio.fills)
        except VenueError as error:
            self._tell(f"{self._process.name} does not see the account: {error}")

    async def _cancel(self, trader: Trader) -> None:
        if self._place.rng.random() < 0.5:
            await trader.plans.end_all("cancelled")
        await trader.desk.cancel_open()

    def _show(self, reader: StaticReader) -> None:
        """What the database tells: young quotes, and a signal that turns at will."""
        rng, now_ns = self._place.rng, self.clock.now_ns()
        marks = {symbol: self._place.exchange.middles[name] for symbol, name in MARKETS.items()}
        signals = dict(reader.market.signals)
        if now_ns >= self._signals_until_ns or now_ns < self._signals_from_ns:
            self._signals_from_ns = now_ns
            self._signals_until_ns = now_ns + round(rng.choice(self._place.signal_s) * NANOS_PER_SECOND)
            signals = {
                (STRATEGY, 1, symbol): SignalSeen(now_ns - NANOS_PER_SECOND, now_ns, rng.choice((0.0, 0.3, 1.0)), 1.0)
                for symbol in MARKETS
            }
        quotes = {symbol: QuoteSeen(mark - TICK, mark + TICK, now_ns) for symbol, mark in marks.items()}
        reader.market = MarketSeen(signals, quotes, marks)

    def _drawn(self, trader: Trader) -> Intent:
        rng, symbol = self._place.rng, self._place.rng.choice(list(MARKETS))
        held = trader.ledger.portfolio.position(symbol, RESTING).quantity // STEP * STEP
        middle = self._place.exchange.middles[MARKETS[symbol]]
        sells = held * middle > 10 and rng.random() < 0.5
        kind: OrderType = rng.choice(KINDS)
        trails = kind in ("stop_loss", "stop_loss_limit") and rng.random() < 0.4
        slot_ns = floor_ns(self.clock.now_ns(), NANOS_PER_SECOND)
        name = DecisionName(ACCOUNT, RESTING, 1, symbol, slot_ns)
        return Intent(
            order_id=client_order_id(name),
            account=ACCOUNT,
            venue=VENUE,
            symbol=symbol,
            strategy=RESTING,
            version=1,
            side="sell" if sells else "buy",
            type=kind,
            time_in_force=rng.choice(("GTC", "GTC", "IOC")) if kind in TIMED else "GTC",
            quantity=held if sells else STEP * rng.randint(100, 4_000),
            price=None if kind in AT_MARKET else middle + TICK * rng.randint(-9_000, 9_000),
            mark=middle,
            source="signal",
            cycle_id=str(slot_ns),
            correlation_id=correlation_id(str(slot_ns), RESTING, symbol),
            decided_at_ns=self.clock.now_ns(),
            stop_price=middle + TICK * rng.randint(-5_000, 5_000) if kind in CONTINGENT and not trails else None,
            trailing_bips=rng.randint(10, 100) if trails else 0,
        )


async def _let_go(trader: Trader) -> None:
    try:
        await trader.stop()
    except ENDS:
        """The store is away: the lease runs out by itself."""


def build(place: Place, clock: MachineClock, instance: str) -> Trader:
    """All rooms of the trader, with its own door to the venue."""
    line = Line(place.exchange, place.weather, clock)
    return Trader(
        TraderParts(
            config=place.config,
            symbols=tuple(MARKETS),
            control=place.store,
            gateway=CcxtGateway(VENUE, VENUE_CONFIG, clock, client=line, rng=place.rng),
            reader=StaticReader(),
            clock=clock,
            instance=instance,
            request_s_max=TIMEOUT_S + 2,
            rng=place.rng,
        )
    )
