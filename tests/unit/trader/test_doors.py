"""Goal: the venue's words and errors, leases and states mean what they should, garbage included."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import ccxt
import pytest

from ares.clock import SystemClock
from ares.config.load import load_config
from ares.config.settings import AresConfig
from ares.control import ControlStore
from ares.errors import ConfigError, LeaseLost, OrderOutcomeUnknown, VenueRejected, VenueUnavailable
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.execution.ids import DecisionName, client_order_id
from trader.execution.lease import Leadership
from trader.execution.state import TradingStates
from trader.portfolio.orders import OrderState
from trader.portfolio.positions import Execution
from trader.reader import MarketSeen, QuoteSeen
from trader.risk import TradingState
from trader.service import venue_config
from trader.testing import CONTRACT, ContractBench, PaperVenue
from trader.venues import binance_words as words
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.errors import for_read, for_write, retry_after_s
from trader.venues.gateway import OrderRequest

ORDER = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "clientOrderId": "ares1",
    "price": "50000.00",
    "origQty": "0.02000000",
    "executedQty": "0.01000000",
    "cummulativeQuoteQty": "500.00000000",
    "status": "EXPIRED",
    "side": "BUY",
    "transactTime": 1_700_000_000_123,
    "fills": [{"price": "50000.00", "qty": "0.01", "commission": "0.00001", "commissionAsset": "BTC", "tradeId": 55}],
}


def test_an_answer_to_an_order_is_read_exactly() -> None:
    report = words.order(ORDER, BTC)
    assert (report.state, report.filled_quantity, report.filled_cost) == (
        OrderState.EXPIRED,
        Decimal("0.01"),
        Decimal(500),
    )
    (execution,) = report.executions
    assert (execution.fill_id, execution.fee, execution.fee_currency) == ("55", Decimal("0.00001"), "BTC")
    assert report.ts_ns == 1_700_000_000_123_000_000


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "WHATEVER"},
        {"side": "HOLD"},
        {"executedQty": "NaN"},
        {"executedQty": "much"},
        {"executedQty": None},
        {"fills": ["x"]},
        {"orderId": 1.5},
    ],
)
def test_an_answer_that_is_not_as_documented_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        words.order({**ORDER, **broken}, BTC)


def test_structures_without_the_venues_own_words_are_refused() -> None:
    with pytest.raises(ValueError, match="no object"):
        words.info({"info": []})
    with pytest.raises(ValueError, match="balances"):
        words.balances({"balances": {}})
    with pytest.raises(ValueError, match="filters"):
        words.grid({"info": {"filters": None}})
    with pytest.raises(ValueError, match="isBuyer"):
        words.execution({"id": 1, "isBuyer": "yes"}, BTC)


def test_balances_leave_out_what_is_not_there_and_a_market_without_a_side_has_no_middle() -> None:
    rows = [{"asset": "BTC", "free": "1", "locked": "0.5"}, {"asset": "ETH", "free": "0", "locked": "0"}]
    found = words.balances({"balances": rows})
    assert found.keys() == {"BTC"}
    assert found["BTC"].total == Decimal("1.5")
    assert words.middle({"bidPrice": "0", "askPrice": "5"}) == 0


def test_a_market_without_a_least_cost_has_none() -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001"},
    ]
    grid = words.grid({"info": {"filters": filters}})
    assert (grid.cost_min, grid.amount_max) == (0, None)


@pytest.mark.parametrize(
    ("any_order", "market_order", "most"), [("9000", "120.5", "120.5"), ("9000", "0", "9000"), ("50", "120.5", "50")]
)
def test_one_order_is_no_more_than_the_venue_takes_of_any_kind(any_order: str, market_order: str, most: str) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "maxQty": any_order},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0", "maxQty": market_order},
    ]
    grid = words.grid({"info": {"filters": filters}})
    assert grid.fitting(Decimal(10_000)) == Decimal(most)
    assert grid.fitting(Decimal("0.0019")) == Decimal("0.001")


def every_error_of_ccxt(root: type[ccxt.BaseError] = ccxt.BaseError) -> list[type[ccxt.BaseError]]:
    return [root, *(child for branch in root.__subclasses__() for child in every_error_of_ccxt(branch))]


@pytest.mark.parametrize("kind", every_error_of_ccxt(), ids=lambda kind: kind.__name__)
def test_every_error_of_ccxt_on_submit_is_a_rejection_or_a_doubt(kind: type[ccxt.BaseError]) -> None:
    ours = for_write(kind("why"))
    if issubclass(kind, ccxt.OperationFailed) or kind in (ccxt.BaseError, ccxt.ExchangeError):
        assert isinstance(ours, OrderOutcomeUnknown)
    else:
        assert isinstance(ours, VenueRejected | OrderOutcomeUnknown)
    assert isinstance(for_read(kind("why"), None), VenueRejected | VenueUnavailable)


@pytest.mark.parametrize("kind", [ccxt.InvalidOrder, ccxt.InsufficientFunds, ccxt.BadRequest, ccxt.MarketClosed])
def test_a_considered_no_is_a_rejection(kind: type[ccxt.BaseError]) -> None:
    assert isinstance(for_write(kind("no")), VenueRejected)


def test_a_duplicate_means_that_our_order_stands() -> None:
    assert isinstance(for_write(ccxt.InvalidOrder("binance Duplicate order sent.")), OrderOutcomeUnknown)


def test_the_venues_wish_to_wait_is_bounded_and_garbage_is_none() -> None:
    assert retry_after_s({"Retry-After": "7"}) == 7.0
    assert retry_after_s({"retry-after": "99999999"}) == 3_600.0
    assert retry_after_s({"Retry-After": "soon"}) is None
    assert retry_after_s({}) is None
    ours = for_read(VenueUnavailable("kept"), {})
    assert str(ours) == "kept"


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.__name__)
async def test_the_contract_holds_on_the_venue_in_memory(case: object) -> None:
    venue = PaperVenue(SystemClock(), {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000)})
    names = iter(range(1_000))

    async def break_next_submit() -> None:
        venue.faults.append("accept_timeout")

    bench = ContractBench(
        gateway=venue,
        symbol=BTC,
        quantity=Decimal("0.001"),
        break_next_submit=break_next_submit,
        name=lambda: client_order_id(DecisionName("paper", STRATEGY, 1, BTC, next(names))),
    )
    assert callable(case)
    await case(bench)


def test_a_lease_too_short_to_send_within_is_a_config_error(control: ControlStore) -> None:
    with pytest.raises(ConfigError, match=r"trading\.lease_s"):
        Leadership(control, "paper", "one", SteppedClock(), 5.0)


async def test_only_one_leads_and_a_successor_waits_for_the_end_of_the_lease(control: ControlStore) -> None:
    clock = SteppedClock()
    first = Leadership(control, "paper", "one", clock, 15.0)
    second = Leadership(control, "paper", "two", clock, 15.0)
    await first.wait()
    assert first.may_send()
    assert not second.may_send()
    await clock.advance(9.6)
    assert not first.may_send()
    await first.renew()
    assert first.may_send()
    await first.release()
    await second.wait()
    assert second.may_send()
    with pytest.raises(LeaseLost):
        await first.renew()


async def test_states_are_only_taken_back_by_who_said_them(control: ControlStore) -> None:
    states = TradingStates(control, "paper", SteppedClock())
    assert states.current.state is TradingState.HALTED
    await states.reconciled(short=None, now_ns=1)
    assert states.current.state is TradingState.ACTIVE
    await states.change(TradingState.REDUCING, "ada", "by hand", 2)
    await states.reconciled(short=None, now_ns=3)
    assert states.current.state is TradingState.REDUCING
    await states.change(TradingState.HALTED, "ada", "by hand", 4)
    await states.reconciled(short="BTC", now_ns=5)
    assert states.current.state is TradingState.HALTED


async def test_two_that_change_the_state_at_once_both_succeed(control: ControlStore) -> None:
    one, other = TradingStates(control, "paper", SteppedClock()), TradingStates(control, "paper", SteppedClock())
    await one.refresh()
    await other.change(TradingState.ACTIVE, "ada", "first", 1)
    change = await one.change(TradingState.HALTED, "bob", "second", 2)
    assert (change.seq, (await other.refresh()).state) == (2, TradingState.HALTED)


def test_a_venue_that_is_not_configured_is_named() -> None:
    with pytest.raises(ConfigError, match=r"trading\.venue"):
        venue_config(AresConfig())
    assert venue_config(load_config(environ={})).api_key is not None


async def test_a_venue_without_keys_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="api_key"):
        CcxtGateway("sim", AresConfig.model_validate({"venues": {"sim": {}}}).venues["sim"], SystemClock())


async def test_a_fee_in_a_third_currency_is_valued_by_the_venue_or_said_to_be_worthless(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    (order,) = trader.desk.orders()
    bench.venue.prices["BNB/USDT"] = Decimal(600)

    def execution(fill_id: str, currency: str) -> Execution:
        return Execution(
            fill_id=fill_id,
            symbol=BTC,
            side="buy",
            venue_order_id="7",
            quantity=Decimal("0.01"),
            price=Decimal(50_000),
            cost=Decimal(500),
            fee=Decimal("0.001"),
            fee_currency=currency,
            maker=True,
            ts_ns=5,
        )

    await trader.desk.booking.book(order, [execution("901", "BNB"), execution("902", "XYZ")])
    position = trader.ledger.portfolio.position(BTC, STRATEGY)
    assert position.fees_quote == Decimal("0.6")
    bench.venue.away = True
    await trader.desk.booking.book(order, [execution("903", "BNB")])
    assert trader.ledger.portfolio.position(BTC, STRATEGY).fees_quote == Decimal("1.2"), "by the price of just now"
    await bench.advance(31)
    await trader.desk.booking.book(order, [execution("904", "BNB")])
    assert trader.ledger.portfolio.position(BTC, STRATEGY).fees_quote == Decimal("1.2"), "by no older one"


async def test_a_cash_shortfall_of_coins_is_said_while_it_runs(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    await trader.follow_once(0)
    bench.venue.holdings["BTC"] = Decimal("0.01")
    await bench.advance(31)
    await trader.leadership.wait()
    await trader.follow_once(0)
    assert trader.states.current.state is TradingState.REDUCING


async def test_a_look_at_an_account_that_fails_is_repeated_later(bench: Bench) -> None:
    trader = await bench.trader()
    bench.venue.away = True
    assert await trader.follow_once(0) == trader._clock.monotonic_s()
    assert not trader.account.balances_are_current or trader.account.balances
    bench.venue.away = False
    await trader.follow_once(0)
    assert trader.account.balances_are_current


async def test_the_day_begins_anew_at_midnight_and_survives_a_restart(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    bench.market(target=None)
    await trader.cycle.run()
    bench.market(target=None, price="40000")
    await trader.cycle.run()
    assert trader.account.day_pnl_quote == Decimal(-500)
    successor = await bench.trader()
    await successor.cycle.run()
    assert successor.account.day_pnl_quote == Decimal(-500)
    await bench.advance(86_400)
    await successor.leadership.wait()
    bench.market(target=None, price="40000")
    await successor.cycle.run()
    assert successor.account.day_pnl_quote == 0


async def test_coins_that_cannot_be_valued_are_not_adopted_blindly(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = bench.build()
    await trader.leadership.wait()
    await trader.ledger.load()
    trader.account.balances = await bench.venue.balances()
    with pytest.raises(VenueUnavailable):
        trader.reconciler._adoptions(STRATEGY)


async def test_a_late_order_that_still_stands_is_cancelled(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    (decision,) = await trader.cycle.run()
    await bench.pass_time(trader, 6)
    assert trader.desk.orders() == []
    assert decision.client_order_id is not None
    bench.venue.rest(OrderRequest(decision.client_order_id, BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(1)))
    await trader.account.check_open_orders()
    assert bench.venue.cancels == [decision.client_order_id]


async def test_an_acknowledged_order_that_vanishes_is_not_given_up(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    (decision,) = await trader.cycle.run()
    assert decision.client_order_id is not None
    bench.venue.rest(OrderRequest(decision.client_order_id, BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(1)))
    await trader.desk.follow()
    assert trader.desk.orders()[0].state is OrderState.ACCEPTED
    del bench.venue.orders[decision.client_order_id]
    await bench.pass_time(trader, 10)
    assert trader.desk.orders()[0].state is OrderState.ACCEPTED


async def test_an_order_whose_sender_was_cut_off_is_looked_for_not_sent_again(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("hang")
    cycle = asyncio.create_task(trader.cycle.run())
    while not bench.venue.submissions:
        await asyncio.sleep(0.002)
    assert not await trader.desk.quiet(0)
    await trader.desk.follow()
    assert trader.desk.orders()[0].state is OrderState.INTENDED
    cycle.cancel()
    await asyncio.gather(cycle, return_exceptions=True)
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert trader.ledger.portfolio.quantity(BTC) == Decimal("0.07992")
    assert set(bench.venue.submissions.values()) == {1}


async def test_an_order_about_to_be_sent_is_left_to_its_sender(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    _, (order_id,) = await trader.cycle._decide_all(await trader.cycle._look())
    await trader.follow_once(0)
    assert await trader.desk.cancel_open() == 0
    assert (await trader.desk.send(order_id)).state is OrderState.FILLED


async def test_a_cancel_the_venue_does_not_know_concludes_nothing(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    assert await trader.desk.cancel_open() == 1
    assert trader.desk.orders()[0].state is OrderState.UNKNOWN


async def test_a_second_order_of_a_symbol_and_strategy_is_not_committed(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    (order,) = trader.desk.orders()
    assert not await trader.desk.intend(order.intent)


async def test_insane_quotes_are_not_traded_on(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    seen = bench.reader.market
    crossed = QuoteSeen(Decimal(50_001), Decimal(50_000), bench.clock.now_ns())
    bench.reader.market = MarketSeen(seen.signals, {BTC: crossed}, seen.trades)
    (decision,) = await trader.cycle.run()
    assert decision.reason == "quote_is_not_sane"
    bench.reader.market = MarketSeen(seen.signals, {}, seen.trades)
    (decision,) = await trader.cycle.run()
    assert decision.reason == "no_quote"


async def test_market_orders_are_sent_without_a_price_when_configured(bench: Bench) -> None:
    bench.configure(order_type="market")
    trader = await bench.trader()
    bench.market(target=1.0)
    await trader.cycle.run()
    row = bench.rows("order_events")[0]
    assert (row.symbols["type"], row.columns["price"]) == ("market", None)
