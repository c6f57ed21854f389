"""A made-up market in which every table has rows, for proofs where nothing real is there yet."""

from __future__ import annotations

import random
from collections.abc import Sequence

from analytics.features.worlds import Bars, Market, minutes, settled
from analytics.testing import SyntheticMarket
from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.model.row import Row, Storable, UtcNs
from ares.store import Database, RowWriter

FUNDING_BEFORE = 120
"""Rates are told so many minutes before ticks are: what rests on them looks back as far."""


async def made_up(database: Database, writer: RowWriter, venue: str, bars: Bars) -> Market:
    """Write a market of these bars, with what they need before and a proof needs after, under a venue of its own."""
    market = SyntheticMarket(venue)
    first_ns, ticks_ns, last_ns = bars.first_ns, bars.ticks_ns, bars.last_ns
    old = (ticks_ns - first_ns) // MINUTE_NS
    new = (last_ns - ticks_ns) // MINUTE_NS
    rows: list[Row | Storable] = [*market.candles(first_ns, old + 1)]
    rows += market.trades(ticks_ns, new)
    rows += market.books(ticks_ns, new)
    rows += beside(market, ticks_ns, new)
    rows += market.marks(last_ns, last_ns)
    await writer.write(rows)
    await settled(database)
    return Market(venue, first_ns, last_ns)


def beside(market: SyntheticMarket, start_ns: int, count: int) -> list[Row]:
    """What comes with a market: scores of every bar, and funding rates now and then."""
    return [*scores(market.venue, market.symbols, start_ns, count, market.rng), *rates(market, start_ns, count)]


def scores(venue: str, symbols: Sequence[str], start_ns: int, count: int, rng: random.Random) -> list[Row]:
    """Rows of `predictions`, of a model that knows nothing."""
    return [
        Row(
            "predictions",
            minutes(start_ns, number),
            {"venue": venue, "symbol": symbol, "model": "direction", "version": "v1", "known_at_kind": "live"},
            {"score": rng.random(), "known_at": UtcNs(minutes(start_ns, number + 1) + NANOS_PER_SECOND)},
        )
        for number in range(count)
        for symbol in symbols
    ]


def rates(market: SyntheticMarket, start_ns: int, count: int) -> list[Row]:
    """Rows of `funding`: predicted every minute, from long before the start, and one settled in the middle."""
    rows: list[Row] = []
    for number in range(-FUNDING_BEFORE, count):
        for symbol in market.symbols:
            kind = "settled" if number == count // 2 else "predicted"
            ts_ns, price = minutes(start_ns, number), market.prices[symbol]
            numbers = {
                "rate": market.rng.gauss(1e-4, 1e-4),
                "mark_price": price,
                "index_price": price * 0.9999,
                "funding_at": UtcNs(minutes(start_ns, count)),
                "received_at": UtcNs(ts_ns),
            }
            rows.append(Row("funding", ts_ns, {"venue": market.venue, "symbol": symbol, "kind": kind}, numbers))
    return rows
