"""OKX swaps: what spot's recording has of them, and the documentation's messages. Amounts are contracts."""

from __future__ import annotations

from decimal import Decimal

from ingest.venues.wire import Names
from tests.conformance.specimen import Sample, Specimen, freqtrade
from tests.conformance.venues import okx

DOCS = "https://www.okx.com/docs-v5/en/#public-data-websocket"
NAMES = Names("okxswap", {"BTC-USDT-SWAP": "BTC/USDT:USDT", "ETH-USDT-SWAP": "ETH/USDT:USDT"})
RECORDED = Names("okxswap", {"UNI-USD-SWAP": "UNI/USD:UNI"})
RATE = (
    b'{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"formulaType":"noRate",'
    b'"fundingRate":"0.0001875391284828","fundingTime":"1700726400000","impactValue":"","instId":"BTC-USDT-SWAP",'
    b'"instType":"SWAP","interestRate":"","method":"current_period","maxFundingRate":"0.00375",'
    b'"minFundingRate":"-0.00375","nextFundingRate":"","nextFundingTime":"1700755200000","premium":"0.0001",'
    b'"settFundingRate":"0.0001699799259033","settState":"settled","ts":"1700724675402"}]}'
)
MARK = (
    b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","instType":"SWAP",'
    b'"markPx":"42310.6","ts":"1700724676000"}]}'
)


class Speaker(okx.Speaker):
    """Spot's words, in contracts."""

    contract = Decimal("0.01")


def swap(topic: str, events: int) -> Sample:
    """The recording's one swap."""
    channel = okx.TOPICS.get(topic, "trades")
    adapted = okx.NUMBERED if channel == "books" else ""
    origin = f"raw_ws/cryptofeed/{okx.FILE}"
    return Sample(channel, origin, RECORDED, okx.recorded(topic, instrument="UNI-USD-SWAP"), events, adapted=adapted)


SPECIMEN = Specimen(
    name="okxswap",
    protocol_date="2026-11",
    names=NAMES,
    samples=[
        swap("trades", 1),
        swap("books", 93),
        *okx.documented("okxswap", "BTC-USDT-SWAP", "BTC/USDT:USDT"),
        Sample("funding", f"{DOCS}-funding-rate-channel, 2026-11", NAMES, lambda: [RATE], 1, recorded=False),
        Sample("funding", f"{DOCS}-mark-price-channel, 2026-11", NAMES, lambda: [MARK], 1, recorded=False),
    ],
    pairs=[okx.pair("okxswap", "BTC-USDT-SWAP", "BTC/USDT:USDT", ("12", 0.12), side) for side in ("buy", "sell")],
    refused=okx.SPECIMEN.refused,
    leaving=okx.SPECIMEN.leaving,
    speaker=Speaker,
    file=freqtrade,
    contract_size=Decimal("0.01"),
    excused={"V11": okx.COUNTS_NOTHING},
)
