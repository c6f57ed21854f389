"""Binance USD-M: recordings that are not ours to copy, and the documentation's messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import orjson

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Quote
from ingest.feed import Channel
from ingest.venues.binanceusdm.dialect import ROUTES
from ingest.venues.binanceusdm.rest import UsdmWords
from ingest.venues.rest import Asked
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.recordings import cryptofeed, hftbacktest
from tests.conformance.specimen import Payload, Sample, Specimen, binance_file
from tests.conformance.venues import binance
from tests.conftest import shared_folder

DOCS = "https://developers.binance.com/docs/derivatives/usds-margined-futures"
REST = f"{DOCS}/market-data/rest-api/Compressed-Aggregate-Trades-List"
NAMES = Names("binanceusdm", {"BTCUSDT": "BTC/USDT:USDT", "ETHUSDT": "ETH/USDT:USDT"})
OLDER = Names("binanceusdm", {f"{base}USDT": f"{base}/USDT:USDT" for base in ("DENT", "KSM", "XMR", "YFI")})
AGGREGATES = "BINANCE_FUTURES.ws.5.0.gz"
RECORDED_NS = 1_721_347_200_000_000_000
MARK_PRICE = (
    b'{"e":"markPriceUpdate","E":1721347499000,"s":"BTCUSDT","p":"63940.15000000","i":"63962.62659091",'
    b'"P":"63984.25641265","r":"-0.00038167","T":1721347500000}'
)


def recorded(name: str, channel: Channel) -> Callable[[], Sequence[Payload]]:
    """The frames of a channel in the recordings of 2024-07-18 and 19, and answers of REST `depth` among its books."""

    def load() -> Sequence[Payload]:
        folder = shared_folder() / "raw_ws" / "binance"
        frames: list[Payload] = []
        for line in [line for day in (18, 19) for line in hftbacktest(folder / f"usdm_{name.lower()}_202407{day}.gz")]:
            if binance.MARKS[channel] in line[:50]:
                frames.append(binance.as_aggregate(line) if channel == "trades" else line)
            elif channel == "books" and not line.startswith(b'{"stream"'):
                asked = Asked("binanceusdm", NAMES.symbol(name), name, RECORDED_NS)
                frames.append(UsdmWords().read_book(orjson.loads(line), asked))
        return frames

    return load


def aggregates(channel: Channel) -> Callable[[], Sequence[Payload]]:
    """The frames of a channel in the recording of 2021-04-17, whose trades are aggregates."""
    mark = b"@aggTrade" if channel == "trades" else binance.MARKS[channel]
    return lambda: [text for text in cryptofeed(AGGREGATES) if mark in text[:50]]


SAMPLES = (
    *(
        Sample(
            channel, f"raw_ws/binance/usdm_{name.lower()}_2024071[89].gz", NAMES, recorded(name, channel), events,
            adapted=binance.SINGLE if channel == "trades" else "",
        )
        for name, counts in (("BTCUSDT", (10_701, 52_260, 9_023)), ("ETHUSDT", (13_655, 47_328, 8_930)))
        for channel, events in zip(binance.MARKS, counts, strict=True)
    ),
    *(
        Sample(channel, f"raw_ws/cryptofeed/{AGGREGATES}", OLDER, aggregates(channel), events, follows=False)
        for channel, events in zip(binance.MARKS, (185, 1_959, 1_016), strict=True)
    ),
    Sample(
        "funding", f"{DOCS}/websocket-market-streams/Mark-Price-Stream, 2026-11", NAMES, lambda: [MARK_PRICE], 1,
        recorded=False,
    ),
)  # fmt: skip


class Speaker(binance.Speaker):
    """Spot's words; quotes have a time, and changes name the one before."""

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        told = super().subscribed(message, path)
        assert {f"/{ROUTES[channel]}/ws" for channel, _ in told} <= {path}, "a stream is only where its kind is"
        return told

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        ms = quote.ts_ns // NANOS_PER_MILLI
        return orjson.dumps(
            {**orjson.loads(super().quote(quote, venue_symbol)), "e": "bookTicker", "T": ms, "E": ms + 1}
        )

    def depth(self, depth: Depth) -> bytes:
        said = orjson.loads(super().depth(depth))
        return orjson.dumps(
            {**said, "T": depth.ts_ms, "E": depth.ts_ms + 1} | ({} if depth.snapshot else {"pu": depth.prev_id})
        )


SPECIMEN = Specimen(
    name="binanceusdm",
    protocol_date="2026-11",
    names=NAMES,
    samples=SAMPLES,
    pairs=[
        binance.pair("binanceusdm", "BTC/USDT:USDT", REST, 7 + maker, buyer_is_maker=bool(maker)) for maker in (0, 1)
    ],
    refused=[binance.REFUSED],
    leaving=[binance.SHUTDOWN],
    speaker=Speaker,
    file=binance_file,
    contract_size=Decimal(1),
    excused={"V11": binance.COUNTS_NOTHING, "V12": binance.NO_CHECKSUM, "V17": binance.PINGS},
)
