"""What a perpetual has beyond a market: a contract's terms, a mark price, and a rate that is paid at set times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator.bars import last_price
from simulator.market import Fees, Market
from simulator.matching import DisplayedBook
from simulator.matching.contracts import Contract
from simulator.matching.types import ZERO
from simulator.recording import to_text

FEES = Fees(Decimal("0.0002"), Decimal("0.0005"))


@dataclass(frozen=True, slots=True)
class Funding:
    """`rate` of the notional goes from longs to shorts at multiples of `interval_ms` of market time."""

    rate: Decimal = Decimal("0.0001")
    interval_ms: int = 8 * 3_600_000

    def next_ms(self, after_ms: int) -> int:
        """The first time of payment later than this."""
        return after_ms - after_ms % self.interval_ms + self.interval_ms

    def times(self, start_ms: int, end_ms: int) -> Iterator[int]:
        """Times of payment between two moments, both included."""
        return iter(range(self.next_ms(start_ms - 1), end_ms + 1, self.interval_ms))


class Perpetuals:
    """The replayed perpetuals. The mark price of a moment is the last price published by then, for ever the same."""

    def __init__(self, market: Market, funding: Funding) -> None:
        self.market = market
        self.funding = funding
        self.contracts = {
            rules.symbol: Contract(
                rules.symbol, rules.base, rules.quote, rules.tick, rules.step, rules.maker_fee, rules.taker_fee
            )
            for rules in market.rules.values()
        }

    def now_ms(self) -> int:
        return self.market.clock.now_ms()

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        """USDT per contract; zero before the first trade of all. Raises `Refusal` for a symbol that is not listed."""
        series = self.market.series(symbol)
        ticks = last_price(series, series.trades_sent(at_ms))
        return ZERO if ticks is None else Decimal(to_text(ticks, series.recording.price_decimals))

    def displayed(self, symbol: str) -> DisplayedBook:
        """The book now, as far as it is displayed."""
        return self.market.replay(symbol).displayed()

    def extremes(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Decimal, ...]:
        """The highest and the lowest price between two moments; none where nothing was traded."""
        bar = self.market.span(symbol, start_ms, end_ms)
        decimals = self.market.series(symbol).recording.price_decimals
        return () if bar is None else tuple(Decimal(to_text(ticks, decimals)) for ticks in (bar.high, bar.low))

    def marks(self, at_ms: int) -> Mapping[str, Decimal]:
        """Mark price of every symbol."""
        return {symbol: self.mark(symbol, at_ms) for symbol in self.contracts}
