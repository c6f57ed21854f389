"""Amounts of venues that count in contracts, as amounts of the base currency: one meaning of `amount` everywhere. Pure.

A linear contract is so much of the base currency, an inverse one so much of the quote currency, hence of the base at
its price. https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments (ctVal, ctMult, ctType)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import msgspec

from ares.model.market import Instrument, Quote, Trade, TradeRun
from ingest.books import BookUpdate, Level
from ingest.feed import MarketEvent


@dataclass(frozen=True, slots=True)
class Size:
    """What a contract holds, as a fraction: dividing by 100 is exact to the last bit, multiplying by 0.01 is not."""

    numerator: int
    denominator: int
    inverse: bool

    @classmethod
    def of(cls, size: Decimal, *, inverse: bool) -> Size:
        """From the venue's digits."""
        return cls(*size.as_integer_ratio(), inverse)

    def base(self, contracts: float, price: float) -> float:
        """So many contracts at this price, in the base currency; a price that is none leaves nothing to say of it.

        >>> Size.of(Decimal("0.01"), inverse=False).base(3, 60_000)
        0.03
        >>> Size.of(Decimal(100), inverse=True).base(3, 60_000)
        0.005
        """
        amount = contracts * self.numerator / self.denominator
        if not self.inverse:
            return amount
        return amount / price if price > 0 else float("nan")

    def levels(self, levels: Iterable[Level]) -> tuple[Level, ...]:
        """Levels of a book."""
        return tuple([(price, self.base(contracts, price)) for price, contracts in levels])


def sizes_of(instruments: Iterable[Instrument]) -> Mapping[str, Size]:
    """What the contracts of those hold, by symbol, that the venue does not count in the base currency."""
    return {
        each.symbol: Size.of(each.contract_size, inverse=each.contract == "inverse")
        for each in instruments
        if each.contract_size is not None and (each.contract_size != 1 or each.contract == "inverse")
    }


class InBase:
    """Turns what a venue says in contracts; of symbols that it counts in the base currency all is left as it is."""

    def __init__(self, sizes: Mapping[str, Size] = MappingProxyType({})) -> None:
        self._sizes = sizes

    def __bool__(self) -> bool:
        """Whether anything is counted in contracts."""
        return bool(self._sizes)

    def trade(self, trade: Trade) -> Trade:
        """A trade with its amount in the base currency."""
        size = self._sizes.get(trade.symbol)
        return trade if size is None else msgspec.structs.replace(trade, amount=size.base(trade.amount, trade.price))

    def run(self, run: TradeRun) -> TradeRun:
        """Trades with their amounts in the base currency."""
        size = self._sizes.get(run.symbol)
        if size is None:
            return run
        amounts = [size.base(contracts, price) for contracts, price in zip(run.amounts, run.prices, strict=True)]
        return msgspec.structs.replace(run, amounts=amounts)

    def events(self, events: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """What a frame says, with amounts in the base currency."""
        return [self._event(event) for event in events] if self._sizes else events

    def _event(self, event: MarketEvent) -> MarketEvent:
        if isinstance(event, Trade):
            return self.trade(event)
        if isinstance(event, Quote):
            return self._quote(event)
        return self._update(event) if isinstance(event, BookUpdate) else event

    def _quote(self, quote: Quote) -> Quote:
        size = self._sizes.get(quote.symbol)
        if size is None:
            return quote
        bid_amount, ask_amount = size.base(quote.bid_amount, quote.bid), size.base(quote.ask_amount, quote.ask)
        return msgspec.structs.replace(quote, bid_amount=bid_amount, ask_amount=ask_amount)

    def _update(self, update: BookUpdate) -> BookUpdate:
        """The venue's own digits stay what they are, for its checksum is over them."""
        size = self._sizes.get(update.symbol)
        if size is None:
            return update
        return msgspec.structs.replace(update, bids=size.levels(update.bids), asks=size.levels(update.asks))
