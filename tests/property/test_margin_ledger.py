"""Goal: whatever is traded, the wallet is what was put in plus what was earned, and an independent book agrees."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.matching import DisplayedBook
from simulator.matching.contracts import Contract, MarginEvent, NewContractOrder
from simulator.matching.margin import standing
from simulator.matching.margin_engine import MarginEngine
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.queue import PublicTrade
from simulator.matching.types import Filled, Refusal, Side

D = Decimal
ZERO = Decimal(0)
START = Decimal(100)
SYMBOL = "BTCUSDT"
WALLET = D(500)
CONTRACT = Contract(SYMBOL, "BTC", "USDT", D("0.1"), D("0.001"), D("0.0002"), D("0.0005"))
ticks = st.integers(900, 1_100).map(lambda n: D(n) / 10)
amounts = st.integers(1, 40_000).map(lambda n: D(n) / 1_000)


@dataclass(frozen=True)
class Place:
    side: Side
    amount: D
    price: D | None
    reduce_only: bool


@dataclass(frozen=True)
class Trade:
    price: D
    amount: D
    maker: bool


@dataclass(frozen=True)
class Fund:
    rate: D


steps = st.one_of(
    st.builds(Place, st.sampled_from(["BUY", "SELL"]), amounts, st.one_of(st.none(), ticks), st.booleans()),
    st.builds(Trade, ticks, amounts, st.booleans()),
    st.builds(Fund, st.integers(-75, 75).map(lambda n: D(n) / 10_000)),
)


@dataclass
class Oracle:
    """Lots, the oldest first, of one sign: what is bought and sold is paid in cash, nothing is averaged."""

    lots: deque[tuple[D, D]] = field(default_factory=deque)
    cash: Decimal = ZERO
    fees: Decimal = ZERO

    def fill(self, side: Side, fill: Filled) -> None:
        signed = fill.amount if side == "BUY" else -fill.amount
        self.cash -= signed * fill.price
        self.fees += fill.fee
        while signed and self.lots and (self.lots[0][0] > 0) != (signed > 0):
            amount, price = self.lots.popleft()
            used = min(abs(amount), abs(signed))
            sign = 1 if signed > 0 else -1
            signed -= sign * used
            if abs(amount) > used:
                self.lots.appendleft((amount + sign * used, price))
        if signed:
            self.lots.append((signed, fill.price))

    @property
    def amount(self) -> D:
        return sum((amount for amount, _ in self.lots), D(0))


@dataclass
class Run:
    """An account, and the book that is kept beside it."""

    ledger: MarginLedger = field(default_factory=lambda: MarginLedger([CONTRACT], WALLET))
    oracle: Oracle = field(default_factory=Oracle)
    history: list[MarginEvent] = field(default_factory=list)
    mark: Decimal = START
    now_ms: int = 0

    def __post_init__(self) -> None:
        self.engine = MarginEngine(self.ledger)

    @property
    def marks(self) -> dict[str, D]:
        return {SYMBOL: self.mark}

    def step(self, todo: Place | Trade | Fund) -> None:
        self.now_ms += 1
        if isinstance(todo, Fund):
            self.apply(self.engine.fund(todo.rate, self.marks, self.now_ms))
        elif isinstance(todo, Trade):
            self.mark = todo.price
            self.apply(self.engine.on_trade(PublicTrade(SYMBOL, todo.price, todo.amount, todo.maker, self.now_ms)))
        else:
            self.place(todo)
        self.apply(self.engine.liquidate(self.marks, self.now_ms))

    def place(self, todo: Place) -> None:
        kind = "MARKET" if todo.price is None else "LIMIT"
        book = DisplayedBook(
            bids=((self.mark - D("0.1"), D(30)), (self.mark - D(1), D(30))),
            asks=((self.mark + D("0.1"), D(30)), (self.mark + D(1), D(30))),
        )
        new = NewContractOrder(
            SYMBOL,
            todo.side,
            "MARKET" if kind == "MARKET" else "LIMIT",
            f"c{self.now_ms}",
            todo.amount,
            todo.price,
            reduce_only=todo.reduce_only,
        )
        try:
            self.apply(self.engine.place(new, book, self.marks, self.now_ms))
        except Refusal:
            return

    def apply(self, events: list[MarginEvent]) -> None:
        for event in events:
            before = self.ledger.positions[SYMBOL].amount
            order = self.ledger.apply(event)
            self.history.append(event)
            if isinstance(event, Filled):
                assert order is not None
                self.oracle.fill(order.accepted.side, event)
                if order.accepted.reduce_only:
                    after = self.ledger.positions[SYMBOL].amount
                    assert abs(after) < abs(before)
                    assert after * before >= 0
        self.engine.forget_closed()


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40))
def test_wallet_is_the_opening_and_all_incomes_and_an_independent_book_agrees(todo: list[Place | Trade | Fund]) -> None:
    run = Run()
    for one in todo:
        run.step(one)
        ledger, oracle = run.ledger, run.oracle
        position = ledger.positions[SYMBOL]
        assert ledger.wallet == WALLET + sum((income.amount for income in ledger.incomes), D(0))
        assert position.amount == oracle.amount
        realized = sum((i.amount for i in ledger.incomes if i.type == "REALIZED_PNL"), D(0))
        assert realized == oracle.cash + position.cost
        assert oracle.fees == -sum((i.amount for i in ledger.incomes if i.type == "COMMISSION"), D(0))
        assert position.amount or position.cost == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=40))
def test_account_is_never_left_lost_and_a_liquidated_one_has_no_position_order_or_debt(
    todo: list[Place | Trade | Fund],
) -> None:
    run = Run()
    for one in todo:
        run.step(one)
        assert not standing(run.ledger, run.marks).lost
        if any(order.accepted.forced and order.updated_ms == run.now_ms for order in run.ledger.orders.values()):
            assert run.ledger.positions[SYMBOL].amount == 0
            assert run.ledger.open_orders() == []
            assert run.ledger.wallet >= 0


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=30))
def test_events_alone_bring_the_account_back(todo: list[Place | Trade | Fund]) -> None:
    run = Run()
    for one in todo:
        run.step(one)
    again = MarginLedger([CONTRACT], WALLET)
    for event in run.history:
        again.apply(event)
    assert (again.wallet, again.positions, again.orders) == (run.ledger.wallet, run.ledger.positions, run.ledger.orders)
    assert again.incomes == run.ledger.incomes
