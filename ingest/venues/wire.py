"""What venues' messages have in common: types that say what is in them, and one way to refuse what is not. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Generic, TypeVar, cast

import msgspec

from ares.clock import NANOS_PER_MILLI, to_ns
from ares.errors import MalformedFrame
from ares.model.market import Trade, TradeRun
from ingest.books import Level

T = TypeVar("T")

ID_MAX = 2**63 - 1
DEFAULT_FEE = Decimal("0.001")
PLACE = re.compile(r"at `\$(?:\[\.\.\.\]|\.data|\[\d+\](?=[.\[]))*[.\[](\w+)")
MISSING = re.compile(r"missing required field `(\w+)`")

Id = Annotated[int, msgspec.Meta(gt=0, le=ID_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
Millis = Annotated[int, msgspec.Meta(gt=0, le=ID_MAX // NANOS_PER_MILLI)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Moment = Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z\Z")]
"""UTC as RFC 3339 writes it, to the nanosecond at most; `nanos_of` reads it."""
Levels = tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """A venue's name in rows and its symbols: the venue's own ("BTCUSDT") → ccxt's ("BTC/USDT")."""

    venue: str
    by_venue_symbol: Mapping[str, str]

    def symbol(self, venue_symbol: str) -> str:
        """Our symbol of the venue's. Raises `MalformedFrame` for one that we did not ask for."""
        known = self.by_venue_symbol.get(venue_symbol)
        if known is None:
            raise MalformedFrame("symbol", "not a symbol that we subscribed to")
        return known


class Wire(Generic[T]):
    """A message of a venue, from its bytes or from what a JSON parser made of them; numbers may be text, as they are.

    `fields` maps the venue's names to ours, for what a refusal says.

    >>> Wire(AggTrade, {"p": "price"}).read(b'{"p":"x"}')   # raises MalformedFrame("price", …)
    """

    def __init__(self, kind: type[T], fields: Mapping[str, str]) -> None:
        self._kind = kind
        self._fields = fields
        self._decode = msgspec.json.Decoder(kind, strict=False).decode

    def read(self, payload: object) -> T:
        """The message. Raises `MalformedFrame`, and nothing else, whatever the payload is."""
        try:
            if isinstance(payload, bytes):
                return self._decode(payload)
            return msgspec.convert(payload, self._kind, strict=False)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> MalformedFrame:
        text = str(error)
        found = MISSING.search(text) or PLACE.search(text)
        name = found.group(1) if found else "frame"
        return MalformedFrame(self._fields.get(name, name), text)


def read_together(messages: Wire[list[T]], payloads: Sequence[object]) -> list[T] | None:
    """The messages of many frames, parsed in one go; None if any is of another kind, and then each says of what."""
    try:
        read = messages.read(b"[" + b",".join(cast("Sequence[bytes]", payloads)) + b"]")
    except (MalformedFrame, TypeError):
        return None
    return read if len(read) == len(payloads) else None


def runs_together(
    messages: Wire[list[T]],
    payloads: Sequence[object],
    receipts_ns: Sequence[int],
    trades_of: Callable[[T, int], Sequence[Trade]],
) -> list[TradeRun] | None:
    """Many frames in columns, by what each message and its receipt become; None if any is anything else."""
    read = read_together(messages, payloads)
    if read is None:
        return None
    stamped = zip(read, receipts_ns, strict=True)
    try:
        return runs_of([trade for message, at_ns in stamped for trade in trades_of(message, at_ns)])
    except MalformedFrame:
        return None


def runs_of(trades: Sequence[Trade]) -> list[TradeRun]:
    """Trades of one source in columns, a run per symbol, each in order of arrival."""
    by_symbol: dict[str, list[Trade]] = {}
    for trade in trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    return [
        TradeRun(
            some[0].venue,
            symbol,
            some[0].source,
            [trade.seq for trade in some],
            [trade.side for trade in some],
            [trade.price for trade in some],
            [trade.amount for trade in some],
            [trade.ts_ns for trade in some],
            [trade.received_at_ns for trade in some],
        )
        for symbol, some in by_symbol.items()
    ]


def nanos_of(moment: str, unit_ns: int = 1) -> int:
    """A `Moment` as UTC ns, cut to whole `unit_ns`. Raises `MalformedFrame` for a day or an hour that there is not."""
    fraction = moment[20:-1].ljust(9, "0")
    ts_ns = _second_ns(moment[:19]) + int(fraction)
    return ts_ns - ts_ns % unit_ns


@lru_cache(maxsize=256)
def _second_ns(text: str) -> int:
    try:
        return to_ns(datetime.fromisoformat(text))
    except ValueError as error:
        raise MalformedFrame("ts", str(error)) from None


def sound(levels: Levels, side: str) -> Levels:
    """The levels, if every price and amount is a finite number from zero up: a book must not hold anything else."""
    for price, amount in levels:
        if not (0.0 < price < float("inf") and 0.0 <= amount < float("inf")):
            raise MalformedFrame(side, f"a level of {amount!r} at {price!r}")
    return levels


def exact(value: Decimal | None, field: str) -> Decimal:
    """An exact, positive or zero decimal."""
    if value is None:
        raise MalformedFrame(field, "missing")
    if not value.is_finite() or value < 0:
        raise MalformedFrame(field, "not a finite, non-negative decimal")
    return value


def fee(rate: object) -> Decimal:
    """A fee rate, the venue's standard one if it is not told."""
    if isinstance(rate, int | float | Decimal) and not isinstance(rate, bool):
        return Decimal(str(rate))
    return DEFAULT_FEE
