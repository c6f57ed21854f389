"""Aggregate trades from bytes to what we store: our decoder, ccxt's parser, and the bare JSON parser as the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import ccxt
import orjson
from contest import Bench, Run

from ingest.venues.binance.decoder import decode_trade
from ingest.venues.wire import Names

TRADES = 20_000
NAMES = Names("sim", {"BTCUSDT": "BTC/USDT"})


def frames() -> list[bytes]:
    return [
        orjson.dumps(
            {
                "e": "aggTrade",
                "E": 1_723_161_255_343 + number,
                "s": "BTCUSDT",
                "a": number + 1,
                "p": f"{61_837.63 + number % 97 / 100:.8f}",
                "q": f"{0.001 + number % 13 / 1000:.8f}",
                "f": number,
                "l": number,
                "T": 1_723_161_255_342 + number,
                "m": number % 2 == 0,
                "M": True,
            }
        )
        for number in range(TRADES)
    ]


def rate(work: Callable[[bytes], object], inputs: list[bytes]) -> float:
    started = time.process_time()
    for frame in inputs:
        work(frame)
    return len(inputs) / (time.process_time() - started)


def bench() -> Bench:
    """Rates per CPU second of this process."""
    decoded: list[int] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        inputs = frames()
        venue = ccxt.binance()
        market = venue.safe_market("BTCUSDT", None, None, "spot")
        decoded.append(sum(1 for frame in inputs if decode_trade(frame, NAMES, 1)))
        yield {
            "ares": lambda: rate(lambda frame: decode_trade(frame, NAMES, 1), inputs),
            "peer": lambda: rate(lambda frame: venue.parse_trade(orjson.loads(frame), market), inputs),
            "limit": lambda: rate(orjson.loads, inputs),
        }

    return Bench(
        "decode",
        "trades/CPU-s",
        "ccxt parse_trade",
        "orjson.loads alone",
        ("ccxt", "orjson"),
        arena,
        lambda: TRADES - decoded[0],
    )
