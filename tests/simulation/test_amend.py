"""Goal: an order that is changed stands once, as the old one or as the new one, whatever is lost and whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from ares.config.trading import ExecutionConfig, ProtectionConfig
from ares.control import Json
from ares.errors import UnknownName, UsageError
from simulator.matching import Order as VenueOrder
from simulator.matching.queue import PublicTrade
from tests.simulation.loop import spawn
from tests.simulation.machine import STRATEGY
from tests.simulation.store import FlakyStore
from tests.simulation.test_plans import planned, show
from tests.simulation.test_protection import BTC, BTCUSDT, FATES, START, Scene, Successor, play, scene_of
from tests.simulation.venue import STEP
from trader.amend import Change, OrderIsOver
from trader.command_log import Order
from trader.manual_words import MANUAL, Wish
from trader.portfolio.orders import OrderState
from trader.risk import TradingState

ADA = Order("ada", "by hand")
D = Decimal
AGE_S = 4
"""After this the same buy is no repetition any more (`duplicate_s`)."""
WISHED = D("0.02")
PRICE = START - 50
SMALLER = Change(quantity=D("0.012"))
CHEAPER = Change(price=PRICE - 40)
LARGER = Change(quantity=D("0.03"))
CHANGES = {"smaller": SMALLER, "another price": CHEAPER, "larger": LARGER}


async def standing(seed: str, store: FlakyStore, price: Decimal = PRICE) -> tuple[Scene, str]:
    """A buy by hand that waits at its price."""
    scene = await scene_of("stop", seed, store, protection=ProtectionConfig())
    show(scene)
    told = await spawn(scene.process, scene.trader.commander.order(ADA, Wish(BTC, "buy", WISHED, price, key="one")))
    assert told["state"] == "ACCEPTED"
    await asyncio.sleep(AGE_S)
    return scene, str(told["order_id"])


async def amend(scene: Scene, order_id: str, change: Change) -> dict[str, Json]:
    show(scene)
    return await spawn(scene.process, scene.trader.commander.amend(ADA, order_id, change))


def at_venue(scene: Scene) -> list[VenueOrder]:
    return [o for o in scene.place.exchange.ledger.orders.values() if o.open]


def sells(scene: Scene, price: Decimal, quantity: Decimal) -> None:
    """Somebody sells into what rests."""
    exchange = scene.place.exchange
    exchange.trade(PublicTrade(BTCUSDT, price, quantity, True, exchange.now_ms()))


def test_less_at_the_same_price_keeps_the_order_and_its_place_in_the_queue() -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing("keeps", store)
        behind = Wish(BTC, "buy", WISHED, PRICE, STRATEGY, key="behind")
        show(scene)
        second = await spawn(scene.process, scene.trader.commander.order(ADA, behind))
        told = await amend(scene, first, SMALLER)
        assert (told["order_id"], told["kept_place"], told["sent"]) == (first, True, True)
        assert D(str(told["quantity"])) == D("0.012")
        sells(scene, PRICE - 1, D("0.012"))
        filled = {o.accepted.client_id: o.filled for o in scene.place.exchange.ledger.orders.values()}
        assert filled == {first: D("0.012"), str(second["order_id"]): D(0)}
        await scene.follow()
        order = await scene.trader.account.parts.journal.find(first)
        assert order is not None
        assert (order.state, order.quantity, order.intent.quantity) == (OrderState.FILLED, D("0.012"), WISHED)
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("change", [CHEAPER, LARGER, Change(D("0.01"), PRICE + 10)], ids=str)
def test_anything_else_is_an_order_of_its_own_after_the_old_one_is_gone(change: Change) -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing("replaced", store)
        told = await amend(scene, first, change)
        assert (told["replaces"], told["cancelled"], told["sent"]) == (first, True, True)
        (open_order,) = at_venue(scene)
        assert open_order.accepted.client_id == told["order_id"] != first
        assert open_order.accepted.amount == (change.quantity or WISHED)
        assert open_order.accepted.price == (change.price or PRICE)
        again = await amend(scene, first, change)
        assert (again["order_id"], again["repeated"]) == (told["order_id"], True)
        assert len(at_venue(scene)) == 1
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("then", ["retry", "restart", "hand-over"])
@pytest.mark.parametrize("moment", FATES)
def test_a_change_whose_request_or_answer_is_lost_leaves_one_order(moment: str, then: Successor, what: str) -> None:
    """Of an amendment the request itself is lost, of a replacement the new order's."""

    async def story(store: FlakyStore) -> None:
        scene, first = await standing(f"{moment}/{then}/{what}", store)
        scene.place.weather.next_submits += [FATES[moment]]
        await amend(scene, first, CHANGES[what])
        go_on: dict[Successor, Callable[[], Awaitable[Scene]]] = {
            "retry": scene.retry,
            "restart": scene.restart,
            "hand-over": scene.hand_over,
        }
        scene = await go_on[then]()
        for _ in range(40):
            await scene.follow()
            await asyncio.sleep(0.5)
        assert len(at_venue(scene)) <= 1
        assert [o.intent.order_id for o in scene.trader.desk.orders()] == [
            o.accepted.client_id for o in at_venue(scene)
        ]
        for order in scene.trader.desk.orders():
            assert order.remaining == at_venue(scene)[0].remaining
        if what == "smaller":
            assert [o.accepted.client_id for o in at_venue(scene)] == [first]
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("what", CHANGES)
def test_whenever_the_trader_dies_one_order_stands_at_most_and_the_journal_knows_it(what: str) -> None:
    for number in range(24):

        async def story(store: FlakyStore, after_s: float = 0.04 * number, seed: str = str(number)) -> None:
            scene, first = await standing(seed, store)
            show(scene)
            spawn(scene.process, scene.trader.commander.amend(ADA, first, CHANGES[what]))
            await asyncio.sleep(after_s)
            scene = await scene.restart()
            await scene.follow()
            assert len(at_venue(scene)) <= 1
            known = {o.intent.order_id: o.remaining for o in scene.trader.desk.orders()}
            assert known == {o.accepted.client_id: o.remaining for o in at_venue(scene)}
            assert await scene.end() == []

        play(story)


@pytest.mark.parametrize("amount", ["0.008", "0.02"])
def test_what_is_filled_while_the_cancel_is_on_its_way_is_not_asked_for_again(amount: str) -> None:
    for number in range(20):

        async def story(store: FlakyStore, after_s: float = 0.03 * number, seed: str = str(number)) -> None:
            scene, first = await standing(seed, store)
            show(scene)
            changing = spawn(scene.process, scene.trader.commander.amend(ADA, first, CHEAPER))
            await asyncio.sleep(after_s)
            sells(scene, PRICE - 1, D(amount))
            told = await changing
            ours = scene.place.exchange.ledger.orders.values()
            assert sum(o.filled for o in ours) + sum(o.remaining for o in at_venue(scene)) <= WISHED
            assert told["sent"] or told["reason"] == "all of it was filled before", told
            assert await scene.end() == []

        play(story)


def test_a_change_that_the_limits_refuse_leaves_the_order_as_it_is() -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing("refused", store)
        told = await amend(scene, first, Change(quantity=D("0.15")))
        assert (told["action"], told["rule"], told["cancelled"], told["sent"]) == (
            "refuse",
            "OrderNotionalLimit",
            False,
            False,
        )
        assert [(o.accepted.client_id, o.accepted.amount) for o in at_venue(scene)] == [(first, WISHED)]
        assert await scene.end() == []

    play(story)


def test_the_order_that_is_replaced_does_not_count_against_its_replacement() -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing("room", store)
        free = scene.place.exchange.ledger.balances["USDT"].free
        limits = scene.trader._config.risk.model_copy(
            update={"gross_exposure_quote_max": D(1_100), "leverage_max": None, "concentration_max": None}
        )
        scene.trader._config = scene.trader._config.model_copy(update={"risk": limits})
        assert free < scene.place.exchange.opening["USDT"]
        assert (await amend(scene, first, CHEAPER))["sent"] is True
        assert await scene.end() == []

    play(story)


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
def test_while_trading_is_drawn_in_an_order_may_only_get_smaller(state: TradingState) -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing(state, store)
        await scene.trader.states.change(state, "ada", "", scene.clock.now_ns())
        told = await amend(scene, first, LARGER)
        assert (told["rule"], told["cancelled"]) == ("TradingStateRule", False)
        assert (await amend(scene, first, SMALLER))["kept_place"] is True
        (open_order,) = at_venue(scene)
        assert open_order.accepted.amount == SMALLER.quantity
        assert await scene.end() == []

    play(story)


def test_what_cannot_be_changed_is_refused_with_a_way_out() -> None:
    async def story(store: FlakyStore) -> None:
        scene, first = await standing("refusals", store)
        refused: list[tuple[Change, str]] = [
            (Change(WISHED), "asks for 0.02 at 49950.* already"),
            (Change(D("0.0200001")), "amount step"),
            (Change(price=D("49949.999")), "price tick"),
        ]
        for change, words in refused:
            with pytest.raises(UsageError, match=words):
                await amend(scene, first, change)
        sells(scene, PRICE - 1, D("0.015"))
        await scene.follow()
        with pytest.raises(UsageError, match=r"0\.01500000 was filled already"):
            await amend(scene, first, Change(D("0.01")))
        with pytest.raises(UnknownName, match="order = 'nope'"):
            await amend(scene, "nope", SMALLER)
        await spawn(scene.process, scene.trader.commander.cancel(ADA, first))
        with pytest.raises(OrderIsOver, match="CANCELED already"):
            await amend(scene, first, SMALLER)
        assert await scene.end() == []

    play(story)


def test_protection_and_orders_of_a_plan_are_not_changed_by_hand() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("stop", "protective", store)
        await scene.cycle(1.0)
        await scene.until_protected()
        (protects,) = scene.trader.desk.protecting(BTC, STRATEGY)
        with pytest.raises(UsageError, match="protects a position"):
            await amend(scene, protects.intent.order_id, Change(quantity=STEP))
        assert await scene.end() == []

    async def of_a_plan(store: FlakyStore) -> None:
        scene = await planned("post_only", "amended", store)
        await scene.cycle(1.0)
        (working,) = at_venue(scene)
        with pytest.raises(UsageError, match="a plan under way sent it"):
            await amend(scene, working.accepted.client_id, Change(quantity=STEP))
        assert ExecutionConfig().policy == "ioc", "by default there are no plans"
        assert await scene.end() == []

    play(story)
    play(of_a_plan)


def test_an_order_of_unknown_outcome_is_not_changed() -> None:
    async def story(store: FlakyStore) -> None:
        scene = await scene_of("stop", "doubt", store, protection=ProtectionConfig())
        show(scene)
        scene.place.weather.next_submits += ["lost"]
        wish = Wish(BTC, "buy", WISHED, PRICE, MANUAL, key="lost")
        told = await spawn(scene.process, scene.trader.commander.order(ADA, wish))
        with pytest.raises(UsageError, match="it is UNKNOWN"):
            await amend(scene, str(told["order_id"]), SMALLER)
        assert await scene.end() == []

    play(story)
