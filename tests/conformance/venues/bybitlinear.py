"""Bybit linear: recordings of 2024 and 2025 that are not ours to copy, and the documentation's messages."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from ares.model.market import Side
from ingest.venues.wire import Names
from tests.conformance.specimen import Sample, Specimen
from tests.conformance.venues import bybit

NAMES = Names("bybitlinear", {"BTCUSDT": "BTC/USDT:USDT", "ETHUSDT": "ETH/USDT:USDT"})
RECORDED = Names("bybitlinear", dict(bybit.RECORDED.by_venue_symbol))
PUBLIC_TRADE = (
    b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1774021164273,"data":['
    b'{"T":1774021164272,"s":"BTCUSDT","S":"Sell","v":"0.001","p":"69916.80","L":"MinusTick",'
    b'"i":"8c931d9a-b703-5c34-9aeb-860867cf1f66","BT":false,"RPI":false,"seq":549792210006},'
    b'{"T":1774021164272,"s":"BTCUSDT","S":"Sell","v":"0.002","p":"69916.70","L":"MinusTick",'
    b'"i":"307fb58f-09dc-5121-b24f-eb2f81873445","BT":false,"RPI":false,"seq":549792210006},'
    b'{"T":1774021164273,"s":"BTCUSDT","S":"Buy","v":"0.003","p":"69916.90","L":"PlusTick",'
    b'"i":"e4f62be6-ee74-5a67-a9da-b3829b911246","BT":false,"RPI":false,"seq":549792210009}]}'
)


FILLS: list[tuple[str, int, Side]] = [
    ("8c931d9a-b703-5c34-9aeb-860867cf1f66", 549_792_210_006, "sell"),
    ("e4f62be6-ee74-5a67-a9da-b3829b911246", 549_792_210_009, "buy"),
]


TICKERS = (
    b'{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"17217.33",'
    b'"indexPrice":"17227.36","nextFundingTime":"1673280000000","fundingRate":"-0.000212"},"cs":1,"ts":1673272861686}'
)


class Speaker(bybit.Speaker):
    """Spot's words."""

    category = "linear"


def uuids(of_symbol: int, of_market: int) -> tuple[str, int]:
    """Ids that say nothing, and cross sequences that grow: each trade is an order of its own."""
    number = (of_market + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128
    return str(UUID(int=number, version=5)), (549_792_210_000 + 5 * of_market) * 1_024


SPECIMEN = Specimen(
    name="bybitlinear",
    protocol_date="2026-11",
    names=NAMES,
    samples=[
        Sample("quotes", f"raw_ws/cryptofeed/{bybit.QUOTES_FILES['linear']}", RECORDED, bybit.quotes("linear"), 198, 4),
        Sample("books", bybit.BOOKS_FILE, RECORDED, bybit.recorded_book, 50),
        bybit.documented("trades", PUBLIC_TRADE, NAMES, 3),
        bybit.documented("quotes", bybit.ORDERBOOK, NAMES),
        bybit.documented("funding", TICKERS, NAMES),
        bybit.documented("books", bybit.ORDERBOOK.replace(b"orderbook.1", b"orderbook.200"), NAMES),
    ],
    pairs=[
        bybit.pair("bybitlinear", "BTC/USDT:USDT", trade_id, (str(seq), seq * 1_024), side)
        for trade_id, seq, side in FILLS
    ],
    refused=[bybit.REFUSED],
    speaker=Speaker,
    ids=uuids,
    contract_size=Decimal(1),
    excused={
        "V08": "files of trades that are read here have numbers for ids, and its ids are UUIDs",
        "V11": bybit.COUNTS_NOTHING,
        "V12": bybit.NO_CHECKSUM,
        "V18": bybit.NO_NOTICE,
    },
)
