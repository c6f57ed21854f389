"""Goal: a plan is carried out once and whole whoever carries it out, and ends when somebody or something says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from ares.config.trading import ExecutionConfig, ProtectionConfig
from simulator.matching import Order as VenueOrder
from tests.simulation.loop import spawn
from tests.simulation.machine import STRATEGY
from tests.simulation.proof import unprotected
from tests.simulation.store import FlakyStore
from tests.simulation.test_protection import BTC, BTCUSDT, FATES, Scene, Successor, play, scene_of
from tests.simulation.venue import STEP, TICK
from trader.command_log import Order
from trader.events import REGISTRY
from trader.plan_events import PlanEnded
from trader.portfolio.plans import Plan
from trader.reader import MarketSeen, QuoteSeen
from trader.rows import Decision
from trader.testing import StaticReader

ADA = Order("ada", "by hand")
LOOK_S = 0.5
QUICK = {"patience_s": 14, "follow_s_min": 1, "over_s": 12, "slices": 4}
POLICIES: dict[str, dict[str, object]] = {
    "post_only": {"policy": "post_only", **QUICK},
    "gives up": {"policy": "post_only", "then": "give_up", **QUICK},
    "twap": {"policy": "twap", **QUICK},
    "iceberg": {"policy": "iceberg", **QUICK},
}
LONG = {"patience_s": 40, "over_s": 40, "slices": 8}


async def planned(policy: str, seed: str, store: FlakyStore, *, long: bool = False, **protection: object) -> Scene:
    said = {**POLICIES[policy], **(LONG if long else {})}
    changes = {
        "execution": ExecutionConfig.model_validate(said),
        "protection": ProtectionConfig.model_validate(protection),
    }
    return await scene_of("stop", f"{policy}/{seed}", store, **changes)


def show(scene: Scene) -> None:
    """A young quote of where the market is; the signal stays as it was."""
    reader, now_ns, mark = scene.trader.cycle._reader, scene.clock.now_ns(), scene.mark
    assert isinstance(reader, StaticReader)
    quotes = {BTC: QuoteSeen(mark - TICK, mark + TICK, now_ns)}
    reader.market = MarketSeen(reader.market.signals, quotes, {BTC: mark})


async def pass_by(scene: Scene, seconds: float, *, deals: bool = False) -> None:
    """Time passes while plans and orders are looked after; with `deals` the market trades through what rests."""
    until_s = scene.clock.monotonic_s() + seconds
    while scene.clock.monotonic_s() < until_s:
        await asyncio.sleep(LOOK_S)
        show(scene)
        if deals:
            mark = scene.mark
            for offset in (-200 * TICK, 200 * TICK):
                scene.trades_at(mark + offset)
            scene.place.exchange.middles[BTCUSDT] = mark
        await spawn(scene.process, scene.trader.plans.tend())
        await scene.follow()


async def same_signal(scene: Scene) -> Decision:
    show(scene)
    decisions = await spawn(scene.process, scene.trader.cycle.run())
    return next(each for each in decisions if each.symbol == BTC)


def the_plan(scene: Scene) -> Plan:
    ((plan, _),) = scene.trader.plans.under_way()
    return plan


def ends(store: FlakyStore) -> list[PlanEnded]:
    bodies = [REGISTRY.read(event).body for event in store.log(0, 100_000) if event.category == "plans"]
    return [body for body in bodies if isinstance(body, PlanEnded)]


def ours(scene: Scene) -> list[VenueOrder]:
    """Orders at the venue, but for those that protect."""
    kept = {order.accepted.client_id: order for order in scene.place.exchange.ledger.orders.values()}
    return [order for order in kept.values() if order.accepted.type in ("LIMIT", "LIMIT_MAKER")]


@pytest.mark.parametrize("policy", ["post_only", "iceberg"])
def test_makers_are_filled_at_their_own_sides_price_and_pay_no_more_than_the_mark(policy: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned(policy, "filled", store, long=True)
        assert (await scene.cycle(1.0)).action == "buy"
        wanted = the_plan(scene).quantity
        await pass_by(scene, 30, deals=True)
        (ended,) = ends(store)
        assert (ended.reason, ended.filled) == ("filled", wanted)
        assert ended.shortfall_bips is not None
        assert ended.shortfall_bips < 0
        assert all(order.accepted.type == "LIMIT_MAKER" for order in ours(scene))
        if policy == "iceberg":
            assert max(order.accepted.amount for order in ours(scene)) <= wanted / 5 + STEP
            assert ended.orders >= 5
        assert await scene.end() == []

    play(story)


def test_slices_buy_all_of_it_over_time_and_cycles_wait_for_them() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "slices", store)
        await scene.cycle(1.0)
        wanted = the_plan(scene).quantity
        assert len(ours(scene)) == 1, "the first slice leaves with its decision"
        await pass_by(scene, 5)
        assert 1 < len(ours(scene)) < 4
        waits = await same_signal(scene)
        assert (waits.action, waits.reason) == ("skip", "plan_under_way")
        await pass_by(scene, 8)
        (ended,) = ends(store)
        assert (ended.reason, ended.orders, ended.filled) == ("filled", 4, wanted)
        assert {order.accepted.time_in_force for order in ours(scene)} == {"IOC"}
        assert await scene.end() == []

    play(story)


def test_a_maker_follows_the_market_and_then_takes_or_gives_up() -> None:
    async def story(store: FlakyStore, policy: str, reasons: set[str]) -> None:
        scene = await planned(policy, "away", store)
        await scene.cycle(1.0)
        for _ in range(3):
            scene.place.exchange.middles[BTCUSDT] += 100
            await pass_by(scene, 2)
        makers = [order.accepted.price for order in ours(scene)]
        assert makers == sorted(makers)
        assert len(makers) >= 3
        assert sum(order.open for order in ours(scene)) == 1
        await pass_by(scene, 14)
        (ended,) = ends(store)
        assert ended.reason in reasons
        takers = [order for order in ours(scene) if order.accepted.type == "LIMIT"]
        assert len(takers) == ("gave_up" not in reasons)
        if takers:
            assert ended.shortfall_bips is not None
            assert ended.shortfall_bips > 50, "300 of 50000 is 60 bips that the market ran away"
        assert await scene.end() == []

    play(lambda store: story(store, "post_only", {"filled", "rest_not_taken"}))
    play(lambda store: story(store, "gives up", {"gave_up"}))


@pytest.mark.parametrize("policy", ["post_only", "twap", "iceberg"])
@pytest.mark.parametrize("then", ["retry", "restart", "hand-over"])
@pytest.mark.parametrize("moment", FATES)
def test_a_plan_whose_order_is_in_doubt_goes_on_with_whoever_leads(moment: str, then: Successor, policy: str) -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned(policy, f"{moment}/{then}", store, long=True)
        scene.place.weather.next_submits += [FATES[moment]]
        await scene.cycle(1.0)
        plan = the_plan(scene)
        go_on: dict[Successor, Callable[[], Awaitable[Scene]]] = {
            "retry": scene.retry,
            "restart": scene.restart,
            "hand-over": scene.hand_over,
        }
        scene = await go_on[then]()
        await pass_by(scene, 60, deals=True)
        (ended,) = ends(store)
        assert ended.plan_id == plan.plan_id
        if policy == "post_only" and moment not in ("under way", "after accept"):
            assert (ended.reason, ended.filled) == ("order_lost", 0), "it may have been executed, for all that is known"
        else:
            assert plan.quantity / 2 < ended.filled <= plan.quantity
        assert max(scene.place.exchange.submissions.values(), default=0) <= 1
        assert await scene.end() == []

    play(story)


def test_a_plan_that_nobody_led_for_too_long_ends_without_another_order() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "too old", store)
        await scene.cycle(1.0)
        scene.process.alive = False
        await asyncio.sleep(60)
        scene = await scene.restart()
        before = len(ours(scene))
        await pass_by(scene, 2)
        assert [ended.reason for ended in ends(store)] == ["time_over"]
        assert len(ours(scene)) == before
        assert await scene.end() == []

    play(story)


def test_what_a_plan_buys_is_protected_and_a_plan_that_sells_lifts_that_first() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "protected", store, stop_loss_pct=1, take_profit_pct=1)
        await scene.cycle(1.0)
        await pass_by(scene, 14)
        assert [ended.reason for ended in ends(store)] == ["filled"]
        await scene.until_protected()
        held = scene.held
        await scene.cycle(0.5)
        assert the_plan(scene).reduces
        await pass_by(scene, 4)
        assert not scene.trader.desk.protecting(BTC, STRATEGY), "the plan still sells"
        await pass_by(scene, 10)
        assert ends(store)[-1].reason == "filled"
        await scene.until_protected()
        assert STEP < scene.held < held
        assert unprotected(scene.place.exchange, scene.trader) is None
        assert await scene.end() == []

    play(story)


def test_an_order_that_the_limits_refuse_waits_and_leaves_when_they_allow_it() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "refused", store)
        await scene.cycle(1.0)
        reader = scene.trader.cycle._reader
        assert isinstance(reader, StaticReader)
        scene.place.config = scene.place.config.model_copy()
        far = scene.trader._config.risk.model_copy(update={"order_notional_quote_max": Decimal(10)})
        scene.trader._config = scene.trader._config.model_copy(update={"risk": far})
        await pass_by(scene, 7)
        assert len(ours(scene)) == 1
        scene.trader._config = scene.place.config
        await pass_by(scene, 6)
        (ended,) = ends(store)
        assert ended.orders >= 2
        assert ended.filled > 0
        assert await scene.end() == []

    play(story)


def test_a_way_out_that_the_notional_limit_cut_goes_on_with_the_same_signal() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await planned("twap", "cut", store)
        await scene.cycle(1.0)
        await pass_by(scene, 14)
        held = scene.held
        low = scene.trader._config.risk.model_copy(update={"order_notional_quote_max": Decimal(2_500)})
        config = scene.trader._config.model_copy(update={"risk": low})
        scene.trader.reconfigure(config)
        await scene.cycle(0.0)
        for _ in range(4):
            await pass_by(scene, 8)
            await same_signal(scene)
        assert scene.held < STEP < held / 2
        assert [ended.reason for ended in ends(store)] == ["filled", "filled", "filled"]
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("policy", ["post_only", "twap", "iceberg"])
def test_whenever_the_trader_dies_the_plan_goes_on_and_fills_no_more_than_was_decided(policy: str) -> None:
    for number in range(6):

        async def story(store: FlakyStore, after_s: float = 0.3 * number, seed: str = str(number)) -> None:
            scene = await planned(policy, f"dies {seed}", store, long=True)
            spawn(scene.process, scene.cycle(1.0))
            for _ in range(2):
                await asyncio.sleep(after_s)
                scene = await scene.restart()
                spawn(scene.process, pass_by(scene, 20, deals=True))
            await asyncio.sleep(21)
            plans = [REGISTRY.read(event).body for event in store.log(0, 100_000) if event.type == "started"]
            assert len(plans) <= 1, "without a new signal there is no other"
            assert max(scene.place.exchange.submissions.values(), default=0) <= 1
            assert await scene.end() == []

        play(story)
