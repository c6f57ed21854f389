"""Goal: shorts, funding, foreign fills and capital are facts of the book: there once, and there again after a start."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ares.config import load_config
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import ConfigError
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.account import SHOWN_S_MAX
from trader.command_log import Order
from trader.events import OPENED, REGISTRY, Adoption, BookOpened, CapitalCounted, CapitalMoved
from trader.execution.capital import Capital
from trader.execution.ledger import Ledger
from trader.portfolio.portfolio import Funding, Portfolio, split_funding
from trader.portfolio.positions import Execution, Fill, Position, apply_fill
from trader.projections import BookProjection, CapitalProjection
from trader.rows import Identity
from trader.venues.gateway import OrderRequest

D = Decimal
PERPETUAL = "BTC/USDT:USDT"
WHO = Identity("paper", "sim")


def fill(number: int, side: str, quantity: str, price: str, *, fee: str = "0", strategy: str = STRATEGY) -> Fill:
    execution = Execution(
        fill_id=str(number),
        symbol=PERPETUAL,
        side="buy" if side == "buy" else "sell",
        venue_order_id="7",
        quantity=D(quantity),
        price=D(price),
        cost=D(quantity) * D(price),
        fee=D(fee),
        fee_currency="USDT",
        maker=D(fee) < 0,
        ts_ns=number,
    )
    return Fill(execution, "ares1", strategy, "cycle-1", number)


def after(*fills: Fill) -> Position:
    position = Position(PERPETUAL, STRATEGY)
    for each in fills:
        position = apply_fill(position, each, shorts=True).position
    return position


def test_a_fill_through_zero_closes_at_the_old_cost_and_opens_at_its_own_price() -> None:
    short = after(fill(1, "buy", "1", "100"), fill(2, "sell", "3", "110"))
    assert (short.quantity, short.cost_basis, short.realised_quote) == (D(-2), D(-220), D(10))
    assert short.average_price == 110
    assert short.unrealised_quote(D(100)) == 20
    flat = apply_fill(short, fill(3, "buy", "2", "90"), shorts=True).position
    assert (flat.quantity, flat.cost_basis, flat.realised_quote, flat.lots) == (D(0), D(0), D(50), ())


def test_the_oldest_lot_and_the_average_disagree_about_profit_until_all_is_sold() -> None:
    half = after(fill(1, "buy", "1", "100"), fill(2, "buy", "1", "200"), fill(3, "sell", "1", "200"))
    assert (half.realised_quote, half.realised_fifo_quote) == (D(50), D(100))
    assert (half.cost_basis, half.cost_fifo) == (D(150), D(200))
    flat = apply_fill(half, fill(4, "sell", "1", "200"), shorts=True).position
    assert flat.realised_quote == flat.realised_fifo_quote == 100


def test_a_makers_rebate_is_profit_once_and_shown_as_what_came_back() -> None:
    position = after(fill(1, "buy", "1", "100", fee="-0.5"), fill(2, "sell", "1", "100", fee="0.2"))
    assert (position.realised_quote, position.fees_quote, position.rebates_quote) == (D("0.3"), D("-0.3"), D("0.5"))


def test_a_contract_is_worth_its_profit_and_counts_whole_as_exposure() -> None:
    portfolio = Portfolio()
    portfolio.apply(fill(1, "sell", "2", "100"))
    worth = portfolio.worth({PERPETUAL: D(90)})
    assert (worth.positions_quote, worth.unrealised_quote, worth.gross_quote) == (D(20), D(20), D(180))


def test_funding_is_shared_out_by_who_holds_and_its_last_digit_goes_to_the_largest() -> None:
    funding = Funding("1", PERPETUAL, D("-1"), 5)
    parts = {each.strategy: each.amount for each in split_funding(funding, {"a": D(3), "b": D(1), "c": D(-1)})}
    assert parts == {"a": D("-1"), "b": D("-0.3333333333"), "c": D("0.3333333333")}
    assert [each.strategy for each in split_funding(funding, {})] == ["foreign"]


async def test_a_book_with_everything_in_it_is_the_same_after_a_start_and_in_its_projection(
    control: ControlStore,
) -> None:
    ledger = Ledger(control, WHO)
    await ledger.open([Adoption(BTC, STRATEGY, D("0.05"), D(50_000))], 1)
    await ledger.book([fill(2, "buy", "1", "100"), fill(3, "sell", "3", "110")])
    assert await ledger.book_funding(Funding("8", PERPETUAL, D("0.25"), 4), 4)
    assert not await ledger.book_funding(Funding("8", PERPETUAL, D("0.25"), 4), 5)
    assert await ledger.book_foreign(fill(6, "buy", "1", "99", strategy="foreign"))
    assert not await ledger.book_foreign(fill(6, "buy", "1", "99", strategy="foreign"))
    again = Ledger(control, WHO)
    await again.load()
    assert again.portfolio.positions() == ledger.portfolio.positions()
    assert again.portfolio.position(PERPETUAL, STRATEGY).funding_quote == D("0.25")
    assert not await again.book_funding(Funding("8", PERPETUAL, D("0.25"), 4), 7)
    rows = list(BookProjection("").fold(REGISTRY.read(each) for each in control.stream("fills/paper")))
    assert rows == [entry.row for entry in control.outbox(0, 100)]
    assert [row.symbols["cause"] for row in rows if row.table == "position_events"] == [
        *("adopted", "fill", "fill", "funding", "foreign")
    ]


async def test_capital_is_counted_once_and_a_movement_that_is_told_twice_moves_once(control: ControlStore) -> None:
    capital = Capital(control, "paper")
    await capital.load()
    await capital.count(CapitalCounted("USDT", D(20_000), ()), 1)
    moved = CapitalMoved("wire-7", D(-500), "ada", "rent")
    assert await capital.move(moved, 2)
    assert not await capital.move(moved, 3)
    again = Capital(control, "paper")
    await again.load()
    assert (again.quote, again.is_counted) == (D(19_500), True)
    assert not await again.move(moved, 4)
    rows = list(CapitalProjection().fold(REGISTRY.read(each) for each in control.stream("capital/paper")))
    assert rows == [entry.row for entry in control.outbox(0, 100)]
    assert [row.symbols["cause"] for row in rows] == ["counted", "withdrawal"]


async def test_the_first_start_writes_down_what_the_account_held_and_later_ones_do_not(bench: Bench) -> None:
    bench.config = bench.config.model_copy(update={"adopt_balances_to": STRATEGY})
    await bench.trader()
    (counted,) = bench.control.read("capital/paper")
    said = REGISTRY.read(counted).body
    assert isinstance(said, CapitalCounted)
    assert (said.currency, said.equity_quote) == ("USDT", D(22_500))
    assert {each.currency: (each.quantity, each.mark) for each in said.held} == {
        "BTC": (D("0.05"), D(50_000)),
        "USDT": (D(20_000), D(1)),
    }
    bench.venue.holdings["USDT"] = D(25_000)
    second = await bench.trader()
    assert len(bench.control.read("capital/paper")) == 1
    await second.cycle.run()
    equity = bench.rows("equity")[-1].columns
    assert (equity["equity_quote"], equity["capital_quote"]) == (D(27_500), D(22_500))


async def test_a_foreign_purchase_can_be_taken_over_by_a_strategy(bench: Bench) -> None:
    bench.config = bench.config.model_copy(update={"foreign_fills": "adopt", "foreign_fills_to": STRATEGY})
    trader = await bench.trader()
    await bench.venue.submit(OrderRequest("by-hand-1", BTC, "buy", "market", "IOC", D("0.01"), None))
    assert await trader.account.sweep_executions([BTC]) == 1
    assert trader.ledger.portfolio.position(BTC, STRATEGY).quantity == D("0.00999")
    (row,) = bench.rows("fills")
    assert (row.symbols["strategy"], row.columns["order_id"]) == (STRATEGY, "venue/1")
    assert bench.rows("position_events")[-1].symbols["cause"] == "foreign"


async def test_a_flatten_leaves_what_was_bought_by_hand(bench: Bench) -> None:

    trader = await bench.trader()
    await bench.venue.submit(OrderRequest("by-hand-1", BTC, "buy", "market", "IOC", D("0.01"), None))
    await trader.account.sweep_executions([BTC])
    outcome = await trader.commander.flatten(Order("ada", "end of test"))
    assert outcome["orders_sent"] == 0
    assert outcome["left"] == {f"{BTC} foreign": "0.0099900000"}


async def test_an_execution_whose_order_the_venue_does_not_know_yet_waits_before_it_is_foreign(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.venue.submit(OrderRequest("by-hand-1", BTC, "buy", "market", "IOC", D("0.01"), None))
    hidden = bench.venue.orders.pop("by-hand-1")
    assert await trader.account.sweep_executions([BTC]) == 0
    await bench.advance(SHOWN_S_MAX)
    assert [await trader.account.sweep_executions([BTC]) for _ in range(2)] == [1, 0]
    bench.venue.orders["by-hand-1"] = hidden
    assert trader.ledger.portfolio.position(BTC, "foreign").quantity == D("0.00999")


def test_settings_that_leave_foreign_fills_without_a_place_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"foreign_fills_to.*needs a strategy that trades"):
        load_config(environ={"ARES_TRADING__FOREIGN_FILLS": "adopt"})
    with pytest.raises(ValueError, match="Take another one"):
        TradingConfig(strategies=(StrategyConfig(name="foreign", max_position_quote=D(1)),))
    config = TradingConfig(
        strategies=(StrategyConfig(name="a", max_position_quote=D(1)),), foreign_fills="adopt", foreign_fills_to="a"
    )
    assert (config.foreign_strategy, TradingConfig().foreign_strategy) == ("a", "foreign")


async def test_a_book_that_was_opened_before_capital_was_known_is_counted_at_its_next_start(bench: Bench) -> None:
    opened = OPENED.new(BookOpened("sim", (Adoption(BTC, STRATEGY, D("0.05"), D(40_000)),)), 1)
    bench.control.append("fills/paper", [opened], expected_seq=0)
    trader = await bench.trader()
    assert trader.account.parts.capital.quote == 22_500
