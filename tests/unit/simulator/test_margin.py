"""Goal: a futures account is margined, charged, funded and liquidated as documented, and refuses in Binance's words."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from simulator.matching import DisplayedBook
from simulator.matching.contracts import BRACKETS, Cleared, Contract, Entered, NewContractOrder
from simulator.matching.margin import liquidation_price, standing
from simulator.matching.margin_engine import MarginEngine
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.queue import PublicTrade
from simulator.matching.types import Closed, Filled, Refusal, Side

D = Decimal
CONTRACT = Contract("BTCUSDT", "BTC", "USDT", D("0.1"), D("0.001"), D("0.0002"), D("0.0005"))
BOOK = DisplayedBook(bids=((D("99.9"), D(50)), (D("99.8"), D(50))), asks=((D("100.1"), D(50)), (D("100.2"), D(50))))


class Account:
    """A ledger and its engine, at a mark price that the test sets."""

    def __init__(self, wallet: int = 1_000) -> None:
        self.ledger = MarginLedger([CONTRACT], D(wallet))
        self.engine = MarginEngine(self.ledger)
        self.mark = D(100)

    @property
    def marks(self) -> dict[str, D]:
        return {"BTCUSDT": self.mark}

    def place(
        self, side: Side, amount: str, price: str | None = None, *, reduce_only: bool = False, client_id: str = "c"
    ) -> list[object]:
        kind = "MARKET" if price is None else "LIMIT"
        new = NewContractOrder(
            "BTCUSDT",
            side,
            "LIMIT" if kind == "LIMIT" else "MARKET",
            client_id,
            D(amount),
            None if price is None else D(price),
            reduce_only=reduce_only,
        )
        events = self.engine.place(new, BOOK, self.marks, 5)
        for event in events:
            self.ledger.apply(event)
        return list(events)

    def trade(self, price: str, amount: str, *, maker: bool) -> list[object]:
        events = self.engine.on_trade(PublicTrade("BTCUSDT", D(price), D(amount), maker, 7))
        for event in events:
            self.ledger.apply(event)
        return list(events)

    @property
    def amount(self) -> D:
        return self.ledger.positions["BTCUSDT"].amount


@pytest.fixture
def account() -> Account:
    return Account()


def test_short_earns_what_the_price_falls_less_both_fees(account: Account) -> None:
    account.place("SELL", "10")
    assert (account.amount, account.ledger.positions["BTCUSDT"].entry) == (D(-10), D("99.9"))
    account.place("BUY", "10")
    fees = D("99.9") * 10 * D("0.0005") + D("100.1") * 10 * D("0.0005")
    assert account.amount == 0
    assert account.ledger.wallet == 1_000 - 2 - fees
    assert [income.type for income in account.ledger.incomes] == ["COMMISSION", "REALIZED_PNL", "COMMISSION"]


def test_order_through_the_position_closes_it_and_opens_the_other_side(account: Account) -> None:
    account.place("BUY", "2")
    account.place("SELL", "5", client_id="flip")
    position = account.ledger.positions["BTCUSDT"]
    assert (position.amount, position.entry, position.realized) == (D(-3), D("99.9"), D("-0.4"))


def test_margin_is_worst_case_of_position_and_orders_at_the_leverage(account: Account) -> None:
    account.place("BUY", "10")
    account.place("SELL", "30", "101", client_id="far")
    state = standing(account.ledger, account.marks)
    assert state.position_initial == D(50)
    assert state.initial == abs(D(1_000) - 30 * D(101)) / 20


def test_order_without_margin_is_refused_and_leaves_nothing(account: Account) -> None:
    with pytest.raises(Refusal) as refused:
        account.place("BUY", "250", "100")
    assert (refused.value.code, refused.value.message) == (-2019, "Margin is insufficient.")
    assert not account.ledger.orders


def test_closing_needs_no_margin_even_of_a_ruined_account(account: Account) -> None:
    account.place("BUY", "50")
    account.mark = D(82)
    account.place("SELL", "50", client_id="out")
    assert account.amount == 0


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_reduce_only_is_refused_where_there_is_nothing_to_reduce(account: Account, side: Side) -> None:
    if side == "BUY":
        account.place("BUY", "1")
    with pytest.raises(Refusal) as refused:
        account.place(side, "1", reduce_only=True, client_id="r")
    assert refused.value.code == -2022


def test_reduce_only_larger_than_the_position_closes_it_and_expires(account: Account) -> None:
    account.place("BUY", "1")
    events = account.place("SELL", "5", reduce_only=True, client_id="r")
    assert account.amount == 0
    assert isinstance(events[-1], Closed)
    assert events[-1].status == "EXPIRED"
    assert not account.ledger.open_orders()


def test_resting_reduce_only_orders_expire_when_the_position_is_gone(account: Account) -> None:
    account.place("BUY", "2")
    account.place("SELL", "2", "101", reduce_only=True, client_id="r1")
    account.place("SELL", "2", "101.5", reduce_only=True, client_id="r2")
    events = account.trade("103", "9", maker=False)
    assert [type(event) for event in events] == [Filled, Closed]
    assert account.amount == 0
    assert not account.ledger.open_orders()


def test_two_orders_of_one_client_id_cannot_be_open_at_once(account: Account) -> None:
    account.place("BUY", "1", "90")
    with pytest.raises(Refusal) as refused:
        account.place("BUY", "1", "91")
    assert refused.value.code == -4116
    account.place("BUY", "1", "91", client_id="other")


@pytest.mark.parametrize(
    ("amount", "price", "code"),
    [
        ("0", "100", -4003),
        ("1.0005", "100", -1111),
        ("1001", "100", -4005),
        ("1", "100.05", -1111),
        ("1", "0", -4001),
        ("1", "105.1", -4016),
        ("0.049", "100", -4164),
    ],
)
def test_what_breaks_a_filter_is_refused_in_the_venues_code(
    account: Account, amount: str, price: str, code: int
) -> None:
    with pytest.raises(Refusal) as refused:
        account.place("BUY", amount, price)
    assert refused.value.code == code


def test_funding_moves_from_longs_to_shorts(account: Account) -> None:
    account.place("SELL", "10")
    before = account.ledger.wallet
    for event in account.engine.fund(D("0.0001"), account.marks, 9):
        account.ledger.apply(event)
    assert account.ledger.wallet - before == D("0.1")
    assert account.ledger.incomes[-1].type == "FUNDING_FEE"


def test_flat_account_is_not_funded(account: Account) -> None:
    assert account.engine.fund(D("0.0001"), account.marks, 9) == []


def test_account_is_lost_at_its_price_of_liquidation_and_not_before(account: Account) -> None:
    account.place("BUY", "50")
    price = liquidation_price(account.ledger, "BTCUSDT", standing(account.ledger, account.marks))
    account.mark = price + D("0.01")
    assert account.engine.liquidate(account.marks, 11) == []
    account.mark = price - D("0.01")
    assert account.engine.liquidate(account.marks, 11)


def test_liquidation_ends_orders_closes_the_position_and_leaves_no_debt(account: Account) -> None:
    account.place("BUY", "50")
    account.place("BUY", "1", "90", client_id="resting")
    account.mark = D(70)
    events = account.engine.liquidate(account.marks, 11)
    for event in events:
        account.ledger.apply(event)
    assert [type(event) for event in events] == [Closed, Entered, Filled, Cleared]
    assert (account.amount, account.ledger.wallet) == (D(0), D(0))
    assert not account.ledger.open_orders()
    assert account.ledger.orders[3].accepted.forced


def test_leverage_has_its_largest_position_and_needs_its_margin(account: Account) -> None:
    for wanted, code in ((0, -4028), (126, -4028)):
        with pytest.raises(Refusal) as refused:
            account.engine.set_leverage("BTCUSDT", wanted, account.marks, 3)
        assert refused.value.code == code
    account.place("BUY", "50")
    with pytest.raises(Refusal) as refused:
        account.engine.set_leverage("BTCUSDT", 1, account.marks, 3)
    assert refused.value.code == -2028


def test_brackets_join_without_a_step() -> None:
    for lower, upper in pairwise(BRACKETS):
        assert lower.cap * lower.keep - lower.cum == lower.cap * upper.keep - upper.cum
    assert [bracket.cum for bracket in BRACKETS[:4]] == [0, 50, 950, 11_450]
