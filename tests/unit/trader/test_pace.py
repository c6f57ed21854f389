"""A cycle begins as soon as there is a new signal, and every few seconds without one."""

from __future__ import annotations

import asyncio

from ares.errors import StoreUnavailable
from ares.model.row import Row
from trader.portfolio.orders import OrderReport
from trader.testing import PaperVenue
from trader.venues.gateway import OrderRequest

from .conftest import Bench


async def ready(bench: Bench) -> asyncio.Task[None]:
    trader = bench.build()
    running = asyncio.create_task(trader.run())
    for _ in range(400):
        if trader.health().ready and decisions(bench):
            return running
        await bench.advance(0.05)
        await asyncio.sleep(0.002)
    raise AssertionError(f"it does not begin: {trader.health().detail}")


async def pass_time(bench: Bench, seconds: float) -> None:
    """Let time pass in small steps, and threads come back in between."""
    for _ in range(round(seconds / 0.02)):
        await bench.advance(0.02)
        await asyncio.sleep(0.002)


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def decisions(bench: Bench) -> list[Row]:
    return bench.rows("decisions")


async def test_a_new_signal_is_decided_on_at_once_and_an_old_one_only_now_and_then(bench: Bench) -> None:
    bench.configure(cycle_s=60.0)
    bench.market(target=0.0)
    running = await ready(bench)
    await pass_time(bench, 0.5)
    before = len(decisions(bench))
    await pass_time(bench, 2.0)
    assert len(decisions(bench)) == before, "nothing new, nothing decided"
    bench.market(target=1.0, signal_age_s=0.0)
    asked_ns = bench.clock.now_ns()
    await pass_time(bench, 1.0)
    newest = decisions(bench)[-1]
    assert len(decisions(bench)) == before + 1
    assert newest.symbols["action"] == "buy"
    assert newest.ts_ns - asked_ns < 500_000_000
    await ended(running)


async def test_without_a_new_signal_a_cycle_runs_every_few_seconds_and_without_a_store_it_says_so(
    bench: Bench,
) -> None:
    bench.configure(cycle_s=2.0)
    bench.market(target=0.0)
    running = await ready(bench)
    bench.reader.error = StoreUnavailable("away on request")
    before = len(decisions(bench))
    await pass_time(bench, 5.0)
    said = decisions(bench)[before:]
    assert 2 <= len(said) <= 4
    assert said[-1].columns["reason"] == "store_unavailable" or said[-1].symbols.get("reason") == "store_unavailable"
    await ended(running)


class SlowVenue(PaperVenue):
    """Takes its time with an order; says when one came."""

    came = asyncio.Event()

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.came.set()
        await asyncio.sleep(0.2)
        return await PaperVenue.submit(self, request)


async def test_a_cycle_that_is_under_way_at_the_end_is_waited_for_and_its_order_is_booked(bench: Bench) -> None:
    bench.configure(cycle_s=60.0)
    bench.venue = venue = SlowVenue(bench.clock, dict(bench.venue.prices), dict(bench.venue.holdings))
    bench.market(target=0.0)
    running = await ready(bench)
    bench.market(target=1.0, signal_age_s=0.0)
    passing = asyncio.create_task(pass_time(bench, 2.0))
    await venue.came.wait()
    passing.cancel()
    await ended(running)
    trader = bench.traders[-1]
    await trader.stop()
    assert len(venue.fills) == 1
    assert trader.ledger.portfolio.fills == 1
    assert trader.leadership.lease is None, "a successor may begin at once"
