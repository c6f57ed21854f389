"""Recordings: the bundled real ones, and a tiny one whose every line is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_MILLI
from ares.testing.clock import SteppedClock
from simulator.clock import MarketClock
from simulator.market import Fees, Market
from simulator.recording import Recording, load_recording
from simulator.series import EPOCH_MS, Series

RECORDINGS = Path(__file__).resolve().parents[3] / "simulator" / "recordings"
START_MS = 1_700_000_000_000
Line = dict[str, object]
SaveLines = Callable[[list[Line]], Path]


@pytest.fixture(scope="session")
def btc() -> Recording:
    return load_recording(RECORDINGS / "spot_btcusdt_20240808.gz")


@pytest.fixture(scope="session")
def eth() -> Recording:
    return load_recording(RECORDINGS / "spot_ethusdt_20240808.gz")


def trade(number: int, at_ms: int, price: str, amount: str, *, maker: bool) -> Line:
    at = START_MS + at_ms
    data = {"e": "trade", "E": at + 2, "s": "TINYUSDT", "t": number, "p": price, "q": amount, "T": at, "m": maker}
    return {"stream": "tinyusdt@trade", "data": data}


def depth(at_ms: int, first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> Line:
    data = {"e": "depthUpdate", "E": START_MS + at_ms, "s": "TINYUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return {"stream": "tinyusdt@depth@100ms", "data": data}


def quote(update_id: int, bid: str, ask: str) -> Line:
    data = {"u": update_id, "s": "TINYUSDT", "b": bid, "B": "1.00", "a": ask, "A": "2.00"}
    return {"stream": "tinyusdt@bookTicker", "data": data}


@pytest.fixture
def tiny_lines() -> list[Line]:
    """400 ms of a market: best bid from 100.0 to 100.2, two trades that are one aggregate, then a third."""
    return [
        {"lastUpdateId": 10, "bids": [["100.0", "1.00"], ["99.0", "5.00"]], "asks": [["100.1", "2.00"]]},
        depth(0, 9, 12, [["98.0", "7.00"]], []),
        trade(501, 50, "100.1", "0.25", maker=False),
        trade(502, 50, "100.1", "0.50", maker=False),
        quote(13, "100.0", "100.2"),
        depth(100, 13, 14, [["100.0", "0.80"], ["10.0", "1.00"]], [["100.1", "0.00000000"], ["100.2", "3.00"]]),
        trade(503, 150, "100.0", "0.30", maker=True),
        quote(15, "100.2", "100.3"),
        depth(300, 15, 16, [["100.2", "4.00"]], [["100.2", "0.00000000"], ["100.3", "1.50"]]),
        quote(17, "100.2", "100.4"),
    ]


@pytest.fixture
def save_lines(tmp_path: Path) -> SaveLines:
    """Writes lines as a recording, captured a second before their event (as the bundled ones are)."""

    def save(lines: list[Line]) -> Path:
        path = tmp_path / "tiny.txt"
        at_ms = START_MS
        text = []
        for line in lines:
            data = line.get("data")
            at_ms = int(str(data["E"])) if isinstance(data, dict) and "E" in data else at_ms
            text.append(f"{(at_ms - 1_000) * NANOS_PER_MILLI} {json.dumps(line)}")
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return path

    return save


@pytest.fixture
def tiny(tiny_lines: list[Line], save_lines: SaveLines) -> Recording:
    return load_recording(save_lines(tiny_lines))


@pytest.fixture
def clock() -> SteppedClock:
    """Market time starts some segments behind the epoch, inside a recording."""
    return SteppedClock((EPOCH_MS + 3_333_333_333) * NANOS_PER_MILLI)


@pytest.fixture
def market(btc: Recording, eth: Recording, clock: SteppedClock) -> Market:
    """Both bundled symbols, at the clock's moment."""
    fees = Fees(Decimal("0.001"), Decimal("0.001"))
    whole = Market([Series(btc, 1), Series(eth, 1)], MarketClock(clock), fees)
    whole.seek()
    return whole
