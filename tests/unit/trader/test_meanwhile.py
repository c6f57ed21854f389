"""Goal: what happens while something else is waited for passes no halt, no limit and no lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from ares.config.settings import AresConfig
from ares.control import ControlStore, StoredEvent
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.command_log import Order
from trader.events import StrategyPaused
from trader.execution.limits import Scope, SetLimits
from trader.execution.pauses import StrategyPauses
from trader.execution.state import GATE, TradingStates
from trader.limits_configured import limits
from trader.manual_words import Wish
from trader.portfolio.orders import OrderState
from trader.risk import TradingState
from trader.testing import PaperVenue
from trader.venues.ccxt_client import create_client, create_usdm_client

ADA = Order("ada", "odd fills")


class OneLateAnswer(ControlStore):
    """A store whose first read of a stream is answered after later ones."""

    asked: threading.Event
    answers: threading.Event

    def hold(self) -> None:
        """Keep the answer of the next read until `answers` is set."""
        self.asked, self.answers = threading.Event(), threading.Event()

    def read(self, stream: str, after_seq: int = 0) -> list[StoredEvent]:
        found = super().read(stream, after_seq)
        if not self.asked.is_set():
            self.asked.set()
            assert self.answers.wait(10), "nobody let it answer"
        return found


@pytest.fixture
def late(tmp_path: Path) -> OneLateAnswer:
    return OneLateAnswer.open(f"sqlite:///{tmp_path / 'late.db'}")


async def test_an_order_that_the_venue_got_after_the_cancels_of_a_halt_is_cancelled_too(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=0.0)
    await trader.cycle.run()
    bench.venue.faults.append("late")
    sent = await trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.01"), Decimal(49_900), key="rests"))
    assert sent["state"] == "UNKNOWN"
    await trader.commander.halt(ADA)
    await bench.pass_time(trader, 2)
    assert trader.desk.orders() == []
    assert bench.venue.orders[str(sent["order_id"])].state is OrderState.CANCELED


async def test_a_state_that_was_read_late_does_not_hide_a_halt(late: OneLateAnswer, bench: Bench) -> None:
    late.hold()
    late.asked.set()
    person = TradingStates(late, "paper", SteppedClock())
    await person.change(TradingState.ACTIVE, "ada", "begin", 1)
    late.hold()
    states = TradingStates(late, "paper", SteppedClock())
    slow = asyncio.create_task(states.refresh())
    await asyncio.to_thread(late.asked.wait)
    await person.change(TradingState.HALTED, "ada", "odd fills", 2)
    assert (await states.refresh()).state is TradingState.HALTED
    late.answers.set()
    assert (await slow).state is TradingState.HALTED
    assert states.effective is TradingState.HALTED


async def test_limits_and_pauses_that_were_read_late_do_not_hide_newer_ones(late: OneLateAnswer, bench: Bench) -> None:
    late.hold()
    late.asked.set()
    configured, scope, clock = limits(bench.config), Scope("order_notional_quote_max"), SteppedClock()
    said, pauses_said = SetLimits(late, "paper", clock, four_eyes=False), StrategyPauses(late, "paper")
    await said.change(configured, scope, Decimal(900), actor="ada", reason="first")
    seen, pauses = SetLimits(late, "paper", clock, four_eyes=False), StrategyPauses(late, "paper")
    late.hold()
    slow = asyncio.create_task(seen.refresh())
    await asyncio.to_thread(late.asked.wait)
    await said.change(configured, scope, Decimal(50), actor="ada", reason="less")
    await seen.refresh()
    late.answers.set()
    await slow
    assert seen.effective(configured).order_notional_quote_max == 50
    await pauses_said.say(StrategyPaused("one", "ada", "odd fills"), 1)
    late.hold()
    slow = asyncio.create_task(pauses.refresh())
    await asyncio.to_thread(late.asked.wait)
    await pauses_said.say(StrategyPaused("two", "ada", "odd fills"), 2)
    await pauses.refresh()
    late.answers.set()
    await slow
    assert (set(pauses.paused), pauses._seq) == ({"one", "two"}, 2)


async def test_a_quote_that_aged_while_others_were_decided_on_prices_no_order(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    moment = await trader.cycle._look()
    await bench.advance(bench.config.risk.quote_age_s_max + 1)  # a plan was ended, or protection lifted, elsewhere
    (decision,), order_ids = await trader.cycle._decide_all(moment)
    assert (decision.reason, order_ids) == ("stale_quote", [])


async def test_orders_of_before_a_restart_count_for_the_limit_on_how_often(bench: Bench) -> None:
    bench.configure(risk=bench.config.risk.model_copy(update={"orders_per_minute_max": 1}))
    trader = await bench.trader()
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.action == "buy"
    assert trader.desk.orders() == []
    await trader.stop()
    trader = await bench.trader()
    bench.market(target=1.0)
    wish = Wish(BTC, "buy", Decimal("0.01"), key="again")
    assert (await trader.commander.order(ADA, wish))["reason"] == "OrderRateLimit"
    await trader.stop()
    await bench.advance(61)
    trader = await bench.trader()
    bench.market(target=1.0)
    assert (await trader.commander.order(ADA, wish))["sent"]


def test_no_order_waits_in_a_queue_between_the_look_at_the_lease_and_its_signature() -> None:
    keys = {"api_key": "key", "api_secret": "secret"}
    venues = AresConfig.model_validate({"venues": {"a": keys, "b": {**keys, "protocol": "binanceusdm"}}}).venues
    for client in (create_client("a", venues["a"]), create_usdm_client("b", venues["b"])):
        assert vars(client)["enableRateLimit"] is False


class SlowOnce(PaperVenue):
    """Takes long to tell the next prices, while the market goes on."""

    def __init__(self, before: PaperVenue, meanwhile: Callable[[], Awaitable[None]]) -> None:
        PaperVenue.__init__(self, before.clock, before.prices, before.holdings)
        self.meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await PaperVenue.marks(self, symbols)


async def test_a_quote_that_aged_while_marks_were_asked_for_prices_no_order_by_hand(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    await bench.advance(bench.config.risk.mark_age_s_max)  # the mark of what is held is asked for
    await trader.leadership.wait()
    bench.market(target=None)

    async def a_while() -> None:
        await bench.advance(bench.config.risk.quote_age_s_max + 1)
        bench.venue.prices[BTC] = Decimal(45_000)

    slow = SlowOnce(bench.venue, a_while)
    trader.marks._load = slow.marks
    told = await trader.commander.preview(Wish(BTC, "buy", Decimal("0.01"), key="priced"))
    assert slow.meanwhile is None
    assert (told["mark"], told["price"]) == ("45000", "45045.00")


async def test_what_was_not_agreed_to_stays_reduced_when_the_coins_are_back(control: ControlStore) -> None:
    states = TradingStates(control, "real", SteppedClock())
    await states.reconciled(short=None, now_ns=1)
    await states.reconciled(short="BTC: book 1, venue 0", now_ns=2)
    await states.forbidden("two people have not agreed", 3)
    assert (await states.reconciled(short=None, now_ns=4)).state is TradingState.REDUCING
    assert (states.current.actor, states.current.reason) == (GATE, "two people have not agreed")
