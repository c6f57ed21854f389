"""Reads a recording file: gzip text, one `<capture time> <frame as received>` per line (hftbacktest's layout)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, cast

import orjson

from ares.errors import ConfigError

FIELD = "simulator.recordings"
WAY_OUT = "Name a Binance capture with trade, bookTicker and depth frames of one market and one REST depth snapshot"
GZIP_MAGIC = b"\x1f\x8b"
NANOS_FROM = 10**17
"""Capture times at or above this are nanoseconds, below it microseconds: both layouts exist."""

Level = tuple[str, str]
DEPTH_KINDS = frozenset({"depth@100ms", "depth@0ms"})
MARKET_TRADE = "MARKET"
"""What a perpetual's trade frame says (`X`) of a trade of the book; others are of the insurance fund or no trades."""


class TradeFrame(TypedDict):
    """`<symbol>@trade` as the venue sends it."""

    E: int
    T: int
    s: str
    t: int
    p: str
    q: str
    m: bool


class DepthFrame(TypedDict):
    """`<symbol>@depth@100ms` as the venue sends it."""

    E: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class QuoteFrame(TypedDict):
    """`<symbol>@bookTicker` as the venue sends it: it carries no time."""

    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class SnapshotFrame(TypedDict):
    """`GET /api/v3/depth` as the venue answers it."""

    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]


@dataclass(slots=True)
class Capture:
    """All frames of one symbol in order of capture; quotes with their capture time in milliseconds."""

    path: Path
    symbol: str = ""
    trades: list[TradeFrame] = field(default_factory=list)
    depth: list[DepthFrame] = field(default_factory=list)
    quotes: list[tuple[float, QuoteFrame]] = field(default_factory=list)
    snapshot: SnapshotFrame | None = None
    perpetual: bool = False
    """Whether it is of USD-M futures, whose depth updates name the one before."""
    delays_ms: list[float] = field(default_factory=list)
    """Event time minus capture time of every frame that has an event time."""


def unusable(path: Path, problem: str) -> ConfigError:
    """The one error for a recording that cannot be replayed."""
    return ConfigError(FIELD, str(path), problem, WAY_OUT)


def read_capture(path: Path) -> Capture:
    """Read one file. Raises `ConfigError` naming the file and, where there is one, the line that is wrong."""
    capture = Capture(path)
    number = 0
    try:
        for line in _lines(path):
            number += 1
            captured, _, text = line.partition(b" ")
            _add(capture, int(captured), cast("object", orjson.loads(text)))
    except FileNotFoundError:
        raise unusable(path, "no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise unusable(path, f"cannot be read after line {number} ({error})") from None
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise unusable(path, f"line {number} is not a recorded Binance frame") from None
    if not capture.trades or len(capture.depth) < 2 or not capture.quotes:
        raise unusable(path, "has no trades, no depth updates or no book tickers")
    return capture


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
    with gzip.open(path, "rb") if packed else path.open("rb") as lines:
        yield from lines


def _add(capture: Capture, captured: int, message: object) -> None:
    captured_ms = captured / (1e6 if captured >= NANOS_FROM else 1e3)
    if not isinstance(message, dict):
        raise TypeError
    if "lastUpdateId" in message:
        capture.snapshot = capture.snapshot or cast("SnapshotFrame", message)
        return
    kind = str(message["stream"]).partition("@")[2]
    data = cast("dict[str, object]", message["data"])
    _same_symbol(capture, str(data["s"]))
    if kind == "bookTicker":
        _check(data, ("u",), ("b", "B", "a", "A"))
        capture.quotes.append((captured_ms, cast("QuoteFrame", data)))
        return
    if kind == "trade":
        _check(data, ("E", "T", "t"), ("p", "q"))
        if data.get("X", MARKET_TRADE) != MARKET_TRADE:
            return
        trade = cast("TradeFrame", data)
        capture.trades.append(trade)
        capture.delays_ms.append(trade["E"] - captured_ms)
    elif kind in DEPTH_KINDS:
        _check(data, ("E", "U", "u"), ())
        depth = _depth(capture, data)
        capture.depth.append(depth)
        capture.delays_ms.append(depth["E"] - captured_ms)
    else:
        raise ValueError


def _depth(capture: Capture, data: dict[str, object]) -> DepthFrame:
    """A depth update with ids that run on. A perpetual's are shared by all symbols: it names the one before (`pu`)."""
    depth = cast("DepthFrame", data)
    if "pu" in data:
        capture.perpetual = True
        _check(data, ("pu",), ())
        depth["U"] = int(str(data["pu"])) + 1
        depth["b"], depth["a"] = _eight(depth["b"]), _eight(depth["a"])
    return depth


def _eight(levels: list[Level]) -> list[Level]:
    """Levels that are gone, written as on spot."""
    return [(price, amount if amount.strip("0.") else "0.00000000") for price, amount in levels]


def _check(data: dict[str, object], whole: tuple[str, ...], decimal: tuple[str, ...]) -> None:
    if not all(isinstance(data[name], int) for name in whole) or not all(_is_number(data[name]) for name in decimal):
        raise TypeError


def _is_number(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.replace(".", "", 1).isdigit()


def _same_symbol(capture: Capture, symbol: str) -> None:
    capture.symbol = capture.symbol or symbol
    if symbol != capture.symbol:
        raise unusable(capture.path, f"holds two symbols, {capture.symbol} and {symbol}")
