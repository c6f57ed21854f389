"""Goal: stops, trailing stops, pairs and amendments do what the venue's documents say, and lock what they must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from simulator.matching import DisplayedBook, Engine, Event, Ledger, NewOrder, NewPair, Order, Refusal, Rules
from simulator.matching.queue import PublicTrade
from simulator.matching.types import Filled, OrderType, Side

D = Decimal
RULES = Rules("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00001"), D("0.001"), D("0.002"))
BOOK = DisplayedBook(bids=((D(99), D(2)), (D(98), D(5))), asks=((D(101), D(1)), (D(102), D(9))), last=D(100))
STOP_SELL = NewOrder("BTCUSDT", "SELL", "STOP_LOSS", "stop", amount=D(1), stop_price=D(90))
LIMIT_MAKER = NewOrder("BTCUSDT", "SELL", "LIMIT_MAKER", "limit", price=D(110), amount=D(1))
PAIR = NewPair("pair", LIMIT_MAKER, STOP_SELL)


class Bench:
    """An engine with its ledger, and the events applied as the desk does it."""

    def __init__(self) -> None:
        self.ledger = Ledger([RULES], {"USDT": D(10_000), "BTC": D(10)})
        self.engine = Engine(self.ledger)
        self.book = BOOK

    def place(self, new: NewOrder) -> Order:
        return self.apply(self.engine.place(new, self.book, 1))[0]

    def pair(self, pair: NewPair = PAIR) -> tuple[Order, Order]:
        """The leg that takes the loss, and the one that takes the profit."""
        loss, profit = dict.fromkeys(id(order) for order in self.apply(self.engine.place_pair(pair, self.book, 1)))
        orders = {id(order): order for order in self.ledger.orders.values()}
        return orders[loss], orders[profit]

    def trade(self, *prices: str, amount: str = "100", buyer_is_maker: bool = True) -> list[Event]:
        happened: list[Event] = []
        for price in prices:
            trade = PublicTrade("BTCUSDT", D(price), D(amount), buyer_is_maker, 7)
            events = self.engine.on_trade(trade)
            self.apply(events)
            happened += events
            while events := self.engine.on_price(trade, self.book):
                self.apply(events)
                happened += events
        return happened

    def apply(self, events: list[Event]) -> list[Order]:
        orders = [self.ledger.apply(event) for event in events]
        self.engine.forget_closed()
        return orders

    def locked(self, asset: str) -> Decimal:
        return self.ledger.balances[asset].locked


@pytest.fixture
def bench() -> Bench:
    return Bench()


def stop(side: Side, kind: OrderType, stop_price: str | None = None, delta: int = 0) -> NewOrder:
    price = D(100) if kind.endswith("_LIMIT") else None
    stop_at = D(stop_price) if stop_price else None
    return NewOrder("BTCUSDT", side, kind, "stop", price=price, amount=D(1), stop_price=stop_at, trailing_delta=delta)


@pytest.mark.parametrize(
    ("new", "quiet", "meets"),
    [
        (stop("SELL", "STOP_LOSS", "90"), ("90.01", "200"), "90"),
        (stop("BUY", "STOP_LOSS", "110"), ("109.99", "50"), "110"),
        (stop("SELL", "TAKE_PROFIT", "110"), ("109.99", "50"), "110.01"),
        (stop("BUY", "TAKE_PROFIT", "90"), ("90.01", "200"), "89.99"),
    ],
)
def test_stop_waits_off_the_book_until_its_price_is_traded_and_then_takes_what_is_there(
    new: NewOrder, quiet: tuple[str, ...], meets: str, bench: Bench
) -> None:
    order = bench.place(new)
    assert (order.status, order.working) == ("NEW", False)
    assert bench.trade(*quiet) == []
    bench.trade(meets)
    assert (order.status, order.filled, order.working_ms) == ("FILLED", 1, 7)
    assert order.filled_cost == (99 if new.side == "SELL" else 101)
    assert bench.locked("BTC") == bench.locked("USDT") == 0
    assert len(bench.ledger.stops["BTCUSDT"]) == 0


@pytest.mark.parametrize(
    ("side", "kind", "stop_price"),
    [
        ("SELL", "STOP_LOSS", "100"),
        ("BUY", "STOP_LOSS_LIMIT", "99.99"),
        ("SELL", "TAKE_PROFIT_LIMIT", "100"),
        ("BUY", "TAKE_PROFIT", "100.01"),
    ],
)
def test_stop_that_the_last_trade_meets_already_is_refused(
    side: Side, kind: OrderType, stop_price: str, bench: Bench
) -> None:
    with pytest.raises(Refusal, match=r"-2010: Stop price would trigger immediately\."):
        bench.place(stop(side, kind, stop_price))
    assert bench.ledger.orders == {}


def test_before_the_first_trade_no_stop_price_is_too_near(bench: Bench) -> None:
    bench.book = replace(BOOK, last=D(0))
    assert bench.place(stop("SELL", "STOP_LOSS", "100")).status == "NEW"


def test_stop_limit_locks_its_cost_and_rests_at_its_price_when_the_book_is_elsewhere(bench: Bench) -> None:
    order = bench.place(replace(stop("BUY", "STOP_LOSS_LIMIT", "105"), price=D(100)))
    assert bench.locked("USDT") == 100
    bench.trade("105")
    assert (order.status, order.working, bench.locked("USDT")) == ("NEW", True, D(100))
    [fill] = bench.trade("99.5", amount="0.4")
    assert isinstance(fill, Filled)
    assert (fill.price, fill.maker, order.status) == (D(100), True, "PARTIALLY_FILLED")


@pytest.mark.parametrize(
    ("time_in_force", "filled", "reason"),
    [("IOC", 2, "UNFILLED_IOC_QUANTITY_EXPIRED"), ("FOK", 0, "UNFILLED_FOK_ORDER_EXPIRED")],
)
def test_time_in_force_counts_from_the_trigger(time_in_force: str, filled: int, reason: str, bench: Bench) -> None:
    build: Callable[..., NewOrder] = replace
    order = bench.place(
        build(stop("SELL", "STOP_LOSS_LIMIT", "90"), price=D(99), amount=D(3), time_in_force=time_in_force)
    )
    assert order.open
    bench.trade("90")
    assert (order.status, order.filled, order.reason) == ("EXPIRED", filled, reason)


def test_stop_larger_than_the_book_expires_with_its_rest(bench: Bench) -> None:
    order = bench.place(replace(STOP_SELL, amount=D(9)))
    bench.trade("90")
    assert (order.status, order.filled, order.reason) == ("EXPIRED", 7, "INSUFFICIENT_LIQUIDITY")
    assert bench.locked("BTC") == 0


def test_stop_at_market_holds_its_cost_at_the_stop_price_and_is_rejected_when_that_is_not_enough(bench: Bench) -> None:
    order = bench.place(replace(stop("BUY", "STOP_LOSS", "110"), amount=D(90)))
    assert bench.locked("USDT") == 9_900
    bench.book = replace(BOOK, asks=((D(120), D(500)),))
    bench.trade("110")
    assert (order.status, order.reason, order.filled) == ("EXPIRED", "REJECTED", 0)
    assert bench.ledger.balances["USDT"].free == 10_000


def test_stop_beyond_the_balance_is_refused(bench: Bench) -> None:
    for new in (replace(STOP_SELL, amount=D(11)), replace(stop("BUY", "STOP_LOSS", "110"), amount=D(91))):
        with pytest.raises(Refusal, match="insufficient balance"):
            bench.place(new)


def test_cancelled_stop_gives_back_what_it_held_and_never_triggers(bench: Bench) -> None:
    order = bench.place(STOP_SELL)
    assert bench.locked("BTC") == 1
    bench.apply(bench.engine.cancel(order, "c", 2))
    assert (bench.locked("BTC"), bench.trade("90"), order.status) == (0, [], "CANCELED")


@pytest.mark.parametrize(
    ("new", "quiet", "triggers"),
    [
        # The scenarios A to E of the venue's trailing stop FAQ, at a hundredth of its prices.
        (stop("BUY", "STOP_LOSS_LIMIT", "440", 500), ("370", "440", "450", "460", "420", "440.99"), "441"),
        (stop("SELL", "STOP_LOSS_LIMIT", "390", 1000), ("415", "390", "370", "410", "369.01"), "369"),
        (stop("BUY", "TAKE_PROFIT_LIMIT", "380", 850), ("420", "380", "370", "390", "380", "401.44"), "401.45"),
        (stop("SELL", "TAKE_PROFIT_LIMIT", "420", 750), ("415", "390", "420", "450", "440", "465", "430.13"), "430.12"),
        (stop("SELL", "STOP_LOSS_LIMIT", None, 700), ("420", "395", "455", "423.16"), "423.15"),
    ],
)
def test_trailing_stop_follows_the_market_as_in_the_venues_scenarios(
    new: NewOrder, quiet: tuple[str, ...], triggers: str, bench: Bench
) -> None:
    bench.book = DisplayedBook((), (), last=D(400))
    order = bench.place(replace(new, price=D(400)))
    bench.trade(*quiet)
    assert not order.working
    bench.trade(triggers)
    assert order.working


def test_trailing_time_is_that_of_the_trade_that_met_the_stop_price(bench: Bench) -> None:
    later = bench.place(stop("SELL", "TAKE_PROFIT", "110", 100))
    assert later.trailing_ms == -1
    bench.trade("110")
    assert (later.trailing_ms, later.trailing_from) == (7, D(110))
    at_once = bench.place(replace(stop("SELL", "STOP_LOSS", None, 100), client_id="now"))
    assert (at_once.trailing_ms, at_once.trailing_from) == (1, D(100))


@pytest.mark.parametrize("delta", [9, 2_001])
def test_delta_outside_the_filter_is_refused(delta: int, bench: Bench) -> None:
    with pytest.raises(Refusal, match="-1013: Filter failure: TRAILING_DELTA"):
        bench.place(stop("SELL", "STOP_LOSS", None, delta))


@pytest.mark.parametrize(("stop_price", "refusal"), [("90.001", "PRICE_FILTER"), ("0.000000001", "-1111")])
def test_stop_price_obeys_the_price_filter(stop_price: str, refusal: str, bench: Bench) -> None:
    with pytest.raises(Refusal, match=refusal):
        bench.place(replace(STOP_SELL, stop_price=D(stop_price)))


def test_pair_holds_what_the_dearer_leg_needs_and_no_more(bench: Bench) -> None:
    loss, profit = bench.pair()
    assert bench.locked("BTC") == 1
    assert (loss.accepted.list_id, profit.accepted.list_id) == (1, 1)
    assert (loss.working, profit.working) == (False, True)
    buy = NewPair(
        "buy",
        replace(stop("BUY", "STOP_LOSS", "110"), client_id="above"),
        NewOrder("BTCUSDT", "BUY", "LIMIT_MAKER", "below", price=D(95), amount=D(1)),
    )
    bench.pair(buy)
    assert bench.locked("USDT") == 110


def test_part_of_the_limit_leg_ends_the_stop(bench: Bench) -> None:
    loss, profit = bench.pair()
    bench.trade("110", amount="0.25", buyer_is_maker=False)
    assert (profit.status, profit.filled) == ("PARTIALLY_FILLED", D("0.25"))
    assert (loss.status, loss.reason) == ("EXPIRED", "OCO_TRIGGER")
    assert bench.locked("BTC") == D("0.75")
    assert bench.trade("90") == []
    bench.trade("111", buyer_is_maker=False)
    assert profit.status == "FILLED"
    assert not bench.ledger.lists[1].open


def test_trigger_of_the_stop_ends_the_limit_leg(bench: Bench) -> None:
    loss, profit = bench.pair()
    bench.trade("90")
    assert (loss.status, loss.filled, profit.status, profit.reason) == ("FILLED", 1, "EXPIRED", "OCO_TRIGGER")
    assert bench.trade("110", buyer_is_maker=False) == []
    assert bench.locked("BTC") == 0


def test_cancel_of_one_leg_cancels_both(bench: Bench) -> None:
    loss, profit = bench.pair()
    bench.apply(bench.engine.cancel(profit, "c", 3))
    assert {leg.status for leg in (loss, profit)} == {"CANCELED"}
    assert bench.locked("BTC") == 0


def test_pair_may_take_its_profit_by_a_contingent_order_and_trail_its_loss(bench: Bench) -> None:
    trailing = replace(stop("SELL", "STOP_LOSS", None, 500), client_id="trail")
    loss, profit = bench.pair(NewPair("p", replace(stop("SELL", "TAKE_PROFIT", "110"), client_id="tp"), trailing))
    bench.trade("108", "102.6")
    assert (loss.status, profit.status) == ("FILLED", "EXPIRED")


@pytest.mark.parametrize(
    ("above", "below", "refusal"),
    [
        (replace(LIMIT_MAKER, price=D("99.99")), STOP_SELL, "-2010: The relationship of the prices"),
        (LIMIT_MAKER, replace(STOP_SELL, stop_price=D(100)), "-2010: The relationship of the prices"),
        (replace(LIMIT_MAKER, type="STOP_LOSS", price=None, stop_price=D(110)), STOP_SELL, "-1197"),
        (LIMIT_MAKER, replace(LIMIT_MAKER, client_id="x"), "-1166"),
        (LIMIT_MAKER, replace(STOP_SELL, type="TAKE_PROFIT"), "-1199"),
        (replace(LIMIT_MAKER, type="LIMIT"), STOP_SELL, "-1158"),
        (LIMIT_MAKER, replace(STOP_SELL, client_id="limit"), "-2010: Duplicate"),
        (replace(LIMIT_MAKER, price=D("110.001")), STOP_SELL, "PRICE_FILTER"),
        (replace(LIMIT_MAKER, amount=D(11)), replace(STOP_SELL, amount=D(11)), "insufficient balance"),
    ],
)
def test_pair_that_does_not_fit_is_refused_whole(above: NewOrder, below: NewOrder, refusal: str, bench: Bench) -> None:
    with pytest.raises(Refusal, match=refusal):
        bench.pair(NewPair("p", above, below))
    assert bench.ledger.orders == {}
    assert bench.ledger.lists == {}


@pytest.mark.parametrize(
    ("above", "below", "code"),
    [
        ("LIMIT_MAKER", "STOP_LOSS", "-1165"),
        ("STOP_LOSS", "STOP_LOSS", "-1196"),
        ("TAKE_PROFIT", "TAKE_PROFIT", "-1198"),
    ],
)
def test_legs_of_a_buying_pair_have_their_sides(above: OrderType, below: OrderType, code: str, bench: Bench) -> None:
    def leg(kind: OrderType, name: str, price: str) -> NewOrder:
        limit = D(price) if kind == "LIMIT_MAKER" else None
        stop_price = None if limit else D(price)
        return NewOrder("BTCUSDT", "BUY", kind, name, price=limit, amount=D(1), stop_price=stop_price)

    with pytest.raises(Refusal, match=code):
        bench.pair(NewPair("p", leg(above, "a", "110"), leg(below, "b", "90")))


def test_limit_leg_that_would_take_is_refused(bench: Bench) -> None:
    bench.book = DisplayedBook(bids=((D(111), D(1)),), asks=(), last=D(100))
    with pytest.raises(Refusal, match="immediately match"):
        bench.pair()


def test_list_client_id_is_refused_only_while_its_list_is_open(bench: Bench) -> None:
    loss, _ = bench.pair()
    again = NewPair("pair", replace(LIMIT_MAKER, client_id="l2"), replace(STOP_SELL, client_id="s2"))
    with pytest.raises(Refusal, match="Duplicate"):
        bench.pair(again)
    bench.apply(bench.engine.cancel(loss, "c", 2))
    bench.pair(again)
    found = bench.ledger.find_list(None, "pair")
    assert found is bench.ledger.lists[2]
    assert bench.ledger.find_list(1, "other") is None


def test_amended_order_keeps_its_place_in_the_queue(bench: Bench) -> None:
    wide = DisplayedBook((), (), last=D(100))
    bench.book = wide
    first = bench.place(NewOrder("BTCUSDT", "BUY", "LIMIT", "one", price=D(95), amount=D(3)))
    second = bench.place(NewOrder("BTCUSDT", "BUY", "LIMIT", "two", price=D(95), amount=D(1)))
    bench.apply(bench.engine.amend(first, D(2), "one-b", 5))
    assert (bench.locked("USDT"), first.accepted.client_id) == (3 * 95, "one-b")
    assert bench.ledger.find("BTCUSDT", None, "one-b") is first
    bench.trade("94", amount="2")
    assert (first.status, second.filled) == ("FILLED", 0)


def test_amended_leg_makes_its_pair_smaller(bench: Bench) -> None:
    loss, profit = bench.pair()
    bench.apply(bench.engine.amend(loss, D("0.5"), "stop-b", 5))
    assert (loss.accepted.amount, profit.accepted.amount, bench.locked("BTC")) == (D("0.5"), D("0.5"), D("0.5"))
    assert (loss.accepted.client_id, profit.accepted.client_id) == ("stop-b", "limit")


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ("4", "-2038: Order amend .quantity increase. is not supported."),
        ("3", "-2038: The requested action would change no state; rejecting."),
        ("1", "-2038: The new quantity is not above what was executed."),
        ("0.000001", "-1013: Filter failure: LOT_SIZE"),
        ("0.01", "-1013: Filter failure: NOTIONAL"),
    ],
)
def test_amendment_that_is_not_a_reduction_is_refused(amount: str, refusal: str, bench: Bench) -> None:
    order = bench.place(NewOrder("BTCUSDT", "BUY", "LIMIT", "one", price=D(101), amount=D(3)))
    assert order.filled == 1
    with pytest.raises(Refusal, match=refusal):
        bench.engine.amend(order, D(amount), "b", 5)


def test_closed_order_foreign_id_and_too_many_amendments_are_refused(bench: Bench) -> None:
    order = bench.place(NewOrder("BTCUSDT", "BUY", "LIMIT", "one", price=D(95), amount=D(3)))
    bench.place(NewOrder("BTCUSDT", "BUY", "LIMIT", "two", price=D(95), amount=D(3)))
    with pytest.raises(Refusal, match="-2038: Duplicate"):
        bench.engine.amend(order, D(2), "two", 5)
    for number in range(RULES.amends_max):
        bench.apply(bench.engine.amend(order, 2 - D(number) / 100, "one", 5))
    with pytest.raises(Refusal, match="MAX_NUM_ORDER_AMENDS"):
        bench.engine.amend(order, D(1), "one", 5)
    bench.apply(bench.engine.cancel(order, "c", 6))
    with pytest.raises(Refusal, match="-2038: Unknown order sent"):
        bench.engine.amend(order, D(1), "one", 7)
