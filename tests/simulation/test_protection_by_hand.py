"""Goal: whatever people sell, cancel, pause or halt leaves no protected position sold twice, and none bare."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ares.control import Json
from tests.simulation.loop import spawn
from tests.simulation.machine import STRATEGY
from tests.simulation.proof import unprotected
from tests.simulation.store import FlakyStore
from tests.simulation.test_protection import BTC, BTCUSDT, START, Scene, play, scene_of
from trader.command_log import Order
from trader.manual_words import Wish
from trader.risk import TradingState

ADA = Order("ada", "by hand")
PART = Decimal("0.01")


async def protected(name: str, seed: str, store: FlakyStore) -> Scene:
    """What was bought by signal, with its protection at the venue."""
    scene = await scene_of(name, seed, store)
    await scene.cycle(1.0)
    await scene.until_protected()
    assert scene.held > 2 * PART
    return scene


async def sell(scene: Scene, quantity: Decimal, price: Decimal | None = None) -> dict[str, Json]:
    await scene.cycle(1.0)  # for a young quote
    wish = Wish(BTC, "sell", quantity, price, STRATEGY, key=f"{quantity} at {price}")
    return await spawn(scene.process, scene.trader.commander.order(ADA, wish))


def standing(scene: Scene) -> list[str]:
    return [order.intent.order_id for order in scene.trader.desk.protecting(BTC, STRATEGY)]


def test_a_sale_by_hand_lifts_protection_and_what_is_left_is_protected_again() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("pair", "sold by hand", store)
        held, before = scene.held, standing(scene)
        told = await sell(scene, PART)
        assert (told["action"], told["state"]) == ("sell", "FILLED")
        await scene.until_protected()
        assert scene.held == held - PART
        assert not set(before) & set(standing(scene))
        assert await scene.end() == []

    play(story)


def test_all_of_it_can_be_sold_by_hand_and_nothing_is_sold_twice() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "all by hand", store)
        told = await sell(scene, scene.held // PART * PART)
        assert told["sent"] is True
        scene.trades_at(START * Decimal("0.97"))
        await scene.until_flat()
        assert scene.trader.ledger.excess == 0
        assert await scene.end() == []

    play(story)


def test_a_sale_by_hand_waits_for_protection_that_may_still_stand_and_is_not_sent() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "away", store)
        await scene.cycle(1.0)
        scene.place.weather.away = True
        wish = Wish(BTC, "sell", PART, None, STRATEGY, key="away")
        told = await spawn(scene.process, scene.trader.commander.order(ADA, wish))
        assert (told["action"], told["reason"], told["sent"]) == ("skip", "protection_stands", False)
        scene.place.weather.away = False
        await scene.until_protected()
        assert await scene.end() == []

    play(story)


def test_a_sale_by_hand_that_a_limit_refuses_leaves_protection_alone() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("pair", "refused by hand", store)
        before = standing(scene)
        told = await sell(scene, scene.held // PART * PART + PART)
        assert (told["action"], told["reason"]) == ("refuse", "HeldQuantity")
        assert standing(scene) == before
        assert await scene.end() == []

    play(story)


def test_a_sale_by_hand_that_rests_keeps_protection_away_until_it_is_cancelled() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "rests by hand", store)
        price = START * Decimal("1.005")
        told = await sell(scene, PART, price)
        assert told["state"] == "ACCEPTED"
        await scene.follow()
        assert standing(scene) == []
        await spawn(scene.process, scene.trader.commander.cancel(ADA, str(told["order_id"])))
        await scene.until_protected()
        assert await scene.end() == []

    play(story)


def test_protection_that_somebody_cancels_comes_again_unless_trading_is_halted() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("pair", "cancelled", store)
        before = standing(scene)
        told = await spawn(scene.process, scene.trader.commander.cancel(ADA, before[0]))
        assert (told["cancels_asked"], told["order_state"]) == (1, "CANCELED")
        await scene.until_protected()
        again = standing(scene)
        assert not set(before) & set(again)
        await spawn(scene.process, scene.trader.commander.halt(ADA))
        await spawn(scene.process, scene.trader.commander.cancel(ADA, again[0]))
        for _ in range(3):
            await scene.follow()
        assert standing(scene) == []
        await spawn(scene.process, scene.trader.commander.resume(ADA))
        await scene.until_protected()
        assert await scene.end() == []

    play(story)


def test_a_cancel_of_all_and_a_halt_from_elsewhere_leave_protection_standing() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("pair", "spared", store)
        before = standing(scene)
        told = await spawn(scene.process, scene.trader.commander.cancel_all(ADA))
        assert (told["cancels_asked"], told["orders_left"]) == (0, before)
        now_ns = scene.clock.now_ns()
        await scene.trader.states.change(TradingState.HALTED, "bob", "elsewhere", now_ns)
        await scene.follow()
        assert standing(scene) == before
        assert unprotected(scene.place.exchange, scene.trader) is None
        assert await scene.end() == []

    play(story)


def test_what_is_filled_after_a_halt_leaves_the_protection_of_before() -> None:
    """Less than is held is protected then, which is better than nothing; after the halt all of it is."""

    async def story(store: FlakyStore) -> None:
        scene = await scene_of("pair", "filled after a halt", store)
        await scene.cycle(0.4)
        await scene.until_protected()
        before, held = standing(scene), scene.held
        await asyncio.sleep(5)
        scene.place.weather.next_submits += ["unheard"]
        assert (await scene.cycle(1.0)).action == "buy"
        await spawn(scene.process, scene.trader.commander.halt(ADA))
        for _ in range(20):
            await scene.follow()
            await asyncio.sleep(1)
        assert scene.held > held
        assert standing(scene) == before
        await spawn(scene.process, scene.trader.commander.resume(ADA))
        await scene.until_protected()
        assert not set(before) & set(standing(scene))
        assert await scene.end() == []

    play(story)


def test_the_protection_of_a_strategy_that_is_paused_is_tended_and_sells() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "paused", store)
        await spawn(scene.process, scene.trader.commander.pause(ADA, STRATEGY))
        assert (await scene.cycle(0.0)).reason == "paused"
        (gone,) = scene.place.exchange.ledger.open_orders(BTCUSDT)
        scene.place.exchange.cancel(gone, "by-somebody")
        await scene.until_protected()
        assert len(scene.place.exchange.ledger.open_orders(BTCUSDT)) == 1
        scene.trades_at(START * Decimal("0.97"))
        await scene.until_flat()
        assert await scene.end() == []

    play(story)


def test_a_flatten_takes_protection_away_and_does_not_wait_for_it_to_end_by_itself() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("pair", "flattened", store)
        before_s = scene.clock.monotonic_s()
        told = await spawn(scene.process, scene.trader.commander.flatten(ADA))
        assert told["orders_sent"] != 0
        assert scene.clock.monotonic_s() - before_s < scene.trader.commander._parts.settle_s_max
        assert await scene.end() == []

    play(story)


def test_who_lifted_protection_restores_it_and_nobody_else() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "two who sell", store)
        protection = scene.trader.protection
        assert await spawn(scene.process, protection.lift(BTC, STRATEGY, "manual"))
        await scene.cycle(1.0)
        await scene.follow()
        assert standing(scene) == [], "the cycle that ended meanwhile puts nothing up"
        protection.restore("manual")
        await scene.follow()
        assert len(standing(scene)) == 1
        assert await scene.end() == []

    play(story)


def test_a_limit_on_net_exposure_never_keeps_what_is_protected_from_being_sold() -> None:
    """What protects counts as no sale beside the one that it gives way to."""

    async def story(store: FlakyStore) -> None:
        scene = await protected("stop", "net exposure", store)
        risk = scene.place.config.risk.model_copy(update={"net_exposure_quote_max": Decimal(10)})
        scene.trader.reconfigure(scene.place.config.model_copy(update={"risk": risk}))
        await asyncio.sleep(5)
        decision = await scene.cycle(0.0)
        assert (decision.action, decision.reason) == ("sell", "closing")
        await scene.until_flat()
        assert await scene.end() == []

    play(story)
