"""What a venue brings to be examined: frames of it, its own side of the conversation, and what it does not have.

Real recordings come first; where there are none, messages of the venue's documentation with their address and date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from ares.clock import NANOS_PER_MILLI
from ares.config.settings import VenueConfig
from ares.model.market import ContractKind, Instrument, Quote, Trade
from ingest.books import BookUpdate
from ingest.feed import Channel
from ingest.imports import LayoutName
from ingest.intakes import has_dense_ids
from ingest.venues.dialect import Dialect
from ingest.venues.registry import LANGUAGES
from ingest.venues.rest import RestWords, channels_of
from ingest.venues.wire import Names
from tests.conformance.market import Depth, Ids, dense

Payload = bytes | BookUpdate
"""A frame of the stream, or a snapshot that REST brought between two of them."""
File = tuple[LayoutName, Mapping[str, pa.Array]]
"""What somebody else keeps of trades: a layout that we import, and its columns."""


@dataclass(frozen=True)
class Sample:
    """Frames of one channel in their order, and what they say: counted, not estimated.

    `origin` says where they come from: a recording's path, or a document's address and date where not `recorded`.
    `load` returns nothing where the recording is not at hand. `events` counts trades, quotes, rates and changes of
    books, `answers` what answers us. `names` are the recording's own. `follows`: books are whole from the first
    snapshot to the end, and have the venue's checksum where it sends one. `adapted` says what of a recording is ours.
    """

    channel: Channel
    origin: str
    names: Names
    load: Callable[[], Sequence[Payload]]
    events: int
    answers: int = 0
    recorded: bool = True
    follows: bool = True
    adapted: str = ""

    @cached_property
    def frames(self) -> Sequence[Payload]:
        """The frames; none where they are not at hand."""
        return self.load()


@dataclass(frozen=True)
class Pair:
    """One trade as the documented stream tells it and as the documented answer over REST does, and its row.

    `side` of the row is the taker's, and `why` is where the venue says so.
    """

    stream: bytes
    answer: object
    trade: Trade
    why: str


class Speaker(Protocol):
    """The venue's side of one line, by its documentation: what it says of a market. It may count what it says."""

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        """What a message on the line to `path` subscribes to: channels, and the venue's own symbols."""
        ...

    def confirmation(self) -> bytes:
        """The answer to a subscription, or to the end of one."""
        ...

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        """A frame of a trade."""
        ...

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        """The answer over REST that lists these trades."""
        ...

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        """A frame of a best bid and ask; never asked for where books tell them."""
        ...

    def depth(self, depth: Depth) -> bytes:
        """A frame of a change, or of a snapshot; where snapshots come by REST, that answer."""
        ...


@dataclass(frozen=True)
class Specimen:
    """A venue under examination. `name` is its protocol in `ingest/venues/registry.py`.

    `names` holds two symbols at least: what happens to one must not happen to the other. `greeting`, `refused` and
    `leaving` are what the venue says on a new line, its no to a subscription, its word that it will hang up. `file` is
    how others keep trades of it. `excused`: case → why it does not apply, which must be true: see `Case.applies`.
    """

    name: str
    protocol_date: str
    names: Names
    samples: Sequence[Sample]
    pairs: Sequence[Pair]
    refused: Sequence[bytes]
    speaker: Callable[[], Speaker]
    excused: Mapping[str, str]
    greeting: Sequence[bytes] = ()
    leaving: Sequence[bytes] = ()
    file: Callable[[Sequence[Trade]], File] | None = None
    quotes_of_books: bool = False
    contract_size: Decimal | None = None
    ids: Ids = field(default=dense)

    @property
    def dialect(self) -> Dialect:
        """What it says on its stream."""
        return LANGUAGES[self.name].dialect

    @property
    def words(self) -> RestWords:
        """What it says over REST."""
        return LANGUAGES[self.name].words

    @property
    def channels(self) -> Sequence[Channel]:
        """What it streams."""
        return channels_of(self.words)

    @property
    def dense_ids(self) -> bool:
        """Whether ids tell what is missing."""
        return has_dense_ids(VenueConfig.model_validate({"protocol": self.name}))

    @property
    def venue_symbols(self) -> Mapping[str, str]:
        """Ours → the venue's own."""
        return {ours: theirs for theirs, ours in self.names.by_venue_symbol.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Ours."""
        return tuple(self.venue_symbols)

    @property
    def snapshots_by_stream(self) -> bool:
        """Whether a subscription brings the snapshot of a book."""
        return bool(self.dialect.resubscription(self.symbols[0], self.names))

    def instruments(self) -> list[Instrument]:
        """One for every symbol."""
        step = Decimal("0.01")
        kind: ContractKind | None = None if self.contract_size is None else "linear"
        contract = (True, kind, self.contract_size)
        return [
            Instrument(self.name, ours, theirs, "BTC", "USDT", step, step, step, step, step, *contract)
            for ours, theirs in self.venue_symbols.items()
        ]


def freqtrade(trades: Sequence[Trade]) -> File:
    """freqtrade's file of trades."""
    columns = {
        "timestamp": [str(trade.ts_ns // NANOS_PER_MILLI) for trade in trades],
        "id": [trade.trade_id for trade in trades],
        "side": [trade.side for trade in trades],
        "price": [repr(trade.price) for trade in trades],
        "amount": [repr(trade.amount) for trade in trades],
        "cost": [repr(trade.price * trade.amount) for trade in trades],
    }
    return "freqtrade-trades", {name: pa.array(cells, pa.string()) for name, cells in columns.items()}


def binance_file(trades: Sequence[Trade]) -> File:
    """Binance's public file of aggregate trades, with times in microseconds as it is since 2025."""
    columns = {
        "agg_trade_id": [trade.trade_id for trade in trades],
        "price": [repr(trade.price) for trade in trades],
        "quantity": [repr(trade.amount) for trade in trades],
        "transact_time": [str(trade.ts_ns // 1_000) for trade in trades],
        "is_buyer_maker": [str(trade.side == "sell") for trade in trades],
    }
    return "binance-aggtrades", {name: pa.array(cells, pa.string()) for name, cells in columns.items()}


def nautilus(trades: Sequence[Trade]) -> File:
    """NautilusTrader's catalog, whose times are in nanoseconds."""
    columns = {
        "price": pa.array([trade.price for trade in trades], pa.float64()),
        "size": pa.array([trade.amount for trade in trades], pa.float64()),
        "aggressor_side": pa.array([1 if trade.side == "buy" else 2 for trade in trades], pa.uint8()),
        "trade_id": pa.array([trade.trade_id for trade in trades], pa.string()),
        "ts_event": pa.array([trade.ts_ns for trade in trades], pa.uint64()),
    }
    return "nautilus-trades", columns
