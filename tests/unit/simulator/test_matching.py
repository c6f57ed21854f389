"""Goal: orders are filled, refused and charged as the venue does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from simulator.matching import DisplayedBook, Engine, Event, Ledger, NewOrder, Order, Refusal, Rules
from simulator.matching.ledger import require_order
from simulator.matching.queue import PublicTrade
from simulator.matching.types import Filled, Side, is_time_in_force

D = Decimal
RULES = Rules("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00001"), D("0.001"), D("0.002"))
BOOK = DisplayedBook(
    bids=((D("99.99"), D(2)), (D("99.98"), D(5))),
    asks=((D("100.00"), D(1)), (D("100.01"), D(3)), (D("100.02"), D(9))),
)
LIMIT_BUY = NewOrder("BTCUSDT", "BUY", "LIMIT", "one", "GTC", D("99.99"), D(1))


class Bench:
    """An engine with its ledger, and the events applied as the desk does it."""

    def __init__(self) -> None:
        self.ledger = Ledger([RULES], {"USDT": D(10_000), "BTC": D(10)})
        self.engine = Engine(self.ledger)

    def place(self, new: NewOrder, book: DisplayedBook = BOOK) -> Order:
        return self._apply(self.engine.place(new, book, 1))

    def cancel(self, order: Order) -> Order:
        return self._apply(self.engine.cancel(order, "c", 2))

    def trade(self, price: str, amount: str, *, maker: bool) -> list[Filled]:
        events = self.engine.on_trade(PublicTrade("BTCUSDT", D(price), D(amount), maker, 3))
        for event in events:
            self.ledger.apply(event)
        self.engine.forget_closed()
        return [event for event in events if isinstance(event, Filled)]

    def free(self, asset: str) -> Decimal:
        return self.ledger.balances[asset].free

    def _apply(self, events: list[Event]) -> Order:
        return [self.ledger.apply(event) for event in events][-1]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def market(side: Side, amount: Decimal | None = None, quote_amount: Decimal | None = None) -> NewOrder:
    return NewOrder("BTCUSDT", side, "MARKET", "m", amount=amount, quote_amount=quote_amount)


def test_market_buy_walks_the_asks_and_pays_its_fee_in_what_it_receives(bench: Bench) -> None:
    order = bench.place(market("BUY", amount=D(2)))
    assert [(f.price, f.amount) for f in order.fills] == [(D("100.00"), D(1)), (D("100.01"), D(1))]
    assert (order.status, order.filled_cost) == ("FILLED", D("200.01"))
    assert bench.free("USDT") == D(10_000) - D("200.01")
    assert bench.free("BTC") == D(12) - D("0.004")
    assert bench.ledger.fees == {"BTC": D("0.004")}


def test_market_sell_walks_the_bids_and_pays_its_fee_in_quote(bench: Bench) -> None:
    order = bench.place(market("SELL", amount=D(3)))
    cost = D(2) * D("99.99") + D("99.98")
    assert order.filled_cost == cost
    assert bench.free("USDT") == D(10_000) + cost * D("0.998")
    assert bench.free("BTC") == 7


def test_market_order_larger_than_the_book_expires_with_its_rest(bench: Bench) -> None:
    order = bench.place(market("SELL", amount=D(8)))
    assert (order.status, order.filled) == ("EXPIRED", D(7))


def test_market_order_into_an_empty_book_expires_whole(bench: Bench) -> None:
    order = bench.place(market("BUY", amount=D(1)), DisplayedBook((), ()))
    assert (order.status, order.filled) == ("EXPIRED", 0)


def test_market_buy_for_a_sum_of_quote_buys_whole_steps_below_it(bench: Bench) -> None:
    order = bench.place(market("BUY", quote_amount=D(150)))
    assert D("149.99") < order.filled_cost <= 150
    assert order.filled % RULES.step == 0
    assert order.accepted.amount == order.filled


def test_limit_order_inside_the_spread_rests_and_locks_its_cost(bench: Bench) -> None:
    order = bench.place(LIMIT_BUY)
    assert order.status == "NEW"
    assert bench.ledger.balances["USDT"].locked == D("99.99")
    assert bench.ledger.open_orders() == [order]


def test_limit_order_at_a_better_price_than_its_own_gets_the_difference_back(bench: Bench) -> None:
    order = bench.place(replace(LIMIT_BUY, price=D("101.00"), amount=D(1)))
    assert (order.status, order.filled_cost) == ("FILLED", D("100.00"))
    assert bench.free("USDT") == D(9_900)
    assert bench.ledger.balances["USDT"].locked == 0


def test_limit_order_takes_what_crosses_and_rests_with_the_rest(bench: Bench) -> None:
    order = bench.place(replace(LIMIT_BUY, price=D("100.00"), amount=D(3)))
    assert (order.status, order.filled, order.remaining) == ("PARTIALLY_FILLED", 1, 2)
    assert bench.trade("100.00", "9", maker=True)[0].amount == 2


def test_ioc_order_never_rests(bench: Bench) -> None:
    order = bench.place(replace(LIMIT_BUY, time_in_force="IOC", price=D("100.00"), amount=D(3)))
    assert (order.status, order.filled) == ("EXPIRED", 1)
    assert bench.ledger.balances["USDT"].locked == 0


def test_fok_order_is_filled_whole_or_not_at_all(bench: Bench) -> None:
    fok = replace(LIMIT_BUY, time_in_force="FOK", price=D("100.01"))
    assert bench.place(replace(fok, amount=D(5))).filled == 0
    assert bench.place(replace(fok, amount=D(4))).status == "FILLED"


def test_post_only_order_that_would_take_is_refused_and_one_that_rests_is_not(bench: Bench) -> None:
    maker = replace(LIMIT_BUY, type="LIMIT_MAKER")
    with pytest.raises(Refusal, match=r"-2010: Order would immediately match and take."):
        bench.place(replace(maker, price=D("100.00")))
    assert bench.place(maker).status == "NEW"


def test_resting_order_waits_behind_what_was_displayed(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    assert bench.trade("99.99", "1.5", maker=True) == []
    [fill] = bench.trade("99.99", "1.2", maker=True)
    assert (fill.amount, fill.maker, fill.fee) == (D("0.7"), True, D("0.0007"))
    [rest] = bench.trade("99.99", "9", maker=True)
    assert rest.amount == D("0.3")


def test_trade_through_the_price_fills_without_waiting(bench: Bench) -> None:
    order = bench.place(LIMIT_BUY)
    [fill] = bench.trade("99.98", "0.4", maker=True)
    assert (fill.price, fill.amount) == (D("99.99"), D("0.4"))
    assert order.status == "PARTIALLY_FILLED"


def test_buyer_who_lifts_an_ask_at_our_bid_fills_us(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    assert bench.trade("99.99", "0.4", maker=False)[0].amount == D("0.4")


def test_trade_away_from_the_price_does_not_fill(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    assert bench.trade("100.00", "50", maker=False) == []


def test_sell_order_is_filled_by_buyers_at_its_price(bench: Bench) -> None:
    bench.place(replace(LIMIT_BUY, side="SELL", price=D("100.02")))
    assert bench.trade("100.02", "9", maker=False) == []
    assert bench.trade("100.02", "1", maker=False)[0].fee == D("0.10002")
    assert bench.trade("99.99", "9", maker=True) == []


def test_queue_shrinks_when_the_displayed_amount_does(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    bench.engine.on_book("BTCUSDT", lambda _side, _price: D("0.5"))
    assert bench.trade("99.99", "0.6", maker=True)[0].amount == D("0.1")


def test_own_orders_fill_by_price_then_by_age(bench: Bench) -> None:
    wide = DisplayedBook(bids=(), asks=((D("101.00"), D(1)),))
    for name, price in (("second", "99.99"), ("third", "99.99"), ("first", "100.00")):
        bench.place(replace(LIMIT_BUY, client_id=name, price=D(price)), wide)
    fills = bench.trade("99.98", "2.4", maker=True)
    names = [bench.ledger.orders[fill.order_id].accepted.client_id for fill in fills]
    assert names == ["first", "second", "third"]
    assert [fill.amount for fill in fills] == [1, 1, D("0.4")]


def test_one_trade_never_fills_more_than_its_amount_behind_the_queue(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    bench.place(replace(LIMIT_BUY, client_id="two"))
    fills = bench.trade("99.99", "3.5", maker=True)
    assert [f.amount for f in fills] == [1, D("0.5")]


def test_restored_order_waits_until_the_book_is_seen(bench: Bench) -> None:
    bench.place(LIMIT_BUY)
    restarted = Engine(bench.ledger)
    trade = PublicTrade("BTCUSDT", D("99.99"), D(9), buyer_is_maker=True, ts_ms=5)
    assert restarted.on_trade(trade) == []
    restarted.on_book("BTCUSDT", lambda _side, _price: D(0))
    assert len(restarted.on_trade(trade)) == 1


def test_cancel_returns_what_was_locked_and_a_second_cancel_is_refused(bench: Bench) -> None:
    order = bench.place(LIMIT_BUY)
    assert bench.cancel(order).status == "CANCELED"
    assert bench.free("USDT") == 10_000
    with pytest.raises(Refusal, match=r"-2011: Unknown order sent."):
        bench.cancel(order)


def test_client_id_is_refused_only_while_its_order_is_open(bench: Bench) -> None:
    order = bench.place(LIMIT_BUY)
    with pytest.raises(Refusal, match=r"-2010: Duplicate order sent."):
        bench.place(LIMIT_BUY)
    bench.cancel(order)
    again = bench.place(LIMIT_BUY)
    assert bench.ledger.find("BTCUSDT", None, "one") is again
    assert bench.ledger.find("BTCUSDT", order.order_id, None) is order
    assert bench.ledger.find("ETHUSDT", order.order_id, None) is None


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"price": D("99.995")}, "-1013: Filter failure: PRICE_FILTER"),
        ({"price": D(0)}, "-1013: Filter failure: PRICE_FILTER"),
        ({"price": D(10**9)}, "-1013: Filter failure: PRICE_FILTER"),
        ({"amount": D("0.000011")}, "-1013: Filter failure: LOT_SIZE"),
        ({"amount": D(0)}, "-1013: Filter failure: LOT_SIZE"),
        ({"amount": D(9_001)}, "-1013: Filter failure: LOT_SIZE"),
        ({"amount": D("0.01")}, "-1013: Filter failure: NOTIONAL"),
        ({"amount": D("0.123456789")}, "-1111: Parameter 'quantity' has too much precision."),
        ({"price": D("NaN")}, "-1100"),
        ({"client_id": "no spaces"}, "-1100: Illegal characters found in parameter 'newClientOrderId'"),
        ({"client_id": "x" * 37}, "-1100"),
        ({"amount": D(200)}, "-2010: Account has insufficient balance for requested action."),
        ({"symbol": "XUSDT"}, "-1121: Invalid symbol."),
    ],
)
def test_order_against_the_rules_is_refused_with_the_venues_words(
    change: dict[str, object], refusal: str, bench: Bench
) -> None:
    build: Callable[..., NewOrder] = replace
    with pytest.raises(Refusal, match=refusal):
        bench.place(build(LIMIT_BUY, **change))
    assert bench.ledger.orders == {}


def test_market_order_below_the_least_worth_is_refused(bench: Bench) -> None:
    with pytest.raises(Refusal, match="NOTIONAL"):
        bench.place(market("BUY", amount=D("0.001")))
    with pytest.raises(Refusal, match="NOTIONAL"):
        bench.place(market("BUY", quote_amount=D(1)))


def test_sum_of_quote_too_small_for_one_step_is_refused() -> None:
    bench = Bench()
    with pytest.raises(Refusal, match="LOT_SIZE"):
        bench.place(market("BUY", quote_amount=D(6)), DisplayedBook((), ((D(10_000_000), D(1)),)))


@pytest.mark.parametrize("order", [market("BUY", amount=D(101)), market("SELL", amount=D(11))])
def test_market_order_beyond_the_balance_is_refused(order: NewOrder) -> None:
    deep = DisplayedBook(((D(100), D(1_000)),), ((D(100), D(1_000)),))
    with pytest.raises(Refusal, match="insufficient balance"):
        Bench().place(order, deep)


def test_missing_order_becomes_the_refusal_asked_for() -> None:
    with pytest.raises(Refusal, match=r"-2013: Order does not exist."):
        require_order(None, -2013, "Order does not exist.")


def test_only_known_times_in_force_are_taken() -> None:
    assert is_time_in_force("GTC")
    assert not is_time_in_force("GTX")
