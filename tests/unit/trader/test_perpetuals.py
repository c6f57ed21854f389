"""Goal: shorts open, flip, pay, survive a kill and end flat, and whatever the venue says differs stops new risk."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import ProtectionConfig, RiskConfig, StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import UsageError
from ares.model.strategies import FOREIGN
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import STRATEGY, Bench
from trader.commander import Order
from trader.contracts import sweep_funding
from trader.manual import Wish
from trader.portfolio.orders import OrderState
from trader.portfolio.portfolio import Funding
from trader.portfolio.sizing import Grid
from trader.risk import TradingState
from trader.runtime import Trader
from trader.testing import CONTRACT, ContractBench, StaticReader
from trader.testing_perpetuals import PERPETUALS_CONTRACT, PaperPerpetuals
from trader.venues.gateway import OrderRequest, VenuePosition

PERP = "BTC/USDT:USDT"
OTHER = "signal_direction"
D = Decimal


class PerpetualBench(Bench):
    """`Bench` of one perpetual."""

    @property
    def paper(self) -> PaperPerpetuals:
        assert isinstance(self.venue, PaperPerpetuals)
        return self.venue

    def wish(self, target: float, price: str = "50000") -> None:
        self.market(target, price, symbol=PERP)

    async def step(self, trader: Trader, target: float, price: str = "50000") -> str:
        """One cycle with this target; returns what it did and why."""
        await self.advance(5)
        self.wish(target, price)
        if trader.leadership.lease is not None:
            await trader.leadership.renew()
        decision = (await trader.cycle.run())[0]
        return f"{decision.action} {decision.reason}"


@pytest.fixture
def perps(control: ControlStore) -> PerpetualBench:
    clock = SteppedClock()
    venue = PaperPerpetuals(
        clock,
        prices={PERP: D(50_000)},
        holdings={"USDT": D(20_000)},
        steps={PERP: Grid(D("0.1"), D("0.001"), D(5))},
        fee_share=D("0.0005"),
        leverage=D(2),
    )
    config = TradingConfig(
        account="paper",
        leverage=2,
        strategies=(StrategyConfig(name=STRATEGY, max_position_quote=D(4_000), symbols=(PERP,)),),
    )
    return PerpetualBench(control, clock, venue, StaticReader(), config)


def held(trader: Trader, strategy: str = STRATEGY) -> Decimal:
    return trader.ledger.portfolio.position(PERP, strategy).quantity


async def test_a_target_below_zero_opens_a_short_that_book_venue_and_margin_agree_on(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    assert await perps.step(trader, -1.0) == "sell to_target"
    assert held(trader) == D("-0.08") == perps.paper.quantity(PERP)
    (order,) = perps.rows("order_events")[:1]
    assert order.symbols["side"] == "sell"
    await trader.account.refresh_balances()
    assert trader.account.cash.total == D(20_000) - D(4_000) * D("0.0005"), "a short takes its fee and no price"
    assert trader.account.cash.free == trader.account.cash.total - D(2_000), "margin is half at leverage two"
    assert (await trader.reconciler.compare()).state is TradingState.ACTIVE


async def test_a_short_gains_as_the_price_falls_and_equity_says_so(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    await perps.step(trader, -1.0, "49500")
    worth = trader.account.worth()
    fee = D("0.08") * D(50_000) * D("0.0005")
    assert worth.unrealised_quote == D("0.08") * 500 - fee
    await trader.account.refresh_balances()
    assert trader.account.equity_quote == D(20_000) - fee + D("0.08") * 500, (
        "wallet less the fee, and what is not taken yet"
    )


async def test_nobody_opens_by_hand_beside_a_strategy_whose_contract_is_protected(perps: PerpetualBench) -> None:
    perps.configure(protection=ProtectionConfig.model_validate({"stop_loss_pct": "1"}))
    trader = await perps.trader()
    perps.wish(0.0)
    ada = Order("ada", "by hand")
    refused = r"strategy = 'manual': what signal_momentum holds .* Order for signal_momentum"
    with pytest.raises(UsageError, match=refused):
        await trader.commander.order(ada, Wish(PERP, "sell", D("0.01"), key="beside"))
    told = await trader.commander.order(ada, Wish(PERP, "sell", D("0.01"), strategy=STRATEGY, key="for it"))
    assert told["sent"] is True


async def test_fills_that_the_venue_does_not_tell_at_once_end_no_cycle(perps: PerpetualBench) -> None:
    """The answer to an order of a contract carries none: what is asked for in vain is asked for by the next look."""
    trader = await perps.trader()
    perps.paper.away = True  # to looks: orders arrive
    assert await perps.step(trader, -1.0) == "sell to_target"
    assert held(trader) == 0
    (order,) = trader.desk.orders()
    assert order.state is OrderState.FILLED, "it is not settled before its fills are in the book"
    perps.paper.away = False
    await trader.desk.follow()
    assert held(trader) == D("-0.08") == perps.paper.quantity(PERP)
    assert trader.desk.orders() == []


async def test_a_flip_closes_first_and_opens_once_that_was_filled(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    assert await perps.step(trader, -1.0) == "sell to_target"
    assert await perps.step(trader, 1.0) == "buy closing_before_flip"
    assert held(trader) == 0
    assert await perps.step(trader, 1.0) == "buy to_target"
    assert held(trader) == D("0.08") == perps.paper.quantity(PERP)
    assert [(r.side, r.quantity, r.reduce_only) for r in perps.paper.requests] == [
        ("sell", D("0.08"), False),
        ("buy", D("0.08"), True),
        ("buy", D("0.08"), False),
    ]


async def test_a_flip_whose_close_is_in_doubt_opens_nothing(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    perps.paper.faults.append("accept_timeout")
    await perps.step(trader, 1.0)
    assert trader.desk.orders()[0].state is OrderState.UNKNOWN
    assert await perps.step(trader, 1.0) == "skip order_unknown"
    await trader.desk.follow()
    assert held(trader) == 0
    assert await perps.step(trader, 1.0) == "buy to_target"


async def test_reducing_covers_a_short_and_opens_none(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -0.5)
    await trader.states.change(TradingState.REDUCING, "ada", "thin", perps.clock.now_ns())
    assert await perps.step(trader, -1.0) == "refuse TradingStateRule"
    assert await perps.step(trader, 1.0) == "buy closing_before_flip"
    assert held(trader) == 0
    assert await perps.step(trader, 1.0) == "refuse TradingStateRule"


async def test_a_cover_that_was_decided_leaves_though_trading_turned_to_reducing_and_a_short_does_not(
    perps: PerpetualBench,
) -> None:
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    intended = trader.desk.intend

    async def then_reducing(*args: object) -> bool:
        done = await intended(*args)  # type: ignore[arg-type]
        await trader.states.change(TradingState.REDUCING, "ada", "thin", perps.clock.now_ns())
        return done

    trader.desk.intend = then_reducing  # type: ignore[method-assign, assignment]
    await perps.step(trader, 0.0)
    assert held(trader) == 0
    await trader.states.change(TradingState.ACTIVE, "ada", "well", perps.clock.now_ns())
    await perps.step(trader, -1.0)
    assert held(trader) == 0
    assert perps.rows("order_events")[-1].columns["reason"] == "reducing before it was sent"


async def test_an_instrument_that_is_old_is_not_sold_short_and_is_covered(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -0.5)
    trader.reconfigure(perps.config.model_copy(update={"instrument_age_s_max": 1.0}))
    assert await perps.step(trader, -1.0) == "skip instrument_stale"
    assert await perps.step(trader, 0.0) == "buy closing"


async def test_flatten_closes_both_sides_in_legs_and_stays_halted(perps: PerpetualBench) -> None:
    perps.configure(
        strategies=(
            StrategyConfig(name=STRATEGY, max_position_quote=D(4_000), symbols=(PERP,)),
            StrategyConfig(name=OTHER, max_position_quote=D(2_000), symbols=(PERP,)),
        )
    )
    trader = await perps.trader()
    perps.wish(-1.0)
    signals = perps.reader.market.signals
    assert isinstance(signals, dict)
    now_ns = perps.clock.now_ns()
    signals[OTHER, 1, PERP] = type(signals[STRATEGY, 1, PERP])(now_ns, now_ns, 1.0, 0.9)
    await trader.cycle.run()
    assert (held(trader), held(trader, OTHER), perps.paper.quantity(PERP)) == (D("-0.08"), D("0.04"), D("-0.04"))
    risk = RiskConfig(order_notional_quote_max=D(1_500))
    trader.reconfigure(perps.config.model_copy(update={"risk": risk}))
    outcome = await trader.commander.flatten(Order("ada", "end of test"))
    assert outcome["left"] == {}
    assert outcome["orders_sent"] == 5, "0.08 in three legs of 0.03, 0.04 in two"
    assert perps.paper.quantity(PERP) == 0
    assert trader.states.effective is TradingState.HALTED
    actions = {row.symbols["action"] for row in perps.rows("decisions") if row.columns["reason"] == "flatten"}
    assert actions == {"buy", "sell"}


async def test_funding_is_booked_once_for_who_held_then_and_counts_in_the_profit(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    payment = perps.paper.pay_funding(PERP, D("0.0001"))
    assert payment.amount == D("0.4"), "who is short receives"
    await perps.advance(1)
    await perps.step(trader, 0.0)
    assert held(trader) == 0
    assert [await sweep_funding(trader.account) for _ in range(3)] == [1, 0, 0]
    assert trader.ledger.portfolio.position(PERP, STRATEGY).funding_quote == D("0.4")
    assert trader.ledger.portfolio.position(PERP, FOREIGN).funding_quote == 0, "it was held when it fell due"
    rows = [row for row in perps.rows("position_events") if row.symbols["cause"] == "funding"]
    assert [row.columns["fill_id"] for row in rows] == ["funding/1"]
    await trader.account.refresh_balances()
    begun = D(20_000)
    assert trader.account.cash.total - begun == trader.account.worth().pnl_quote


async def test_payments_of_before_the_book_and_those_told_late_are_told_apart(perps: PerpetualBench) -> None:
    perps.paper.payments.append(Funding("old", PERP, D(-7), perps.clock.now_ns() - NANOS_PER_SECOND))
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    late = Funding("late", PERP, D(-1), perps.clock.now_ns())
    await perps.advance(5)
    perps.paper.pay_funding(PERP, D("0.0001"))
    assert await sweep_funding(trader.account) == 1
    perps.paper.payments.append(late)
    assert await sweep_funding(trader.account) == 1, "shown after one that fell due later"
    assert trader.account.worth().funding_quote == D("-0.6")


async def test_what_was_paid_while_nobody_looked_is_booked_before_trading_goes_on(perps: PerpetualBench) -> None:
    first = await perps.trader()
    await perps.step(first, -1.0)
    await perps.advance(60)
    perps.paper.pay_funding(PERP, D("0.0001"))
    second = await perps.trader()
    assert second.ledger.portfolio.position(PERP, STRATEGY).funding_quote == D("0.4")
    third = await perps.trader()
    assert third.account.worth().funding_quote == D("0.4"), "and not again"
    assert held(third) == D("-0.08")
    assert third.states.effective is TradingState.ACTIVE


async def test_a_trader_that_died_with_its_short_in_doubt_finds_it_and_sends_no_other(perps: PerpetualBench) -> None:
    first = await perps.trader()
    perps.paper.faults.append("hang")
    perps.wish(-1.0)
    cycle = asyncio.create_task(first.cycle.run())
    while not perps.paper.submissions:
        await asyncio.sleep(0.005)
    cycle.cancel()
    await asyncio.gather(cycle, return_exceptions=True)
    second = await perps.trader()
    assert held(second) == D("-0.08") == perps.paper.quantity(PERP)
    assert await perps.step(second, -1.0) in ("hold at_target", "hold below_rebalance_share")
    assert set(perps.paper.submissions.values()) == {1}


async def test_a_position_that_nobody_here_opened_stops_new_risk_until_it_is_gone(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -0.5)
    perps.paper.contracts[PERP] = VenuePosition(D("-0.05"), D(50_000))
    await trader.account.refresh_balances()
    change = await trader.reconciler.compare()
    assert change.state is TradingState.REDUCING
    assert (
        change.reason
        == "the venue's positions are not the book's: BTC/USDT:USDT: book -0.0400000000, venue -0.0500000000"
    )
    perps.paper.contracts[PERP] = VenuePosition(D("-0.04"), D(50_000))
    await trader.account.refresh_balances()
    assert (await trader.reconciler.compare()).state is TradingState.ACTIVE


async def test_a_short_of_before_the_first_start_is_adopted_at_its_entry_or_reduces_trading(
    perps: PerpetualBench, control: ControlStore
) -> None:
    perps.paper.contracts[PERP] = VenuePosition(D("-0.02"), D(49_000))
    perps.configure(adopt_balances_to=STRATEGY)
    trader = await perps.trader()
    position = trader.ledger.portfolio.position(PERP, STRATEGY)
    assert (position.quantity, position.average_price) == (D("-0.02"), D(49_000))
    assert trader.account.worth().unrealised_quote == D(-20)
    assert trader.states.effective is TradingState.ACTIVE


async def test_a_short_that_is_not_adopted_reduces_trading_from_the_first_start(perps: PerpetualBench) -> None:
    perps.paper.contracts[PERP] = VenuePosition(D("-0.02"), D(49_000))
    trader = await perps.trader()
    assert held(trader) == 0
    assert trader.states.effective is TradingState.REDUCING


async def test_near_liquidation_a_short_is_covered_and_not_added_to(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -0.5)
    perps.paper.contracts[PERP] = VenuePosition(D("-0.04"), D(50_000), liquidation_price=D(54_000))
    await trader.account.refresh_balances()
    assert await perps.step(trader, -1.0) == "refuse LiquidationLimit"
    assert perps.rows("decisions")[-1].columns["observed"] == D("0.08")
    assert await perps.step(trader, 0.0) == "buy closing"


async def test_a_liquidation_ends_the_position_of_who_held_it(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -1.0)
    perps.paper.close_by_force(PERP)
    await trader.account.sweep_executions([PERP])
    assert held(trader) == 0
    assert trader.ledger.portfolio.position(PERP, FOREIGN).quantity == 0
    await trader.account.refresh_balances()
    assert (await trader.reconciler.compare()).state is TradingState.ACTIVE


async def test_an_order_of_a_stranger_is_booked_apart_and_the_sum_agrees(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    await perps.step(trader, -0.5)
    await perps.paper.submit(OrderRequest("by-hand", PERP, "sell", "market", "IOC", D("0.01"), None))
    await trader.account.sweep_executions([PERP])
    await trader.account.refresh_balances()
    assert (held(trader), held(trader, FOREIGN)) == (D("-0.04"), D("-0.01"))
    assert (await trader.reconciler.compare()).state is TradingState.ACTIVE


@pytest.mark.parametrize("case", [*CONTRACT, *PERPETUALS_CONTRACT], ids=lambda case: case.__name__)
async def test_the_contract_holds_on_the_perpetuals_in_memory(case: object, perps: PerpetualBench) -> None:
    names = iter(range(1_000))

    async def break_next_submit() -> None:
        perps.venue.faults.append("accept_timeout")

    assert callable(case)
    await case(ContractBench(perps.venue, PERP, D("0.001"), break_next_submit, lambda: f"ares{next(names):032x}"))
