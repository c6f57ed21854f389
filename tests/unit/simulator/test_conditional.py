"""Goal: conditional orders of perpetuals are taken, triggered by the price they asked for, and end as Binance says."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from ares.testing.clock import SteppedClock
from simulator.journal import EventJournal
from simulator.matching import DisplayedBook
from simulator.matching.conditional import NewConditional, Sprung, WorkingType
from simulator.matching.conditional_engine import AT_ONCE, REDUCE_ONLY_REJECTED, ConditionalEngine, Look
from simulator.matching.contracts import Contract, MarginEvent, NewContractOrder
from simulator.matching.margin_engine import MarginEngine
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import Refusal, Side
from simulator.params import Params
from simulator.perpetual.algo_api import AlgoApi
from simulator.perpetual.algo_rows import algo_row, algo_status
from simulator.perpetual.desk import KINDS, MarginDesk
from simulator.perpetual.words import new_conditional
from tests.simulation.contracts_venue import DrawnPerpetuals

D = Decimal
SYMBOL = "BTCUSDT"
CONTRACT = Contract(SYMBOL, "BTC", "USDT", D("0.1"), D("0.001"), D("0.0002"), D("0.0005"))
BOOK = DisplayedBook(bids=((D("99.9"), D(50)),), asks=((D("100.1"), D(50)),))


class Account:
    """A ledger, both engines, and a mark that a test sets."""

    def __init__(self) -> None:
        self.ledger = MarginLedger([CONTRACT], D(10_000))
        self.engine = MarginEngine(self.ledger)
        self.conditional = ConditionalEngine(self.ledger, self.engine)
        self.mark = D(100)

    @property
    def marks(self) -> Mapping[str, D]:
        return {SYMBOL: self.mark}

    @property
    def amount(self) -> D:
        return self.ledger.positions[SYMBOL].amount

    def take(self, side: Side, amount: str) -> None:
        new = NewContractOrder(SYMBOL, side, "MARKET", f"take-{self.ledger.next_order_id}", D(amount))
        self.apply(self.engine.place(new, BOOK, self.marks, 5))

    def ask(self, **words: str) -> None:
        known = {"symbol": SYMBOL, "algoType": "CONDITIONAL", "reduceOnly": "true", "quantity": "1"}
        new = new_conditional(Params(known | words), self.ledger.next_algo_id)
        self.apply(self.conditional.place(new, self.marks, 6))

    def see(self, price: str, working: WorkingType = "CONTRACT_PRICE", book: DisplayedBook = BOOK) -> list[MarginEvent]:
        self.mark = D(price)
        seen: list[MarginEvent] = []
        while events := self.conditional.on_price(SYMBOL, working, Look(D(price), book, self.marks, 7)):
            self.apply(events)
            seen += events
        return seen

    def apply(self, events: object) -> None:
        assert isinstance(events, list)
        for event in events:
            self.ledger.apply(event)

    def status(self, algo_id: int = 1) -> str:
        return algo_status(self.ledger.algos[algo_id], self.ledger)


@pytest.fixture
def account() -> Account:
    return Account()


def code_of(account: Account, **words: str) -> int:
    with pytest.raises(Refusal) as refused:
        account.ask(**words)
    return refused.value.code


@pytest.mark.parametrize(
    ("side", "kind", "prices"),
    [
        ("SELL", "STOP_MARKET", ("98", "98.1", "97.5")),
        ("SELL", "TAKE_PROFIT_MARKET", ("103", "102.9", "103")),
        ("BUY", "STOP_MARKET", ("102", "101.9", "102.4")),
        ("BUY", "TAKE_PROFIT_MARKET", ("97", "97.1", "97")),
    ],
)
def test_stops_and_profits_of_both_sides_wait_for_their_price_and_close_the_position(
    account: Account, side: Side, kind: str, prices: tuple[str, str, str]
) -> None:
    trigger, short_of_it, met_by = prices
    account.take("SELL" if side == "BUY" else "BUY", "1")
    account.ask(side=side, type=kind, triggerPrice=trigger, clientAlgoId="stop")
    assert account.see(short_of_it) == []
    assert account.status() == "NEW"
    account.see(met_by)
    assert (account.amount, account.status()) == (0, "FINISHED")
    placed = account.ledger.orders[account.ledger.algos[1].order_id]
    assert (placed.accepted.type, placed.accepted.client_id, placed.status) == ("MARKET", "stop", "FILLED")
    row = algo_row(account.ledger.algos[1], account.ledger)
    assert (row["actualOrderId"], row["triggerTime"]) == (str(placed.order_id), 7)
    assert account.see(met_by) == [], "once"


@pytest.mark.parametrize(
    ("side", "kind", "trigger"),
    [
        ("SELL", "STOP_MARKET", "100"),
        ("SELL", "TAKE_PROFIT_MARKET", "99"),
        ("BUY", "STOP_MARKET", "99.5"),
        ("BUY", "TAKE_PROFIT_MARKET", "100"),
    ],
)
def test_what_would_trigger_at_once_is_refused(account: Account, side: str, kind: str, trigger: str) -> None:
    with pytest.raises(Refusal) as refused:
        account.ask(side=side, type=kind, triggerPrice=trigger)
    assert (refused.value.code, refused.value.message) == (-2021, AT_ONCE)
    assert not account.ledger.algos


def test_mark_and_contract_price_trigger_only_what_asked_for_them(account: Account) -> None:
    account.take("BUY", "2")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="98", workingType="MARK_PRICE")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="98")
    account.see("97", "CONTRACT_PRICE")
    assert (account.status(1), account.status(2)) == ("NEW", "FINISHED")
    account.see("97", "MARK_PRICE")
    assert (account.status(1), account.amount) == ("FINISHED", 0)


def test_a_trailing_stop_follows_the_best_price_and_closes_when_the_market_turns(account: Account) -> None:
    account.take("BUY", "1")
    account.ask(side="SELL", type="TRAILING_STOP_MARKET", callbackRate="2")
    for price in ("101", "110", "107.9"):
        assert account.see(price) == []
    account.see("107.8")
    assert (account.amount, account.status()) == (0, "FINISHED")


def test_a_trailing_stop_of_a_short_follows_downwards_from_its_activation(account: Account) -> None:
    account.take("SELL", "1")
    assert code_of(account, side="BUY", type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="100") == -2021
    account.ask(side="BUY", type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="95")
    account.see("96")
    account.see("99")
    assert account.status() == "NEW", "it does not follow yet"
    account.see("94")
    account.see("94.9")
    assert account.status() == "NEW"
    account.see("95")
    assert (account.amount, account.status()) == (0, "FINISHED")


def test_of_two_that_reduce_one_position_the_second_finds_nothing_and_is_rejected_when_it_triggers(
    account: Account,
) -> None:
    account.take("BUY", "1")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="98")
    account.ask(side="SELL", type="TAKE_PROFIT_MARKET", triggerPrice="103")
    account.see("97")
    assert (account.status(1), account.status(2), account.amount) == ("FINISHED", "NEW", 0)
    (sprung,) = account.see("104")
    assert isinstance(sprung, Sprung)
    assert (sprung.order_id, sprung.reason, account.status(2)) == (0, REDUCE_ONLY_REJECTED, "REJECTED")
    assert account.amount == 0, "it opened nothing"


def test_one_larger_than_the_position_closes_it_and_the_rest_of_its_order_expires(account: Account) -> None:
    account.take("BUY", "1")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="98", quantity="3")
    account.see("98")
    placed = account.ledger.orders[account.ledger.algos[1].order_id]
    assert (account.amount, placed.filled, placed.status) == (0, 1, "EXPIRED")


def test_one_that_may_open_is_margined_only_when_it_triggers(account: Account) -> None:
    account.ask(side="BUY", type="STOP_MARKET", triggerPrice="105", quantity="999", reduceOnly="false")
    deep = DisplayedBook(bids=(), asks=((D(105), D(1_000_000)),))
    account.ledger.wallet = D(10)
    account.see("105", book=deep)
    assert (account.status(), account.ledger.algos[1].reason) == ("REJECTED", "Margin is insufficient.")
    assert not account.ledger.orders


def test_a_liquidation_ends_what_waits_and_says_so(account: Account) -> None:
    account.take("BUY", "50")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="1", quantity="50")
    account.ledger.wallet = D(100)
    account.mark = D(80)
    account.apply(account.engine.liquidate(account.marks, 9))
    assert (account.amount, account.status()) == (0, "EXPIRED")
    assert not account.ledger.waiting(SYMBOL)


def test_cancelled_is_not_triggered_and_cannot_be_cancelled_again(account: Account) -> None:
    account.take("BUY", "1")
    account.ask(side="SELL", type="STOP_MARKET", triggerPrice="98", clientAlgoId="x")
    assert code_of(account, side="SELL", type="STOP_MARKET", triggerPrice="97", clientAlgoId="x") == -4116
    account.apply(account.conditional.cancel(account.ledger.algos[1], 8))
    assert account.status() == "CANCELED"
    with pytest.raises(Refusal, match="-2011"):
        account.conditional.cancel(account.ledger.algos[1], 8)
    assert account.see("90") == []
    assert account.amount == 1


STOP = {"side": "SELL", "type": "STOP_MARKET", "triggerPrice": "98"}
TRAIL = {"side": "SELL", "type": "TRAILING_STOP_MARKET", "callbackRate": "1"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (STOP | {"quantity": ""}, -1102),
        (STOP | {"triggerPrice": ""}, -1102),
        (STOP | {"triggerPrice": "98.05"}, -1111),
        (STOP | {"quantity": "0.0005"}, -1111),
        (STOP | {"quantity": "5000"}, -4005),
        (STOP | {"quantity": "0.001", "reduceOnly": "false"}, -4164),
        (STOP | {"callbackRate": "1"}, -1106),
        (STOP | {"type": "STOP"}, -1116),
        (STOP | {"algoType": "VP"}, -1130),
        (STOP | {"closePosition": "true"}, -1130),
        (STOP | {"workingType": "INDEX_PRICE"}, -1130),
        (STOP | {"positionSide": "LONG"}, -4061),
        (STOP | {"side": "SHORT"}, -1117),
        (STOP | {"clientAlgoId": "autoclose-1"}, -4015),
        (TRAIL | {"callbackRate": "0.05"}, -2007),
        (TRAIL | {"callbackRate": "11"}, -2007),
        (TRAIL | {"callbackRate": ""}, -1102),
        (TRAIL | {"triggerPrice": "98"}, -1106),
    ],
)
def test_what_does_not_belong_together_is_refused_in_the_venues_words(
    account: Account, words: dict[str, str], code: int
) -> None:
    account.take("BUY", "1")
    assert code_of(account, **words) == code
    assert not account.ledger.algos


def test_no_more_wait_for_a_price_than_the_venue_takes(account: Account) -> None:
    for _ in range(200):
        account.ask(**STOP)
    assert code_of(account, **STOP) == -4045


def test_the_same_events_make_the_same_account_again(account: Account) -> None:
    """As after a kill: the ledger is the sum of what the journal says."""
    told: list[MarginEvent] = []
    plain = account.apply

    def heard(events: object) -> None:
        assert isinstance(events, list)
        told.extend(events)
        plain(events)

    account.apply = heard  # type: ignore[method-assign]
    account.take("BUY", "2")
    account.ask(**STOP)
    account.ask(**TRAIL)
    account.ask(**STOP | {"triggerPrice": "90"})
    account.see("97.9")
    again = MarginLedger([CONTRACT], D(10_000))
    for event in told:
        again.apply(event)
    assert {n: (a.status, a.order_id) for n, a in again.algos.items()} == {
        n: (a.status, a.order_id) for n, a in account.ledger.algos.items()
    }
    assert [a.algo_id for a in again.waiting(SYMBOL)] == [3]
    assert (again.positions[SYMBOL].amount, again.wallet) == (account.amount, account.ledger.wallet)


class Remembered(DrawnPerpetuals):
    """A market that went up to 60,000 and back while the exchange was down."""

    def extremes(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Decimal, ...]:
        assert start_ms <= end_ms + 1
        return D(60_000), D(49_900)


def test_a_killed_exchange_knows_what_waits_and_what_a_trailing_order_missed(tmp_path: Path) -> None:
    clock = SteppedClock()

    def begin(kind: type[DrawnPerpetuals]) -> tuple[MarginDesk, AlgoApi, EventJournal[MarginEvent]]:
        journal: EventJournal[MarginEvent] = EventJournal(tmp_path / "perpetuals.jsonl", KINDS)
        desk = MarginDesk(kind(random.Random(1), clock), journal, D(20_000))
        return desk, AlgoApi(desk), journal

    desk, api, journal = begin(DrawnPerpetuals)
    desk.place(NewContractOrder(SYMBOL, "BUY", "MARKET", "long", D("0.1")))
    words = {"symbol": SYMBOL, "algoType": "CONDITIONAL", "quantity": "0.1", "reduceOnly": "true"}
    for name, asked in (("waits", STOP | {"triggerPrice": "40000"}), ("follows", TRAIL), ("gone", TRAIL)):
        api.place(Params(words | asked | {"clientAlgoId": name}))
    api.cancel(Params({"symbol": SYMBOL, "clientAlgoId": "gone"}))
    journal.close()  # as a kill does: nothing else is said

    desk, api, journal = begin(Remembered)
    waiting = api.open_orders(Params({}))
    assert isinstance(waiting, list)
    assert [row["clientAlgoId"] for row in waiting] == ["waits", "follows"]
    desk.look("CONTRACT_PRICE", SYMBOL, D(59_500))
    assert desk.ledger.positions[SYMBOL].amount == D("0.1"), "not one percent from its best yet"
    desk.look("CONTRACT_PRICE", SYMBOL, D(59_400))
    assert desk.ledger.positions[SYMBOL].amount == 0
    journal.close()
    _, api, journal = begin(Remembered)
    told = api.all_orders(Params({"symbol": SYMBOL}))
    assert isinstance(told, list)
    assert {row["clientAlgoId"]: row["algoStatus"] for row in told} == {
        "waits": "NEW",
        "follows": "FINISHED",
        "gone": "CANCELED",
    }
    journal.close()


def test_an_order_that_nobody_named_gets_a_name() -> None:
    new = new_conditional(Params({"symbol": SYMBOL, "algoType": "CONDITIONAL", "quantity": "1", **STOP}), 7)
    assert new == NewConditional(SYMBOL, "SELL", "STOP_MARKET", "ares-algo-" + "7".zfill(18), D(1), D(98))
