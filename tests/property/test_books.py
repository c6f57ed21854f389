"""However the messages of a book are dropped, repeated, reordered or spoiled: what is handed out is the venue's."""

from __future__ import annotations

import random
import zlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.books import BookUpdate, OrderBook
from ingest.venues.binance.decoder import follows

T0 = 1_700_000_000_000_000_000
PRICES = [100.0 + step / 2 for step in range(-8, 9)]
Sides = tuple[dict[float, float], dict[float, float]]


def crc(bids: dict[float, float], asks: dict[float, float]) -> int:
    """A checksum of the whole book."""
    return zlib.crc32(repr((sorted(bids.items()), sorted(asks.items()))).encode())


def checksum(book: OrderBook) -> int:
    return crc(book.bids.amounts, book.asks.amounts)


class Venue:
    """A market whose book moves, the messages it sends of that, and what its book was after each of them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sides: Sides = ({99.0: 1.0}, {101.0: 1.0})
        self.number = 1
        self.states: dict[int, Sides] = {1: ({99.0: 1.0}, {101.0: 1.0})}

    def move(self) -> BookUpdate:
        """One to three changes in one message."""
        first, changed = self.number + 1, ({}, {})
        for _ in range(self.rng.randint(1, 3)):
            self.number += 1
            price, amount = self.rng.choice(PRICES), float(self.rng.randint(0, 3))
            side = 0 if price < 100.0 else 1
            self.sides[side][price] = changed[side][price] = amount
            if amount == 0.0:
                del self.sides[side][price]
        self.states[self.number] = (dict(self.sides[0]), dict(self.sides[1]))
        return self.message(first, changed)

    def snapshot(self) -> BookUpdate:
        return msgspec.structs.replace(self.message(self.number, self.sides), snapshot=True)

    def message(self, first: int, sides: Sides) -> BookUpdate:
        return BookUpdate(
            venue="sim",
            symbol="BTC/USDT",
            first_id=first,
            last_id=self.number,
            bids=tuple(sides[0].items()),
            asks=tuple(sides[1].items()),
            ts_ns=T0 + self.number,
            received_at_ns=T0 + self.number,
            ts_source="venue",
            checksum=crc(*self.sides),
        )


FAULTS = ("drop", "repeat", "late", "spoil", "lie")


def spoiled(update: BookUpdate, fault: str) -> BookUpdate:
    """A message with an amount that is not the venue's, or with a wrong checksum."""
    if fault == "lie":
        return msgspec.structs.replace(update, checksum=(update.checksum or 0) ^ 1)
    return msgspec.structs.replace(update, bids=(*update.bids, (98.25, 9.0)))


@given(seed=st.integers(0, 2**32), faults=st.lists(st.sampled_from((*FAULTS, *["none"] * 12)), min_size=5, max_size=60))
def test_book_is_the_venues_or_none_whatever_happens_to_its_messages(seed: int, faults: list[str]) -> None:
    venue = Venue(random.Random(seed))
    book = OrderBook(follows, checksum)
    late: list[BookUpdate] = []
    for fault in faults:
        update = venue.move()
        arriving = {"drop": [], "late": [], "repeat": [update, update]}.get(fault, [update])
        if fault in ("spoil", "lie"):
            arriving = [spoiled(update, fault)]
        elif fault == "late":
            late.append(update)
        elif late:
            arriving = [*arriving, late.pop()]
        for each in arriving:
            book.apply(each)
            assert_true(book, venue)
        if not book.is_whole and venue.rng.random() < 0.3:
            book.apply(venue.snapshot())
            assert_true(book, venue)
    book.apply(venue.snapshot())
    assert book.is_whole, "a snapshot of now is always enough"
    assert_true(book, venue)


def assert_true(book: OrderBook, venue: Venue) -> None:
    """What is handed out is what the venue's book was after the message that it names."""
    if book.newest is not None:
        assert (book.bids.amounts, book.asks.amounts) == venue.states[book.newest.last_id]
        best = book.best()
        assert best is None or best[0] < best[1]
