"""A schedule: what a seed lets happen to a trader, its store and its venue, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import ExecutionConfig, ProtectionConfig
from ares.errors import ControlUnavailable
from tests.simulation.loop import MachineClock, run
from tests.simulation.machine import ACCOUNT, STRATEGY, Machine, Place, config_of
from tests.simulation.proof import findings, unprotected
from tests.simulation.store import ROWS, FlakyStore
from tests.simulation.venue import FATES, HELD_S_MAX, LATE_S_MAX, Exchange, Weather
from trader.events import StrategyPaused, StrategyResumed
from trader.execution.pauses import StrategyPauses
from trader.execution.state import TradingStates
from trader.execution.tracked import PROTECTION
from trader.risk import TradingState
from trader.runtime import Trader

OPENING = {"USDT": Decimal(40_000), "BTC": Decimal("0.05")}
PROTECTIONS: tuple[dict[str, str], ...] = (
    {},
    {"stop_loss_pct": "0.1"},
    {"stop_loss_pct": "0.1", "take_profit_pct": "0.1"},
    {"stop_loss_pct": "2", "take_profit_pct": "2"},
    {"take_profit_pct": "0.15"},
    {"trailing_pct": "0.1"},
    {"trailing_pct": "0.2", "take_profit_pct": "0.3"},
)
QUICK = {"patience_s": "6", "follow_s_min": "1", "over_s": "8"}
EXECUTIONS: tuple[dict[str, str], ...] = (
    {},
    {"policy": "post_only", **QUICK},
    {"policy": "post_only", "then": "give_up", "follow_share": "0", **QUICK},
    {"policy": "twap", "slices": "4", **QUICK},
    {"policy": "twap", "slices": "12", **QUICK},
    {"policy": "iceberg", **QUICK},
    {"policy": "iceberg", "visible_share": "0.1", "follow_share": "0.001", **QUICK},
)
SIGNALS_S = (0.0, 2.0, 10.0, 40.0)
"""For how long a signal is the newest: some plans are superseded at once, others end by themselves."""
HEALED_S_MAX = 180.0
MOVE_S = 0.3


@dataclass(slots=True)
class Outcome:
    """What came of a seed. `hash` is of all that was journaled; equal seeds have equal ones."""

    seed: int
    hash: str
    findings: list[str]
    log: list[str]
    figures: dict[str, int] = field(default_factory=dict)


class Schedule:
    """One run. Every draw is of `rng`, every wait on the loop's time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.log: list[str] = []
        self.figures: dict[str, int] = {}

    def run(self) -> Outcome:
        store = FlakyStore.begin()
        try:
            wrong = run(self._play(store), self.rng)
            return Outcome(self.seed, store.hash(), wrong, self.log, self.figures)
        finally:
            store.close()

    async def _play(self, store: FlakyStore) -> list[str]:
        rng, loop = self.rng, asyncio.get_running_loop()
        exchange = Exchange(rng, MachineClock(loop), OPENING)
        config = config_of(
            order_type=rng.choice(("limit_ioc", "market")),
            adopt_balances_to=rng.choice((None, STRATEGY)),
            protection=ProtectionConfig.model_validate(rng.choice(PROTECTIONS)),
            execution=ExecutionConfig.model_validate(rng.choice(EXECUTIONS)),
        )
        self.place = Place(rng, exchange, Weather(rng), store, config, signal_s=SIGNALS_S)
        self.machines = [Machine(name, self.place, MachineClock(loop), self.tell) for name in ("one", "two")]
        self.operator = TradingStates(store, ACCOUNT, MachineClock(loop))
        self.pauses = StrategyPauses(store, ACCOUNT)
        moving = asyncio.create_task(self._move())
        self.machines[0].start()
        for _ in range(rng.randint(10, 30)):
            await asyncio.sleep(rng.uniform(0.05, 2.5))
            await self._something()
        trader = await self._heal()
        moving.cancel()
        wrong = findings(exchange, store, adopted=config.adopt_balances_to is not None)
        self._count_all(exchange, store)
        return wrong + await self._again(trader)

    async def _something(self) -> None:
        """One more thing goes wrong, or right again."""
        rng, machine = self.rng, self.rng.choice(self.machines)
        for each in self.machines:
            if not each.runs:
                each.bury()
                if rng.random() < 0.6:
                    each.start()
                    return
        faults = (self._kill, self._pause, self._stop, self._jump, self._weather, self._weather, self._next_order)
        words = (self._away, self._store_fails, self._halt, self._resume, self._hide, self._rest)
        await rng.choice(faults + words)(machine)

    async def _kill(self, machine: Machine) -> None:
        if machine.runs:
            machine.kill()
            self._count("kills")

    async def _pause(self, machine: Machine) -> None:
        if machine.runs:
            machine.pause(self.rng.choice((0.5, 3.0, 12.0)))
            self._count("pauses")

    async def _stop(self, machine: Machine) -> None:
        machine.stop()
        self._count("stops")

    async def _jump(self, machine: Machine) -> None:
        machine.clock.skew_ns = round(self.rng.uniform(-8, 8) * NANOS_PER_SECOND)
        self._count("clock jumps")
        self.tell(f"the clock of {machine.name} is off by {machine.clock.skew_ns / NANOS_PER_SECOND:.3f} s")

    async def _weather(self, _: Machine) -> None:
        weather = self.place.weather
        weather.share = self.rng.choice((0.0, 0.1, 0.3, 0.7))
        weather.kinds = self.rng.choice((FATES, ("late", "held", "unheard"), ("429", "418"), ("lost", "held")))
        self._count("weathers")
        self.tell(f"{weather.share:.0%} of requests: {', '.join(weather.kinds)}")

    async def _next_order(self, _: Machine) -> None:
        fates = [self.rng.choice(FATES) for _ in range(self.rng.randint(1, 3))]
        self.place.weather.next_submits += fates
        self._count("orders hit", len(fates))
        self.tell(f"the next orders: {', '.join(fates)}")

    async def _away(self, _: Machine) -> None:
        self.place.weather.away = not self.place.weather.away
        self._count("outages")
        self.tell("the venue is away" if self.place.weather.away else "the venue is back")

    async def _hide(self, _: Machine) -> None:
        self.place.exchange.hides = not self.place.exchange.hides
        self.tell(f"orders are {'shown late' if self.place.exchange.hides else 'shown at once'}")

    async def _store_fails(self, _: Machine) -> None:
        self.place.store.fail_next(self.rng)
        self._count("store failures")
        self.tell(f"the next writes: {', '.join(self.place.store.failures)}")

    async def _halt(self, _: Machine) -> None:
        await self._say(self.rng.choice((TradingState.HALTED, TradingState.REDUCING)))

    async def _rest(self, _: Machine) -> None:
        """The strategy is to rest, or to trade again."""
        rests = STRATEGY in self.pauses.paused
        said = (StrategyResumed if rests else StrategyPaused)(STRATEGY, "operator", "a drill")
        try:
            await self.pauses.say(said, self.operator._maintenance._clock.now_ns())
            self.tell(f"{STRATEGY} {'trades again' if rests else 'rests'}")
        except ControlUnavailable as error:
            self.tell(f"the operator is not heard: {error}")

    async def _resume(self, _: Machine) -> None:
        await self._say(TradingState.ACTIVE)

    async def _say(self, state: TradingState) -> None:
        try:
            await self.operator.change(state, "operator", "a drill", self.operator._maintenance._clock.now_ns())
            self.tell(f"the operator says {state}")
        except ControlUnavailable as error:
            self.tell(f"the operator is not heard: {error}")

    async def _heal(self) -> Trader:
        """All is well again; one trader reconciles, ends what is open, and looks at everything once more."""
        self.tell("all is well again")
        weather, store = self.place.weather, self.place.store
        weather.share, weather.away, self.place.exchange.hides = 0.0, False, False
        weather.next_submits.clear()
        store.failures.clear()
        for machine in self.machines:
            machine.clock.skew_ns = 0
            if machine.runs:
                machine.kill()
            machine.bury()
        last = Machine("last", self.place, MachineClock(asyncio.get_running_loop()), self.tell)
        trader = last.start(decides=False)
        async with asyncio.timeout(HEALED_S_MAX):
            while not (last.runs and trader._reconciled):
                await asyncio.sleep(0.5)
                last.bury()
                assert last.runs, "nothing is wrong any more that could end a trader"
            await self._protected(trader)
            while trader.desk.orders() or trader.plans.under_way():
                await trader.desk.cancel_open(sparing=())
                await asyncio.sleep(0.5)
            await asyncio.sleep(HELD_S_MAX + LATE_S_MAX)
            await trader._look_at_account(trader.ledger.portfolio.fills)
            await asyncio.sleep(1.0)
        self.machines = [last]
        last.kill()
        await trader._look_at_account(trader.ledger.portfolio.fills)
        return trader

    async def _protected(self, trader: Trader) -> None:
        """What is held comes to be protected, by what stands at the venue; then a halt, so that it is not put back."""
        await self._say(TradingState.ACTIVE)
        while (wrong := unprotected(self.place.exchange, trader)) is not None:
            self.tell(wrong)
            await asyncio.sleep(0.5)
        self._count("protected", sum(o.intent.source == PROTECTION for o in trader.desk.orders()))
        await self._say(TradingState.HALTED)

    async def _again(self, trader: Trader) -> list[str]:
        """Reconciling once more, by the same trader and by one that has just started, says nothing new."""
        before = self.place.store.hash()
        for each in (trader, Machine("again", self.place, self.machines[0].clock, self.tell).built()):
            await each.states.refresh()
            if not each.ledger.is_open:
                await each.ledger.load()
                await each.desk.load()
            await each.reconciler.run(None, doubt_s_max=1.0, poll_s=0.1)
            if self.place.store.hash() != before:
                return [f"reconciling again changed the journal: {self.place.store.log(0, ROWS)[-1]}"]
        return []

    async def _move(self) -> None:
        while True:
            await asyncio.sleep(MOVE_S)
            self.place.exchange.move()

    def _count_all(self, exchange: Exchange, store: FlakyStore) -> None:
        orders = exchange.ledger.orders.values()
        self._count("orders", len(orders))
        self._count("amendments", exchange.amendments)
        self._count("fills", sum(len(order.fills) for order in orders))
        self._count("partial fills", sum(0 < order.filled < order.accepted.amount for order in orders))
        for event in store.log(0, ROWS):
            if event.type == "intended" and "amend" in str(event.payload):
                self._count("replacements")
            if event.category == "plans":
                self._count(f"plans {event.type}")
            if event.type in ("stopped_out", "released", "amend_asked", "amended"):
                self._count(event.type)
            if event.type in ("intended", "order_outcome_unknown", "absent", "canceled", "rejected", "not_sent"):
                self._count(event.type)

    def _count(self, what: str, number: int = 1) -> None:
        self.figures[what] = self.figures.get(what, 0) + number

    def tell(self, what: str) -> None:
        """A line for whoever replays the seed."""
        self.log.append(f"{asyncio.get_running_loop().time():9.3f} {what}")
