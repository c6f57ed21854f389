"""Goal: no statement of a person stalls trading: it is cancelled in time, and what trading does goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median

import pytest

from ares.clock import SystemClock
from ares.config.analysts import AnalystsConfig
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.errors import AresError, StoreUnavailable
from ares.model.row import Row
from ares.service.analysts import STREAM, StatementGuard, Verdict
from ares.store import Database, RowWriter
from ares.store.running import RunningStatements

ENDLESS = "SELECT count() FROM long_sequence(1000000) a CROSS JOIN long_sequence(1000000) b WHERE a.x * b.x % 7 = 9"
LARGE = "SELECT count() FROM (SELECT x, count() c FROM long_sequence(30000000) WHERE x % 3 < 5 GROUP BY x)"
HALF_S_MAX, LATENCY_S_MAX = 1.0, 20.0
"""Of every other write and read of trading beside two endless joins, and of all. Processors are shared, so a busy
machine delays some by seconds; without workers apart two joins on two processors made every one wait for 60."""


def guard(config: DatabaseConfig, control: ControlStore, **limits: float) -> StatementGuard:
    wanted = AnalystsConfig.model_validate({"watch_s": 0.05, **limits})
    return StatementGuard(config, wanted, SystemClock(), control)


async def asked(config: DatabaseConfig, sql: str) -> str:
    """What became of a statement that a person sent as the read-only user."""
    async with await Database.connect(config, readonly=True, ours=False) as database:
        try:
            await database.fetch(sql)
        except AresError as error:
            return str(error)
    return "answered"


async def watched(watch: StatementGuard, config: DatabaseConfig, people: Sequence[asyncio.Task[str]]) -> list[Verdict]:
    """What was cancelled until everybody has an answer."""
    found: list[Verdict] = []
    there = RunningStatements(config)
    async with asyncio.timeout(40):
        while not all(each.done() for each in people):
            found += await watch.look(there)
            await asyncio.sleep(0.05)
    return found


async def trading(
    config: DatabaseConfig, writer: RowWriter, venue: str, until: Sequence[asyncio.Task[str]]
) -> list[float]:
    """Seconds that writes and reads of trading took meanwhile."""
    took: list[float] = []
    loop, clock, number = asyncio.get_running_loop(), SystemClock(), 0
    async with await Database.connect(config, readonly=True) as database:
        while not all(each.done() for each in until):
            began_s, number = loop.time(), number + 1
            row = Row("balances", clock.now_ns(), {"account": venue, "venue": venue, "currency": f"C{number}"}, {})
            await writer.write([row])
            took.append(loop.time() - began_s)
            began_s = loop.time()
            await database.fetch("SELECT * FROM balances WHERE account = %(a)s LIMIT -1", {"a": venue})
            took.append(loop.time() - began_s)
            await asyncio.sleep(0.02)
    return took


async def test_endless_joins_are_cancelled_in_time_while_trading_writes_and_reads(
    questdb_config: DatabaseConfig, writer: RowWriter, control: ControlStore, venue: str
) -> None:
    watch = guard(questdb_config, control, statement_s_max=2)
    people = [asyncio.create_task(asked(questdb_config, ENDLESS)) for _ in range(2)]
    found, took = await asyncio.gather(
        watched(watch, questdb_config, people), trading(questdb_config, writer, venue, people)
    )
    assert [each.result() for each in people] == [each.result() for each in people if "cancelled" in each.result()]
    assert [each.cause for each in found] == ["too_long"] * 2
    assert all(2 < each.observed < LATENCY_S_MAX for each in found)
    assert len(took) >= 10
    assert median(took) < HALF_S_MAX
    assert max(took) < LATENCY_S_MAX
    told = control.read(STREAM)
    assert [each.payload["cause"] for each in told] == ["too_long"] * 2
    assert all(str(each.payload["statement"]).startswith("SELECT count() FROM long_sequence") for each in told)


async def test_of_too_many_the_newest_are_cancelled_at_once(
    questdb_config: DatabaseConfig, control: ControlStore
) -> None:
    there = RunningStatements(questdb_config)
    watch = guard(questdb_config, control, statement_s_max=120, statements_max=1)
    first = asyncio.create_task(asked(questdb_config, ENDLESS))
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(there.now):
            await asyncio.sleep(0.05)
    later = [asyncio.create_task(asked(questdb_config, ENDLESS)) for _ in range(2)]
    found = await watched(watch, questdb_config, later)
    assert [each.cause for each in found] == ["too_many"] * 2
    assert await watch.look(there) == []
    assert not first.done()
    found = await watched(guard(questdb_config, control, statement_s_max=0.1), questdb_config, [first])
    assert [each.cause for each in found] == ["too_long"]


async def test_a_statement_that_fills_the_memory_is_cancelled(
    questdb_config: DatabaseConfig, control: ControlStore
) -> None:
    watch = guard(questdb_config, control, memory_mb_max=96)
    person = asyncio.create_task(asked(questdb_config, LARGE))
    found = await watched(watch, questdb_config, [person])
    assert [each.cause for each in found] == ["too_much_memory"]
    assert "cancelled" in person.result()


async def test_what_ares_asks_itself_is_spared(questdb_config: DatabaseConfig, control: ControlStore) -> None:
    watch = guard(questdb_config, control, statement_s_max=0.1)
    there = RunningStatements(questdb_config)
    impatient = questdb_config.model_copy(update={"statement_s_max": 1.0})

    async def ours() -> None:
        async with await Database.connect(impatient, readonly=True) as database:
            await database.fetch(ENDLESS)

    asking = asyncio.create_task(ours())
    await asyncio.sleep(0.6)
    assert [each.is_ours for each in await asyncio.to_thread(there.now)] == [True]
    assert await watch.look(there) == []
    with pytest.raises(StoreUnavailable):
        await asking
    while await asyncio.to_thread(there.now):
        await asyncio.sleep(0.1)


async def test_a_sort_that_needs_more_than_its_bound_is_refused(questdb_config: DatabaseConfig) -> None:
    endless_sort = "SELECT x, d FROM (SELECT x, rnd_double() d FROM long_sequence(60000000)) ORDER BY d LIMIT 50000000"
    assert "exceeded" in await asked(questdb_config, endless_sort)


async def test_a_database_that_is_away_is_an_error_of_the_store(control: ControlStore, port: int) -> None:
    away = DatabaseConfig(http_port=port)
    with pytest.raises(StoreUnavailable):
        await guard(away, control).look(RunningStatements(away))
