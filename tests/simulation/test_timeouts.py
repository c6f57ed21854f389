"""Goal: wherever an order's answer is lost, and whoever goes on afterwards, it stands at the venue once at most."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Literal, get_args

import pytest

from simulator.matching.queue import PublicTrade
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
Kind = Literal[
    "limit IOC",
    "limit GTC",
    "market",
    "limit_maker",
    "stop_loss",
    "stop_loss_limit",
    "take_profit",
    "take_profit_limit",
    "trailing",
    "pair",
]
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
FALL, RISE = Decimal(40_000), Decimal(60_000)
"""Farther from the market's 50,000 than a trailing stop follows."""
NAME = DecisionName("paper", "signal_momentum", 1, BTC, 1, leg=1)
WAIT_S_MAX = 60.0


class Stage:
    """One order, or one pair, one lost answer, and what follows."""

    def __init__(self, place: Place, moment: Moment, kind: Kind) -> None:
        self.place = place
        self.clock = MachineClock(asyncio.get_running_loop())
        self.intents = orders(place, self.clock, kind, rests=moment == "after accept")
        self.first = Process("first")
        self.trader = build(place, self.clock, "first")

    async def send(self, moment: Moment) -> None:
        """Decide and send; the answer is lost, and what waits for the market may be executed behind it."""
        await spawn(self.first, lead(self.trader))
        self.place.weather.next_submits.append(FATES[moment])
        assert await self._intend(self.trader)
        await spawn(self.first, self._leave())
        if moment == "after fill":
            self.execute()

    def execute(self) -> None:
        """The market comes to what stands, from the side on which it waits."""
        exchange, symbol = self.place.exchange, MARKETS[BTC]
        for order in list(exchange.ledger.open_orders(symbol)):
            trails = order.accepted.trailing_delta
            prices = (FALL, RISE) if trails else (order.accepted.stop_price or order.accepted.price,)
            for price in prices:
                exchange.trade(PublicTrade(symbol, price, QUANTITY * 10, True, exchange.now_ms()))

    async def _leave(self) -> None:
        ids = [intent.order_id for intent in self.intents]
        if len(ids) == 1:
            await self.trader.desk.send(ids[0])
        else:
            await self.trader.desk.send_pair(ids[0], ids[1])

    async def _intend(self, trader: Trader) -> bool:
        if len(self.intents) == 1:
            return await trader.desk.intend(self.intents[0])
        above, below = self.intents
        return await trader.desk.intend_pair(above, below)

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
        assert not await self._intend(trader), "this decision was committed before"

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


def orders(place: Place, clock: MachineClock, kind: Kind, *, rests: bool) -> list[Intent]:
    """A buy of a kind, or the legs of a pair; `rests`: what could be executed at once waits instead."""
    middle = place.exchange.middles[MARKETS[BTC]]
    below, above, beyond = (middle + TICK * ticks for ticks in (-9_000, 9_000, 12_000))
    limit = plain(clock, middle, price=below if rests else above)
    stop = replace(limit, type="stop_loss", price=None, stop_price=above)
    maker = replace(limit, type="limit_maker", price=below)
    first, second = stop.order_id, client_order_id(NAME)
    kinds: dict[Kind, list[Intent]] = {
        "limit GTC": [limit],
        "limit IOC": [replace(limit, time_in_force="IOC")],
        "market": [replace(limit, type="market", price=None, time_in_force="IOC")],
        "limit_maker": [maker],
        "stop_loss": [stop],
        "stop_loss_limit": [replace(stop, type="stop_loss_limit", price=beyond)],
        "take_profit": [replace(stop, type="take_profit", stop_price=below)],
        "take_profit_limit": [replace(stop, type="take_profit_limit", price=above, stop_price=below)],
        "trailing": [replace(stop, stop_price=None, trailing_bips=100)],
        "pair": [replace(leg, order_id=name, list_id="list1") for leg, name in ((stop, first), (maker, second))],
    }
    return kinds[kind]


def plain(clock: MachineClock, middle: Decimal, price: Decimal) -> Intent:
    now_ns = clock.now_ns()
    return Intent(
        order_id=client_order_id(DecisionName("paper", "signal_momentum", 1, BTC, now_ns)),
        account="paper",
        venue="sim",
        symbol=BTC,
        strategy="signal_momentum",
        version=1,
        side="buy",
        type="limit",
        time_in_force="GTC",
        quantity=QUANTITY,
        price=price,
        mark=middle,
        source="signal",
        cycle_id="cycle",
        correlation_id="cycle",
        decided_at_ns=now_ns,
    )


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("then", ["retry", "restart", "hand-over"])
@pytest.mark.parametrize("moment", FATES)
def test_an_order_whose_answer_is_lost_stands_once_at_most(moment: Moment, then: Successor, kind: Kind) -> None:
    store = FlakyStore.begin()

    async def play() -> tuple[Exchange, list[str]]:
        clock = MachineClock(asyncio.get_running_loop())
        rng = random.Random(f"{moment}/{then}/{kind}")
        place = Place(rng, Exchange(rng, clock, OPENING), Weather(rng), store, config_of())
        stage = Stage(place, moment, kind)
        await stage.send(moment)
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
        legs = 2 if kind == "pair" else 1
        assert exchange.accepted.total() in {arrivals * legs for arrivals in ARRIVALS[FATES[moment]]}
        assert max(exchange.submissions.values(), default=0) <= 1, "asked for once"
        assert (exchange.ledger.total("BTC") > OPENING["BTC"]) or moment != "after fill"
    finally:
        store.close()
