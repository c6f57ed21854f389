"""Bybit's linear perpetuals: what their frames and answers say of funding. Pure; only `MalformedFrame` comes out.

https://bybit-exchange.github.io/docs/v5/websocket/public/ticker and
https://bybit-exchange.github.io/docs/v5/market/history-fund-rate
"""

from __future__ import annotations

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Funding
from ingest.funding import FundingUpdate
from ingest.venues.wire import Millis, Names, Wire, Word

TICKER_NAMES = {
    "rate": "fundingRate",
    "funding_at": "nextFundingTime",
    "mark_price": "markPrice",
    "index_price": "indexPrice",
}
PAYMENT_NAMES = {"rate": "fundingRate", "ts": "fundingRateTimestamp"}


class Ticker(msgspec.Struct, rename=TICKER_NAMES, gc=False):
    """What a ticker says of funding; a change holds what is new, and the rest is as it was."""

    symbol: Word
    rate: float | None = None
    funding_at: Millis | None = None
    mark_price: float | None = None
    index_price: float | None = None


class Told(msgspec.Struct, gc=False):
    """A message of `tickers`, snapshot or change."""

    ts: Millis
    data: Ticker


class Payment(msgspec.Struct, rename=PAYMENT_NAMES, gc=False):
    """A row of `funding/history`."""

    rate: float
    ts: Millis


FUNDING_FIELDS = {theirs: ours for ours, theirs in (TICKER_NAMES | PAYMENT_NAMES).items()}
TOLD, PAYMENT = Wire(Told, FUNDING_FIELDS), Wire(Payment, FUNDING_FIELDS)


def decode_funding(payload: object, names: Names, received_at_ns: int) -> list[FundingUpdate]:
    """A frame of `tickers`. Each confirms the rate: a change leaves out what is as it was."""
    message = TOLD.read(payload)
    ticker, symbol = message.data, names.symbol(message.data.symbol)
    update = FundingUpdate(
        venue=names.venue,
        symbol=symbol,
        ts_ns=message.ts * NANOS_PER_MILLI,
        received_at_ns=received_at_ns,
        rate=ticker.rate,
        funding_at_ns=None if ticker.funding_at is None else ticker.funding_at * NANOS_PER_MILLI,
        mark_price=ticker.mark_price,
        index_price=ticker.index_price,
    )
    return [update]


def decode_payment(payload: object, venue: str, symbol: str, received_at_ns: int) -> Funding:
    """A row of REST `funding/history`; no price is told."""
    row = PAYMENT.read(payload)
    ts_ns = row.ts * NANOS_PER_MILLI
    return Funding(venue, symbol, "settled", row.rate, None, None, ts_ns, ts_ns, received_at_ns)
