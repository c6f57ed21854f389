"""Goal: two traders that both believe in their lease, on one account and one store, execute nothing twice."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from ares.clock import NANOS_PER_SECOND
from tests.simulation.loop import MachineClock, run
from tests.simulation.machine import Machine, Place, config_of
from tests.simulation.proof import findings
from tests.simulation.schedule import OPENING
from tests.simulation.store import FlakyStore
from tests.simulation.venue import LATE_S_MAX, Exchange, Weather

RUNS = int(os.environ.get("ARES_TEST_LEADERS", "15"))


@pytest.mark.parametrize("fenced", [False, True], ids=["by lease and recvWindow alone", "fenced by the store"])
def test_two_leaders_at_once_execute_nothing_twice(fenced: bool) -> None:
    """The clock of the second is wrong by more than a lease lasts: it takes the first one's away while that trades."""
    both = 0
    for seed in range(RUNS):
        store = FlakyStore.begin()
        store.fenced = fenced
        try:
            wrong, led = run(two_leaders(seed, store), random.Random(seed))
        finally:
            store.close()
        assert wrong == [], f"seed {seed}"
        both += led
    assert fenced or both > RUNS * 0.8, "in most runs two really led at once"


async def two_leaders(seed: int, store: FlakyStore) -> tuple[list[str], bool]:
    """What is wrong afterwards, and whether both really held the lease at one moment."""
    loop, rng = asyncio.get_running_loop(), random.Random(seed)
    exchange = Exchange(rng, MachineClock(loop), OPENING)
    place = Place(rng, exchange, Weather(rng, share=rng.choice((0.0, 0.2))), store, config_of(unknown_poll_s=0.2))
    place.weather.kinds = ("late", "unheard", "garbled")
    log: list[str] = []
    machines = [Machine(name, place, MachineClock(loop), log.append) for name in ("one", "two")]
    clocks = [machine.clock for machine in machines]
    traders = [machines[0].start()]
    while not traders[0]._reconciled:
        await asyncio.sleep(0.1)
    clocks[1].skew_ns = round(NANOS_PER_SECOND * rng.uniform(9.6, 12))
    traders.append(machines[1].start())
    led = False
    for _ in range(40):
        await asyncio.sleep(0.25)
        led |= all(trader.leadership.lease is not None for trader in traders)
    for machine in machines:
        machine.bury()
        machine.kill()
    place.weather.share = 0.0
    last = Machine("last", place, MachineClock(loop), log.append).start(decides=False)
    async with asyncio.timeout(120):
        while not last._reconciled or last.desk.orders():
            await asyncio.sleep(0.5)
            if last._reconciled:
                await last.desk.cancel_open()
        await asyncio.sleep(LATE_S_MAX)
        await last._look_at_account(last.ledger.portfolio.fills)
    return findings(exchange, store, adopted=False), led
