"""What differs between venues asked over REST: ccxt's raw endpoints, their parameters, and what answers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from ares.model.market import Bar, Funding, Instrument, Trade
from ingest.books import BookUpdate
from ingest.feed import PERPETUALS, SPOT, Channel

Paging = Literal["id", "time", "newest"]
"""How far back trades can be asked for: from an id on, from a moment on, or only the newest ones."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: ccxt's name of the raw endpoint ("publicGetAggTrades"), and its parameters.

    `unified`: of ccxt's own method ("fetch_trades"), whose parameters have names.
    """

    endpoint: str
    params: Mapping[str, object]
    unified: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose answer it is that is read: most answers do not say."""

    venue: str
    symbol: str
    venue_symbol: str
    received_at_ns: int


class RestWords(Protocol):
    """One venue's words over REST. Pure: it is told everything and does no I/O.

    What reads an answer raises `MalformedFrame`, and nothing else, whatever the answer is.
    """

    @property
    def ccxt_id(self) -> str:
        """ccxt's class of the venue."""
        ...

    @property
    def market_types(self) -> Sequence[str]:
        """ccxt's words for the kinds of markets to list ("spot", "swap", "linear"): its `fetchMarkets.types`."""
        ...

    @property
    def paging(self) -> Paging:
        """How trades of the past are asked for."""
        ...

    @property
    def page_trades_max(self) -> int:
        """Trades that one answer holds at most."""
        ...

    @property
    def page_bars_max(self) -> int:
        """Candles that one answer holds at most."""
        ...

    def urls(self, base: str) -> Mapping[str, object]:
        """ccxt's `urls.api` for another address than the venue's own."""
        ...

    def trades(self, venue_symbol: str, since: int, count: int) -> Question:
        """Trades from `since` on, `count` (≤ `page_trades_max`) of them.

        `since` is an id, the first one wanted, where paging goes by id; a moment in ns where it goes by time; without
        meaning where only the newest can be had.
        """
        ...

    def latest_trade(self, venue_symbol: str) -> Question:
        """The newest trade."""
        ...

    def bars(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """One-minute candles that start in [start_ns, end_ns), whole minutes."""
        ...

    def book(self, venue_symbol: str) -> Question | None:
        """A snapshot of the book; None where the stream brings it."""
        ...

    def rows_of(self, answer: object) -> Sequence[object]:
        """The trades in an answer to `trades` or `latest_trade`, in any order, each for `read_trade`."""
        ...

    def read_trade(self, row: object, asked: Asked) -> Trade:
        """One trade, with `source` "rest"; column by column what the stream says of the same trade."""
        ...

    def read_bars(self, answer: object, asked: Asked) -> Sequence[Bar]:
        """The candles of an answer, in any order; one that is still open may be among them."""
        ...

    def read_book(self, answer: object, asked: Asked) -> BookUpdate:
        """The snapshot in an answer to `book`."""
        ...

    def read_instrument(self, market: Mapping[str, object], venue: str, symbol: str) -> Instrument:
        """An instrument from what ccxt's `load_markets` says of it: `market["info"]` is the venue's own listing."""
        ...


@runtime_checkable
class FundingWords(RestWords, Protocol):
    """The words of a venue with perpetuals: with them it has the channel `funding`."""

    @property
    def page_funding_max(self) -> int:
        """Settled rates that one answer holds at most."""
        ...

    def funding(self, venue_symbol: str, start_ns: int, end_ns: int) -> Question:
        """The rates that were settled in [start_ns, end_ns), no more of them than `page_funding_max`."""
        ...

    def read_funding(self, answer: object, asked: Asked) -> Sequence[Funding]:
        """The settled rates of an answer, in any order."""
        ...


def channels_of(words: RestWords) -> Sequence[Channel]:
    """What a venue with these words streams."""
    return PERPETUALS if isinstance(words, FundingWords) else SPOT
