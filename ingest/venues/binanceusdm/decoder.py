"""Binance USD-M futures: what their frames and answers have beyond spot's. Pure; only `MalformedFrame` comes out.

Trades are *aggregate* trades everywhere, as on spot. Field names:
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Mark-Price-Stream and
https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Get-Funding-Rate-History
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Funding, Instrument
from ingest.books import BookUpdate, Fit
from ingest.funding import FundingUpdate
from ingest.venues.binance.decoder import Combined, decode_instrument, is_wrapped
from ingest.venues.wire import Millis, Names, Wire

PriceText = Annotated[str, msgspec.Meta(pattern=r"^(\d{1,24}(\.\d{1,24})?)?$")]
"""A price, or nothing: payments before November 2023 have none."""


class MarkPrice(msgspec.Struct, gc=False):
    """A message of `markPrice`: mark and index price, and the rate `r` that will be paid at `T`."""

    s: str
    E: Millis
    p: float
    i: float
    r: float
    T: Millis


class Payment(msgspec.Struct, rename="camel", gc=False):
    """A row of REST `fundingRate`."""

    funding_rate: float
    funding_time: Millis
    mark_price: PriceText = ""


FUNDING_FIELDS = {"r": "rate", "T": "funding_at", "p": "mark_price", "i": "index_price", "E": "ts", "s": "symbol"}
PAYMENT_FIELDS = {"fundingRate": "rate", "fundingTime": "ts", "markPrice": "mark_price"}

MARK, WRAPPED_MARK = Wire(MarkPrice, FUNDING_FIELDS), Wire(Combined[MarkPrice], FUNDING_FIELDS)
PAYMENT = Wire(Payment, PAYMENT_FIELDS)


def decode_mark_price(payload: object, names: Names, received_at_ns: int) -> FundingUpdate:
    """A frame of the stream `markPrice`."""
    event = WRAPPED_MARK.read(payload).data if is_wrapped(payload) else MARK.read(payload)
    return FundingUpdate(
        venue=names.venue,
        symbol=names.symbol(event.s),
        ts_ns=event.E * NANOS_PER_MILLI,
        received_at_ns=received_at_ns,
        rate=event.r,
        funding_at_ns=event.T * NANOS_PER_MILLI,
        mark_price=event.p,
        index_price=event.i,
    )


def decode_payment(payload: object, venue: str, symbol: str, received_at_ns: int) -> Funding:
    """A row of REST `fundingRate`, which is of the symbol that was asked for."""
    row = PAYMENT.read(payload)
    ts_ns = row.funding_time * NANOS_PER_MILLI
    mark_price = float(row.mark_price) if row.mark_price else None
    return Funding(venue, symbol, "settled", row.funding_rate, mark_price, None, ts_ns, ts_ns, received_at_ns)


def decode_perpetual(payload: object, venue: str, symbol: str, fees: tuple[object, object]) -> Instrument:
    """A symbol of `exchangeInfo`: one contract is one of the base currency, so amounts need no turning."""
    instrument = decode_instrument(payload, venue, symbol, fees)
    return replace(instrument, contract="linear", contract_size=Decimal(1))


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:
    """How a change of a futures book lies to it: it names the one before (`pu`), for ids are shared by all symbols.

    The first one after the snapshot reaches over its id: the venue says U <= id <= u. An id between `pu` and `U` is as
    good, for no change of this book lies there.
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
    """
    if first:
        if update.last_id < last_id:
            return Fit.OLD
        begins_at = update.first_id if update.prev_id is None else update.prev_id
        return Fit.NEXT if begins_at <= last_id else Fit.GAP
    if update.prev_id == last_id:
        return Fit.NEXT
    return Fit.OLD if update.last_id <= last_id else Fit.GAP
