"""Goal: whatever was traded, the book says what the oracle says, to the last digit.

Hypothesis looks for the smallest book that is wrong; `ARES_TEST_BOOKS` says how many more are drawn from seeds, by hand
100,000.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.accounting import Book, Entry
from trader.portfolio.portfolio import Funding, FundingShare, Portfolio, split_funding
from trader.portfolio.positions import Execution, Fill, Position, apply_fill

BOOKS = int(os.environ.get("ARES_TEST_BOOKS", "500"))
SPOT, PERPETUAL = "BTC/USDT", "BTC/USDT:USDT"
STRATEGY = "a"
FEES_IN = ("base", "quote", "other")
CURRENCIES = {"base": "BTC", "quote": "USDT", "other": "BNB"}
D = Decimal


@dataclass(frozen=True, slots=True)
class Paid:
    """A funding payment, in quote."""

    amount: Decimal


def decimals(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    """Of few digits and of more than the tables hold."""
    return st.integers(low, high).map(lambda n: D(n).scaleb(-places))


entries = st.builds(
    Entry,
    buys=st.booleans(),
    base=decimals(1, 5_000_000, 6) | decimals(1, 3, 0) | decimals(1, 10**14, 13),
    price=decimals(1, 9_000_000, 2) | st.sampled_from((D(3), D(7), D(50_000))),
    cost=st.just(D(0)),
    fee=decimals(-2_000, 2_000, 6) | decimals(0, 10**12, 12),
    fee_in=st.sampled_from(FEES_IN),
    rate=decimals(0, 90_000_000, 5),
).map(lambda e: Entry(e.buys, e.base, e.price, e.base * e.price, min(e.fee, e.base / 2), e.fee_in, e.rate))
happenings = st.lists(entries | entries | entries | decimals(-(10**12), 10**12, 11).map(Paid), max_size=24)
adoptions = st.none() | st.tuples(decimals(1, 10**8, 7), decimals(1, 10**8, 3))


def fill_of(entry: Entry, symbol: str, number: int) -> Fill:
    execution = Execution(
        fill_id=str(number),
        symbol=symbol,
        side="buy" if entry.buys else "sell",
        venue_order_id="7",
        quantity=entry.base,
        price=entry.price,
        cost=entry.cost,
        fee=entry.fee,
        fee_currency=CURRENCIES[entry.fee_in],
        maker=entry.fee < 0,
        ts_ns=number,
    )
    return Fill(execution, "order", STRATEGY, "why", number, entry.rate)


def in_units(value: Decimal) -> int:
    whole = value.scaleb(10)
    assert whole == whole.to_integral_value(), f"{value} has more digits than the tables hold"
    return int(whole)


def said(position: Position) -> dict[str, int]:
    return {
        "base": in_units(position.quantity),
        "cost": in_units(position.cost_basis),
        "cost_fifo": in_units(position.cost_fifo),
        "profit": in_units(position.realised_quote),
        "profit_fifo": in_units(position.realised_fifo_quote),
        "funding": in_units(position.funding_quote),
        "fees": in_units(position.fees_quote),
        "fees_base": in_units(position.fees_base),
        "fees_other": in_units(position.fees_other_quote),
        "rebates": in_units(position.rebates_quote),
    }


def expected(book: Book) -> dict[str, int]:
    return {
        "base": book.base,
        "cost": book.side * book.run.cost,
        "cost_fifo": book.side * book.run.oldest_first(),
        "profit": book.profit,
        "profit_fifo": book.profit_fifo,
        "funding": book.funding,
        "fees": book.fees,
        "fees_base": book.fees_base,
        "fees_other": book.fees_other,
        "rebates": book.rebates,
    }


def drawn(rng: random.Random) -> Entry:
    """An entry like those that Hypothesis makes, at a hundredth of the price."""
    base = D(rng.choice((rng.randint(1, 5_000_000), 1_000_000 * rng.randint(1, 3)))).scaleb(-6)
    if rng.random() < 0.2:
        base = D(rng.randint(1, 10**14)).scaleb(-13)
    price = D(rng.choice((rng.randint(1, 9_000_000), 300, 700, 5_000_000))).scaleb(-2)
    fee = D(rng.choice((rng.randint(-2_000, 2_000) * 10**6, rng.randint(0, 10**12)))).scaleb(-12)
    rate = D(rng.randint(0, 90_000_000)).scaleb(-5)
    return Entry(rng.random() < 0.5, base, price, base * price, min(fee, base / 2), rng.choice(FEES_IN), rate)


class Pair:
    """A portfolio and the oracle, told the same."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.portfolio, self.book, self.excess = Portfolio(), Book(shorts=symbol == PERPETUAL), 0

    def adopt(self, quantity: Decimal, mark: Decimal) -> None:
        self.portfolio.adopt(self.symbol, STRATEGY, quantity, mark, 1)
        self.book.adopt(quantity, mark)

    def tell(self, number: int, happening: Entry | Paid) -> None:
        if isinstance(happening, Paid):
            payment = Funding(str(number), self.symbol, happening.amount, number)
            shares = (FundingShare(STRATEGY, happening.amount),)
            assert self.portfolio.fund(payment, shares)
            assert self.portfolio.fund(payment, shares) == []
            self.book.fund(happening.amount)
        else:
            booked = self.portfolio.apply(fill_of(happening, self.symbol, number))
            assert booked is not None
            self.excess += in_units(booked.excess)
            self.book.enter(happening)

    def compare(self) -> None:
        assert said(self.portfolio.position(self.symbol, STRATEGY)) == expected(self.book)
        assert self.excess == self.book.excess
        off = abs(self.book.profit - self.book.profit_unrounded)
        assert 2 * off <= self.book.closings, "rounding cost more than half a digit a closing"


@given(st.sampled_from((SPOT, PERPETUAL)), adoptions, happenings)
def test_every_figure_equals_the_oracles_to_the_last_digit_after_every_entry(
    symbol: str, adopted: tuple[Decimal, Decimal] | None, history: list[Entry | Paid]
) -> None:
    pair = Pair(symbol)
    if adopted is not None:
        pair.adopt(*adopted)
    for number, happening in enumerate(history, start=2):
        pair.tell(number, happening)
        pair.compare()


def test_many_books_equal_the_oracles_to_the_last_digit() -> None:
    flips = shorts = 0
    for seed in range(BOOKS):
        rng = random.Random(seed)
        pair = Pair(rng.choice((SPOT, PERPETUAL)))
        if rng.random() < 0.3:
            pair.adopt(D(rng.randint(1, 10**8)).scaleb(-7), D(rng.randint(1, 10**8)).scaleb(-3))
        for number in range(2, rng.randint(3, 32)):
            side = pair.book.side
            pair.tell(number, Paid(D(rng.randint(-(10**12), 10**12)).scaleb(-11)) if rng.random() < 0.1 else drawn(rng))
            flips += pair.book.side != side
        shorts += pair.book.base < 0
        pair.compare()
    assert flips > BOOKS / 2, "books without flips show little"
    assert shorts > BOOKS / 10, "and so do books without shorts"


@given(st.lists(entries, max_size=40), st.integers(2, 5))
def test_lots_are_bounded_and_their_costs_still_add_up(history: list[Entry], lots_max: int) -> None:
    position, book = Position(PERPETUAL, STRATEGY), Book(shorts=True)
    for number, entry in enumerate(history, start=1):
        position = apply_fill(position, fill_of(entry, PERPETUAL, number), shorts=True, lots_max=lots_max).position
        book.enter(entry)
        assert len(position.lots) <= lots_max
        assert sum((lot.left for lot in position.lots), D(0)) == position.quantity
        assert position.cost_fifo - position.realised_fifo_quote == position.cost_basis - position.realised_quote
        assert in_units(position.realised_quote) == book.profit


@given(
    decimals(-(10**12), 10**12, 11),
    st.dictionaries(st.sampled_from(("a", "b", "c")), decimals(-(10**7), 10**7, 5), max_size=3),
)
def test_a_funding_payment_is_shared_out_whole(amount: Decimal, held: dict[str, Decimal]) -> None:
    shares = split_funding(Funding("1", PERPETUAL, amount, 1), held)
    assert in_units(sum((s.amount for s in shares), D(0))) == in_units(amount.quantize(D("1e-10")))
    assert {s.strategy for s in shares} <= {*held, "foreign"}
