"""Market data: what a venue says about an instrument and its market.

Times are UTC nanoseconds. `ts_ns` is the venue's event time, `received_at_ns` our receipt. Prices and amounts of
market data are floats, as they are stored (DOUBLE); limits that orders must obey are Decimal.

What comes by the hundred thousand (trades, quotes, books, bars) is a `msgspec.Struct`, seven times cheaper to make than
a dataclass, and is itself a row (`Storable`): it goes into the store as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal, Self

import msgspec

from ares.model.row import Cell, Row, Storable, UtcNs

Side = Literal["buy", "sell"]
Source = Literal["stream", "rest", "replay", "import", "backfill"]
"""Which way a trade came; "rest" is what the service fetched, "backfill" what somebody asked for by range."""
ContractKind = Literal["linear", "inverse"]
"""What a contract is so much of: of the base currency, or of the quote currency."""
FundingKind = Literal["predicted", "settled"]
"""A rate that may still change until its moment, or one that was paid."""
TsSource = Literal["venue", "receipt"]
"""Whose clock an event time is."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A pair or perpetual at a venue; `symbol` is ccxt's ("BTC/USDT", "BTC/USDT:USDT"), `venue_symbol` its own.

    `amount_step` is in the base currency, as every amount; 0 where the venue's steps are none of it. `contract_size` is
    what one of the venue's contracts holds, of the base currency ("linear") or of the quote ("inverse"); orders count
    in contracts. Both are None where there is no contract.
    """

    venue: str
    symbol: str
    venue_symbol: str
    base: str
    quote: str
    price_tick: Decimal
    amount_step: Decimal
    cost_min: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    active: bool = True
    contract: ContractKind | None = None
    contract_size: Decimal | None = None

    def to_row(self, ts_ns: int) -> Row:
        symbols = {"venue": self.venue, "symbol": self.symbol, "base": self.base, "quote": self.quote}
        if self.contract is not None:
            symbols["contract"] = self.contract
        return Row(
            "instruments",
            ts_ns,
            symbols,
            {
                "venue_symbol": self.venue_symbol,
                "price_tick": self.price_tick,
                "amount_step": self.amount_step,
                "cost_min": self.cost_min,
                "maker_fee": self.maker_fee,
                "taker_fee": self.taker_fee,
                "active": self.active,
                "contract_size": self.contract_size,
            },
        )


class Trade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A public trade; `side` is the taker's. `seq` orders trades that share a timestamp (the numeric id)."""

    venue: str
    symbol: str
    trade_id: str
    seq: int
    side: Side
    price: float
    amount: float
    ts_ns: int
    received_at_ns: int
    source: Source

    table: ClassVar[str] = "trades"

    @property
    def symbols(self) -> Mapping[str, str]:
        return {"venue": self.venue, "symbol": self.symbol, "side": self.side, "source": self.source}

    @property
    def columns(self) -> Mapping[str, Cell]:
        return {
            "trade_id": self.trade_id,
            "seq": self.seq,
            "price": self.price,
            "amount": self.amount,
            "received_at": UtcNs(self.received_at_ns),
        }


class TradeRun(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Trades of one symbol, column by column: what a burst is made of, or a piece of a file.

    A stream's leaves none out between the first and the last; a file's may. Its ids are the decimal form of
    `seqs`. A hundred thousand trades a second do not become objects on their way.
    """

    venue: str
    symbol: str
    source: Source
    seqs: list[int]
    sides: list[Side]
    prices: list[float]
    amounts: list[float]
    times_ns: list[int]
    receipts_ns: list[int]

    table: ClassVar[str] = "trades"

    def __len__(self) -> int:
        return len(self.seqs)

    @property
    def ts_ns(self) -> int:
        """Event time of the first trade."""
        return self.times_ns[0]

    def part(self, rows: slice[int | None, int | None, None]) -> Self:
        """Some of these trades, of the same kind."""
        return type(self)(
            self.venue,
            self.symbol,
            self.source,
            self.seqs[rows],
            self.sides[rows],
            self.prices[rows],
            self.amounts[rows],
            self.times_ns[rows],
            self.receipts_ns[rows],
        )

    def trades(self) -> list[Trade]:
        """The same, trade by trade."""
        columns = (self.seqs, self.sides, self.prices, self.amounts, self.times_ns, self.receipts_ns)
        return [
            Trade(self.venue, self.symbol, str(seq), seq, side, price, amount, ts_ns, received_at_ns, self.source)
            for seq, side, price, amount, ts_ns, received_at_ns in zip(*columns, strict=True)
        ]


class ArchivedTrade(Trade, frozen=True, gc=False):
    """A trade that is older than what `trades` keeps."""

    table: ClassVar[str] = "trades_archive"


class ArchivedRun(TradeRun, frozen=True, gc=False):
    """Trades that are older than what `trades` keeps."""

    table: ClassVar[str] = "trades_archive"

    def trades(self) -> list[Trade]:
        """The same, trade by trade."""
        return [ArchivedTrade(*msgspec.structs.astuple(trade)) for trade in super().trades()]


Entry = Storable | TradeRun
"""What is on its way into the store: a row, or many at once."""


def size(entry: Entry) -> int:
    """How many rows this is."""
    return len(entry) if isinstance(entry, TradeRun) else 1


def rows_in(entries: Iterable[Entry]) -> int:
    """How many rows these are."""
    return sum(map(size, entries))


class Quote(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Best bid and ask after a change; `ts_source` says whose clock `ts_ns` is (some frames carry no time)."""

    venue: str
    symbol: str
    update_id: int
    bid: float
    bid_amount: float
    ask: float
    ask_amount: float
    ts_ns: int
    received_at_ns: int
    ts_source: TsSource

    table: ClassVar[str] = "quotes"

    @property
    def symbols(self) -> Mapping[str, str]:
        return {"venue": self.venue, "symbol": self.symbol, "ts_source": self.ts_source}

    @property
    def columns(self) -> Mapping[str, Cell]:
        return {
            "update_id": self.update_id,
            "bid": self.bid,
            "bid_amount": self.bid_amount,
            "ask": self.ask,
            "ask_amount": self.ask_amount,
            "received_at": UtcNs(self.received_at_ns),
        }


class Book(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Top of an order book: `bids` and `asks` are (price, amount), best first."""

    venue: str
    symbol: str
    update_id: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    ts_ns: int
    received_at_ns: int
    ts_source: TsSource

    table: ClassVar[str] = "books"

    @property
    def symbols(self) -> Mapping[str, str]:
        return {"venue": self.venue, "symbol": self.symbol, "ts_source": self.ts_source}

    @property
    def columns(self) -> Mapping[str, Cell]:
        return {
            "update_id": self.update_id,
            "bids": _columns(self.bids),
            "asks": _columns(self.asks),
            "received_at": UtcNs(self.received_at_ns),
        }


class Bar(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The venue's own candle for the minute that starts at `ts_ns`; `cost` and `volume` in quote and base.

    `cost`, `trades` and what takers bought are None where the venue does not tell them.
    """

    venue: str
    symbol: str
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    cost: float | None
    trades: int | None
    buy_volume: float | None
    received_at_ns: int

    table: ClassVar[str] = "venue_bars_1m"

    @property
    def symbols(self) -> Mapping[str, str]:
        return {"venue": self.venue, "symbol": self.symbol}

    @property
    def columns(self) -> Mapping[str, Cell]:
        return {
            "open": self.open,
            "high": self.high,
            "low": self.low,
            "close": self.close,
            "volume": self.volume,
            "cost": self.cost,
            "trades": self.trades,
            "buy_volume": self.buy_volume,
            "received_at": UtcNs(self.received_at_ns),
        }


class Funding(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """What a perpetual pays at `funding_at_ns`: `rate` of the position's value, from longs to shorts where positive.

    A predicted rate is what the venue said at `ts_ns`; a settled one was paid then, so that both moments are one. The
    prices are those of that moment, None where the venue does not tell them.
    """

    venue: str
    symbol: str
    kind: FundingKind
    rate: float
    mark_price: float | None
    index_price: float | None
    funding_at_ns: int
    ts_ns: int
    received_at_ns: int

    table: ClassVar[str] = "funding"

    @property
    def symbols(self) -> Mapping[str, str]:
        return {"venue": self.venue, "symbol": self.symbol, "kind": self.kind}

    @property
    def columns(self) -> Mapping[str, Cell]:
        return {
            "rate": self.rate,
            "mark_price": self.mark_price,
            "index_price": self.index_price,
            "funding_at": UtcNs(self.funding_at_ns),
            "received_at": UtcNs(self.received_at_ns),
        }


def _columns(levels: tuple[tuple[float, float], ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(price for price, _ in levels), tuple(amount for _, amount in levels)
