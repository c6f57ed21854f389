"""Goal: what is held of a contract, long or short, is closed once by what protects it, and nothing of that is left.

Two orders that only reduce take the place of a pair: the seeds kill the trader before and after each is sent, taken,
triggered and filled, and take its answers away.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import ProtectionConfig, RiskConfig, StrategyConfig
from tests.simulation.contracts_proof import findings, unprotected
from tests.simulation.contracts_venue import PERP, STEP, TICK, ContractsExchange, ContractsLine
from tests.simulation.loop import MachineClock, run, spawn
from tests.simulation.machine import STRATEGY, VENUE, VENUE_CONFIG, Machine, Place, config_of
from tests.simulation.store import FlakyStore
from tests.simulation.test_protection import POLICIES
from tests.simulation.venue import LATE_S_MAX, TIMEOUT_S, Fate, Weather
from trader.commander import Order
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.risk import TradingState
from trader.rows import Decision
from trader.runtime import Trader
from trader.testing import StaticReader
from trader.venues.usdm_gateway import UsdmGateway

START = Decimal(50_000)
WAIT_S_MAX = 900.0
"""Reconciling asks a dozen things, and up to a third of all answers are bad: it may take many attempts."""
FATES: tuple[Fate, ...] = ("reset", "lost", "late", "unheard", "garbled", "429")
RISK = RiskConfig(order_notional_quote_max=Decimal(50_000), daily_loss_quote_max=Decimal(5_000))
SEEDS = int(os.environ.get("ARES_TEST_CONTRACTS", "40"))


def build_on_contracts(place: Place, clock: MachineClock, instance: str) -> Trader:
    line = ContractsLine(place.exchange, place.weather, clock)
    return Trader(
        TraderParts(
            config=place.config,
            symbols=(PERP,),
            control=place.store,
            gateway=UsdmGateway(VENUE, VENUE_CONFIG, clock, 1, client=line, rng=place.rng),
            reader=StaticReader(),
            clock=clock,
            instance=instance,
            request_s_max=TIMEOUT_S + 2,
            rng=place.rng,
        )
    )


@dataclass(slots=True)
class Scene:
    """A machine with one trader of one contract; what it is told to trade may be cut off by its death."""

    place: Place
    machine: Machine

    @property
    def trader(self) -> Trader:
        assert self.machine.trader is not None
        return self.machine.trader

    @property
    def exchange(self) -> ContractsExchange:
        return self.place.exchange

    @property
    def held(self) -> Decimal:
        return self.trader.ledger.portfolio.position(PERP, STRATEGY).quantity

    async def until(self, what: Callable[[], object]) -> None:
        """Wait until it holds; a trader that ended by itself is started again."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not what():
                await self.revive()
                await asyncio.sleep(0.3)

    async def revive(self) -> None:
        if not self.machine.runs:
            self.machine.start(decides=False)
        await asyncio.sleep(0)

    async def trades(self) -> None:
        await self.until(lambda: self.machine.runs and self.trader._reconciled)

    async def do(self, work: Coroutine[object, object, object]) -> object | None:
        """Let the process do something; None if it died before it was done."""
        task = spawn(self.machine._process, work)
        for _ in range(300):
            await asyncio.sleep(0.1)
            if task.done():
                return task.result()
            if not self.machine.runs:
                return None
        raise AssertionError("it takes for ever")

    async def cycle(self, target: float) -> Decision | None:
        reader, clock, mark = self.trader.cycle._reader, self.machine.clock, self.exchange.market.price
        assert isinstance(reader, StaticReader)
        now_ns = clock.now_ns()
        signal = SignalSeen(now_ns - NANOS_PER_SECOND, now_ns, target, 1.0)
        quote = QuoteSeen(mark - TICK, mark + TICK, now_ns)
        reader.market = MarketSeen({(STRATEGY, 1, PERP): signal}, {PERP: quote}, {PERP: mark})
        done = await self.do(self.trader.cycle.run())
        assert done is None or isinstance(done, list)
        return done[0] if done else None

    async def until_protected(self) -> None:
        await self.until(lambda: self.machine.runs and unprotected(self.exchange, self.trader) is None)

    async def until_flat(self) -> None:
        await self.until(lambda: self.machine.runs and not self.held and not self.trader.desk.orders())

    async def end(self) -> list[str]:
        """All is taken away and looked at; what is wrong then."""
        self.place.weather.share, self.place.weather.next_submits = 0.0, []
        await asyncio.sleep(LATE_S_MAX)
        await self.trades()
        now_ns = self.machine.clock.now_ns()
        await self.do(self.trader.states.change(TradingState.HALTED, "test", "the end", now_ns))
        async with asyncio.timeout(WAIT_S_MAX):
            while self.trader.desk.orders():
                await self.do(self.trader.desk.cancel_open(sparing=()))
                await asyncio.sleep(1)
        await self.do(self.trader._look_at_account(self.trader.ledger.portfolio.fills))
        return findings(self.exchange, self.place.store, self.trader)


async def scene_of(policy: str, seed: object, store: FlakyStore) -> Scene:
    clock, rng = MachineClock(asyncio.get_running_loop()), random.Random(f"{policy}/{seed}")
    exchange = ContractsExchange(rng, clock)
    strategy = StrategyConfig(name=STRATEGY, max_position_quote=Decimal(9_000))
    protection = ProtectionConfig.model_validate(POLICIES[policy])
    config = config_of(protection=protection, strategies=(strategy,), risk=RISK, order_type="market")
    place = Place(rng, exchange, Weather(rng), store, config, build=build_on_contracts)
    scene = Scene(place, Machine("machine", place, clock, lambda _: None))
    await scene.trades()
    return scene


def play(story: Callable[[FlakyStore], Coroutine[object, object, None]], seed: int = 0) -> None:
    store = FlakyStore.begin()
    try:
        run(story(store), random.Random(seed))
    finally:
        store.close()


def waiting(scene: Scene) -> list[tuple[str, str]]:
    return [(a.awaited.side, a.awaited.type) for a in scene.exchange.ledger.waiting("BTCUSDT")]


@pytest.mark.parametrize(("target", "side"), [(1.0, "SELL"), (-1.0, "BUY")])
@pytest.mark.parametrize("ending", ["loss", "profit"])
def test_of_two_that_protect_one_is_executed_and_the_other_is_taken_away(target: float, side: str, ending: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", f"{target}{ending}", store)
        await scene.cycle(target)
        await scene.until_protected()
        assert waiting(scene) == [(side, "TAKE_PROFIT_MARKET"), (side, "STOP_MARKET")]
        falls = (ending == "loss") == (target > 0)
        scene.exchange.trades_at(START * (Decimal("0.98") if falls else Decimal("1.02")))
        await scene.until_flat()
        assert waiting(scene) == []
        assert {a.status for a in scene.exchange.ledger.algos.values()} == {"TRIGGERED", "CANCELED"}
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("target", [1.0, -1.0])
@pytest.mark.parametrize("policy", ["trailing", "trailing pair"])
def test_a_trailing_stop_follows_the_market_on_either_side(policy: str, target: float) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of(policy, target, store)
        await scene.cycle(target)
        await scene.until_protected()
        better = Decimal("0.01") if target > 0 else Decimal("-0.01")
        scene.exchange.trades_at(START * (1 + better))
        assert len(waiting(scene)) == len(POLICIES[policy])
        scene.exchange.trades_at(START * (1 - better / 2))
        await scene.until_flat()
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("target", [1.0, -1.0])
def test_who_was_stopped_out_rests_until_it_wanted_out_or_the_other_side(target: float) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("stop", target, store)
        await scene.cycle(target)
        await scene.until_protected()
        scene.exchange.trades_at(START * (1 - Decimal("0.02") * int(target)))
        await scene.until_flat()
        for _ in range(2):
            decision = await scene.cycle(target)
            assert decision is not None
            assert (decision.action, decision.reason) == ("skip", "stopped_out")
            scene.machine.kill()  # a restart is no new signal
            await scene.trades()
        other = await scene.cycle(-target)
        assert other is not None
        assert other.action == ("sell" if target > 0 else "buy")
        await scene.until_protected()
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("target", [1.0, -1.0])
def test_protection_follows_the_position_up_down_and_to_the_other_side(target: float) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", target, store)
        for share in (0.4, 1.0, 0.5, -1.0, -1.0, 0.0):
            await asyncio.sleep(5)
            await scene.cycle(share * target)
            await scene.until_protected()
        assert scene.held == 0
        assert waiting(scene) == []
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("target", [1.0, -1.0])
@pytest.mark.parametrize("fate", ["well", "unheard", "lost"])
def test_a_flatten_takes_protection_away_before_it_closes(fate: Fate, target: float) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", f"{fate}{target}", store)
        scene.place.weather.next_submits += ["well", fate]
        await scene.cycle(target)
        await scene.do(scene.trader.commander.flatten(Order("test", "enough")))
        await scene.until_flat()
        assert waiting(scene) == []
        assert await scene.end() == []

    play(story)


def test_a_liquidation_leaves_no_protection_behind_and_the_book_knows_it() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("profit", "liquidation", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        scene.exchange.ledger.wallet -= Decimal(15_000)  # lost elsewhere
        scene.exchange.trades_at(START * Decimal("0.4"))
        assert scene.exchange.amount == 0
        assert {a.status for a in scene.exchange.ledger.algos.values()} == {"EXPIRED"}
        await scene.until_flat()
        await asyncio.sleep(40)
        assert waiting(scene) == []

    play(story)


def test_a_halt_leaves_protection_standing_and_takes_what_is_left_over_away() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "halt", store)
        await scene.cycle(-1.0)
        await scene.until_protected()
        await scene.do(scene.trader.commander.halt(Order("test", "odd")))
        await asyncio.sleep(5)
        assert len(waiting(scene)) == 2
        scene.exchange.trades_at(START * Decimal("1.02"))
        await scene.until_flat()
        assert waiting(scene) == []
        assert await scene.end() == []

    play(story)


async def storm(scene: Scene, rng: random.Random) -> None:
    """One position's life with a death, bad answers and a market that goes where it likes."""
    loop, weather = asyncio.get_running_loop(), scene.place.weather
    side = rng.choice((1, -1))
    scene.exchange.hides, scene.exchange.renames = rng.random() < 0.5, rng.random() < 0.5
    scene.exchange.market.depth_max = rng.choice((5_000, 5_000, 60))
    weather.next_submits += [rng.choice(("well", "well", *FATES)) for _ in range(rng.randint(0, 4))]
    weather.share = rng.choice((0.0, 0.0, 0.1, 0.3))
    moves = [(rng.uniform(0, 25), START * (1 + Decimal(rng.randint(-25, 25)) / 1000)) for _ in range(rng.randint(1, 5))]
    for delay_s, price in moves:
        loop.call_later(delay_s, scene.exchange.trades_at, price // TICK * TICK)
    for _ in range(rng.randint(0, 2)):
        loop.call_later(rng.uniform(0, 12), lambda: scene.machine.runs and scene.machine.kill())
    for _ in range(rng.randint(2, 6)):
        await scene.trades()
        await scene.cycle(side * rng.choice((1.0, 1.0, 0.5, 0.0)))
        await asyncio.sleep(rng.uniform(0, 6))
    await asyncio.sleep(25)
    weather.share, weather.next_submits, scene.exchange.hides = 0.0, [], False
    await asyncio.sleep(LATE_S_MAX)
    await scene.trades()
    wrong = [amount for amount in scene.exchange.amounts if amount * side < 0]
    assert wrong == [], "protection opened the other side"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whenever_it_dies_and_whatever_is_lost_what_is_held_is_protected_once_and_nothing_stays_behind(
    seed: int,
) -> None:
    async def story(store: FlakyStore) -> None:
        rng = random.Random(seed)
        scene = await scene_of(rng.choice(list(POLICIES)), seed, store)
        await storm(scene, rng)
        await scene.until_protected()
        assert max(scene.exchange.desk.submissions.values(), default=0) <= 1
        await asyncio.sleep(31)
        await scene.until_protected()
        assert scene.trader.states.current.state is TradingState.ACTIVE
        assert abs(scene.held) < STEP or waiting(scene)
        assert await scene.end() == []

    play(story, seed)
