"""Goal: what is held is protected at the venue for exactly what it is, and no quantity is ever sold twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import ProtectionConfig
from simulator.matching.engine import PublicTrade
from tests.simulation.loop import MachineClock, Process, run, spawn
from tests.simulation.machine import STRATEGY, Place, build, config_of
from tests.simulation.proof import findings, unprotected
from tests.simulation.schedule import OPENING
from tests.simulation.store import FlakyStore
from tests.simulation.venue import LATE_S_MAX, MARKETS, STEP, TICK, Exchange, Fate, Weather
from trader.commander import Order
from trader.portfolio.orders import OrderState
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.risk import TradingState
from trader.rows import Decision
from trader.runtime import Trader
from trader.testing import StaticReader

BTC = "BTC/USDT"
BTCUSDT = MARKETS[BTC]
START = Decimal(50_000)
WAIT_S_MAX = 90.0
POLICIES = {
    "stop": {"stop_loss_pct": "1"},
    "profit": {"take_profit_pct": "1"},
    "pair": {"stop_loss_pct": "1", "take_profit_pct": "1"},
    "trailing": {"trailing_pct": "1"},
    "trailing pair": {"trailing_pct": "1", "take_profit_pct": "2"},
}
FATES: dict[str, Fate] = {
    "before send": "reset",
    "after send": "lost",
    "under way": "late",
    "after accept": "unheard",
    "refused": "429",
}
Successor = Literal["retry", "restart", "hand-over"]


@dataclass(slots=True)
class Scene:
    """One trader of one symbol whose market goes where a test says."""

    place: Place
    clock: MachineClock
    trader: Trader
    process: Process
    keeping: asyncio.Task[None] | None = None

    async def lead(self) -> None:
        await spawn(self.process, _lead(self.trader))
        self.keeping = spawn(self.process, self.trader.leadership.keep())

    async def cycle(self, target: float) -> Decision:
        """One cycle on a fresh signal and a fresh quote."""
        reader, now_ns, mark = self.trader.cycle._reader, self.clock.now_ns(), self.mark
        assert isinstance(reader, StaticReader)
        signal = SignalSeen(now_ns - NANOS_PER_SECOND, now_ns, target, 1.0)
        quote = QuoteSeen(mark - TICK, mark + TICK, now_ns)
        reader.market = MarketSeen({(STRATEGY, 1, BTC): signal}, {BTC: quote}, {BTC: mark})
        decisions = await spawn(self.process, self.trader.cycle.run())
        return next(each for each in decisions if each.symbol == BTC)

    async def follow(self) -> None:
        await spawn(self.process, self.trader.follow_once(self.clock.monotonic_s()))

    @property
    def mark(self) -> Decimal:
        return self.place.exchange.middles[BTCUSDT]

    @property
    def held(self) -> Decimal:
        return self.trader.ledger.portfolio.position(BTC, STRATEGY).quantity

    def trades_at(self, price: Decimal, amount: Decimal = Decimal(5)) -> None:
        """The market goes to a price and trades there."""
        exchange = self.place.exchange
        exchange.middles[BTCUSDT] = price
        exchange.trade(PublicTrade(BTCUSDT, price, amount, True, exchange.now_ms()))

    async def until_protected(self) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while unprotected(self.place.exchange, self.trader) is not None:
                await self.follow()
                await asyncio.sleep(0.5)

    async def until_flat(self) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while self.held >= STEP or self.trader.desk.orders():
                await self.follow()
                await asyncio.sleep(0.5)

    async def end(self) -> list[str]:
        """All is taken away and looked at; what is wrong then."""
        await self.trader.states.change(TradingState.HALTED, "test", "the end", self.clock.now_ns())
        await asyncio.sleep(LATE_S_MAX)
        async with asyncio.timeout(WAIT_S_MAX):
            while self.trader.desk.orders() or self.trader.plans.under_way():
                await self.trader.desk.cancel_open(sparing=())
                await spawn(self.process, self.trader.plans.tend())
                await self.follow()
                await asyncio.sleep(0.5)
        await self.trader._look_at_account(self.trader.ledger.portfolio.fills)
        return findings(self.place.exchange, self.place.store, adopted=False)

    async def retry(self) -> Scene:
        return self

    async def restart(self) -> Scene:
        """It is killed; another one waits until the lease runs out."""
        self.process.alive = False
        return await self._succeeded()

    async def hand_over(self) -> Scene:
        """It gives its lease back at once, while its request may be on its way."""
        self.process.alive = False
        await self.trader.leadership.release()
        return await self._succeeded()

    async def _succeeded(self) -> Scene:
        successor = Scene(self.place, self.clock, build(self.place, self.clock, "second"), Process("second"))
        await successor.lead()
        return successor


async def _lead(trader: Trader) -> None:
    await trader.leadership.wait()
    await trader.begin()


async def scene_of(name: str, seed: str, store: FlakyStore, **changes: object) -> Scene:
    clock, rng = MachineClock(asyncio.get_running_loop()), random.Random(seed)
    protection = ProtectionConfig.model_validate(POLICIES[name])
    exchange = Exchange(rng, clock, OPENING)
    exchange.last[BTCUSDT] = START
    place = Place(rng, exchange, Weather(rng), store, config_of(**{"protection": protection, **changes}))
    scene = Scene(place, clock, build(place, clock, "first"), Process("first"))
    await scene.lead()
    return scene


def play(story: Callable[[FlakyStore], Coroutine[object, object, None]]) -> None:
    store = FlakyStore.begin()
    try:
        run(story(store), random.Random(0))
    finally:
        store.close()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("then", ["retry", "restart", "hand-over"])
@pytest.mark.parametrize("moment", FATES)
def test_a_protection_whose_answer_is_lost_stands_once_at_most(moment: str, then: Successor, policy: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of(policy, f"{moment}/{then}/{policy}", store)
        scene.place.weather.next_submits += ["well", FATES[moment]]  # the entry, then what protects it
        assert (await scene.cycle(1.0)).action == "buy"
        go_on: dict[Successor, Callable[[], Awaitable[Scene]]] = {
            "retry": scene.retry,
            "restart": scene.restart,
            "hand-over": scene.hand_over,
        }
        scene = await go_on[then]()
        await scene.until_protected()
        assert scene.held > 0
        assert max(scene.place.exchange.submissions.values()) == 1
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("policy", ["stop", "pair", "trailing", "trailing pair"])
def test_a_stop_sells_what_is_held_once_and_its_strategy_rests_until_it_wanted_out(policy: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of(policy, policy, store)
        await scene.cycle(1.0)
        await scene.until_protected()
        scene.trades_at(START * Decimal("0.97"))
        await scene.until_flat()
        again = await scene.cycle(1.0)
        assert (again.action, again.reason) == ("skip", "stopped_out")
        scene = await scene.restart()
        still = await scene.cycle(1.0)
        assert (still.action, still.reason) == ("skip", "stopped_out"), "a restart is no new signal"
        await scene.cycle(0.0)
        assert (await scene.cycle(1.0)).action == "buy"
        assert await scene.end() == []

    play(story)


def test_a_profit_is_taken_at_its_price_and_the_stop_beside_it_ends() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "profit", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        (above, below) = scene.trader.desk.protecting(BTC, STRATEGY)
        assert (above.intent.type, below.intent.type) == ("limit_maker", "stop_loss")
        scene.trades_at(START * Decimal("1.02"))
        await scene.until_flat()
        taken = await scene.trader.account.parts.journal.find(above.intent.order_id)
        ended = await scene.trader.account.parts.journal.find(below.intent.order_id)
        assert taken is not None
        assert ended is not None
        assert (taken.state, ended.state) == (OrderState.FILLED, OrderState.EXPIRED)
        assert taken.filled_cost == taken.filled_quantity * above.intent.price
        assert await scene.end() == []

    play(story)


def test_protection_follows_the_position_up_and_down() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "follows", store)
        sold = []
        for target in (0.3, 1.0, 0.5, 1.0, 0.0):
            await asyncio.sleep(5)
            decision = await scene.cycle(target)
            assert decision.action == ("buy" if target in (0.3, 1.0) else "sell")
            await scene.until_protected()
            sold.append(sum(order.remaining for order in scene.trader.desk.protecting(BTC, STRATEGY)) / 2)
        assert sold[0] < sold[2] < sold[1]
        assert sold[-1] == 0, "nothing protects what is not held"
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("fate", ["well", "unheard", "lost"])
def test_a_flatten_takes_protection_away_before_it_sells(fate: Fate) -> None:
    """Also while nobody knows whether the protection stands."""

    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", f"flatten {fate}", store)
        scene.place.weather.next_submits += ["well", fate]
        await scene.cycle(1.0)
        bought = scene.held
        done = await spawn(scene.process, scene.trader.commander.flatten(Order("test", "enough")))
        assert done["left"] == {} or scene.held < STEP
        sold = sum(f.amount for o in scene.place.exchange.ledger.orders.values() for f in o.fills) - bought
        assert sold <= bought / (1 - Decimal("0.001"))
        assert scene.trader.ledger.excess == 0
        assert await scene.end() == []

    play(story)


def test_a_halt_leaves_protection_standing_and_puts_none_up() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("stop", "halt", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        await spawn(scene.process, scene.trader.commander.halt(Order("test", "odd")))
        await scene.follow()
        assert unprotected(scene.place.exchange, scene.trader) is None
        (standing,) = scene.trader.desk.protecting(BTC, STRATEGY)
        assert await scene.trader.desk.cancel(standing.intent.order_id)
        for _ in range(5):
            await scene.follow()
            await asyncio.sleep(5)
        assert scene.trader.desk.protecting(BTC, STRATEGY) == []
        assert scene.trader.protection.obstacle(BTC, STRATEGY) == "unprotected"
        assert await scene.end() == []

    play(story)


def test_what_has_fallen_through_its_stop_before_it_stood_is_sold_at_market() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "fallen", store)
        scene.place.weather.next_submits += ["well", "429"]
        await scene.cycle(1.0)
        scene.trades_at(START * Decimal("0.95"))
        await asyncio.sleep(20)
        await scene.until_flat()
        kinds = [o.accepted.type for o in scene.place.exchange.ledger.orders.values() if o.accepted.side == "SELL"]
        assert kinds == ["MARKET"]
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("seed", range(40))
def test_a_stop_that_triggers_while_its_strategy_sells_sells_nothing_twice(seed: int) -> None:
    """The market falls through the stop at a drawn moment of a cycle that lifts it."""

    async def story(store: FlakyStore) -> None:
        rng = random.Random(seed)
        scene = await scene_of(rng.choice(("stop", "pair", "trailing")), str(seed), store)
        await scene.cycle(1.0)
        await scene.until_protected()
        await asyncio.sleep(5)
        scene.place.weather.share = rng.choice((0.0, 0.3))
        falling = asyncio.get_running_loop().call_later(
            rng.uniform(0, 0.6), scene.trades_at, START * Decimal("0.98"), STEP * rng.randint(1, 9_000)
        )
        for target in (0.0, 0.0, 0.5):
            await scene.cycle(target)
            await scene.follow()
        assert falling.when() < asyncio.get_running_loop().time()
        scene.place.weather.share = 0.0
        assert await scene.end() == []
        assert scene.trader.ledger.excess == 0

    play(story)


def test_orders_that_protect_nothing_any_more_are_taken_away_at_the_next_start() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "orphans", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        assert len(scene.place.exchange.ledger.open_orders(BTCUSDT)) == 2
        scene.place.config = config_of()
        scene = await scene.restart()
        assert scene.place.exchange.ledger.open_orders(BTCUSDT) == []
        assert scene.held > 0
        assert await scene.end() == []

    play(story)


def test_what_is_held_is_protected_again_before_the_first_cycle_after_a_start() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("stop", "start", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        (gone,) = scene.place.exchange.ledger.open_orders(BTCUSDT)
        scene.place.exchange.cancel(gone, "by-hand")
        scene = await scene.restart()
        assert unprotected(scene.place.exchange, scene.trader) is None
        assert len(scene.place.exchange.ledger.open_orders(BTCUSDT)) == 1
        assert await scene.end() == []

    play(story)
