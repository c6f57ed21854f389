"""Goal: whoever ends a plan, its last order is seen to be gone before anything else is decided, and stays gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from tests.simulation.loop import spawn
from tests.simulation.machine import ACCOUNT, STRATEGY
from tests.simulation.store import FlakyStore
from tests.simulation.test_plans import ADA, ends, ours, pass_by, planned, same_signal, the_plan
from tests.simulation.test_protection import START, play
from tests.simulation.venue import STEP
from trader.execution.plan_journal import PlanJournal
from trader.portfolio.plans import Progress
from trader.risk import TradingState


@pytest.mark.parametrize("policy", ["post_only", "twap"])
def test_a_newer_signal_ends_the_plan_and_decides_on_what_is_missing(policy: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned(policy, "superseded", store)
        await scene.cycle(1.0)
        first = the_plan(scene)
        await pass_by(scene, 4)
        held = scene.held
        await asyncio.sleep(5)
        after = await scene.cycle(1.0)
        assert [ended.reason for ended in ends(store)] == ["superseded"]
        second = the_plan(scene)
        assert after.action == "buy"
        assert second.plan_id != first.plan_id
        assert second.quantity <= first.quantity - held + STEP
        assert sum(order.open for order in ours(scene)) <= 1
        assert await scene.end() == []

    play(story)


def test_while_the_last_order_may_stand_the_next_signal_decides_nothing() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", "in the way", store)
        await scene.cycle(1.0)
        await pass_by(scene, 2)
        scene.place.weather.away = True
        waits = await scene.cycle(0.0)
        assert (waits.action, waits.reason) == ("skip", "plan_ends")
        scene.place.weather.away = False
        await pass_by(scene, 15)
        assert not scene.trader.plans.under_way()
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_person_cancelled_stays_cancelled_even_if_the_trader_dies_at_once(cut: bool) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", f"cancel {cut}", store)
        await scene.cycle(1.0)
        plan = the_plan(scene)
        await pass_by(scene, 2)
        working = next(order.accepted.client_id for order in ours(scene) if order.open)
        if cut:
            cancelling = spawn(scene.process, scene.trader.commander.cancel(ADA, working))
            while not any(event.type == "ending" for event in store.log(0, 100_000)):
                await asyncio.sleep(0.001)
            assert not cancelling.done()
            scene = await scene.restart()
        else:
            told = await spawn(scene.process, scene.trader.commander.cancel(ADA, plan.plan_id))
            assert told["plan"] == "ended"
        before = len(ours(scene))
        await pass_by(scene, 3)
        assert [(ended.plan_id, ended.reason) for ended in ends(store)] == [(plan.plan_id, "cancelled")]
        assert len(ours(scene)) == before
        assert not any(order.open for order in ours(scene))
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("word", ["halt", "pause", "flatten", "cancel all", "reduce"])
def test_who_stops_trading_ends_plans(word: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", word, store)
        await scene.cycle(1.0)
        await pass_by(scene, 1)
        commander = scene.trader.commander
        said: dict[str, Callable[[], Awaitable[object]]] = {
            "halt": lambda: commander.halt(ADA),
            "pause": lambda: commander.pause(ADA, STRATEGY),
            "flatten": lambda: commander.flatten(ADA),
            "cancel all": lambda: commander.cancel_all(ADA),
            "reduce": lambda: scene.trader.states.change(TradingState.REDUCING, "ada", "", scene.clock.now_ns()),
        }

        async def say() -> None:
            await said[word]()

        await spawn(scene.process, say())
        await pass_by(scene, 2)
        reasons = {
            "halt": "halted",
            "pause": "paused",
            "flatten": "flattened",
            "cancel all": "cancelled",
            "reduce": "reducing",
        }
        assert [ended.reason for ended in ends(store)] == [reasons[word]]
        assert not any(order.open for order in ours(scene))
        assert await scene.end() == []

    play(story)


def test_a_stop_that_is_executed_ends_what_would_buy_on() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "stopped", store, stop_loss_pct=1)
        await scene.cycle(1.0)
        await pass_by(scene, 2)
        await scene.until_protected()
        scene.trades_at(START * Decimal("0.98"))
        await pass_by(scene, 3)
        assert [ended.reason for ended in ends(store)] == ["stopped_out"]
        await scene.until_flat()
        assert await scene.end() == []

    play(story)


def test_a_plan_of_a_strategy_that_left_the_settings_ends() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", "left", store)
        await scene.cycle(1.0)
        scene.trader._config = scene.trader._config.model_copy(update={"strategies": ()})
        await pass_by(scene, 1)
        assert [ended.reason for ended in ends(store)] == ["not_configured"]
        assert await scene.end() == []

    play(story)


def test_what_a_plan_left_undone_is_not_begun_again_by_its_signal() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", "again", store)
        await scene.cycle(1.0)
        await spawn(scene.process, scene.trader.commander.cancel(ADA, the_plan(scene).plan_id))
        await asyncio.sleep(5)
        again = await same_signal(scene)
        assert (again.action, again.reason) == ("skip", "plan_over")
        signals = scene.trader.cycle._reader
        scene = await scene.restart()
        scene.trader.cycle._reader = signals
        again = await same_signal(scene)
        assert (again.action, again.reason) == ("skip", "plan_over")
        assert (await scene.cycle(1.0)).action == "buy"
        assert await scene.end() == []

    play(story)


def test_an_order_of_a_plan_that_a_leader_of_before_ended_is_cancelled() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("post_only", "left", store, long=True)
        await scene.cycle(1.0)
        journal = PlanJournal(store, ACCOUNT)
        (open_plan,) = await journal.load()
        await journal.ended(open_plan.plan, "time_over", Progress(), scene.clock.now_ns())
        (working,) = [order for order in ours(scene) if order.open]
        scene = await scene.restart()
        await pass_by(scene, 2)
        assert not working.open
        assert not scene.trader.desk.orders()
        assert await scene.end() == []

    play(story)
