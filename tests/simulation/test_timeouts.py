"""Goal: wherever an order's answer is lost, and whoever goes on afterwards, it stands at the venue once at most."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal

import pytest

from tests.simulation.loop import MachineClock, Process, run, spawn
from tests.simulation.machine import Place, build, config_of
from tests.simulation.proof import findings
from tests.simulation.schedule import OPENING
from tests.simulation.store import FlakyStore
from tests.simulation.venue import LATE_S_MAX, MARKETS, TICK, Exchange, Fate, Weather
from trader.execution.ids import DecisionName, client_order_id
from trader.portfolio.orders import Intent
from trader.runtime import Trader

Moment = Literal["before send", "after send", "under way", "after accept", "after fill"]
"""`after send`: lost on its way; `under way`: it arrives when nobody waits for its answer any more."""
Successor = Literal["retry", "restart", "hand-over"]
FATES: dict[Moment, Fate] = {
    "before send": "reset",
    "after send": "lost",
    "under way": "late",
    "after accept": "unheard",
    "after fill": "unheard",
}
BTC = "BTC/USDT"
ARRIVALS: dict[Fate, set[int]] = {"reset": {0}, "lost": {0}, "late": {0, 1}, "unheard": {1}}
QUANTITY = Decimal("0.002")
WAIT_S_MAX = 60.0


class Stage:
    """One order, one lost answer, and what follows."""

    def __init__(self, place: Place, moment: Moment, kind: str) -> None:
        self.place = place
        self.clock = MachineClock(asyncio.get_running_loop())
        self.intent = order(place, self.clock, kind, rests=moment == "after accept")
        self.first = Process("first")
        self.trader = build(place, self.clock, "first")

    async def send(self, fate: Fate) -> None:
        """Decide and send; the answer is lost by `fate`."""
        await spawn(self.first, lead(self.trader))
        self.place.weather.next_submits.append(fate)
        assert await self.trader.desk.intend(self.intent)
        await spawn(self.first, self.trader.desk.send(self.intent.order_id))

    async def retry(self) -> Trader:
        """The same process comes to the same decision once more."""
        await self._asked_again(self.trader)
        return self.trader

    async def restart(self) -> Trader:
        """It is killed; another one waits until the lease runs out."""
        self.first.alive = False
        return await self._succeed()

    async def hand_over(self) -> Trader:
        """It gives its lease back at once, while its request may be on its way."""
        await self.trader.leadership.release()
        return await self._succeed()

    async def _succeed(self) -> Trader:
        successor = build(self.place, self.clock, "second")
        await lead(successor)
        await self._asked_again(successor)
        return successor

    async def _asked_again(self, trader: Trader) -> None:
        assert not await trader.desk.intend(self.intent), "this decision was committed before"

    async def end(self, trader: Trader) -> None:
        """Until nothing of ours can still arrive and all is settled."""
        await asyncio.sleep(LATE_S_MAX)
        async with asyncio.timeout(WAIT_S_MAX):
            while trader.desk.orders():
                await trader.desk.follow()
                await trader.desk.cancel_open()
                await asyncio.sleep(0.5)
        await trader._look_at_account(trader.ledger.portfolio.fills)


async def lead(trader: Trader) -> None:
    await trader.leadership.wait()
    await trader.begin()


def order(place: Place, clock: MachineClock, kind: str, *, rests: bool) -> Intent:
    middle, now_ns = place.exchange.middles[MARKETS[BTC]], clock.now_ns()
    market = kind == "market"
    return Intent(
        order_id=client_order_id(DecisionName("paper", "signal_momentum", 1, BTC, now_ns)),
        account="paper",
        venue="sim",
        symbol=BTC,
        strategy="signal_momentum",
        version=1,
        side="buy",
        type="market" if market else "limit",
        time_in_force="GTC" if kind == "limit GTC" else "IOC",
        quantity=QUANTITY,
        price=None if market else middle + TICK * (-9_000 if rests else 9_000),
        mark=middle,
        source="signal",
        cycle_id="cycle",
        correlation_id="cycle",
        decided_at_ns=now_ns,
    )


@pytest.mark.parametrize("kind", ["limit IOC", "limit GTC", "market"])
@pytest.mark.parametrize("then", ["retry", "restart", "hand-over"])
@pytest.mark.parametrize("moment", FATES)
def test_an_order_whose_answer_is_lost_stands_once_at_most(moment: Moment, then: Successor, kind: str) -> None:
    store = FlakyStore.begin()

    async def play() -> tuple[Exchange, list[str]]:
        clock = MachineClock(asyncio.get_running_loop())
        rng = random.Random(f"{moment}/{then}/{kind}")
        place = Place(rng, Exchange(rng, clock, OPENING), Weather(rng), store, config_of())
        stage = Stage(place, moment, kind)
        await stage.send(FATES[moment])
        go_on: dict[Successor, Callable[[], Awaitable[Trader]]] = {
            "retry": stage.retry,
            "restart": stage.restart,
            "hand-over": stage.hand_over,
        }
        await stage.end(await go_on[then]())
        return place.exchange, findings(place.exchange, store, adopted=False)

    try:
        exchange, wrong = run(play(), random.Random(0))
        assert wrong == []
        assert exchange.accepted.total() in ARRIVALS[FATES[moment]]
        assert (exchange.ledger.total("BTC") > OPENING["BTC"]) or moment != "after fill"
    finally:
        store.close()
