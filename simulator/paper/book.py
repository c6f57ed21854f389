"""A venue's book, followed update by update: what is displayed now, and whether that may be believed. Pure.

A snapshot and the updates behind it make the book whole. An update that does not follow the one before, or a lost line,
ends that until the next snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from heapq import nlargest, nsmallest

from ares.errors import MalformedFrame
from simulator.book import MATCHED_LEVELS_MAX
from simulator.matching.types import ZERO, DisplayedBook, Side
from simulator.paper.words import Depth, Quote, Snapshot, number

Levels = dict[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Top:
    """Best bid and ask; an amount of zero stands for an empty side."""

    update_id: int
    bid: Decimal = ZERO
    bid_amount: Decimal = ZERO
    ask: Decimal = ZERO
    ask_amount: Decimal = ZERO


class FollowedBook:
    """Prices and amounts as the venue displays them; `seen_ms` is the venue's time of what was heard last."""

    def __init__(self) -> None:
        self.whole = False
        self.update_id = 0
        self.seen_ms = 0
        self.bids: Levels = {}
        self.asks: Levels = {}
        self._top: Top | None = None
        self._displayed: DisplayedBook | None = None

    def lose(self) -> None:
        """What comes next does not follow what is known."""
        self.whole = False
        self._top = None

    def load(self, snapshot: Snapshot, asked_ms: int) -> None:
        """Begin with a snapshot that was asked for at `asked_ms`, or be confirmed by it. Raises `MalformedFrame`."""
        if not self.whole or snapshot.update_id > self.update_id:
            bids, asks = _side(snapshot.bids), _side(snapshot.asks)
            if bids and asks and max(bids) >= min(asks):
                raise MalformedFrame("depth", f"best bid {max(bids)} is not below best ask {min(asks)}")
            self.bids, self.asks, self.update_id = bids, asks, snapshot.update_id
            self._displayed = None
        self.whole = True
        self.seen_ms = max(self.seen_ms, asked_ms)

    def follow(self, change: Depth, now_ms: int) -> bool:
        """Take an update in; False, and the book is lost, when one before it is missing. Raises `MalformedFrame`.

        A venue whose clock is ahead of ours cannot make a book younger than now.
        """
        if change.first_id > self.update_id + 1:
            self.lose()
            return False
        if change.last_id > self.update_id:
            for side, levels in ((self.bids, change.bids), (self.asks, change.asks)):
                _apply(side, levels)
            self.update_id = change.last_id
            self._displayed = None
        self.seen_ms = max(self.seen_ms, min(change.sent_ms, now_ms))
        return True

    def quote(self, said: Quote) -> None:
        """The venue's word about the best prices, which comes before the update that confirms it."""
        self._top = Top(
            said.update_id, number(said.bid), number(said.bid_amount), number(said.ask), number(said.ask_amount)
        )
        self._displayed = None

    @property
    def top(self) -> Top:
        """Best bid and ask, by whichever of update and quote is newer."""
        if self._top is not None and self._top.update_id > self.update_id:
            return self._top
        bid, ask = max(self.bids, default=ZERO), min(self.asks, default=ZERO)
        return Top(self.update_id, bid, self.bids.get(bid, ZERO), ask, self.asks.get(ask, ZERO))

    def displayed(self, last: Decimal) -> DisplayedBook:
        """As an order meets it; `last` is the price of the last trade."""
        found = self._displayed
        if found is None or found.last != last:
            found = self._displayed = self._display(last)
        return found

    def amount(self, side: Side, price: Decimal) -> Decimal:
        """What is displayed at one price by the updates."""
        return (self.bids if side == "BUY" else self.asks).get(price, ZERO)

    def _display(self, last: Decimal) -> DisplayedBook:
        bids, asks, top = self.bids, self.asks, self._top
        if top is not None and top.update_id > self.update_id:
            bids = {price: amount for price, amount in bids.items() if price < top.bid}
            asks = {price: amount for price, amount in asks.items() if price > top.ask}
            bids |= {top.bid: top.bid_amount} if top.bid_amount else {}
            asks |= {top.ask: top.ask_amount} if top.ask_amount else {}
        return DisplayedBook(
            tuple(nlargest(MATCHED_LEVELS_MAX, bids.items())), tuple(nsmallest(MATCHED_LEVELS_MAX, asks.items())), last
        )


def _side(levels: Iterable[tuple[str, str]]) -> Levels:
    side: Levels = {}
    _apply(side, levels)
    return side


def _apply(side: Levels, levels: Iterable[tuple[str, str]]) -> None:
    for price_text, amount_text in levels:
        price, amount = number(price_text), number(amount_text)
        if amount:
            side[price] = amount
        else:
            side.pop(price, None)
